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
    Random& random = random_of(packet);
    if (auto dice = happens(packet, faults_.late_duplicate, Fault::late_duplicate, random)) {
        ++tally_.late;
        const uint64_t id = next_late_++;
        late_.emplace(id, packet);
        // Spread over all scales, from ten milliseconds to an hour.
        const double us = 1e4 * std::pow(kHourUs / 1e4, dice->fraction());
        schedule_.after(Duration(static_cast<int64_t>(us)), [this, id] {
            const auto found = late_.find(id);
            if (found == late_.end()) return;
            const Packet late = std::move(found->second);
            late_.erase(found);
            deliver_(late);
        });
    }
    if (happens(packet, faults_.loss, Fault::loss, random)) {
        ++tally_.lost;
        return;
    }
    if (happens(packet, faults_.duplicate, Fault::duplicate, random)) {
        ++tally_.duplicated;
        deliver_after(ordinary_delay(packet, random), packet, random);
    }
    const Duration delay = ordinary_delay(packet, random);
    deliver_after(delay, std::move(packet), random);
}

Random& Network::random_of(const Packet& packet) {
    const uint64_t link = uint64_t{packet.from.ip} << 32 | packet.to.ip;
    return random_.try_emplace({packet.from.ip, packet.to.ip}, seed_ ^ link).first->second;
}

std::optional<Random> Network::happens(const Packet& packet, double rate, Fault kind,
                                       Random& random) {
    if (rate <= 0) return std::nullopt;
    const uint64_t drawn = random.next();
    if (Random::fraction_of(drawn) >= rate || !gate_.fires(kind)) return std::nullopt;
    if (on_fault_) on_fault_(packet, kind);
    return Random(drawn);
}

wire::Datagram Network::decode(std::string_view bytes) const {
    wire::Datagram datagram;
    if (unseal(bytes, datagram)) return datagram;
    const auto plain = keys_.open(bytes);
    if (!plain || !datagram.ParseFromString(*plain)) datagram.Clear();
    return datagram;
}

Duration Network::ordinary_delay(const Packet& packet, Random& random) {
    const auto range = static_cast<uint64_t>((faults_.most_delay - faults_.least_delay).count());
    Duration delay = faults_.least_delay + Duration(static_cast<int64_t>(random.below(range + 1)));
    if (auto dice = happens(packet, faults_.slow, Fault::delay, random)) {
        ++tally_.delayed;
        const auto most = static_cast<uint64_t>(faults_.most_slow_delay.count());
        delay += Duration(static_cast<int64_t>(dice->below(most + 1)));
    }
    const auto clogged = clogged_.find({packet.from.ip, packet.to.ip});
    if (clogged != clogged_.end() && clogged->second > schedule_.now()) {
        ++tally_.clogged;
        delay += clogged->second - schedule_.now();
    }
    return delay;
}

void Network::deliver_after(Duration delay, Packet packet, Random& random) {
    damage(packet, random);
    schedule_.after(delay, [this, packet = std::move(packet)] { deliver_(packet); });
}

void Network::deliver_again(Packet packet) {
    Random& random = random_of(packet);
    deliver_after(faults_.least_delay, std::move(packet), random);
}

void Network::damage(Packet& packet, Random& random) {
    if (packet.bytes.empty()) return;
    if (auto dice = happens(packet, faults_.corrupt, Fault::corruption, random)) {
        ++tally_.corrupted;
        const uint64_t flips = 1 + dice->below(8);
        for (uint64_t i = 0; i < flips; ++i) {
            char& byte = packet.bytes[static_cast<size_t>(dice->below(packet.bytes.size()))];
            byte = static_cast<char>(byte ^ static_cast<char>(1 << dice->below(8)));
        }
    }
    if (auto dice = happens(packet, faults_.truncate, Fault::truncation, random)) {
        ++tally_.truncated;
        packet.bytes.resize(static_cast<size_t>(dice->below(packet.bytes.size())));
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
