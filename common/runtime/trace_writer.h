// Writes a trace: one JSON object a line for each event (docs/protocol.md, "Traces"). Owned by the
// driver; loop's thread only. An event's time is that of the turn in which it happened; it is
// written when the effects before it are durable, so the file never tells of what a crash has
// undone.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/core/effects.h"
#include "common/runtime/append_file.h"

namespace p2pbank {

class TraceWriter {
  public:
    // Appends to the file. Errors: io-error.
    static Result<TraceWriter> open(const std::string& path);

    // {"time_us":1,"node":"alice","kind":"sent",...} and a newline. Facts that look like whole
    // numbers below 2^53 are written as numbers.
    static std::string format(int64_t time_us, std::string_view node, const TraceEvent& event);

    void write(std::string_view line) { file_.write(line); }
    // Errors: io-error; the trace then has a gap, and nothing else is wrong.
    Result<void> flush() { return file_.flush(); }

  private:
    explicit TraceWriter(AppendFile file) : file_(std::move(file)) {}
    AppendFile file_;
};

}  // namespace p2pbank
