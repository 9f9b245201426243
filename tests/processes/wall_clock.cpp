// Loaded into a real program before libc (LD_PRELOAD): its wall clock, and nothing else, is off by
// as many seconds as the file that WALL_CLOCK_FILE names says at the moment. For test_clock.py.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t id, timespec* out) noexcept {
    const int status = static_cast<int>(::syscall(SYS_clock_gettime, id, out));
    if (id != CLOCK_REALTIME || status != 0) return status;
    const char* name = std::getenv("WALL_CLOCK_FILE");
    if (name == nullptr) return status;
    if (std::FILE* file = std::fopen(name, "r")) {
        long seconds = 0;
        if (std::fscanf(file, "%ld", &seconds) == 1) out->tv_sec += seconds;
        static_cast<void>(std::fclose(file));
    }
    return status;
}
