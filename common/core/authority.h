// Who is behind a request: a keyed hash over all that the request says and over its sender, with
// the key of a session that only the person's process and the bank have. So nobody can change a
// request on its way, or send it in another's name.
//
// Customers sign, the bank verifies. Whether the session exists and the counter is new is for the
// bank to know (bank/sign_in.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/keyed_random.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

// What is signed: one text for one request, never the same for two that differ. Sender and instance
// are those of the datagram, the epoch too; the request's own `authority` is left out.
std::string signed_text(std::string_view sender, uint64_t instance, const wire::Ask& ask);
std::string signed_text(std::string_view sender, uint64_t instance, const wire::Open& open);
std::string signed_text(std::string_view sender, uint64_t instance, uint64_t epoch,
                        const wire::Deal& deal);

void sign(uint64_t session, uint64_t counter, const KeyBytes& key, std::string_view text,
          wire::Authority* out);
// Whether the key signed this text with the session and counter that `authority` names. Takes as
// long whether or not.
bool is_signed(const wire::Authority& authority, const KeyBytes& key, std::string_view text);

}  // namespace p2pbank
