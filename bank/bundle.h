// The format of a bundle of evidence (bank/evidence.proto): a magic, frames with an item each, the
// last of them a seal. Pure functions over bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bank/evidence.pb.h"
#include "common/base/result.h"
#include "common/secure/identity.h"

namespace p2pbank::bank {

inline constexpr std::string_view kBundleMagic = "p2pbevd\x01";
inline constexpr std::string_view kEvidenceLabel = "p2pbank evidence";

// To a bundle that begins with the magic.
void append_item(std::string& bundle, const bank_evidence::Item& item);
// Signs what is there and adds the seal. Requires that only append_item has added to it.
void append_seal(std::string& bundle, const secure::Identity& identity);

// Reads the items one by one; what it is made from has to outlive it.
class BundleReader {
  public:
    // Errors: bad-file, if the bytes do not begin as a bundle.
    static Result<BundleReader> open(std::string_view bytes);

    // The next item, the seal last, and then nothing. Errors: bad-file, with the place: a frame
    // that is cut off or changed, no item in it, no seal at the end or something behind it.
    Result<std::optional<bank_evidence::Item>> next();
    // Whether the seal, which next() has just given, is that of everything before it.
    bool is_sealed_by(const bank_evidence::Seal& seal, const KeyBytes& signing_key) const;

  private:
    explicit BundleReader(std::string_view bytes) : bytes_(bytes) {}

    std::string_view bytes_;
    size_t at_ = 0;
    std::string digests_;  // the magic and the digests of all frames before the last one given
    std::string newest_;
    bool ended_ = false;
};

}  // namespace p2pbank::bank
