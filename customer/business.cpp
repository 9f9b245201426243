// Deals with the bank, and commands that are passed on to it. Part of Customer.
#include "customer/business.h"

#include <algorithm>
#include <array>

#include "common/base/names.h"
#include "common/base/words.h"
#include "common/core/answer_wire.h"
#include "common/core/command_table.h"
#include "customer/command_list.h"
#include "customer/customer.h"
#include "customer/statements.h"
#include "customer/timing.h"

namespace p2pbank {

using namespace customer;

namespace {

constexpr std::array<std::string_view, 13> kQuestions = {
    "products", "search", "purchases", "services", "bills",    "tokens",  "loans",
    "schedule", "report", "people",    "settings", "refusals", "activity"};
constexpr std::array<std::string_view, 14> kChanges = {
    "register", "verify",      "sign-in",       "sign-out",
    "passwd",   "add-product", "edit-product",  "remove-product",
    "restock",  "add-biller",  "remove-biller", "role",
    "set",      "bind"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& verbs, std::string_view verb) {
    return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

Answer usage(std::string_view verb) {
    return usage_failure(command_table(), verb);
}

// A positive whole number. Errors: `code`.
Result<uint64_t> parse_whole(std::string_view text, const char* code, const char* what,
                             uint64_t most) {
    const bool digits = !text.empty() && text.size() <= 15 &&
                        text.find_first_not_of("0123456789") == std::string_view::npos;
    uint64_t value = 0;
    if (digits) {
        for (const char c : text) value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    if (!digits || value == 0 || value > most) {
        return Error{code, quote(text) + " is not " + what + ": write a whole number from 1 to " +
                               std::to_string(most)};
    }
    return value;
}

std::string_view verb_of(wire::DealKind kind) {
    switch (kind) {
        case wire::DEAL_PURCHASE:
            return "buy";
        case wire::DEAL_PAYMENT:
            return "pay";
        case wire::DEAL_LOAN:
            return "loan";
        default:
            return "repay";
    }
}

// "buy apple quantity 3 amount 30 order 12 settled balance 70"
Answer deal_answer(const OpenDeal& deal, const wire::DealReply& reply, bool settled,
                   Money balance) {
    const std::string order = std::to_string(reply.order());
    const Money amount =
        deal.amount.is_negative() ? must_subtract(Money(), deal.amount) : deal.amount;
    std::string text(verb_of(deal.kind));
    text += " " + (deal.kind == wire::DEAL_LOAN ? order : deal.what);
    if (deal.kind == wire::DEAL_PURCHASE) text += " quantity " + std::to_string(deal.quantity);
    text += " amount " + to_string(amount);
    if (deal.kind == wire::DEAL_LOAN) {
        text += " months " + std::to_string(deal.months);
    } else {
        text += " order " + order;
    }
    text += settled ? " settled" : " pending";
    text += " balance " + to_string(balance);
    Answer answer = success(std::move(text));
    if (deal.kind == wire::DEAL_LOAN) {
        answer.fact("loan", reply.order());
    } else {
        answer.fact("what", deal.what);
    }
    answer.fact("amount", amount).fact("order", reply.order());
    if (deal.kind == wire::DEAL_PURCHASE) answer.fact("quantity", deal.quantity);
    if (deal.kind == wire::DEAL_LOAN) answer.fact("months", uint64_t(deal.months));
    answer.fact("state", settled ? "settled" : "pending").fact("balance", balance);
    if (!reply.text().empty()) answer.line(reply.text());
    return answer;
}

}  // namespace

bool is_deal(std::string_view verb) {
    return verb == "buy" || verb == "pay" || verb == "loan" || verb == "repay";
}

bool is_passed_on(std::string_view verb) {
    return contains(kQuestions, verb) || contains(kChanges, verb);
}

bool changes_the_bank(std::string_view verb) {
    return contains(kChanges, verb);
}

// --- deals
// ----------------------------------------------------------------------------------------

bool Customer::start_deal(CommandId id, const Words& words) {
    if (context_.state.phase == Phase::open &&
        (operations_.busy() || context_.state.is_suspended())) {
        return false;
    }
    if (auto refused = begin_deal(id, words)) answer(id, std::move(*refused));
    return true;
}

// Nothing if the deal is under way; otherwise why not.
std::optional<Answer> Customer::begin_deal(CommandId id, const Words& words) {
    const std::string_view verb = words[0];
    if (words.size() != 3) return usage(verb);
    if (auto why_not = why_not_settle()) return why_not;
    if (context_.state.phase != Phase::open) {
        return context_.state.phase == Phase::none
                   ? no_account()
                   : failure("no-account", "the account is not open");
    }
    const std::string what(words[1]);
    if (verb == "buy") {
        const auto quantity =
            parse_whole(words[2], "bad-quantity", "a quantity", limits::kMaxQuantity);
        if (!quantity) return failure(quantity.error());
        deals_.begin(id, wire::DEAL_PURCHASE, what, quantity.value(), Money(), 0);
        return std::nullopt;
    }
    const auto amount = parse_amount(verb == "loan" ? words[1] : words[2], Zero::refused);
    if (!amount) return failure(amount.error());
    if (verb == "pay") {
        deals_.begin(id, wire::DEAL_PAYMENT, what, 0, amount.value(), 0);
    } else if (verb == "repay") {
        deals_.begin(id, wire::DEAL_REPAYMENT, what, 0, amount.value(), 0);
    } else {
        const auto months =
            parse_whole(words[2], "bad-months", "a number of months", limits::kMaxLoanMonths);
        if (!months) return failure(months.error());
        deals_.begin(id, wire::DEAL_LOAN, "", 0, amount.value(),
                     static_cast<uint32_t>(months.value()));
    }
    return std::nullopt;
}

void Customer::deal_ended(const Deals::Outcome& outcome) {
    if (outcome.answer) {
        if (outcome.answer->outcome == Outcome::failure) session_.refused(outcome.answer->code);
        if (outcome.command.value() != 0) answer(outcome.command, *outcome.answer);
        pump_due_ = true;
        return;
    }
    // In a cohort a deal is settled by the next checkpoint, but a token is shown only when it is:
    // that takes one. Outside of a cohort the checkpoint concerns nobody else.
    const bool checkpoint_now = !context_.state.in_cohort() || outcome.reply.has_token();
    if (outcome.command.value() == 0) {
        pump_due_ = true;
        return;
    }
    if (!checkpoint_now) {
        Answer made =
            deal_answer(outcome.deal, outcome.reply, false, context_.state.totals.balance);
        answer(outcome.command,
               std::move(made.line("it settles with the next checkpoint; a rollback cancels it")));
        pump_due_ = true;
        return;
    }
    own_.emplace();
    own_->command = outcome.command;
    own_->kind = wire::OPERATION_CHECKPOINT;
    own_->deadline = context_.now + timing::kCommandDeadline;
    own_->pause = Backoff(timing::kBusyFirst, timing::kBusyMost);
    const State& state = context_.state;
    own_->deal = MadeDeal{outcome.deal, outcome.reply, state.activity.count() - 1, state.epoch,
                          state.cohort};
    try_operation();
}

// The checkpoint for a deal has come to an end.
void Customer::deal_settled(CommandId id, const MadeDeal& made, const Answer& checkpoint) {
    const Money balance = context_.state.totals.balance;
    const uint64_t order = made.reply.order();
    const auto& log = context_.state.activity;
    // Another customer's rollback may have come before the checkpoint, or its checkpoint.
    bool is_found = false;
    bool is_there = false;
    bool is_settled = false;
    for (uint64_t i = log.count(); i > log.dropped; --i) {
        const ActivityEntry& entry = log.entries[i - 1 - log.dropped];
        if (entry.number != order || !entry.is_deal()) continue;
        is_found = true;
        is_there = !entry.rolled_back;
        is_settled = is_there && i - 1 < log.settled;
        break;
    }
    // So much has arrived since then that its line is no longer kept.
    if (!is_found && made.line < log.dropped) {
        const State& state = context_.state;
        if (state.epoch != made.epoch || state.cohort != made.cohort) {
            answer(id, unknown("order " + std::to_string(order) +
                               " was accepted; whether a rollback has cancelled it since then is "
                               "no longer known here: `activity` shows it"));
            return;
        }
        is_there = true;
        is_settled = made.line < log.settled;
    }
    if (!is_there) {
        answer(id, failure("rolled-back", "a rollback cancelled order " + std::to_string(order) +
                                              " before it was settled; the money is back"));
        return;
    }
    Answer result = deal_answer(made.deal, made.reply, is_settled, balance);
    if (!is_settled) {
        const bool in_doubt = checkpoint.outcome == Outcome::unknown;
        result.line(in_doubt ? "the checkpoint that settles it has no decision yet; a notice tells "
                               "what became of that"
                             : "the checkpoint that would settle it did not come about (" +
                                   checkpoint.code + "); it settles with the next one");
        if (made.reply.has_token()) result.line("`tokens` shows its token when it has settled");
        answer(id, std::move(result));
        return;
    }
    if (!made.reply.has_token() || bank_link_.busy()) {
        if (made.reply.has_token()) result.line("`tokens` shows its token");
        answer(id, std::move(result));
        return;
    }
    token_wanted_ = TokenWanted{id, std::move(result)};
    pass_on(id, {"tokens", "--order", std::to_string(order)});
}

// --- what is passed on
// ----------------------------------------------------------------------------

void Customer::start_ask(CommandId id, std::string_view line) {
    auto words = split_quoted(line);
    if (!words) return answer(id, failure(words.error()));
    if (!Session::handles(words.value()[0])) {
        if (context_.other_key) return answer(id, other_key());
        pass_on(id, std::move(words).value());
        return;
    }
    const auto questions = session_.begin(id, words.value());
    if (!questions) return answer(id, failure(questions.error()));
    if (questions.value().empty()) {
        pass_on_sealed(id);
        return;
    }
    typing_ = id;
    context_.effects->ask(id, questions.value());
}

void Customer::on_typed(TimePoint now, CommandId id, Result<std::vector<Secret>> typed,
                        Effects& effects) {
    at(now, effects);
    if (typing_ != id) return;
    typing_.reset();
    const auto checked = session_.typed(id, std::move(typed));
    if (checked && bank_link_.busy()) {  // the bank has offered an account meanwhile
        session_.gave_up(id);
        answer(id, failure("busy", "the account is being opened; try again"));
    } else if (checked) {
        pass_on_sealed(id);
    } else {
        answer(id, failure(checked.error()));
    }
    pump();
}

void Customer::pass_on(CommandId id, std::vector<std::string> words) {
    wire::Ask ask;
    for (std::string& word : words) ask.add_words(std::move(word));
    const bool changes = changes_the_bank(ask.words(0));
    bank_link_.ask(id, std::move(ask), changes, [this](wire::Ask& question) {
        question.set_nonce(context_.random.next());
        if (question.words(0) == "bind" && context_.sealed()) {
            question.set_signing_key(secure::to_bytes(context_.identity.keys().signing));
            say_how_far(context_.state, question);
        }
        session_.authorize(&question);
        return Result<void>();
    });
}

void Customer::pass_on_sealed(CommandId id) {
    bank_link_.ask(id, {}, true, [this, id](wire::Ask& question) {
        auto made = session_.request(id);
        if (!made) return Result<void>(made.error());
        question = std::move(made).value();
        return Result<void>();
    });
}

void Customer::told(CommandId id, const wire::Told& told) {
    Answer result = session_.is_under_way(id) ? session_.told(id, told) : from_wire(told.answer());
    if (result.outcome == Outcome::failure) session_.refused(result.code);
    if (binding_ && binding_->first == id) {
        const std::string name = std::move(binding_->second);
        binding_.reset();
        if (result.outcome == Outcome::success) {
            bank_link_.bound(id, name, std::move(result));
            return;
        }
    }
    if (token_wanted_ && token_wanted_->command == id) {
        Answer paid = std::move(token_wanted_->answer);
        token_wanted_.reset();
        bool shown = false;
        for (const Answer::Fact& fact : result.facts) {
            if (fact.name != "token") continue;
            paid.line("token " + fact.value).facts.push_back(fact);
            shown = true;
        }
        if (!shown) paid.line("`tokens` shows its token");
        result = std::move(paid);
    }
    answer(id, std::move(result));
    pump();
}

// The bank binds the key of whoever asks.
void Customer::start_bind(CommandId id, const Words& words) {
    if (words.size() != 2) return answer(id, usage("bind"));
    const auto name = check_name(words[1]);
    if (!name) return answer(id, failure(name.error()));
    if (!context_.sealed()) {
        return answer(id, failure("not-allowed", "with --insecure accounts have no keys"));
    }
    const State& state = context_.state;
    const bool closes = state.phase == Phase::exiting && context_.other_key;
    if (state.phase != Phase::none && state.phase != Phase::open && !closes) {
        check_account(id);
        return;
    }
    if (state.phase != Phase::none && words[1] != state.name) {
        return answer(id,
                      failure("has-account", "this program has account " + state.name +
                                                 "; start another one to bind " + quote(words[1])));
    }
    if (state.phase == Phase::none) {
        // The account would have its place here: is it free? Taken when the bank gives it.
        const auto free = context_.effects->claim_store(words[1], context_.key_seed());
        if (!free) {
            const std::string what_to_do =
                free.error().code == "state-exists"
                    ? ". If that state is lost or old, move its folder away and type this again: "
                      "the account then stands at its last settled balance"
                    : "";
            return answer(id, failure(free.error().code,
                                      free.error().message + "; nothing was changed" + what_to_do));
        }
        context_.effects->release_store();
    }
    binding_ = {id, std::string(words[1])};
    pass_on(id, {"bind", std::string(words[1])});
}

// Nothing if the bank can settle for this account; otherwise why not.
std::optional<Answer> Customer::why_not_settle() const {
    if (context_.other_key) return other_key();
    if (context_.bank_behind) {
        return failure("bank-behind", "nothing was changed: " + bank_is_behind(context_));
    }
    return std::nullopt;
}

Answer Customer::other_key() const {
    const std::string& name = context_.state.name;
    return failure("other-key", "the bank knows account " + name +
                                    " with another key than this program's; nothing was changed. "
                                    "If this is the newest copy of its state, sign in as its "
                                    "owner (sign-in <email>) and type: bind " +
                                    name);
}

void Customer::start_close(CommandId id, const Words& words) {
    if (words.size() > 2) return answer(id, usage("close"));
    if (words.size() == 2 && !check_own_name(id, words[1])) return;
    if (!check_account(id)) return;
    if (auto why_not = why_not_settle()) return answer(id, std::move(*why_not));
    const State& state = context_.state;
    if (auto why_not = bank_link_.why_not_exit()) return answer(id, std::move(*why_not));
    if (!state.totals.balance.is_zero()) {
        return answer(id,
                      failure("has-balance", "the balance is " + to_string(state.totals.balance) +
                                                 ": withdraw it first"));
    }
    bank_link_.exit(id, 0, true);
}

void Customer::on_job(TimePoint now, JobId job, JobResult result, Effects& effects) {
    at(now, effects);
    bank_key_.on_job(job, result);
}

}  // namespace p2pbank
