// Products and purchases as files: inventory.csv and purchases.csv for other programs,
// inventory.txt and purchases.txt for people. Content in, content out: who reads and writes the
// files is the runtime. Text that a spreadsheet would run is defused on its way out and read back
// as it was.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bank/domain/catalogue.h"
#include "common/base/money.h"
#include "common/base/result.h"

namespace p2pbank::bank {

inline constexpr std::string_view kInventoryHeader = "id,name,price,quantity,categories";
inline constexpr std::string_view kPurchasesHeader =
    "order,date,customer,product,quantity,amount,state";

// A purchase as a file has it.
struct PurchaseRow {
    uint64_t order = 0;
    int64_t at_us = 0;
    std::string customer;
    std::string product;
    uint64_t quantity = 0;
    Money amount;
    std::string state;  // "pending", "settled" or "cancelled"
    friend bool operator==(const PurchaseRow&, const PurchaseRow&) = default;
};

// What a row must pass beside its form: does its customer exist, its product? The message of what
// it refuses gets the line in front.
using CheckProduct = std::function<Result<void>(const Product&)>;
using CheckPurchase = std::function<Result<void>(const PurchaseRow&)>;

// Header and all rows; categories are separated by ';' in their field. Errors: bad-csv, "line N:
// reason", also for an id that stands there twice; nothing of the file counts then.
Result<std::vector<Product>> parse_inventory_csv(std::string_view content,
                                                 const CheckProduct& check = {});
void append_inventory_row(std::string& out, const Product& product);
std::string inventory_csv(const std::vector<Product>& products);

// `date` may have a time. An order may stand there once. Errors: bad-csv, "line N: reason"; nothing
// of the file counts then.
Result<std::vector<PurchaseRow>> parse_purchases_csv(std::string_view content,
                                                     const CheckPurchase& check = {});
void append_purchase_row(std::string& out, const PurchaseRow& purchase);

// Aligned columns under their heads.
std::string inventory_txt(const std::vector<Product>& products);
// One line of purchases.txt, in columns of fixed widths: a million of them are written as they are
// read.
std::string purchases_txt_head();
void append_purchase_line(std::string& out, const PurchaseRow& purchase);

}  // namespace p2pbank::bank
