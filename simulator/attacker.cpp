#include "simulator/attacker.h"

#include <algorithm>
#include <cmath>

#include "common/secure/packets.h"
#include "common/wire/envelope.h"

namespace p2pbank::simulator {
namespace {

constexpr Address kOwn{0x0a420001, 6'666};  // where he answers, and has sessions
constexpr Duration kTransit = microseconds(100);

KeyBytes draw_key(Random& random) {
    KeyBytes out{};
    for (unsigned char& byte : out) byte = static_cast<unsigned char>(random.below(256));
    return out;
}

}  // namespace

AttackRates AttackRates::draw(Random& random) {
    AttackRates out;
    if (random.one_in(2)) return out;
    const auto rate = [&](double most) {
        return random.one_in(3) ? 0 : most * std::pow(random.fraction(), 2);
    };
    out.replay = rate(0.3);
    out.misdirect = rate(0.2);
    out.splice = rate(0.2);
    out.clear = rate(0.2);
    out.impersonate = rate(0.1);
    out.nonsense = rate(0.3);
    return out;
}

Attacker::Attacker(Network& network, Schedule& schedule, Tally& tally, FaultGate& gate,
                   uint64_t seed, Violated violated)
    : network_(network),
      schedule_(schedule),
      tally_(tally),
      gate_(gate),
      violated_(std::move(violated)),
      chance_(seed),
      random_(chance_.next()),
      identity_(draw_key(random_)),
      sessions_(identity_, draw_key(random_), *this) {}

void Attacker::learn_keys(const wire::Datagram& datagram) {
    const wire::Roster& roster =
        datagram.has_roster() ? datagram.roster() : datagram.cohort_started().roster();
    wire::RosterBody body;
    if (roster.body().empty() || !body.ParseFromString(roster.body())) return;
    for (const wire::Member& member : body.members()) {
        const auto key = secure::key_from_bytes(member.channel_key());
        if (key) learn_key({member.ip(), static_cast<uint16_t>(member.port2())}, *key);
    }
}

void Attacker::see(const Packet& packet) {
    if (owns(packet.to) && packet.to != kOwn) count_answer(packet);
    if (!rates_.any()) return;
    if (rates_.impersonate > 0) learn_keys(network_.decode(packet.bytes));
    seen_.push_back(packet);
    if (seen_.size() > kRemembered) seen_.pop_front();
    perhaps(rates_.replay, &Attacker::replay);
    perhaps(rates_.misdirect, &Attacker::misdirect);
    perhaps(rates_.splice, &Attacker::splice);
    perhaps(rates_.clear, &Attacker::say_in_clear);
    perhaps(rates_.impersonate, &Attacker::impersonate);
    perhaps(rates_.nonsense, &Attacker::talk_nonsense);
}

void Attacker::perhaps(double rate, void (Attacker::*act)()) {
    if (rate <= 0) return;
    const uint64_t drawn = chance_.next();
    if (Random::fraction_of(drawn) >= rate || !gate_.fires(Fault::attack)) return;
    random_ = Random(drawn);
    (this->*act)();
}

void Attacker::receive(const Packet& packet) {
    if (packet.to == kOwn) sessions_.open(schedule_.now(), packet.from, packet.bytes);
}

void Attacker::count_answer(const Packet& packet) {
    auto& [sent, back] = bytes_[packet.to];
    back += packet.bytes.size();
    if (back > sent) {
        violated_("no-amplification",
                  std::to_string(back) + " bytes went to " + to_string(packet.to) +
                      ", which never answered and sent " + std::to_string(sent));
    }
}

void Attacker::send_packet(Address to, std::string_view packet) {
    network_.inject({kOwn, to, std::string(packet)}, kTransit);
}

const Packet& Attacker::any_packet() {
    return seen_[static_cast<size_t>(random_.below(seen_.size()))];
}

void Attacker::inject(Packet packet) {
    ++tally_.attacks;
    if (owns(packet.from)) bytes_[packet.from].first += packet.bytes.size();
    // Most at once, some after up to ten minutes: sessions, programs and operations have changed.
    const double us =
        random_.one_in(4) ? 1e2 * std::pow(6e6, random_.fraction()) : random_.fraction() * 1e3;
    network_.inject(std::move(packet), Duration(static_cast<int64_t>(us)));
}

void Attacker::replay() {
    inject(any_packet());
}

void Attacker::misdirect() {
    Packet packet = any_packet();
    switch (random_.below(4)) {
        case 0:  // back to its sender
            std::swap(packet.from, packet.to);
            break;
        case 1:  // to somebody else
            packet.to = any_packet().to;
            break;
        case 2:  // from somebody else
            packet.from = any_packet().from;
            break;
        default:  // from an address of his: the answers are his to see
            packet.from = Address{kNet + 2 + static_cast<uint32_t>(random_.below(1'000)), 6'667};
    }
    inject(std::move(packet));
}

void Attacker::splice() {
    const Packet& tail = any_packet();
    Packet packet = any_packet();
    const size_t cut =
        static_cast<size_t>(random_.below(std::min(packet.bytes.size(), tail.bytes.size()) + 1));
    packet.bytes = packet.bytes.substr(0, cut) + tail.bytes.substr(cut);
    inject(std::move(packet));
}

void Attacker::twist(wire::Datagram& datagram) {
    const auto more = [&](int64_t value) { return value + 1 + int64_t(random_.below(100'000)); };
    if (datagram.has_transfers() && datagram.transfers().amounts_size() > 0) {
        datagram.mutable_transfers()->set_amounts(0, 1 + random_.below(1'000'000));
        if (random_.one_in(2)) {
            datagram.mutable_transfers()->set_first_label(datagram.transfers().first_label() + 1);
        }
    }
    if (datagram.has_ack()) {
        datagram.mutable_ack()->clear_covered();
        datagram.mutable_ack()->add_covered(0);
        datagram.mutable_ack()->add_covered(random_.below(1'000));
    }
    if (datagram.has_epoch_notice()) datagram.set_epoch(datagram.epoch() + 1 + random_.below(9));
    if (datagram.has_vote()) datagram.mutable_vote()->set_yes(!datagram.vote().yes());
    if (datagram.has_decision()) {
        datagram.mutable_decision()->set_commit(!datagram.decision().commit());
    }
    if (datagram.has_outcome()) {
        datagram.mutable_outcome()->set_commit(!datagram.outcome().commit());
    }
    if (datagram.has_attach_reply()) {
        datagram.mutable_attach_reply()->set_adjustments(
            more(datagram.attach_reply().adjustments()));
    }
    if (datagram.has_cohort_ended()) {
        auto* totals = datagram.mutable_cohort_ended()->mutable_totals();
        totals->set_balance(more(totals->balance()));
    }
    if (datagram.has_attach())
        datagram.mutable_attach()->set_port2(1 + static_cast<uint32_t>(random_.below(60'000)));
    if (random_.one_in(8)) datagram.set_instance(datagram.instance() + 1);
}

void Attacker::say_in_clear() {
    const Packet& model = any_packet();
    wire::Datagram datagram = network_.decode(model.bytes);
    if (random_.one_in(2)) twist(datagram);
    Packet packet{model.from, model.to, ""};
    seal(datagram, packet.bytes);
    inject(std::move(packet));
}

// In the name of a sender, under his own key.
void Attacker::impersonate() {
    const Packet& model = any_packet();
    const auto key = keys_.find(model.to);
    if (key == keys_.end()) return;
    if (!sessions_.has_session(schedule_.now(), model.to, key->second)) {
        sessions_.introduce(schedule_.now(), model.to, key->second);
        return;
    }
    wire::Datagram datagram = network_.decode(model.bytes);
    if (random_.one_in(2)) twist(datagram);
    std::string packet;
    if (sessions_.seal(schedule_.now(), model.to, key->second, datagram.SerializeAsString(),
                       packet)) {
        ++tally_.attacks;
        send_packet(model.to, packet);
    }
}

void Attacker::talk_nonsense() {
    static constexpr size_t kSizes[] = {
        secure::kHeaderBytes,    secure::kInitiationBytes, secure::kResponseBytes,
        secure::kCookieBytes,    secure::kSealedOverhead,  secure::kKeyRequestBytes,
        secure::kKeyAnswerBytes, secure::kOtherModeBytes,  secure::kNoSessionBytes};
    Packet packet{{}, any_packet().to, ""};
    packet.from = random_.one_in(2)
                      ? any_packet().from
                      : Address{kNet + 2 + static_cast<uint32_t>(random_.below(1'000)), 6'667};
    const size_t type = static_cast<size_t>(random_.below(std::size(kSizes)));
    size_t size = kSizes[type];
    if (random_.one_in(4)) size = static_cast<size_t>(random_.below(1'500));
    packet.bytes.resize(size);
    for (char& byte : packet.bytes) byte = static_cast<char>(random_.below(256));
    const char header[] = {'P', 'B', static_cast<char>(random_.one_in(8) ? 1 : secure::kVersion),
                           static_cast<char>(type)};
    std::copy_n(header, std::min(size, std::size(header)), packet.bytes.begin());
    inject(std::move(packet));
}

}  // namespace p2pbank::simulator
