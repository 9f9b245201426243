// What was asked of the bank a moment ago, and what was answered: a customer asks again until it is
// told. A bounded number of answers is kept, in memory only; a request that is older than these,
// or than the bank's last start, is a new one. Owned by Bank, used for every Ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <utility>

#include "bank/context.h"
#include "common/wire/messages.pb.h"

namespace p2pbank::bank {

class RecentAsks {
  public:
    enum class Known { fresh, in_progress, answered };

    // What has become of the Ask of that nonce from that party. A fresh one is in progress from
    // now on.
    Known begin(const Party& from, uint64_t nonce);
    // Keeps what it was told. Does nothing when it was not in progress (any more).
    void end(const Party& from, const wire::Told& told);
    // What an answered one was told. Requires that begin() has just said so.
    const wire::Told& told(const Party& from, uint64_t nonce) const;

  private:
    using Key = std::pair<Party, uint64_t>;
    struct Asked {
        bool answered = false;
        wire::Told told;
        size_t bytes = 0;
        std::list<Key>::iterator age;
    };
    void forget_oldest();

    std::map<Key, Asked> asked_;
    std::list<Key> order_;  // oldest first
    size_t bytes_ = 0;      // of the answers
};

}  // namespace p2pbank::bank
