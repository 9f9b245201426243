#include "bank/recent_asks.h"

#include "common/base/check.h"
#include "common/base/limits.h"

namespace p2pbank::bank {

RecentAsks::Known RecentAsks::begin(const Party& from, uint64_t nonce) {
    const Key key{from, nonce};
    const auto found = asked_.find(key);
    if (found != asked_.end()) return found->second.answered ? Known::answered : Known::in_progress;
    while (asked_.size() >= limits::kMaxRecentAsks) forget_oldest();
    order_.push_back(key);
    asked_[key].age = std::prev(order_.end());
    return Known::fresh;
}

void RecentAsks::end(const Party& from, const wire::Told& told) {
    const auto found = asked_.find(Key{from, told.nonce()});
    if (found == asked_.end() || found->second.answered) return;
    Asked& asked = found->second;
    asked.answered = true;
    asked.told = told;
    asked.bytes = told.ByteSizeLong();
    bytes_ += asked.bytes;
    order_.splice(order_.end(), order_, asked.age);
    while (bytes_ > limits::kMaxRecentAskBytes && order_.size() > 1) forget_oldest();
}

const wire::Told& RecentAsks::told(const Party& from, uint64_t nonce) const {
    const auto found = asked_.find(Key{from, nonce});
    P2PBANK_CHECK(found != asked_.end() && found->second.answered);
    return found->second.told;
}

void RecentAsks::forget_oldest() {
    const auto oldest = asked_.find(order_.front());
    bytes_ -= oldest->second.bytes;
    asked_.erase(oldest);
    order_.pop_front();
}

}  // namespace p2pbank::bank
