#include "simulator/scale/dependencies.h"

#include <algorithm>

namespace p2pbank::simulator::scale {

void Dependencies::transfer(Transfer transfer) {
    const uint64_t key = uint64_t{transfer.from} << 32 | transfer.to;
    const auto [found, fresh] = index_.emplace(key, static_cast<uint32_t>(channels_.size()));
    if (fresh) {
        channels_.push_back({transfer.from, transfer.to});
        out_[transfer.from].push_back(found->second);
        in_[transfer.to].push_back(found->second);
    }
    ++channels_[found->second].now;
}

void Dependencies::transfer(std::span<const Transfer> transfers) {
    for (const Transfer one : transfers) transfer(one);
}

std::vector<Dependencies::Child> Dependencies::children(OperationType type, uint32_t parent) const {
    std::vector<Child> out;
    if (type == OperationType::checkpoint) {
        for (const uint32_t at : in_[parent]) {
            const Channel& channel = channels_[at];
            if (channel.now == channel.received) continue;
            out.push_back(
                {channel.from, channel.now > channel.sent, channel.now - channel.received});
        }
    } else {
        // All is delivered, so whoever was sent something has something to take back.
        for (const uint32_t at : out_[parent]) {
            const Channel& channel = channels_[at];
            if (channel.now == channel.sent) continue;
            out.push_back({channel.to, true, channel.now - channel.sent});
        }
    }
    return out;
}

std::vector<uint32_t> Dependencies::participants(OperationType type, uint32_t initiator) const {
    ++questions_;
    std::vector<uint32_t> out{initiator};
    reached_[initiator] = questions_;
    for (size_t next = 0; next < out.size(); ++next) {
        for (const Child& child : children(type, out[next])) {
            if (!child.takes_part || reached_[child.customer] == questions_) continue;
            reached_[child.customer] = questions_;
            out.push_back(child.customer);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

uint64_t Dependencies::edges(OperationType type, std::span<const uint32_t> participants) const {
    uint64_t count = 0;
    for (const uint32_t participant : participants) count += children(type, participant).size();
    return count;
}

uint64_t Dependencies::undone_by(std::span<const uint32_t> participants) const {
    uint64_t count = 0;
    for (const uint32_t customer : participants) {
        for (const uint32_t at : out_[customer]) count += channels_[at].now - channels_[at].sent;
    }
    return count;
}

Dependencies::Changed Dependencies::changed(uint32_t customer) const {
    Changed changed;
    for (const uint32_t at : out_[customer]) {
        const Channel& channel = channels_[at];
        if (channel.now == channel.sent) continue;
        ++changed.channels;
        changed.transfers += channel.now - channel.sent;
    }
    for (const uint32_t at : in_[customer]) {
        const Channel& channel = channels_[at];
        if (channel.now == channel.received) continue;
        ++changed.channels;
        changed.transfers += channel.now - channel.received;
    }
    return changed;
}

void Dependencies::make_permanent(std::span<const uint32_t> participants) {
    for (const uint32_t customer : participants) {
        for (const uint32_t at : out_[customer]) channels_[at].sent = channels_[at].now;
        for (const uint32_t at : in_[customer]) channels_[at].received = channels_[at].now;
    }
}

}  // namespace p2pbank::simulator::scale
