#include "tests/fuzz/node_run.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/text.h"
#include "common/wire/envelope.h"

namespace p2pbank::fuzz {
namespace {

void check_names(const std::vector<Answer::Fact>& facts, std::set<std::string_view> names) {
    for (const Answer::Fact& fact : facts) P2PBANK_CHECK(names.insert(fact.name).second);
}

// Jobs as the runtime does them, but for the cost: a hash is the password turned around.
std::string hash_of(const Secret& password) {
    return "hash:" + std::string(password.view().rbegin(), password.view().rend());
}

// The way of a datagram from a friend to the node.
class Way : public RecordedEffects {
  public:
    explicit Way(std::function<void(std::string_view)> to) : to_(std::move(to)) {}
    void send(Socket, Address, std::string_view datagram) override { to_(datagram); }

  private:
    std::function<void(std::string_view)> to_;
};

constexpr Address kNode{0x7f000001, 8'600};

}  // namespace

void CheckedEffects::answer(CommandId command, Answer answer) {
    P2PBANK_CHECK(!answers.contains(command));
    std::set<std::string_view> names{"result", "code", "text", "lines"};
    check_names(answer.facts, names);
    for (const Answer::Fact& fact : answer.facts) names.insert(fact.name);
    for (const auto& [name, rows] : answer.tables) {
        P2PBANK_CHECK(names.insert(name).second);
        for (const auto& row : rows) check_names(row, {});
    }
    P2PBANK_CHECK(valid_utf8(to_json(answer)));
    to_lines(answer);
    to_screen(answer, true);
    RecordedEffects::answer(command, std::move(answer));
}

void CheckedEffects::send(Socket from, Address to, std::string_view datagram) {
    P2PBANK_CHECK(datagram.size() <= limits::kMaxDatagramBytes);
    RecordedEffects::send(from, to, datagram);
}

NodeRun::Friend::Friend(std::string name_, uint64_t instance, Socket socket_, Address address_,
                        const KeyBytes& seed, bool sealed)
    : name(std::move(name_)),
      socket(socket_),
      address(address_),
      identity(seed),
      courier(address_.port, sealed ? &identity : nullptr, seed) {
    courier.identify(name, instance);
    courier.trust(kNode);
    if (sealed && name == "bank") courier.answer_key_requests();
}

void NodeRun::start(const std::vector<std::string>& records) {
    for (const std::string& record : records) P2PBANK_CHECK(node_->replay(record).ok());
    effects_.records = records;
    node_->start(now_, effects_);
    end_turn();
}

NodeRun::Friend& NodeRun::add_friend(std::string name, uint64_t instance, Socket socket,
                                     Address address, const KeyBytes& seed) {
    friends_.push_back(
        std::make_unique<Friend>(std::move(name), instance, socket, address, seed, sealed()));
    Friend& added = *friends_.back();
    if (sealed()) {
        say(added, {});  // makes a session on the way, if the node knows the key
        return added;
    }
    // A Hello that asks for an echo is answered with one; then the node has proof.
    wire::Datagram hello;
    hello.mutable_hello()->set_cookie(1);
    hello.mutable_hello()->set_need_echo(true);
    hello.mutable_hello()->set_padding(std::string(40, '\0'));
    std::string sealed;
    seal(hello, sealed);
    bytes(socket, address, sealed);
    return added;
}

void NodeRun::say(Friend& from, wire::Datagram message) {
    Way way([&](std::string_view datagram) {
        node_->on_datagram(now_, from.socket, from.address, datagram, effects_);
    });
    bool out = from.courier.send(now_, from.socket, kNode, node_key_, message, way);
    end_turn();
    // The first time only an introduction went out.
    if (!out && from.courier.is_introduced(now_, from.socket, kNode, node_key_)) {
        from.courier.send(now_, from.socket, kNode, node_key_, message, way);
        end_turn();
    }
}

void NodeRun::bytes(Socket at, Address from, std::string_view datagram) {
    node_->on_datagram(now_, at, from, datagram, effects_);
    end_turn();
}

void NodeRun::type(std::string_view line) {
    if (!node_->wants_commands()) return;
    node_->complete(line);
    node_->on_command(now_, CommandId(++commands_), line.substr(0, limits::kMaxLineBytes),
                      effects_);
    end_turn();
}

void NodeRun::type_secrets(Input& in) {
    if (asked_ == effects_.asked.size()) return;
    const auto& asked = effects_.asked[asked_++];
    Result<std::vector<Secret>> typed = Error{"no-input", "the input has ended"};
    if (in.below(8) != 0) {
        std::vector<Secret> texts;
        for (const Question& question : asked.questions) {
            const size_t kind = in.below(8);
            std::string fitting = question.hidden ? kPassword : "Ann Example";
            texts.emplace_back(kind == 0 ? std::string(in.piece()) : std::move(fitting));
        }
        typed = std::move(texts);
    }
    node_->on_typed(now_, asked.command, std::move(typed), effects_);
    end_turn();
}

void NodeRun::end_job(Input& in) {
    if (jobs_.empty()) return;
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    const size_t kind = in.below(16);
    JobResult result;
    if (const auto* hash = std::get_if<HashPassword>(&job.work)) {
        result.text = hash_of(hash->password);
    } else if (const auto* verify = std::get_if<VerifyPassword>(&job.work)) {
        result.matches = verify->hash == hash_of(verify->password);
    } else if (std::holds_alternative<ReadFile>(job.work)) {
        result.text = in.rest();
    } else if (const auto* query = std::get_if<Query>(&job.work)) {
        result = look_up(*query);
    }
    if (kind == 0) {
        result = JobResult();
        result.outcome = Error{"io-error", "no space left"};
    }
    node_->on_job(now_, job.id, std::move(result), effects_);
    end_turn();
}

void NodeRun::wait(Duration most) {
    const auto wake = node_->next_wake();
    now_ = std::max(now_, std::min(wake.value_or(TimePoint::max()), now_ + most));
    node_->on_timer(now_, effects_);
    end_turn();
}

void NodeRun::end_turn() {
    node_->end_of_turn(now_, effects_);
    for (auto& job : effects_.jobs) jobs_.push_back(std::move(job));
    effects_.jobs.clear();
    deliver();
}

// To friends; what they answer on their own (echoes, acknowledgements of parts) goes back.
void NodeRun::deliver() {
    for (; delivered_ < effects_.sent.size(); ++delivered_) {
        const RecordedEffects::Sent sent = effects_.sent[delivered_];
        for (const auto& known : friends_) {
            if (known->address != sent.to || known->socket != sent.from) continue;
            Way way([&](std::string_view datagram) {
                node_->on_datagram(now_, known->socket, known->address, datagram, effects_);
            });
            const auto arrival =
                known->courier.receive(now_, known->socket, kNode, sent.bytes, way);
            if (arrival.message) heard(*known, known->courier.received());
            known->courier.end_of_turn(now_, way);
        }
    }
    effects_.sent.clear();
    delivered_ = 0;
}

void NodeRun::check_secrets() const {
    const auto has = [](const std::string& where) {
        return where.find(kPassword) != std::string::npos;
    };
    for (const std::string& record : effects_.records) P2PBANK_CHECK(!has(record));
    for (const std::string& notice : effects_.notices) P2PBANK_CHECK(!has(notice));
    for (const auto& [id, answer] : effects_.answers) P2PBANK_CHECK(!has(to_json(answer)));
}

std::vector<std::string> snapshot_of(const Node& node) {
    std::vector<std::string> records;
    node.snapshot([&](std::string record) { records.push_back(std::move(record)); });
    return records;
}

}  // namespace p2pbank::fuzz
