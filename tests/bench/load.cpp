// Types commands into a running program and reads its answers: `window` of them are outstanding.
// The program is one of the real ones; its pipes come from whoever started it.
//
// An answer's first line starts in column 1, so these are counted. How long an answer took is
// measured from when its command was written. Prints one line of JSON.
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "tests/bench/measure.h"

namespace p2pbank::bench {
namespace {

struct Load {
    int to = -1;
    int from = -1;
    size_t window = 1;
    double seconds = 1;
    uint64_t most = UINT64_MAX;
    uint64_t first = 0;  // what replaces # in the line, counting up
    std::string line;
};

class Typist {
  public:
    explicit Typist(Load load) : load_(std::move(load)) {}

    // Types until the time is over, reads the answers to all that it typed.
    int run() {
        times_.start();
        const uint64_t end = now_ns() + static_cast<uint64_t>(load_.seconds * 1e9);
        while (true) {
            const bool over = typed_ == load_.most || now_ns() >= end;
            if (!over) fill();
            if (answered_ == typed_) break;
            read_answers();
        }
        times_.print();
        return failed_ == 0 ? 0 : 1;
    }

  private:
    void fill() {
        text_.clear();
        const uint64_t now = now_ns();
        for (; typed_ - answered_ < load_.window && typed_ < load_.most; ++typed_) {
            const size_t mark = load_.line.find('#');
            text_.append(load_.line, 0, mark);
            if (mark != std::string::npos) {
                text_ += std::to_string(load_.first + typed_);
                text_.append(load_.line, mark + 1);
            }
            text_ += '\n';
            typed_at_.push_back(now);
        }
        for (std::string_view left = text_; !left.empty();) {
            const ssize_t n = ::write(load_.to, left.data(), left.size());
            if (n < 0 && errno != EINTR) die("write to the program");
            if (n > 0) left.remove_prefix(static_cast<size_t>(n));
        }
    }

    void read_answers() {
        const ssize_t n = ::read(load_.from, buffer_, sizeof buffer_);
        if (n < 0 && errno == EINTR) return;
        if (n <= 0) die("the program has ended");
        const uint64_t now = now_ns();
        for (const char* at = buffer_; at != buffer_ + n;) {
            if (at_start_ && *at != ' ') {
                times_.add(now - typed_at_[answered_]);
                ++answered_;
                if (*at != 'S') note_failure(at, buffer_ + n);
            }
            const size_t left = static_cast<size_t>(buffer_ + n - at);
            const char* newline = static_cast<const char*>(std::memchr(at, '\n', left));
            at_start_ = newline != nullptr;
            at = newline != nullptr ? newline + 1 : buffer_ + n;
        }
    }

    void note_failure(const char* begin, const char* end) {
        if (failed_++ > 0) return;
        const std::string text(begin, std::min<size_t>(static_cast<size_t>(end - begin), 200));
        std::fprintf(stderr, "bench_load: %s\n", text.substr(0, text.find('\n')).c_str());
    }

    Load load_;
    Times times_;
    std::vector<uint64_t> typed_at_;
    uint64_t typed_ = 0;
    uint64_t answered_ = 0;
    uint64_t failed_ = 0;
    bool at_start_ = true;
    std::string text_;
    char buffer_[64 * 1'024];
};

}  // namespace
}  // namespace p2pbank::bench

int main(int argc, char** argv) {
    p2pbank::bench::Load load;
    CLI::App app("Types commands into a running program and measures its answers.");
    app.add_option("--to", load.to, "Descriptor of its standard input")->required();
    app.add_option("--from", load.from, "Descriptor of its standard output")->required();
    app.add_option("--window", load.window, "Commands outstanding")->capture_default_str();
    app.add_option("--seconds", load.seconds)->capture_default_str();
    app.add_option("--most", load.most, "Commands at most");
    app.add_option("--first", load.first, "The first number in place of # in the line");
    app.add_option("line", load.line, "The command; # stands for a number that counts up")
        ->required();
    CLI11_PARSE(app, argc, argv);
    return p2pbank::bench::Typist(std::move(load)).run();
}
