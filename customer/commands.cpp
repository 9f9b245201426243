// The commands that change something: when each may start, and how it is answered. Part of
// Customer.
#include <algorithm>

#include "common/base/names.h"
#include "common/base/text.h"
#include "common/base/words.h"
#include "common/core/command_table.h"
#include "customer/business.h"
#include "customer/command_list.h"
#include "customer/customer.h"
#include "customer/timing.h"

namespace p2pbank {

using namespace customer;

void Customer::on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) {
    at(now, effects);
    if (effects.tracing()) effects.trace({"command", {{"text", std::string(line)}}});
    if (!valid_utf8(line)) {  // no message can carry it
        return answer(id, failure("bad-text", "the line is not UTF-8"));
    }
    if (waiting_.empty()) {
        if (try_start(id, line)) return;
        front_since_ = now;
    }
    waiting_.push_back({id, std::string(line)});
}

// Starts what waits, in order, as far as it may start now.
void Customer::pump() {
    while (!waiting_.empty()) {
        const Waiting front = std::move(waiting_.front());
        waiting_.pop_front();  // first: what is started may come back here
        if (!try_start(front.id, front.line)) {
            const bool for_an_answer = is_answer_awaited() || !transfers_.empty();
            if (for_an_answer || context_.now < front_since_ + timing::kCommandDeadline) {
                waiting_.push_front(front);
                return;
            }
            answer(front.id, busy());
        }
        front_since_ = context_.now;
    }
}

// What is in the way of a command that changed nothing.
Answer Customer::busy() const {
    const std::string operation = operations_.describe();
    const std::string what = !operation.empty() ? "in the middle of a " + operation
                             : deals_.busy()    ? "the bank has not answered an open deal yet"
                                                : "not possible now";
    return failure("busy", what + "; nothing was changed, try again");
}

// These begin when everything before them has its answer, and what follows waits for theirs.
bool Customer::is_barrier(std::string_view verb) const {
    return verb == "checkpoint" || verb == "rollback" || verb == "open" || verb == "exit" ||
           verb == "close" || verb == "new-cohort" || verb == "delete-cohort" || is_deal(verb) ||
           is_passed_on(verb);
}

bool Customer::is_answer_awaited() const {
    return own_ || typing_ || token_wanted_ || bank_link_.awaited() || deals_.awaited();
}

// False if the command has to wait. Otherwise it has its answer or is under way.
bool Customer::try_start(CommandId id, std::string_view line) {
    if (is_answer_awaited()) return false;
    const Words words = split_words(line);
    if (words.empty()) {
        answer(id, failure("usage", "an empty line is no command; `help` lists the commands"));
        return true;
    }
    const std::string_view verb = words[0];
    if (is_barrier(verb)) {
        if (!transfers_.empty()) return false;
        const bool of_cohort = verb == "checkpoint" || verb == "rollback";
        // To this key the bank answers no deal: what gets the account its key back goes first.
        const bool binds = context_.other_key && (verb == "bind" || Session::handles(verb));
        if ((bank_link_.busy() && !of_cohort) || (deals_.busy() && verb != "rollback" && !binds)) {
            answer(id, failure("busy",
                               "what became of an earlier command at the bank is not known "
                               "yet; nothing was changed, try again"));
            return true;
        }
    }
    const auto alone = [&](const char* how) {
        if (words.size() == 1) return true;
        answer(id, usage_failure(command_table(), how));
        return false;
    };
    if (is_deal(verb)) return start_deal(id, words);
    if (verb == "bind") {
        start_bind(id, words);
        return true;
    }
    if (is_passed_on(verb)) {
        start_ask(id, line);
        return true;
    }
    if (verb == "transfer" || verb == "lost-transfer") {
        return start_transfer(id, words, verb == "lost-transfer");
    }
    if (verb == "deposit" || verb == "withdrawal") {
        return start_cash(id, line, verb == "deposit");
    }
    if (verb == "balance") {
        if (alone("balance")) answer(id, balance());
    } else if (verb == "status") {
        if (alone("status")) answer(id, status());
    } else if (verb == "peers") {
        if (alone("peers")) answer(id, peers());
    } else if (verb == "history") {
        if (alone("history")) answer(id, history());
    } else if (verb == "statement") {
        answer(id, statement(line));
    } else if (verb == "last") {
        answer(id, last(words));
    } else if (verb == "close") {
        start_close(id, words);
    } else if (verb == "menu") {
        answer(id, failure("no-terminal",
                           "the menu needs a terminal; everything in it is a command, see `help`"));
    } else if (verb == "help") {
        answer(id, help_answer(command_table(), words));
    } else if (verb == "checkpoint") {
        if (alone("checkpoint")) start_operation(id, wire::OPERATION_CHECKPOINT);
    } else if (verb == "rollback") {
        if (alone("rollback")) start_operation(id, wire::OPERATION_ROLLBACK);
    } else if (verb == "open") {
        start_open(id, words);
    } else if (verb == "exit") {
        start_exit(id, words);
    } else if (verb == "new-cohort") {
        start_new_cohort(id, words);
    } else if (verb == "delete-cohort") {
        start_delete_cohort(id, words);
    } else {
        answer(id, unknown_command(command_table(), verb, commands_of_the_bank(),
                                   "at the bank's prompt"));
    }
    return true;
}

// --- the account
// ----------------------------------------------------------------------------------

Answer Customer::no_account() const {
    constexpr size_t kMostNamed = 5;
    const std::vector<std::string>& here = context_.settings.accounts;
    std::string text = "there is no account yet; `open <name> <balance>`";
    for (size_t i = 0; i < std::min(here.size(), kMostNamed); ++i) {
        text += (i == 0 ? ". Or start again with --name: there is the state of " : ", ") + here[i];
    }
    if (here.size() > kMostNamed) text += " and others";
    return failure("no-account", std::move(text));
}

bool Customer::check_account(CommandId id) {
    switch (context_.state.phase) {
        case Phase::open:
            if (!context_.other_key) return true;
            answer(id, other_key());
            return false;
        case Phase::none:
            answer(id, no_account());
            return false;
        case Phase::opening:
            answer(id, failure("no-account", "the account is still being opened"));
            return false;
        case Phase::exiting:  // the bank may still refuse
            answer(id, failure("exited", "the account is being closed; nothing was changed"));
            return false;
        case Phase::exited:
            answer(id, failure("exited", "the account is closed"));
            return false;
    }
    return false;
}

bool Customer::check_own_name(CommandId id, std::string_view name) {
    const auto checked = check_name(name);
    if (!checked) {
        answer(id, failure(checked.error()));
        return false;
    }
    if (!check_account(id)) return false;
    if (name == context_.state.name) return true;
    answer(id, failure("not-allowed", "this is the account of " + context_.state.name +
                                          ": it cannot act for " + quote(name)));
    return false;
}

void Customer::start_open(CommandId id, const Words& words) {
    if (words.size() != 2 && words.size() != 3 && words.size() != 6) {
        answer(id, usage_failure(command_table(), "open"));
        return;
    }
    const auto name = check_name(words[1]);
    if (!name) return answer(id, failure(name.error()));
    const auto opening =
        words.size() == 2 ? Result<Money>(Money()) : parse_amount(words[2], Zero::allowed);
    if (!opening) return answer(id, failure(opening.error()));
    Address address{context_.settings.own_ip, context_.settings.port1};
    if (words.size() == 6) {
        const auto ip = parse_ip(words[3]);
        if (!ip) return answer(id, failure(ip.error()));
        const auto port1 = parse_port(words[4]);
        if (!port1) return answer(id, failure(port1.error()));
        const auto port2 = parse_port(words[5]);
        if (!port2) return answer(id, failure(port2.error()));
        if (port1.value() != context_.settings.port1 || port2.value() != context_.settings.port2) {
            return answer(
                id, failure("ports-differ", "this program listens on ports " +
                                                std::to_string(context_.settings.port1) + " and " +
                                                std::to_string(context_.settings.port2) +
                                                "; leave them out, or start it with these"));
        }
        address.ip = ip.value();
    }
    if (context_.state.phase != Phase::none) {
        return answer(id, failure("has-account", "this program has account " + context_.state.name +
                                                     "; start another one for a second account"));
    }
    bank_link_.open(id, std::string(words[1]),
                    words.size() == 2 ? std::nullopt : std::optional(opening.value()), address,
                    context_.settings.port2);
}

void Customer::start_exit(CommandId id, const Words& words) {
    if (words.size() > 2) return answer(id, usage_failure(command_table(), "exit"));
    if (words.size() == 2 && !check_own_name(id, words[1])) return;
    if (!check_account(id)) return;
    if (auto why_not = why_not_settle()) return answer(id, std::move(*why_not));
    if (auto why_not = bank_link_.why_not_exit()) return answer(id, std::move(*why_not));
    bank_link_.exit(id, 0, false);
}

// The operator's order is obeyed as soon as nothing is under way, or not at all.
void Customer::obey_exit_order() {
    if (exit_order_ == 0 || bank_link_.busy() || typing_ || deals_.busy() || own_ ||
        operations_.busy() || context_.state.in_cohort() || context_.state.is_suspended()) {
        return;
    }
    if (context_.now < exit_order_until_) bank_link_.exit(CommandId(), exit_order_, false);
    exit_order_ = 0;
}

void Customer::start_new_cohort(CommandId id, const Words& words) {
    if (words.size() != 3) return answer(id, usage_failure(command_table(), "new-cohort"));
    if (!check_own_name(id, words[1])) return;
    const auto count = parse_count(words[2]);
    if (!count) return answer(id, failure(count.error()));
    if (auto why_not = why_not_settle()) return answer(id, std::move(*why_not));
    if (context_.state.in_cohort()) {
        return answer(id, failure("in-cohort",
                                  "the account is in " + context_.state.cohort_name + " already"));
    }
    bank_link_.new_cohort(id, count.value());
}

void Customer::start_delete_cohort(CommandId id, const Words& words) {
    const bool force = words.size() == 3 && words[2] == "--force";
    if (words.size() != 2 && !force)
        return answer(id, usage_failure(command_table(), "delete-cohort"));
    if (!check_own_name(id, words[1])) return;
    if (!context_.state.in_cohort()) {
        return answer(id, failure("not-in-cohort", "the account is in no cohort"));
    }
    bank_link_.delete_cohort(id, force);
}

}  // namespace p2pbank
