// Products, billers and settings: lists, and what the operator changes. Part of Desk.

#include "bank/business_records.h"
#include "bank/desk.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {

namespace {

std::vector<Answer::Fact> row_of(const Product& product) {
    return {{"id", product.id, false},
            {"name", product.name, false},
            {"price", to_string(product.price), true},
            {"quantity", std::to_string(product.quantity), true},
            {"categories", join(product.categories, ","), false}};
}

}  // namespace

Answer Desk::product_list(const std::string& what, const std::vector<const Product*>& products,
                          bool more) const {
    Answer answer = success(what);
    answer.fact("count", uint64_t(products.size()));
    std::vector<std::vector<std::string>> rows;
    auto& table = answer.tables.emplace_back("products", std::vector<std::vector<Answer::Fact>>());
    for (const Product* product : products) {
        rows.push_back({product->id, product->name, marked(product->price),
                        std::to_string(product->quantity), join(product->categories, ",")});
        table.second.push_back(row_of(*product));
    }
    if (!rows.empty()) {
        answer.lines = aligned({{"id", Align::left},
                                {"name", Align::left},
                                {"price", Align::right},
                                {"quantity", Align::right},
                                {"categories", Align::left}},
                               rows);
    }
    if (more) {
        answer.line("and more: `products --after " + products.back()->id + "`");
        answer.fact("after", products.back()->id);
    }
    return answer;
}

Answer Desk::products(const Words& words) const {
    const auto read = options(words, {"--after"}, {});
    if (!read) return failure(read.error());
    if (!read.value().plain.empty()) return usage_failure(command_table(), "products");
    const auto& all = context_.state.business.products();
    const std::string* after = read.value().find("--after");
    auto at = after == nullptr ? all.begin() : all.upper_bound(*after);
    std::vector<const Product*> page;
    for (; at != all.end() && page.size() < limits::kRowsOnPage; ++at) page.push_back(&at->second);
    return product_list("products " + std::to_string(all.size()), page, at != all.end());
}

Answer Desk::search(const Words& words) const {
    if (words.size() != 2) return usage_failure(command_table(), "search");
    const std::string folded = fold(trim(words[1]));
    if (folded.empty()) return usage_failure(command_table(), "search");
    auto found = context_.state.business.search(folded, limits::kRowsOnPage + 1);
    const bool more = found.size() > limits::kRowsOnPage;
    if (more) found.pop_back();
    Answer answer = product_list(
        "search " + std::to_string(found.size()) + (more ? " or more" : ""), found, false);
    if (more) answer.line("and more: search for a longer part of the category");
    return answer;
}

void Desk::put(const Product& product) {
    State::Record record;
    to_record(product, record.mutable_products()->add_products());
    context_.commit(record);
}

Answer Desk::add_product(const Words& words) {
    if (words.size() != 6) return usage_failure(command_table(), "add-product");
    const auto product = make_product(words[1], words[2], words[3], words[4], words[5]);
    if (!product) return failure(product.error());
    const auto quantity = parse_quantity(words[4]);  // there has to be something to sell
    if (!quantity) return failure(quantity.error());
    if (context_.state.business.find_product(words[1]) != nullptr) {
        return failure("product-exists",
                       "there is a product " + words[1] + " already; `edit-product` changes it");
    }
    if (context_.state.business.products().size() >= limits::kMaxProducts) {
        return failure("limit", "the shop cannot hold more products");
    }
    put(product.value());
    Answer answer =
        success("add-product " + words[1] + " price " + to_string(product.value().price) +
                " quantity " + std::to_string(product.value().quantity));
    answer.facts = row_of(product.value());
    return answer;
}

Answer Desk::edit_product(const Words& words) {
    const auto read = options(words, {"--name", "--price", "--categories"}, {});
    if (!read) return failure(read.error());
    if (read.value().plain.size() != 1 || read.value().values.empty()) {
        return usage_failure(command_table(), "edit-product");
    }
    const std::string& id = read.value().plain[0];
    const Product* known = context_.state.business.find_product(id);
    if (known == nullptr) {
        return failure("unknown-product", "there is no product " + quote(id));
    }
    Product product = *known;
    if (const std::string* name = read.value().find("--name")) {
        const auto checked = check_product_name(*name);
        if (!checked) return failure(checked.error());
        product.name = *name;
    }
    if (const std::string* price = read.value().find("--price")) {
        const auto parsed = parse_price(*price);
        if (!parsed) return failure(parsed.error());
        product.price = parsed.value();
    }
    if (const std::string* categories = read.value().find("--categories")) {
        auto parsed = parse_categories(*categories);
        if (!parsed) return failure(parsed.error());
        product.categories = std::move(parsed).value();
    }
    put(product);
    Answer answer = success("edit-product " + id + " price " + to_string(product.price));
    answer.facts = row_of(product);
    return answer;
}

Answer Desk::remove_product(const Words& words) {
    if (words.size() != 2) return usage_failure(command_table(), "remove-product");
    const auto& business = context_.state.business;
    if (business.find_product(words[1]) == nullptr) {
        return failure("unknown-product", "there is no product " + quote(words[1]));
    }
    if (business.is_reserved(words[1])) {
        return failure("busy", "purchases of " + words[1] +
                                   " are pending: a rollback would give them back; try again "
                                   "when they have settled");
    }
    State::Record record;
    record.mutable_product_removed()->set_id(words[1]);
    context_.commit(record);
    return success("remove-product " + words[1]).fact("id", words[1]);
}

Answer Desk::restock(const Words& words) {
    if (words.size() != 3) return usage_failure(command_table(), "restock");
    const Product* product = context_.state.business.find_product(words[1]);
    if (product == nullptr) {
        return failure("unknown-product", "there is no product " + quote(words[1]));
    }
    const auto more = parse_quantity(words[2]);
    if (!more) return failure(more.error());
    const auto total =
        restocked(product->quantity + context_.state.business.reserved(product->id), more.value());
    if (!total) return failure(total.error());
    State::Record record;
    record.mutable_restocked()->set_id(words[1]);
    record.mutable_restocked()->set_quantity(more.value());
    context_.commit(record);
    Answer answer =
        success("restock " + words[1] + " quantity " + std::to_string(product->quantity));
    return answer.fact("id", words[1]).fact("quantity", product->quantity);
}

Answer Desk::billers(bool services) const {
    std::vector<std::string> names;
    for (const Biller& biller : context_.state.business.billers()) {
        if (biller.service == services) names.push_back(biller.name);
    }
    Answer answer = success((services ? "services " : "bills ") + std::to_string(names.size()));
    answer.fact("count", uint64_t(names.size()));
    std::vector<std::vector<Answer::Fact>> rows;
    for (std::string& name : names) {
        rows.push_back({{"name", name, false}});
        answer.line(std::move(name));
    }
    answer.tables.emplace_back(services ? "services" : "bills", std::move(rows));
    return answer;
}

Answer Desk::set_biller(const Words& words, bool remove) {
    const auto& billers = context_.state.business.billers();
    if (words.size() != (remove ? 2 : 3)) return usage_failure(command_table(), words[0]);
    const Biller* known = find_biller(billers, words[1]);
    if (remove && known == nullptr) {
        return failure("unknown-biller", "there is no biller " + quote(words[1]));
    }
    if (!remove) {
        const auto checked = check_biller_name(words[1]);
        if (!checked) return failure(checked.error());
        if (words[2] != "service" && words[2] != "bill") {
            return usage_failure(command_table(), words[0]);
        }
        if (known != nullptr) {
            return failure("biller-exists", "there is " + known->name + " already");
        }
        // They would be mixed up with the bank's own accounts.
        const std::string key = biller_key(words[1]);
        if (key == "shop" || key == "loans" || key == "unclaimed") {
            return failure("bad-biller", "the bank has an account of its own of that name");
        }
        if (billers.size() >= limits::kMaxBillers) {
            return failure("limit", "the bank cannot hold more billers");
        }
    }
    const std::string name = remove ? known->name : words[1];
    State::Record record;
    record.mutable_biller_set()->set_name(name);
    record.mutable_biller_set()->set_service(!remove && words[2] == "service");
    record.mutable_biller_set()->set_removed(remove);
    context_.commit(record);
    return success(words[0] + " " + name).fact("name", name);
}

Answer Desk::settings() const {
    const Settings& settings = context_.state.business.settings();
    Answer answer = success("settings " + std::to_string(Settings::known().size()));
    std::vector<std::vector<std::string>> rows;
    for (const SettingSpec& spec : Settings::known()) {
        const std::string value = settings.get(spec.name);
        rows.push_back({std::string(spec.name), value, std::string(spec.help)});
        answer.fact(std::string(spec.name), value);
    }
    answer.lines =
        aligned({{"setting", Align::left}, {"value", Align::left}, {"", Align::left}}, rows);
    return answer;
}

Answer Desk::set(const Words& words) {
    if (words.size() != 3) return usage_failure(command_table(), "set");
    const auto value = context_.state.business.settings().check(words[1], words[2]);
    if (!value) return failure(value.error());
    State::Record record;
    record.mutable_setting_set()->set_name(words[1]);
    record.mutable_setting_set()->set_value(value.value());
    context_.commit(record);
    return success("set " + words[1] + " " + value.value())
        .fact("setting", words[1])
        .fact("value", value.value());
}

}  // namespace p2pbank::bank
