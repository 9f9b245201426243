#include "tests/fuzz/customer_nodes.h"
#include "tests/fuzz/node_run.h"

namespace p2pbank::fuzz {
namespace {

using customer_records::Record;

class Writer {
  public:
    Record& next() {
        record_.Clear();
        record_.set_at_ms(kWallOffset / 1'000);
        return record_;
    }
    void done() { written.push_back(record_.SerializeAsString()); }

    std::vector<std::string> written;

  private:
    Record record_;
};

void join(Writer& to) {
    wire::OperationId operation;
    operation.set_initiator("bank:cohort-1");
    operation.set_epoch(1);
    operation.set_counter(1);
    auto* tentative = to.next().mutable_tentative();
    *tentative->mutable_operation() = operation;
    tentative->set_kind(wire::OPERATION_JOIN);
    tentative->set_cohort(1);
    tentative->set_cohort_name("cohort-1");
    to.done();
    auto* started = to.next().mutable_cohort_started();
    *started->mutable_operation() = operation;
    started->set_cohort(1);
    started->set_cohort_name("cohort-1");
    uint32_t port = 9'101;
    for (const char* name : {"alice", "bob", "carol", "dave"}) {
        auto* member = started->add_members();
        member->set_name(name);
        member->set_ip(0x7f000001);
        member->set_port2(port++);
        member->set_epoch(1);
    }
    to.done();
}

void transfers(Writer& to) {
    for (uint64_t label = 1; label <= 3; ++label) {
        auto* sent = to.next().mutable_sent();
        sent->set_peer("bob");
        sent->set_label(label);
        sent->set_amount(10'00);
        sent->set_lost(label == 2);
        to.done();
    }
    auto* received = to.next().mutable_received();
    received->set_peer("carol");
    for (const uint64_t label : {1UL, 2UL, 4UL}) {
        received->add_labels(label);
        received->add_amounts(5'00);
    }
    to.done();
}

}  // namespace

std::vector<std::string> customer_journal(bool in_cohort, StableMode mode) {
    Writer to;
    auto* opening = to.next().mutable_opening();
    opening->set_name("alice");
    opening->set_opening(1'000'00);
    opening->set_opener(7);
    opening->set_ip(0x7f000001);
    opening->set_port1(9'001);
    opening->set_port2(9'101);
    to.done();
    auto* opened = to.next().mutable_opened();
    opened->set_name("alice");
    opened->mutable_totals()->set_balance(1'000'00);
    opened->mutable_totals()->set_opening(1'000'00);
    to.done();
    auto* started = to.next().mutable_started();
    started->set_boots(1);
    started->set_epoch(1);
    started->set_mode(mode == StableMode::checkpoint ? customer_records::STABLE_CHECKPOINT
                                                     : customer_records::STABLE_JOURNAL);
    to.done();
    if (in_cohort) join(to);
    if (in_cohort && mode == StableMode::journal) transfers(to);
    return to.written;
}

}  // namespace p2pbank::fuzz
