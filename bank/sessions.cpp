#include "bank/sessions.h"

#include <optional>

#include "common/base/limits.h"

namespace p2pbank::bank {
namespace {

constexpr Duration kMostIdle = std::chrono::hours(12);

}  // namespace

uint64_t Sessions::begin(TimePoint now, const std::string& email, const Party& party) {
    end_idle(now);
    size_t of_person = 0;
    std::optional<uint64_t> oldest;
    for (const uint64_t id : by_use_) {
        if (sessions_.at(id).email != email) continue;
        if (!oldest) oldest = id;
        ++of_person;
    }
    if (of_person >= limits::kMaxSessionsOfPerson) end(*oldest);
    if (sessions_.size() >= limits::kMaxSessions) end(by_use_.front());

    uint64_t id = random_.next64();
    while (id == 0 || sessions_.count(id) != 0) id = random_.next64();
    Session& session = sessions_[id];
    session.party = party;
    session.email = email;
    session.used = now;
    by_use_.push_back(id);
    session.age = std::prev(by_use_.end());
    return id;
}

void Sessions::end(uint64_t id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    by_use_.erase(found->second.age);
    sessions_.erase(found);
}

void Sessions::end_others(const std::string& email, uint64_t but) {
    for (auto at = by_use_.begin(); at != by_use_.end();) {
        const uint64_t id = *at++;
        if (id != but && sessions_.at(id).email == email) end(id);
    }
}

void Sessions::close_past(const std::string& email) {
    for (auto& [id, session] : sessions_) {
        if (session.email == email) session.closed = session.counter;
    }
}

Result<std::string> Sessions::email_of(TimePoint now, const wire::Authority& authority,
                                       const Party& party, Repeats repeats) {
    if (authority.session() == 0) {
        return Error{"not-signed-in", "sign in first: `sign-in <email>`"};
    }
    end_idle(now);
    const auto found = sessions_.find(authority.session());
    if (found == sessions_.end() || found->second.party != party) {
        return Error{"not-signed-in",
                     "the bank does not know this session (any more); sign in again"};
    }
    Session& session = found->second;
    const bool is_late = authority.counter() <= session.closed;
    if (is_late || (!is_new(session, authority.counter()) && repeats == Repeats::refused)) {
        return Error{"repeated-request", "this was asked before; nothing was changed now"};
    }
    session.used = now;
    by_use_.splice(by_use_.end(), by_use_, session.age);
    return session.email;
}

bool Sessions::is_new(Session& session, uint64_t counter) {
    if (counter > session.counter) {
        const uint64_t ahead = counter - session.counter;
        // Bit 0 stands for the counter right below the highest.
        session.seen_before = ahead >= 64 ? 0 : session.seen_before << ahead;
        if (ahead <= 64) session.seen_before |= uint64_t(1) << (ahead - 1);
        session.counter = counter;
        return true;
    }
    const uint64_t behind = session.counter - counter;
    if (behind == 0 || behind > 64) return false;
    const uint64_t bit = uint64_t(1) << (behind - 1);
    if ((session.seen_before & bit) != 0) return false;
    session.seen_before |= bit;
    return true;
}

void Sessions::end_idle(TimePoint now) {
    while (!by_use_.empty() && now - sessions_.at(by_use_.front()).used > kMostIdle) {
        end(by_use_.front());
    }
}

}  // namespace p2pbank::bank
