// The whole state as records, and back. Part of bank::State.
#include "bank/state.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

constexpr int kAccountsInRecord = 512;
// Behind which a part of a snapshot ends: what one account has, or settles, is far below a frame.
constexpr size_t kBytesInRecord = 16 * 1'024 * 1'024;

Error bad(const char* what) {
    return Error{"bad-record", std::string("a snapshot is not readable: ") + what};
}

void write_account(const Account& account, records::Account* out) {
    out->set_name(account.name);
    to_wire(account.totals, out->mutable_totals());
    out->set_ip(account.ip);
    out->set_port1(account.port1);
    out->set_port2(account.port2);
    out->set_corrections(account.corrections.cents());
    out->set_cohort(account.cohort.value());
    out->set_exited(account.exited);
    out->set_opener(account.opener);
    out->set_attached(account.attached);
    out->set_proven(account.proven);
    out->set_boots(account.boots);
    out->set_run(account.run);
    out->set_epoch(account.epoch);
    if (!account.details) return;
    for (const auto& [peer, channel] : account.details->channels) {
        to_wire(peer, channel, out->add_channels());
    }
    out->set_ended_cohort(account.details->ended_cohort.value());
    out->set_owner(account.details->owner);
    if (!account.keys().empty()) {
        out->set_channel_key(secure::to_bytes(account.keys().channel));
        out->set_signing_key(secure::to_bytes(account.keys().signing));
    }
    out->set_replied_instance(account.details->replied_instance);
    if (account.details->replied_instance != 0) *out->mutable_reply() = account.details->reply;
    if (account.details->ended_cohort.value() != 0) {
        to_wire(account.details->ended_by, out->mutable_ended_operation());
    }
    out->set_statements(account.details->statements);
    out->set_statement_digest(account.details->statement_digest);
    out->set_corrections_taken(account.details->corrections_taken);
    for (const Money earlier : account.details->earlier_corrections) {
        out->add_earlier_corrections(earlier.cents());
    }
    for (const bank_evidence::Accusation& accusation : account.details->accusations) {
        *out->add_accusations() = accusation;
    }
}

void write_settlement(const std::string& name, const Settlement& settlement,
                      records::Settlement* settled) {
    settled->set_name(name);
    to_wire(settlement.totals, settled->mutable_totals());
    for (const auto& [peer, channel] : settlement.channels) {
        to_wire(peer, channel, settled->add_channels());
    }
    settled->set_orders_upto(settlement.orders_upto);
    for (const wire::Activity& line : settlement.activity) {
        *settled->add_activity() = line;
    }
    settled->set_activity_left_out(settlement.activity_left_out);
    *settled->mutable_statement() = settlement.statement;
    settled->set_signing_key(settlement.signing_key);
    settled->set_instance(settlement.instance);
}

}  // namespace

void State::snapshot(const std::function<void(std::string)>& take) const {
    Record record;
    records::Snapshot* out = record.mutable_snapshot();
    out->set_boots(boots);
    out->set_counter(counter);
    out->set_next_cohort(next_cohort);
    out->set_position(position);
    for (const uint64_t hash : table_hashes) out->add_table_hashes(hash);
    for (const secure::PublicKeys& keys : bank_keys) {
        records::BankKeys* written = out->add_bank_keys();
        written->set_channel(secure::to_bytes(keys.channel));
        written->set_signing(secure::to_bytes(keys.signing));
    }
    out->set_sealed(was_sealed);
    out->set_in_clear(was_in_clear);
    for (const auto& [id, commit] : committed) {
        records::Committed* written = out->add_committed();
        to_wire(id, written->mutable_id());
        written->set_kind(commit.kind);
        for (const std::string& name : commit.unacked) written->add_unacked(name);
        written->set_cohort(commit.cohort.value());
    }
    for (const OperationId& id : rollbacks) to_wire(id, out->add_rollbacks());
    for (const auto& [id, cohort] : cohorts) {
        records::Cohort* written = out->add_cohorts();
        written->set_id(id.value());
        written->set_name(cohort.name);
        for (const std::string& member : cohort.members) written->add_members(member);
        written->set_stage(static_cast<uint32_t>(cohort.stage));
        to_wire(cohort.operation, written->mutable_operation());
    }
    take(record.SerializeAsString());
    record.Clear();
    // In parts: what the members of a large cohort have settled can be more than a frame.
    size_t bytes = 0;
    for (const auto& entry : operations) {
        const Operation& operation = entry.second;
        records::Operation* written = nullptr;
        const auto begin = [&] {
            written = record.mutable_operations()->add_operations();
            to_wire(operation.id, written->mutable_id());
            written->set_kind(operation.kind);
            written->set_aborted(operation.aborted);
            written->set_begun(operation.begun);
            bytes += written->ByteSizeLong();
        };
        const auto end_part_if_large = [&] {
            if (bytes < kBytesInRecord) return;
            take(record.SerializeAsString());
            record.Clear();
            bytes = 0;
            written = nullptr;
        };
        begin();
        for (const auto& [name, settlement] : operation.settlements) {
            if (written == nullptr) begin();
            write_settlement(name, settlement, written->add_settlements());
            bytes += written->settlements(written->settlements_size() - 1).ByteSizeLong();
            end_part_if_large();
        }
        end_part_if_large();
    }
    if (record.has_operations()) take(record.SerializeAsString());
    record.Clear();
    business.snapshot([&](const records::Business& part) {
        *record.mutable_business() = part;
        take(record.SerializeAsString());
    });
    record.Clear();
    bytes = 0;
    for (const Account& account : accounts_) {
        records::Account* written = record.mutable_accounts()->add_accounts();
        write_account(account, written);
        business.snapshot_account(account.name, written);
        bytes += written->ByteSizeLong();
        if (record.accounts().accounts_size() < kAccountsInRecord && bytes < kBytesInRecord)
            continue;
        take(record.SerializeAsString());
        record.mutable_accounts()->Clear();
        bytes = 0;
    }
    if (record.accounts().accounts_size() > 0) take(record.SerializeAsString());
}

Result<void> State::apply_snapshot(const records::Snapshot& in) {
    FactSink* const sink = history;
    *this = State();
    history = sink;
    position = in.position();
    boots = in.boots();
    counter = in.counter();
    next_cohort = in.next_cohort();
    table_hashes.assign(in.table_hashes().begin(), in.table_hashes().end());
    for (const records::BankKeys& keys : in.bank_keys()) {
        if (auto applied = apply_bank_keys(keys); !applied) return applied;
    }
    was_sealed = in.sealed();
    was_in_clear = in.in_clear();
    for (const records::Operation& read : in.operations()) {  // of a snapshot in one part
        if (auto applied = apply_operation(read); !applied) return applied;
    }
    for (const records::Committed& read : in.committed()) {
        Committed& commit = committed[from_wire(read.id())];
        commit.kind = read.kind();
        commit.unacked.insert(read.unacked().begin(), read.unacked().end());
        commit.cohort = CohortId(read.cohort());
    }
    for (const wire::OperationId& read : in.rollbacks()) rollbacks.insert(from_wire(read));
    for (const records::Cohort& read : in.cohorts()) {
        if (read.stage() > static_cast<uint32_t>(CohortStage::freezing)) return bad("a cohort");
        Cohort& cohort = cohorts[CohortId(read.id())];
        cohort.id = CohortId(read.id());
        cohort.name = read.name();
        cohort.members.assign(read.members().begin(), read.members().end());
        cohort.stage = static_cast<CohortStage>(read.stage());
        cohort.operation = from_wire(read.operation());
        if (cohort.stage != CohortStage::forming) continue;
        for (const std::string& member : cohort.members) forming[member] = cohort.id;
    }
    return {};
}

// Or a part of what has been settled for it.
Result<void> State::apply_operation(const records::Operation& read) {
    Operation& operation = operations[read.id().initiator()];
    operation.id = from_wire(read.id());
    operation.kind = read.kind();
    operation.aborted = read.aborted();
    operation.begun = read.begun();
    for (const records::Settlement& settled : read.settlements()) {
        Settlement& settlement = operation.settlements[settled.name()];
        settlement.totals = from_wire(settled.totals());
        for (const wire::Channel& channel : settled.channels()) {
            auto channel_read = from_wire(channel);
            if (!channel_read) return bad("a settled channel");
            settlement.channels[channel.peer()] = std::move(*channel_read);
        }
        settlement.orders_upto = settled.orders_upto();
        settlement.activity.assign(settled.activity().begin(), settled.activity().end());
        settlement.activity_left_out = settled.activity_left_out();
        settlement.statement = settled.statement();
        settlement.signing_key = settled.signing_key();
        settlement.instance = settled.instance();
        // Of a journal from before there were statements it has none.
        if (settled.statement().statement().empty()) continue;
        const auto statement = read_statement(settled.statement());
        if (!statement) return bad("a settled statement");
        settlement.number = statement->number();
        settlement.previous = statement->previous();
    }
    return {};
}

Result<void> State::apply_account(const records::Account& in) {
    if (find(in.name()) != nullptr) return bad("an account twice");
    Account& account = add_account(in.name());
    account.totals = from_wire(in.totals());
    account.ip = in.ip();
    account.port1 = static_cast<uint16_t>(in.port1());
    account.port2 = static_cast<uint16_t>(in.port2());
    account.corrections = Money::from_cents(in.corrections());
    account.cohort = CohortId(in.cohort());
    account.exited = in.exited();

    account.opener = in.opener();
    account.attached = in.attached();
    account.proven = in.proven();
    account.boots = in.boots();
    account.run = in.run();
    account.epoch = in.epoch();
    // A snapshot of an earlier version does not say it of the whole; a key does (set_keys).
    if (!was_sealed && in.channel_key().empty() && in.attached()) was_in_clear = true;
    for (const wire::Channel& channel : in.channels()) {
        auto read = from_wire(channel);
        if (!read) return bad("a channel");
        account.more().channels[channel.peer()] = std::move(*read);
    }
    if (in.ended_cohort() != 0) {
        account.more().ended_cohort = CohortId(in.ended_cohort());
        account.more().ended_by = from_wire(in.ended_operation());
    }
    if (!in.owner().empty()) account.more().owner = in.owner();
    const auto set = set_keys(account, in.channel_key(), in.signing_key());
    if (!set) return set;
    const auto deals = business.apply_account(in);
    if (!deals) return deals;
    if (in.replied_instance() != 0) {
        account.more().replied_instance = in.replied_instance();
        account.more().reply = in.reply();
    }
    if (in.statements() != 0) {
        account.more().statements = in.statements();
        account.more().statement_digest = in.statement_digest();
    }
    for (const int64_t earlier : in.earlier_corrections()) {
        account.more().earlier_corrections.push_back(Money::from_cents(earlier));
    }
    if (in.corrections_taken() > 0) {
        account.more().corrections_taken = static_cast<size_t>(in.corrections_taken());
    }
    for (const bank_evidence::Accusation& accusation : in.accusations()) {
        account.more().accusations.push_back(accusation);
    }
    return {};
}

}  // namespace p2pbank::bank
