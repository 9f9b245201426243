// The journal's file and the CSV files.
#include <string>
#include <vector>

#include "bank/domain/inventory_files.h"
#include "common/base/check.h"
#include "common/stable/journal.h"
#include "common/stable/table.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/unit/faulty_storage.h"

namespace p2pbank::fuzz {
namespace {

constexpr const char* kName = "fuzz.journal";

std::string file_of(std::string_view bytes) {
    testing::FaultyStorage storage;
    storage.set_content(kName, std::string(bytes));
    return storage.content(kName);
}

// Bytes of the input over those of a journal as the program writes it, so that checksums can be
// right for once.
std::string changed_journal(Input& in) {
    testing::FaultyStorage storage;
    auto journal = Journal::open(storage, kName, [](std::string_view) { return Result<void>(); });
    P2PBANK_CHECK(journal.ok());
    for (size_t frames = in.below(6); frames > 0; --frames) {
        std::vector<std::string> records;
        for (size_t count = in.below(4); count > 0; --count) records.emplace_back(in.piece());
        P2PBANK_CHECK(journal.value()->append(records).ok() && journal.value()->sync().ok());
    }
    std::string content = storage.content(kName);
    content.resize(std::min<size_t>(content.size(), size_t(in.byte()) * 64 + 16));
    while (!in.empty()) {
        const size_t at = size_t(in.byte()) * 256 + in.byte();
        const char by = static_cast<char>(in.byte());
        if (at < content.size()) content[at] = static_cast<char>(content[at] ^ by);
    }
    return content;
}

}  // namespace

void journal_file(std::string_view input) {
    Input in(input);
    const bool raw = in.coin();
    testing::FaultyStorage storage;
    const std::string content = raw ? file_of(in.rest()) : changed_journal(in);
    storage.set_content(kName, content);
    std::vector<std::string> read;
    const auto take = [&](std::string_view record) {
        read.emplace_back(record);
        return Result<void>();
    };
    {
        auto journal = Journal::open(storage, kName, take);
        if (!journal) {
            // What is damaged stays as it is, for somebody to look at.
            P2PBANK_CHECK(storage.content(kName) == content);
            return;
        }
        P2PBANK_CHECK(journal.value()->append({"one more", ""}).ok());
        P2PBANK_CHECK(journal.value()->sync().ok());
    }
    std::vector<std::string> expected = std::move(read);
    expected.emplace_back("one more");
    expected.emplace_back();
    read.clear();
    P2PBANK_CHECK(Journal::open(storage, kName, take).ok());
    P2PBANK_CHECK(read == expected);
}

void csv_files(std::string_view input) {
    Input in(input);
    const size_t kind = in.below(3);
    const std::string_view content = in.rest();
    if (kind == 0) {
        const auto rows = parse_table(content);
        if (!rows) return;
        std::string out = std::string(kTableHeader) + "\n";
        for (const TableRow& row : rows.value()) append_row(out, row);
        const auto again = parse_table(out);
        P2PBANK_CHECK(again.ok() && again.value() == rows.value());
    } else if (kind == 1) {
        const auto products = bank::parse_inventory_csv(content);
        if (!products) return;
        const auto again = bank::parse_inventory_csv(bank::inventory_csv(products.value()));
        P2PBANK_CHECK(again.ok() && again.value() == products.value());
        bank::inventory_txt(products.value());
    } else {
        const auto purchases = bank::parse_purchases_csv(content);
        if (!purchases) return;
        std::string out = std::string(bank::kPurchasesHeader) + "\n";
        std::string lines = bank::purchases_txt_head();
        for (const auto& purchase : purchases.value()) {
            bank::append_purchase_row(out, purchase);
            bank::append_purchase_line(lines, purchase);
        }
        const auto again = bank::parse_purchases_csv(out);
        P2PBANK_CHECK(again.ok() && again.value() == purchases.value());
    }
}

}  // namespace p2pbank::fuzz
