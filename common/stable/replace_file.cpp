#include "common/stable/table.h"

namespace p2pbank {
namespace {

Result<void> write_whole(Storage& storage, const std::string& name, std::string_view content) {
    const auto file = storage.create(name);
    if (!file) return file.error();
    if (auto done = file.value()->write(0, content); !done) return done;
    return file.value()->sync();
}

}  // namespace

Result<void> replace_file(Storage& storage, const std::string& name, std::string_view content) {
    const std::string new_name = name + ".new";
    if (auto done = write_whole(storage, new_name, content); !done) {
        // A half-written copy only takes up room that the disk may be short of. If it cannot be
        // removed either, the next call writes over it.
        static_cast<void>(storage.remove(new_name));
        return done;
    }
    if (auto done = storage.rename(new_name, name); !done) return done;
    return storage.sync_folder();
}

}  // namespace p2pbank
