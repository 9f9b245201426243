// The bank's console. One command at a time: the next begins when the one before has its answer.
// Part of Bank.
#include <algorithm>

#include "bank/bank.h"
#include "common/base/names.h"
#include "common/base/text.h"
#include "common/base/words.h"

namespace p2pbank {

using namespace bank;

namespace {

Answer usage(std::string_view verb) {
    return usage_failure(command_table(), verb);
}

std::string padded(std::string text, size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

}  // namespace

void Bank::on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) {
    at(now, effects);
    if (effects.tracing()) effects.trace({"command", {{"text", std::string(line)}}});
    if (!under_way_ && waiting_.empty()) {
        if (!execute(id, line)) under_way_ = id;
        return;
    }
    waiting_.push_back({id, std::string(line)});
}

void Bank::pump() {
    while (!under_way_ && !waiting_.empty()) {
        const Waiting front = std::move(waiting_.front());
        waiting_.pop_front();
        if (!execute(front.id, front.line)) under_way_ = front.id;
    }
}

Result<const Account*> Bank::open_account(std::string_view name) const {
    const auto checked = check_name(name);
    if (!checked) return checked.error();
    const Account* account = context_.state.find(name);
    if (account == nullptr) {
        return Error{"unknown-customer",
                     "there is no account " + quote(name) + "; `customers` lists them"};
    }
    if (account->exited) return Error{"exited", "the account of " + account->name + " is closed"};
    return account;
}

// True if the command has its answer; false if it is under way.
bool Bank::execute(CommandId id, std::string_view line) {
    const Words words = split_words(line);
    const std::string_view verb = words.empty() ? std::string_view() : words[0];
    const auto done = [&](Answer answer) {
        context_.answer(id, std::move(answer));
        return true;
    };
    const Requester requester{id, "", 0, 0, {}};
    if (verb == "open") {
        open(id, words);
        return true;
    }
    if (verb == "exit" || verb == "close" || verb == "new-cohort" || verb == "delete-cohort") {
        const bool force = verb == "delete-cohort" && words.size() == 3 && words[2] == "--force";
        const size_t wanted = verb == "new-cohort" || force ? 3 : 2;
        if (words.size() != wanted) return done(usage(verb));
        const auto account = open_account(words[1]);
        if (!account) return done(failure(account.error()));
        // The answer may come at once, and clears this then.
        under_way_ = id;
        if (verb == "exit" || verb == "close") {
            procedures_.exit(requester, *account.value(), verb == "close");
        } else if (verb == "delete-cohort") {
            procedures_.delete_cohort(requester, *account.value(), force);
        } else {
            const auto count = parse_count(words[2]);
            if (count) {
                procedures_.new_cohort(requester, *account.value(), count.value());
            } else {
                reply(requester, failure(count.error()));
            }
        }
        return !under_way_.has_value();
    }
    if (verb == "help") return done(help_answer(command_table(), words));
    if (verb == "menu") {
        return done(failure(
            "no-terminal", "the menu needs a terminal; everything in it is a command, see `help`"));
    }
    if (verb == "unbind") return unbind(id, words);
    if (verb == "bind") {
        return done(
            failure("usage", "`bind` is typed at a customer's program, by the account's owner"));
    }
    if (SignIn::handles(verb)) {
        const auto quoted = split_quoted(line);
        return done(quoted ? sign_in_.at_console(quoted.value()) : failure(quoted.error()));
    }
    if (Desk::handles(verb)) {
        under_way_ = id;
        desk_.at_console(id, line);
        return !under_way_.has_value();
    }
    if (verb != "customers" && verb != "cohorts" && verb != "audit") {
        return done(unknown_command(command_table(), verb, commands_of_customers(),
                                    "at a customer's prompt"));
    }
    if (verb == "audit") return audit(id, line);
    if (words.size() != 1) return done(usage(verb));
    return done(verb == "customers" ? customers() : cohorts());
}

// As execute().
bool Bank::audit(CommandId id, std::string_view line) {
    const auto done = [&](Answer answer) {
        context_.answer(id, std::move(answer));
        return true;
    };
    const auto split = split_quoted(line);
    if (!split) return done(failure(split.error()));
    const std::vector<std::string>& words = split.value();
    const bool evidence = words.size() == 3 && words[1] == "--evidence";
    if (words.size() != 1 && !evidence) return done(usage("audit"));
    if (evidence) {
        const auto path = evidence_file_.check(words[2]);
        if (!path) return done(failure(path.error()));
        evidence_path_ = words[2];
    }
    under_way_ = id;
    procedures_.audit(Requester{id, "", 0, 0, {}});
    return !under_way_.has_value();
}

void Bank::open(CommandId id, const Words& words) {
    const auto refuse = [&](const Error& error) { context_.answer(id, failure(error)); };
    if (words.size() != 6) {
        context_.answer(id, usage("open"));
        return;
    }
    const auto name = check_name(words[1]);
    if (!name) return refuse(name.error());
    const auto balance = parse_amount(words[2], Zero::allowed);
    if (!balance) return refuse(balance.error());
    const auto ip = parse_ip(words[3]);
    if (!ip) return refuse(ip.error());
    const auto port1 = parse_port(words[4]);
    if (!port1) return refuse(port1.error());
    const auto port2 = parse_port(words[5]);
    if (!port2) return refuse(port2.error());
    wire::Open wanted;
    wanted.set_balance(static_cast<uint64_t>(balance.value().cents()));
    wanted.set_ip(ip.value());
    wanted.set_port1(port1.value());
    wanted.set_port2(port2.value());
    auto why_not = why_not_open(words[1], wanted);
    if (why_not) {
        context_.answer(id, std::move(*why_not));
        return;
    }
    State::Record record;
    auto* opened = record.mutable_opened();
    opened->set_name(std::string(words[1]));
    opened->set_balance(balance.value().cents());
    opened->set_ip(ip.value());
    opened->set_port1(port1.value());
    opened->set_port2(port2.value());
    context_.commit(record);
    context_.answer(id, opened_answer(*context_.state.find(words[1])));
}

// As execute(). A program that runs would take the account again at once: it is asked first.
bool Bank::unbind(CommandId id, const Words& words) {
    const auto done = [&](Answer answer) {
        context_.answer(id, std::move(answer));
        return true;
    };
    const bool force = words.size() == 3 && words[2] == "--force";
    if (words.size() != 2 && !force) return done(usage("unbind"));
    const auto account = open_account(words[1]);
    if (!account) return done(failure(account.error()));
    if (account.value()->keys().empty()) return done(Bindings::no_key(*account.value()));
    if (force) return done(bindings_.unbind(*account.value(), true));
    const Requester requester{id, "", 0, 0, {}};
    under_way_ = id;
    procedures_.look_for(*account.value(), [this, requester, keys = account.value()->keys()](
                                               const Account& found, bool answers) {
        if (found.exited) {
            reply(requester, failure("exited", "the account of " + found.name + " is closed"));
        } else if (answers) {
            reply(requester, Bindings::running(found));
        } else if (found.keys().empty()) {
            reply(requester, Bindings::no_key(found));
        } else if (found.keys() != keys) {
            reply(requester,
                  failure("busy", found.name + " was bound to another key meanwhile; nothing "
                                               "was changed"));
        } else {
            reply(requester, bindings_.unbind(found, false));
        }
    });
    return !under_way_.has_value();
}

Answer Bank::customers() const {
    const auto& accounts = context_.state.accounts();
    Answer answer = success("customers " + std::to_string(accounts.size()));
    answer.fact("count", accounts.size());
    if (accounts.empty()) return answer;
    answer.line(padded("name", 16) + " " + padded("balance", 14) + " " + padded("address", 16) +
                " " + padded("port1", 6) + padded("port2", 6) + padded("cohort", 12) + "state");
    std::vector<std::vector<Answer::Fact>> rows;
    for (const Account& account : accounts) {
        const Cohort* cohort = context_.state.find_cohort(account.cohort);
        const std::string cohort_name = cohort == nullptr ? "" : cohort->name;
        const std::string balance = to_string(account.shown_balance());
        const std::string state = account.exited ? "exited" : "active";
        const bool has_key = !account.keys().empty();
        const std::string note = account.exited                  ? ""
                                 : !account.attached             ? ", no program yet"
                                 : context_.sealed() && !has_key ? ", no key"
                                                                 : "";
        answer.line(padded(account.name, 16) + " " + padded(balance, 14) + " " +
                    padded(ip_to_string(account.ip), 16) + " " +
                    padded(std::to_string(account.port1), 6) +
                    padded(std::to_string(account.port2), 6) +
                    padded(cohort_name.empty() ? "-" : cohort_name, 12) + state + note);
        rows.push_back({{"name", account.name, false},
                        {"balance", balance, true},
                        {"ip_address", ip_to_string(account.ip), false},
                        {"port1", std::to_string(account.port1), true},
                        {"port2", std::to_string(account.port2), true},
                        {"cohort", cohort_name, false},
                        {"exit_state", state, false},
                        {"key", has_key ? secure::fingerprint(account.keys()) : "", false}});
    }
    answer.tables.emplace_back("customers", std::move(rows));
    return answer;
}

Answer Bank::cohorts() const {
    const auto& all = context_.state.cohorts;
    const auto is_formed = [](const auto& entry) {
        return entry.second.stage != CohortStage::forming;
    };
    const auto count = static_cast<size_t>(std::count_if(all.begin(), all.end(), is_formed));
    Answer answer = success("cohorts " + std::to_string(count));
    answer.fact("count", count);
    std::vector<std::vector<Answer::Fact>> rows;
    for (const auto& [id, cohort] : all) {
        if (cohort.stage == CohortStage::forming) continue;
        std::vector<std::string> members = cohort.members;
        std::sort(members.begin(), members.end());
        const std::string names = join(members, ", ");
        answer.line(padded(cohort.name, 12) + names +
                    (cohort.stage == CohortStage::freezing ? " (being ended)" : ""));
        rows.push_back({{"name", cohort.name, false}, {"members", names, false}});
    }
    answer.tables.emplace_back("cohorts", std::move(rows));
    return answer;
}

std::vector<std::string> Bank::complete(std::string_view line) const {
    const Words words = split_words(line);
    const bool new_word = line.empty() || line.back() == ' ';
    const size_t position = words.size() + (new_word ? 1 : 0);
    const std::string_view begun = new_word || words.empty() ? std::string_view() : words.back();
    std::vector<std::string> found = complete_line(command_table(), line);
    const auto offer = [&](std::string_view word) {
        if (word.substr(0, begun.size()) == begun) found.emplace_back(word);
    };
    if (position == 2 && words[0] != "help") {
        constexpr size_t kMostOffered = 200;
        for (const Account& account : context_.state.accounts()) {
            if (found.size() < kMostOffered && !account.exited) offer(account.name);
        }
    }
    return found;
}

}  // namespace p2pbank
