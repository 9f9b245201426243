#include "common/runtime/udp_sockets.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/base/check.h"
#include "common/runtime/fd.h"
#include "common/runtime/socket_filter.h"

namespace p2pbank {
namespace {

constexpr int kSocketBufferBytes = 4 * 1'024 * 1'024;

// The system allows more than its usual most to whoever may administer the network.
void enlarge(int fd, int forced, int usual) {
    const int bytes = kSocketBufferBytes;
    if (::setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0) {
        ::setsockopt(fd, SOL_SOCKET, usual, &bytes, sizeof bytes);
    }
}

sockaddr_in to_system(Address address) {
    sockaddr_in out = {};
    out.sin_family = AF_INET;
    out.sin_port = htons(address.port);
    out.sin_addr.s_addr = htonl(address.ip);
    return out;
}

}  // namespace

UdpSockets::UdpSockets(asio::io_context& context)
    : context_(context),
      // Left uninitialized: memory that is never touched costs nothing.
      receive_bytes_(std::make_unique_for_overwrite<char[]>(kReceiveBatch * kReceiveBytes)),
      receive_slots_(kReceiveBatch),
      receive_headers_(kReceiveBatch),
      received_(kReceiveBatch),
      send_bytes_(std::make_unique_for_overwrite<char[]>(kSendBatch * limits::kMaxDatagramBytes)),
      send_slots_(kSendBatch),
      send_headers_(kSendBatch) {
    const auto connect = [](std::vector<Slot>& slots, std::vector<mmsghdr>& headers, char* bytes,
                            size_t stride) {
        for (size_t i = 0; i < slots.size(); ++i) {
            slots[i].piece = {bytes + i * stride, stride};
            headers[i].msg_hdr.msg_iov = &slots[i].piece;
            headers[i].msg_hdr.msg_iovlen = 1;
            headers[i].msg_hdr.msg_name = &slots[i].address;
            headers[i].msg_hdr.msg_namelen = sizeof slots[i].address;
        }
    };
    connect(receive_slots_, receive_headers_, receive_bytes_.get(), kReceiveBytes);
    connect(send_slots_, send_headers_, send_bytes_.get(), limits::kMaxDatagramBytes);
}

Result<uint16_t> UdpSockets::bind(uint16_t port, uint32_t ip) {
    asio::ip::udp::socket socket(context_);
    asio::error_code error;
    socket.open(asio::ip::udp::v4(), error);
    if (error) return Error{"io-error", "cannot make a UDP socket: " + error.message()};
    enlarge(socket.native_handle(), SO_RCVBUFFORCE, SO_RCVBUF);
    enlarge(socket.native_handle(), SO_SNDBUFFORCE, SO_SNDBUF);
    // First the filter: what arrives before it is there would not have passed it.
    attach_filter(socket.native_handle());
    const asio::ip::address_v4 address(ip);
    socket.bind(asio::ip::udp::endpoint(address, port), error);
    if (error == std::errc::address_not_available && !address.is_loopback()) {
        // An address of a router in front of this machine: datagrams for it come in at any.
        socket.bind(asio::ip::udp::endpoint(asio::ip::udp::v4(), port), error);
    }
    if (error == asio::error::address_in_use) {
        return Error{"port-taken", "port " + std::to_string(port) +
                                       " is taken by another program: choose another one"};
    }
    if (error) {
        return Error{"io-error",
                     "cannot listen on port " + std::to_string(port) + ": " + error.message()};
    }
    const asio::ip::udp::endpoint bound = socket.local_endpoint(error);
    sockets_.push_back(std::move(socket));
    bound_.push_back({bound.address().to_v4().to_uint(), bound.port()});
    return bound.port();
}

std::span<const UdpSockets::Received> UdpSockets::receive(size_t socket) {
    const int fd = sockets_[socket].native_handle();
    const int n = ::recvmmsg(fd, receive_headers_.data(), kReceiveBatch, MSG_DONTWAIT, nullptr);
    const size_t count = n > 0 ? static_cast<size_t>(n) : 0;
    for (size_t i = 0; i < count; ++i) {
        const Slot& slot = receive_slots_[i];
        received_[i].from = {ntohl(slot.address.sin_addr.s_addr), ntohs(slot.address.sin_port)};
        received_[i].bytes = {static_cast<const char*>(slot.piece.iov_base),
                              receive_headers_[i].msg_len};
        receive_headers_[i].msg_hdr.msg_namelen = sizeof slot.address;
    }
    return {received_.data(), count};
}

void UdpSockets::queue(size_t socket, Address to, std::string_view datagram) {
    P2PBANK_CHECK(datagram.size() <= limits::kMaxDatagramBytes && socket < sockets_.size());
    Slot& slot = send_slots_[queued_];
    slot.socket = socket;
    slot.address = to_system(to);
    slot.piece.iov_len = datagram.size();
    std::memcpy(slot.piece.iov_base, datagram.data(), datagram.size());
    if (++queued_ == kSendBatch) flush();
}

void UdpSockets::flush() {
    size_t begin = 0;
    while (begin < queued_) {
        size_t end = begin + 1;
        while (end < queued_ && send_slots_[end].socket == send_slots_[begin].socket) ++end;
        send_run(send_slots_[begin].socket, begin, end);
        begin = end;
    }
    queued_ = 0;
}

void UdpSockets::send_run(size_t socket, size_t begin, size_t end) {
    const int fd = sockets_[socket].native_handle();
    while (begin < end) {
        const int n =
            ::sendmmsg(fd, &send_headers_[begin], static_cast<unsigned>(end - begin), MSG_DONTWAIT);
        if (n > 0) {
            begin += static_cast<size_t>(n);
        } else if (errno != EINTR) {
            // A full buffer stays full for the rest; another error is this datagram's own.
            const size_t lost = errno == EAGAIN || errno == ENOBUFS ? end - begin : 1;
            dropped_ += lost;
            begin += lost;
        }
    }
}

Result<uint32_t> own_ip_towards(Address peer) {
    const auto failed = [&] {
        return Error{"bad-address", "there is no way from here to " + to_string(peer) + ": " +
                                        std::generic_category().message(errno) +
                                        ". Give this machine's address with --ip"};
    };
    const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = to_system(peer);
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        return failed();
    }
    sockaddr_in own = {};
    socklen_t length = sizeof own;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0) return failed();
    return ntohl(own.sin_addr.s_addr);
}

}  // namespace p2pbank
