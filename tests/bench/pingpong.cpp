// Datagrams there and back: what the network and the switching between two processes cost.
#include <poll.h>

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

#include "tests/bench/processes.h"
#include "tests/bench/reference.h"

namespace p2pbank::bench {
namespace {

uint64_t deadline(double seconds) {
    return now_ns() + static_cast<uint64_t>(seconds * 1e9);
}

// One end that waits with Asio and calls back for each message.
template <class OnMessage>
class AsioEnd {
  public:
    AsioEnd(int fd, OnMessage on_message)
        : socket_(context_, asio::ip::udp::v4(), fd), on_message_(std::move(on_message)) {}

    void run() {
        wait();
        context_.run();
    }
    void stop() { context_.stop(); }

    void send(const Message& message) {
        socket_.send_to(asio::buffer(&message, sizeof message), from_);
    }
    void send_to(const Message& message, const sockaddr_in& to) {
        from_ = asio::ip::udp::endpoint(asio::ip::address_v4(ntohl(to.sin_addr.s_addr)),
                                        ntohs(to.sin_port));
        send(message);
    }

  private:
    void wait() {
        socket_.async_receive_from(asio::buffer(&message_, sizeof message_), from_,
                                   [this](const asio::error_code& error, size_t) {
                                       if (!error) on_message_(*this, message_);
                                       wait();
                                   });
    }

    asio::io_context context_{1};
    asio::ip::udp::socket socket_;
    asio::ip::udp::endpoint from_;
    Message message_;
    OnMessage on_message_;
};

// Waits for half a millisecond at most. (A time limit on the socket itself is rounded up to the
// ticks of the kernel.)
bool receive_soon(int fd, Message& message) {
    if (receive(fd, message, MSG_DONTWAIT)) return true;
    pollfd readable = {fd, POLLIN, 0};
    const timespec patience = {0, 500'000};
    ::ppoll(&readable, 1, &patience, nullptr);
    return receive(fd, message, MSG_DONTWAIT);
}

}  // namespace

void ping_pong_blocking(size_t window, double seconds) {
    sockaddr_in here;
    sockaddr_in there;
    const int client = open_socket(here);
    const int server = open_socket(there);
    connect_socket(client, there);
    connect_socket(server, here);
    Children children;
    children.start([&] {
        for (Message message; receive(server, message);) send(server, message);
    });
    Times times;
    times.start();
    Message message;
    for (size_t i = 0; i < window; ++i) {
        message.sent_ns = now_ns();
        send(client, message);
    }
    for (const uint64_t end = deadline(seconds); receive(client, message);) {
        const uint64_t now = now_ns();
        times.add(now - message.sent_ns);
        if (now > end) break;
        message.sent_ns = now;
        send(client, message);
    }
    times.print();
}

void ping_pong_asio(size_t window, double seconds) {
    sockaddr_in here;
    sockaddr_in there;
    const int client = open_socket(here);
    const int server = open_socket(there);
    Children children;
    children.start([&] {
        AsioEnd end(server, [](auto& self, const Message& message) { self.send(message); });
        end.run();
    });
    ::close(server);
    Times times;
    times.start();
    const uint64_t last = deadline(seconds);
    AsioEnd end(client, [&](auto& self, Message& message) {
        const uint64_t now = now_ns();
        times.add(now - message.sent_ns);
        if (now > last) return self.stop();
        message.sent_ns = now;
        self.send(message);
    });
    Message message;
    for (size_t i = 0; i < window; ++i) {
        message.sent_ns = now_ns();
        end.send_to(message, there);
    }
    end.run();
    times.print();
}

// The answer to what was sent late may be lost too, so time outs are looked at with every answer
// and whenever nothing has come for a while.
void resend_exchange(size_t window, double seconds, unsigned floor_us) {
    sockaddr_in here;
    sockaddr_in there;
    const int client = open_socket(here);
    const int server = open_socket(there);
    connect_socket(client, there);
    connect_socket(server, here);
    Children children;
    children.start([&] {
        for (Message message; receive(server, message);) send(server, message);
    });
    struct Slot {
        uint64_t first_ns = 0;
        Message message;
    };
    std::vector<Slot> slots(window);
    uint64_t next = 0;
    const auto send_next = [&](Slot& slot, uint64_t now) {
        slot.message.number = next;
        slot.first_ns = slot.message.sent_ns = now;
        next += window;  // a slot's numbers tell which slot it is
        send(client, slot.message);
    };
    Times times;
    times.start();
    const uint64_t end = deadline(seconds);
    for (size_t i = 0; i < window; ++i) {
        next = i;
        send_next(slots[i], now_ns());
    }
    uint64_t looked_ns = 0;
    for (uint64_t now = now_ns(); now < end; now = now_ns()) {
        Message answer;
        if (receive_soon(client, answer)) {
            Slot& slot = slots[answer.number % window];
            if (slot.message.number == answer.number) {
                times.add(now_ns() - slot.first_ns);
                next = answer.number + window;
                send_next(slot, now);
            }
        }
        if (now - looked_ns < 200'000) continue;
        looked_ns = now;
        for (Slot& slot : slots) {
            if (now - slot.message.sent_ns < floor_us * 1'000ull) continue;
            slot.message.sent_ns = now;
            send(client, slot.message);
        }
    }
    times.print();
}

}  // namespace p2pbank::bench
