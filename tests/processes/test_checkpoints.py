"""Checkpoint and rollback between real programs: who takes part, what CSV and audit show."""

import unittest

from harness import World

MODES = ("journal", "checkpoint")


def in_both_modes(test):
    """Runs a test once for each mode of stable storage."""

    def run(self):
        for mode in MODES:
            with self.subTest(stable=mode):
                test(self, mode)

    run.__name__ = test.__name__
    return run


class Checkpoint(unittest.TestCase):
    @in_both_modes
    def test_only_those_that_sent_to_it_take_part(self, mode):
        with World() as world:
            alice, bob, carol, dave = world.cohort("alice", "bob", "carol", "dave", stable=mode)
            carol.ok("transfer 5 bob")
            carol.ok("transfer 6 bob")
            alice.ok("transfer 20 dave")
            bob.expect(
                "SUCCESS checkpoint bob (received 2 transfers from carol), carol", "checkpoint"
            )
            rows = world.rows()
            self.assertEqual(
                {name: row["balance"] for name, row in rows.items()},
                {"alice": "100", "bob": "111", "carol": "89", "dave": "100"},
            )
            world.audit_adds_up(balances="400", in_transit="0", expected="400")

    @in_both_modes
    def test_it_reaches_those_that_sent_to_a_sender(self, mode):
        with World() as world:
            alice, bob, carol, _ = world.cohort("alice", "bob", "carol", "dave", stable=mode)
            alice.ok("transfer 10 bob")
            bob.ok("transfer 10 carol")
            answer = carol.ok("checkpoint")
            self.assertEqual(
                answer.first,
                "SUCCESS checkpoint carol (received 1 transfer from bob), "
                "alice, bob (received 1 transfer from alice)",
            )
            rows = world.rows()
            self.assertEqual(
                [rows[name]["balance"] for name in ("alice", "bob", "carol", "dave")],
                ["90", "100", "110", "100"],
            )

    @in_both_modes
    def test_a_sender_is_alone_and_its_money_is_in_transit(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            alice.ok("transfer 10 bob")
            alice.expect("SUCCESS checkpoint alice", "checkpoint")
            world.audit_adds_up(balances="190", in_transit="10", expected="200")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="200", in_transit="0", expected="200")

    @in_both_modes
    def test_who_has_sent_before_its_own_checkpoint_only_is_left_out(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            alice.ok("transfer 10 bob")
            alice.expect("SUCCESS checkpoint alice", "checkpoint")
            bob.expect("SUCCESS checkpoint bob", "checkpoint")
            world.audit_adds_up(balances="200", in_transit="0", expected="200")

    @in_both_modes
    def test_the_first_label_counts_not_the_last(self, mode):
        # bob's checkpoint depends on alice's first transfer; later sends do not hide it.
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol", stable=mode)
            alice.ok("transfer 1 bob")
            alice.ok("lost-transfer 1 bob")
            alice.ok("lost-transfer 1 bob")
            bob.expect(
                "SUCCESS checkpoint bob (received 1 transfer from alice), alice", "checkpoint"
            )
            world.audit_adds_up(balances="298", in_transit="2", expected="300")

    @in_both_modes
    def test_transfers_go_on_after_a_checkpoint(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            for number in range(5):
                alice.ok("transfer 1 bob")
                (bob if number % 2 else alice).ok("checkpoint")
            alice.expect("SUCCESS transfer 1 to bob label 6 balance 94", "transfer 1 bob")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="200", in_transit="0", expected="200")

    def test_two_at_once_both_get_an_answer_and_the_books_balance(self):
        with World() as world:
            members = world.cohort("alice", "bob", "carol", "dave")
            for _ in range(3):
                for giver, receiver in zip(members, [*members[1:], members[0]]):
                    giver.ok(f"transfer 1 {receiver.name}")
                tickets = [(member, member.type("checkpoint")) for member in members]
                answers = [member.answer(ticket) for member, ticket in tickets]
                self.assertTrue(any(answer.ok for answer in answers), answers)
                for answer in answers:
                    self.assertIn(answer.code, ("", "busy"), str(answer))
                world.audit_adds_up(expected="400")


class Rollback(unittest.TestCase):
    @in_both_modes
    def test_the_receiver_rolls_back_with_the_sender(self, mode):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol", stable=mode)
            alice.ok("transfer 10 bob")
            alice.expect("SUCCESS rollback alice (sent 1 transfer to bob), bob", "rollback")
            alice.expect("SUCCESS balance 100", "balance")
            bob.becomes("SUCCESS balance 100", "balance")
            carol.expect("SUCCESS balance 100", "balance")

    @in_both_modes
    def test_a_receiver_alone_gets_its_money_again(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            alice.ok("transfer 10 bob")
            bob.ok("deposit 5")
            bob.expect("SUCCESS rollback bob", "rollback")
            bob.becomes("SUCCESS balance 110", "balance")
            alice.expect("SUCCESS balance 90", "balance")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="200", expected="200", in_transit="0")

    @in_both_modes
    def test_deposits_and_withdrawals_since_the_checkpoint_are_undone(self, mode):
        with World() as world:
            alice, _ = world.cohort("alice", "bob", stable=mode)
            alice.ok("deposit 50")
            alice.ok("checkpoint")
            alice.ok("deposit 7")
            alice.ok("withdrawal 20")
            alice.expect("SUCCESS rollback alice", "rollback")
            alice.expect("SUCCESS balance 150", "balance")
            world.audit_adds_up(balances="250", expected="250")

    @in_both_modes
    def test_labels_are_used_again_and_old_datagrams_do_no_harm(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            for _ in range(4):
                alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
                alice.expect("SUCCESS transfer 10 to bob label 2 balance 80", "transfer 10 bob")
                alice.ok("rollback")
                alice.expect("SUCCESS balance 100", "balance")
            alice.expect("SUCCESS transfer 30 to bob label 1 balance 70", "transfer 30 bob")
            bob.becomes("SUCCESS balance 130", "balance")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="200", expected="200", in_transit="0")

    @in_both_modes
    def test_a_lost_transfer_is_in_transit_until_a_rollback_sends_it_again(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            alice.ok("lost-transfer 10 bob")
            alice.expect("SUCCESS checkpoint alice", "checkpoint")
            world.audit_adds_up(balances="190", in_transit="10", expected="200")
            alice.ok("rollback")
            bob.becomes("SUCCESS balance 110", "balance")
            alice.expect("SUCCESS balance 90", "balance")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="200", in_transit="0", expected="200")

    @in_both_modes
    def test_a_rollback_undoes_the_sending_of_a_lost_transfer(self, mode):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=mode)
            alice.ok("lost-transfer 10 bob")
            alice.ok("rollback")
            alice.expect("SUCCESS balance 100", "balance")
            alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
            bob.expect("SUCCESS balance 110", "balance")

    @in_both_modes
    def test_it_stops_at_the_last_checkpoint(self, mode):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol", stable=mode)
            alice.ok("transfer 10 bob")
            bob.ok("checkpoint")
            bob.ok("transfer 50 carol")
            bob.expect("SUCCESS rollback bob (sent 1 transfer to carol), carol", "rollback")
            alice.expect("SUCCESS balance 90", "balance")
            bob.expect("SUCCESS balance 110", "balance")
            carol.becomes("SUCCESS balance 100", "balance")

    def test_modes_mixed_in_one_cohort(self):
        with World() as world:
            alice, bob, carol = world.cohort(
                "alice", "bob", "carol", stable=["journal", "checkpoint", "journal"]
            )
            alice.ok("transfer 10 bob")
            bob.ok("transfer 20 carol")
            carol.ok("checkpoint")
            alice.ok("transfer 10 bob")
            bob.ok("transfer 20 carol")
            alice.ok("rollback")
            bob.becomes("SUCCESS balance 90", "balance")
            carol.becomes("SUCCESS balance 120", "balance")
            alice.becomes("SUCCESS balance 90", "balance")
            world.audit_adds_up(balances="300", in_transit="0", expected="300")

    def test_two_at_once_both_get_an_answer_and_the_books_balance(self):
        with World() as world:
            members = world.cohort("alice", "bob", "carol", "dave")
            for giver, receiver in zip(members, [*members[1:], members[0]]):
                giver.ok(f"transfer 1 {receiver.name}")
            tickets = [(member, member.type("rollback")) for member in members]
            answers = [member.answer(ticket) for member, ticket in tickets]
            self.assertTrue(any(answer.ok for answer in answers), answers)
            for answer in answers:
                self.assertIn(answer.code, ("", "busy"), str(answer))
            for member in members:
                member.becomes("SUCCESS balance 100", "balance")


if __name__ == "__main__":
    unittest.main()
