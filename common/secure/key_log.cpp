#include "common/secure/key_log.h"

#include <algorithm>

#include "common/secure/bytes.h"
#include "common/secure/packets.h"
#include "common/secure/sealing.h"

namespace p2pbank::secure {
namespace {

constexpr std::string_view kWord = kKeyLogWord;
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr size_t kIndexDigits = 8;
constexpr size_t kKeyDigits = 2 * sizeof(KeyBytes);

std::optional<uint64_t> from_hex(std::string_view digits) {
    uint64_t value = 0;
    for (const char digit : digits) {
        const size_t at = kDigits.find(digit);
        if (at == std::string_view::npos) return std::nullopt;
        value = value << 4U | at;
    }
    return value;
}

bool is_sealed(std::string_view packet) {
    return type_of(packet) == static_cast<unsigned char>(PacketType::sealed) &&
           packet.size() >= kSealedOverhead;
}

}  // namespace

std::string key_log_line(uint32_t index, const KeyBytes& key) {
    std::string line(kWord);
    for (unsigned shift = 32; shift > 0; shift -= 4) line += kDigits[index >> (shift - 4) & 15U];
    line += ' ';
    for (const unsigned char byte : key) {
        line += kDigits[byte >> 4U];
        line += kDigits[byte & 15U];
    }
    return line;
}

void KeyLog::add(uint32_t index, const KeyBytes& key) {
    std::vector<KeyBytes>& keys = keys_[index];
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
}

bool KeyLog::add_line(std::string_view line) {
    if (line.size() != kWord.size() + kIndexDigits + 1 + kKeyDigits || !line.starts_with(kWord) ||
        line[kWord.size() + kIndexDigits] != ' ') {
        return false;
    }
    const auto index = from_hex(line.substr(kWord.size(), kIndexDigits));
    KeyBytes key;
    const std::string_view digits = line.substr(line.size() - kKeyDigits);
    for (size_t i = 0; i < key.size(); ++i) {
        const auto byte = from_hex(digits.substr(2 * i, 2));
        if (!byte) return false;
        key[i] = static_cast<unsigned char>(*byte);
    }
    if (!index) return false;
    add(static_cast<uint32_t>(*index), key);
    return true;
}

const KeyBytes* KeyLog::find(std::string_view packet, std::string& plain) const {
    if (!is_sealed(packet)) return nullptr;
    const auto found = keys_.find(load<uint32_t>(packet, kHeaderBytes));
    if (found == keys_.end()) return nullptr;
    for (const KeyBytes& key : found->second) {
        if (open_packet(key, packet, plain)) return &key;
    }
    return nullptr;
}

std::optional<std::string> KeyLog::open(std::string_view packet) const {
    std::string plain;
    if (find(packet, plain) == nullptr) return std::nullopt;
    return plain;
}

std::optional<std::string> KeyLog::reseal(std::string_view packet, std::string_view plain) const {
    std::string before;
    const KeyBytes* key = find(packet, before);
    if (key == nullptr) return std::nullopt;
    std::string changed;
    seal_packet(*key, load<uint32_t>(packet, kHeaderBytes),
                load<uint64_t>(packet, kHeaderBytes + 4), plain, changed);
    return changed;
}

}  // namespace p2pbank::secure
