// Child processes and loopback sockets for the references.
#pragma once

#include <arpa/inet.h>
#include <csignal>
#include <functional>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "tests/bench/measure.h"

namespace p2pbank::bench {

// Processes that run until they are killed, at the latest with their parent.
class Children {
  public:
    Children() = default;
    Children(const Children&) = delete;
    Children& operator=(const Children&) = delete;
    ~Children() {
        for (const pid_t child : children_) ::kill(child, SIGKILL);
        for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
    }

    void start(const std::function<void()>& work) {
        std::fflush(stdout);
        const pid_t child = check(::fork(), "fork");
        if (child != 0) {
            children_.push_back(child);
            return;
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        work();
        std::_Exit(0);
    }

  private:
    std::vector<pid_t> children_;
};

// A UDP socket on a loopback port that the system gives.
inline int open_socket(sockaddr_in& address) {
    const int fd = check(::socket(AF_INET, SOCK_DGRAM, 0), "socket");
    const int bytes = 4 * 1'024 * 1'024;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    socklen_t length = sizeof address;
    check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    return fd;
}

inline void connect_socket(int fd, const sockaddr_in& to) {
    check(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
}

// A request or an answer: the first bytes say which one it is.
struct Message {
    uint64_t number = 0;
    uint64_t sent_ns = 0;
    char rest[kMessageBytes - 2 * sizeof(uint64_t)] = {};
};
static_assert(sizeof(Message) == kMessageBytes);

inline bool receive(int fd, Message& message, int flags = 0) {
    return ::recv(fd, &message, sizeof message, flags) == static_cast<ssize_t>(sizeof message);
}

inline void send(int fd, const Message& message) {
    if (::send(fd, &message, sizeof message, 0) < 0 && errno != ECONNREFUSED) die("send");
}

}  // namespace p2pbank::bench
