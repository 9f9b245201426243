// The goods that the bank's shop sells: what a product is, and what may be said about one. Rules
// only: the stock itself is kept by the bank's state. Anybody in the bank may call it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/base/result.h"

namespace p2pbank::bank {

struct Product {
    std::string id;  // 1 to 32 letters, digits, _ - .
    std::string name;
    Money price;  // of one, more than zero
    uint64_t quantity = 0;
    std::vector<std::string> categories;  // at least one, none twice
    friend bool operator==(const Product&, const Product&) = default;
};

// Errors: bad-product-id.
Result<void> check_product_id(std::string_view id);
// Errors: bad-text.
Result<void> check_product_name(std::string_view name);
// More than zero. Errors: bad-amount.
Result<Money> parse_price(std::string_view text);
// A positive whole number, at most limits::kMaxQuantity; parse_stock allows zero too. Errors:
// bad-quantity.
Result<uint64_t> parse_quantity(std::string_view text);
Result<uint64_t> parse_stock(std::string_view text);
// "Kitchen,Gifts", or with another separator. Blanks around a category do not count. Refused: an
// empty one, one given twice (without regard to case), more than limits::kMaxCategories. Errors:
// bad-category.
Result<std::vector<std::string>> parse_categories(std::string_view text, char separator = ',');

// A whole product as it is typed. Errors: those of its parts.
Result<Product> make_product(std::string_view id, std::string_view name, std::string_view price,
                             std::string_view quantity, std::string_view categories,
                             char separator = ',');

// What so many cost. Errors: price-overflow, when it is more than an amount may be.
Result<Money> total_price(Money price, uint64_t quantity);
// What is in stock after so many came. Errors: bad-quantity, when it is more than
// limits::kMaxQuantity.
Result<uint64_t> restocked(uint64_t in_stock, uint64_t more);

// True if a category of the product holds the text, as part of a word and without regard to case.
// `folded` is fold(text).
bool matches(const Product& product, std::string_view folded);

}  // namespace p2pbank::bank
