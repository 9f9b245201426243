#include <fcntl.h>
#include <filesystem>
#include <map>
#include <optional>
#include <stdlib.h>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/runtime/driver.h"
#include "common/runtime/history_start.h"

using namespace p2pbank;

namespace {

const HistorySchema& schema() {
    static const HistorySchema kSchema = {
        .version = 1,
        .tables = {"CREATE TABLE said (position BIGINT PRIMARY KEY, text TEXT)"},
        .statements = {"INSERT INTO said VALUES ($1, $2)"},
        .queries = {"SELECT count(*), max(position) FROM said",
                    "SELECT text FROM said ORDER BY position"}};
    return kSchema;
}

// Writes down what it is told, in its history only: what it remembers is how many it was told.
// `say X`, `quiet` (a record without a fact), `count` and `list` (from the history), `ask` (answers
// what was typed, which no node of ours should do), `hash`.
class Teller final : public Node {
  public:
    uint64_t position = 0;

    Result<void> replay(std::string_view record) override {
        if (record.starts_with("snapshot ")) {
            position = std::stoull(std::string(record.substr(9)));
        } else {
            apply(record);
        }
        return {};
    }
    void start(TimePoint, Effects&) override {}
    void on_datagram(TimePoint, Socket, Address, std::string_view, Effects&) override {}
    void on_command(TimePoint, CommandId id, std::string_view line, Effects& effects) override {
        if (line.starts_with("say ") || line == "quiet") {
            apply(line);
            effects.persist(std::string(line));
            effects.answer(id, success("said"));
        } else if (line == "ask") {
            effects.ask(id, {{"Name: ", false}, {"Password: ", true}});
        } else {
            commands_[++jobs_] = id;
            if (line == "count") effects.start_job(JobId(jobs_), Query{0, {}, nullptr, ""});
            if (line == "list") effects.start_job(JobId(jobs_), Query{1, {}, append, "all:"});
            if (line == "hash") effects.start_job(JobId(jobs_), HashPassword{Secret("password")});
        }
    }
    void on_job(TimePoint, JobId id, JobResult result, Effects& effects) override {
        std::string text = result.text;
        if (text.starts_with("$argon2id$")) text = "hash";
        for (const Value& value : result.rows.empty() ? Row() : result.rows[0]) {
            const auto* number = std::get_if<int64_t>(&value);
            text += (text.empty() ? "" : " ") + (number ? std::to_string(*number) : "none");
        }
        REQUIRE(result.outcome);
        effects.answer(commands_.at(id.value()), success(text));
    }
    void on_typed(TimePoint, CommandId id, Result<std::vector<Secret>> typed,
                  Effects& effects) override {
        if (!typed) return effects.answer(id, failure(typed.error()));
        std::string text;
        for (const Secret& one : typed.value()) text += "<" + std::string(one.view()) + ">";
        effects.answer(id, success(text));
    }
    void on_timer(TimePoint, Effects&) override {}
    void end_of_turn(TimePoint, Effects&) override {}
    std::optional<TimePoint> next_wake() const override { return std::nullopt; }
    bool wants_commands() const override { return true; }
    void snapshot(const std::function<void(std::string)>& take) const override {
        take("snapshot " + std::to_string(position));
    }
    void tell_history(FactSink* sink) override { history_ = sink; }
    uint64_t history_position() const override { return position; }
    std::vector<std::string> complete(std::string_view) const override { return {}; }

  private:
    static void append(const Row& row, std::string& out) { out += std::get<std::string>(row[0]); }
    void apply(std::string_view record) {
        ++position;
        if (history_ == nullptr || record == "quiet") return;
        history_->fact(position,
                       {0, {static_cast<int64_t>(position), std::string(record.substr(4))}});
    }

    FactSink* history_ = nullptr;
    std::map<uint64_t, CommandId> commands_;
    uint64_t jobs_ = 0;
};

class Place {
  public:
    Place() {
        std::string name = (std::filesystem::temp_directory_path() / "p2pbank-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
        db = path + "/bank.db";
    }
    ~Place() { std::filesystem::remove_all(path); }
    void copy(const std::string& from, const std::string& to) const {
        std::filesystem::copy_file(path + "/" + from, path + "/" + to,
                                   std::filesystem::copy_options::overwrite_existing);
    }
    std::string path;
    std::string db;
};

struct Life {
    std::string error;  // code and message: it did not start
    std::string answers;
    uint64_t position = 0;
};

struct Conditions {
    bool anew = false;
    uint64_t journal_min = 1'000'000;
    std::optional<std::string> passwords = std::nullopt;
};

int file_with(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE(::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return fd;
}

// One life of the program: the script is its standard input.
Life live(const Place& place, const std::string& script, const Conditions& conditions = {}) {
    const int in = file_with(place.path + "/in", script);
    const int out = file_with(place.path + "/out", "");
    const int passwords = file_with(place.path + "/passwords", conditions.passwords.value_or(""));
    Life life;
    {
        Log log("test", "off");
        LineReader input(in);
        Teller node;
        HistoryStart history(place.db, schema(), conditions.anew);
        node.tell_history(&history);
        auto store = Store::open({.folder = place.path + "/store"}, [&](std::string_view record) {
            const Result<void> replayed = node.replay(record);
            history.replayed(node.history_position());
            return replayed;
        });
        REQUIRE(store);
        node.tell_history(nullptr);
        auto db = history.finish(node.history_position(), log);
        if (db) {
            DriverOptions options;
            options.output = out;
            options.journal_min_bytes = conditions.journal_min;
            if (conditions.passwords) REQUIRE(options.take_passwords_from(passwords));
            Driver driver(std::move(options), input, log);
            driver.keep_history(std::move(db).value());
            driver.run(node, std::move(store).value(), "ready");
        } else {
            life.error = db.error().code + " " + db.error().message;
        }
        life.position = node.position;
    }
    for (const int fd : {in, out, passwords}) ::close(fd);
    auto folder = PosixStorage::open_folder(place.path);
    life.answers = folder.value()->read_all("out").value();
    return life;
}

std::string repeat(const std::string& text, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += text;
    return out;
}

constexpr Conditions kSmallJournal{.journal_min = 1'000};

// A journal that no longer holds its first 3000 records.
void fill(const Place& place) {
    live(place, repeat("say a\n", 3'000));
    live(place, "count\n", kSmallJournal);
}

bool says(const Life& life, std::string_view what) {
    return life.error.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("driver: a query sees all that was said before it") {
    const Place place;
    const Life life = live(place, "count\nsay a\nquiet\nsay b\nlist\nquiet\ncount\n");
    CHECK(life.answers ==
          "SUCCESS 0 none\nSUCCESS said\nSUCCESS said\nSUCCESS said\nSUCCESS all:ab\n"
          "SUCCESS said\nSUCCESS 2 3\n");
    CHECK(live(place, "list\n").answers == "SUCCESS all:ab\n");
}

TEST_CASE("driver: a journal is replaced only when the history has everything") {
    const Place place;
    CHECK(live(place, repeat("say a\n", 3'000) + "quiet\ncount\n", kSmallJournal).answers ==
          repeat("SUCCESS said\n", 3'001) + "SUCCESS 3000 3000\n");
    auto store = Store::open({.folder = place.path + "/store"},
                             [](std::string_view) { return Result<void>(); });
    REQUIRE(store);
    CHECK(store.value()->records_replayed() < 3'000);
    store.value().reset();
    live(place, "count\n", kSmallJournal);
    const Life next = live(place, "say b\ncount\n", kSmallJournal);
    CHECK(next.error.empty());
    CHECK(next.answers == "SUCCESS said\nSUCCESS 3001 3002\n");
}

TEST_CASE("driver: jobs of several kinds are answered in the order of the commands") {
    const Place place;
    CHECK(live(place, "hash\nsay a\ncount\nhash\n").answers ==
          "SUCCESS hash\nSUCCESS said\nSUCCESS 1 1\nSUCCESS hash\n");
}

TEST_CASE("driver: what is asked comes from the passwords' descriptor, a line for each question") {
    const Place place;
    const Conditions given{.passwords = "Ann\nsecret one\nBob\n"};
    CHECK(live(place, "ask\nsay a\nask\n", given).answers ==
          "SUCCESS <Ann><secret one>\nSUCCESS said\n"
          "FAILURE no-input: there is no further line at --password-fd\n");
}

TEST_CASE("driver: where nobody can be asked the answer says what a script does") {
    const Place place;
    const Life life = live(place, "ask\n");
    CHECK(life.answers.find("FAILURE no-terminal: ") == 0);
    CHECK(life.answers.find("--password-fd N") != std::string::npos);
}

TEST_CASE("history start: what a crash kept from the history is made up for from the journal") {
    const Place place;
    live(place, "say a\n");
    place.copy("bank.db", "early.db");
    live(place, "say b\nsay c\n");
    place.copy("early.db", "bank.db");
    std::filesystem::remove(place.db + "-wal");
    CHECK(live(place, "list\ncount\n").answers == "SUCCESS all:abc\nSUCCESS 3 3\n");
}

TEST_CASE("history start: a history that is missing is made anew from a whole journal") {
    const Place place;
    live(place, "say a\nquiet\nsay b\n");
    std::filesystem::remove(place.db);
    CHECK(live(place, "list\ncount\n").answers == "SUCCESS all:ab\nSUCCESS 2 3\n");
}

TEST_CASE("history start: a history that is missing is not begun anew behind a journal's back") {
    const Place place;
    fill(place);
    std::filesystem::rename(place.db, place.path + "/away.db");
    const Life refused = live(place, "count\n");
    CHECK(says(refused, "history-missing " + place.db));
    CHECK(says(refused, "--new-history"));
    CHECK_FALSE(std::filesystem::exists(place.db));

    std::filesystem::rename(place.path + "/away.db", place.db);
    CHECK(live(place, "count\n").answers == "SUCCESS 3000 3000\n");
}

TEST_CASE("history start: an old copy is refused where the journal no longer has the rest") {
    const Place place;
    live(place, "say a\n");
    place.copy("bank.db", "early.db");
    fill(place);
    place.copy("early.db", "bank.db");
    CHECK(says(live(place, "count\n"), "history-behind " + place.db));
}

TEST_CASE("history start: a journal that is older than the history is refused") {
    const Place place;
    live(place, "say a\n");
    place.copy("store/journal", "early");
    live(place, "say b\n");
    place.copy("early", "store/journal");
    CHECK(says(live(place, "count\n"), "history-ahead " + place.db));
    std::filesystem::remove_all(place.path + "/store");
    CHECK(says(live(place, "count\n"), "history-ahead " + place.db));
}

TEST_CASE("history start: a new history is begun when asked for, and the old one is kept aside") {
    const Place place;
    fill(place);
    const Life anew = live(place, "say b\nlist\n", {.anew = true});
    CHECK(anew.error.empty());
    CHECK(anew.answers.ends_with("b\n"));
    CHECK(HistoryDb::open(place.db + ".old-1", schema()).value()->position() == 3'000);
    CHECK(live(place, "quiet\n").error.empty());
    CHECK(live(place, "quiet\n", {.anew = true}).error.empty());
    CHECK(std::filesystem::exists(place.db + ".old-2"));
    CHECK(live(place, "say c\n").error.empty());
}

TEST_CASE("history start: a damaged history is refused and left alone, also for a new journal") {
    const Place place;
    ::close(file_with(place.db, std::string(2'000, 'x')));
    CHECK(says(live(place, "count\n"), "damaged-history " + place.db));
    CHECK(std::filesystem::file_size(place.db) == 2'000);
    CHECK(live(place, "count\n", {.anew = true}).answers == "SUCCESS 0 none\n");
}
