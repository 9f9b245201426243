#include <array>
#include <cstring>

#include <sodium.h>

#include "common/base/check.h"
#include "common/runtime/jobs.h"

namespace p2pbank {

JobResult carry_out(const HashPassword& job) {
    P2PBANK_CHECK(sodium_init() >= 0);
    const std::string_view password = job.password.view();
    std::array<char, crypto_pwhash_STRBYTES> hash{};
    JobResult result;
    if (crypto_pwhash_str(hash.data(), password.data(), password.size(),
                          crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0) {
        result.text = hash.data();
    } else {
        result.outcome = Error{"io-error", "there is not enough memory to hash a password"};
    }
    return result;
}

JobResult carry_out(const VerifyPassword& job) {
    P2PBANK_CHECK(sodium_init() >= 0);
    const std::string_view password = job.password.view();
    JobResult result;
    result.matches =
        crypto_pwhash_str_verify(job.hash.c_str(), password.data(), password.size()) == 0;
    return result;
}

}  // namespace p2pbank
