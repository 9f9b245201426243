#include "bank/domain/billers.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {

const std::vector<Biller>& default_billers() {
    static const std::vector<Biller> kBillers{
        {"Electricity", true}, {"Data", true},     {"Airtime", true},   {"Water", true},
        {"Gaming", true},      {"Netflix", false}, {"Internet", false}, {"Insurance", false},
        {"Gym", false},        {"Rent", false},
    };
    return kBillers;
}

Result<void> check_biller_name(std::string_view name) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const bool good = !name.empty() && name.size() <= limits::kMaxNameBytes && is_letter(name[0]) &&
                      std::all_of(name.begin(), name.end(), [&](char c) {
                          return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
                      });
    if (good) return {};
    return Error{
        "bad-biller",
        quote(name) +
            " is not a name of a biller: a letter, then letters, digits, '_' or '-', 32 at "
            "most"};
}

std::string biller_key(std::string_view name) {
    return fold(name);
}

const Biller* find_biller(std::span<const Biller> billers, std::string_view name) {
    const std::string key = biller_key(name);
    const auto found = std::find_if(billers.begin(), billers.end(), [&](const Biller& biller) {
        return biller_key(biller.name) == key;
    });
    return found == billers.end() ? nullptr : &*found;
}

}  // namespace p2pbank::bank
