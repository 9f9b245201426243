#include "customer/context.h"

#include "common/base/check.h"

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

void Context::commit_tentative(State::Record& record) {
    record.set_at_ms(wall_ms());
    const auto applied = state.apply(record);
    P2PBANK_CHECK(applied.ok());
    if (settings.stable == StableMode::checkpoint) {
        state.live(record.mutable_tentative()->mutable_live(), true);
    }
    effects->persist(record.SerializeAsString());
}

bool Context::send_to_bank(wire::Datagram& message) {
    message.set_cohort(state.cohort.value());
    message.set_epoch(state.epoch.value());
    return courier.send(now, Socket::bank, settings.bank, message, *effects);
}

bool Context::send_to_peer(const Peer& peer, wire::Datagram& message) {
    message.set_cohort(state.cohort.value());
    message.set_epoch(state.epoch.value());
    message.set_receiver_epoch(peer.known_epoch.value());
    message.set_receiver(peer.name);
    return courier.send(now, Socket::peer, Address{peer.ip, peer.port2}, message, *effects);
}

void Context::refuse_to_go_on(const std::string& why) {
    notice(
        Severity::error,
        "this customer's stable storage has lost what it confirmed: " + why +
            ". It stops, because going on could spend money twice. Restore its state folder from "
            "a newer copy, or end the cohort with delete-cohort --force at the bank.");
    effects->stop(4);
}

}  // namespace p2pbank::customer
