#include "common/core/describe.h"

#include "common/base/ids.h"
#include "common/base/interval_set.h"
#include "common/wire/convert.h"

namespace p2pbank {
namespace {

std::string labels(const WireLabels& wire_labels) {
    const auto set = from_wire(wire_labels);
    return set ? to_string(*set) : "?";
}

std::string transfers(const wire::Transfers& t) {
    IntervalSet set;
    uint64_t label = t.first_label();
    for (int i = 0; i < t.amounts_size(); ++i) {
        if (t.gaps_size() > 0) {
            label += i < t.gaps_size() ? t.gaps(i) : 0;
        } else if (i > 0) {
            ++label;
        }
        if (label == 0 || label > kMaxLabel) return "transfers ?";
        set.add(Label(label));
    }
    return "transfers " + to_string(set);
}

template <class WithOperation>
std::string operation(const char* what, const WithOperation& message) {
    return std::string(what) + " " + to_string(from_wire(message.operation()));
}

std::string decision(const char* what, const wire::Decision& d) {
    return std::string(what) + (d.commit() ? " commit " : " abort ") +
           to_string(from_wire(d.operation()));
}

std::string more_of_peers(const wire::Datagram& d) {
    if (d.has_outcome_ack()) return operation("outcome ack", d.outcome_ack());
    if (d.has_signed_()) return "signs " + std::to_string(d.signed_().digests_size());
    if (d.has_sign_request()) return "ask to sign " + labels(d.sign_request().labels());
    if (d.has_epoch_proof()) return "proof of epoch " + std::to_string(d.epoch_proof().epoch());
    return "";
}

std::string of_peers(const wire::Datagram& d) {
    if (d.has_transfers()) return transfers(d.transfers()) + (d.has_ack() ? " and ack" : "");
    if (d.has_ack()) return "ack " + labels(d.ack().received());
    if (d.has_epoch_notice()) return "epoch " + std::to_string(d.epoch());
    if (d.has_epoch_confirm()) return "confirm epoch " + std::to_string(d.epoch_confirm().epoch());
    if (d.has_checkpoint_request()) {
        return operation("checkpoint request", d.checkpoint_request()) + " label " +
               std::to_string(d.checkpoint_request().label());
    }
    if (d.has_rollback_request()) {
        return operation("rollback request", d.rollback_request()) + " label " +
               std::to_string(d.rollback_request().label());
    }
    if (d.has_vote()) return operation(d.vote().yes() ? "vote yes" : "vote no", d.vote());
    if (d.has_outcome()) return decision("outcome", d.outcome());
    return more_of_peers(d);
}

std::string to_bank(const wire::Datagram& d) {
    if (d.has_command()) return "command " + std::to_string(d.command().request());
    if (d.has_attach()) return "attach";
    if (d.has_settle()) return operation("settle", d.settle());
    if (d.has_settle_refused()) return operation("settle refused", d.settle_refused());
    if (d.has_operation_begin()) return operation("begin", d.operation_begin());
    if (d.has_decision_request()) return operation("ask for commit", d.decision_request());
    if (d.has_decision_query()) return operation("ask for decision", d.decision_query());
    if (d.has_decision_ack()) return operation("decision ack", d.decision_ack());
    if (d.has_report()) return "report";
    if (d.has_cohort_ended_ack()) return "cohort ended ack";
    if (d.has_roster_request()) return "ask for roster";
    if (d.has_evidence()) return operation("evidence", d.evidence());
    // Not the words of an ask: whom it concerns is nobody else's business.
    if (d.has_ask()) return "ask";
    if (d.has_deal()) {
        return d.deal().number() == 0 ? "question about a deal"
                                      : "deal " + std::to_string(d.deal().number());
    }
    return "";
}

std::string of_bank(const wire::Datagram& d) {
    if (d.has_reply()) return "reply " + std::to_string(d.reply().request());
    if (d.has_attach_reply()) return "attach reply";
    if (d.has_settle_ack()) {
        return operation(d.settle_ack().accepted() ? "settled" : "not settled", d.settle_ack());
    }
    if (d.has_operation_begun()) return operation("begun", d.operation_begun());
    if (d.has_decision()) return decision("decision", d.decision());
    if (d.has_report_request()) return "ask for report";
    if (d.has_roster()) return "roster";
    if (d.has_join_request()) return operation("join", d.join_request());
    if (d.has_cohort_started()) return operation("cohort started", d.cohort_started());
    if (d.has_freeze_request()) return operation("freeze", d.freeze_request());
    if (d.has_cohort_ended()) return "cohort ended";
    if (d.has_exit_order()) return "exit order";
    if (d.has_account_offer()) return "account offer";
    if (d.has_told()) return "told";
    if (d.has_evidence_request()) return operation("ask for evidence", d.evidence_request());
    if (d.has_deal_reply()) {
        const wire::DealReply& reply = d.deal_reply();
        return std::string(reply.accepted() ? "accepts" : "refuses") +
               (reply.number() == 0 ? " the question" : " deal " + std::to_string(reply.number()));
    }
    return "";
}

}  // namespace

std::string describe(const wire::Datagram& d) {
    if (d.has_hello()) return "hello";
    if (d.has_probe()) return d.probe().answer() ? "probe answer" : "probe";
    if (d.has_fragment()) {
        return "part " + std::to_string(d.fragment().index() + 1) + " of " +
               std::to_string(d.fragment().count());
    }
    if (d.has_fragment_ack()) return "part ack";
    for (const auto& text : {of_peers(d), to_bank(d), of_bank(d)}) {
        if (!text.empty()) return text;
    }
    return "nothing";
}

}  // namespace p2pbank
