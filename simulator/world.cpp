#include "simulator/world.h"

#include <algorithm>

#include "common/base/check.h"

namespace p2pbank::simulator {
namespace {

constexpr uint32_t kBankIp = 0x0a000001;       // 10.0.0.1
constexpr uint32_t kCustomerIps = 0x0a000100;  // 10.0.1.0
constexpr uint16_t kBankPort = 8'500;
constexpr uint16_t kPort1 = 9'001;
constexpr uint16_t kPort2 = 9'002;
constexpr int64_t kWallOffsetUs = 1'798'761'600'000'000;  // 2027-01-01
constexpr uint64_t kBankKey = 1987;
constexpr const char* kTable = "data.csv";
constexpr const char* kBankJournal = "data.csv.journal";

KeyBytes bytes_of(uint64_t seed) {
    KeyBytes out{};
    Random random(seed);
    for (unsigned char& byte : out) byte = static_cast<unsigned char>(random.below(256));
    return out;
}

}  // namespace

std::string Command::first_line() const {
    if (unanswered) return "unanswered";
    if (!answer) return "";
    const std::string all = to_lines(*answer);
    return all.substr(0, all.find('\n'));
}

World::World(const WorldSettings& settings, Story* story)
    : story_(story),
      random_(settings.seed),
      network_(schedule_, random_.next(), tally_, [this](const Packet& packet) { arrive(packet); }),
      customers_(settings.customers.size() + 1),
      oracles_(std::make_unique<Oracles>(*this)),
      business_(*this) {
    network_.set_faults(settings.network);
    modes_.push_back(StableMode::journal);
    modes_.insert(modes_.end(), settings.customers.begin(), settings.customers.end());
    last_status_.resize(modes_.size());
    for (size_t i = 0; i < modes_.size(); ++i) {
        Surroundings& around = *this;
        machines_.push_back(
            std::make_unique<Machine>(machine_settings(settings, i), schedule_, tally_, around));
    }
}

World::~World() = default;

MachineSettings World::machine_settings(const WorldSettings& settings, size_t index) {
    MachineSettings out;
    out.index = index;
    out.label = index == kBank ? "bank" : "host" + std::to_string(index);
    if (index == kBank) {
        out.journal = kBankJournal;
        out.table = kTable;
    }
    out.seed = random_.next();
    out.least_disk = settings.least_disk;
    out.most_disk = settings.most_disk;
    out.slow_disk = settings.slow_disk;
    out.long_turns = settings.long_turns;
    out.replace_after_bytes = settings.replace_after_bytes;
    return out;
}

Address World::address(size_t index, Socket socket) const {
    if (index == kBank) return {kBankIp, kBankPort};
    return {kCustomerIps + static_cast<uint32_t>(index), socket == Socket::bank ? kPort1 : kPort2};
}

void World::arrive(const Packet& packet) {
    const size_t index = packet.to.ip == kBankIp ? kBank : packet.to.ip - kCustomerIps;
    if (index >= machines_.size() || !machines_[index]->running()) {
        ++tally_.dead;
        return;
    }
    for (const Socket socket : {Socket::bank, Socket::peer}) {
        if (address(index, socket) != packet.to) continue;
        ++tally_.delivered;
        machines_[index]->deliver(socket, packet.from, packet.bytes);
        return;
    }
    ++tally_.dead;
}

std::unique_ptr<Node> World::build(size_t index, const std::string& name, uint64_t seed) const {
    if (index == kBank) {
        BankSettings settings;
        settings.seed = seed;
        settings.wall_offset_us = kWallOffsetUs;
        settings.secret_seed = bytes_of(seed);
        settings.key_seed = bytes_of(kBankKey);
        return std::make_unique<Bank>(settings);
    }
    CustomerSettings settings;
    settings.bank = address(kBank, Socket::bank);
    settings.own_ip = address(index, Socket::bank).ip;
    settings.port1 = kPort1;
    settings.port2 = kPort2;
    settings.stable = modes_[index];
    settings.name = name;
    settings.seed = seed;
    settings.wall_offset_us = kWallOffsetUs;
    settings.secret_seed = bytes_of(seed);
    return std::make_unique<Customer>(settings);
}

std::unique_ptr<Node> World::node_like(size_t index) const {
    return build(index, machines_[index]->account(), 1);
}

std::unique_ptr<Node> World::make_node(Machine& machine, const std::string& name, uint64_t seed) {
    const size_t index = machine.index();
    std::unique_ptr<Node> node = build(index, name, seed);
    if (index == kBank) {
        bank_ = static_cast<Bank*>(node.get());
    } else {
        customers_[index] = static_cast<Customer*>(node.get());
    }
    return node;
}

Result<void> World::replayed(Machine& machine, Node&) {
    if (machine.index() != kBank) return {};
    business_.replayed(machine);
    const auto content = machine.disk().read_all(kTable);
    oracles_->table_found(content);
    return bank_->load_table(content ? std::optional<std::string_view>(*content) : std::nullopt);
}

std::string World::table() {
    return machines_[kBank]->disk().read_all(kTable).value_or("");
}

void World::edit_table(const std::string& content) {
    P2PBANK_CHECK(!machines_[kBank]->running());
    machines_[kBank]->disk().put(kTable, content);
    tell(kBank, "(somebody edits the table)");
    oracles_->table_in_place(content);
}

void World::start(size_t index) {
    if (auto done = machines_[index]->start(); !done) {
        violated("journal-opens", machines_[index]->label() + ": " + done.error().message);
    }
    if (!machines_[index]->running()) {
        tell(index, "CRASHES while it is being started");
        if (index == kBank) bank_ = nullptr;
        customers_[index] = nullptr;
    }
}

void World::start_all() {
    for (size_t i = 0; i < machines_.size(); ++i) start(i);
}

void World::started(Machine& machine) {
    tell(machine.index(), machine.account().empty() ? "starts" : "starts as " + machine.account());
    oracles_->restored(machine.index());
}

void World::ended(Machine& machine, std::optional<int> status) {
    const size_t index = machine.index();
    last_status_[index] = status;
    tell(index, !status                     ? "CRASHES"
                : *status == Machine::kQuit ? "quits"
                                            : "ends with status " + std::to_string(*status));
    digest_.add(index << 8 | static_cast<uint64_t>(status.value_or(255)));
    if (index == kBank) bank_ = nullptr;
    customers_[index] = nullptr;
    for (Command& command : commands_) {
        if (command.machine != index || command.over()) continue;
        command.unanswered = true;
        ++tally_.unanswered;
        --waiting_;
    }
    std::erase(touched_, index);
    if (status && *status > 0) {
        violated("nobody-gives-up",
                 machine.account() + " stops with status " + std::to_string(*status));
    }
}

std::string World::who(size_t index) const {
    if (index == kBank) return "bank";
    const Customer* node = customers_[index];
    if (node != nullptr && !node->state().name.empty()) return node->state().name;
    const Machine& machine = *machines_[index];
    return machine.account().empty() ? machine.label() : machine.account();
}

std::optional<size_t> World::find(std::string_view account) const {
    for (size_t i = kBank + 1; i < customers_.size(); ++i) {
        if (customers_[i] != nullptr && customers_[i]->state().name == account) return i;
    }
    return std::nullopt;
}

CommandId World::type(size_t index, std::string line) {
    Command command;
    command.machine = index;
    command.line = line;
    command.typed = now();
    ++tally_.commands;
    tell(index, "> " + line);
    const bool runs = machines_[index]->running();
    if (runs) {
        ++waiting_;
    } else {
        command.unanswered = true;
        ++tally_.unanswered;
    }
    commands_.push_back(std::move(command));
    const CommandId id(commands_.size());
    if (runs) machines_[index]->type(id, std::move(line));
    return id;
}

std::string World::oldest_waiting() const {
    for (const Command& command : commands_) {
        if (!command.over()) return who(command.machine) + "> " + command.line;
    }
    return "";
}

void World::persisted(Machine& machine, std::string_view record) {
    if (machine.index() == kBank) {
        oracles_->bank_persisted(record);
        business_.persisted(record);
    } else {
        oracles_->customer_persisted(machine.index(), record);
    }
}

FactSink* World::history_of(Machine& machine) {
    return machine.index() == kBank ? business_.history() : nullptr;
}

JobResult World::look_up(Machine&, const Query& query) {
    return business_.look_up(query);
}

void World::made_durable(Machine& machine, const std::string& record) {
    if (machine.index() == kBank) business_.made_durable();
    oracles_->made_durable(machine.index(), record);
}

void World::answer_made(Machine&, CommandId command, const Answer& answer) {
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
    oracles_->answered(id);
    business_.answered(id);
}

void World::noticed(Machine& machine, Severity severity, const std::string& text) {
    tell(machine.index(), (severity == Severity::info ? "note: " : "WARNING: ") + text);
    // Nobody lies here, so the bank's last line of defence has nothing to do; if it has, it hides a
    // mistake elsewhere.
    if (machine.index() == kBank && severity != Severity::info &&
        (text.starts_with("aborts ") || text.starts_with("refuses the "))) {
        violated("nobody-is-suspected", "the bank " + text);
    }
}

void World::table_made(Machine&, const std::string& content) {
    oracles_->table_made(content);
}

void World::table_in_place(Machine& machine, const std::string& content) {
    digest_.add(content);
    tell(machine.index(), "the table is in place");
    oracles_->table_in_place(content);
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
    network_.send(address(machine.index(), from), to, bytes);
}

bool World::step() {
    if (!schedule_.step()) return false;
    for (const size_t index : touched_) oracles_->after_event(index);
    touched_.clear();
    return true;
}

bool World::run_until(const std::function<bool()>& condition, Duration within) {
    const TimePoint deadline = now() + within;
    while (!condition()) {
        const auto next = schedule_.next();
        if (!next || *next > deadline) {
            schedule_.idle_until(deadline);
            return condition();
        }
        step();
    }
    return true;
}

void World::run_for(Duration duration) {
    static_cast<void>(run_until([] { return false; }, duration));
}

int64_t World::wall_us() const {
    return now().time_since_epoch().count() + kWallOffsetUs;
}

void World::tell(size_t index, std::string_view what) {
    if (tracing()) story_->tell(now(), who(index), what);
}

void World::violated(const std::string& invariant, const std::string& text) {
    throw Violation{invariant, text, now()};
}

}  // namespace p2pbank::simulator
