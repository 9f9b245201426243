// Records the datagrams of a node as Wireshark and tcpdump read them, without the privileges that
// watching a network takes: a classic pcap file of raw IPv4 packets (link type 101). Only the
// payloads come from the network; the IPv4 and UDP headers in front of them are made up from the
// addresses. Owned by the driver; loop's thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/runtime/append_file.h"

namespace p2pbank {

class PcapWriter {
  public:
    // Appends to a recording that is there, behind its last whole packet. Errors: too-open;
    // io-error, also for a file that is no recording of this kind.
    static Result<PcapWriter> open(const std::string& path);

    // `time_us`: microseconds since 1970. Requires datagram.size() <= 65,507.
    void write(int64_t time_us, Address from, Address to, std::string_view datagram);
    // Errors: io-error; the recording is then of no use behind what it holds.
    Result<void> flush() { return file_.flush(); }

  private:
    explicit PcapWriter(AppendFile file) : file_(std::move(file)) {}
    Result<void> begin(const std::string& path);

    AppendFile file_;
    uint16_t next_id_ = 0;  // of a packet, so that it is seen when one is missing
};

}  // namespace p2pbank
