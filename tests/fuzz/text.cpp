// Words, texts, dates, amounts: what one function writes another reads.
#include "common/base/text.h"

#include <algorithm>

#include "bank/domain/catalogue.h"
#include "bank/domain/people.h"
#include "bank/domain/settings.h"
#include "common/base/address.h"
#include "common/base/check.h"
#include "common/base/dates.h"
#include "common/base/money.h"
#include "common/base/names.h"
#include "common/base/words.h"
#include "common/core/answer.h"
#include "common/core/command_table.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace p2pbank::fuzz {
namespace {

void words(std::string_view line) {
    split_words(line);
    const auto split = split_quoted(line);
    if (!split) return;
    std::string joined;
    for (const std::string& word : split.value()) {
        joined += (joined.empty() ? "" : " ") + quoted_word(word);
    }
    const auto again = split_quoted(joined);
    P2PBANK_CHECK(again.ok() && again.value() == split.value());
}

void texts(std::string_view any) {
    P2PBANK_CHECK(undefuse(defuse(any)) == any);
    const bool accepted = check_text("the text", any, 200).ok();
    P2PBANK_CHECK(!accepted || (valid_utf8(any) && !any.empty() && any.size() <= 200));
    P2PBANK_CHECK(fold(fold(any)) == fold(any));
    P2PBANK_CHECK(valid_utf8(any) == false || valid_utf8(fold(any)));
    P2PBANK_CHECK(valid_utf8(json_string(any)));
    const std::string padded = pad_right(any, 40);
    P2PBANK_CHECK(display_width(padded) == std::max<size_t>(40, display_width(any)));
    size_t points = 0;
    for (std::string_view rest = any; !rest.empty(); ++points) take_code_point(rest);
    P2PBANK_CHECK(points == count_code_points(any));
    P2PBANK_CHECK(quote(any).size() <= 80);
    aligned({{"a"}, {"b", Align::right}}, {{std::string(any), "1"}, {"2", std::string(trim(any))}});
}

void dates(std::string_view any) {
    if (const auto date = parse_date(any)) {
        P2PBANK_CHECK(to_string(date.value()) == any);
        P2PBANK_CHECK(date_of_day(day_number(date.value())) == date.value());
        P2PBANK_CHECK(add_months(date.value(), 7) > date.value());
    }
    if (const auto at = parse_time(any)) {
        const auto again = parse_time(date_and_time(at.value()));
        P2PBANK_CHECK(again.ok() && again.value() == at.value());
    }
}

void amounts(std::string_view any) {
    for (const Zero zero : {Zero::refused, Zero::allowed}) {
        const auto amount = parse_amount(any, zero);
        if (!amount) continue;
        P2PBANK_CHECK(!amount.value().is_negative());
        const auto again = parse_amount(to_string(amount.value()), zero);
        P2PBANK_CHECK(again.ok() && again.value() == amount.value());
    }
    if (const auto rate = bank::parse_rate(any)) {
        const auto again = bank::parse_rate(bank::rate_text(rate.value()));
        P2PBANK_CHECK(again.ok() && again.value() == rate.value());
    }
    if (const auto address = parse_address(any)) {
        P2PBANK_CHECK(parse_address(to_string(address.value())).ok());
    }
    static_cast<void>(parse_count(any));
    static_cast<void>(check_name(any));
    static_cast<void>(bank::check_email(any));
    static_cast<void>(bank::check_password(any, "ann@example.org"));
}

void answers(std::string_view any) {
    Answer answer = success(std::string(any));
    answer.currency = any.substr(0, 4);
    answer.line(std::string(any)).fact("what", std::string(any));
    P2PBANK_CHECK(valid_utf8(to_json(answer)));
    P2PBANK_CHECK(to_lines(answer).ends_with('\n'));
    to_screen(answer, true);
    static constexpr CommandSpec kTable[] = {{"buy", "buy <product>", "buys", "buy x", "Shop"},
                                             {"close", "close", "closes", "close", "Shop"}};
    unknown_command(kTable, any);
    complete_line(kTable, any);
}

}  // namespace

void text(std::string_view input) {
    Input in(input);
    const size_t kind = in.below(5);
    const std::string_view any = in.rest();
    switch (kind) {
        case 0:
            return words(any);
        case 1:
            return texts(any);
        case 2:
            return dates(any);
        case 3:
            return amounts(any);
        default:
            return answers(any);
    }
}

}  // namespace p2pbank::fuzz
