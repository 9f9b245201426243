#include "simulator/isolated.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "common/base/check.h"

namespace p2pbank::simulator {
namespace {

// What is sent through a pipe: a seed that begins, or the result of one.
constexpr char kBegins = 'b';
constexpr char kResult = 'r';

template <class Value>
void put(std::string& out, const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put(std::string& out, const std::string& text) {
    put(out, uint64_t{text.size()});
    out += text;
}

class Cursor {
  public:
    explicit Cursor(const std::string& bytes) : bytes_(bytes) {}

    template <class Value>
    void take(Value& value) {
        P2PBANK_CHECK(at_ + sizeof value <= bytes_.size());
        std::memcpy(&value, bytes_.data() + at_, sizeof value);
        at_ += sizeof value;
    }
    void take(std::string& text) {
        uint64_t size = 0;
        take(size);
        P2PBANK_CHECK(size <= bytes_.size() - at_);
        text = bytes_.substr(at_, static_cast<size_t>(size));
        at_ += static_cast<size_t>(size);
    }
    bool at_end() const { return at_ == bytes_.size(); }

  private:
    const std::string& bytes_;
    size_t at_ = 0;
};

void write_all(int to, const std::string& bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = ::write(to, bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) std::_Exit(1);  // nobody reads any more
        done += static_cast<size_t>(count);
    }
}

void tell(int to, char kind, uint64_t seed, const std::string& more) {
    std::string message(1, kind);
    put(message, seed);
    put(message, more);
    write_all(to, message);
}

RunResult died(uint64_t seed, int status) {
    RunResult result;
    Violation violation;
    violation.invariant = kDied;
    violation.text =
        "the process of seed " + std::to_string(seed) +
        (WIFSIGNALED(status) ? " ended with signal " + std::to_string(WTERMSIG(status))
                             : " ended with status " + std::to_string(WEXITSTATUS(status)));
    result.violation = std::move(violation);
    return result;
}

}  // namespace

std::string to_bytes(const RunResult& result) {
    std::string out;
    put(out, result.violation.has_value());
    if (result.violation) {
        put(out, result.violation->invariant);
        put(out, result.violation->text);
        put(out, result.violation->cause);
        put(out, result.violation->when);
    }
    put(out, result.tally);
    put(out, result.digest);
    put(out, result.events);
    put(out, result.simulated);
    put(out, uint64_t{result.customers});
    put(out, uint64_t{result.faults.size()});
    for (const FaultGate::Fired& fault : result.faults) put(out, fault);
    return out;
}

RunResult result_from_bytes(const std::string& bytes) {
    RunResult out;
    Cursor cursor(bytes);
    bool violated = false;
    cursor.take(violated);
    if (violated) {
        Violation violation;
        cursor.take(violation.invariant);
        cursor.take(violation.text);
        cursor.take(violation.cause);
        cursor.take(violation.when);
        out.violation = std::move(violation);
    }
    cursor.take(out.tally);
    cursor.take(out.digest);
    cursor.take(out.events);
    cursor.take(out.simulated);
    uint64_t count = 0;
    cursor.take(count);
    out.customers = static_cast<size_t>(count);
    cursor.take(count);
    for (uint64_t i = 0; i < count; ++i) {
        FaultGate::Fired fault{};
        cursor.take(fault);
        out.faults.push_back(fault);
    }
    P2PBANK_CHECK(cursor.at_end());
    return out;
}

RunResult run_isolated(const std::function<RunResult(const RunSettings&)>& run,
                       const RunSettings& settings) {
    Worker worker(run, settings, settings.seed, 1, settings.seed);
    std::optional<RunResult> result;
    while (!worker.ended()) {
        for (auto& [seed, one] : worker.take()) result = std::move(one);
    }
    P2PBANK_CHECK(result);
    return std::move(*result);
}

Worker::Worker(const std::function<RunResult(const RunSettings&)>& run, RunSettings settings,
               uint64_t first, uint64_t step, uint64_t last) {
    int ends[2];
    P2PBANK_CHECK(::pipe(ends) == 0);
    process_ = ::fork();
    P2PBANK_CHECK(process_ >= 0);
    if (process_ > 0) {
        ::close(ends[1]);
        pipe_ = ends[0];
        return;
    }
    ::close(ends[0]);
    std::signal(SIGABRT, SIG_DFL);
    std::signal(SIGINT, SIG_DFL);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
    for (uint64_t seed = first; seed <= last; seed += step) {
        settings.seed = seed;
        tell(ends[1], kBegins, seed, "");
        tell(ends[1], kResult, seed, to_bytes(run(settings)));
        if (last - seed < step) break;
    }
    std::_Exit(0);
}

Worker::~Worker() {
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
    }
    if (pipe_ >= 0) ::close(pipe_);
}

void Worker::read_more() {
    char buffer[65'536];
    const ssize_t count = ::read(pipe_, buffer, sizeof buffer);
    if (count > 0) unread_.append(buffer, static_cast<size_t>(count));
    if (count < 0 && errno == EINTR) return;
    ended_ = count <= 0;
}

std::vector<std::pair<uint64_t, RunResult>> Worker::take() {
    std::vector<std::pair<uint64_t, RunResult>> out;
    read_more();
    constexpr size_t kHead = 1 + 2 * sizeof(uint64_t);
    while (unread_.size() >= kHead) {
        uint64_t seed = 0;
        uint64_t size = 0;
        std::memcpy(&seed, unread_.data() + 1, sizeof seed);
        std::memcpy(&size, unread_.data() + 1 + sizeof seed, sizeof size);
        if (unread_.size() - kHead < size) break;
        under_way_.reset();
        if (unread_[0] == kBegins) {
            under_way_ = seed;
        } else {
            out.emplace_back(seed,
                             result_from_bytes(unread_.substr(kHead, static_cast<size_t>(size))));
        }
        unread_.erase(0, kHead + static_cast<size_t>(size));
    }
    if (ended_ && process_ > 0) {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        if (under_way_) out.emplace_back(*under_way_, died(*under_way_, status));
    }
    return out;
}

}  // namespace p2pbank::simulator
