#include "simulator/world.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/core/describe.h"
#include "simulator/liar.h"

namespace p2pbank::simulator {
namespace {

constexpr uint32_t kBankIp = 0x0a000001;       // 10.0.0.1
constexpr uint32_t kCustomerIps = 0x0a000100;  // 10.0.1.0
constexpr uint16_t kBankPort = 8'500;
constexpr uint16_t kPort1 = 9'001;
constexpr uint16_t kPort2 = 9'002;
constexpr int64_t kWallOffsetUs = 1'798'761'600'000'000;  // 2027-01-01
constexpr uint64_t kBankKey = 1987;
constexpr uint64_t kNewKey = 0x6b65790000000000;
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
      insecure_(settings.insecure),
      liar_(settings.liar),
      lies_(settings.lies),
      random_(settings.seed),
      gate_(settings.only_faults),
      network_(schedule_, random_.next(), tally_, gate_,
               [this](const Packet& packet) { arrive(packet); }),
      attacker_(network_, schedule_, tally_, gate_, random_.next(),
                [this](const std::string& invariant, const std::string& text) {
                    violated(invariant, text);
                }),
      customers_(settings.customers.size() + 1),
      oracles_(std::make_unique<Oracles>(*this)),
      business_(*this) {
    network_.on_fault([this](const Packet& packet, Fault kind) { happened(packet, kind); });
    network_.set_faults(settings.network);
    if (!insecure_) {
        network_.watch([this](const Packet& packet) {
            if (secure::type_of(packet.bytes) == 0) {
                violated("nothing-in-clear",
                         "a packet that is not sealed goes to " + to_string(packet.to));
            }
            attacker_.see(packet);
        });
        attacker_.learn_key(address(kBank, Socket::bank),
                            secure::Identity(bytes_of(kBankKey)).keys().channel);
    }
    modes_.push_back(StableMode::journal);
    modes_.insert(modes_.end(), settings.customers.begin(), settings.customers.end());
    last_status_.resize(modes_.size());
    clock_wrong_by_.resize(modes_.size());
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
    if (Attacker::owns(packet.to)) {
        attacker_.receive(packet);
        return;
    }
    const size_t index = packet.to.ip == kBankIp ? kBank : packet.to.ip - kCustomerIps;
    if (index >= machines_.size() || !machines_[index]->running()) {
        ++tally_.dead;
        return;
    }
    for (const Socket socket : {Socket::bank, Socket::peer}) {
        if (address(index, socket) != packet.to) continue;
        ++tally_.delivered;
        arrived_at_ = index;
        arrived_ = packet;
        machines_[index]->deliver(socket, packet.from, packet.bytes);
        return;
    }
    ++tally_.dead;
}

// Of the account on the machine's disk, or a new one.
// A fault of the network, for stories.
void World::happened(const Packet& packet, Fault kind) {
    if (!tracing()) return;
    const size_t index = packet.from.ip == kBankIp ? kBank : packet.from.ip - kCustomerIps;
    if (index >= machines_.size()) return;
    tell(index, "(" + std::string(name_of(kind)) + ": " + describe(network_.decode(packet.bytes)) +
                    " to " + to_string(packet.to) + ")");
}

KeyBytes World::key_seed_of(size_t index, const std::string& name, uint64_t seed) const {
    KeyBytes out = bytes_of(seed ^ kNewKey);
    const std::string file = name + std::string(Machine::kCustomerKey);
    if (const auto kept = machines_[index]->disk().read_all(file); !name.empty() && kept) {
        std::copy_n(kept->begin(), out.size(), out.begin());
    }
    return out;
}

std::unique_ptr<Node> World::build(size_t index, const std::string& name, uint64_t seed) const {
    if (index == kBank) {
        BankSettings settings;
        settings.seed = seed;
        settings.wall_offset_us = kWallOffsetUs + clock_wrong_by_[index].count();
        settings.secret_seed = bytes_of(seed);
        settings.key_seed = bytes_of(kBankKey);
        settings.insecure = insecure_;
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
    settings.wall_offset_us = kWallOffsetUs + clock_wrong_by_[index].count();
    settings.secret_seed = bytes_of(seed);
    settings.insecure = insecure_;
    settings.key_seed = key_seed_of(index, name, seed);
    // Every other one has been told the bank's key; the rest ask for it, and trust the first use.
    if (index % 2 == 0) settings.bank_keys = secure::Identity(bytes_of(kBankKey)).keys();
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
        return node;
    }
    customers_[index] = static_cast<Customer*>(node.get());
    if (liar_ != index) return node;
    return std::make_unique<Liar>(std::unique_ptr<Customer>(static_cast<Customer*>(node.release())),
                                  key_seed_of(index, name, seed), seed, lies_);
}

Result<void> World::replayed(Machine& machine, Node&) {
    if (machine.index() != kBank) return {};
    if (liar_) {
        proofs_.replayed(bank_->state().position);
    } else {
        business_.replayed(machine);
    }
    const auto content = machine.disk().read_all(kTable);
    if (!liar_) oracles_->table_found(content);
    return bank_->load_table(content ? std::optional<std::string_view>(*content) : std::nullopt);
}

std::string World::table() {
    return machines_[kBank]->disk().read_all(kTable).value_or("");
}

void World::edit_table(const std::string& content) {
    P2PBANK_CHECK(!machines_[kBank]->running());
    machines_[kBank]->disk().put(kTable, content);
    tell(kBank, "(somebody edits the table)");
    if (liar_) return;
    oracles_->table_in_place(content);
    oracles_->table_edited(content);
}

void World::start(size_t index) {
    if (auto done = machines_[index]->start(); !done) {
        violated("journal-opens", machines_[index]->label() + ": " + done.error().message);
    }
    if (!machines_[index]->running()) {
        tell(index, "ends while it is being started");
        if (index == kBank) bank_ = nullptr;
        customers_[index] = nullptr;
    }
}

void World::start_all() {
    for (size_t i = 0; i < machines_.size(); ++i) start(i);
}

void World::started(Machine& machine) {
    tell(machine.index(), machine.account().empty() ? "starts" : "starts as " + machine.account());
    if (!liar_) oracles_->restored(machine.index());
}

void World::ended(Machine& machine, std::optional<int> status) {
    const size_t index = machine.index();
    last_status_[index] = status;
    tell(index, !status                           ? "CRASHES"
                : *status == Machine::kQuit       ? "quits"
                : *status == Machine::kDiskFailed ? "ends: its disk failed"
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
    if (status && *status > 0 && liar_ != index) {
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

bool World::step() {
    arrived_at_.reset();
    recorded_at_.reset();
    if (!schedule_.step()) return false;
    if (!liar_) {
        for (const size_t index : touched_) oracles_->after_event(index);
    }
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

int64_t World::wall_us(size_t index) const {
    return (now().time_since_epoch() + clock_wrong_by_[index]).count() + kWallOffsetUs;
}

void World::set_clock(size_t index, Duration wrong_by) {
    clock_wrong_by_[index] = wrong_by;
    if (Node* node = machines_[index]->node()) {
        node->set_wall_offset(kWallOffsetUs + wrong_by.count());
    }
}

}  // namespace p2pbank::simulator
