#include "customer/statements.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/core/digest.h"
#include "common/wire/convert.h"

namespace p2pbank::customer {

bool can_declare(const Context& context) {
    return !context.sealed() || context.bank_keys.has_value();
}

wire::SignedStatement declare(const Context& context, const OperationId& id,
                              wire::OperationKind kind) {
    const State& state = context.state;
    wire::Statement statement;
    if (context.sealed()) statement.set_bank(secure::to_bytes(context.bank_keys->signing));
    statement.set_name(state.name);
    statement.set_number(state.statements + 1);
    statement.set_previous(state.statement_digest);
    if (!id.empty()) to_wire(id, statement.mutable_operation());
    statement.set_kind(kind);
    statement.set_cohort(state.cohort.value());
    statement.set_epoch(state.epoch.value());
    to_wire(state.totals, statement.mutable_totals());
    for (const auto& [peer_name, peer] : state.peers) {
        if (peer.channel == state.permanent.channel(peer_name)) continue;
        to_wire(peer_name, peer.channel, statement.add_channels());
    }
    uint64_t left_out = 0;
    state.new_activity(statement.mutable_activity(), state.activity.count(),
                       limits::kMaxActivityInSettlement, &left_out);
    statement.set_activity_left_out(left_out);
    statement.set_transfers(transfers_since_checkpoint(state));
    return sign_statement(context.signer(), statement);
}

std::string transfers_since_checkpoint(const State& state) {
    Digest digest;
    for (const auto& [peer_name, peer] : state.peers) {
        // Nothing above the checkpoint's last label has been pruned: what a peer's permanent
        // checkpoint covers, the own one does.
        const Label covered = state.permanent.channel(peer_name).sent_last;
        const auto first = std::upper_bound(
            peer.sent_log.begin(), peer.sent_log.end(), covered,
            [](Label label, const SentEntry& entry) { return label < entry.label; });
        if (first == peer.sent_log.end() && peer.received_log.empty()) continue;
        digest.add(peer_name);
        digest.add(static_cast<uint64_t>(peer.sent_log.end() - first));
        for (auto entry = first; entry != peer.sent_log.end(); ++entry) {
            digest.add(entry->label.value());
            digest.add(static_cast<uint64_t>(entry->amount.cents()));
        }
        digest.add(peer.received_log.count());
        for (const auto& [first_label, amounts] : peer.received_log.runs()) {
            for (size_t i = 0; i < amounts.size(); ++i) {
                digest.add(first_label + i);
                digest.add(static_cast<uint64_t>(amounts[i]));
            }
        }
    }
    return digest.result();
}

void say_how_far(const State& state, wire::Ask& bind) {
    if (state.phase != Phase::open && state.phase != Phase::exiting) return;
    Epoch epoch = state.epoch;
    uint64_t statements = state.statements;
    if (const auto& operation = state.operation) {
        if (operation->kind == wire::OPERATION_ROLLBACK) {
            epoch = std::max(epoch, operation->next_epoch);
        } else if (!operation->statement.statement().empty()) {
            ++statements;
        }
    }
    bind.set_epoch(epoch.value());
    bind.set_statements(statements);
}

}  // namespace p2pbank::customer
