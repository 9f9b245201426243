#include "customer/context.h"

#include <sodium.h>

#include "common/base/check.h"
#include "common/core/roster.h"

namespace p2pbank {

CustomerSettings::~CustomerSettings() {
    sodium_memzero(secret_seed.data(), secret_seed.size());
    sodium_memzero(key_seed.data(), key_seed.size());
}

}  // namespace p2pbank

namespace p2pbank::customer {
namespace {

// In `checkpoint` mode these are kept in memory only; the next tentative checkpoint carries their
// sum.
bool is_about_money_only(const State::Record& record) {
    switch (record.kind_case()) {
        case State::Record::kCash:
        case State::Record::kAdjusted:
        case State::Record::kSent:
        case State::Record::kReceived:
        case State::Record::kPruned:
        case State::Record::kDealt:
        case State::Record::kDealAnswered:
            return true;
        default:
            return false;
    }
}

bool wants_answer(const wire::Datagram& message) {
    return !message.has_decision_ack() && !message.has_cohort_ended_ack() &&
           !message.has_settle_refused() && !message.has_report() && !message.has_evidence() &&
           !message.probe().answer();
}

// Lines of the account's activity, which have a time.
bool is_activity(const State::Record& record) {
    switch (record.kind_case()) {
        case State::Record::kOpened:
        case State::Record::kCash:
        case State::Record::kAdjusted:
        case State::Record::kSent:
        case State::Record::kReceived:
        case State::Record::kPermanent:
        case State::Record::kRolledBack:
        case State::Record::kCohortStarted:
        case State::Record::kCohortEnded:
        case State::Record::kDealAnswered:
            return true;
        default:
            return false;
    }
}

}  // namespace

Context::Context(const CustomerSettings& s)
    : settings(s),
      random(s.seed),
      secrets(s.secret_seed),
      identity(s.key_seed),
      courier(random.next(), signer(), secrets.key()) {
    // Whoever has been told which keys to expect takes no others, not even remembered ones.
    const auto& wanted = settings.bank_fingerprint;
    if (sealed() && settings.bank_keys &&
        (!wanted || secure::fingerprint(*settings.bank_keys) == *wanted)) {
        bank_keys = settings.bank_keys;
    }
}

uint64_t Context::wall_ms() const {
    return static_cast<uint64_t>((now.time_since_epoch().count() + settings.wall_offset_us) /
                                 1'000);
}

void Context::commit(State::Record& record) {
    if (is_activity(record)) record.set_at_ms(wall_ms());
    const auto applied = state.apply(record);
    P2PBANK_CHECK(applied.ok());
    if (settings.stable == StableMode::checkpoint && is_about_money_only(record)) return;
    effects->persist(record.SerializeAsString());
}

void Context::commit_with_live(State::Record& record) {
    record.set_at_ms(wall_ms());
    const auto applied = state.apply(record);
    P2PBANK_CHECK(applied.ok());
    if (settings.stable == StableMode::checkpoint) {
        const bool exiting = record.has_exiting();
        state.live(exiting ? record.mutable_exiting()->mutable_live()
                           : record.mutable_tentative()->mutable_live(),
                   true);
        if (exiting) record.mutable_exiting()->set_deals(state.deals);
    }
    effects->persist(record.SerializeAsString());
}

bool Context::send_to_bank(wire::Datagram& message) {
    if (!bank_silent_since && wants_answer(message)) bank_silent_since = now;
    if (sealed() && !bank_keys) return false;
    message.set_cohort(state.cohort.value());
    message.set_epoch(state.epoch.value());
    const KeyBytes key = bank_keys ? bank_keys->channel : KeyBytes{};
    return courier.send(now, Socket::bank, settings.bank, key, message, *effects);
}

bool Context::send_to_peer(const Peer& peer, wire::Datagram& message) {
    const KeyBytes key = sealed() ? peer.keys.channel : KeyBytes{};
    if (sealed() && (peer.keys.empty() || roster_expired())) return false;
    message.set_cohort(state.cohort.value());
    message.set_epoch(state.epoch.value());
    message.set_receiver_epoch(peer.known_epoch.value());
    message.set_receiver(peer.name);
    return courier.send(now, Socket::peer, Address{peer.ip, peer.port2}, key, message, *effects);
}

bool Context::is_from_bank(Address from) const {
    if (from != settings.bank) return false;
    return !sealed() || (bank_keys && courier.received_from() == bank_keys->channel);
}

bool Context::is_from(const Peer& peer) const {
    if (!sealed()) return true;
    return !peer.keys.empty() && !roster_expired() && courier.received_from() == peer.keys.channel;
}

std::optional<wire::RosterBody> Context::read_roster(const wire::Roster& roster) {
    if (sealed() && !bank_keys) return std::nullopt;
    auto read = p2pbank::read_roster(roster, sealed() ? &bank_keys->signing : nullptr, wall_ms());
    if (!read && !bad_roster_told) {
        notice(Severity::warning,
               "the bank's list of the cohort's members is of no use: " + read.error().message);
    }
    bad_roster_told = !read;
    if (!read) return std::nullopt;
    return std::move(read).value();
}

bool Context::roster_expired() const {
    const uint64_t wall = wall_ms();
    return sealed() && wall > state.roster_expires_ms &&
           wall - state.roster_expires_ms > kClockSkewMs;
}

bool Context::roster_of_future() const {
    const uint64_t wall = wall_ms();
    return sealed() && state.roster_issued_ms > wall &&
           state.roster_issued_ms - wall > kClockSkewMs;
}

void Context::refuse_to_go_on(const std::string& why) {
    notice(
        Severity::error,
        "this customer's stable storage has lost what it confirmed: " + why +
            ". It stops, because going on could spend money twice. Put back the newest copy of its "
            "state folder. If there is none: end its cohort, if it is in one (delete-cohort " +
            state.name + " --force at the bank), move the folder away and start with --name " +
            state.name + "; its owner signs in and types bind " + state.name +
            ". The account then stands at its last settled balance.");
    effects->stop(4);
}

std::string bank_is_behind(const Context& context) {
    const State& state = context.state;
    return "the bank has " + std::to_string(context.bank_behind.value_or(0)) +
           " statements of this account, which has made " + std::to_string(state.statements) +
           ": its data were lost, or put back to an older state. Its operator puts the newest ones "
           "back, or types: unbind " +
           state.name +
           " (the account then stands at the bank's balance); after that, start this program "
           "with another --state and --name " +
           state.name;
}

}  // namespace p2pbank::customer
