#include <doctest/doctest.h>

#include "bank/domain/catalogue.h"
#include "common/base/text.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

std::string code_of(std::string_view id, std::string_view name, std::string_view price,
                    std::string_view quantity, std::string_view categories) {
    const auto product = make_product(id, name, price, quantity, categories);
    return product ? "" : product.error().code;
}

}  // namespace

TEST_CASE("catalogue: a product is made of what was typed") {
    const auto product = make_product("mug-1", "Blue mug", "12.50", "40", "Kitchen, Gifts");
    REQUIRE(product.ok());
    CHECK(product.value() ==
          Product{"mug-1", "Blue mug", Money::from_cents(12'50), 40, {"Kitchen", "Gifts"}});
    CHECK(join(product.value().categories, ",") == "Kitchen,Gifts");
}

TEST_CASE("catalogue: each part of a product is refused by its own code") {
    CHECK(code_of("mug", "Mug", "1", "0", "a").empty());
    for (const char* id :
         {"", "a b", "-x", ".x", "m\xC3\xBCg", "a,b", "a/b", "a23456789012345678901234567890123"}) {
        CAPTURE(id);
        CHECK(code_of(id, "Mug", "1", "1", "a") == "bad-product-id");
    }
    CHECK(code_of("mug", "", "1", "1", "a") == "bad-text");
    CHECK(code_of("mug", "a\nb", "1", "1", "a") == "bad-text");
    for (const char* price : {"0", "-1", "1.234", "1e3", "", "x", "1000000000000001"}) {
        CAPTURE(price);
        CHECK(code_of("mug", "Mug", price, "1", "a") == "bad-amount");
    }
    for (const char* quantity : {"-1", "1.5", "", "x", "1000000001", "99999999999999999999999"}) {
        CAPTURE(quantity);
        CHECK(code_of("mug", "Mug", "1", quantity, "a") == "bad-quantity");
    }
    for (const char* categories : {"", ",", "a,", ",a", "a,,b", "a,A", "\xC3\x84,\xC3\xA4", "a;b",
                                   "a\tb", "a23456789012345678901234567890123456789012",
                                   "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}) {
        CAPTURE(categories);
        CHECK(code_of("mug", "Mug", "1", "1", categories) == "bad-category");
    }
}

TEST_CASE("catalogue: a quantity that is bought is a positive whole number") {
    CHECK(parse_quantity("1").value() == 1);
    CHECK(parse_quantity("1000000000").value() == limits::kMaxQuantity);
    CHECK(parse_stock("0").value() == 0);
    for (const char* text : {"0", "-3", "1.0", "1e2", " 1", "+1", "1000000001"}) {
        CAPTURE(text);
        CHECK(parse_quantity(text).error().code == "bad-quantity");
    }
}

TEST_CASE("catalogue: a total never exceeds what an amount may be") {
    CHECK(total_price(Money::from_cents(12'50), 4).value() == Money::from_cents(50'00));
    const Money largest = Money::from_cents(limits::kMaxAmountUnits * 100);
    CHECK(total_price(largest, 1).value() == largest);
    CHECK(total_price(largest, 2).error().code == "price-overflow");
    CHECK(total_price(largest, limits::kMaxQuantity).error().code == "price-overflow");
    CHECK(total_price(Money::from_cents(1), limits::kMaxQuantity + 1).error().code ==
          "price-overflow");
}

TEST_CASE("catalogue: a stock has a most") {
    CHECK(restocked(5, 7).value() == 12);
    CHECK(restocked(limits::kMaxQuantity - 1, 1).ok());
    CHECK(restocked(limits::kMaxQuantity, 1).error().code == "bad-quantity");
    CHECK(restocked(UINT64_MAX, UINT64_MAX).error().code == "bad-quantity");
}

TEST_CASE("catalogue: a search finds part of a category, whatever the case") {
    const Product product = make_product("x", "X", "1", "1", "Kitchen,B\xC3\x9CRO").value();
    CHECK(matches(product, fold("KITCH")));
    CHECK(matches(product, fold("chen")));
    CHECK(matches(product, fold("b\xC3\xBCro")));
    CHECK_FALSE(matches(product, fold("garden")));
    CHECK_FALSE(matches(product, fold("Kitchen,B")));
}
