// The driver with a person at a terminal: lines, the menu, and what they are asked.
#include <utility>

#include "common/runtime/driver.h"
#include "common/runtime/menu.h"

namespace p2pbank {

void Driver::run_terminal() {
    while (!ended_ && !input_ended_) {
        take_terminal_line(terminal_->read_line());
        if (std::exchange(menu_wanted_, false)) run_menu();
    }
    run_until([] { return false; });
    terminal_.reset();
    log_.show_with(nullptr);
}

void Driver::take_terminal_line(const std::optional<std::string>& line) {
    turn([&] {
        if (!line) {
            end_of_input();
        } else {
            take_line({*line, line->size() > limits::kMaxLineBytes});
        }
    });
    // Like any shell: the next prompt comes under the answer.
    const auto answered = [&] { return answers_.outstanding() == 0 && node_->wants_commands(); };
    for (;;) {
        run_until([&] { return ask_terminal() || answered(); });
        if (ended_ || !ask_terminal()) return;
        ask_at_terminal();
    }
}

// What is chosen goes the way of what is typed. The end of the input leaves only the menu.
void Driver::run_menu() {
    Menu menu(node_->menu(), Menu::Style{colour_});
    Menu::Step step = menu.begin();
    while (!ended_ && !input_ended_ && !step.left) {
        if (step.command) {
            take_terminal_line(step.command);
            step = menu.continued();
            continue;
        }
        terminal_->show(step.text);
        const std::optional<std::string> line = terminal_->read_text(step.prompt);
        if (!line) return;
        step = menu.take(*line);
    }
}

void Driver::ask_at_terminal() {
    for (size_t i = 0; i < asked_.front().questions.size(); ++i) {
        std::optional<Secret> typed = terminal_->ask(asked_.front().questions[i]);
        if (ended_) return;
        if (!typed) {
            finish_question(Error{"no-input", "nothing was typed"});
            return;
        }
        asked_.front().typed.push_back(std::move(*typed));
    }
    finish_question(std::move(asked_.front().typed));
}

bool Driver::wait_for_key() {
    input_ready_ = false;
    if (!input_armed_) {
        input_armed_ = true;
        input_wait_.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this](const asio::error_code&) {
                                   input_armed_ = false;
                                   input_ready_ = true;
                               });
    }
    run_until([&] { return input_ready_; });
    return !ended_;
}

}  // namespace p2pbank
