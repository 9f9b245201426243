#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "bank/domain/inventory_files.h"
#include "common/base/csv.h"
#include "common/base/dates.h"
#include "common/base/limits.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

std::string products_error(const std::string& rows) {
    const auto parsed = parse_inventory_csv(std::string(kInventoryHeader) + "\n" + rows);
    return parsed ? "" : parsed.error().message;
}

std::string purchases_error(const std::string& rows) {
    const auto parsed = parse_purchases_csv(std::string(kPurchasesHeader) + "\n" + rows);
    return parsed ? "" : parsed.error().message;
}

bool begins(const std::string& text, std::string_view with) {
    CAPTURE(text);
    return std::string_view(text).starts_with(with);
}

}  // namespace

TEST_CASE("inventory.csv: products come back as they were written, formulas defused") {
    CHECK(rc::check("any products", [] {
        const auto text = rc::gen::nonEmpty(rc::gen::container<std::string>(
            rc::gen::element('a', 'B', '=', '+', '-', '@', '\'', '"', ',', ';', '7')));
        const auto count = *rc::gen::inRange(0, 20);
        std::vector<Product> products;
        for (int i = 0; i < count; ++i) {
            Product product;
            product.id = "p" + std::to_string(i);
            product.name = (*text).substr(0, limits::kMaxProductNameBytes);
            product.price =
                Money::from_cents(*rc::gen::inRange<int64_t>(1, 100'000'000'000'000'001));
            product.quantity = *rc::gen::inRange<uint64_t>(0, limits::kMaxQuantity + 1);
            product.categories = {"=" + std::to_string(i), "-b", "'c"};
            products.push_back(product);
        }
        const std::string content = inventory_csv(products);
        CsvReader reader(content);
        RC_ASSERT(reader.expect_header(kInventoryHeader).ok());
        while (reader.next().value()) {
            for (const std::string_view field : reader.fields()) {
                RC_ASSERT(std::string_view("=+-@").find(field[0]) == std::string_view::npos);
            }
        }
        const auto parsed = parse_inventory_csv(content);
        RC_ASSERT(parsed.ok());
        RC_ASSERT(parsed.value() == products);
    }));
}

TEST_CASE("inventory.csv: a bad line is refused with its number and the reason") {
    CHECK(products_error("mug,Mug,1,1,a;b\n").empty());
    CHECK(begins(products_error("mug,Mug,1,1,a\ncup,Cup,0,1,a\n"), "line 3: '0' is not an amount"));
    CHECK(begins(products_error("mug,Mug,1,-1,a\n"), "line 2: '-1' is not a quantity"));
    CHECK(begins(products_error("mug,Mug,1,1.5,a\n"), "line 2: '1.5' is not a quantity"));
    CHECK(
        begins(products_error("mug,Mug,1,1,a;A\n"), "line 2: the category 'A' stands there twice"));
    CHECK(begins(products_error("mug,Mug,1,1,\n"), "line 2: a category is empty"));
    CHECK(begins(products_error("m g,Mug,1,1,a\n"), "line 2: 'm g' is not a product id"));
    CHECK(begins(products_error("mug,,1,1,a\n"), "line 2: the name of the product is empty"));
    CHECK(begins(products_error("mug,M,1,1,a\nmug,N,1,1,a\n"),
                 "line 3: the product id 'mug' stands there twice"));
    CHECK(begins(products_error("mug,Mug,1,1\n"), "line 2: 4 columns instead of 5"));
    CHECK(parse_inventory_csv("id,name\n").error().code == "bad-csv");
    CHECK(parse_inventory_csv("").error().code == "bad-csv");
    const auto refused = parse_inventory_csv(std::string(kInventoryHeader) + "\nmug,Mug,1,1,a\n",
                                             [](const Product&) -> Result<void> {
                                                 return Error{"product-exists", "mug exists"};
                                             });
    CHECK(refused.error().message == "line 2: mug exists");
}

TEST_CASE("purchases.csv: purchases come back as they were written") {
    CHECK(rc::check("any purchases", [] {
        const auto count = *rc::gen::inRange<uint64_t>(0, 20);
        std::vector<PurchaseRow> purchases;
        std::string content = std::string(kPurchasesHeader) + "\n";
        for (uint64_t i = 0; i < count; ++i) {
            PurchaseRow purchase{
                1'000 - i,
                *rc::gen::inRange<int64_t>(-1'000'000'000, 4'000'000'000) * kMicrosInSecond,
                *rc::gen::element<std::string>("ann", "Bob-2"),
                *rc::gen::element<std::string>("mug", "_tea.pot-2"),
                *rc::gen::inRange<uint64_t>(1, limits::kMaxQuantity + 1),
                Money::from_cents(*rc::gen::inRange<int64_t>(1, 100'000'000'000'000'001)),
                *rc::gen::element<std::string>("pending", "settled", "cancelled")};
            append_purchase_row(content, purchase);
            purchases.push_back(purchase);
        }
        const auto parsed = parse_purchases_csv(content);
        RC_ASSERT(parsed.ok());
        RC_ASSERT(parsed.value() == purchases);
    }));
}

TEST_CASE("purchases.csv: a bad line is refused with its number and the reason") {
    CHECK(purchases_error("1,2026-11-21,ann,mug,2,25,settled\n").empty());
    CHECK(purchases_error("1,2026-11-21 09:30:00,ann,mug,2,25,settled\n").empty());
    CHECK(begins(purchases_error("x,2026-11-21,ann,mug,2,25,settled\n"), "line 2: 'x' is not the"));
    CHECK(begins(purchases_error("1,21.11.2026,ann,mug,2,25,settled\n"), "line 2: '21.11.2026'"));
    CHECK(
        begins(purchases_error("1,2026-11-21,7,mug,2,25,settled\n"), "line 2: '7' is not a name"));
    CHECK(begins(purchases_error("1,2026-11-21,ann,m g,2,25,settled\n"), "line 2: 'm g'"));
    CHECK(begins(purchases_error("1,2026-11-21,ann,mug,0,25,settled\n"), "line 2: '0'"));
    CHECK(begins(purchases_error("1,2026-11-21,ann,mug,2,-25,settled\n"), "line 2: '-25'"));
    CHECK(
        begins(purchases_error("1,2026-11-21,ann,mug,2,25,paid\n"), "line 2: the state is 'paid'"));
    CHECK(begins(purchases_error("1,2026-11-21,ann,mug,2,25,settled\n"
                                 "1,2026-11-21,ann,mug,2,25,settled\n"),
                 "line 3: the order 1 stands there twice"));
    const auto refused = parse_purchases_csv(
        std::string(kPurchasesHeader) + "\n1,2026-11-21,ann,mug,2,25,settled\n",
        [](const PurchaseRow& row) -> Result<void> {
            return Error{"unknown-product", "there is no product " + row.product};
        });
    CHECK(refused.error().code == "bad-csv");
    CHECK(refused.error().message == "line 2: there is no product mug");
}

TEST_CASE("inventory files: more rows than the limits allow are refused") {
    std::string content = std::string(kInventoryHeader) + "\n";
    for (size_t i = 0; i <= limits::kMaxImportedProducts; ++i) {
        content += "p" + std::to_string(i) + ",P,1,1,a\n";
    }
    const auto parsed = parse_inventory_csv(content);
    REQUIRE_FALSE(parsed.ok());
    CHECK(begins(parsed.error().message, "line 100002: more than 100000 products"));
}

TEST_CASE("inventory files: the plain texts are columns that line up") {
    const std::string inventory =
        inventory_txt({make_product("mug", "Blue mug", "12.50", "40", "Kitchen,Gifts").value(),
                       make_product("p", "Caf\xC3\xA9", "3", "0", "Food").value()});
    CHECK(inventory ==
          "ID   NAME      PRICE  QUANTITY  CATEGORIES\n"
          "mug  Blue mug  12.50        40  Kitchen,Gifts\n"
          "p    Caf\xC3\xA9          3         0  Food\n");
    std::string purchases = purchases_txt_head();
    append_purchase_line(purchases, {7, 0, "ann", "mug", 2, Money::from_cents(25'00), "settled"});
    CHECK(
        purchases ==
        "       ORDER  DATE                 CUSTOMER              PRODUCT                 QUANTITY"
        "            AMOUNT  STATE\n"
        "           7  1970-01-01 00:00:00  ann                   mug                            2"
        "                25  settled\n");
}
