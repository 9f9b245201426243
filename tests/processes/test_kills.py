"""kill -9 at any moment: what was answered stays, nothing happens twice, the books balance.

Moments are random. A failure prints its seed; P2PBANK_TEST_SEED=N plays the same choices again (the
programs' own timing is theirs).
"""

import os
import random
import time
import unittest

from harness import World
from programs import SLOWNESS, Failed

SLOW = True
CALM_DEADLINE_S = 60 * SLOWNESS


def seeded(test):
    """Gives the test a random generator; a failure names its seed."""

    def run(self):
        seed = int(os.environ.get("P2PBANK_TEST_SEED", 0)) or random.SystemRandom().randrange(
            1, 10**6
        )
        try:
            test(self, random.Random(seed))
        except AssertionError as error:
            raise Failed(f"with P2PBANK_TEST_SEED={seed}: {error}") from error

    run.__name__ = test.__name__
    return run


def until(condition, what):
    """Waits until condition() gives something true and returns it."""
    deadline = time.monotonic() + CALM_DEADLINE_S
    while True:
        value, shown = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"{what}: still {shown}")
        time.sleep(0.05)


def cents(text):
    units, _, rest = text.partition(".")
    return int(units) * 100 + int((rest + "00")[:2])


def settle(world, names, total):
    """Once all are back: all money arrives, then checkpoints bring it all into the cut."""
    customers = [world.customers[name] for name in names]

    def all_there():
        balances = [customer.balance() for customer in customers]
        return sum(map(cents, balances)) == total * 100, balances

    until(all_there, f"the balances should add up to {total}")

    def in_the_cut():
        answers = [customer.cmd("checkpoint") for customer in customers]
        numbers = world.bank.audit()
        done = all(a.ok for a in answers) and numbers["in-transit"] == "0"
        return done, (numbers, [str(answer) for answer in answers])

    until(in_the_cut, "a checkpoint of all should succeed with nothing in transit")
    world.audit_adds_up(balances=str(total), in_transit="0", expected=str(total))
    rows = world.rows()
    for customer in customers:
        if rows[customer.name]["balance"] != customer.balance():
            customer.fail(f"the CSV says {rows[customer.name]['balance']}")


class JournalMode(unittest.TestCase):
    @seeded
    def test_acknowledged_deposits_survive(self, chance):
        with World() as world:
            alice = world.customer("alice", opening="0")
            low = 0
            for _ in range(5):
                before = int(alice.balance())
                tickets = alice.type(*["deposit 1"] * 200)
                alice.wait_until(
                    lambda: alice.has_answer(tickets[chance.randrange(150)]), "some answers"
                )
                alice.kill()
                answered = sum(alice.has_answer(ticket) for ticket in tickets)
                alice = world.resume("alice")
                balance = int(alice.balance())
                self.assertGreaterEqual(balance, before + answered, "an answered deposit is gone")
                self.assertLessEqual(balance, before + len(tickets), "a deposit was applied twice")
                low = balance
            self.assertGreater(low, 0)

    @seeded
    def test_the_sender_is_killed_in_the_middle_of_transfers(self, chance):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", opening="10000")
            for _ in range(4):
                tickets = alice.type(*["transfer 1 bob"] * 300)
                alice.wait_until(
                    lambda: alice.has_answer(tickets[chance.randrange(250)]), "some answers"
                )
                alice.kill()
                answered = sum(alice.has_answer(ticket) for ticket in tickets)
                before = int(bob.balance())
                self.assertGreaterEqual(before, 10000 + answered)
                alice = world.resume("alice")
                until(
                    lambda: (
                        int(alice.balance()) + int(bob.balance()) == 20000,
                        (alice.balance(), bob.balance()),
                    ),
                    "the two should have 20000 together",
                )
                settle(world, ["alice", "bob"], 20000)
                bob.ok(f"transfer {int(bob.balance()) - 10000} alice")

    @seeded
    def test_the_receiver_is_killed_in_the_middle_of_transfers(self, chance):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", opening="10000")
            for _ in range(4):
                tickets = alice.type(*["transfer 1 bob"] * 300)
                alice.wait_until(
                    lambda: alice.has_answer(tickets[chance.randrange(250)]), "some answers"
                )
                bob.kill()
                bob = world.resume("bob")
                for ticket in tickets:
                    self.assertIn(alice.answer(ticket).outcome, ("SUCCESS", "UNKNOWN"))
                settle(world, ["alice", "bob"], 20000)

    def test_it_comes_back_as_it_was_with_its_labels_and_history(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            alice.ok("lost-transfer 5 bob")
            alice.ok("deposit 3")
            alice.kill()
            alice = world.resume("alice")
            alice.wait_log(r"(?i)resum")
            alice.expect("SUCCESS balance 88", "balance")
            alice.expect("SUCCESS transfer 1 to bob label 3 balance 87", "transfer 1 bob")
            bob.expect("SUCCESS balance 111", "balance")
            alice.ok("checkpoint")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="198", in_transit="5", expected="203")

    def test_the_peers_need_not_roll_back(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            bob.ok("deposit 7")
            alice.kill()
            alice = world.resume("alice")
            alice.expect("SUCCESS transfer 1 to bob label 2 balance 89", "transfer 1 bob")
            bob.expect("SUCCESS balance 118", "balance")


class CheckpointMode(unittest.TestCase):
    def test_the_killed_one_and_who_received_from_it_stand_at_the_last_checkpoint(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol", stable="checkpoint")
            alice.ok("transfer 10 bob")
            bob.ok("checkpoint")
            alice.ok("transfer 20 bob")
            bob.ok("transfer 5 carol")
            alice.kill()
            alice = world.resume("alice")
            alice.becomes("SUCCESS balance 90", "balance")
            bob.becomes("SUCCESS balance 110", "balance")
            carol.becomes("SUCCESS balance 100", "balance")
            alice.ok("transfer 1 bob")
            bob.becomes("SUCCESS balance 111", "balance")
            settle(world, ["alice", "bob", "carol"], 300)

    def test_a_killed_receiver_gets_its_money_again(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable="checkpoint")
            alice.ok("transfer 10 bob")
            bob.kill()
            bob = world.resume("bob")
            bob.becomes("SUCCESS balance 110", "balance")
            alice.expect("SUCCESS balance 90", "balance")
            settle(world, ["alice", "bob"], 200)

    def test_two_killed_at_once_do_not_block_each_other(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol", stable="checkpoint")
            alice.ok("transfer 10 bob")
            bob.ok("transfer 20 alice")
            carol.ok("transfer 5 alice")
            alice.kill()
            bob.kill()
            world.resume("alice")
            world.resume("bob")
            settle(world, ["alice", "bob", "carol"], 300)

    @seeded
    def test_killed_in_the_middle_of_transfers(self, chance):
        with World() as world:
            names = ["alice", "bob"]
            world.cohort(*names, opening="10000", stable="checkpoint")
            for _ in range(4):
                alice, bob = (world.customers[name] for name in names)
                tickets = alice.type(*["transfer 1 bob"] * 300)
                alice.wait_until(
                    lambda: alice.has_answer(tickets[chance.randrange(250)]), "some answers"
                )
                victim = chance.choice(names)
                world.customers[victim].kill()
                world.resume(victim)
                settle(world, names, 20000)


class BothModes(unittest.TestCase):
    def test_the_mode_can_be_changed_at_the_next_start(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            for mode in ("checkpoint", "journal", "checkpoint"):
                alice.end()
                alice = world.customer(
                    "alice", ports=world.customers["alice"].ports, resume=True, stable=mode
                )
                settle(world, ["alice", "bob"], 200)
                alice.ok("transfer 1 bob")
            settle(world, ["alice", "bob"], 200)


class Bank(unittest.TestCase):
    @seeded
    def test_answered_accounts_survive(self, chance):
        with World() as world:
            bank, kept = world.bank, 0
            for turn in range(3):
                lines = [
                    f"open c{turn}-{n} {n} 127.0.0.1 {10000 + 400 * turn + 2 * n} "
                    f"{10001 + 400 * turn + 2 * n}"
                    for n in range(200)
                ]
                tickets = bank.type(*lines)
                bank.wait_until(
                    lambda: bank.has_answer(tickets[chance.randrange(150)]), "some answers"
                )
                bank.kill()
                kept += sum(bank.has_answer(ticket) for ticket in tickets)
                bank = world.restart_bank()
                count = int(bank.ok("customers").text.split()[1])
                self.assertGreaterEqual(count, kept)
                self.assertLessEqual(count, 200 * (turn + 1))
                kept = count
                self.assertEqual(len(world.rows()), count)
                world.audit_adds_up()

    @seeded
    def test_killed_around_checkpoints(self, chance):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            for turn in range(6):
                alice.ok("transfer 1 bob")
                ticket = bob.type("checkpoint")
                time.sleep(chance.choice([0, 0.001, 0.002, 0.005, 0.01, 0.02]))
                world.bank.kill()
                at_the_kill = world.rows()
                world.restart_bank()
                answer = bob.answer(ticket)
                if answer.ok:
                    self.assertEqual(world.rows()["bob"]["balance"], str(101 + turn))
                # The CSV on disk was a whole cut, whichever.
                both = [at_the_kill[name]["balance"] for name in ("alice", "bob")]
                self.assertIn(sum(map(int, both)), (200, 199 - turn + 101 + turn))
                world.audit_adds_up(expected="200")
                settle(world, ["alice", "bob"], 200)

    @seeded
    def test_killed_around_rollbacks(self, chance):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            for turn in range(6):
                alice.ok("transfer 1 bob")
                ticket = alice.type("rollback")
                time.sleep(chance.choice([0, 0.001, 0.002, 0.005, 0.01]))
                world.bank.kill()
                world.restart_bank()
                answer = alice.answer(ticket)
                self.assertIn(answer.outcome, ("SUCCESS", "FAILURE", "UNKNOWN"))
                settle(world, ["alice", "bob"], 200)

    @seeded
    def test_killed_while_a_cohort_begins_or_ends(self, chance):
        with World() as world:
            alice = world.customer("alice", opening="100")
            bob = world.customer("bob", opening="100")
            for turn in range(4):
                for line in ("new-cohort alice 2", "delete-cohort alice"):
                    ticket = alice.type(line)
                    time.sleep(chance.choice([0, 0.001, 0.003, 0.01]))
                    world.bank.kill()
                    world.restart_bank()
                    self.assertIn(alice.answer(ticket).outcome, ("SUCCESS", "FAILURE", "UNKNOWN"))

                    def done():
                        answer = alice.cmd(line)
                        wanted = "in-cohort" if line.startswith("new") else "not-in-cohort"
                        return answer.ok or answer.code == wanted, str(answer)

                    until(done, f"{line!r} should get done")
                    cohorts = {row["cohort"] for row in world.rows().values()}
                    self.assertEqual(len(cohorts), 1, "both are in it or none is")
            self.assertEqual(cohorts, {""})
            world.audit_adds_up(balances="200", expected="200")
            bob.becomes("SUCCESS balance 100", "balance")

    def test_cohorts_and_what_is_in_transit_are_found_again(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("lost-transfer 10 bob")
            alice.ok("checkpoint")
            rows = world.rows()
            world.bank.kill()
            world.restart_bank()
            world.audit_adds_up(balances="190", in_transit="10", expected="200")
            self.assertEqual(world.rows(), rows)
            alice.ok("rollback")
            bob.becomes("SUCCESS balance 110", "balance")


class Everything(unittest.TestCase):
    """Customers and the bank are killed at random while all transfer, checkpoint and roll back."""

    NAMES = ["alice", "bob", "carol", "dave"]

    def storm(self, chance, stable):
        with World() as world:
            world.cohort(*self.NAMES, opening="1000", stable=stable)
            for _ in range(6):
                for name in self.NAMES:
                    peers = [other for other in self.NAMES if other != name]
                    lines = [
                        f"transfer {chance.randrange(1, 4)} {chance.choice(peers)}"
                        for _ in range(150)
                    ]
                    for line, how_likely in (("checkpoint", 0.6), ("rollback", 0.3)):
                        if chance.random() < how_likely:
                            lines.insert(chance.randrange(len(lines)), line)
                    world.customers[name].type(*lines)
                victims = chance.sample([*self.NAMES, "bank"], chance.randrange(1, 4))
                for victim in victims:
                    time.sleep(chance.choice([0, 0.002, 0.005, 0.01, 0.03]))
                    (world.bank if victim == "bank" else world.customers[victim]).kill()
                for victim in victims:
                    time.sleep(chance.choice([0, 0.005, 0.02, 0.2]))
                    world.restart_bank() if victim == "bank" else world.resume(victim)
                settle(world, self.NAMES, 4000)

    @seeded
    def test_in_journal_mode(self, chance):
        self.storm(chance, "journal")

    @seeded
    def test_in_checkpoint_mode(self, chance):
        self.storm(chance, "checkpoint")

    @seeded
    def test_with_both_modes_in_one_cohort(self, chance):
        self.storm(chance, ["journal", "checkpoint", "journal", "checkpoint"])


if __name__ == "__main__":
    unittest.main()
