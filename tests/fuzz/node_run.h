// One node under fuzzing, and those who talk with it: addresses that really receive, each behind a
// Courier of its own, so that what they say is introduced, sealed and cut as the programs do it.
// Checks what holds for every node: each command gets one answer, no answer tells a fact twice, no
// datagram is too large, no secret is written anywhere.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/courier.h"
#include "common/core/node.h"
#include "tests/fuzz/input.h"
#include "tests/unit/recorded_effects.h"

namespace p2pbank::fuzz {

// What persons type where they are asked; it must not come out anywhere.
inline constexpr const char* kPassword = "Tr0ub4dor-and-3";
// 2026-11-21, where TimePoint is 0.
inline constexpr int64_t kWallOffset = 1'795'000'000'000'000;

class CheckedEffects : public RecordedEffects {
  public:
    void answer(CommandId command, Answer answer) override;
    void send(Socket from, Address to, std::string_view datagram) override;
    void release_store() override {
        RecordedEffects::release_store();
        records.clear();
    }
    bool tracing() const override { return true; }
};

class NodeRun {
  public:
    // Somebody who talks with the node: to which of its sockets, from which address.
    struct Friend {
        Friend(std::string name_, uint64_t instance, Socket socket_, Address address_,
               const KeyBytes& seed, bool sealed);
        std::string name;
        Socket socket;
        Address address;
        secure::Identity identity;
        Courier courier;
    };

    // With the node's channel key everything is sealed; with zeros it goes in clear.
    explicit NodeRun(std::unique_ptr<Node> node, const KeyBytes& node_key = {})
        : node_(std::move(node)), node_key_(node_key) {}

    // Replays the records (each must be accepted) and starts.
    void start(const std::vector<std::string>& records);
    // `seed`: of the friend's identity.
    Friend& add_friend(std::string name, uint64_t instance, Socket socket, Address address,
                       const KeyBytes& seed = {});
    Friend& friend_at(size_t index) { return *friends_[index % friends_.size()]; }
    // What the node says to friends, as they get it.
    std::function<void(Friend&, const wire::Datagram&)> heard = [](Friend&, const wire::Datagram&) {
    };
    // What a Query comes to. A node with a history has to set it.
    std::function<JobResult(const Query&)> look_up = [](const Query&) { return JobResult(); };

    void say(Friend& from, wire::Datagram message);
    void bytes(Socket at, Address from, std::string_view datagram);
    void type(std::string_view line);
    // Answers the oldest question that is open; nothing if none is.
    void type_secrets(Input& in);
    // Ends the oldest job that was started; nothing if there is none.
    void end_job(Input& in);
    // Goes on to when the node wants to be called, or by `most` if that is earlier.
    void wait(Duration most);

    Node& node() { return *node_; }
    TimePoint now() const { return now_; }
    bool stopped() const { return effects_.stopped >= 0; }
    const CheckedEffects& effects() const { return effects_; }
    // After the last event: what was typed hidden is in no record, notice or answer.
    void check_secrets() const;

  private:
    void end_turn();
    void deliver();

    bool sealed() const { return node_key_ != KeyBytes{}; }

    std::unique_ptr<Node> node_;
    KeyBytes node_key_;
    CheckedEffects effects_;
    size_t delivered_ = 0;  // of effects_.sent
    size_t asked_ = 0;      // of effects_.asked
    std::deque<RecordedEffects::StartedJob> jobs_;
    std::vector<std::unique_ptr<Friend>> friends_;
    TimePoint now_ = TimePoint(seconds(1));
    uint64_t commands_ = 0;
};

// The node's state as records; two nodes of the same state have the same.
std::vector<std::string> snapshot_of(const Node& node);

}  // namespace p2pbank::fuzz
