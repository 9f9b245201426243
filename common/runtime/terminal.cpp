#include "common/runtime/terminal.h"

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <histedit.h>

#include "common/base/limits.h"

namespace p2pbank {
namespace {

constexpr int kHistoryLines = 500;

std::string history_path() {
    const char* home = std::getenv("HOME");
    return home == nullptr || *home == '\0' ? std::string()
                                            : std::string(home) + "/.p2pbank_history";
}

size_t columns() {
    winsize size = {};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

// Characters, not bytes: what takes a column each, near enough.
size_t width(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

void write_out(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

class Terminal::Impl {
  public:
    Impl(std::string prompt, int fd, Hooks hooks);
    ~Impl();
    std::optional<std::string> read_line();
    std::optional<std::string> read_text(std::string prompt);
    std::optional<Secret> ask(const Question& question);
    void show(std::string_view text);
    EditLine* editor() { return editor_; }
    bool editing() const { return editing_; }

  private:
    static Impl& of(EditLine* editor);
    static char* prompt_of(EditLine* editor) { return of(editor).prompt_.data(); }
    static int read_key_of(EditLine* editor, wchar_t* key) { return of(editor).read_key(key); }
    static unsigned char complete_of(EditLine* editor, int) { return of(editor).complete(); }

    int read_key(wchar_t* key);
    unsigned char complete();
    void clear_edited_line();
    std::optional<char> read_byte();

    std::string prompt_;
    int fd_;
    Hooks hooks_;
    EditLine* editor_;
    History* history_;
    bool editing_ = false;
    bool is_command_ = true;  // what is edited
    const Question* asking_ = nullptr;
    const std::string* typed_ = nullptr;  // so far, as the answer to it
    std::mbstate_t partial_ = {};         // of a character of several bytes
};

Terminal::Impl::Impl(std::string prompt, int fd, Hooks hooks)
    : prompt_(std::move(prompt)), fd_(fd), hooks_(std::move(hooks)) {
    std::setlocale(LC_CTYPE, "");
    editor_ = el_init("p2pbank", stdin, stdout, stderr);
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (const std::string path = history_path(); !path.empty()) {
        history(history_, &event, H_LOAD, path.c_str());
    }
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &Impl::prompt_of);
    el_set(editor_, EL_SIGNAL, 0);  // signals are the loop's
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_ADDFN, "complete", "Complete the word", &Impl::complete_of);
    el_set(editor_, EL_BIND, "^I", "complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);
    el_set(editor_, EL_GETCFN, &Impl::read_key_of);
}

Terminal::Impl::~Impl() {
    if (const std::string path = history_path(); !path.empty()) {
        HistEvent event;
        const mode_t before = ::umask(0077);
        history(history_, &event, H_SAVE, path.c_str());
        ::umask(before);
    }
    el_end(editor_);
    history_end(history_);
}

Terminal::Impl& Terminal::Impl::of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
}

std::optional<std::string> Terminal::Impl::read_line() {
    int count = 0;
    editing_ = true;
    const char* text = el_gets(editor_, &count);
    editing_ = false;
    if (text == nullptr || count <= 0) {
        write_out("\n");
        std::fflush(stdout);
        return std::nullopt;
    }
    // Keys typed while a command is at work are for the next line: no echo in between.
    el_set(editor_, EL_PREP_TERM, 1);
    std::string line(text, static_cast<size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    if (is_command_ && line.find_first_not_of(" \t") != std::string::npos) {
        HistEvent event;
        history(history_, &event, H_ENTER, line.c_str());
    }
    return line;
}

std::optional<std::string> Terminal::Impl::read_text(std::string prompt) {
    prompt_.swap(prompt);
    is_command_ = false;
    std::optional<std::string> text = read_line();
    is_command_ = true;
    prompt_.swap(prompt);
    return text;
}

int Terminal::Impl::read_key(wchar_t* key) {
    while (hooks_.wait_for_key()) {
        char byte = 0;
        const ssize_t n = ::read(fd_, &byte, 1);
        if (n == 1) {
            const size_t length = std::mbrtowc(key, &byte, 1, &partial_);
            if (length == static_cast<size_t>(-2)) continue;
            if (length == static_cast<size_t>(-1)) {
                partial_ = {};
                continue;  // not text in this locale: nothing to edit with
            }
            return 1;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) return 0;
    }
    return 0;
}

std::optional<char> Terminal::Impl::read_byte() {
    while (hooks_.wait_for_key()) {
        char byte = 0;
        const ssize_t n = ::read(fd_, &byte, 1);
        if (n == 1) return byte;
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return std::nullopt;
}

// The terminal is in libedit's mode: each key comes at once, and none is shown.
std::optional<Secret> Terminal::Impl::ask(const Question& question) {
    constexpr char kEndOfInput = 0x04;
    constexpr char kKillLine = 0x15;
    std::string typed;
    typed.reserve(limits::kMaxLineBytes);  // never moved, so no copy stays behind
    asking_ = &question;
    typed_ = &typed;
    write_out(question.prompt);
    std::fflush(stdout);
    std::optional<char> key;
    while ((key = read_byte()) && *key != '\n' && *key != '\r') {
        if (*key == kEndOfInput && typed.empty()) {
            key.reset();
            break;
        }
        const size_t shown = question.hidden ? 0 : width(typed);
        if (*key == '\b' || *key == 0x7F) {
            while (!typed.empty() && width(std::string_view(typed).substr(typed.size() - 1)) == 0) {
                typed.pop_back();
            }
            if (!typed.empty()) typed.pop_back();
        } else if (*key == kKillLine) {
            typed.clear();
        } else if ((static_cast<unsigned char>(*key) >= 0x20 || *key == '\t') &&
                   typed.size() < limits::kMaxLineBytes) {
            typed += *key;
            if (!question.hidden) write_out({&*key, 1});
        }
        if (!question.hidden) {
            for (size_t left = width(typed); left < shown; ++left) write_out("\b \b");
        }
        std::fflush(stdout);
    }
    asking_ = nullptr;
    typed_ = nullptr;
    write_out("\n");
    std::fflush(stdout);
    Secret answer(std::move(typed));
    if (!key) return std::nullopt;
    return answer;
}

unsigned char Terminal::Impl::complete() {
    if (!is_command_) return CC_ERROR;
    const LineInfo* info = el_line(editor_);
    const std::string_view typed(info->buffer, static_cast<size_t>(info->cursor - info->buffer));
    const size_t blank = typed.find_last_of(" \t");
    const std::string_view word = blank == std::string_view::npos ? typed : typed.substr(blank + 1);
    std::vector<std::string> fits = hooks_.complete(typed);
    std::erase_if(fits, [&](const std::string& one) { return !one.starts_with(word); });
    std::sort(fits.begin(), fits.end());
    fits.erase(std::unique(fits.begin(), fits.end()), fits.end());
    if (fits.empty()) return CC_ERROR;

    // What all have in common is between the first and the last.
    const std::string& first = fits.front();
    const auto differ =
        std::mismatch(first.begin(), first.end(), fits.back().begin(), fits.back().end());
    std::string more(first.begin() + static_cast<std::ptrdiff_t>(word.size()), differ.first);
    if (fits.size() == 1) more += ' ';
    if (!more.empty()) {
        el_insertstr(editor_, more.c_str());
        return CC_REFRESH;
    }
    std::string list = "\n";
    for (const std::string& one : fits) list += one + "  ";
    write_out(list + "\n");
    return CC_REDISPLAY;
}

// libedit does not say in which row of a long line the cursor is.
void Terminal::Impl::clear_edited_line() {
    const LineInfo* info = el_line(editor_);
    const std::string_view typed(info->buffer, static_cast<size_t>(info->cursor - info->buffer));
    const size_t rows_above = (width(prompt_) + width(typed)) / columns();
    if (rows_above > 0) write_out("\033[" + std::to_string(rows_above) + "A");
    write_out("\r\033[J");
}

void Terminal::Impl::show(std::string_view text) {
    if (editing_) clear_edited_line();
    if (asking_ != nullptr) write_out("\r\033[J");
    write_out(text);
    if (asking_ != nullptr) {
        write_out(asking_->prompt);
        if (!asking_->hidden) write_out(*typed_);
    }
    std::fflush(stdout);
    if (editing_) el_set(editor_, EL_REFRESH);
}

Terminal::Terminal(std::string prompt, int fd, Hooks hooks)
    : impl_(std::make_unique<Impl>(std::move(prompt), fd, std::move(hooks))) {}

Terminal::~Terminal() = default;

std::optional<std::string> Terminal::read_line() {
    return impl_->read_line();
}

std::optional<Secret> Terminal::ask(const Question& question) {
    return impl_->ask(question);
}

bool Terminal::has_colour() {
    const char* const no_colour = std::getenv("NO_COLOR");
    if (no_colour != nullptr && *no_colour != '\0') return false;
    const char* const kind = std::getenv("TERM");
    return kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
}

std::optional<std::string> Terminal::read_text(std::string prompt) {
    return impl_->read_text(std::move(prompt));
}

void Terminal::show(std::string_view text) {
    impl_->show(text);
}

void Terminal::window_changed() {
    el_resize(impl_->editor());
}

void Terminal::continued() {
    // The shell has given the terminal its own mode meanwhile; libedit believes in what it set
    // last.
    el_set(impl_->editor(), EL_PREP_TERM, 0);
    el_set(impl_->editor(), EL_PREP_TERM, 1);
    if (impl_->editing()) el_set(impl_->editor(), EL_REFRESH);
}

}  // namespace p2pbank
