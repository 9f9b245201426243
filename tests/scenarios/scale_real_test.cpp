// The model of simulator/scale against the real bank and the real customers.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "customer/timing.h"
#include "simulator/scale/closed_forms.h"
#include "simulator/scale/dependencies.h"
#include "simulator/scale/koo_toueg.h"
#include "simulator/scale/real.h"

using namespace p2pbank;
using namespace p2pbank::simulator::scale;

namespace {

struct Pair {
    Cost real;
    Cost model;
    uint64_t edges;
};

struct Both {
    Pair checkpoint;
    Pair rollback;
    uint64_t announcements = 0;
};

Both run(Pattern pattern, size_t customers, uint32_t initiator, RealCohort::Wire wire,
         RealCohort::Strangers strangers = RealCohort::Strangers::cut_off) {
    constexpr uint64_t kSeed = 11;
    const auto transfers = make_transfers(pattern, customers, customers * 4, kSeed);
    const auto before = std::span(transfers).first(customers * 2);
    const auto after = std::span(transfers).subspan(customers * 2);
    RealCohort cohort(customers, kSeed, wire);
    Dependencies dependencies(customers);
    const auto both = [&](OperationType type, RealCohort::Strangers who) {
        Pair pair;
        pair.real = cohort.measure(type, initiator, who);
        pair.model = model_operation(dependencies, type, initiator, kSeed);
        pair.edges = dependencies.edges(type, pair.model.participants);
        return pair;
    };
    Both out;
    cohort.transfer(before);
    dependencies.transfer(before);
    out.checkpoint = both(OperationType::checkpoint, RealCohort::Strangers::cut_off);
    dependencies.make_permanent(out.checkpoint.model.participants);
    cohort.transfer(after);
    dependencies.transfer(after);
    out.rollback = both(OperationType::rollback, strangers);
    if (strangers == RealCohort::Strangers::introduced) {
        out.announcements = cohort.count_announcements();
    }
    return out;
}

// Who takes part and what is said is the same. Times are drawn by each for itself.
void check_same(const Pair& pair, OperationType type) {
    const Cost& real = pair.real;
    const Cost& model = pair.model;
    CHECK(real.committed);
    CHECK(model.committed);
    CHECK(real.participants == model.participants);
    CHECK(real.messages == model.messages);
    CHECK(real.messages == operation_messages(type, real.participants.size(), pair.edges));
    // Nothing is sent again before the first of these has waited for its answer.
    if (real.duration < customer::timing::kRetryFirst * 3 / 4) CHECK(real.repeated == 0);
    for (const auto& [one, other] : {std::pair(real.duration, model.duration),
                                     std::pair(real.average_blocked(), model.average_blocked()),
                                     std::pair(real.longest_blocked, model.longest_blocked)}) {
        CHECK(one < 3 * other);
        CHECK(other < 3 * one);
    }
}

void check_same(const Both& both) {
    check_same(both.checkpoint, OperationType::checkpoint);
    check_same(both.rollback, OperationType::rollback);
}

}  // namespace

TEST_CASE("scale: the model is the real thing, with 10 customers") {
    for (const Pattern pattern : kPatterns) {
        for (const uint32_t initiator : {0U, 1U}) {
            const Both both = run(pattern, 10, initiator, RealCohort::Wire::sealed);
            INFO(std::string(to_string(pattern)));
            check_same(both);
            for (const Pair* pair : {&both.checkpoint, &both.rollback}) {
                CHECK(static_cast<double>(total(pair->model.bytes)) ==
                      doctest::Approx(static_cast<double>(total(pair->real.bytes))).epsilon(0.05));
            }
        }
    }
}

TEST_CASE("scale: the model is the real thing, with 100 customers") {
    for (const Pattern pattern : kPatterns) {
        INFO(std::string(to_string(pattern)));
        const Both both = run(pattern, 100, 0, RealCohort::Wire::clear);
        check_same(both);
    }
}

// Time for those below is taken from each level's own, and used up by 200 levels once.
TEST_CASE("scale: a chain of requests through 240 customers ends well") {
    constexpr size_t kCustomers = 240;
    RealCohort cohort(kCustomers, 11, RealCohort::Wire::clear);
    cohort.transfer(make_transfers(Pattern::ring, kCustomers, kCustomers, 11));
    const Cost cost = cohort.measure(OperationType::checkpoint, 0, RealCohort::Strangers::cut_off);
    CHECK(cost.committed);
    CHECK(cost.participants.size() == kCustomers);
}

TEST_CASE("scale: whoever rolls back announces its epoch to all others") {
    const Both both =
        run(Pattern::random, 10, 0, RealCohort::Wire::sealed, RealCohort::Strangers::introduced);
    CHECK(both.rollback.real.messages == both.rollback.model.messages);
    CHECK(both.rollback.real.participants.size() > 1);
    CHECK(both.announcements == announcements(both.rollback.real.participants.size(), 10));
    // Meeting somebody is no reason to say to others again what they have.
    CHECK(both.rollback.real.repeated == 0);
}
