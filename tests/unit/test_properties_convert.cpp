// Between the schema's messages and the types of the programs, and what is signed of them.
#include <set>

#include <doctest/doctest.h>

#include "common/core/answer_wire.h"
#include "common/core/statement.h"
#include "common/wire/books.h"
#include "common/wire/convert.h"
#include "tests/unit/properties_schema.h"

using namespace p2pbank;
using namespace p2pbank::testing;

namespace {

__extension__ typedef unsigned __int128 Wide;

IntervalSet any_set() {
    IntervalSet set;
    const auto stretches = *rc::gen::container<std::vector<std::pair<uint64_t, uint64_t>>>(
        rc::gen::pair(rc::gen::map(any_number(), [](uint64_t n) { return n % kMaxLabel + 1; }),
                      rc::gen::inRange<uint64_t>(0, 8)));
    for (const auto& [first, more] : stretches) {
        set.add(first, std::min(first + more, kMaxLabel), [](uint64_t, uint64_t) {});
    }
    return set;
}

WireLabels labels_of(const std::vector<uint64_t>& numbers) {
    WireLabels out;
    for (const uint64_t number : numbers) out.Add(number);
    return out;
}

// What the protocol says of a list of transfers, with numbers that cannot overflow.
std::optional<std::vector<Transfer>> model_of(const wire::Transfers& message) {
    const auto count = message.amounts_size();
    const bool gapped = message.gaps_size() != 0;
    if (count < 1 || count > 100 || (gapped && message.gaps_size() != count)) return std::nullopt;
    std::vector<Transfer> out;
    Wide label = message.first_label();
    for (int i = 0; i < count; ++i) {
        const Wide before = label;
        if (gapped) label += message.gaps(i);
        if (!gapped && i > 0) label += 1;
        if (label < 1 || label > kMaxLabel || (i > 0 && label <= before)) return std::nullopt;
        const uint64_t cents = message.amounts(i);
        if (cents < 1 || cents > 100'000'000'000'000'000) return std::nullopt;
        out.push_back(
            {Label(static_cast<uint64_t>(label)), Money::from_cents(static_cast<int64_t>(cents))});
    }
    return out;
}

template <class Message>
Message drawn_as(const std::string& type, std::string* bytes = nullptr) {
    const std::string drawn = encode(Drawing(wire_schema()).message(type));
    Message message;
    RC_ASSERT(message.ParseFromString(drawn));
    if (bytes != nullptr) *bytes = drawn;
    return message;
}

// A signature has 64 bytes; a longer one is not kept.
bool has_long_word(const wire::Statement& statement) {
    return statement.operation().word().size() > 64;
}

}  // namespace

TEST_CASE("properties: a set of labels is written in one way, and in parts") {
    CHECK(holds("sets of labels there and back", {800, 60}, [] {
        const IntervalSet set = any_set();
        WireLabels labels;
        to_wire(set, &labels);
        RC_ASSERT(from_wire(labels) == set);
        RC_ASSERT(static_cast<size_t>(labels.size()) == 2 * set.intervals().size());

        const auto at_once = *rc::gen::inRange<size_t>(1, 6);
        IntervalSet joined;
        for (size_t begin = 0; begin < set.intervals().size(); begin += at_once) {
            WireLabels part;
            part.Add(7);  // what was here before
            to_wire(set, begin, at_once, &part);
            RC_ASSERT(static_cast<size_t>(part.size()) <= 2 * at_once);
            const auto read = from_wire(part);
            RC_ASSERT(read.has_value());
            RC_ASSERT(set.contains_all(*read));
            for (const auto& interval : read->intervals()) {
                joined.add(interval.first, interval.last, [](uint64_t, uint64_t) {});
            }
        }
        RC_ASSERT(joined == set);
    }));
}

TEST_CASE("properties: any numbers are a set of labels as the protocol says it, or none") {
    CHECK(holds("small numbers, against std::set", {1'000, 40}, [] {
        const auto numbers =
            *rc::gen::container<std::vector<uint64_t>>(rc::gen::inRange<uint64_t>(0, 9));
        std::set<uint64_t> model;
        bool good = numbers.size() % 2 == 0;
        uint64_t before = 0;
        for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
            good = good && numbers[i] != 0;
            before += numbers[i];
            for (uint64_t n = 0; n <= numbers[i + 1]; ++n) model.insert(before + n);
            before += numbers[i + 1];
        }
        const auto set = from_wire(labels_of(numbers));
        RC_ASSERT(set.has_value() == good);
        if (!good) return;
        std::set<uint64_t> labels;
        for (const auto& interval : set->intervals()) {
            for (uint64_t n = interval.first; n <= interval.last; ++n) labels.insert(n);
        }
        RC_ASSERT(labels == model);
    }));
    CHECK(holds("numbers of all sizes", {1'000, 30}, [] {
        const auto numbers = *rc::gen::container<std::vector<uint64_t>>(any_number());
        bool good = numbers.size() % 2 == 0;
        Wide before = 0;
        for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
            const Wide last = before + numbers[i] + numbers[i + 1];
            good = good && numbers[i] != 0 && last <= kMaxLabel;
            before = last;
        }
        const auto set = from_wire(labels_of(numbers));
        RC_ASSERT(set.has_value() == good);
        if (!good) return;
        RC_ASSERT(set->highest().value() == static_cast<uint64_t>(before));
        WireLabels again;
        to_wire(*set, &again);
        RC_ASSERT(from_wire(again) == *set);
    }));
}

TEST_CASE("properties: ids, accounts and channels there and back") {
    CHECK(holds("operation ids", {500, 60}, [] {
        const auto id = drawn_as<wire::OperationId>("OperationId");
        wire::OperationId again;
        to_wire(from_wire(id), &again);
        wire::OperationId expected = id;
        if (id.word().size() > 64) expected.clear_word();
        RC_ASSERT(again.SerializeAsString() == expected.SerializeAsString());
    }));
    CHECK(holds("totals", {500, 60}, [] {
        std::string bytes;
        const auto totals = drawn_as<wire::Totals>("Totals", &bytes);
        wire::Totals again;
        to_wire(from_wire(totals), &again);
        RC_ASSERT(again.SerializeAsString() == bytes);
    }));
    CHECK(holds("channels", {500, 60}, [] {
        const Channel channel{Label(*any_number()), Money::from_cents(*any_cents()), any_set(),
                              Money::from_cents(*any_cents())};
        wire::Channel sent;
        to_wire("bob", channel, &sent);
        RC_ASSERT(sent.peer() == "bob");
        RC_ASSERT(from_wire(sent) == channel);

        auto came = drawn_as<wire::Channel>("Channel");
        RC_ASSERT(from_wire(came).has_value() == from_wire(came.received()).has_value());
    }));
}

TEST_CASE("properties: an answer arrives as it was given, up to what a message may hold") {
    CHECK(holds("answers", {500, 40}, [] {
        std::string bytes;
        const auto text = drawn_as<wire::AnswerText>("AnswerText", &bytes);
        wire::AnswerText again;
        to_wire(from_wire(text), &again);
        wire::AnswerText expected = text;  // the programs know three outcomes
        expected.set_outcome(std::min<uint32_t>(text.outcome(), 2));
        RC_ASSERT(again.SerializeAsString() == expected.SerializeAsString());
    }));
}

TEST_CASE("properties: transfers are what the protocol says, or none") {
    CHECK(holds("good ones", {300, 100}, [] {
        wire::Transfers message;
        const auto some = *rc::gen::container<std::vector<std::pair<uint64_t, uint64_t>>>(
            rc::gen::pair(rc::gen::inRange<uint64_t>(1, 5),
                          rc::gen::inRange<uint64_t>(1, 100'000'000'000'000'001)));
        RC_PRE(!some.empty());
        message.set_first_label(*rc::gen::inRange<uint64_t>(0, 1'000));
        std::vector<Transfer> sent;
        uint64_t label = message.first_label();
        for (const auto& [gap, cents] : some) {
            label += gap;
            message.add_gaps(gap);
            message.add_amounts(cents);
            sent.push_back({Label(label), Money::from_cents(static_cast<int64_t>(cents))});
        }
        const auto read = read_transfers(message);
        RC_ASSERT(read.has_value() == (sent.size() <= 100U));
        if (read) RC_ASSERT(*read == sent);
    }));
    size_t refused = 0;
    CHECK(holds("any numbers", {2'000, 20}, [&] {
        wire::Transfers message;
        message.set_first_label(*any_number());
        const auto mostly = rc::gen::oneOf(rc::gen::inRange<uint64_t>(1, 4), any_number());
        const auto amounts = *rc::gen::container<std::vector<uint64_t>>(mostly);
        for (const uint64_t amount : amounts) message.add_amounts(amount);
        const int gaps = *rc::gen::element(0, message.amounts_size(), 1);
        for (int i = 0; i < gaps; ++i) message.add_gaps(*mostly);
        const auto read = read_transfers(message);
        if (!read) ++refused;
        RC_ASSERT(read == model_of(message));
    }));
    CHECK(refused > 0);
}

TEST_CASE("properties: a statement counts in one way of writing it, and with its own signature") {
    const secure::Identity identity(KeyBytes{1});
    const secure::Identity other(KeyBytes{2});
    CHECK(holds("statements", {600, 40}, [&] {
        std::string bytes;
        const auto statement = drawn_as<wire::Statement>("Statement", &bytes);
        wire::SignedStatement word = sign_statement(&identity, statement);
        RC_ASSERT(word.statement() == bytes);
        RC_ASSERT(is_canonical(word) == !has_long_word(statement));
        RC_ASSERT(is_signed_by(word, identity.keys().signing));
        RC_ASSERT(!is_signed_by(word, other.keys().signing));
        RC_ASSERT(known_part(word).SerializeAsString() == word.SerializeAsString());
        const auto read = read_statement(word);
        RC_ASSERT(read.has_value());
        RC_ASSERT(read->SerializeAsString() == bytes);
        if (bytes.empty()) return;

        wire::SignedStatement touched = word;
        const auto bit = *rc::gen::inRange<size_t>(0, bytes.size() * 8);
        std::string& text = *touched.mutable_statement();
        text[bit / 8] = static_cast<char>(text[bit / 8] ^ 1 << bit % 8);
        RC_ASSERT(!is_signed_by(touched, identity.keys().signing));
        RC_ASSERT(statement_digest(touched) != statement_digest(word));
    }));
    CHECK(holds("the same written in another way", {600, 40}, [&] {
        const Drawn drawn = Drawing(wire_schema()).message("Statement", {"name", "totals"});
        std::mt19937_64 shuffle(*rc::gen::arbitrary<uint64_t>());
        std::string written = encode(drawn, &shuffle);
        if (*rc::gen::arbitrary<bool>()) {  // a field that is unknown here
            append_varint(written, uint64_t{500} << 3);
            append_varint(written, *any_number());
        }
        wire::SignedStatement word;
        word.set_statement(written);
        const auto statement = read_statement(word);
        RC_ASSERT(statement.has_value());
        RC_ASSERT(is_canonical(word) == (written == encode(drawn) && !has_long_word(*statement)));
    }));
    CHECK(holds("what is kept of signed transfers", {500, 30}, [] {
        const Drawn drawn = Drawing(wire_schema()).message("SignedTransfers", {"signed"});
        const std::string bytes = encode(drawn);
        std::string more = bytes;
        append_varint(more, uint64_t{500} << 3);
        append_varint(more, 1);
        wire::SignedTransfers came;
        RC_ASSERT(came.ParseFromString(more));
        RC_ASSERT(known_part(came).SerializeAsString() == bytes);
    }));
}

// All of them, not some: two that are the same for a careless digest are seldom drawn together.
TEST_CASE("properties: of all short messages of transfers no two have the same digest") {
    std::vector<std::vector<uint64_t>> lists{{}};
    for (size_t i = 0; lists[i].size() < 2; ++i) {
        for (uint64_t n = 0; n < 3; ++n) {
            lists.push_back(lists[i]);
            lists.back().push_back(n);
        }
    }
    const std::vector<std::string> names{"a", "b", "ab", "ba", "aba"};
    std::set<std::string> digests;
    size_t count = 0;
    const auto add = [&](const ChannelContext& context, const wire::Transfers& transfers) {
        ++count;
        digests.insert(transfers_digest(context, transfers));
        CHECK(digests.size() == count);
    };
    for (const auto& gaps : lists) {
        for (const auto& amounts : lists) {
            for (uint64_t first = 0; first < 3; ++first) {
                wire::Transfers transfers;
                transfers.set_first_label(first);
                for (const uint64_t gap : gaps) transfers.add_gaps(gap);
                for (const uint64_t amount : amounts) transfers.add_amounts(amount);
                for (uint64_t cohort = 0; cohort < 2; ++cohort) {
                    for (uint64_t epoch = 0; epoch < 2; ++epoch) {
                        add({"a", "b", CohortId(cohort), Epoch(epoch)}, transfers);
                    }
                }
            }
        }
    }
    wire::Transfers one;
    one.add_amounts(7);  // none of those above
    for (const std::string& from : names) {
        for (const std::string& to : names) add({from, to, CohortId(1), Epoch(1)}, one);
    }
    CHECK(count == lists.size() * lists.size() * 12 + names.size() * names.size());
}
