#include "common/runtime/process.h"

#include <csignal>
#include <fcntl.h>
#include <malloc.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"

namespace p2pbank {

void prepare_process() {
    int fd = 0;
    do {
        fd = ::open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) ::close(fd);
    ::umask(0077);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a write that fails
    // The disk thread would get a heap of its own otherwise, which a thousand customers notice.
    ::mallopt(M_ARENA_MAX, 1);
}

uint64_t random_seed() {
    uint64_t seed = 0;
    random_bytes({reinterpret_cast<unsigned char*>(&seed), sizeof seed});
    return seed;
}

// Up to 256 bytes come whole.
void random_bytes(std::span<unsigned char> out) {
    P2PBANK_CHECK(out.size() <= 256);
    P2PBANK_CHECK(::getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
}

}  // namespace p2pbank
