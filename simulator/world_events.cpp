// What machines and the network tell a world: counted, told on, and shown to the oracles. Part of
// World.
#include "bank/records.pb.h"
#include "common/base/check.h"
#include "common/core/describe.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

void World::note_record(const Machine& machine, std::string_view record) {
    recorded_at_ = machine.index();
    record_ = record;
}

// The kind of a record is the number of the field that it has; it is the only one.
std::string World::cause() const {
    std::string out;
    if (arrived_at_) {
        out = who(*arrived_at_) + " took in a datagram from " + to_string(arrived_.from) + ": " +
              describe(network_.decode(arrived_.bytes));
    }
    if (recorded_at_) {
        const auto byte = [&](size_t at) -> unsigned {
            return at < record_.size() ? static_cast<unsigned char>(record_[at]) : 0U;
        };
        const unsigned tag = byte(0) < 128 ? byte(0) : (byte(0) & 127U) | byte(1) << 7U;
        out += (out.empty() ? "" : "; ") + who(*recorded_at_) + " wrote a record, kind " +
               std::to_string(tag >> 3U) + " of " + (*recorded_at_ == kBank ? "bank" : "customer") +
               "/records.proto, " + std::to_string(record_.size()) + " bytes";
    }
    return out.empty() ? "a timer, a command or the disk" : out;
}

void World::count_work(std::string_view bytes) {
    bank_records::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (record.has_decided()) {
        ++(record.decided().commit() ? tally_.commits : tally_.aborts);
    } else if (record.has_dealt() && !record.dealt().accepted()) {
        ++tally_.deals_refused;
    }
}

void World::persisted(Machine& machine, std::string_view record) {
    note_record(machine, record);
    if (machine.index() == kBank) count_work(record);
    if (liar_) return;
    if (machine.index() == kBank) {
        oracles_->bank_persisted(record);
        business_.persisted(record);
    } else {
        oracles_->customer_persisted(machine.index(), record);
    }
}

FactSink* World::history_of(Machine& machine) {
    if (machine.index() != kBank) return nullptr;
    return liar_ ? proofs_.begin() : business_.history();
}

JobResult World::look_up(Machine&, const Query& query) {
    return liar_ ? proofs_.look_up(query) : business_.look_up(query);
}

void World::made_durable(Machine& machine, const std::string& record) {
    note_record(machine, record);
    if (liar_) return;
    if (machine.index() == kBank) business_.made_durable();
    oracles_->made_durable(machine.index(), record);
}

void World::answer_made(Machine&, CommandId command, const Answer& answer) {
    if (liar_) return;
    oracles_->answer_made(command, answer);
    business_.answer_made(command, answer);
}

void World::answered(Machine& machine, CommandId id, const Answer& answer) {
    Command& command = commands_[id.value() - 1];
    P2PBANK_CHECK(!command.over());  // answers-once has seen to it
    command.answer = answer;
    command.answered = now();
    --waiting_;
    if (answer.outcome == Outcome::success) ++tally_.successes;
    if (answer.outcome == Outcome::failure) ++tally_.failures;
    if (answer.outcome == Outcome::unknown) ++tally_.unknowns;
    const std::string text = to_lines(answer);
    digest_.add(text);
    tell(machine.index(), text.substr(0, text.size() - 1));
    if (liar_) return;
    oracles_->answered(id);
    business_.answered(id);
}

void World::noticed(Machine& machine, Severity severity, const std::string& text) {
    tell(machine.index(), (severity == Severity::info ? "note: " : "WARNING: ") + text);
    // Nobody lies here, so the bank's last line of defence has nothing to do; if it has, it hides a
    // mistake elsewhere.
    if (!liar_ && machine.index() == kBank && severity != Severity::info &&
        (text.starts_with("aborts ") || text.starts_with("refuses the "))) {
        violated("nobody-is-suspected", "the bank " + text);
    }
}

void World::table_made(Machine&, const std::string& content) {
    if (!liar_) oracles_->table_made(content);
}

void World::table_in_place(Machine& machine, const std::string& content) {
    digest_.add(content);
    tell(machine.index(), "the table is in place");
    if (!liar_) oracles_->table_in_place(content);
}

void World::key_logged(Machine&, uint32_t index, const KeyBytes& key) {
    network_.keys().add(index, key);
}

void World::traced(Machine& machine, const TraceEvent& event) {
    story_->traced(now(), who(machine.index()), event);
}

void World::touched(Machine& machine) {
    if (std::find(touched_.begin(), touched_.end(), machine.index()) == touched_.end()) {
        touched_.push_back(machine.index());
    }
}

void World::transmit(Machine& machine, Socket from, Address to, std::string_view bytes) {
    digest_.add(static_cast<uint64_t>(now().time_since_epoch().count()) << 8 | machine.index());
    digest_.add(bytes);
    oracles_->transmitted(machine.index(), bytes.size());
    network_.send(address(machine.index(), from), to, bytes);
}

void World::tell(size_t index, std::string_view what) {
    if (tracing()) story_->tell(now(), who(index), what);
}

void World::violated(const std::string& invariant, const std::string& text) {
    throw Violation{invariant, text, now(), cause()};
}

}  // namespace p2pbank::simulator
