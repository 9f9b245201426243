#include "bank/bundle.h"

#include <sodium.h>

#include "common/base/check.h"

namespace p2pbank::bank {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kDigestBytes = crypto_generichash_BYTES;
constexpr size_t kHeaderBytes = kLengthBytes + kDigestBytes;

std::string digest_of(std::string_view content) {
    std::string digest(kDigestBytes, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(),
                       reinterpret_cast<const unsigned char*>(content.data()), content.size(),
                       nullptr, 0);
    return digest;
}

size_t length_at(std::string_view bytes, size_t at) {
    size_t length = 0;
    for (size_t i = kLengthBytes; i-- > 0;) {
        length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    return length;
}

}  // namespace

void append_item(std::string& bundle, const bank_evidence::Item& item) {
    const std::string content = item.SerializeAsString();
    for (size_t i = 0; i < kLengthBytes; ++i) {
        bundle += static_cast<char>(static_cast<unsigned char>(content.size() >> (8 * i)));
    }
    bundle += digest_of(content);
    bundle += content;
}

void append_seal(std::string& bundle, const secure::Identity& identity) {
    std::string digests(kBundleMagic);
    for (size_t at = kBundleMagic.size(); at < bundle.size();) {
        P2PBANK_CHECK(bundle.size() - at >= kHeaderBytes);
        digests.append(bundle, at + kLengthBytes, kDigestBytes);
        at += kHeaderBytes + length_at(bundle, at);
    }
    bank_evidence::Item item;
    item.mutable_seal()->set_signature(identity.sign(kEvidenceLabel, digests));
    append_item(bundle, item);
}

Result<BundleReader> BundleReader::open(std::string_view bytes) {
    if (!bytes.starts_with(kBundleMagic)) {
        return Error{"bad-file", "it does not begin as a file of evidence"};
    }
    BundleReader reader(bytes);
    reader.at_ = kBundleMagic.size();
    reader.newest_ = kBundleMagic;
    return reader;
}

Result<std::optional<bank_evidence::Item>> BundleReader::next() {
    const auto bad = [&](const std::string& what) {
        return Error{"bad-file", what + " at byte " + std::to_string(at_)};
    };
    const size_t left = bytes_.size() - at_;
    if (ended_) {
        if (left > 0) return bad("something behind the seal");
        return std::optional<bank_evidence::Item>();
    }
    if (left < kHeaderBytes) return bad(left == 0 ? "no seal" : "a frame that is cut off");
    const size_t length = length_at(bytes_, at_);
    if (length > left - kHeaderBytes) return bad("a frame that is cut off");
    const std::string_view digest = bytes_.substr(at_ + kLengthBytes, kDigestBytes);
    const std::string_view content = bytes_.substr(at_ + kHeaderBytes, length);
    if (digest_of(content) != digest) return bad("the file was changed");
    std::optional<bank_evidence::Item> item(std::in_place);
    if (!item->ParseFromArray(content.data(), static_cast<int>(content.size())) ||
        item->kind_case() == bank_evidence::Item::KIND_NOT_SET) {
        return bad("a frame without an item");
    }
    digests_ += newest_;
    newest_ = digest;
    ended_ = item->has_seal();
    at_ += kHeaderBytes + length;
    return item;
}

bool BundleReader::is_sealed_by(const bank_evidence::Seal& seal,
                                const KeyBytes& signing_key) const {
    return secure::is_signed(kEvidenceLabel, digests_, seal.signature(), signing_key);
}

}  // namespace p2pbank::bank
