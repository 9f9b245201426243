// A bundle taken apart and put together again, for tests that change what is in it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bank/bundle.h"
#include "bank/verify.h"
#include "tests/unit/evidence_world.h"

namespace p2pbank {

using Item = bank_evidence::Item;

inline std::vector<Item> items_of(const std::string& bundle) {
    auto reader = bank::BundleReader::open(bundle);
    REQUIRE(reader.ok());
    std::vector<Item> items;
    for (;;) {
        auto item = reader.value().next();
        REQUIRE(item.ok());
        if (!item.value()) return items;
        if (!item.value()->has_seal()) items.push_back(*item.value());
    }
}

inline std::string sealed(const std::vector<Item>& items, const secure::Identity& identity) {
    std::string bundle(bank::kBundleMagic);
    for (const Item& item : items) bank::append_item(bundle, item);
    bank::append_seal(bundle, identity);
    return bundle;
}

// The codes of all problems, each once.
inline std::set<std::string> codes(const std::string& bundle) {
    std::set<std::string> all;
    for (const bank::Problem& problem : bank::verify(bundle).problems) all.insert(problem.code);
    return all;
}

}  // namespace p2pbank
