#include "common/runtime/pcap_writer.h"

#include <array>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/runtime/permissions.h"

namespace p2pbank {
namespace {

// https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap/draft-ietf-opsawg-pcap.html, in this
// machine's byte order, which readers find out.
struct FileHeader {
    uint32_t magic = 0xa1b2c3d4;  // times in microseconds
    uint16_t major = 2;
    uint16_t minor = 4;
    uint32_t reserved1 = 0;
    uint32_t reserved2 = 0;
    uint32_t most_bytes = 65'535;
    uint32_t link_type = 101;  // LINKTYPE_RAW: begins with the IP header
    friend bool operator==(const FileHeader&, const FileHeader&) = default;
};
struct PacketHeader {
    uint32_t seconds;
    uint32_t microseconds;
    uint32_t bytes_kept;
    uint32_t bytes;
};
static_assert(sizeof(FileHeader) == 24 && sizeof(PacketHeader) == 16);

constexpr size_t kIpBytes = 20;
constexpr size_t kUdpBytes = 8;

template <class Struct>
std::string_view bytes_of(const Struct& what) {
    return {reinterpret_cast<const char*>(&what), sizeof what};
}

class Headers {
  public:
    void put16(size_t at, size_t value) {
        bytes_[at] = static_cast<unsigned char>(value >> 8U & 0xFFU);
        bytes_[at + 1] = static_cast<unsigned char>(value & 0xFFU);
    }
    void put32(size_t at, uint32_t value) {
        put16(at, value >> 16U);
        put16(at + 2, value & 0xFFFFU);
    }
    void put8(size_t at, unsigned char value) { bytes_[at] = value; }
    // RFC 791: the complement of the sum in ones' complement.
    void put_ip_checksum() {
        uint32_t sum = 0;
        for (size_t i = 0; i < kIpBytes; i += 2) sum += bytes_[i] * 256U + bytes_[i + 1];
        while (sum > 0xFFFFU) sum = (sum & 0xFFFFU) + (sum >> 16U);
        put16(10, ~sum & 0xFFFFU);
    }
    std::string_view view() const {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }

  private:
    std::array<unsigned char, kIpBytes + kUdpBytes> bytes_{};
};

}  // namespace

Result<PcapWriter> PcapWriter::open(const std::string& path) {
    if (auto mine = check_named_file(path); !mine) return mine.error();
    Result<AppendFile> file = AppendFile::open("the recording", path);
    if (!file) return file.error();
    PcapWriter writer(std::move(file).value());
    if (auto begun = writer.begin(path); !begun) return begun.error();
    return writer;
}

Result<void> PcapWriter::begin(const std::string& path) {
    const int fd = file_.fd();
    struct stat status = {};
    if (::fstat(fd, &status) != 0) return file_.failed("look at");
    const off_t size = status.st_size;
    if (size == 0) return file_.write_now(bytes_of(FileHeader()));
    FileHeader header;
    if (::pread(fd, &header, sizeof header, 0) != sizeof header || header != FileHeader()) {
        return Error{"io-error", path +
                                     " is there and is no recording that could be continued: "
                                     "move it away, or give another name"};
    }
    // What was ended while it wrote may have left a part of a packet.
    off_t whole = sizeof header;
    PacketHeader packet = {};
    while (::pread(fd, &packet, sizeof packet, whole) == sizeof packet) {
        const off_t next = whole + static_cast<off_t>(sizeof packet + packet.bytes_kept);
        if (next > size) break;
        whole = next;
    }
    if (whole < size && ::ftruncate(fd, whole) != 0) return file_.failed("continue");
    return {};
}

void PcapWriter::write(int64_t time_us, Address from, Address to, std::string_view datagram) {
    const size_t bytes = kIpBytes + kUdpBytes + datagram.size();
    P2PBANK_CHECK(bytes <= FileHeader().most_bytes);
    const auto size = static_cast<uint32_t>(bytes);
    file_.write(bytes_of(PacketHeader{static_cast<uint32_t>(time_us / 1'000'000),
                                      static_cast<uint32_t>(time_us % 1'000'000), size, size}));
    Headers headers;
    headers.put8(0, 0x45);  // version 4, five words of header
    headers.put16(2, bytes);
    headers.put16(4, next_id_++);
    headers.put16(6, 0x4000);  // not to be fragmented
    headers.put8(8, 64);       // time to live
    headers.put8(9, 17);       // UDP
    headers.put32(12, from.ip);
    headers.put32(16, to.ip);
    headers.put_ip_checksum();
    headers.put16(20, from.port);
    headers.put16(22, to.port);
    headers.put16(24, kUdpBytes + datagram.size());  // its checksum, 0, says that there is none
    file_.write(headers.view());
    file_.write(datagram);
}

}  // namespace p2pbank
