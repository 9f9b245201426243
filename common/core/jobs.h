// Work that would make the loop wait: hashing a password, files, the history database. A node
// starts a job through Effects and hears of its end through Node::on_job. Jobs of one kind are done
// in the order in which they were started.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/core/history.h"

namespace p2pbank {

// Argon2id (libsodium's crypto_pwhash_str). Gives the encoded hash as `text`.
struct HashPassword {
    Secret password;
};
// Gives `matches`. Takes as long whether it matches or not.
struct VerifyPassword {
    Secret password;
    std::string hash;
};
// Gives the whole file as `text`. Errors: not-found, too-large, io-error.
struct ReadFile {
    std::string path;
    size_t max_bytes = 0;
};
// Replaces each file as a whole, all of them or (unless the program dies in between) none; makes
// the folder where there is none. Errors: io-error.
struct WriteFiles {
    std::string folder;
    std::vector<std::pair<std::string, std::string>> files;  // name in the folder, content
};
// Reads the history, with all facts of what the node said before. Gives `rows`, or, with a format,
// `text`: `head` and what the format appends for each row.
struct Query {
    uint32_t query = 0;
    Row values;
    void (*format)(const Row& row, std::string& out) = nullptr;
    std::string head;
};

using Job = std::variant<HashPassword, VerifyPassword, ReadFile, WriteFiles, Query>;

struct JobResult {
    Result<void> outcome;
    std::string text;
    bool matches = false;
    std::vector<Row> rows;
};

// What a person at the terminal (or a script, through --password-fd) is asked for.
struct Question {
    std::string prompt;   // "Password: "
    bool hidden = false;  // typed without echo
};

}  // namespace p2pbank
