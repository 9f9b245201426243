// The bare two-phase round: one process asks all others and waits for all answers, twice.
#include <memory>

#include "tests/bench/durable_file.h"
#include "tests/bench/processes.h"
#include "tests/bench/reference.h"

namespace p2pbank::bench {
namespace {

struct Member {
    int fd;
    sockaddr_in address;
};

std::unique_ptr<DurableFile> file_in(const std::string& folder, size_t index) {
    if (folder.empty()) return nullptr;
    return std::make_unique<DurableFile>(folder, "member-" + std::to_string(index));
}

}  // namespace

void two_phase_rounds(size_t processes, size_t rounds, const std::string& folder) {
    sockaddr_in own;
    const int fd = open_socket(own);
    std::vector<Member> members(processes - 1);
    Children children;
    for (size_t i = 0; i < members.size(); ++i) {
        Member& member = members[i];
        member.fd = open_socket(member.address);
        connect_socket(member.fd, own);
        children.start([&] {
            const auto file = file_in(folder, i);
            for (Message message; receive(member.fd, message);) {
                if (file) file->append(1);
                send(member.fd, message);
            }
        });
        ::close(member.fd);
    }
    const auto file = file_in(folder, processes);
    const auto phase = [&] {
        const Message request;
        for (const Member& member : members) {
            check(
                ::sendto(fd, &request, sizeof request, 0,
                         reinterpret_cast<const sockaddr*>(&member.address), sizeof member.address),
                "sendto");
        }
        if (file) file->append(1);
        Message answer;
        for (size_t i = 0; i < members.size(); ++i) {
            if (!receive(fd, answer)) die("recv");
        }
    };
    phase();  // everyone has started
    Times times;
    times.start();
    for (size_t round = 0; round < rounds; ++round) {
        const uint64_t before = now_ns();
        phase();
        phase();
        times.add(now_ns() - before);
    }
    times.print();
}

}  // namespace p2pbank::bench
