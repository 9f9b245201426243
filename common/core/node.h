// What a driver drives: the bank or a customer, as a pure state machine. The real programs
// (common/runtime) and the simulator use the same objects through this interface.
//
// A driver: makes the node with a seed; replays every record of its journal in order; calls start
// once; then hands it events, one turn after another. A turn is any number of events followed by
// end_of_turn. It calls on_timer when next_wake() has come. Nothing in a node reads a clock, opens
// a file, touches a socket, logs, or draws a random number that does not come from the seed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/core/effects.h"
#include "common/core/menu_items.h"

namespace p2pbank {

class Node {
  public:
    virtual ~Node() = default;

    // Applies one record of the journal. Errors: bad-record, when the bytes are no record of this
    // kind of node; the node is then not usable.
    virtual Result<void> replay(std::string_view record) = 0;

    // Once, after the last replay.
    virtual void start(TimePoint now, Effects& effects) = 0;

    // Any bytes, from anywhere, of any length.
    virtual void on_datagram(TimePoint now, Socket at, Address from, std::string_view datagram,
                             Effects& effects) = 0;

    // A line that a person or a script typed, without its newline. Exactly one answer follows, now
    // or later. Ids rise.
    virtual void on_command(TimePoint now, CommandId id, std::string_view line,
                            Effects& effects) = 0;

    virtual void on_timer(TimePoint now, Effects& effects) = 0;

    // The end of a job that the node started in this run.
    virtual void on_job(TimePoint, JobId, JobResult, Effects&) {}

    // What was typed when the node asked, one text for each question. Errors: no-terminal (nobody
    // can be asked: the message says how a script gives passwords), no-input (it ended).
    virtual void on_typed(TimePoint, CommandId, Result<std::vector<Secret>>, Effects&) {}

    // After the last event of a turn: what was gathered is sent, packed. Requires that it is called
    // before the driver waits for anything.
    virtual void end_of_turn(TimePoint now, Effects& effects) = 0;

    // Before a clean end of the program, behind the last event: with step 0, and, when everything
    // that this brought about is carried out, with step 1. Each is a turn of its own.
    virtual void on_close(TimePoint, int /*step*/, Effects&) {}

    // When on_timer wants to be called next; nothing if it does not.
    virtual std::optional<TimePoint> next_wake() const = 0;

    // False while the node wants no further command line for now (as many are in progress as the
    // limits allow). The driver leaves further input unread.
    virtual bool wants_commands() const = 0;

    // Records that, replayed into a new node in order, give this node's state: what a journal may
    // be replaced by. Only between turns. Calls take(record) for each.
    virtual void snapshot(const std::function<void(std::string)>& take) const = 0;

    // Where the facts of this node's history go from now on; nullptr: nowhere. Called before the
    // first replay, which tells them again from the first record on that the journal still holds.
    virtual void tell_history(FactSink*) {}
    // How many records were ever applied: the position of the newest.
    virtual uint64_t history_position() const { return 0; }

    // Words that could follow what is typed, for completion at a terminal.
    virtual std::vector<std::string> complete(std::string_view line) const = 0;

    // What `menu` offers at a terminal. Nothing: it has none.
    virtual std::vector<MenuSection> menu() const { return {}; }

    // What is to be added to a TimePoint from now on to get microseconds since 1970: the clock was
    // set, or the machine has slept, which the TimePoints do not count. Only between turns.
    virtual void set_wall_offset(int64_t /*us*/) {}
};

}  // namespace p2pbank
