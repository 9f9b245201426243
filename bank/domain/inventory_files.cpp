#include "bank/domain/inventory_files.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "common/base/csv.h"
#include "common/base/dates.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

constexpr char kSeparator = ';';
constexpr std::array<std::string_view, 3> kStates{"pending", "settled", "cancelled"};

// Columns of purchases.txt.
constexpr size_t kOrderWidth = 12;
constexpr size_t kDateWidth = 19;
constexpr size_t kNameWidth = 20;
constexpr size_t kQuantityWidth = 10;
constexpr size_t kAmountWidth = 16;

Result<uint64_t> parse_order(std::string_view text) {
    const bool digits = !text.empty() && text.size() <= 18 &&
                        text.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return Error{"bad-csv", quote(text) + " is not the number of an order"};
    uint64_t number = 0;
    for (const char c : text) number = number * 10 + static_cast<uint64_t>(c - '0');
    return number;
}

Result<PurchaseRow> read_purchase(const std::vector<std::string_view>& fields) {
    auto order = parse_order(fields[0]);
    if (!order) return order.error();
    auto at_us = parse_time(fields[1]);
    if (!at_us) return at_us.error();
    if (auto checked = check_name(fields[2]); !checked) return checked.error();
    const std::string product = undefuse(fields[3]);
    if (auto checked = check_product_id(product); !checked) return checked.error();
    auto quantity = parse_quantity(fields[4]);
    if (!quantity) return quantity.error();
    auto amount = parse_amount(fields[5], Zero::refused);
    if (!amount) return amount.error();
    if (std::find(kStates.begin(), kStates.end(), fields[6]) == kStates.end()) {
        return Error{"bad-csv",
                     "the state is " + quote(fields[6]) + "; write pending, settled or cancelled"};
    }
    return PurchaseRow{order.value(),    at_us.value(),  std::string(fields[2]), product,
                       quantity.value(), amount.value(), std::string(fields[6])};
}

void append_purchase_columns(std::string& out, std::string_view order, std::string_view date,
                             std::string_view customer, std::string_view product,
                             std::string_view quantity, std::string_view amount,
                             std::string_view state) {
    out += pad_left(order, kOrderWidth);
    out += "  ";
    out += pad_right(date, kDateWidth);
    out += "  ";
    out += pad_right(customer, kNameWidth);
    out += "  ";
    out += pad_right(product, kNameWidth);
    out += "  ";
    out += pad_left(quantity, kQuantityWidth);
    out += "  ";
    out += pad_left(amount, kAmountWidth);
    out += "  ";
    out += state;
    out += '\n';
}

}  // namespace

Result<std::vector<Product>> parse_inventory_csv(std::string_view content,
                                                 const CheckProduct& check) {
    CsvReader reader(content);
    if (auto header = reader.expect_header(kInventoryHeader); !header) return header.error();
    std::vector<Product> products;
    std::unordered_set<std::string> ids;
    for (;;) {
        const auto more = reader.next();
        if (!more) return more.error();
        if (!more.value()) return products;
        if (products.size() == limits::kMaxImportedProducts) {
            return reader.error("more than " + std::to_string(limits::kMaxImportedProducts) +
                                " products in one file");
        }
        const auto& fields = reader.fields();
        auto product = make_product(undefuse(fields[0]), undefuse(fields[1]), fields[2], fields[3],
                                    undefuse(fields[4]), kSeparator);
        if (!product) return reader.error(product.error().message);
        if (!ids.insert(product.value().id).second) {
            return reader.error("the product id " + quote(product.value().id) +
                                " stands there twice");
        }
        if (check) {
            if (auto checked = check(product.value()); !checked) {
                return reader.error(checked.error().message);
            }
        }
        products.push_back(std::move(product).value());
    }
}

void append_inventory_row(std::string& out, const Product& product) {
    append_csv_field(out, defuse(product.id));
    out += ',';
    append_csv_field(out, defuse(product.name));
    out += ',';
    out += to_string(product.price);
    out += ',';
    out += std::to_string(product.quantity);
    out += ',';
    append_csv_field(out, defuse(join(product.categories, std::string(1, kSeparator))));
    out += '\n';
}

std::string inventory_csv(const std::vector<Product>& products) {
    std::string out(kInventoryHeader);
    out += '\n';
    for (const Product& product : products) append_inventory_row(out, product);
    return out;
}

Result<std::vector<PurchaseRow>> parse_purchases_csv(std::string_view content,
                                                     const CheckPurchase& check) {
    CsvReader reader(content);
    if (auto header = reader.expect_header(kPurchasesHeader); !header) return header.error();
    std::vector<PurchaseRow> purchases;
    std::unordered_set<uint64_t> orders;
    for (;;) {
        const auto more = reader.next();
        if (!more) return more.error();
        if (!more.value()) return purchases;
        if (purchases.size() == limits::kMaxImportedPurchases) {
            return reader.error("more than " + std::to_string(limits::kMaxImportedPurchases) +
                                " purchases in one file");
        }
        auto purchase = read_purchase(reader.fields());
        if (!purchase) return reader.error(purchase.error().message);
        if (!orders.insert(purchase.value().order).second) {
            return reader.error("the order " + std::to_string(purchase.value().order) +
                                " stands there twice");
        }
        if (check) {
            if (auto checked = check(purchase.value()); !checked) {
                return reader.error(checked.error().message);
            }
        }
        purchases.push_back(std::move(purchase).value());
    }
}

void append_purchase_row(std::string& out, const PurchaseRow& purchase) {
    out += std::to_string(purchase.order);
    out += ',';
    out += date_and_time(purchase.at_us);
    out += ',';
    append_csv_field(out, defuse(purchase.customer));
    out += ',';
    append_csv_field(out, defuse(purchase.product));
    out += ',';
    out += std::to_string(purchase.quantity);
    out += ',';
    out += to_string(purchase.amount);
    out += ',';
    out += purchase.state;
    out += '\n';
}

std::string inventory_txt(const std::vector<Product>& products) {
    std::vector<std::vector<std::string>> rows;
    rows.reserve(products.size());
    for (const Product& product : products) {
        rows.push_back({product.id, product.name, to_string(product.price),
                        std::to_string(product.quantity), join(product.categories, ",")});
    }
    std::string out;
    for (const std::string& line : aligned({{"ID"},
                                            {"NAME"},
                                            {"PRICE", Align::right},
                                            {"QUANTITY", Align::right},
                                            {"CATEGORIES"}},
                                           rows)) {
        out += line;
        out += '\n';
    }
    return out;
}

std::string purchases_txt_head() {
    std::string out;
    append_purchase_columns(out, "ORDER", "DATE", "CUSTOMER", "PRODUCT", "QUANTITY", "AMOUNT",
                            "STATE");
    return out;
}

void append_purchase_line(std::string& out, const PurchaseRow& purchase) {
    append_purchase_columns(out, std::to_string(purchase.order), date_and_time(purchase.at_us),
                            purchase.customer, purchase.product, std::to_string(purchase.quantity),
                            to_string(purchase.amount), purchase.state);
}

}  // namespace p2pbank::bank
