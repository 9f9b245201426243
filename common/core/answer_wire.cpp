#include "common/core/answer_wire.h"

#include <algorithm>

#include "common/base/limits.h"

namespace p2pbank {
namespace {

void to_wire(const Answer::Fact& fact, wire::AnswerFact* out) {
    out->set_name(fact.name);
    out->set_value(fact.value);
    out->set_is_number(fact.is_number);
}

Answer::Fact from_wire(const wire::AnswerFact& in) {
    return {in.name(), in.value(), in.is_number()};
}

}  // namespace

void to_wire(const Answer& answer, wire::AnswerText* out) {
    out->set_outcome(static_cast<uint32_t>(answer.outcome));
    out->set_code(answer.code);
    out->set_text(answer.text);
    out->set_currency(answer.currency);
    const size_t lines = std::min(answer.lines.size(), limits::kMaxReplyLines);
    for (size_t i = 0; i < lines; ++i) out->add_lines(answer.lines[i]);
    if (lines < answer.lines.size()) {
        out->add_lines("and " + std::to_string(answer.lines.size() - lines) + " more");
    }
    for (const Answer::Fact& fact : answer.facts) to_wire(fact, out->add_facts());
    for (const auto& [name, rows] : answer.tables) {
        wire::AnswerTable* table = out->add_tables();
        table->set_name(name);
        for (size_t i = 0; i < std::min(rows.size(), limits::kMaxReplyLines); ++i) {
            wire::AnswerRow* row = table->add_rows();
            for (const Answer::Fact& fact : rows[i]) to_wire(fact, row->add_facts());
        }
    }
}

Answer from_wire(const wire::AnswerText& in) {
    Answer answer;
    answer.outcome = in.outcome() == static_cast<uint32_t>(Outcome::success)   ? Outcome::success
                     : in.outcome() == static_cast<uint32_t>(Outcome::failure) ? Outcome::failure
                                                                               : Outcome::unknown;
    answer.code = in.code();
    answer.text = in.text();
    answer.currency = in.currency();
    answer.lines.assign(in.lines().begin(), in.lines().end());
    for (const wire::AnswerFact& fact : in.facts()) answer.facts.push_back(from_wire(fact));
    for (const wire::AnswerTable& table : in.tables()) {
        auto& [name, rows] = answer.tables.emplace_back();
        name = table.name();
        for (const wire::AnswerRow& row : table.rows()) {
            auto& facts = rows.emplace_back();
            for (const wire::AnswerFact& fact : row.facts()) facts.push_back(from_wire(fact));
        }
    }
    return answer;
}

}  // namespace p2pbank
