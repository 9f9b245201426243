// What the tests of the journal have in common.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/stable/journal.h"
#include "tests/unit/faulty_storage.h"

namespace p2pbank::testing {

using Records = std::vector<std::string>;

struct Opened {
    std::unique_ptr<Journal> journal;  // none: `error` says why
    Records records;
    Error error;
};

inline Opened open_journal(FaultyStorage& storage) {
    Opened opened;
    auto result = Journal::open(storage, "j", [&](std::string_view record) -> Result<void> {
        opened.records.emplace_back(record);
        return {};
    });
    if (result) {
        opened.journal = std::move(result).value();
    } else {
        opened.error = result.error();
    }
    return opened;
}

// Bytes that look like a protobuf message: short, with few zeros.
inline std::string some_record(Random& random, size_t bytes) {
    std::string record(bytes, '\0');
    for (char& c : record) c = static_cast<char>(random.one_in(4) ? 0 : random.below(256));
    return record;
}

}  // namespace p2pbank::testing
