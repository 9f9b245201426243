// Two parties with keys, and somebody between them who loses, repeats, changes, joins and makes up
// packets, while time passes and programs are started again. Whatever he does: what is opened was
// sealed by the other side and is opened once, nobody answers with more bytes than came, and memory
// is bounded.
#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <set>
#include <string>

#include "common/base/check.h"
#include "common/secure/cookies.h"
#include "common/secure/sessions.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace p2pbank::fuzz {
namespace {

using namespace secure;

constexpr size_t kMaxSteps = 400;
constexpr size_t kRemembered = 256;

struct Packet {
    size_t to = 0;
    std::string bytes;
};

class Pair {
  public:
    explicit Pair(Input& in) : in_(in) {
        for (size_t i = 0; i < sides_.size(); ++i) {
            sides_[i] = std::make_unique<Side>(*this, i);
            restart(i);
        }
    }

    void step() {
        const size_t side = in_.below(2);
        switch (in_.below(12)) {
            case 0:
                sides_[side]->sessions->introduce(now_, address_of(1 - side), key_of(1 - side));
                break;
            case 1:
            case 2:
                talk(side);
                break;
            case 3:
            case 4:
                deliver();
                break;
            case 5:
                if (!wire_.empty()) wire_.pop_front();
                break;
            case 6:
                receive(any_packet().to, any_address(), any_packet().bytes);
                break;
            case 7:
                receive(side, any_address(), changed());
                break;
            case 8:
                receive(side, any_address(), made_up(side));
                break;
            case 9:
                now_ += microseconds(in_.number() % 400'000'000);
                break;
            case 10:
                restart(side);
                break;
            default:
                sides_[side]->refuses = !sides_[side]->refuses;
                sides_[side]->sessions->forget_refused();
        }
        for (const auto& one : sides_) {
            P2PBANK_CHECK(one->sessions->unconfirmed() <= 2 * kLimits.max_unconfirmed);
            P2PBANK_CHECK(one->sessions->confirmed() <= kLimits.max_confirmed);
        }
    }

    // Left to themselves, the two find each other.
    void come_to_rest() {
        wire_.clear();
        for (const auto& side : sides_) side->refuses = false;
        for (int i = 0; i < 1'000; ++i) {
            if (sides_[0]->sessions->has_session(now_, address_of(1), key_of(1))) {
                const size_t before = sides_[1]->opened.size();
                talk(0);
                while (!wire_.empty()) deliver();
                if (sides_[1]->opened.size() > before) return;
            } else {
                sides_[0]->sessions->introduce(now_, address_of(1), key_of(1));
                while (!wire_.empty()) deliver();
            }
            now_ += milliseconds(50);
        }
        P2PBANK_CHECK(false);
    }

  private:
    static constexpr Limits kLimits{.rekey_after_packets = 20,
                                    .reject_after_packets = 40,
                                    .handshakes_per_second = 10,
                                    .max_unconfirmed = 4,
                                    .max_confirmed = 6};

    struct Side final : Sessions::Owner {
        Side(Pair& to_pair, size_t to_number)
            : pair(to_pair), number(to_number), identity(seed_of(to_number + 1)) {}
        void send_packet(Address to, std::string_view packet) override {
            bytes_sent += packet.size();
            pair.sent(number, to, packet);
        }
        bool accepts(const KeyBytes& key) override { return !refuses && key != KeyBytes(); }
        void log_key(uint32_t, const KeyBytes&) override {}

        Pair& pair;
        size_t number;
        Identity identity;
        std::unique_ptr<Sessions> sessions;
        bool refuses = false;
        size_t bytes_sent = 0;
        std::set<std::string> sealed;  // texts, each once
        std::set<std::string> opened;
    };

    static KeyBytes seed_of(size_t number) {
        KeyBytes seed{};
        seed[0] = static_cast<unsigned char>(number);
        seed[1] = static_cast<unsigned char>(number >> 8);
        return seed;
    }
    static Address address_of(size_t side) { return {static_cast<uint32_t>(side + 1), 8'000}; }
    const KeyBytes& key_of(size_t side) const { return sides_[side]->identity.keys().channel; }
    Address any_address() {
        const size_t which = in_.below(4);
        return which < 2 ? address_of(which) : Address{7, static_cast<uint16_t>(which)};
    }

    void restart(size_t side) {
        sides_[side]->sessions = std::make_unique<Sessions>(
            sides_[side]->identity, seed_of(1'000 + ++runs_), *sides_[side], kLimits);
    }
    void sent(size_t from, Address to, std::string_view bytes) {
        if (to == address_of(1 - from)) wire_.push_back({1 - from, std::string(bytes)});
        seen_.push_back({1 - from, std::string(bytes)});
        if (seen_.size() > kRemembered) seen_.pop_front();
    }
    void talk(size_t side) {
        const std::string text = std::to_string(side) + ": " + std::to_string(++texts_);
        std::string packet;
        Side& from = *sides_[side];
        if (!from.sessions->seal(now_, address_of(1 - side), key_of(1 - side), text, packet))
            return;
        from.sealed.insert(text);
        sent(side, address_of(1 - side), packet);
    }
    void deliver() {
        if (wire_.empty()) return;
        const Packet packet = std::move(wire_.front());
        wire_.pop_front();
        receive(packet.to, address_of(1 - packet.to), packet.bytes);
    }
    void receive(size_t side, Address from, const std::string& bytes) {
        Side& to = *sides_[side];
        const size_t before = to.bytes_sent;
        const Sessions::Opened opened = to.sessions->open(now_, from, bytes);
        const bool may_begin = type_of(bytes) == static_cast<unsigned char>(PacketType::no_session);
        P2PBANK_CHECK(to.bytes_sent - before <= (may_begin ? kInitiationBytes : bytes.size()));
        if (opened.introduced || opened.message) {
            // From whatever address: he may pass on a whole handshake, as a router does.
            P2PBANK_CHECK(opened.who == key_of(1 - side));
            P2PBANK_CHECK(!to.refuses);
        }
        if (!opened.message) return;
        const std::string text(to.sessions->plain());
        P2PBANK_CHECK(sides_[1 - side]->sealed.contains(text));
        P2PBANK_CHECK(to.opened.insert(text).second);
    }
    const Packet& any_packet() {
        static const Packet kNone;
        return seen_.empty() ? kNone : seen_[in_.byte() % seen_.size()];
    }
    std::string changed() {
        std::string bytes = any_packet().bytes;
        for (size_t changes = in_.below(4); changes > 0 && !bytes.empty(); --changes) {
            bytes[in_.byte() % bytes.size()] = static_cast<char>(in_.byte());
        }
        if (in_.below(4) == 0) bytes.resize(in_.byte());
        if (in_.below(4) == 0) {
            const std::string& tail = any_packet().bytes;
            bytes += tail.substr(std::min(bytes.size(), tail.size()));
        }
        return bytes;
    }
    // Any bytes; often with a header, the index of another packet, and macs that are right.
    std::string made_up(size_t receiver) {
        std::string bytes(in_.piece());
        const bool has_header = in_.below(4) != 0;
        const size_t type = in_.below(10);
        if (!has_header) return bytes;
        bytes = std::string{'P', 'B', static_cast<char>(kVersion), static_cast<char>(type)} + bytes;
        const std::string& other = any_packet().bytes;
        if (in_.coin() && other.size() >= 8 && bytes.size() >= 8) bytes.replace(4, 4, other, 4, 4);
        if (in_.coin() && other.size() >= 12 && bytes.size() >= 12)
            bytes.replace(8, 4, other, 4, 4);
        const size_t size = type == 1 ? kInitiationBytes : type == 2 ? kResponseBytes : 0;
        if (size != 0 && in_.coin()) {
            bytes.resize(size - kMacsBytes);
            add_macs(bytes, key_of(receiver), std::nullopt);
        }
        return bytes;
    }

    Input& in_;
    std::array<std::unique_ptr<Side>, 2> sides_;
    TimePoint now_{};
    size_t runs_ = 0;
    size_t texts_ = 0;
    std::deque<Packet> wire_;
    std::deque<Packet> seen_;
};

}  // namespace

void handshake(std::string_view input) {
    Input in(input);
    Pair pair(in);
    for (size_t steps = 0; !in.empty() && steps < kMaxSteps; ++steps) pair.step();
    pair.come_to_rest();
}

}  // namespace p2pbank::fuzz
