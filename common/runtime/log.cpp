#include "common/runtime/log.h"

#include <mutex>
#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "common/base/text.h"
#include "common/runtime/output.h"

namespace p2pbank {
namespace {

constexpr size_t kMostBytesKept = 64 * 1'024;  // for a reader that is slow; then lines are dropped

// Control characters that came from outside, C1 too, must not drive the terminal; what is no UTF-8
// might be read as some.
std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const char32_t c = take_code_point(text);
        if (c == '\n' || c == '\t') {
            out += ' ';
        } else if (c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xFFFD) {
            out += '?';
        } else {
            append_code_point(out, c);
        }
    }
    return out;
}

class LogSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  public:
    std::function<void(std::string_view)> show;

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        const std::string_view text(line.data(), line.size());
        if (show) {
            show(text);
            return;
        }
        output_.flush();
        if (output_.kept().size() + text.size() > kMostBytesKept) {
            ++dropped_;
            return;
        }
        if (dropped_ > 0) {
            output_.write("(" + std::to_string(dropped_) + " lines of the log were dropped)\n");
            dropped_ = 0;
        }
        output_.write(text);
        output_.flush();
    }
    void flush_() override { output_.flush(); }

  private:
    Output output_{STDERR_FILENO};
    uint64_t dropped_ = 0;
};

}  // namespace

class Log::Impl {
  public:
    explicit Impl(const std::string& name) : sink(std::make_shared<LogSink>()), logger(name, sink) {
        logger.set_pattern("%H:%M:%S.%e [%n] %l: %v");
    }
    std::shared_ptr<LogSink> sink;
    spdlog::logger logger;
};

Log::Log(const std::string& name, const std::string& level) : impl_(std::make_unique<Impl>(name)) {
    impl_->logger.set_level(spdlog::level::from_str(level));
}

Log::~Log() {
    impl_->logger.flush();
}

const std::vector<std::string>& Log::levels() {
    static const std::vector<std::string> levels = {"debug", "info", "warning", "error", "off"};
    return levels;
}

void Log::notice(Severity severity, std::string_view text) {
    switch (severity) {
        case Severity::info:
            impl_->logger.info(printable(text));
            break;
        case Severity::warning:
            impl_->logger.warn(printable(text));
            break;
        case Severity::error:
            impl_->logger.error(printable(text));
            break;
    }
}

void Log::always(Severity severity, std::string_view text) {
    const auto level = impl_->logger.level();
    impl_->logger.set_level(spdlog::level::info);
    notice(severity, text);
    impl_->logger.set_level(level);
}

bool Log::debugging() const {
    return impl_->logger.should_log(spdlog::level::debug);
}

void Log::debug(std::string_view text) {
    impl_->logger.debug(printable(text));
}

void Log::show_with(std::function<void(std::string_view)> show) {
    impl_->sink->show = std::move(show);
}

}  // namespace p2pbank
