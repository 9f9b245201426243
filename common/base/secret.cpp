#include "common/base/secret.h"

namespace p2pbank {

void Secret::wipe(std::string& text) {
    text.resize(text.capacity());
    volatile char* bytes = text.data();  // volatile: the writes are what this is about
    for (size_t i = 0; i < text.size(); ++i) bytes[i] = 0;
    text.clear();
}

}  // namespace p2pbank
