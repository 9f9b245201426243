// What the driver writes down for whoever asked to watch: the trace, the keys of sessions, the
// datagrams themselves. None of it is needed to go on: what cannot be written ends there.
#include "common/base/secret.h"
#include "common/runtime/clock.h"
#include "common/runtime/driver.h"
#include "common/runtime/permissions.h"
#include "common/secure/key_log.h"

namespace p2pbank {
namespace {

constexpr size_t kMaxOwnIps = 4'096;  // remembered: anybody may send from any address

}  // namespace

Result<void> Driver::open_records() {
    if (!options_.trace_file.empty()) {
        Result<TraceWriter> trace = TraceWriter::open(options_.trace_file);
        if (!trace) return trace.error();
        trace_.emplace(std::move(trace).value());
    }
    if (!options_.pcap.empty()) {
        Result<PcapWriter> pcap = PcapWriter::open(options_.pcap);
        if (!pcap) return pcap.error();
        pcap_.emplace(std::move(pcap).value());
    }
    if (options_.key_log.empty()) return {};
    if (auto mine = check_named_file(options_.key_log); !mine) return mine;
    Result<AppendFile> keys = AppendFile::open("the key log", options_.key_log);
    if (!keys) return keys.error();
    if (auto kind = keys.value().check_begins_with(secure::kKeyLogWord); !kind) return kind;
    key_log_.emplace(std::move(keys).value());
    log_.always(Severity::warning, "this program writes the keys of its sessions to " +
                                       options_.key_log +
                                       ": whoever has that file can read everything that goes "
                                       "over the network");
    return {};
}

void Driver::trace_now(const std::string& line) {
    if (trace_) trace_->write(line);
}

// Before the packets that need it: whoever reads along can open them at once.
void Driver::log_key_now(uint32_t index, const KeyBytes& key) {
    if (!key_log_) return;
    std::string line = secure::key_log_line(index, key) + '\n';
    const Result<void> written = key_log_->write_now(line);
    Secret::wipe(line);
    if (written) return;
    log_.notice(Severity::warning, written.error().message + ". The log of keys ends here");
    key_log_.reset();
}

void Driver::record(size_t socket, Address other, bool received, std::string_view datagram) {
    Address own = sockets_.bound(socket);
    if (own.ip == 0) {
        if (own_ips_.size() >= kMaxOwnIps) own_ips_.clear();
        const auto [known, is_new] = own_ips_.try_emplace(other.ip, 0);
        if (is_new) {
            const Result<uint32_t> towards = own_ip_towards(other);
            known->second = towards ? towards.value() : 0;
        }
        own.ip = known->second;
    }
    pcap_->write(wall_clock_us(), received ? other : own, received ? own : other, datagram);
}

void Driver::flush_records() {
    const auto flush = [this](auto& record, const char* name) {
        if (!record) return;
        if (const Result<void> flushed = record->flush(); !flushed) {
            log_.notice(Severity::warning, flushed.error().message + ". " + name + " ends here");
            record.reset();
        }
    };
    flush(trace_, "The trace");
    flush(pcap_, "The recording");
}

}  // namespace p2pbank
