#include "tests/fuzz/messages.h"

#include "common/base/words.h"

namespace p2pbank::fuzz {
namespace {

void channel_from(Input& in, wire::Channel* out) {
    out->set_peer(name_from(in));
    out->set_sent_last(in.number());
    out->set_sent_sum(static_cast<int64_t>(in.number()));
    labels_from(in, out->mutable_received());
    out->set_received_sum(static_cast<int64_t>(in.number()));
}

void activity_from(Input& in, wire::Activity* out) {
    out->set_kind(static_cast<uint32_t>(in.number()));
    out->set_what(name_from(in));
    out->set_number(in.number());
    out->set_amount(static_cast<int64_t>(in.number()));
    out->set_balance(static_cast<int64_t>(in.number()));
    out->set_at_ms(in.number());
    out->set_note(std::string(in.piece().substr(0, 200)));
}

// Whoever says it puts in the name, and signs.
void statement_from(Input& in, const Totals& known, wire::Statement statement,
                    wire::SignedStatement* out) {
    statement.set_number(in.below(8) == 0 ? in.number() : 1);
    if (in.below(8) == 0) statement.set_previous(std::string(in.piece()));
    statement.set_cohort(in.below(3));
    statement.set_epoch(in.below(8) == 0 ? in.number() : 1);
    *statement.mutable_totals() = totals_from(in, known);
    for (size_t count = in.below(3); count > 0; --count) {
        activity_from(in, statement.add_activity());
    }
    statement.set_activity_left_out(in.number());
    out->set_statement(statement.SerializeAsString());
}

void member_from(Input& in, wire::Member* out) {
    out->set_name(name_from(in));
    out->set_ip(0x7f000001);
    out->set_port2(static_cast<uint32_t>(9'000 + in.below(16)));
    out->set_epoch(in.number());
}

// Of members that could be; whoever says it puts in their keys, and signs.
void roster_from(Input& in, uint64_t cohort, wire::Roster* out) {
    wire::RosterBody body;
    body.set_cohort(cohort);
    body.set_cohort_name("cohort-" + std::to_string(cohort));
    for (const char* name : {"alice", "bob", "carol", "dave"}) {
        if (in.below(8) == 0) continue;
        member_from(in, body.add_members());
        body.mutable_members()->rbegin()->set_name(name);
    }
    if (in.below(8) == 0) member_from(in, body.add_members());
    out->set_body(body.SerializeAsString());
}

std::string what_from(Input& in) {
    constexpr const char* kWhat[] = {"lamp-1", "mug", "Electricity", "netflix", "Rent",
                                     "1",      "2",   "3",           "",        "4"};
    return in.below(16) == 0 ? std::string(in.piece()) : std::string(in.pick(kWhat));
}

void participants_from(Input& in, wire::DecisionRequest* out) {
    constexpr const char* kSets[][2] = {{"alice", ""}, {"bob", ""}, {"alice", "bob"}, {"", ""}};
    for (const char* name : kSets[in.below(4)]) {
        if (*name != '\0') out->add_participants(name);
    }
    for (size_t count = in.below(3); count > 0; --count) {
        wire::RolledBack* rolled = out->add_rolled_back();
        rolled->set_name(name_from(in));
        rolled->set_epoch(in.number());
    }
}

}  // namespace

wire::OperationKind kind_from(Input& in) {
    return static_cast<wire::OperationKind>(in.below(5));
}

void labels_from(Input& in, google::protobuf::RepeatedField<uint64_t>* out) {
    for (size_t count = in.below(4) * 2 + in.below(8) / 7; count > 0; --count) {
        out->Add(in.below(4) == 0 ? in.number() : in.below(3));
    }
}

uint32_t deadline_from(Input& in) {
    return in.below(4) == 0 ? static_cast<uint32_t>(in.number()) : 2'000;
}

std::string name_from(Input& in) {
    constexpr const char* kNames[] = {"alice", "bob",   "carol", "dave", "erin",
                                      "bank",  "Alice", "",      "zoe",  "bob"};
    return in.below(32) == 0 ? std::string(in.piece()) : std::string(in.pick(kNames));
}

void operation_from(Input& in, const Heard& heard, wire::OperationId* out) {
    if (in.coin()) {
        *out = heard.operation;
        return;
    }
    constexpr const char* kInitiators[] = {"alice",         "bob",  "carol", "bank:cohort-1",
                                           "bank:cohort-2", "dave", ""};
    out->set_initiator(in.pick(kInitiators));
    out->set_epoch(in.below(4));
    out->set_counter(in.below(6));
}

void remember(const wire::Datagram& datagram, Heard& heard) {
    heard.instance = datagram.instance();
    if (datagram.cohort() != 0) heard.cohort = datagram.cohort();
    if (datagram.epoch() != 0) heard.epoch = datagram.epoch();
    if (datagram.has_ask()) heard.ask = datagram.ask();
    if (datagram.has_deal()) heard.deal = datagram.deal();
    if (datagram.has_command()) heard.command = datagram.command();
    if (datagram.has_probe() && !datagram.probe().answer()) heard.probe = datagram.probe().nonce();
    if (datagram.has_report_request()) heard.probe = datagram.report_request().nonce();
    const wire::OperationId* operation =
        datagram.has_checkpoint_request() ? &datagram.checkpoint_request().operation()
        : datagram.has_rollback_request() ? &datagram.rollback_request().operation()
        : datagram.has_settle()           ? &datagram.settle().operation()
        : datagram.has_operation_begin()  ? &datagram.operation_begin().operation()
        : datagram.has_decision_request() ? &datagram.decision_request().operation()
        : datagram.has_decision_query()   ? &datagram.decision_query().operation()
        : datagram.has_join_request()     ? &datagram.join_request().operation()
        : datagram.has_freeze_request()   ? &datagram.freeze_request().operation()
        : datagram.has_decision()         ? &datagram.decision().operation()
                                          : nullptr;
    if (operation != nullptr) heard.operation = *operation;
}

wire::Totals totals_from(Input& in, const Totals& known) {
    wire::Totals totals;
    to_wire(known, &totals);
    const auto more = static_cast<int64_t>(in.number() % 1'000'000'000);
    if (in.coin()) {
        totals.set_deposits(totals.deposits() + more);
        totals.set_balance(totals.balance() + more);
    } else if (more <= totals.balance()) {
        totals.set_withdrawals(totals.withdrawals() + more);
        totals.set_balance(totals.balance() - more);
    }
    if (in.below(16) == 0) totals.set_dealings(static_cast<int64_t>(in.number()));
    if (in.below(32) == 0) totals.set_balance(static_cast<int64_t>(in.number()));
    if (in.below(32) == 0) totals.set_opening(static_cast<int64_t>(in.number()));
    return totals;
}

wire::Datagram to_bank(Input& in, const Heard& heard, const Totals& known) {
    wire::Datagram message;
    message.set_epoch(in.below(8) == 0 ? in.number() : 1);
    message.set_cohort(in.below(8) == 0 ? in.number() : 1);
    switch (in.below(13)) {
        case 0: {
            wire::Attach* attach = message.mutable_attach();
            attach->set_ip(0x7f000001);
            attach->set_port1(static_cast<uint32_t>(9'001 + in.below(8)));
            attach->set_port2(static_cast<uint32_t>(in.number()));
            attach->set_opener(in.number());
            if (in.coin()) attach->set_wanted(name_from(in));
            break;
        }
        case 1: {
            wire::Settle* settle = message.mutable_settle();
            operation_from(in, heard, settle->mutable_operation());
            settle->set_kind(in.coin() ? wire::OPERATION_CHECKPOINT : kind_from(in));
            wire::Statement statement;
            *statement.mutable_operation() = settle->operation();
            statement.set_kind(settle->kind());
            for (size_t count = in.below(3) / 2; count > 0; --count) {
                channel_from(in, statement.add_channels());
            }
            statement_from(in, known, statement, settle->mutable_statement());
            break;
        }
        case 2:
            operation_from(in, heard, message.mutable_settle_refused()->mutable_operation());
            message.mutable_settle_refused()->set_code("busy");
            break;
        case 3:
            operation_from(in, heard, message.mutable_operation_begin()->mutable_operation());
            message.mutable_operation_begin()->set_kind(kind_from(in));
            break;
        case 4: {
            wire::DecisionRequest* request = message.mutable_decision_request();
            operation_from(in, heard, request->mutable_operation());
            request->set_kind(kind_from(in));
            participants_from(in, request);
            break;
        }
        case 5:
            operation_from(in, heard, message.mutable_decision_query()->mutable_operation());
            message.mutable_decision_query()->set_kind(kind_from(in));
            break;
        case 6:
            operation_from(in, heard, message.mutable_decision_ack()->mutable_operation());
            break;
        case 7: {
            wire::Report* report = message.mutable_report();
            report->set_nonce(heard.probe);
            *report->mutable_totals() = totals_from(in, known);
            if (in.coin()) channel_from(in, report->add_channels());
            if (in.below(4) == 0) {
                wire::Reason* lost = report->add_lost();
                lost->set_peer(name_from(in));
                lost->set_transfers(in.number());
            }
            break;
        }
        case 8:
            message.mutable_cohort_ended_ack()->set_cohort(in.below(4));
            break;
        case 9: {
            wire::Command* command = message.mutable_command();
            command->set_request(in.number());
            const size_t verb = in.below(4);
            if (verb == 0) {
                wire::Open* open = command->mutable_open();
                open->set_name(name_from(in));
                open->set_balance(in.number());
                open->set_ip(0x7f000001);
                open->set_port1(static_cast<uint32_t>(9'001 + in.below(8)));
                open->set_port2(9'100);
                open->set_opener(in.number());
            } else if (verb == 1) {
                command->mutable_new_cohort()->set_size(static_cast<uint32_t>(in.number()));
            } else if (verb == 2) {
                command->mutable_delete_cohort()->set_force(in.coin());
            } else {
                wire::Exit* exit = command->mutable_exit();
                exit->set_order(in.number());
                exit->set_empty(in.coin());
                statement_from(in, known, {}, exit->mutable_statement());
            }
            break;
        }
        case 10: {
            wire::Deal* deal = message.mutable_deal();
            deal->set_number(in.below(6));
            deal->set_nonce(in.number());
            deal->set_kind(static_cast<wire::DealKind>(in.below(6)));
            deal->set_what(what_from(in));
            deal->set_quantity(in.number());
            deal->set_amount(static_cast<int64_t>(in.number()));
            deal->set_months(static_cast<uint32_t>(in.number()));
            break;
        }
        case 11:
            message.mutable_roster_request()->set_cohort(in.below(3));
            break;
        default:
            message.mutable_probe()->set_nonce(in.coin() ? heard.probe : in.number());
            message.mutable_probe()->set_answer(in.coin());
    }
    return message;
}

namespace {

void deal_reply_from(Input& in, const Heard& heard, wire::DealReply* reply) {
    const bool wild = in.below(8) == 0;
    reply->set_number(wild ? in.number() : heard.deal.number());
    reply->set_nonce(wild ? in.number() : heard.deal.nonce());
    reply->set_epoch(wild ? in.number() : heard.epoch);
    reply->set_accepted(in.below(4) != 0);
    reply->set_code("out-of-stock");
    reply->set_order(in.number());
    reply->set_amount(in.below(4) == 0 ? static_cast<int64_t>(in.number())
                                       : static_cast<int64_t>(in.below(100)) * 100);
    reply->set_what(heard.deal.what());
    reply->set_name(std::string(in.piece()));
    reply->set_has_token(in.coin());
}

void told_from(Input& in, const Heard& heard, wire::Told* told) {
    told->set_nonce(in.below(8) == 0 ? in.number() : heard.ask.nonce());
    wire::AnswerText* answer = told->mutable_answer();
    answer->set_outcome(static_cast<uint32_t>(in.below(4)));
    answer->set_text(std::string(in.piece()));
    answer->set_code("not-signed-in");
    answer->set_currency("R");
    if (in.coin()) answer->add_lines("token \x01" + std::string(in.piece()));
    wire::AnswerFact* fact = answer->add_facts();
    fact->set_name("name");
    fact->set_value(std::string(in.piece()));
    fact->set_is_number(in.coin());
    told->set_session(in.coin() ? in.number() : 0);
}

// What the bank says of an account: whatever it is, it adds up.
wire::Totals true_totals(Input& in, const Totals& known) {
    const auto cents = in.coin() ? static_cast<int64_t>(in.number()) : known.balance.cents();
    wire::Totals totals;
    totals.set_balance(std::max<int64_t>(0, cents));
    totals.set_opening(totals.balance());
    return totals;
}

void end_from(Input& in, const Heard& heard, const Totals& known, wire::CohortEnded* ended) {
    ended->set_cohort(in.below(8) == 0 ? in.number() : 1);
    *ended->mutable_totals() = true_totals(in, known);
    if (in.coin()) operation_from(in, heard, ended->mutable_operation());
}

}  // namespace

wire::Datagram from_bank(Input& in, const Heard& heard, const Totals& known) {
    wire::Datagram message;
    switch (in.below(17)) {
        case 0: {
            wire::Reply* reply = message.mutable_reply();
            reply->set_request(in.below(8) == 0 ? in.number() : heard.command.request());
            reply->set_success(in.below(4) != 0);
            reply->set_code("busy");
            reply->set_text(std::string(in.piece()));
            break;
        }
        case 1: {
            wire::AttachReply* reply = message.mutable_attach_reply();
            reply->set_known(in.below(16) != 0);
            reply->set_exited(in.below(16) == 0);
            reply->set_cohort(in.below(3));
            reply->set_adjustments(static_cast<int64_t>(in.number()));
            reply->set_epoch(in.below(16) == 0 ? in.number() : 0);
            reply->set_other_key(in.below(16) == 0);
            *reply->mutable_totals() = true_totals(in, known);
            break;
        }
        case 2:
            operation_from(in, heard, message.mutable_settle_ack()->mutable_operation());
            message.mutable_settle_ack()->set_accepted(in.below(4) != 0);
            break;
        case 3:
            operation_from(in, heard, message.mutable_operation_begun()->mutable_operation());
            message.mutable_operation_begun()->set_accepted(in.below(4) != 0);
            break;
        case 4:
            operation_from(in, heard, message.mutable_decision()->mutable_operation());
            message.mutable_decision()->set_commit(in.coin());
            message.mutable_decision()->set_kind(kind_from(in));
            break;
        case 5:
            message.mutable_report_request()->set_nonce(in.number());
            break;
        case 6:
            roster_from(in, 1, message.mutable_roster());
            break;
        case 7: {
            wire::JoinRequest* join = message.mutable_join_request();
            operation_from(in, heard, join->mutable_operation());
            join->set_cohort(in.below(4));
            join->set_cohort_name("cohort-" + std::to_string(join->cohort()));
            join->set_deadline_ms(deadline_from(in));
            break;
        }
        case 8: {
            wire::CohortStarted* started = message.mutable_cohort_started();
            operation_from(in, heard, started->mutable_operation());
            roster_from(in, in.below(4), started->mutable_roster());
            break;
        }
        case 9: {
            wire::FreezeRequest* freeze = message.mutable_freeze_request();
            operation_from(in, heard, freeze->mutable_operation());
            freeze->set_cohort(1);
            freeze->set_deadline_ms(deadline_from(in));
            break;
        }
        case 10:
            end_from(in, heard, known, message.mutable_cohort_ended());
            break;
        case 11:
            message.mutable_exit_order()->set_nonce(in.number());
            break;
        case 12:
            message.mutable_account_offer()->set_name(name_from(in));
            break;
        case 13:
            told_from(in, heard, message.mutable_told());
            break;
        case 14:
            deal_reply_from(in, heard, message.mutable_deal_reply());
            break;
        case 15:
            operation_from(in, heard, message.mutable_evidence_request()->mutable_operation());
            message.mutable_evidence_request()->set_peer(name_from(in));
            message.mutable_evidence_request()->set_above(in.below(6));
            break;
        default: {
            wire::Probe* probe = message.mutable_probe();
            probe->set_nonce(in.below(8) == 0 ? in.number() : heard.probe);
            probe->set_answer(in.below(4) != 0);
            probe->set_starting_balance(in.coin() ? 1'000'000 : static_cast<int64_t>(in.number()));
        }
    }
    return message;
}

}  // namespace p2pbank::fuzz
