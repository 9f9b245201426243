// The least that a program of this kind is: Asio waiting on two UDP sockets, a signal and the end
// of its input, and spdlog having said so. What a customer's memory and start are compared with.
#include <csignal>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

int main() {
    using asio::ip::udp;
    const auto logger = spdlog::stderr_logger_st("idle");
    asio::io_context context{1};
    udp::socket first(context, udp::endpoint(udp::v4(), 0));
    udp::socket second(context, udp::endpoint(udp::v4(), 0));
    for (udp::socket* socket : {&first, &second}) {
        socket->async_wait(udp::socket::wait_read, [](const asio::error_code&) {});
    }
    asio::signal_set signals(context, SIGTERM);
    signals.async_wait([&](const asio::error_code&, int) { context.stop(); });
    asio::posix::stream_descriptor input(context, STDIN_FILENO);
    input.async_wait(asio::posix::stream_descriptor::wait_read,
                     [&](const asio::error_code&) { context.stop(); });
    logger->info("ready on ports {} {}", first.local_endpoint().port(),
                 second.local_endpoint().port());
    context.run();
    return 0;
}
