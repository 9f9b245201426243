// Published test vectors of Noise_IK_25519_ChaChaPoly_BLAKE2b, bytes in hexadecimal digits. The two
// differ in their prologue, so in all tags of the handshake; the keys after it are the same.
#pragma once

#include <string_view>

namespace p2pbank::testing {

struct NoiseMessage {
    std::string_view payload;
    std::string_view ciphertext;
};

struct NoiseVector {
    std::string_view source;
    std::string_view prologue;
    std::string_view initiator_static;
    std::string_view initiator_ephemeral;
    std::string_view responder_static;
    std::string_view responder_public;
    std::string_view responder_ephemeral;
    std::string_view handshake_hash;  // empty: not in the vector
    NoiseMessage messages[6];         // the initiator sends the first, then they take turns
};

inline constexpr NoiseVector kNoiseVectors[] = {
    {
        // https://github.com/haskell-cryptography/cacophony, vectors/cacophony.txt
        "cacophony",
        "4a6f686e2047616c74",
        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
        "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
        "",
        {
            {"4c756477696720766f6e204d69736573",
             "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944ba83a447b38c83e327"
             "ad936929812f624884847b7831e95e197b2f797088efdd2f88f1db7e1fb0e99c64419097af91cee64e"
             "470f4b6fcd9298ce0b56fe20f86e13bf70439c538e3602a7127af71a29cc"},
            {"4d757272617920526f746862617264",
             "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088439f069b267a06b3de3e"
             "cb1043bcb098e9af91d9c64748d998c7b47890871571"},
            {"462e20412e20486179656b", "cd54383060e7a28434cca27fb1cc524cfbabeb18181589df219d07"},
            {"4361726c204d656e676572", "a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef2a05f2"},
            {"4a65616e2d426170746973746520536179",
             "49063084b2c51f098337cb8a13739ac848f907e67cfb2cc8a8b60586467aa02fc7"},
            {"457567656e2042f6686d20766f6e2042617765726b",
             "8b9709d23b47e4639df7678d7a21741eba4ef1e9c60383001c7435549c20f9d56f30e935d3"},
        },
    },
    {
        // https://github.com/rweather/noise-c, tests/vector/noise-c-basic.txt, as it stands in the
        // tests of https://github.com/TokTok/c-toxcore too
        "noise-c",
        "50726f6c6f677565313233",
        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
        "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
        "00e51d2aac81a9b8ebe441d6af3e1c8efc0f030cc608332edcb42588ff6a0ce2"
        "6415ddc106e95277a5e6d54132f1e5245976b89caf96d262f1fe5a7f0c55c078",
        {
            {"4c756477696720766f6e204d69736573",
             "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944ba83a447b38c83e327"
             "ad936929812f624884847b7831e95e197b2f797088efdd232fe541af156ec6d0657602902a8c3ee64e"
             "470f4b6fcd9298ce0b56fe20f86e60d9d933ec6e103ffb09e6001d6abb64"},
            {"4d757272617920526f746862617264",
             "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088439f069b267a06b3de3e"
             "cb1043bcb09807c6cd101f3826192a65f11ef3fe4317"},
            {"462e20412e20486179656b", "cd54383060e7a28434cca27fb1cc524cfbabeb18181589df219d07"},
            {"4361726c204d656e676572", "a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef2a05f2"},
            {"4a65616e2d426170746973746520536179",
             "49063084b2c51f098337cb8a13739ac848f907e67cfb2cc8a8b60586467aa02fc7"},
            {"457567656e2042f6686d20766f6e2042617765726b",
             "8b9709d23b47e4639df7678d7a21741eba4ef1e9c60383001c7435549c20f9d56f30e935d3"},
        },
    },
};

}  // namespace p2pbank::testing
