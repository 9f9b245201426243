// What the driver records for whoever asked to watch, and what the kernel keeps from it.
#include <arpa/inet.h>
#include <chrono>
#include <cstring>
#include <fstream>
#include <netinet/in.h>
#include <set>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/runtime/driver.h"
#include "common/runtime/fd.h"
#include "common/runtime/pcap_writer.h"
#include "common/runtime/socket_filter.h"
#include "common/secure/key_log.h"
#include "common/secure/packets.h"
#include "common/secure/sessions.h"
#include "tests/unit/temporary_folder.h"

using namespace p2pbank;

namespace {

constexpr Address kAlice{0x0a000001, 9001};
constexpr Address kBob{0x0a000002, 9002};

std::string read_file(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

unsigned byte_at(const std::string& bytes, size_t at) {
    return static_cast<unsigned char>(bytes.at(at));
}
unsigned two_at(const std::string& bytes, size_t at) {
    return byte_at(bytes, at) << 8U | byte_at(bytes, at + 1);
}
uint32_t own_order_at(const std::string& bytes, size_t at) {
    uint32_t number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    return number;
}

// Sends itself one packet for each line that is typed; that answers the line.
class Echo final : public Node {
  public:
    Address own;

    Result<void> replay(std::string_view) override { return {}; }
    void start(TimePoint, Effects&) override {}
    void on_datagram(TimePoint, Socket, Address, std::string_view, Effects& effects) override {
        effects.answer(waiting_, success("echo"));
    }
    void on_command(TimePoint, CommandId id, std::string_view, Effects& effects) override {
        waiting_ = id;
        effects.log_key(0x1f2e3d4c, KeyBytes{0xab});
        effects.send(Socket::bank, own, secure::other_mode());
    }
    void on_timer(TimePoint, Effects&) override {}
    void end_of_turn(TimePoint, Effects&) override {}
    std::optional<TimePoint> next_wake() const override { return std::nullopt; }
    bool wants_commands() const override { return true; }
    void snapshot(const std::function<void(std::string)>&) const override {}
    std::vector<std::string> complete(std::string_view) const override { return {}; }

  private:
    CommandId waiting_;
};

// One line for an Echo; the driver's exit status.
int run_echo(DriverOptions options, const std::string& folder) {
    std::ofstream(folder + "/in") << "echo\n";
    const Fd in(::open((folder + "/in").c_str(), O_RDONLY | O_CLOEXEC));
    const Fd out(::open((folder + "/out").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    Log log("test", "off");
    LineReader input(in.get());
    options.output = out.get();
    Driver driver(std::move(options), input, log);
    const auto bound = driver.bind(0);
    REQUIRE(bound);
    Echo node;
    node.own = {0x7f000001, bound.value()};
    return driver.run(node, nullptr, "ready");
}

// Whether a socket with the filter gets this datagram; behind each goes one that passes.
class Filtered {
  public:
    Filtered() {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(0x7f000001);
        socklen_t length = sizeof address;
        REQUIRE(attach_filter(receiver_.get()));
        const auto* plain = reinterpret_cast<const sockaddr*>(&address);
        REQUIRE(::bind(receiver_.get(), plain, length) == 0);
        REQUIRE(::getsockname(receiver_.get(), reinterpret_cast<sockaddr*>(&address), &length) ==
                0);
        REQUIRE(::connect(sender_.get(), plain, length) == 0);
    }
    bool passes(const std::string& datagram) {
        const std::string marker = secure::other_mode();
        for (const std::string& one : {datagram, marker}) {
            REQUIRE(::send(sender_.get(), one.data(), one.size(), 0) ==
                    static_cast<ssize_t>(one.size()));
        }
        const std::string first = receive();
        if (first != datagram) {
            CHECK(first == marker);
            return false;
        }
        CHECK(receive() == marker);
        return true;
    }

  private:
    std::string receive() {
        std::string bytes(70'000, '\0');
        const ssize_t n = ::recv(receiver_.get(), bytes.data(), bytes.size(), 0);
        REQUIRE(n >= 0);
        bytes.resize(static_cast<size_t>(n));
        return bytes;
    }
    Fd receiver_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    Fd sender_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

std::string packet(unsigned version, unsigned type, size_t bytes) {
    std::string out(bytes, 'x');
    const char header[4] = {'P', 'B', static_cast<char>(version), static_cast<char>(type)};
    for (size_t i = 0; i < std::min<size_t>(bytes, 4); ++i) out[i] = header[i];
    return out;
}

}  // namespace

TEST_CASE("recording: packets as the pcap format and IPv4 have them") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/a.pcap";
    {
        auto pcap = PcapWriter::open(path);
        REQUIRE(pcap);
        pcap.value().write(1'700'000'000'123'456, kAlice, kBob, "hello");
        REQUIRE(pcap.value().flush());
    }
    CHECK(mode_of(path) == 0600U);
    const std::string bytes = read_file(path);
    REQUIRE(bytes.size() == 24 + 16 + 28 + 5);
    CHECK(own_order_at(bytes, 0) == 0xa1b2c3d4U);
    CHECK(own_order_at(bytes, 20) == 101U);
    CHECK(own_order_at(bytes, 24) == 1'700'000'000U);
    CHECK(own_order_at(bytes, 28) == 123'456U);
    CHECK(own_order_at(bytes, 32) == 33U);
    CHECK(own_order_at(bytes, 36) == 33U);
    const std::string ip = bytes.substr(40);
    CHECK(byte_at(ip, 0) == 0x45U);
    CHECK(two_at(ip, 2) == 33U);
    CHECK(byte_at(ip, 9) == 17U);
    CHECK(ip.substr(12, 8) == std::string("\x0a\0\0\x01\x0a\0\0\x02", 8));
    uint32_t sum = 0;
    for (size_t i = 0; i < 20; i += 2) sum += two_at(ip, i);
    CHECK((sum & 0xffffU) + (sum >> 16U) == 0xffffU);
    CHECK(two_at(ip, 20) == 9001U);
    CHECK(two_at(ip, 22) == 9002U);
    CHECK(two_at(ip, 24) == 13U);
    CHECK(ip.substr(28) == "hello");
}

TEST_CASE("recording: goes on behind the last whole packet, and leaves other files alone") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/a.pcap";
    const auto add = [&] {
        auto pcap = PcapWriter::open(path);
        REQUIRE(pcap);
        pcap.value().write(1, kAlice, kBob, "hello");
        REQUIRE(pcap.value().flush());
    };
    add();
    const std::string once = read_file(path);
    const size_t one = once.size() - 24;
    for (const size_t torn : {size_t(0), size_t(3), size_t(16), one - 1}) {
        CAPTURE(torn);
        std::ofstream(path, std::ios::binary) << once << once.substr(24, torn);
        add();
        CHECK(read_file(path) == once + once.substr(24));
    }
    std::ofstream(path) << "something else that somebody needs";
    CHECK(PcapWriter::open(path).error().code == "io-error");
    CHECK(read_file(path) == "something else that somebody needs");
}

TEST_CASE("driver: records datagrams and keys where it is told to, for its owner alone") {
    const TemporaryFolder folder;
    DriverOptions options;
    options.pcap = folder.path + "/a.pcap";
    options.key_log = folder.path + "/keys";
    CHECK(run_echo(std::move(options), folder.path) == 0);
    // The packet that went out, and the same that came in.
    CHECK(read_file(folder.path + "/a.pcap").size() == 24 + 2 * (16 + 28 + 4));
    CHECK(mode_of(folder.path + "/keys") == 0600U);
    CHECK(read_file(folder.path + "/keys") ==
          secure::key_log_line(0x1f2e3d4c, KeyBytes{0xab}) + "\n");
}

TEST_CASE("driver: does not write keys where others read them") {
    const TemporaryFolder folder;
    for (std::string DriverOptions::*file : {&DriverOptions::key_log, &DriverOptions::pcap}) {
        const std::string path = folder.path + "/there";
        std::ofstream(path) << "";
        REQUIRE(::chmod(path.c_str(), 0644) == 0);
        DriverOptions options;
        options.*file = path;
        CHECK(run_echo(std::move(options), folder.path) == 2);
    }
}

TEST_CASE("driver: adds to its own kinds of files only") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/there";
    const auto runs = [&](std::string DriverOptions::*file, const std::string& name) {
        DriverOptions options;
        options.*file = name;
        return run_echo(std::move(options), folder.path) == 0;
    };
    for (std::string DriverOptions::*file :
         {&DriverOptions::key_log, &DriverOptions::pcap, &DriverOptions::trace_file}) {
        std::ofstream(path) << "name,balance,ip_address\n";
        REQUIRE(::chmod(path.c_str(), 0600) == 0);
        CHECK_FALSE(runs(file, path));
        CHECK(read_file(path) == "name,balance,ip_address\n");
        REQUIRE(::unlink(path.c_str()) == 0);
        CHECK(runs(file, path));  // makes it
        if (file == &DriverOptions::trace_file) std::ofstream(path) << "{\"time_us\":1}\n";
        const std::string once = read_file(path);
        CHECK_FALSE(once.empty());
        CHECK(runs(file, path));  // and goes on with it
        CHECK(read_file(path).starts_with(once));
        REQUIRE(::unlink(path.c_str()) == 0);
        CHECK_FALSE(runs(file, folder.path));
    }
    for (std::string DriverOptions::*file : {&DriverOptions::key_log, &DriverOptions::pcap}) {
        CHECK_FALSE(runs(file, "/dev/null"));
    }
}

TEST_CASE("driver: in clear its sockets are on loopback only") {
    const auto leaves_others = [](bool insecure) {
        Log log("test", "off");
        LineReader input(STDIN_FILENO);
        DriverOptions options;
        options.insecure = insecure;
        Driver driver(std::move(options), input, log);
        const auto port = driver.bind(0);
        REQUIRE(port);
        // A second socket on the same port gets another address only if not all are taken.
        const Fd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port.value());
        address.sin_addr.s_addr = htonl(0x7f000002);
        return ::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
               0;
    };
    CHECK(leaves_others(true));
    CHECK_FALSE(leaves_others(false));
}

TEST_CASE("filter: only what may be a packet reaches the program") {
    Filtered socket;
    using namespace secure;
    const size_t sizes[] = {0,
                            kInitiationBytes,
                            kResponseBytes,
                            kCookieBytes,
                            0,
                            kKeyRequestBytes,
                            kKeyAnswerBytes,
                            kOtherModeBytes,
                            kNoSessionBytes};  // of each type
    std::set<size_t> lengths = {31, 32, 33, 1'200, 1'201};
    for (const size_t size : sizes) {
        if (size > 0) lengths.insert({size, size + 1});
        if (size > 4) lengths.insert(size - 1);
    }
    for (unsigned type = 0; type < 12; ++type) {
        for (const size_t bytes : lengths) {
            CAPTURE(type);
            CAPTURE(bytes);
            const bool right = type == 4 ? bytes >= 32 && bytes <= 1'200
                                         : type >= 1 && type <= 8 && bytes == sizes[type];
            CHECK(socket.passes(packet(2, type, bytes)) == right);
        }
    }
    CHECK(socket.passes(packet(1, 0, 8)));
    CHECK(socket.passes(packet(1, 0, 1'200)));
    CHECK_FALSE(socket.passes(packet(1, 0, 7)));
    CHECK_FALSE(socket.passes(packet(1, 0, 1'201)));
    CHECK_FALSE(socket.passes(packet(0, 4, 100)));
    CHECK_FALSE(socket.passes(packet(3, 4, 100)));
    for (const std::string garbage : {"", "P", "PB", "PB\2", "PA\2\4", "XB\2\4"}) {
        CAPTURE(garbage);
        CHECK_FALSE(socket.passes(garbage));
        CHECK_FALSE(socket.passes(garbage + std::string(100, 'x')));
    }
    CHECK_FALSE(socket.passes(std::string(60'000, 'x')));
}
