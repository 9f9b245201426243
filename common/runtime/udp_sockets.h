// The node's UDP sockets: many datagrams in and out with one system call. Owned by the driver; used
// on the loop's thread only. Asio waits, the system's own calls move the bytes, and never block.
#pragma once

#include <memory>
#include <netinet/in.h>
#include <span>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

#include "common/base/address.h"
#include "common/base/limits.h"
#include "common/base/result.h"

namespace p2pbank {

class UdpSockets {
  public:
    struct Received {
        Address from;
        std::string_view bytes;  // cut off at kReceiveBytes: longer than the node accepts
    };
    static constexpr size_t kReceiveBatch = 32;
    static constexpr size_t kSendBatch = 64;
    static constexpr size_t kReceiveBytes = 2'048;
    static_assert(kReceiveBytes > limits::kMaxDatagramBytes, "too long must be seen as too long");

    explicit UdpSockets(asio::io_context& context);

    // Opens one more socket on ip:port, where ip 0 is any address of this machine and port 0 one
    // that the system gives; returns the port. What can be no packet of ours is dropped by the
    // kernel (common/runtime/socket_filter.h). Errors: port-taken, io-error.
    Result<uint16_t> bind(uint16_t port, uint32_t ip);
    size_t count() const { return sockets_.size(); }
    // Where the socket listens; ip 0: at any address of this machine.
    Address bound(size_t socket) const { return bound_[socket]; }

    // Calls handler() once when the socket may have something to read.
    template <class Handler>
    void wait_readable(size_t socket, Handler handler) {
        sockets_[socket].async_wait(asio::ip::udp::socket::wait_read,
                                    [handler](const asio::error_code& error) {
                                        if (!error) handler();
                                    });
    }

    // What has arrived, kReceiveBatch datagrams at most. Valid until the next call.
    std::span<const Received> receive(size_t socket);

    // Takes the datagram into the next batch; sends the batch when it is full. What the system does
    // not take is dropped, as the network may do: dropped() counts.
    void queue(size_t socket, Address to, std::string_view datagram);
    void flush();
    uint64_t dropped() const { return dropped_; }

  private:
    void send_run(size_t socket, size_t begin, size_t end);

    asio::io_context& context_;
    std::vector<asio::ip::udp::socket> sockets_;
    std::vector<Address> bound_;

    struct Slot {
        sockaddr_in address;
        iovec piece;
        size_t socket;
    };
    std::unique_ptr<char[]> receive_bytes_;
    std::vector<Slot> receive_slots_;
    std::vector<mmsghdr> receive_headers_;
    std::vector<Received> received_;

    std::unique_ptr<char[]> send_bytes_;
    std::vector<Slot> send_slots_;
    std::vector<mmsghdr> send_headers_;
    size_t queued_ = 0;
    uint64_t dropped_ = 0;
};

// The address that this machine uses towards `peer`. Errors: bad-address.
Result<uint32_t> own_ip_towards(Address peer);

}  // namespace p2pbank
