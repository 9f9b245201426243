#include "bank/desk.h"

#include <algorithm>
#include <array>

#include "common/base/names.h"
#include "common/base/words.h"
#include "common/core/answer_wire.h"

namespace p2pbank::bank {
namespace {

constexpr std::array<std::string_view, 23> kVerbs = {
    "products",  "search",   "add-product", "edit-product",  "remove-product", "restock",
    "services",  "bills",    "add-biller",  "remove-biller", "settings",       "set",
    "purchases", "tokens",   "loans",       "schedule",      "statement",      "last",
    "activity",  "refusals", "report",      "import",        "export"};

}  // namespace

Desk::Desk(Context& context, SignIn& sign_in, Bindings& bindings, NextJob next_job,
           AnswerConsole answer_console)
    : context_(context),
      sign_in_(sign_in),
      bindings_(bindings),
      next_job_(std::move(next_job)),
      answer_console_(std::move(answer_console)) {}

bool Desk::handles(std::string_view verb) {
    return verb == "save" || std::find(kVerbs.begin(), kVerbs.end(), verb) != kVerbs.end();
}

// --- who asks
// -------------------------------------------------------------------------------------

void Desk::at_console(CommandId id, std::string_view line) {
    Asker asker;
    asker.command = id;
    asker.caller.role = Role::admin;
    const auto words = split_quoted(line);
    if (words) {
        carry_out(asker, words.value());
    } else {
        reply(asker, failure(words.error()));
    }
}

void Desk::on_ask(const wire::Datagram& datagram, const Origin& from) {
    const wire::Ask& ask = datagram.ask();
    switch (recent_.begin(from.party(), ask.nonce())) {
        case RecentAsks::Known::in_progress:
            return;
        case RecentAsks::Known::answered: {
            wire::Datagram message;
            *message.mutable_told() = recent_.told(from.party(), ask.nonce());
            context_.send(from, std::move(message));
            return;
        }
        case RecentAsks::Known::fresh:
            break;
    }
    Asker asker;
    asker.from = from;
    asker.nonce = ask.nonce();
    const Account* account = from.is_account ? context_.state.find(from.name) : nullptr;
    if (account != nullptr && !account->exited && from.instance >= account->boots) {
        asker.account = account->name;
    }
    asker.is_earlier_run = account != nullptr && from.instance < account->boots;
    if (ask.words().empty()) return reply(asker, failure("usage", "no command"));
    if (SignIn::handles(ask.words(0))) {
        const auto least = least_role(ask.words(0));
        if (least == Role::customer) {
            sign_in_.ask(from, ask);
            return;
        }
    }
    if (auto refused = why_not(asker, datagram)) return reply(asker, std::move(*refused));
    if (SignIn::handles(ask.words(0))) {
        reply(asker, sign_in_.at_console({ask.words().begin(), ask.words().end()}));
        return;
    }
    if (ask.words(0) == "bind") {
        if (asker.caller.session == 0) return reply(asker, refuse(asker, "bind", Role::customer));
        return reply(asker, bindings_.bind(from, asker.caller, ask));
    }
    if (!handles(ask.words(0))) {
        return reply(asker, failure("unknown-command",
                                    quote(ask.words(0)) + " is not a command of this bank"));
    }
    carry_out(asker, {ask.words().begin(), ask.words().end()});
}

// Takes over who is behind the request; an answer if that one may not ask for this.
std::optional<Answer> Desk::why_not(Asker& asker, const wire::Datagram& datagram) {
    const wire::Ask& ask = datagram.ask();
    if (ask.authority().session() != 0) {
        auto caller = sign_in_.caller_of(ask.authority(), asker.from, Repeats::refused);
        if (!caller) return failure(caller.error());
        asker.caller = std::move(caller).value();
    }
    const auto least = least_role(ask.words(0));
    if (!least) {
        return failure("not-allowed", quote(ask.words(0)) + " is for the bank's console only");
    }
    if (*least == Role::customer || may(asker.caller.role, *least)) return std::nullopt;
    return refuse(asker, ask.words(0), *least);
}

Answer Desk::refuse(const Asker& asker, std::string_view verb, Role least) {
    if (asker.caller.session != 0) return sign_in_.not_allowed(asker.caller, verb, least);
    sign_in_.refused(asker.from.who(), verb, "not-signed-in");
    const std::string whom = least == Role::customer ? "the account's owner"
                             : least == Role::teller ? "a teller"
                                                     : "an admin";
    return failure("not-signed-in",
                   "`" + std::string(verb) + "` is for " + whom + ": `sign-in <email>` first");
}

Result<std::string> Desk::subject(const Asker& asker, const std::string* name,
                                  std::string_view verb) {
    const bool own = !asker.is_console() && (name == nullptr || *name == asker.account);
    if (own && asker.is_earlier_run) {
        return Error{"state-in-use",
                     "another program with this account's key was started later: it has the "
                     "account. Stop one of the two"};
    }
    if (own && asker.account.empty()) {
        return Error{"no-account", "this program has no account, whose would be shown"};
    }
    if (name == nullptr && asker.is_console()) {
        return Error{"usage", "write: " + std::string(usage_of(command_table(), verb))};
    }
    const std::string& wanted = own ? asker.account : *name;
    const Account* account = context_.state.find(wanted);
    if (asker.is_console() && account == nullptr) {
        return Error{"unknown-customer", "there is no account " + quote(wanted)};
    }
    const auto least = least_role(verb, own ? Whose::own : Whose::another);
    const bool owner =
        account != nullptr && !account->owner().empty() && account->owner() == asker.caller.email;
    const bool free_for_all = own && (account == nullptr || account->owner().empty());
    const bool staff =
        asker.caller.role != Role::customer && least && may(asker.caller.role, *least);
    if (asker.is_console() || owner || free_for_all || staff) {
        if (account != nullptr) return wanted;
        return Error{"unknown-customer", "there is no account " + quote(wanted)};
    }
    const Answer refused = refuse(
        asker, verb, asker.caller.session == 0 ? Role::customer : least.value_or(Role::admin));
    return Error{refused.code, refused.text};
}

// --- answers
// --------------------------------------------------------------------------------------

Answer Desk::told(Answer answer) const {
    answer.currency = context_.state.business.settings().currency;
    return answer;
}

void Desk::reply(const Asker& asker, Answer answer) {
    answer = told(std::move(answer));
    if (asker.is_console()) {
        answer_console_(asker.command, std::move(answer));
    } else {
        tell(asker.from, asker.nonce, std::move(answer), 0);
    }
}

void Desk::tell(const Origin& to, uint64_t nonce, Answer answer, uint64_t session) {
    wire::Datagram message;
    wire::Told* out = message.mutable_told();
    out->set_nonce(nonce);
    out->set_session(session);
    to_wire(answer, out->mutable_answer());
    recent_.end(to.party(), *out);
    context_.send(to, std::move(message));
}

Answer Desk::usage(const Asker&, std::string_view verb) const {
    return usage_failure(command_table(), verb);
}

void Desk::start(Job job, Then then) {
    const JobId id = next_job_();
    jobs_.emplace(id, std::move(then));
    context_.effects->start_job(id, std::move(job));
}

bool Desk::on_job(JobId job, JobResult& result) {
    const auto found = jobs_.find(job);
    if (found == jobs_.end()) return false;
    const Then then = std::move(found->second);
    jobs_.erase(found);
    then(result);
    return true;
}

void Desk::look_up(const Asker& asker, Query query,
                   std::function<Answer(const JobResult&)> answer) {
    start(std::move(query), [this, asker, answer = std::move(answer)](JobResult& result) {
        reply(asker, result.outcome ? answer(result) : failure(result.outcome.error()));
    });
}

const std::string* Desk::Options::find(std::string_view name) const {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : &found->second;
}

Result<Desk::Options> Desk::options(const Words& words, std::vector<std::string_view> flags,
                                    std::vector<std::string_view> switches) {
    Options options;
    for (size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        const bool flag = std::find(flags.begin(), flags.end(), word) != flags.end();
        const bool is_switch = std::find(switches.begin(), switches.end(), word) != switches.end();
        if (!flag && !is_switch) {
            if (word.starts_with("--")) {
                return Error{"usage", quote(word) + " is not an option of this command: write: " +
                                          std::string(usage_of(command_table(), words[0]))};
            }
            options.plain.push_back(word);
            continue;
        }
        if (options.values.contains(word) || (flag && i + 1 == words.size())) {
            return Error{"usage", "write: " + std::string(usage_of(command_table(), words[0]))};
        }
        options.values[word] = flag ? words[++i] : "";
    }
    return options;
}

void Desk::carry_out(const Asker& asker, const Words& words) {
    const std::string& verb = words[0];
    const auto alone = [&](auto answer) {
        reply(asker, words.size() == 1 ? answer() : usage(asker, verb));
    };
    if (verb == "products") return reply(asker, products(words));
    if (verb == "search") return reply(asker, search(words));
    if (verb == "add-product") return reply(asker, add_product(words));
    if (verb == "edit-product") return reply(asker, edit_product(words));
    if (verb == "remove-product") return reply(asker, remove_product(words));
    if (verb == "restock") return reply(asker, restock(words));
    if (verb == "services") return alone([&] { return billers(true); });
    if (verb == "bills") return alone([&] { return billers(false); });
    if (verb == "add-biller") return reply(asker, set_biller(words, false));
    if (verb == "remove-biller") return reply(asker, set_biller(words, true));
    if (verb == "settings") return alone([&] { return settings(); });
    if (verb == "set") return reply(asker, set(words));
    if (verb == "purchases") return purchases(asker, words);
    if (verb == "tokens") return tokens(asker, words);
    if (verb == "loans") return loans(asker, words);
    if (verb == "schedule") return schedule(asker, words);
    if (verb == "statement") return statement(asker, words);
    if (verb == "last") return last(asker, words);
    if (verb == "activity") return activity(asker, words);
    if (verb == "report") return report(asker, words);
    if (verb == "import") return import_file(asker, words);
    if (verb == "export" || verb == "save") return export_files(asker, words, verb == "save");
    if (words.size() != 1) return reply(asker, usage(asker, verb));
    refusals(asker);
}

}  // namespace p2pbank::bank
