// What persons type hidden (wire::Secrets) on its way through a message. For both ends: whoever has
// taken what it needs from one overwrites it at once.
#pragma once

#include "common/base/secret.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

inline void wipe(wire::Secrets& secrets) {
    Secret::wipe(*secrets.mutable_name());
    Secret::wipe(*secrets.mutable_password());
    Secret::wipe(*secrets.mutable_new_password());
    secrets.clear_padding();
}

// Overwrites the secrets of an Ask at the end of a block, used or not.
class WipedSecrets {
  public:
    explicit WipedSecrets(wire::Datagram& datagram) : datagram_(datagram) {}
    ~WipedSecrets() {
        if (datagram_.ask().has_secrets()) wipe(*datagram_.mutable_ask()->mutable_secrets());
    }
    WipedSecrets(const WipedSecrets&) = delete;
    WipedSecrets& operator=(const WipedSecrets&) = delete;

  private:
    wire::Datagram& datagram_;
};

}  // namespace p2pbank
