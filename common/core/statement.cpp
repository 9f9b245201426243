#include "common/core/statement.h"

#include <algorithm>

#include <sodium.h>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/core/digest.h"
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
    if (Epoch(item.epoch()) != context.epoch || !read_transfers(item.transfers())) return false;
    const std::string digest = transfers_digest(context, item.transfers());
    const auto& digests = item.signed_().digests();
    return std::find(digests.begin(), digests.end(), digest) != digests.end() &&
           is_signed_by(item.signed_(), signing_key);
}

}  // namespace p2pbank
