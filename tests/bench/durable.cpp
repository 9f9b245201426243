// What it costs to make records durable, alone and between two processes.
#include <cerrno>
#include <fcntl.h>
#include <string>

#include "tests/bench/durable_file.h"
#include "tests/bench/processes.h"
#include "tests/bench/reference.h"

namespace p2pbank::bench {
namespace {

// Takes what has come, one at least, and makes it durable together.
void take_durably(int fd, DurableFile& file, std::vector<Message>& taken, size_t most) {
    taken.clear();
    Message message;
    if (!receive(fd, message)) return;
    do {
        taken.push_back(message);
    } while (taken.size() < most && receive(fd, message, MSG_DONTWAIT));
    file.append(taken.size());
}

void answer_durably(int fd, const std::string& folder, size_t most) {
    DurableFile file(folder, "receiver");
    for (std::vector<Message> taken;;) {
        take_durably(fd, file, taken, most);
        for (const Message& message : taken) send(fd, message);
    }
}

}  // namespace

void append_and_sync(const std::string& folder, size_t records, double seconds) {
    DurableFile file(folder, "append");
    Times times;
    times.start();
    while (times.elapsed_ns() < static_cast<uint64_t>(seconds * 1e9)) {
        const uint64_t before = now_ns();
        file.append(records);
        times.add(now_ns() - before);
    }
    times.print(records);
}

void durable_exchange(const std::string& folder, size_t window, double seconds) {
    sockaddr_in here;
    sockaddr_in there;
    const int client = open_socket(here);
    const int server = open_socket(there);
    connect_socket(client, there);
    connect_socket(server, here);
    Children children;
    children.start([&] { answer_durably(server, folder, window); });
    DurableFile file(folder, "sender");
    Times times;
    times.start();
    size_t outstanding = 0;
    while (times.elapsed_ns() < static_cast<uint64_t>(seconds * 1e9)) {
        Message message;
        message.sent_ns = now_ns();
        file.append(window - outstanding);
        for (; outstanding < window; ++outstanding) send(client, message);
        if (!receive(client, message)) die("recv");
        do {
            times.add(now_ns() - message.sent_ns);
            --outstanding;
        } while (outstanding > 0 && receive(client, message, MSG_DONTWAIT));
    }
    times.print();
}

}  // namespace p2pbank::bench
