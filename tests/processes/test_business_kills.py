"""Many buyers at once, and kill -9 of customers and bank while they deal: stock, money, tokens and
history stay whole, what was answered is there, and nothing is there twice."""

import re
import sqlite3
import time
import unittest

from harness import World
from test_kills import cents, seeded, until

SLOW = True


def shop(world, quantity):
    world.bank.ok(f'add-product lamp "Desk lamp" 10 {quantity} home')


def stock(world):
    return int(world.bank.ok("products").lines[1].split()[-2])


def purchases(world):
    """All purchases of the shop as (customer, quantity, state), newest first, page by page."""
    found, before = {}, None
    while True:
        line = "purchases --product lamp" + (f" --before {before}" if before else "")
        rows = [
            match.groups()
            for match in (
                re.match(r" *(\d+)  \S+ \S+  (\S+) +lamp +(\d+) +\S+  (\w+)", text)
                for text in world.bank.ok(line).lines
            )
            if match
        ]
        fresh = {int(order): (name, int(count), state) for order, name, count, state in rows}
        if not set(fresh) - set(found):
            return found
        found.update(fresh)
        before = min(fresh)


def bought(customer):
    """How many lamps a customer's own statement says it has bought and not rolled back."""
    text = "\n".join(customer.ok("statement --last 1000").lines)
    rows = re.findall(
        r"bought lamp for (\d+) \(order \d+\) .*? (settled|pending|rolled back)", text
    )
    return sum(int(amount) // 10 for amount, state in rows if state != "rolled back")


def check_books(world, names, pieces, opening):
    """At rest: every piece and every cent is accounted for."""

    def quiet():
        states = [state for _, _, state in purchases(world).values()]
        return "pending" not in states, states

    customers = [world.customers[name] for name in names]

    def all_settle():
        answers = [customer.cmd("checkpoint") for customer in customers]
        return all(answer.ok for answer in answers), [str(answer) for answer in answers]

    until(all_settle, "a checkpoint of all should succeed")
    until(quiet, "all purchases should have ended")
    sold = {name: 0 for name in names}
    for name, count, state in purchases(world).values():
        sold[name] += count if state == "settled" else 0
    if stock(world) + sum(sold.values()) != pieces:
        world.bank.fail(f"{pieces} pieces came in; stock {stock(world)}, sold {sold}")
    for customer in customers:
        if bought(customer) != sold[customer.name]:
            customer.fail(f"it has bought {bought(customer)}, the bank says {sold}")
        spent = opening * 100 - cents(customer.balance())
        if spent != 1000 * sold[customer.name]:
            customer.fail(f"{spent} cents are gone for {sold[customer.name]} pieces")
    world.audit_adds_up(bank=str(10 * sum(sold.values())), expected=str(opening * len(names)))
    return sold


class ManyBuyers(unittest.TestCase):
    def test_a_hundred_purchases_at_once_of_ten_pieces(self):
        with World() as world:
            shop(world, 10)
            names = [f"buyer{n}" for n in range(20)]
            buyers = [world.customer(name, opening="100") for name in names]
            tickets = [buyer.type(*["buy lamp 1"] * 5) for buyer in buyers]
            answers = [
                buyer.answer(ticket)
                for buyer, typed in zip(buyers, tickets)
                for ticket in typed
            ]  # fmt: skip
            self.assertEqual(sum(answer.ok for answer in answers), 10)
            refused = {answer.code for answer in answers if not answer.ok}
            self.assertEqual(refused, {"out-of-stock"})
            self.assertEqual(stock(world), 0)
            sold = check_books(world, names, 10, 100)
            self.assertEqual(sum(sold.values()), 10)

    def test_in_a_cohort_what_one_rolls_back_another_can_buy(self):
        with World() as world:
            shop(world, 10)
            alice, bob = world.cohort("alice", "bob", opening="1000")
            alice.ok("buy lamp 10")
            bob.refuses("out-of-stock", "buy lamp 1")
            alice.ok("rollback")
            bob.ok("buy lamp 10")
            alice.refuses("out-of-stock", "buy lamp 1")
            sold = check_books(world, ["alice", "bob"], 10, 1000)
            self.assertEqual(sold, {"alice": 0, "bob": 10})


class Kills(unittest.TestCase):
    def storm(self, chance, in_cohort, stable, victims):
        with World() as world:
            shop(world, 5000)
            names = ["alice", "bob"]
            if in_cohort:
                world.cohort(*names, opening="20000", stable=stable)
            else:
                for name in names:
                    world.customer(name, opening="20000", stable=stable)
            settled = {name: 0 for name in names}
            for _ in range(5):
                typed = {}
                for name in names:
                    lines = ["buy lamp 1"] * 100
                    if in_cohort:
                        lines.insert(chance.randrange(100), "checkpoint")
                        lines.insert(chance.randrange(100), "rollback")
                    typed[name] = world.customers[name], world.customers[name].type(*lines)
                watched, tickets = typed["alice"]
                mark = tickets[chance.randrange(60)]
                watched.wait_until(lambda: watched.has_answer(mark), "some answers")
                killed = chance.sample(victims, chance.randrange(1, len(victims) + 1))
                for victim in killed:
                    time.sleep(chance.choice([0, 0.001, 0.003, 0.01]))
                    (world.bank if victim == "bank" else world.customers[victim]).kill()
                for victim in killed:
                    world.restart_bank() if victim == "bank" else world.resume(victim)
                for name, (customer, tickets) in typed.items():
                    for ticket in tickets:
                        if customer.killed and not customer.has_answer(ticket):
                            break
                        answer = customer.answer(ticket)
                        if " settled " in answer.first:
                            settled[name] += 1
                sold = check_books(world, names, 5000, 20000)
                for name in names:
                    if sold[name] < settled[name]:
                        world.customers[name].fail(
                            f"{settled[name]} were answered as settled, {sold[name]} are there"
                        )

    @seeded
    def test_a_customer_is_killed_while_it_buys(self, chance):
        self.storm(chance, False, "journal", ["alice"])

    @seeded
    def test_the_bank_is_killed_while_customers_buy(self, chance):
        self.storm(chance, False, "journal", ["bank"])

    @seeded
    def test_all_are_killed_in_a_cohort(self, chance):
        self.storm(chance, True, "journal", ["alice", "bob", "bank"])

    @seeded
    def test_all_are_killed_in_a_cohort_in_checkpoint_mode(self, chance):
        self.storm(chance, True, "checkpoint", ["alice", "bob", "bank"])

    def test_a_token_that_was_shown_is_there_after_kill_9_of_all(self):
        with World() as world:
            alice = world.customer("alice", opening="1000")
            shown = re.search(r"\d{16}", str(alice.ok("pay Electricity 100"))).group()
            world.bank.kill()
            alice.kill()
            world.restart_bank()
            alice = world.resume("alice")
            alice.expect("SUCCESS balance 900", "balance")
            self.assertIn(shown, "".join("".join(alice.ok("tokens").lines).split()))
            world.audit_adds_up(balances="900", bank="100", expected="1000")

    @seeded
    def test_loans_and_repayments_through_kills(self, chance):
        with World() as world:
            alice = world.customer("alice", opening="10000")
            alice.ok("loan 1000 12")
            for turn in range(6):
                tickets = alice.type(*["repay 1 1"] * 20)
                mark = tickets[chance.randrange(15)]
                alice.wait_until(lambda: alice.has_answer(mark), "some answers")
                for victim in chance.sample(["alice", "bank"], chance.randrange(1, 3)):
                    if victim == "bank":
                        world.bank.kill()
                        world.restart_bank()
                    else:
                        alice.kill()
                        alice = world.resume("alice")
                alice.becomes("SUCCESS checkpoint alice", "checkpoint")
                paid = 1100000 - cents(alice.balance())
                left = alice.ok("loans").lines[1].split()[-2]  # what would end it
                self.assertEqual(cents(left), 101000 - paid)
                world.audit_adds_up(expected="10000")


class Interruptions(unittest.TestCase):
    def test_without_the_bank_nothing_is_bought_and_nothing_changes(self):
        with World() as world:
            shop(world, 10)
            alice, _ = world.cohort("alice", "bob")
            world.bank.kill()
            alice.refuses("bank-unreachable", "buy lamp 1")
            alice.refuses("bank-unreachable", "products")
            alice.expect("SUCCESS balance 100", "balance")
            world.restart_bank()
            alice.ok("buy lamp 1")
            self.assertEqual(stock(world), 9)

    def test_a_bank_that_stands_still_for_a_while_sells_once(self):
        with World() as world:
            shop(world, 10)
            trace = world.folder / "alice.trace"
            alice = world.customer("alice", opening="100", flags=("--trace", trace))
            world.bank.stop()
            before = trace.read_text().count('"sent"')
            ticket = alice.type("buy lamp 1")

            def asked_again():
                count = trace.read_text().count('"sent"') - before
                return count > 3, count

            until(asked_again, "it should ask several times")
            world.bank.cont()
            self.assertIn(alice.answer(ticket).outcome, ("SUCCESS", "UNKNOWN"))
            until(lambda: (alice.balance() == "90", alice.balance()), "one lamp for 10")
            self.assertEqual(check_books(world, ["alice"], 10, 100), {"alice": 1})

    def test_the_end_of_a_cohort_settles_and_by_force_cancels(self):
        with World() as world:
            shop(world, 10)
            alice, bob = world.cohort("alice", "bob")
            alice.ok("buy lamp 1")
            alice.ok("delete-cohort alice")
            self.assertEqual(stock(world), 9)
            alice.ok("new-cohort alice 2")
            alice.ok("buy lamp 2")
            bob.kill()
            world.bank.ok("delete-cohort alice --force")
            alice.becomes("SUCCESS balance 90", "balance")
            world.resume("bob")
            self.assertEqual(check_books(world, ["alice", "bob"], 10, 100), {"alice": 1, "bob": 0})


class TheHistory(unittest.TestCase):
    def busy(self, world):
        shop(world, 100)
        alice = world.customer("alice", opening="1000")
        alice.ok("buy lamp 3")
        alice.ok("pay Electricity 10")
        alice.ok("deposit 1 --note kept")
        alice.ok("checkpoint")
        return alice

    def test_it_is_whole_after_kill_9_at_any_moment(self):
        with World() as world:
            shop(world, 1000)
            alice = world.customer("alice", opening="10000")
            for turn in range(5):
                tickets = alice.type(*["buy lamp 1"] * 30)
                alice.wait_until(lambda: alice.has_answer(tickets[10 + turn]), "some answers")
                world.bank.kill()
                world.restart_bank()
                for ticket in tickets:
                    alice.answer(ticket)
            check_books(world, ["alice"], 1000, 10000)
            database = sqlite3.connect(f"file:{world.data.parent}/bank.db?mode=ro", uri=True)
            self.assertEqual(database.execute("pragma integrity_check").fetchall(), [("ok",)])
            database.close()

    def test_a_missing_one_is_said_and_made_again_from_the_journal(self):
        with World() as world:
            alice = self.busy(world)
            lines = ("purchases", "statement alice", "activity alice", "tokens alice", "report")
            before = [world.bank.ok(line).lines for line in lines]
            world.bank.end()
            for path in world.data.parent.glob("bank.db*"):
                path.unlink()
            bank = world.restart_bank()
            self.assertRegex(bank.log, r"warning: \S+bank\.db was missing: made it anew")
            self.assertEqual([bank.ok(line).lines for line in lines], before)
            alice.ok("buy lamp 1")
            bank.expect("SUCCESS purchases 2", "purchases")

    def test_a_damaged_one_is_said_and_left_alone(self):
        with World() as world:
            self.busy(world)
            world.bank.end()
            database = world.data.parent / "bank.db"
            damaged = b"not a database at all, just text\n" * 400
            database.write_bytes(damaged)
            bank = world.start_bank(port=world.bank.port, wait=False)
            self.assertEqual(bank.wait_end(), 2)
            self.assertIn("bank.db", bank.log)
            self.assertEqual(database.read_bytes(), damaged)
            world.start_bank(port=bank.command[2], flags=("--new-history",))
            aside = [p for p in world.data.parent.iterdir() if p.name != "bank.db"
                     and p.read_bytes() == damaged]  # fmt: skip
            self.assertEqual(len(aside), 1, "the old one is moved aside")
            self.assertEqual(stock(world), 97)
            world.audit_adds_up(bank="40", expected="1001")

    def test_a_journal_that_is_older_than_the_history_is_refused(self):
        with World() as world:
            alice = self.busy(world)
            world.bank.end()
            journal = world.data.parent / "data.csv.journal"
            older = journal.read_bytes()
            world.restart_bank()
            alice.ok("buy lamp 1")
            world.bank.end()
            journal.write_bytes(older)
            bank = world.start_bank(port=world.bank.port, wait=False)
            self.assertEqual(bank.wait_end(), 2)
            self.assertIn("bank.db", bank.log)
            self.assertEqual(journal.read_bytes(), older)

    def test_one_that_is_older_than_the_journal_is_completed_from_it(self):
        with World() as world:
            alice = self.busy(world)
            world.bank.end()
            saved = {p: p.read_bytes() for p in world.data.parent.glob("bank.db*")}
            world.restart_bank()
            alice.ok("buy lamp 1")
            before = world.bank.ok("purchases").lines
            world.bank.end()
            for path in world.data.parent.glob("bank.db*"):
                path.unlink()
            for path, content in saved.items():
                path.write_bytes(content)
                path.chmod(0o600)
            world.restart_bank()
            self.assertEqual(world.bank.ok("purchases").lines, before)


if __name__ == "__main__":
    unittest.main()
