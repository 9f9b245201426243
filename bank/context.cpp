#include "bank/context.h"

#include <algorithm>

#include <sodium.h>

#include "bank/timing.h"
#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/core/roster.h"

namespace p2pbank {

BankSettings::~BankSettings() {
    sodium_memzero(secret_seed.data(), secret_seed.size());
    sodium_memzero(key_seed.data(), key_seed.size());
}

}  // namespace p2pbank

namespace p2pbank::bank {

Context::Context(const BankSettings& s)
    : settings(s),
      random(s.seed),
      secrets(s.secret_seed),
      identity(s.key_seed),
      courier(random.next(), signer(), secrets.key()) {
    if (sealed()) courier.answer_key_requests();
}

void Context::commit(State::Record& record) {
    record.set_at_ms(static_cast<uint64_t>(wall_us() / 1'000));
    const auto applied = state.apply(record);
    P2PBANK_CHECK(applied.ok());
    effects->persist(record.SerializeAsString());
}

// --- sending

void Context::send(const Origin& to, wire::Datagram message) {
    message.set_receiver(to.name);
    message.set_receiver_instance(to.instance);
    Leaving leaving;
    leaving.to = to.address;
    leaving.key = to.key;
    leaving.message = std::move(message);
    outbox_.push_back(std::move(leaving));
}

void Context::send(const Account& account, wire::Datagram message) {
    Origin to{account.bank_side(), account.name, account.boots, {}, true};
    if (sealed()) {
        to.key = account.keys().channel;
        if (to.key == KeyBytes{}) return;
        const auto found = heard_.find(&account);
        const bool is_heard = found != heard_.end() && found->second.key == to.key;
        if (!is_heard && !account.proven) return;
        if (is_heard) to.address = found->second.at;
    } else if (account.proven) {
        // The address proved itself when the account was opened or its process attached.
        courier.trust(to.address);
    }
    send(to, std::move(message));
}

void Context::answer(CommandId command, Answer answer) {
    if (effects->tracing()) {
        const char* word = answer.outcome == Outcome::success ? "SUCCESS " : "FAILURE ";
        effects->trace({"answer", {{"text", word + answer.text}}});
    }
    Leaving leaving;
    leaving.command = command;
    leaving.answer = std::move(answer);
    outbox_.push_back(std::move(leaving));
}

void Context::heard(const Account& account, Address at) {
    if (sealed()) heard_.insert_or_assign(&account, Heard{account.keys().channel, at});
}

void Context::release_outbox() {
    for (Leaving& leaving : outbox_) {
        if (leaving.command.value() != 0) {
            effects->answer(leaving.command, std::move(leaving.answer));
            continue;
        }
        const bool sent =
            courier.send(now, Socket::bank, leaving.to, leaving.key, leaving.message, *effects);
        if (!sent && !courier.is_introduced(now, Socket::bank, leaving.to, leaving.key)) {
            hold(std::move(leaving));
        }
    }
    outbox_.clear();
}

void Context::hold(Leaving leaving) {
    const size_t bytes = leaving.message.ByteSizeLong();
    held_bytes_ += bytes;
    held_.push_back({now, bytes, std::move(leaving)});
    while (held_.size() > limits::kMaxHeldMessages || held_bytes_ > limits::kMaxHeldBytes ||
           held_.front().since + timing::kHeld < now) {
        held_bytes_ -= held_.front().bytes;
        held_.pop_front();
        if (held_.empty()) break;
    }
}

void Context::introduced(Address address, const KeyBytes& key) {
    std::erase_if(held_, [&](Held& held) {
        if (held.leaving.to != address || held.leaving.key != key) return false;
        held_bytes_ -= held.bytes;
        if (held.since + timing::kHeld >= now) outbox_.push_back(std::move(held.leaving));
        return true;
    });
}

// --- rosters

const wire::Roster& Context::roster(const Cohort& cohort) {
    wire::RosterBody body;
    body.set_cohort(cohort.id.value());
    body.set_cohort_name(cohort.name);
    for (const std::string& name : cohort.members) {
        const Account* account = state.find(name);
        wire::Member* member = body.add_members();
        member->set_name(name);
        member->set_ip(account->ip);
        member->set_port2(account->port2);
        member->set_epoch(account->epoch);
        if (account->keys().empty()) continue;
        member->set_channel_key(secure::to_bytes(account->keys().channel));
        member->set_signing_key(secure::to_bytes(account->keys().signing));
    }
    const auto now_ms = static_cast<uint64_t>(wall_us() / 1'000);
    std::string members = body.SerializeAsString();
    SignedRoster& known = rosters_[cohort.id];
    const uint64_t age = std::max(now_ms, known.issued_ms) - std::min(now_ms, known.issued_ms);
    // Of a clock that was ahead, which nobody takes.
    const bool ahead = known.issued_ms > now_ms && age > kClockSkewMs;
    const bool fresh = age < kRosterLifeMs / 4 && !ahead;
    if (!fresh || known.members != members) {
        // A newer one has a later time, also within one millisecond.
        known.issued_ms = ahead ? now_ms : std::max(now_ms, known.issued_ms + 1);
        known.members = std::move(members);
        body.set_issued_ms(known.issued_ms);
        body.set_expires_ms(known.issued_ms + kRosterLifeMs);
        known.roster = sign_roster(signer(), body);
        std::erase_if(rosters_,
                      [&](const auto& entry) { return state.find_cohort(entry.first) == nullptr; });
    }
    return rosters_.at(cohort.id).roster;
}

}  // namespace p2pbank::bank
