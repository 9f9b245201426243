#include "common/core/roster.h"

#include <set>

#include "common/base/address.h"
#include "common/base/limits.h"
#include "common/base/names.h"

namespace p2pbank {
namespace {

Error bad(const std::string& why) {
    return Error{"bad-roster", "the roster " + why};
}

// A key that can be somebody's: 32 bytes that are not all zero.
bool is_key(const std::string& bytes) {
    const auto key = secure::key_from_bytes(bytes);
    return key && *key != KeyBytes{};
}

Result<void> check_members(const wire::RosterBody& body, bool sealed) {
    if (body.cohort() == 0 || static_cast<size_t>(body.members_size()) < limits::kMinCohort ||
        static_cast<size_t>(body.members_size()) > limits::kMaxCohort) {
        return bad("is of no cohort");
    }
    std::set<std::string_view> names;
    std::set<std::string_view> channel_keys;
    std::set<std::string_view> signing_keys;
    for (const wire::Member& member : body.members()) {
        if (!is_valid_name(member.name())) return bad("has a member without a name");
        if (!names.insert(member.name()).second) return bad("has " + member.name() + " twice");
        if (!parse_ip(ip_to_string(member.ip())) || member.port2() == 0 ||
            member.port2() > 65'535) {
            return bad("has no address of " + member.name());
        }
        if (!sealed) continue;
        if (!is_key(member.channel_key()) || !is_key(member.signing_key())) {
            return bad("has no keys of " + member.name());
        }
        if (!channel_keys.insert(member.channel_key()).second ||
            !signing_keys.insert(member.signing_key()).second) {
            return bad("has a key of " + member.name() + " twice");
        }
    }
    return {};
}

}  // namespace

wire::Roster sign_roster(const secure::Identity* identity, const wire::RosterBody& body) {
    wire::Roster roster;
    roster.set_body(body.SerializeAsString());
    if (identity != nullptr) roster.set_signature(identity->sign(kRosterLabel, roster.body()));
    return roster;
}

Result<wire::RosterBody> read_roster(const wire::Roster& roster, const KeyBytes* bank_signing_key,
                                     uint64_t now_ms) {
    if (bank_signing_key != nullptr &&
        !secure::is_signed(kRosterLabel, roster.body(), roster.signature(), *bank_signing_key)) {
        return bad("is not signed by the bank");
    }
    wire::RosterBody body;
    if (!body.ParseFromString(roster.body())) return bad("cannot be read");
    const auto checked = check_members(body, bank_signing_key != nullptr);
    if (!checked) return checked.error();
    if (bank_signing_key == nullptr) return body;
    // Subtracted, not added: whatever the numbers are, nothing overflows.
    if (body.issued_ms() > now_ms && body.issued_ms() - now_ms > kClockSkewMs) {
        return bad("was signed in the future by this machine's clock: set the clock");
    }
    if (body.expires_ms() < now_ms && now_ms - body.expires_ms() > kClockSkewMs) {
        return Error{"expired", "the roster has expired"};
    }
    return body;
}

}  // namespace p2pbank
