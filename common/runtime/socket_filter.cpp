#include "common/runtime/socket_filter.h"

#include <cstdint>
#include <linux/filter.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "common/base/limits.h"
#include "common/secure/packets.h"

namespace p2pbank {
namespace {

// The program of a UDP socket sees the UDP header, then the datagram.
constexpr uint32_t kUdpBytes = 8;
constexpr uint32_t kMagic = 'P' << 8 | 'B';
constexpr uint32_t kClearVersion = 1;
constexpr uint32_t kClearHeaderBytes = 8;  // common/wire/envelope.h
constexpr uint32_t kEverything = UINT32_MAX;

constexpr uint32_t number(secure::PacketType type) {
    return static_cast<uint32_t>(type);
}

// Classic BPF: one accumulator, jumps forward only, and the value returned is how many bytes pass.
class Program {
  public:
    void load_length() { add(BPF_LD | BPF_W | BPF_LEN, 0); }
    void load_byte(uint32_t at) { add(BPF_LD | BPF_B | BPF_ABS, kUdpBytes + at); }
    void load_two_bytes(uint32_t at) { add(BPF_LD | BPF_H | BPF_ABS, kUdpBytes + at); }
    void drop() { add(BPF_RET | BPF_K, 0); }
    void pass() { add(BPF_RET | BPF_K, kEverything); }
    void drop_unless(uint16_t comparison, uint32_t value) {
        jump(comparison, value, 1, 0);
        drop();
    }
    void drop_longer_than(size_t datagram) {
        jump(BPF_JGT, kUdpBytes + static_cast<uint32_t>(datagram), 0, 1);
        drop();
    }
    // Decides, if the accumulator holds `value`: passes datagrams of the right length.
    void when(uint32_t value, uint16_t comparison, size_t datagram) {
        jump(BPF_JEQ, value, 0, 4);
        load_length();
        drop_unless(comparison, kUdpBytes + static_cast<uint32_t>(datagram));
        pass();
    }

    bool attach(int socket) {
        const sock_fprog program = {static_cast<unsigned short>(code_.size()), code_.data()};
        return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
    }

  private:
    void add(uint16_t operation, uint32_t value) { code_.push_back({operation, 0, 0, value}); }
    // Skips so many instructions.
    void jump(uint16_t comparison, uint32_t value, uint8_t if_true, uint8_t if_false) {
        const auto operation = static_cast<uint16_t>(BPF_JMP | comparison | BPF_K);
        code_.push_back({operation, if_true, if_false, value});
    }
    std::vector<sock_filter> code_;
};

}  // namespace

bool attach_filter(int socket) {
    using secure::PacketType;
    Program program;
    program.load_length();
    program.drop_longer_than(limits::kMaxDatagramBytes);
    program.drop_unless(BPF_JGE, kUdpBytes + secure::kHeaderBytes);
    program.load_two_bytes(0);
    program.drop_unless(BPF_JEQ, kMagic);
    program.load_byte(2);
    program.when(kClearVersion, BPF_JGE, kClearHeaderBytes);
    program.drop_unless(BPF_JEQ, secure::kVersion);
    program.load_byte(3);
    program.when(number(PacketType::sealed), BPF_JGE, secure::kSealedOverhead);
    const std::pair<PacketType, size_t> fixed[] = {
        {PacketType::initiation, secure::kInitiationBytes},
        {PacketType::response, secure::kResponseBytes},
        {PacketType::cookie, secure::kCookieBytes},
        {PacketType::key_request, secure::kKeyRequestBytes},
        {PacketType::key_answer, secure::kKeyAnswerBytes},
        {PacketType::other_mode, secure::kOtherModeBytes},
        {PacketType::no_session, secure::kNoSessionBytes}};
    for (const auto& [type, bytes] : fixed) program.when(number(type), BPF_JEQ, bytes);
    program.drop();
    return program.attach(socket);
}

}  // namespace p2pbank
