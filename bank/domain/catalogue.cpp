#include "bank/domain/catalogue.h"

#include <algorithm>

#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<uint64_t> parse_whole(std::string_view text, bool zero_allowed) {
    const auto bad = [&](const std::string& why) {
        return Error{"bad-quantity", quote(text) + " is not a quantity: " + why};
    };
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
        return bad(zero_allowed ? "write a whole number, zero or more"
                                : "write a whole number, one or more");
    }
    uint64_t number = 0;
    for (const char c : text) {
        number = number * 10 + static_cast<uint64_t>(c - '0');
        if (number > limits::kMaxQuantity) {
            return bad("the most is " + std::to_string(limits::kMaxQuantity));
        }
    }
    if (number == 0 && !zero_allowed) return bad("it must be one or more");
    return number;
}

}  // namespace

Result<void> check_product_id(std::string_view id) {
    const bool good = !id.empty() && id.size() <= limits::kMaxNameBytes && id[0] != '-' &&
                      id[0] != '.' && std::all_of(id.begin(), id.end(), [](char c) {
                          return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
                      });
    if (good) return {};
    return Error{"bad-product-id",
                 quote(id) +
                     " is not a product id: 1 to 32 letters, digits, '_', '-' or '.', and "
                     "no '-' or '.' at the beginning"};
}

Result<void> check_product_name(std::string_view name) {
    return check_text("the name of the product", name, limits::kMaxProductNameBytes);
}

Result<Money> parse_price(std::string_view text) {
    return parse_amount(text, Zero::refused);
}

Result<uint64_t> parse_quantity(std::string_view text) {
    return parse_whole(text, false);
}

Result<uint64_t> parse_stock(std::string_view text) {
    return parse_whole(text, true);
}

Result<std::vector<std::string>> parse_categories(std::string_view text, char separator) {
    const auto bad = [](const std::string& why) { return Error{"bad-category", why}; };
    std::vector<std::string> categories;
    std::vector<std::string> folded;
    for (size_t at = 0;;) {
        const size_t end = text.find(separator, at);
        const std::string_view category = trim(text.substr(at, end - at));
        if (category.empty()) return bad("a category is empty: write one, or several as in a,b");
        const auto checked = check_text("a category", category, limits::kMaxCategoryBytes);
        if (!checked) return bad(checked.error().message);
        // Both separate categories somewhere: in commands and in files.
        if (category.find_first_of(",;") != std::string_view::npos) {
            return bad("the category " + quote(category) + " holds a ',' or ';'");
        }
        folded.push_back(fold(category));
        if (std::find(folded.begin(), folded.end() - 1, folded.back()) != folded.end() - 1) {
            return bad("the category '" + std::string(category) + "' stands there twice");
        }
        categories.emplace_back(category);
        if (categories.size() > limits::kMaxCategories) {
            return bad("more than " + std::to_string(limits::kMaxCategories) + " categories");
        }
        if (end == std::string_view::npos) return categories;
        at = end + 1;
    }
}

Result<Product> make_product(std::string_view id, std::string_view name, std::string_view price,
                             std::string_view quantity, std::string_view categories,
                             char separator) {
    if (auto checked = check_product_id(id); !checked) return checked.error();
    if (auto checked = check_product_name(name); !checked) return checked.error();
    auto cents = parse_price(price);
    if (!cents) return cents.error();
    auto stock = parse_stock(quantity);
    if (!stock) return stock.error();
    auto listed = parse_categories(categories, separator);
    if (!listed) return listed.error();
    return Product{std::string(id), std::string(name), cents.value(), stock.value(),
                   std::move(listed).value()};
}

Result<Money> total_price(Money price, uint64_t quantity) {
    __extension__ typedef __int128 Wide;
    constexpr Wide kMost = Wide{limits::kMaxAmountUnits} * 100;
    const Wide cents = Wide{price.cents()} * static_cast<Wide>(quantity);
    if (quantity > limits::kMaxQuantity || cents > kMost) {
        return Error{"price-overflow", std::to_string(quantity) + " at " + to_string(price) +
                                           " each come to more than an amount may be"};
    }
    return Money::from_cents(static_cast<int64_t>(cents));
}

Result<uint64_t> restocked(uint64_t in_stock, uint64_t more) {
    if (more > limits::kMaxQuantity || in_stock > limits::kMaxQuantity - more) {
        return Error{"bad-quantity",
                     "the stock would be more than " + std::to_string(limits::kMaxQuantity)};
    }
    return in_stock + more;
}

bool matches(const Product& product, std::string_view folded) {
    return std::any_of(product.categories.begin(), product.categories.end(),
                       [&](const std::string& category) {
                           return fold(category).find(folded) != std::string::npos;
                       });
}

}  // namespace p2pbank::bank
