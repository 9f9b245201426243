// The only way out of the protocol. A node is handed one event and calls these in the order in
// which they must take effect. Nothing here may call back into the node, except where it says so.
//
// The rule that everything rests on: an effect is carried out only when every `persist` before it
// is durable. So a node changes its state, persists the change, and sends, all in one go; the
// driver holds back the sending. No driver may swap them. All records of one turn (the events up to
// and including end_of_turn) are made durable together: all of them or, after a crash, none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/address.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/core/answer.h"
#include "common/core/jobs.h"
#include "common/secure/keyed_random.h"

namespace p2pbank {

// Which of its sockets a node sends from. The bank has only the first.
enum class Socket : uint8_t { bank = 0, peer = 1 };

// One line of a trace (docs/protocol.md, "Traces").
struct TraceEvent {
    std::string_view kind;  // a string literal: "sent", "received", "checkpoint-tentative" ...
    std::vector<std::pair<std::string_view, std::string>> facts;
};

enum class Severity { info, warning, error };

class Effects {
  public:
    virtual ~Effects() = default;

    // Appends a record to this node's journal.
    virtual void persist(std::string record) = 0;

    // Sends one datagram of at most limits::kMaxDatagramBytes. It may be lost.
    virtual void send(Socket from, Address to, std::string_view datagram) = 0;

    // The one answer to a command. The driver prints answers in the order of the commands.
    virtual void answer(CommandId command, Answer answer) = 0;

    // What happened on its own, for the person at the terminal and the log: money arrived, another
    // customer's checkpoint. Never on standard output unless that is a terminal.
    virtual void notice(Severity severity, std::string text) = 0;

    // Replaces the node's table file (the bank's CSV) as a whole. Effects after it wait until the
    // new file is in place.
    virtual void publish_table(std::string content) = 0;

    // Starts work beside the loop; Node::on_job tells its end. Ids are the node's own and rise.
    // Like every effect it waits until what was persisted before is durable.
    virtual void start_job(JobId job, Job work) = 0;

    // Asks the person who typed the command, in this order; Node::on_typed brings what was typed.
    // Nothing else is asked before. It does not wait for records.
    virtual void ask(CommandId command, std::vector<Question> questions) = 0;

    // Gives this node's journal its place under the name of its account, with the secret that the
    // node's identity is made from, durably, beside it (null: in clear there is none). At once, not
    // in order: it is called before the first persist. Errors: state-exists, state-in-use,
    // state-unusable.
    virtual Result<void> claim_store(std::string_view name, const KeyBytes* secret) = 0;
    // Takes the place away again, with all records in it: the account was never opened.
    virtual void release_store() = 0;

    // The program is to end after the effects so far: the account is closed (status 0), or it is
    // not safe to go on (status not 0; the reason has been given as a notice).
    virtual void stop(int status) = 0;

    // A key of a session, for a log that somebody asked for on purpose (common/secure/key_log.h).
    // At once, not in order.
    virtual void log_key(uint32_t /*index*/, const KeyBytes& /*key*/) {}

    // True if trace() has a reader; spares the work of making events that nobody reads.
    virtual bool tracing() const = 0;
    virtual void trace(TraceEvent event) = 0;
};

}  // namespace p2pbank
