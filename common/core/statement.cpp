#include "common/core/statement.h"

#include <algorithm>

#include <sodium.h>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/core/digest.h"
#include "common/wire/books.h"
#include "common/wire/convert.h"

namespace p2pbank {
namespace {

bool are_digests(const google::protobuf::RepeatedPtrField<std::string>& digests) {
    const auto count = static_cast<size_t>(digests.size());
    return count >= 1 && count <= limits::kMaxDigestsInSigned &&
           std::all_of(digests.begin(), digests.end(),
                       [](const std::string& digest) { return digest.size() == Digest::kBytes; });
}

// All digests have the same size, so they need nothing between them.
std::string text_of(const google::protobuf::RepeatedPtrField<std::string>& digests) {
    std::string text;
    text.reserve(static_cast<size_t>(digests.size()) * Digest::kBytes);
    for (const std::string& digest : digests) text += digest;
    return text;
}

// Each gives the fields that are known here, and nothing else that the message came with.
wire::Totals known_part(const wire::Totals& came) {
    wire::Totals known;
    to_wire(from_wire(came), &known);
    return known;
}
wire::OperationId known_part(const wire::OperationId& came) {
    wire::OperationId known;
    to_wire(from_wire(came), &known);
    return known;
}
wire::Channel known_part(const wire::Channel& came) {
    wire::Channel known;
    known.set_peer(came.peer());
    known.set_sent_last(came.sent_last());
    known.set_sent_sum(came.sent_sum());
    *known.mutable_received() = came.received();
    known.set_received_sum(came.received_sum());
    return known;
}
wire::Activity known_part(const wire::Activity& came) {
    wire::Activity known;
    known.set_kind(came.kind());
    known.set_what(came.what());
    known.set_number(came.number());
    known.set_amount(came.amount());
    known.set_balance(came.balance());
    known.set_at_ms(came.at_ms());
    known.set_note(came.note());
    known.set_rolled_back(came.rolled_back());
    return known;
}
wire::Statement known_part(const wire::Statement& came) {
    wire::Statement known;
    known.set_bank(came.bank());
    known.set_name(came.name());
    known.set_number(came.number());
    known.set_previous(came.previous());
    if (came.has_operation()) *known.mutable_operation() = known_part(came.operation());
    known.set_kind(came.kind());
    known.set_cohort(came.cohort());
    known.set_epoch(came.epoch());
    if (came.has_totals()) *known.mutable_totals() = known_part(came.totals());
    for (const wire::Channel& channel : came.channels()) {
        *known.add_channels() = known_part(channel);
    }
    for (const wire::Activity& line : came.activity()) *known.add_activity() = known_part(line);
    known.set_activity_left_out(came.activity_left_out());
    known.set_transfers(came.transfers());
    return known;
}
wire::Transfers known_part(const wire::Transfers& came) {
    wire::Transfers known;
    known.set_first_label(came.first_label());
    *known.mutable_gaps() = came.gaps();
    *known.mutable_amounts() = came.amounts();
    return known;
}

}  // namespace

wire::SignedStatement sign_statement(const secure::Identity* identity,
                                     const wire::Statement& statement) {
    wire::SignedStatement out;
    statement.SerializeToString(out.mutable_statement());
    if (identity != nullptr) {
        out.set_signature(identity->sign(kStatementLabel, out.statement()));
    }
    return out;
}

std::optional<wire::Statement> read_statement(const wire::SignedStatement& signed_statement) {
    wire::Statement statement;
    if (!statement.ParseFromString(signed_statement.statement())) return std::nullopt;
    return statement;
}

bool is_canonical(const wire::SignedStatement& signed_statement) {
    const auto statement = read_statement(signed_statement);
    return statement && known_part(*statement).SerializeAsString() == signed_statement.statement();
}

wire::SignedStatement known_part(const wire::SignedStatement& came) {
    wire::SignedStatement known;
    known.set_statement(came.statement());
    known.set_signature(came.signature());
    return known;
}

wire::SignedTransfers known_part(const wire::SignedTransfers& came) {
    wire::SignedTransfers known;
    known.set_epoch(came.epoch());
    for (const wire::Transfers& transfers : came.transfers()) {
        *known.add_transfers() = known_part(transfers);
    }
    *known.mutable_signed_()->mutable_digests() = came.signed_().digests();
    known.mutable_signed_()->set_signature(came.signed_().signature());
    return known;
}

bool is_signed_by(const wire::SignedStatement& signed_statement, const KeyBytes& signing_key) {
    return secure::is_signed(kStatementLabel, signed_statement.statement(),
                             signed_statement.signature(), signing_key);
}

std::string statement_digest(const wire::SignedStatement& signed_statement) {
    const std::string& bytes = signed_statement.statement();
    std::string digest(Digest::kBytes, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(),
                       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                       0);
    return digest;
}

std::optional<std::vector<Transfer>> read_transfers(const wire::Transfers& transfers) {
    const int count = transfers.amounts_size();
    const bool gapped = transfers.gaps_size() > 0;
    if (count < 1 || static_cast<size_t>(count) > limits::kMaxTransfersInDatagram ||
        (gapped && transfers.gaps_size() != count) || transfers.first_label() > kMaxLabel) {
        return std::nullopt;
    }
    std::vector<Transfer> out;
    out.reserve(static_cast<size_t>(count));
    uint64_t label = transfers.first_label();
    for (int i = 0; i < count; ++i) {
        const uint64_t step = gapped ? transfers.gaps(i) : uint64_t(i > 0);
        if (step > kMaxLabel || (i > 0 && step == 0)) return std::nullopt;
        label += step;  // of two numbers up to 2^62: there is room
        const uint64_t cents = transfers.amounts(i);
        if (label == 0 || label > kMaxLabel || cents == 0 ||
            cents > static_cast<uint64_t>(limits::kMaxAmountUnits) * 100) {
            return std::nullopt;
        }
        out.push_back({Label(label), Money::from_cents(static_cast<int64_t>(cents))});
    }
    return out;
}

std::string transfers_digest(const ChannelContext& context, const wire::Transfers& transfers) {
    Digest hash;
    hash.add(context.from);
    hash.add(context.to);
    hash.add(context.cohort.value());
    hash.add(context.epoch.value());
    hash.add(transfers.first_label());
    hash.add(static_cast<uint64_t>(transfers.gaps_size()));
    for (const uint64_t gap : transfers.gaps()) hash.add(gap);
    hash.add(static_cast<uint64_t>(transfers.amounts_size()));
    for (const uint64_t cents : transfers.amounts()) hash.add(cents);
    return hash.result();
}

wire::Signed sign_transfers(const secure::Identity& identity, std::vector<std::string> digests) {
    wire::Signed out;
    for (std::string& digest : digests) out.add_digests(std::move(digest));
    P2PBANK_CHECK(are_digests(out.digests()));
    out.set_signature(identity.sign(kTransfersLabel, text_of(out.digests())));
    return out;
}

bool is_signed_by(const wire::Signed& word, const KeyBytes& signing_key) {
    return are_digests(word.digests()) &&
           secure::is_signed(kTransfersLabel, text_of(word.digests()), word.signature(),
                             signing_key);
}

bool proves(const ChannelContext& context, const wire::SignedTransfers& item,
            const KeyBytes& signing_key) {
    if (Epoch(item.epoch()) != context.epoch || item.transfers().empty()) return false;
    const auto& digests = item.signed_().digests();
    const bool all = std::all_of(
        item.transfers().begin(), item.transfers().end(), [&](const wire::Transfers& transfers) {
            return read_transfers(transfers).has_value() &&
                   std::find(digests.begin(), digests.end(),
                             transfers_digest(context, transfers)) != digests.end();
        });
    return all && is_signed_by(item.signed_(), signing_key);
}

}  // namespace p2pbank
