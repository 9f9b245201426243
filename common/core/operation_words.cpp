// Part of statement.h: what operations, votes, decisions and epochs are signed with.
#include <string>

#include "common/core/statement.h"

namespace p2pbank {
namespace {

// Numbers have eight bytes, texts stand behind their length: so no two of them run together into
// the same text.
class Text {
  public:
    Text& add(uint64_t number) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            text_ += static_cast<char>(static_cast<unsigned char>(number >> shift));
        }
        return *this;
    }
    Text& add(std::string_view text) {
        add(uint64_t(text.size()));
        text_ += text;
        return *this;
    }
    Text& add(const OperationId& id) { return add(id.initiator).add(id.epoch).add(id.counter); }
    const std::string& all() const { return text_; }

  private:
    std::string text_;
};

std::string of_operation(const OperationId& id, wire::OperationKind kind) {
    return Text().add(id).add(static_cast<uint64_t>(kind)).all();
}

std::string of_rollback_vote(const OperationId& id, std::string_view voter, Epoch next_epoch) {
    return Text().add(id).add(voter).add(next_epoch.value()).all();
}

std::string of_decision(const OperationId& id, bool commit) {
    return Text().add(id).add(uint64_t(commit)).all();
}

std::string of_epoch(std::string_view name, CohortId cohort, Epoch epoch) {
    return Text().add(name).add(cohort.value()).add(epoch.value()).all();
}

std::string sign(const secure::Identity* identity, std::string_view label,
                 const std::string& text) {
    return identity == nullptr ? std::string() : identity->sign(label, text);
}

}  // namespace

std::string sign_operation(const secure::Identity* identity, const OperationId& id,
                           wire::OperationKind kind) {
    return sign(identity, kOperationLabel, of_operation(id, kind));
}

std::string sign_rollback_vote(const secure::Identity* identity, const OperationId& id,
                               std::string_view voter, Epoch next_epoch) {
    return sign(identity, kRollbackVoteLabel, of_rollback_vote(id, voter, next_epoch));
}

std::string sign_decision(const secure::Identity* identity, const OperationId& id, bool commit) {
    return sign(identity, kDecisionLabel, of_decision(id, commit));
}

std::string sign_epoch(const secure::Identity* identity, std::string_view name, CohortId cohort,
                       Epoch epoch) {
    return sign(identity, kEpochLabel, of_epoch(name, cohort, epoch));
}

bool is_operation_signed(const OperationId& id, wire::OperationKind kind, const KeyBytes& key) {
    return secure::is_signed(kOperationLabel, of_operation(id, kind), id.word, key);
}

bool is_rollback_vote_signed(const OperationId& id, std::string_view voter, Epoch next_epoch,
                             std::string_view word, const KeyBytes& key) {
    return secure::is_signed(kRollbackVoteLabel, of_rollback_vote(id, voter, next_epoch), word,
                             key);
}

bool is_decision_signed(const OperationId& id, bool commit, std::string_view word,
                        const KeyBytes& key) {
    return secure::is_signed(kDecisionLabel, of_decision(id, commit), word, key);
}

bool is_epoch_signed(std::string_view name, CohortId cohort, Epoch epoch, std::string_view word,
                     const KeyBytes& key) {
    return secure::is_signed(kEpochLabel, of_epoch(name, cohort, epoch), word, key);
}

}  // namespace p2pbank
