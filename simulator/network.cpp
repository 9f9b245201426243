#include "simulator/network.h"

#include <algorithm>
#include <cmath>

#include "common/wire/envelope.h"

namespace p2pbank::simulator {
namespace {

constexpr double kHourUs = 3'600e6;

}  // namespace

void Network::send(Address from, Address to, std::string_view bytes) {
    ++tally_.sent;
    Packet packet{from, to, std::string(bytes)};
    if (watcher_) watcher_(packet);
    if (!rules_.empty()) {
        const wire::Datagram datagram = decode(bytes);
        for (const auto& rule : rules_) {
            const Verdict verdict = rule.second(packet, datagram);
            if (verdict == Verdict::drop) return;
            if (verdict == Verdict::hold) held_.push_back(std::move(packet));
            if (verdict != Verdict::pass) return;
        }
    }
    if (shut_.contains({from.ip, to.ip})) {
        ++tally_.cut;
        return;
    }
    if (happens(faults_.late_duplicate)) {
        ++tally_.late;
        const uint64_t id = next_late_++;
        late_.emplace(id, packet);
        // Spread over all scales, from ten milliseconds to an hour.
        const double us = 1e4 * std::pow(kHourUs / 1e4, random_.fraction());
        schedule_.after(Duration(static_cast<int64_t>(us)), [this, id] {
            const auto found = late_.find(id);
            if (found == late_.end()) return;
            const Packet late = std::move(found->second);
            late_.erase(found);
            deliver_(late);
        });
    }
    if (happens(faults_.loss)) {
        ++tally_.lost;
        return;
    }
    if (happens(faults_.duplicate)) {
        ++tally_.duplicated;
        deliver_after(ordinary_delay(), packet);
    }
    deliver_after(ordinary_delay(), std::move(packet));
}

wire::Datagram Network::decode(std::string_view bytes) const {
    wire::Datagram datagram;
    if (unseal(bytes, datagram)) return datagram;
    const auto plain = keys_.open(bytes);
    if (!plain || !datagram.ParseFromString(*plain)) datagram.Clear();
    return datagram;
}

Duration Network::ordinary_delay() {
    const auto range = static_cast<uint64_t>((faults_.most_delay - faults_.least_delay).count());
    Duration delay = faults_.least_delay + Duration(static_cast<int64_t>(random_.below(range + 1)));
    if (happens(faults_.slow)) {
        ++tally_.delayed;
        const auto most = static_cast<uint64_t>(faults_.most_slow_delay.count());
        delay += Duration(static_cast<int64_t>(random_.below(most + 1)));
    }
    return delay;
}

void Network::deliver_after(Duration delay, Packet packet) {
    damage(packet);
    schedule_.after(delay, [this, packet = std::move(packet)] { deliver_(packet); });
}

void Network::damage(Packet& packet) {
    if (packet.bytes.empty()) return;
    if (happens(faults_.corrupt)) {
        ++tally_.corrupted;
        const uint64_t flips = 1 + random_.below(8);
        for (uint64_t i = 0; i < flips; ++i) {
            char& byte = packet.bytes[static_cast<size_t>(random_.below(packet.bytes.size()))];
            byte = static_cast<char>(byte ^ static_cast<char>(1 << random_.below(8)));
        }
    }
    if (happens(faults_.truncate)) {
        ++tally_.truncated;
        packet.bytes.resize(static_cast<size_t>(random_.below(packet.bytes.size())));
    }
}

void Network::inject(Packet packet, Duration delay) {
    schedule_.after(delay, [this, packet = std::move(packet)] { deliver_(packet); });
}

Network::RuleId Network::add_rule(Rule rule) {
    rules_.emplace_back(next_rule_, std::move(rule));
    return next_rule_++;
}

void Network::release_held(Order order) {
    std::vector<Packet> packets = std::move(held_);
    held_.clear();
    if (order == Order::reversed) std::reverse(packets.begin(), packets.end());
    Duration delay = faults_.least_delay;
    for (Packet& packet : packets) {
        schedule_.after(delay, [this, packet = std::move(packet)] { deliver_(packet); });
        delay += microseconds(1);  // none overtakes another
    }
}

void Network::deliver_late() {
    Duration delay{};
    while (!late_.empty()) {
        const auto first = late_.begin();
        schedule_.after(delay, [this, packet = std::move(first->second)] { deliver_(packet); });
        late_.erase(first);
        delay += microseconds(1);
    }
}

}  // namespace p2pbank::simulator
