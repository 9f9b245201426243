#include "bank/records.pb.h"
#include "common/wire/activity.h"
#include "tests/fuzz/bank_nodes.h"
#include "tests/fuzz/node_run.h"

namespace p2pbank::fuzz {
namespace {

using bank_records::Record;

constexpr uint64_t kNowMs = kWallOffset / 1'000;

class Writer {
  public:
    Record& next() {
        record_.Clear();
        record_.set_at_ms(kNowMs);
        return record_;
    }
    void done() { written.push_back(record_.SerializeAsString()); }

    std::vector<std::string> written;

  private:
    Record record_;
};

void totals(int64_t opening, int64_t dealings, wire::Totals* out) {
    out->set_opening(opening);
    out->set_dealings(dealings);
    out->set_balance(opening + dealings);
}

void operation(const char* initiator, uint64_t counter, wire::OperationId* out) {
    out->set_initiator(initiator);
    out->set_epoch(1);
    out->set_counter(counter);
}

void people(Writer& to) {
    for (const char* email : {"ann@example.org", "bob@example.org"}) {
        auto* person = to.next().mutable_person();
        person->set_email(email);
        person->set_name("Ann");
        person->set_password_hash("hash:3-dna-rod4bu0rT");
        person->set_verified(*email == 'a');
        if (*email == 'b') person->set_code("ABCD-EFGH");
        person->set_role(*email == 'a' ? 2 : 0);
        to.done();
    }
}

void accounts(Writer& to) {
    uint32_t port = 9'001;
    for (const char* name : {"alice", "bob", "carol", "dave"}) {
        auto* opened = to.next().mutable_opened();
        opened->set_name(name);
        opened->set_balance(1'000'00);
        opened->set_ip(0x7f000001);
        opened->set_port1(port);
        opened->set_port2(port + 100);
        opened->set_opener(7);
        if (*name == 'c') opened->set_owner("ann@example.org");
        to.done();
        auto* attached = to.next().mutable_attached();
        attached->set_name(name);
        attached->set_ip(0x7f000001);
        attached->set_port1(port);
        attached->set_port2(port + 100);
        attached->set_opener(7);
        attached->set_boots(1);
        attached->set_epoch(1);
        attached->set_proven(true);
        to.done();
        ++port;
    }
}

void cohort(Writer& to) {
    auto* forming = to.next().mutable_cohort_forming();
    forming->set_cohort(1);
    forming->set_cohort_name("cohort-1");
    forming->add_members("alice");
    forming->add_members("bob");
    operation("bank:cohort-1", 1, forming->mutable_operation());
    to.done();
    for (const char* name : {"alice", "bob"}) {
        auto* settled = to.next().mutable_settled();
        operation("bank:cohort-1", 1, settled->mutable_operation());
        settled->set_kind(wire::OPERATION_JOIN);
        settled->set_name(name);
        totals(1'000'00, 0, settled->mutable_totals());
        settled->set_epoch(1);
        auto* line = settled->add_activity();
        line->set_kind(static_cast<uint32_t>(ActivityKind::opened));
        line->set_amount(1'000'00);
        line->set_balance(1'000'00);
        to.done();
    }
    auto* decided = to.next().mutable_decided();
    operation("bank:cohort-1", 1, decided->mutable_operation());
    decided->set_kind(wire::OPERATION_JOIN);
    decided->set_commit(true);
    decided->add_participants("alice");
    decided->add_participants("bob");
    to.done();
    for (const char* name : {"alice", "bob"}) {
        auto* acked = to.next().mutable_acked();
        operation("bank:cohort-1", 1, acked->mutable_operation());
        acked->set_name(name);
        to.done();
    }
}

void deal(Writer& to, const char* account, uint64_t order, wire::DealKind kind, const char* what,
          int64_t amount) {
    auto* dealt = to.next().mutable_dealt();
    dealt->set_account(account);
    dealt->set_epoch(1);
    dealt->set_number(1);
    dealt->set_accepted(true);
    dealt->mutable_reply()->set_number(1);
    dealt->mutable_reply()->set_epoch(1);
    dealt->mutable_reply()->set_accepted(true);
    dealt->mutable_reply()->set_order(order);
    dealt->set_order(order);
    dealt->set_kind(kind);
    dealt->set_what(what);
    dealt->set_quantity(kind == wire::DEAL_PURCHASE ? 2 : 0);
    dealt->set_amount(amount);
    if (kind == wire::DEAL_PAYMENT) dealt->set_token("1234567890123452");
    if (kind == wire::DEAL_LOAN) {
        dealt->set_months(12);
        dealt->set_rate(1'200);
    }
    dealt->set_at_ms(kNowMs);
    to.done();
}

void business(Writer& to) {
    auto* products = to.next().mutable_products();
    for (const char* id : {"lamp-1", "mug"}) {
        auto* product = products->add_products();
        product->set_id(id);
        product->set_name(id);
        product->set_price(25'00);
        product->set_quantity(10);
        product->add_categories("Home");
    }
    to.done();
    deal(to, "alice", 1, wire::DEAL_PURCHASE, "lamp-1", -50'00);
    deal(to, "bob", 2, wire::DEAL_PAYMENT, "Electricity", -30'00);
    deal(to, "carol", 3, wire::DEAL_LOAN, "", 500'00);
    auto* settled = to.next().mutable_settled();
    operation("carol", 1, settled->mutable_operation());
    settled->set_kind(wire::OPERATION_CHECKPOINT);
    settled->set_name("carol");
    totals(1'000'00, 500'00, settled->mutable_totals());
    settled->set_epoch(1);
    to.done();
    auto* decided = to.next().mutable_decided();
    operation("carol", 1, decided->mutable_operation());
    decided->set_kind(wire::OPERATION_CHECKPOINT);
    decided->set_commit(true);
    decided->add_participants("carol");
    to.done();
}

}  // namespace

const std::vector<std::string>& bank_journal() {
    static const std::vector<std::string> journal = [] {
        Writer to;
        to.next().mutable_started()->set_boots(1);
        to.done();
        people(to);
        accounts(to);
        cohort(to);
        business(to);
        return to.written;
    }();
    return journal;
}

}  // namespace p2pbank::fuzz
