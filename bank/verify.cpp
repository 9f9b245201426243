#include "bank/verify.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "bank/bundle.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

constexpr size_t kMostShown = 100;  // problems, in the answer

// Names in the file may be anything, and a terminal obeys what is not text.
std::string printable(std::string text) {
    for (char& c : text) {
        if (c < ' ' || c > '~') c = '?';
    }
    return text;
}

// What happened at one record of the bank.
struct Events {
    std::vector<const bank_evidence::Committed*> committed;
    const bank_evidence::CohortEnd* end = nullptr;
    const bank_evidence::Accusation* accusation = nullptr;
};

class Verification {
  public:
    explicit Verification(std::string_view bundle) : bundle_(bundle) {}

    VerifyReport run() {
        auto read = read_items();
        if (!read) {
            report_.problems.push_back({read.error().code, read.error().message});
            return std::move(report_);
        }
        std::set<std::string> banks{head_.signing_key()};
        for (const auto& former : head_.former()) banks.insert(former.signing_key());
        Ledger ledger(banks);
        for (const bank_evidence::Account& account : accounts_) ledger.correct(account);
        for (const auto& [position, events] : events_) {
            if (events.accusation == nullptr) continue;
            for (const auto* signer : {&events.accusation->accused(), &events.accusation->sender(),
                                       &events.accusation->receiver()}) {
                ledger.keep(signer->name(), signer->head());
            }
        }
        for (const auto& [position, events] : events_) {
            if (!events.committed.empty()) ledger.commit(events.committed);
            if (events.end != nullptr) ledger.end_cohort(*events.end);
        }
        for (const bank_evidence::Account& account : accounts_) ledger.compare(account);
        ledger.finish();
        for (const auto& [position, events] : events_) {
            if (events.accusation != nullptr) judge(*events.accusation, ledger);
        }
        report_.accounts = accounts_.size();
        auto& problems = report_.problems;
        problems.insert(problems.begin(), ledger.problems().begin(), ledger.problems().end());
        report_.notes = ledger.notes();
        note_former_keys(ledger);
        return std::move(report_);
    }

  private:
    Result<void> read_items();
    Result<void> add(bank_evidence::Item item);
    void note_former_keys(const Ledger& ledger);
    void judge(const bank_evidence::Accusation& accusation, const Ledger& ledger);
    // The recomputed text; nothing if the accusation does not hold.
    static std::optional<std::string> held(const bank_evidence::Accusation& accusation,
                                           const Ledger& ledger);
    static std::optional<std::string> held_dispute(const bank_evidence::Accusation& accusation,
                                                   const Ledger& ledger);

    std::string_view bundle_;
    bank_evidence::Head head_;
    std::vector<bank_evidence::Account> accounts_;
    std::deque<bank_evidence::Item> items_;  // that events point into
    std::map<uint64_t, Events> events_;      // by position
    VerifyReport report_;
};

Result<void> Verification::add(bank_evidence::Item item) {
    const auto twice = [] { return Error{"bad-file", "the same thing twice"}; };
    if (item.has_account()) {
        accounts_.push_back(std::move(*item.mutable_account()));
        return {};
    }
    const bank_evidence::Item& kept = items_.emplace_back(std::move(item));
    if (kept.has_committed()) {
        events_[kept.committed().position()].committed.push_back(&kept.committed());
        ++report_.statements;
    } else if (kept.has_cohort_end()) {
        Events& events = events_[kept.cohort_end().position()];
        if (events.end != nullptr) return twice();
        events.end = &kept.cohort_end();
    } else if (kept.has_accused()) {
        Events& events = events_[kept.accused().position()];
        if (events.accusation != nullptr) return twice();
        events.accusation = &kept.accused().accusation();
    } else {
        return twice();  // a second head
    }
    return {};
}

Result<void> Verification::read_items() {
    auto opened = BundleReader::open(bundle_);
    if (!opened) return opened.error();
    BundleReader& reader = opened.value();
    auto first = reader.next();
    if (!first) return first.error();
    if (!first.value() || !first.value()->has_head()) {
        return Error{"bad-file", "it does not begin with what bank it is of"};
    }
    head_ = first.value()->head();
    const auto channel = secure::key_from_bytes(head_.channel_key());
    const auto signing = secure::key_from_bytes(head_.signing_key());
    if (!channel || !signing) return Error{"bad-file", "the bank's keys are none"};
    for (const auto& former : head_.former()) {
        // Or what is signed for them would not be noted.
        if (!secure::key_from_bytes(former.channel_key()) ||
            !secure::key_from_bytes(former.signing_key())) {
            return Error{"bad-file", "the keys that the bank had before are none"};
        }
    }
    for (;;) {
        auto next = reader.next();
        if (!next) return next.error();
        if (!next.value()) break;
        if (next.value()->has_seal()) {
            if (!reader.is_sealed_by(next.value()->seal(), *signing)) {
                return Error{"bad-signature", "the seal is not that of the bank"};
            }
            continue;
        }
        if (auto added = add(std::move(*next.value())); !added) return added;
    }
    std::set<std::string_view> names;
    for (const bank_evidence::Account& account : accounts_) {
        if (!names.insert(account.name()).second) {
            return Error{"bad-file", "the account " + account.name() + " twice"};
        }
    }
    report_.bank = secure::fingerprint({*channel, *signing});
    return {};
}

// That they were the bank's, nothing shows but its word: they may be somebody else's.
void Verification::note_former_keys(const Ledger& ledger) {
    for (const auto& former : head_.former()) {
        const uint64_t count = ledger.committed_to(former.signing_key());
        if (count == 0) continue;
        const auto channel = secure::key_from_bytes(former.channel_key());
        const auto signing = secure::key_from_bytes(former.signing_key());
        if (!channel || !signing) continue;
        report_.former.push_back(secure::fingerprint({*channel, *signing}));
        report_.notes.push_back(std::to_string(count) + " of the statements are to the key " +
                                report_.former.back() +
                                ", which the bank says that it had before: compare that one too");
    }
}

void Verification::judge(const bank_evidence::Accusation& accusation, const Ledger& ledger) {
    const auto text = held(accusation, ledger);
    if (!text) {
        report_.problems.push_back({"bad-accusation", "what the bank says of " + accusation.name() +
                                                          " does not hold: " + accusation.text()});
        return;
    }
    const bool lied = accusation.kind() != bank_evidence::ACCUSATION_NO_EVIDENCE;
    report_.accusations.push_back(accusation.name() + (lied ? " lied: " : " gave no evidence: ") +
                                  *text);
    // Somebody's key is what the bank says that it is: a statement under the same key that became
    // permanent shows that it was used.
    for (const auto* signer :
         {&accusation.accused(), &accusation.sender(), &accusation.receiver()}) {
        if (signer->name() != accusation.name()) continue;
        const auto same = [&](const bank_evidence::Account& account) {
            return account.name() == signer->name() &&
                   account.signing_key() == signer->signing_key();
        };
        if (std::any_of(accounts_.begin(), accounts_.end(), same) ||
            ledger.has_signed_with(signer->name(), signer->signing_key())) {
            continue;
        }
        report_.notes.push_back("that is signed with a key that " + signer->name() +
                                " has nowhere else here");
    }
}

std::optional<std::string> Verification::held(const bank_evidence::Accusation& accusation,
                                              const Ledger& ledger) {
    if (accusation.kind() != bank_evidence::ACCUSATION_STATEMENT) {
        return held_dispute(accusation, ledger);
    }
    const bank_evidence::Signer& accused = accusation.accused();
    const auto statement = ledger.read(accused.name(), accused.signing_key(), accused.statement());
    if (!statement || accused.name() != accusation.name() ||
        statement->previous() != accused.head()) {
        return std::nullopt;
    }
    const bool in_cohort = statement->kind() != wire::OPERATION_JOIN && statement->cohort() != 0;
    Books first;
    first.totals.opening = Money::from_cents(statement->totals().opening());
    const Books* before = accused.head().empty()
                              ? &first
                              : ledger.books_at(accused.name(), accused.head(), in_cohort);
    if (before == nullptr) return std::nullopt;
    const auto books = next_books(*before, *statement);
    if (books || books.error().code != "false-statement") return std::nullopt;
    return books.error().message;
}

// One end of the channel: where it stood, and where it would stand with its statement.
struct End {
    Channel before;
    Channel now;
    wire::Statement statement;
};
std::optional<End> end_of(const bank_evidence::Signer& signer, const std::string& peer,
                          const Ledger& ledger) {
    const Books* before = ledger.books_at(signer.name(), signer.head(), true);
    if (before == nullptr) return std::nullopt;
    End end;
    const auto known = before->channels.find(peer);
    if (known != before->channels.end()) end.before = known->second;
    end.now = end.before;
    if (!signer.has_statement()) return end;
    auto statement = ledger.read(signer.name(), signer.signing_key(), signer.statement());
    if (!statement || statement->previous() != signer.head()) return std::nullopt;
    const auto books = next_books(*before, *statement);
    if (!books) return std::nullopt;
    const auto settled = books.value().channels.find(peer);
    if (settled != books.value().channels.end()) end.now = settled->second;
    end.statement = std::move(*statement);
    return end;
}

std::optional<std::string> Verification::held_dispute(const bank_evidence::Accusation& accusation,
                                                      const Ledger& ledger) {
    const bank_evidence::Signer& sender = accusation.sender();
    const bank_evidence::Signer& receiver = accusation.receiver();
    const auto out = end_of(sender, receiver.name(), ledger);
    const auto in = end_of(receiver, sender.name(), ledger);
    const auto key = secure::key_from_bytes(sender.signing_key());
    if (!out || !in || !key || !receiver.has_statement() || matches(out->now, in->now)) {
        return std::nullopt;
    }
    const OperationId id = from_wire(accusation.operation());
    const bool took_part = sender.has_statement();
    if (from_wire(in->statement.operation()) != id ||
        (took_part && (from_wire(out->statement.operation()) != id ||
                       out->statement.cohort() != in->statement.cohort()))) {
        return std::nullopt;
    }
    Dispute dispute{
        sender.name(), receiver.name(),
        out->before,   out->now,
        in->before,    in->now,
        took_part,     Epoch(took_part ? out->statement.epoch() : accusation.sender_epoch())};
    std::vector<Proven> proven;
    for (int i = 0; i < accusation.evidence_size(); ++i) {
        if (!add_proof(dispute, CohortId(in->statement.cohort()), *key, accusation.evidence(i),
                       static_cast<size_t>(i), proven)) {
            return std::nullopt;
        }
    }
    const bool is_sender = accusation.name() == sender.name();
    if (!is_sender && accusation.name() != receiver.name()) return std::nullopt;
    std::optional<Lie> lie;
    switch (accusation.kind()) {
        case bank_evidence::ACCUSATION_SENDER:
            if (is_sender) lie = lie_of_sender(dispute, std::move(proven));
            break;
        case bank_evidence::ACCUSATION_RECEIVER:
            if (!is_sender) lie = lie_of_receiver(dispute, std::move(proven));
            break;
        case bank_evidence::ACCUSATION_NO_EVIDENCE:
            // That it did not answer is the bank's word.
            if (!is_sender) return accusation.text();
            break;
        default:
            break;
    }
    if (!lie) return std::nullopt;
    return lie->text;
}

}  // namespace

VerifyReport verify(std::string_view bundle) {
    return Verification(bundle).run();
}

Answer verify_answer(std::string_view bundle, std::string_view bank_key) {
    std::optional<std::string> wanted;
    if (!bank_key.empty()) {
        wanted = secure::parse_fingerprint(bank_key);
        if (!wanted) return failure("bad-key", "--bank-key: that is no fingerprint of a key");
    }
    VerifyReport report = verify(bundle);
    if (wanted && !report.bank.empty() && report.bank != *wanted) {
        const bool had =
            std::find(report.former.begin(), report.former.end(), *wanted) != report.former.end();
        const std::string former = had ? ", which says that it had the given key before" : "";
        report.problems.insert(report.problems.begin(),
                               {"other-bank", "it is of the bank " + report.bank + former});
    }
    const std::string counted = "statements " + std::to_string(report.statements) + " accounts " +
                                std::to_string(report.accounts);
    Answer answer = report.problems.empty()
                        ? success("verify " + counted)
                        : failure(report.problems[0].code, printable(report.problems[0].text));
    for (size_t i = 1; i < std::min(report.problems.size(), kMostShown); ++i) {
        answer.line(printable(report.problems[i].code + ": " + report.problems[i].text));
    }
    if (report.problems.size() > kMostShown) {
        answer.line("and " + std::to_string(report.problems.size() - kMostShown) + " more");
    }
    for (const std::string& line : report.accusations) answer.line(printable(line));
    for (const std::string& note : report.notes) answer.line(printable("note: " + note));
    if (report.statements == 0 && report.problems.empty()) {
        answer.line("note: nothing is signed in it: it shows nothing");
    }
    if (!report.bank.empty()) {
        answer.line("the bank's key: " + report.bank +
                    (wanted ? ""
                            : "; this shows only that the file agrees with itself, unless that is "
                              "the bank's: compare it, or give it with --bank-key"));
    }
    answer.fact("statements", report.statements).fact("accounts", report.accounts);
    answer.fact("bank_key", report.bank);
    answer.fact("problems", uint64_t(report.problems.size()));
    answer.fact("accusations", uint64_t(report.accusations.size()));
    return answer;
}

}  // namespace p2pbank::bank
