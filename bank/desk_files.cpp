// inventory.csv and purchases.csv in and out, inventory.txt and purchases.txt out. Part of Desk, at
// the console only. Files are read and written beside the loop; an import counts as a whole or not
// at all.
#include <sodium.h>

#include "bank/business_records.h"
#include "bank/desk.h"
#include "bank/domain/inventory_files.h"
#include "common/base/csv.h"
#include "common/base/names.h"
#include "common/stable/frame.h"

namespace p2pbank::bank {
namespace {

constexpr int kInRecord = 512;
// What an import counts as a whole in is one frame of the journal, with what comes beside it.
constexpr size_t kMaxImportedBytes = frame::kMaxPayloadBytes / 2;
constexpr size_t kNumbersBytes = 80;  // and tags, of one purchase

// In the journal, at most.
size_t bytes_of(const PurchaseRow& row, const Product& product) {
    size_t bytes = kNumbersBytes + row.customer.size() + product.id.size() + product.name.size();
    for (const std::string& category : product.categories) bytes += 2 + category.size();
    return bytes;
}

// Not 0.
uint64_t hash_of(std::string_view content) {
    static constexpr unsigned char kKey[crypto_shorthash_KEYBYTES] = {'i', 'm', 'p', 'o', 'r', 't'};
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, reinterpret_cast<const unsigned char*>(content.data()), content.size(),
                     kKey);
    uint64_t value = 0;
    for (const unsigned char byte : out) value = value << 8 | byte;
    return value == 0 ? 1 : value;
}

}  // namespace

void Desk::import_file(const Asker& asker, const Words& words) {
    const bool replace = words.size() == 3 && words[2] == "--replace";
    if (words.size() != 2 && !replace) return reply(asker, usage(asker, "import"));
    start(ReadFile{words[1], limits::kMaxImportBytes},
          [this, asker, replace, path = words[1]](JobResult& result) {
              if (!result.outcome) return reply(asker, failure(result.outcome.error()));
              const std::string_view content = without_byte_order_mark(result.text);
              const std::string_view head = content.substr(0, content.find_first_of("\r\n"));
              if (head == kInventoryHeader) {
                  return reply(asker, import_inventory(content, path, replace));
              }
              if (head == kPurchasesHeader) return reply(asker, import_purchases(content, path));
              reply(asker, failure("bad-csv", path + ": line 1: the header has to be " +
                                                  std::string(kInventoryHeader) + " or " +
                                                  std::string(kPurchasesHeader)));
          });
}

Answer Desk::import_inventory(std::string_view content, const std::string& path, bool replace) {
    const auto& business = context_.state.business;
    size_t fresh = 0;
    const auto products = parse_inventory_csv(content, [&](const Product& product) {
        if (business.find_product(product.id) == nullptr) {
            ++fresh;
        } else if (!replace) {
            return Result<void>(Error{"product-exists", "there is a product " + product.id +
                                                            " already; `import <file> --replace` "
                                                            "takes it from the file"});
        }
        if (!business.is_reserved(product.id)) return Result<void>();
        return Result<void>(Error{"busy", "purchases of " + product.id +
                                              " are pending; try again when they have settled"});
    });
    if (!products) return failure(products.error().code, path + ": " + products.error().message);
    if (business.products().size() + fresh > limits::kMaxProducts) {
        return failure("limit", "the shop cannot hold so many products; nothing was changed");
    }
    // All records of one turn are one frame of the journal: all or none.
    State::Record record;
    for (const Product& product : products.value()) {
        to_record(product, record.mutable_products()->add_products());
        if (record.products().products_size() < kInRecord) continue;
        context_.commit(record);
        record.Clear();
    }
    if (record.has_products()) context_.commit(record);
    const size_t count = products.value().size();
    return success("import products " + std::to_string(count) + " new " + std::to_string(fresh))
        .fact("products", uint64_t(count))
        .fact("new", uint64_t(fresh));
}

Answer Desk::import_purchases(std::string_view content, const std::string& path) {
    const auto& business = context_.state.business;
    const auto purchases = parse_purchases_csv(content, [&](const PurchaseRow& row) {
        const auto refuse = [](std::string why) {
            return Result<void>(Error{"bad-csv", std::move(why)});
        };
        if (business.find_product(row.product) == nullptr) {
            return refuse("there is no product " + quote(row.product) +
                          ": import the inventory first");
        }
        if (!is_valid_name(row.customer)) {
            return refuse(quote(row.customer) + " is not the name of a customer");
        }
        if (row.state == "pending") {
            return refuse("a pending purchase cannot come from another system");
        }
        return row.at_us < 0 ? refuse("a date before 1970") : Result<void>();
    });
    if (!purchases) {
        return failure(purchases.error().code, path + ": " + purchases.error().message);
    }
    const uint64_t file = hash_of(content);
    if (business.was_imported(file)) {
        return failure(
            "imported-already",
            path + ": this bank has the purchases of this file already; nothing was changed");
    }
    size_t bytes = 0;
    for (const PurchaseRow& row : purchases.value()) {
        bytes += bytes_of(row, *business.find_product(row.product));
    }
    if (bytes > kMaxImportedBytes) {
        return failure("limit", path +
                                    ": the purchases with the names and categories of their "
                                    "products are too large for one import: take them from "
                                    "several files; nothing was changed");
    }
    State::Record record;
    uint64_t order = business.next_order();
    for (const PurchaseRow& row : purchases.value()) {
        const Product& product = *business.find_product(row.product);
        auto* out = record.mutable_past_purchases()->add_purchases();
        out->set_account(row.customer);
        out->set_product(product.id);
        out->set_name(product.name);
        for (const std::string& category : product.categories) out->add_categories(category);
        out->set_quantity(row.quantity);
        out->set_amount(row.amount.cents());
        out->set_at_ms(static_cast<uint64_t>(row.at_us / 1'000));
        out->set_settled(row.state == "settled");
        out->set_order(order++);
        if (record.past_purchases().purchases_size() < kInRecord) continue;
        context_.commit(record);
        record.Clear();
    }
    record.mutable_past_purchases()->set_file(file);
    context_.commit(record);
    const size_t count = purchases.value().size();
    return success("import purchases " + std::to_string(count)).fact("purchases", uint64_t(count));
}

void Desk::export_files(const Asker& asker, const Words& words, bool as_text) {
    if (words.size() != 2) return reply(asker, usage(asker, words[0]));
    std::vector<Product> products;
    for (const auto& [id, product] : context_.state.business.products()) {
        products.push_back(product);
    }
    std::string inventory = as_text ? inventory_txt(products) : inventory_csv(products);
    start(as_text ? purchases_txt_query() : purchases_csv_query(),
          [this, asker, as_text, folder = words[1], count = products.size(),
           inventory = std::move(inventory)](JobResult& result) mutable {
              if (!result.outcome) return reply(asker, failure(result.outcome.error()));
              const std::string ending = as_text ? ".txt" : ".csv";
              const uint64_t file = hash_of(result.text);
              if (!as_text && !context_.state.business.was_imported(file)) {
                  // What this bank has told it must not take for news.
                  State::Record record;
                  record.mutable_past_purchases()->set_file(file);
                  context_.commit(record);
              }
              WriteFiles files{folder,
                               {{"inventory" + ending, std::move(inventory)},
                                {"purchases" + ending, std::move(result.text)}}};
              start(std::move(files), [this, asker, as_text, folder, count](JobResult& written) {
                  if (!written.outcome) return reply(asker, failure(written.outcome.error()));
                  const std::string verb = as_text ? "save " : "export ";
                  reply(asker, success(verb + folder + " products " + std::to_string(count))
                                   .fact("folder", folder)
                                   .fact("products", uint64_t(count)));
              });
          });
}

}  // namespace p2pbank::bank
