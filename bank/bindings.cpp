#include "bank/bindings.h"

#include <algorithm>

#include "common/base/names.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

Result<secure::PublicKeys> Bindings::keys_of(const Origin& from, std::string_view signing_key,
                                             const Account* account) const {
    const auto signing = secure::key_from_bytes(signing_key);
    if (!signing || *signing == KeyBytes{} || *signing == from.key || from.key == KeyBytes{}) {
        return Error{"bad-key", "the request came without the key that the program signs with"};
    }
    for (const KeyBytes& key : {from.key, *signing}) {
        const Account* other = context_.state.find_by_key(key);
        if (other != nullptr && other != account) {
            return Error{"key-taken", "the key of this program is that of account " + other->name +
                                          " already: one key is of one account"};
        }
    }
    return secure::PublicKeys{from.key, *signing};
}

// --- taking over what nobody's key has

bool Bindings::may_take_over(const Account& account, const Origin& from, bool named) const {
    if (account.exited) return false;
    if (!context_.sealed()) return account.opener == 0;
    if (!account.keys().empty()) {
        return account.opener == 0 && account.keys().channel == from.key;
    }
    if (account.ip != from.address.ip || context_.state.find_by_key(from.key) != nullptr) {
        return false;
    }
    // Of one that a process has had, only the settled balance is left: never by accident.
    return account.opener == 0 || (named && context_.state.cohort_of(account) == nullptr);
}

Result<secure::PublicKeys> Bindings::take_over(Account& account, const Origin& from,
                                               const wire::Attach& attach) {
    if (account.ip != from.address.ip) {
        return Error{"other-key", "it is registered at another IP address"};
    }
    auto keys = keys_of(from, attach.signing_key(), &account);
    if (!keys) return keys;
    const bool has_its_state = account.opener == 0 || account.opener == attach.opener();
    // The first run of a process that begins with the settled balance.
    if (!has_its_state && attach.opener() != 0 && from.instance == 1 && !account.exited &&
        context_.state.cohort_of(account) == nullptr) {
        reset(account, keys.value());
    }
    return keys;
}

void Bindings::reset(Account& account, const secure::PublicKeys& keys) {
    State& state = context_.state;
    // The copies: to decide and to acknowledge changes both. In no cohort, it is in no operation
    // but its own.
    std::vector<std::pair<OperationId, wire::OperationKind>> undecided;
    uint64_t epoch = std::max(account.epoch, state.business.deals_of(account.name).epoch);
    for (const auto& [initiator, operation] : state.operations) {
        if (initiator == account.name) epoch = std::max(epoch, operation.id.epoch);
        if (initiator != account.name && !operation.settlements.contains(account.name)) continue;
        if (state.undecided(operation.id) == nullptr) continue;
        undecided.emplace_back(operation.id, operation.kind);
    }
    std::vector<OperationId> unheard;
    for (const auto& [id, commit] : state.committed) {
        if (id.initiator == account.name) epoch = std::max(epoch, id.epoch);
        if (commit.unacked.contains(account.name)) unheard.push_back(id);
    }
    for (const auto& [id, kind] : undecided) decisions_.decide(id, kind, false, {});
    for (const OperationId& id : unheard) {
        wire::DecisionAck ack;
        to_wire(id, ack.mutable_operation());
        decisions_.on_decision_ack(account, ack);
    }
    if (account.ended_cohort().value() != 0) {
        wire::CohortEndedAck ack;
        ack.set_cohort(account.ended_cohort().value());
        decisions_.on_cohort_ended_ack(account, ack);
    }
    commit(account, keys, epoch + 1);
}

void Bindings::commit(const Account& account, const secure::PublicKeys& keys,
                      uint64_t reset_epoch) {
    State::Record record;
    auto* bound = record.mutable_bound();
    bound->set_name(account.name);
    if (!keys.empty()) {
        bound->set_channel_key(secure::to_bytes(keys.channel));
        bound->set_signing_key(secure::to_bytes(keys.signing));
    }
    bound->set_reset(reset_epoch != 0);
    bound->set_epoch(reset_epoch);
    context_.commit(record);
}

// --- commands

std::optional<Answer> Bindings::why_not(const Origin& from, const Caller& caller,
                                        const wire::Ask& ask) {
    if (ask.words_size() != 2) return failure("usage", "write: bind <name>");
    const std::string& name = ask.words(1);
    if (!context_.sealed()) {
        return failure("insecure", "this bank runs with --insecure: nobody has a key there");
    }
    const Account* account = context_.state.find(name);
    const bool staff = may(caller.role, Role::admin);
    if (account == nullptr) return failure("no-account", "there is no account " + quote(name));
    if (!staff && (account->owner().empty() || account->owner() != caller.email)) {
        sign_in_.refused(caller.email, "bind", "not-allowed");
        return failure("not-allowed",
                       "an account is bound by the person who was signed in when it "
                       "was opened, or by an admin");
    }
    if (account->exited) return failure("exited", "the account of " + name + " is closed");
    const auto keys = keys_of(from, ask.signing_key(), account);
    if (!keys) return failure(keys.error());
    return std::nullopt;
}

Answer Bindings::bind(const Origin& from, const Caller& caller, const wire::Ask& ask) {
    if (auto refused = why_not(from, caller, ask)) return std::move(*refused);
    Account& account = *context_.state.find(ask.words(1));
    const secure::PublicKeys keys = keys_of(from, ask.signing_key(), &account).value();
    Answer answer;
    if (from.name == account.name) {
        // It has the account's state, and goes on from there.
        if (account.keys() != keys) commit(account, keys, 0);
        answer = success("bind " + account.name);
    } else {
        answer = hand_over(account, keys);
        if (answer.outcome != Outcome::success) return answer;
    }
    context_.notice(Severity::warning, caller.email + " has bound account " + account.name +
                                           " to the key " + secure::fingerprint(keys) + " at " +
                                           to_string(from.address));
    return answer.fact("name", account.name)
        .fact("key", secure::fingerprint(keys))
        .fact("balance", account.shown_balance());
}

Answer Bindings::hand_over(Account& account, const secure::PublicKeys& keys) {
    const Cohort* cohort = context_.state.cohort_of(account);
    if (cohort != nullptr && cohort->stage == CohortStage::forming) {
        return failure("busy", account.name + " is about to join a cohort; try again");
    }
    if (cohort != nullptr) {
        return failure("in-cohort",
                       account.name + " is in " + cohort->name +
                           ", and this program does not have its state: end the cohort first, with "
                           "`delete-cohort` by another member or, where " +
                           account.name + " cannot take part, `delete-cohort " + account.name +
                           " --force` by the operator at the bank");
    }
    // Asked again before it has been taken over, it is the same.
    if (account.opener != 0 || account.attached || account.keys() != keys) reset(account, keys);
    Answer answer = success("bind " + account.name);
    return answer.line("it stands at its last settled balance, " +
                       to_string(account.shown_balance()) + ": what came after that is undone");
}

Answer Bindings::unbind(const Account& account) {
    if (account.keys().empty()) {
        return failure("no-key", account.name +
                                     " is nobody's key's: the next program that "
                                     "attaches from " +
                                     ip_to_string(account.ip) + " has it");
    }
    commit(account, {}, 0);
    Answer answer = success("unbind " + account.name);
    return answer.fact("name", account.name)
        .line("the next program that attaches from " + ip_to_string(account.ip) +
              " has it: with its state where it is there, or else, with --name " + account.name +
              ", with its last settled balance");
}

}  // namespace p2pbank::bank
