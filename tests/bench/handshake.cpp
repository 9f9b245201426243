// What security costs one core, without a network: handshakes, sealing and opening, and refusing
// what is none. Prints one line for each figure: its name and its value.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/random.h"
#include "common/secure/cookies.h"
#include "common/secure/sessions.h"

namespace {

size_t allocations = 0;

}  // namespace

// Not inline: GCC 12 would take malloc and free for a pair that does not match.
[[gnu::noinline]] void* operator new(size_t size) {
    ++allocations;
    void* memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}

namespace p2pbank::bench {
namespace {

using namespace secure;

// Of this process: others may have the core now and then.
uint64_t cpu_ns() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kForged = 1'000;

KeyBytes seed_of(unsigned char first) {
    KeyBytes seed{};
    seed[0] = first;
    return seed;
}

// One end of a wire; what it sends waits until it is delivered.
class End final : public Sessions::Owner {
  public:
    End(unsigned char number, const Limits& limits)
        : address_{number, number}, identity_(seed_of(number)), number_(number), limits_(limits) {
        forget();
    }

    void forget() {
        sessions = std::make_unique<Sessions>(identity_, seed_of(number_), *this, limits_);
    }
    Address address() const { return address_; }
    const KeyBytes& key() const { return identity_.keys().channel; }

    void send_packet(Address, std::string_view packet) override { sent_.assign(packet); }
    void deliver_to(TimePoint now, End& other) {
        other.sessions->open(now, address_, std::exchange(sent_, {}));
    }
    bool accepts(const KeyBytes&) override { return true; }
    void log_key(uint32_t, const KeyBytes&) override {}

    std::unique_ptr<Sessions> sessions;

  private:
    Address address_;
    Identity identity_;
    unsigned char number_;
    Limits limits_;
    std::string sent_;
};

// All of a handshake: initiation, response, confirmation.
void shake_hands(TimePoint now, End& left, End& right) {
    left.sessions->introduce(now, right.address(), right.key());
    left.deliver_to(now, right);
    right.deliver_to(now, left);
    left.deliver_to(now, right);
    P2PBANK_CHECK(left.sessions->has_session(now, right.address(), right.key()));
    P2PBANK_CHECK(right.sessions->has_session(now, left.address(), left.key()));
}

void print(const char* name, double value) {
    std::printf("%s %.2f\n", name, value);
}

// How many in a second, if `once` does `each` of them.
template <class Once>
double per_second(size_t each, Once once) {
    uint64_t count = 0;
    const uint64_t start = cpu_ns();
    uint64_t now = start;
    while (now - start < kSecond) {
        once();
        count += each;
        now = cpu_ns();
    }
    return static_cast<double>(count) * kSecond / static_cast<double>(now - start);
}

// The work of both sides, in the middle of many. `known`: they have met before, as when keys are
// made new. Otherwise both are started again before, which is not counted.
double handshake_us(bool known) {
    Limits limits;
    limits.handshakes_per_second = UINT32_MAX;
    End left(1, limits);
    End right(2, limits);
    TimePoint now;
    std::vector<uint64_t> times;
    for (uint64_t spent = 0; spent < kSecond; spent += times.back()) {
        if (!known) {
            left.forget();
            right.forget();
        }
        now += kRejectAfter;
        const uint64_t start = cpu_ns();
        shake_hands(now, left, right);
        times.push_back(cpu_ns() - start);
    }
    std::sort(times.begin(), times.end());
    return static_cast<double>(times[times.size() / 2]) / 1e3;
}

void seal_and_open(size_t size) {
    End left(1, {});
    End right(2, {});
    shake_hands(TimePoint(), left, right);
    const std::string plain(size, 'x');
    std::string packet;
    const auto once = [&] {
        for (int i = 0; i < 100; ++i) {
            const bool sealed =
                left.sessions->seal(TimePoint(), right.address(), right.key(), plain, packet);
            P2PBANK_CHECK(sealed);
            const auto opened = right.sessions->open(TimePoint(), left.address(), packet);
            P2PBANK_CHECK(opened.message);
        }
    };
    once();
    const size_t before = allocations;
    once();
    P2PBANK_CHECK(allocations == before);
    const double rate = per_second(100, once);
    const std::string name = "seal_and_open_" + std::to_string(size);
    print((name + "_per_second").c_str(), rate);
    print((name + "_us").c_str(), 1e6 / rate);
}

// Packets that come to nothing, from another port each or from the one of a session. What they are
// answered with goes nowhere.
void garbage(const char* name, std::vector<std::string> packets, bool of_session = false) {
    End left(1, {});
    End right(2, {});
    shake_hands(TimePoint(), left, right);
    std::string genuine;
    left.sessions->seal(TimePoint(), right.address(), right.key(), {}, genuine);
    for (std::string& packet : packets) {
        if (of_session) packet.replace(0, kSealedHeaderBytes, genuine, 0, kSealedHeaderBytes);
    }
    size_t next = 0;
    TimePoint now;
    Address from = left.address();
    print(name, per_second(100, [&] {
              for (int i = 0; i < 100; ++i) {
                  if (!of_session) ++from.port;
                  const auto opened =
                      right.sessions->open(now, from, packets[++next % packets.size()]);
                  P2PBANK_CHECK(!opened.message && !opened.introduced);
              }
              now += microseconds(100);
          }));
}

std::vector<std::string> forged(PacketType type, size_t size, bool with_mac) {
    Random random(1);
    std::vector<std::string> packets;
    const KeyBytes receiver = Identity(seed_of(2)).keys().channel;
    for (size_t i = 0; i < kForged; ++i) {
        std::string packet{'P', 'B', static_cast<char>(kVersion), static_cast<char>(type)};
        while (packet.size() < size - (with_mac ? kMacsBytes : 0)) {
            packet += static_cast<char>(random.below(256));
        }
        if (with_mac) add_macs(packet, receiver, std::nullopt);
        packets.push_back(std::move(packet));
    }
    return packets;
}

}  // namespace
}  // namespace p2pbank::bench

int main() {
    using namespace p2pbank::bench;
    using p2pbank::secure::PacketType;
    const double first = handshake_us(false);
    const double again = handshake_us(true);
    print("handshake_us", first);
    print("handshakes_per_second", 1e6 / first);
    print("handshake_again_us", again);
    print("handshakes_again_per_second", 1e6 / again);
    for (const size_t size : {size_t(64), size_t(256), size_t(1'200)}) seal_and_open(size);
    garbage("garbage_sealed_per_second", forged(PacketType::sealed, 300, false));
    garbage("garbage_of_a_session_per_second", forged(PacketType::sealed, 300, false), true);
    garbage("garbage_initiations_per_second",
            forged(PacketType::initiation, p2pbank::secure::kInitiationBytes, false));
    // With the right mac1: each is answered with a cookie.
    garbage("garbage_with_mac_per_second",
            forged(PacketType::initiation, p2pbank::secure::kInitiationBytes, true));
    return 0;
}
