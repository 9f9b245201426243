// A folder for one test, which goes with it.
#pragma once

#include <filesystem>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>

#include <doctest/doctest.h>

namespace p2pbank {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "p2pbank-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string path;
};

// The permissions of a file or folder, as chmod takes them.
inline unsigned mode_of(const std::string& path) {
    struct stat status = {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

}  // namespace p2pbank
