#include "customer/bank_link.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/core/answer_wire.h"
#include "customer/statements.h"
#include "customer/timing.h"

namespace p2pbank::customer {

BankLink::Request::~Request() {
    if (message.ask().has_secrets()) wipe(*message.mutable_ask()->mutable_secrets());
}

BankLink::BankLink(Context& context, Channels& channels, Session& session, const BankKey& bank_key,
                   RosterBook& rosters, Answered answered, ToldBack told_back)
    : context_(context),
      channels_(channels),
      session_(session),
      bank_key_(bank_key),
      rosters_(rosters),
      answered_(std::move(answered)),
      told_back_(std::move(told_back)),
      opener_(context.random.next() | 1),
      wanted_(context.settings.wanted),
      attach_retry_(timing::kAttachRetry, timing::kQueryMost),
      run_(context.random.next() | 1U) {}

void BankLink::resume() {
    attach_at_ = context_.now;
    State& state = context_.state;
    if (state.phase == Phase::none) return;
    opener_ = state.opener;
    if (state.phase == Phase::opening && !state.offered) {
        Request request;
        request.stage = Stage::asked;
        request.name = state.name;
        request.balance = state.totals.opening;
        request.address = {state.ip, state.port1};
        request.port2 = state.port2;
        request.deadline = TimePoint::max();
        begin(std::move(request));
        ask();
    } else if (state.phase == Phase::exiting) {
        go_on_closing();
    }
}

void BankLink::go_on_closing() {
    Request request;
    request.stage = Stage::asked;
    request.deadline = TimePoint::max();
    wire::Exit* exit = request.message.mutable_command()->mutable_exit();
    exit->set_order(context_.state.exit_order);
    exit->set_empty(context_.state.exit_empty);
    begin(std::move(request));
    ask();
}

void BankLink::begin(Request request) {
    P2PBANK_CHECK(!busy());
    request.nonce = context_.random.next();
    request.retry = Backoff(timing::kRetryFirst, timing::kRetryMost);
    request.at = context_.now;
    if (request.deadline == TimePoint()) request.deadline = context_.now + timing::kBankDeadline;
    request_ = std::move(request);
    if (request_->stage == Stage::probing) send_request();
}

void BankLink::open(CommandId id, const std::string& name, std::optional<Money> balance, Address at,
                    uint16_t port2) {
    Request request;
    request.command = id;
    request.name = name;
    request.balance = balance;
    request.address = at;
    request.port2 = port2;
    begin(std::move(request));
}

void BankLink::new_cohort(CommandId id, uint32_t size) {
    Request request;
    request.command = id;
    request.message.mutable_command()->mutable_new_cohort()->set_size(size);
    begin(std::move(request));
}

void BankLink::delete_cohort(CommandId id, bool force) {
    Request request;
    request.command = id;
    wire::DeleteCohort* end = request.message.mutable_command()->mutable_delete_cohort();
    end->set_force(force);
    end->set_cohort(context_.state.cohort.value());
    begin(std::move(request));
}

void BankLink::ask(CommandId id, wire::Ask question, bool changes, Prepare prepare) {
    Request request;
    request.command = id;
    *request.message.mutable_ask() = std::move(question);
    request.changes = changes;
    request.prepare = std::move(prepare);
    begin(std::move(request));
}

void BankLink::exit(CommandId id, uint64_t order, bool empty) {
    Request request;
    request.command = id;
    request.message.mutable_command()->mutable_exit()->set_order(order);
    request.message.mutable_command()->mutable_exit()->set_empty(empty);
    begin(std::move(request));
}

// The bank is there: now the command itself.
void BankLink::ask() {
    Request& request = *request_;
    if (!request.name.empty() && !begin_opening()) return;
    request.stage = Stage::asked;
    if (request.deadline != TimePoint::max()) request.deadline = context_.now + timing::kBankAnswer;
    request.retry = Backoff(timing::kRetryFirst, timing::kRetryMost);
    if (request.message.has_ask()) {
        const auto prepared = request.prepare(*request.message.mutable_ask());
        if (!prepared) {
            answer(failure(prepared.error()));
            return;
        }
        send_request();
        return;
    }
    wire::Command* command = request.message.mutable_command();
    command->set_request(next_request_++);
    send_request();
}

// Asked before the bank is asked whether it is there, and again when it is: what has begun is
// settled first, and in a cohort others count on what this account still holds.
std::optional<Answer> BankLink::why_not_exit() const {
    const State& state = context_.state;
    if (state.phase == Phase::exiting) return std::nullopt;
    if (state.operation || state.is_suspended()) {
        return failure("busy",
                       "in the middle of a checkpoint or rollback; nothing was changed, try again");
    }
    if (state.in_cohort()) {
        return failure("in-cohort",
                       "the account is in " + state.cohort_name + "; delete-cohort comes first");
    }
    return std::nullopt;
}

// The account is being closed from now on. What is declared then stays the same across restarts:
// they go on in the same epoch, or the bank would cancel the deals that it counts.
wire::SignedStatement BankLink::last_statement() {
    const State& state = context_.state;
    if (!state.exit_statement) {
        const wire::Exit& exit = request_->message.command().exit();
        State::Record record;
        *record.mutable_exiting()->mutable_statement() =
            declare(context_, OperationId(), wire::OPERATION_NONE);
        record.mutable_exiting()->set_order(exit.order());
        record.mutable_exiting()->set_empty(exit.empty());
        context_.commit_with_live(record);
    }
    return *state.exit_statement;
}

// False if it came to nothing here; the command is answered then.
bool BankLink::begin_opening() {
    Request& request = *request_;
    if (context_.state.phase == Phase::none) {
        const auto claimed = context_.effects->claim_store(request.name, context_.key_seed());
        if (!claimed) {
            answer(failure(claimed.error()));
            return false;
        }
        State::Record record;
        auto* opening = record.mutable_opening();
        opening->set_name(request.name);
        opening->set_opening(request.balance->cents());
        opening->set_opener(opener_);
        opening->set_ip(request.address.ip);
        opening->set_port1(request.address.port);
        opening->set_port2(request.port2);
        context_.commit(record);
        start_account(1);
    }
    auto* open = request.message.mutable_command()->mutable_open();
    open->set_name(request.name);
    open->set_balance(static_cast<uint64_t>(request.balance->cents()));
    open->set_ip(request.address.ip);
    open->set_port1(request.address.port);
    open->set_port2(request.port2);
    open->set_opener(opener_);
    if (context_.sealed()) {
        open->set_signing_key(secure::to_bytes(context_.identity.keys().signing));
    }
    session_.authorize(open);
    return true;
}

void BankLink::start_account(uint64_t boots) {
    State::Record record;
    record.mutable_started()->set_boots(boots);
    record.mutable_started()->set_mode(context_.settings.stable == StableMode::checkpoint
                                           ? customer_records::STABLE_CHECKPOINT
                                           : customer_records::STABLE_JOURNAL);
    record.mutable_started()->set_epoch(context_.state.epoch.value());
    record.mutable_started()->set_in_clear(!context_.sealed());
    context_.commit(record);
    context_.courier.identify(context_.state.name, context_.state.boots);
}

void BankLink::give_up_opening() {
    context_.effects->release_store();
    context_.state = State();
    context_.courier.identify("", context_.random.next());
    opener_ = context_.random.next() | 1;
}

void BankLink::send_request() {
    Request& request = *request_;
    request.at = context_.now + request.retry.next(context_.random);
    if (request.stage == Stage::asked) {
        if (request.message.command().has_exit() &&
            !request.message.command().exit().has_statement()) {
            if (auto why_not = why_not_exit()) return answer(std::move(*why_not));
            if (!can_declare(context_)) return;  // again when the bank's key is known
            *request.message.mutable_command()->mutable_exit()->mutable_statement() =
                last_statement();
        }
        context_.send_to_bank(request.message);
        return;
    }
    wire::Datagram probe;
    probe.mutable_probe()->set_nonce(request.nonce);
    context_.send_to_bank(probe);
}

void BankLink::answer(Answer answer) {
    const CommandId command = request_->command;
    request_.reset();
    if (command.value() != 0) answered_(command, std::move(answer));
}

// --- what the bank says
// ---------------------------------------------------------------------------

void BankLink::on_probe(const wire::Probe& probe, uint64_t bank_run) {
    if (!probe.answer()) {
        wire::Datagram reply;
        reply.mutable_probe()->set_nonce(probe.nonce());
        reply.mutable_probe()->set_answer(true);
        context_.send_to_bank(reply);
        return;
    }
    heard_ = true;
    if (!request_ || request_->stage != Stage::probing || request_->nonce != probe.nonce()) return;
    request_->bank_run = bank_run;
    if (!request_->name.empty() && !request_->balance) {
        request_->balance = Money::from_cents(std::max<int64_t>(0, probe.starting_balance()));
    }
    ask();
}

void BankLink::on_told(const wire::Told& told, uint64_t bank_run) {
    heard_ = true;
    if (!request_ || !request_->message.has_ask() ||
        request_->message.ask().nonce() != told.nonce()) {
        return;
    }
    // An earlier run of the bank may have done it: with that run went whose session it was, and
    // that this was asked for before.
    const auto& words = request_->message.ask().words();
    const std::string verb = words.empty() ? "" : words[0];
    const bool said_again = verb == "register" || verb == "sign-in" || verb == "sign-out";
    const Answer told_now = from_wire(told.answer());
    if (request_->changes && !said_again && bank_run != request_->bank_run &&
        told_now.outcome == Outcome::failure) {
        session_.refused(told_now.code);
        Answer result =
            unknown("the bank was started again before it answered; it may have been done or not");
        answer(result.line("now it says: " + told_now.code + ": " + told_now.text));
        return;
    }
    // Each is asked under a number of its own: the bank has had this one, and has forgotten what it
    // answered.
    if (request_->changes && told_now.code == "repeated-request") {
        answer(
            unknown("the bank has had this request before and does not know any more what it "
                    "answered; it may have been done or not"));
        return;
    }
    const CommandId command = request_->command;
    request_.reset();
    told_back_(command, told);
}

void BankLink::on_reply(const wire::Reply& reply) {
    heard_ = true;
    if (!request_ || request_->stage != Stage::asked ||
        request_->message.command().request() != reply.request()) {
        return;
    }
    if (request_->message.command().has_exit()) {
        on_exit_reply(reply);
        return;
    }
    if (!request_->name.empty()) {
        if (reply.success()) {
            State::Record record;
            wire::Totals* totals = record.mutable_opened()->mutable_totals();
            totals->set_balance(context_.state.totals.opening.cents());
            totals->set_opening(totals->balance());
            opened(record);
        } else {
            session_.refused(reply.code());
            give_up_opening();
        }
    }
    Answer result = reply.success() ? success(reply.text()) : failure(reply.code(), reply.text());
    for (const std::string& line : reply.lines()) result.line(line);
    if (reply.success() && !request_->name.empty()) {
        result.fact("name", request_->name).fact("balance", *request_->balance);
    }
    if (request_->command.value() == 0) {
        context_.notice(Severity::info, "what was unknown is now: " +
                                            std::string(reply.success() ? "SUCCESS " : "FAILURE ") +
                                            reply.text());
    }
    answer(std::move(result));
}

void BankLink::on_exit_reply(const wire::Reply& reply) {
    if (!reply.success()) {
        State::Record record;
        record.mutable_exiting()->set_given_up(true);
        context_.commit(record);
        if (request_->command.value() == 0) {
            context_.notice(Severity::info,
                            "the account is not closed, the bank refuses: " + reply.text());
        }
        answer(failure(reply.code(), reply.text()));
        return;
    }
    close_account();
    const Totals& totals = context_.state.totals;
    const char* const verb = request_->message.command().exit().empty() ? "close " : "exit ";
    Answer result = success(verb + context_.state.name + " balance " + to_string(totals.balance));
    result.fact("name", context_.state.name).fact("balance", totals.balance);
    answer(std::move(result));
    context_.effects->stop(0);
}

void BankLink::close_account() {
    State::Record record;
    record.mutable_exited();
    context_.commit(record);
    context_.notice(Severity::info,
                    "the account is closed, balance " + to_string(context_.state.totals.balance));
}

void BankLink::on_report_request(const wire::ReportRequest& request) {
    wire::Datagram message;
    wire::Report* report = message.mutable_report();
    report->set_nonce(request.nonce());
    to_wire(context_.state.totals, report->mutable_totals());
    for (const auto& [peer_name, peer] : context_.state.peers) {
        if (peer.channel != Channel()) {
            wire::Channel* channel = report->add_channels();
            to_wire(peer_name, peer.channel, channel);
            channel->clear_received();  // the sums say enough
        }
        const Money lost = channels_.view(peer).lost_sum;
        if (lost.is_zero()) continue;
        wire::Reason* reason = report->add_lost();
        reason->set_peer(peer_name);
        reason->set_transfers(static_cast<uint64_t>(lost.cents()));
    }
    context_.send_to_bank(message);
}

// --- time
// -----------------------------------------------------------------------------------------

void BankLink::introduced() {
    attach_at_ = std::min(attach_at_, context_.now);
    if (request_) request_->at = std::min(request_->at, context_.now);
}

void BankLink::on_timer() {
    const Phase phase = context_.state.phase;
    if (context_.now >= attach_at_ && phase != Phase::exited) {
        if (phase == Phase::opening && !context_.state.offered) {
            attach_at_ = context_.now + timing::kAttachRefresh;
        } else {
            attach();
        }
    }
    if (bound_ && context_.now >= bound_->deadline) {
        const CommandId command = bound_->command;
        Answer result = std::move(bound_->answer);
        bound_->command = CommandId();
        bound_->deadline = TimePoint::max();
        answered_(command, result.line("the bank has not confirmed it yet to this program; a "
                                       "notice tells when it has"));
    }
    if (!request_ && phase == Phase::exiting) go_on_closing();
    if (!request_) return;
    Request& request = *request_;
    if (context_.now >= request.deadline) {
        if (request.stage == Stage::probing) {
            answer(
                failure(bank_key_.unreachable("the bank at " + to_string(context_.settings.bank) +
                                              " does not answer; nothing was changed")));
            return;
        }
        if (request.message.has_ask()) {
            answer(request.changes
                       ? unknown("the bank has not answered in time; it may have been done or not")
                       : failure(bank_key_.unreachable(
                             "the bank at " + to_string(context_.settings.bank) +
                             " has not answered in time; nothing was changed")));
            return;
        }
        // It may be done or not: it goes on being asked, and what comes of it is told as a notice.
        const CommandId command = request.command;
        request.command = CommandId();
        request.deadline = TimePoint::max();
        if (command.value() != 0) {
            Answer result = unknown("the bank has not answered in time");
            answered_(
                command,
                result.line("it is asked again until it does; a notice tells what became of it"));
        }
    }
    if (context_.now >= request.at) send_request();
}

std::optional<TimePoint> BankLink::next_wake() const {
    if (context_.state.phase == Phase::exited) return std::nullopt;
    TimePoint wake = attach_at_;
    if (request_) wake = std::min({wake, request_->at, request_->deadline});
    if (!request_ && context_.state.phase == Phase::exiting) wake = TimePoint();  // at once
    if (bound_) wake = std::min(wake, bound_->deadline);
    return wake;
}

}  // namespace p2pbank::customer
