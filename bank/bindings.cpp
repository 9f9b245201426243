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

void Bindings::commit(const Account& account, const secure::PublicKeys& keys, uint64_t reset_epoch,
                      const std::string& owner) {
    State::Record record;
    auto* bound = record.mutable_bound();
    bound->set_name(account.name);
    if (!keys.empty()) {
        bound->set_channel_key(secure::to_bytes(keys.channel));
        bound->set_signing_key(secure::to_bytes(keys.signing));
    }
    bound->set_reset(reset_epoch != 0);
    bound->set_epoch(reset_epoch);
    bound->set_owner(owner);
    context_.commit(record);
}

// --- commands

namespace {

// The account's own program asks: whoever sits there has the account anyway.
bool is_own_program(const Origin& from, const Account& account) {
    return from.is_account && from.name == account.name && from.instance >= account.boots;
}

std::string how_to_own(const Account& account) {
    if (!account.owner().empty()) {
        return "an account is bound by its owner, who was signed in when it was opened, or by an "
               "admin";
    }
    return account.name + " has no owner: who has its program signs in there and types `bind " +
           account.name + "` to become it; from here only an admin binds it";
}

}  // namespace

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
    const bool claims = account->owner().empty() && is_own_program(from, *account);
    const bool owns = !account->owner().empty() && account->owner() == caller.email;
    if (!staff && !owns && !claims) {
        sign_in_.refused(caller.email, "bind", "not-allowed");
        return failure("not-allowed", how_to_own(*account));
    }
    if (claims && !caller.verified) {
        sign_in_.refused(caller.email, "bind", "not-verified");
        return failure("not-verified",
                       "the e-mail is not verified yet: `verify <code>` first, with the code that "
                       "the bank's operator has");
    }
    if (account->exited) return failure("exited", "the account of " + name + " is closed");
    const auto keys = keys_of(from, ask.signing_key(), account);
    if (!keys) return failure(keys.error());
    if (from.name == name && keys.value() != account->keys()) return why_old(from, ask, *account);
    return std::nullopt;
}

std::optional<Answer> Bindings::why_old(const Origin& from, const wire::Ask& ask,
                                        const Account& account) const {
    std::string why;
    const auto behind = [&](const char* what, uint64_t here, uint64_t known) {
        why += why.empty() ? "" : ", ";
        why += what + std::to_string(here) + " here, " + std::to_string(known) + " at the bank";
    };
    if (ask.epoch() < account.epoch) behind("epoch ", ask.epoch(), account.epoch);
    if (ask.statements() < account.statements()) {
        behind("statement ", ask.statements(), account.statements());
    }
    // Each start is a run of its own: the newest copy's is above all that the bank has seen, or is
    // the one that has lost its key to `unbind`.
    const bool may_be_same_run = account.keys().empty() && from.instance == account.boots;
    if (account.attached && from.instance <= account.boots && !may_be_same_run) {
        behind("start ", from.instance, account.boots);
    }
    if (why.empty()) return std::nullopt;
    const std::string& name = account.name;
    return failure("old-state", "this copy of the state of " + name +
                                    " is older than what the bank knows (" + why +
                                    "); nothing was changed. Start the newest copy. If there is "
                                    "none, stop this program, move its folder state/" +
                                    name + " away, start it again with --name " + name +
                                    ", sign in and type: bind " + name +
                                    ". The account then stands at its last settled balance, " +
                                    to_string(account.shown_balance()));
}

Answer Bindings::bind(const Origin& from, const Caller& caller, const wire::Ask& ask) {
    if (auto refused = why_not(from, caller, ask)) return std::move(*refused);
    Account& account = *context_.state.find(ask.words(1));
    const secure::PublicKeys keys = keys_of(from, ask.signing_key(), &account).value();
    Answer answer;
    if (account.owner().empty() && is_own_program(from, account)) {
        commit(account, keys, 0, caller.email);
        context_.notice(Severity::warning,
                        "account " + account.name + " belongs to " + caller.email + " from now on");
        answer = success("bind " + account.name);
        return answer.line(account.name + " belongs to " + caller.email + " from now on")
            .fact("name", account.name)
            .fact("owner", caller.email)
            .fact("key", secure::fingerprint(keys))
            .fact("balance", account.shown_balance());
    }
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
                           ", and this program does not have its state. End the cohort first, "
                           "without " +
                           account.name + ": `delete-cohort " + account.name +
                           " --force` at the bank, or `delete-cohort <own name> --force` at "
                           "another member's program. What is not in a checkpoint is undone then");
    }
    // Asked again before it has been taken over, it is the same.
    if (account.opener != 0 || account.attached || account.keys() != keys) reset(account, keys);
    Answer answer = success("bind " + account.name);
    return answer.line("it stands at its last settled balance, " +
                       to_string(account.shown_balance()) + ": what came after that is undone");
}

Answer Bindings::no_key(const Account& account) {
    return failure("no-key", account.name + " has no key: the next program that starts at " +
                                 ip_to_string(account.ip) + " takes the account");
}

Answer Bindings::running(const Account& account) {
    return failure("running", "the program of " + account.name + " runs at " +
                                  to_string(account.bank_side()) +
                                  " and would take the account again at once; nothing was changed. "
                                  "Stop it first, or write: unbind " +
                                  account.name + " --force");
}

Answer Bindings::unbind(const Account& account, bool forced) {
    const std::string ip = ip_to_string(account.ip);
    commit(account, {}, 0);
    Answer answer = success("unbind " + account.name);
    answer.fact("name", account.name).fact("ip_address", ip);
    if (forced) {
        answer.line("if its program runs at " + ip + ", it takes the account again within seconds");
    } else {
        answer.line("no program answers for it now");
    }
    return answer
        .line("the next program that starts at " + ip +
              " takes it: with its state where it is there, or else, with --name " + account.name +
              ", with its last settled balance")
        .line("for a program at another IP address: its owner signs in there and types `bind " +
              account.name + "`; or change its ip_address in data.csv while the bank is stopped");
}

}  // namespace p2pbank::bank
