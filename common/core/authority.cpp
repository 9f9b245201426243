#include "common/core/authority.h"

#include <array>

#include <sodium.h>

#include "common/base/check.h"

namespace p2pbank {
namespace {

constexpr size_t kMacBytes = 32;
static_assert(sizeof(KeyBytes) == crypto_generichash_KEYBYTES);

// Numbers have eight bytes, texts stand behind their length: so no two requests run together into
// the same text.
void add(std::string& out, uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) {
        out +=
            static_cast<char>(static_cast<unsigned char>(number >> static_cast<unsigned>(shift)));
    }
}

void add(std::string& out, std::string_view text) {
    add(out, uint64_t(text.size()));
    out += text;
}

std::string begin(std::string_view kind, std::string_view sender, uint64_t instance) {
    std::string text;
    add(text, kind);
    add(text, sender);
    add(text, instance);
    return text;
}

std::array<unsigned char, kMacBytes> mac_of(uint64_t session, uint64_t counter, const KeyBytes& key,
                                            std::string_view text) {
    std::string whole;
    add(whole, session);
    add(whole, counter);
    whole += text;
    std::array<unsigned char, kMacBytes> mac;
    const int hashed = crypto_generichash(mac.data(), mac.size(),
                                          reinterpret_cast<const unsigned char*>(whole.data()),
                                          whole.size(), key.data(), key.size());
    P2PBANK_CHECK(hashed == 0);
    return mac;
}

}  // namespace

std::string signed_text(std::string_view sender, uint64_t instance, const wire::Ask& ask) {
    std::string text = begin("ask", sender, instance);
    add(text, ask.nonce());
    add(text, static_cast<uint64_t>(ask.words_size()));
    for (const std::string& word : ask.words()) add(text, word);
    add(text, ask.sealed());
    return text;
}

std::string signed_text(std::string_view sender, uint64_t instance, const wire::Open& open) {
    std::string text = begin("open", sender, instance);
    add(text, open.name());
    add(text, open.balance());
    add(text, uint64_t(open.ip()));
    add(text, uint64_t(open.port1()));
    add(text, uint64_t(open.port2()));
    add(text, open.opener());
    return text;
}

std::string signed_text(std::string_view sender, uint64_t instance, uint64_t epoch,
                        const wire::Deal& deal) {
    std::string text = begin("deal", sender, instance);
    add(text, epoch);
    add(text, deal.number());
    add(text, deal.nonce());
    add(text, static_cast<uint64_t>(deal.kind()));
    add(text, deal.what());
    add(text, deal.quantity());
    add(text, static_cast<uint64_t>(deal.amount()));
    add(text, uint64_t(deal.months()));
    return text;
}

void sign(uint64_t session, uint64_t counter, const KeyBytes& key, std::string_view text,
          wire::Authority* out) {
    out->set_session(session);
    out->set_counter(counter);
    const auto mac = mac_of(session, counter, key, text);
    out->set_mac(mac.data(), mac.size());
}

bool is_signed(const wire::Authority& authority, const KeyBytes& key, std::string_view text) {
    const auto mac = mac_of(authority.session(), authority.counter(), key, text);
    return authority.mac().size() == mac.size() &&
           sodium_memcmp(authority.mac().data(), mac.data(), mac.size()) == 0;
}

}  // namespace p2pbank
