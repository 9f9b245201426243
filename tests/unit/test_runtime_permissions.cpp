#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/runtime/permissions.h"
#include "common/runtime/store.h"
#include "tests/unit/temporary_folder.h"

using namespace p2pbank;

namespace {

using Check = Result<void> (*)(const std::string&);

// Does what the message says, as a person would who pastes it.
void mend(const std::string& message) {
    const size_t command = message.rfind("chmod ");
    REQUIRE(command != std::string::npos);
    REQUIRE(std::system(message.substr(command).c_str()) == 0);
}

// Every mode: those that pass, and those that do not and do once they are mended.
void try_all_modes(const std::string& path, Check check, unsigned owner, unsigned forbidden) {
    for (unsigned others = 0; others <= 077U; ++others) {
        const unsigned mode = owner | others;
        CAPTURE(mode);
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        const Result<void> checked = check(path);
        CHECK(checked.ok() == ((mode & forbidden) == 0));
        if (checked) continue;
        CHECK(checked.error().code == "too-open");
        CHECK(checked.error().message.find(path) != std::string::npos);
        mend(checked.error().message);
        CHECK(check(path));
        CHECK((mode_of(path) & 0700U) == owner);
    }
}

Result<void> ignore(std::string_view) {
    return {};
}

}  // namespace

TEST_CASE("permissions: a private file is nobody else's") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/key of 'alice'";
    std::ofstream(path) << "secret";
    try_all_modes(path, check_private_file, 0600, 077);
}

TEST_CASE("permissions: no advice to change a folder or a device that is not a file") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/keys";
    CHECK(check_named_file(path));
    std::ofstream(path) << "secret";
    try_all_modes(path, check_named_file, 0600, 077);
    for (const std::string& other : {folder.path, std::string("/dev/null")}) {
        const auto refused = check_named_file(other);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == "bad-file");
        CHECK(refused.error().message.find("chmod") == std::string::npos);
    }
}

TEST_CASE("permissions: a private folder is nobody else's") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/alice";
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    try_all_modes(path, check_private_folder, 0700, 077);
    REQUIRE(::chmod(path.c_str(), 01777) == 0);
    CHECK_FALSE(check_private_folder(path));
}

TEST_CASE("permissions: others may read a table and look into its folder, but change nothing") {
    const TemporaryFolder folder;
    const std::string table = folder.path + "/data.csv";
    std::ofstream(table) << "name\n";
    try_all_modes(table, check_not_writable_by_others, 0600, 022);
    const std::string path = folder.path + "/data";
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    try_all_modes(path, check_not_writable_by_others, 0700, 022);
    REQUIRE(::chmod(path.c_str(), 01777) == 0);
    CHECK(check_not_writable_by_others(path));
    // A file has no such exception.
    REQUIRE(::chmod(table.c_str(), 01666) == 0);
    CHECK_FALSE(check_not_writable_by_others(table));
}

TEST_CASE("permissions: what is not there is not too open") {
    const TemporaryFolder folder;
    for (const Check check :
         {check_private_file, check_private_folder, check_not_writable_by_others}) {
        CHECK(check(folder.path + "/none"));
        CHECK(check(folder.path + "/none/below"));
    }
}

TEST_CASE("permissions: a link is what it leads to") {
    const TemporaryFolder folder;
    std::ofstream(folder.path + "/there") << "secret";
    REQUIRE(::symlink("there", (folder.path + "/link").c_str()) == 0);
    REQUIRE(::chmod((folder.path + "/there").c_str(), 0644) == 0);
    CHECK_FALSE(check_private_file(folder.path + "/link"));
    REQUIRE(::chmod((folder.path + "/there").c_str(), 0600) == 0);
    CHECK(check_private_file(folder.path + "/link"));
}

TEST_CASE("permissions: what is another user's is refused" *
          doctest::skip(::geteuid() != 0)) {  // only root can give files away
    const TemporaryFolder folder;
    const std::string path = folder.path + "/key";
    std::ofstream(path) << "secret";
    REQUIRE(::chmod(path.c_str(), 0600) == 0);
    REQUIRE(::chown(path.c_str(), 12'345, 12'345) == 0);
    CHECK(check_private_file(path).error().code == "too-open");
    CHECK(check_private_file(path).error().message.find("12345") != std::string::npos);
}

TEST_CASE("permissions: a store that is too open is refused, and opened once it is mended") {
    const TemporaryFolder folder;
    const std::string state = folder.path + "/state";
    const std::string account = state + "/alice";
    const StoreFiles files{.folder = account};
    const KeyBytes secret = {1};
    REQUIRE(Store::claim(state, "alice", &secret).value()->journal().append({"record"}));
    const std::vector<std::pair<std::string, unsigned>> too_open = {{state, 0775},
                                                                    {account, 0711},
                                                                    {account + "/journal", 0640},
                                                                    {account + "/lock", 0604},
                                                                    {account + "/key", 0660}};
    for (const auto& one : too_open) {
        const std::string path = one.first;
        CAPTURE(path);
        REQUIRE(::chmod(path.c_str(), one.second) == 0);
        const auto refused = Store::open(files, ignore);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == "too-open");
        CHECK(Store::claim(state, "alice", &secret).error().code == "state-unusable");
        mend(refused.error().message);
        CHECK(Store::open(files, ignore));
    }
}

TEST_CASE("permissions: into the folder of a table others may look") {
    const TemporaryFolder folder;
    const StoreFiles files{.folder = folder.path + "/data", .shared_folder = true};
    REQUIRE(::mkdir(files.folder.c_str(), 0700) == 0);
    REQUIRE(::chmod(files.folder.c_str(), 0755) == 0);
    CHECK(Store::open(files, ignore));
    REQUIRE(::chmod(files.folder.c_str(), 0775) == 0);
    CHECK(Store::open(files, ignore).error().code == "too-open");
}
