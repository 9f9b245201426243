"""The commands at the customer's prompt, one by one, and their answers."""

import re
import unittest

from harness import World


class TheAccount(unittest.TestCase):
    def test_open_fills_in_address_and_ports(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            row = world.rows()["alice"]
            self.assertEqual(row["balance"], "100")
            self.assertEqual(row["ip_address"], "127.0.0.1")
            self.assertEqual((int(row["port1"]), int(row["port2"])), alice.ports)
            self.assertEqual((row["cohort"], row["exit_state"]), ("", "active"))

    def test_open_with_all_arguments(self):
        with World() as world:
            alice = world.customer("alice")
            port1, port2 = alice.ports
            alice.expect("SUCCESS open alice balance 0", f"open alice 0 127.0.0.1 {port1} {port2}")
            alice.expect("SUCCESS balance 0", "balance")

    def test_open_with_ports_that_the_program_does_not_have_is_refused(self):
        with World() as world:
            alice = world.customer("alice")
            alice.refuses("ports-differ", "open alice 100 127.0.0.1 9 10")
            self.assertNotIn("alice", world.rows())
            alice.expect("SUCCESS open alice balance 100", "open alice 100")

    def test_a_program_holds_one_account(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.refuses("has-account", "open bob 100")
            self.assertEqual(list(world.rows()), ["alice"])

    def test_a_name_is_taken_once(self):
        with World() as world:
            world.customer("alice", opening="100")
            other = world.customer("other")
            other.refuses("name-taken|state-exists|state-in-use", "open alice 50")
            other.expect("SUCCESS open bob balance 50", "open bob 50")
            self.assertEqual(world.rows()["alice"]["balance"], "100")

    def test_a_name_of_someone_elsewhere_is_taken_too(self):
        with World() as world:
            world.customer("alice", opening="100")
            world.state = world.folder / "another-state"
            other = world.customer("other")
            other.refuses("name-taken", "open alice 50")
            other.expect("SUCCESS open bob balance 50", "open bob 50")

    def test_without_an_account_nothing_can_be_done_with_it(self):
        with World() as world:
            nobody = world.customer("nobody")
            for line in (
                "deposit 1",
                "withdrawal 1",
                "transfer 1 bob",
                "lost-transfer 1 bob",
                "checkpoint",
                "rollback",
                "balance",
                "exit",
            ):
                nobody.refuses("no-account", line)

    def test_deposit_withdrawal_and_balance(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.expect("SUCCESS deposit 50 balance 150", "deposit 50")
            alice.expect("SUCCESS withdrawal 20 balance 130", "withdrawal 20")
            alice.expect("SUCCESS deposit 0.50 balance 130.50", "deposit 0.50")
            alice.expect("SUCCESS withdrawal 0.01 balance 130.49", "withdrawal 0.01")
            alice.expect("SUCCESS balance 130.49", "balance")
            alice.expect("SUCCESS withdrawal 130.49 balance 0", "withdrawal 130.49")

    def test_a_withdrawal_of_more_than_there_is_changes_nothing(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.refuses("overdraft", "withdrawal 100.01")
            alice.expect("SUCCESS balance 100", "balance")

    def test_exit_closes_the_account_and_ends_the_program(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 20")
            ticket = alice.type("exit")
            self.assertEqual(alice.answer(ticket).first, "SUCCESS exit alice balance 120")
            alice.wait_end()
            row = world.rows()["alice"]
            self.assertEqual((row["balance"], row["exit_state"]), ("120", "exited"))

    def test_exit_with_ones_own_name_is_the_same(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            ticket = alice.type("exit alice")
            self.assertEqual(alice.answer(ticket).first, "SUCCESS exit alice balance 100")
            alice.wait_end()
            self.assertEqual(world.rows()["alice"]["exit_state"], "exited")

    def test_exit_of_somebody_else_is_not_allowed(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.refuses("not-allowed", "exit bob")
            carol = world.customer("carol", opening="5")
            alice.refuses("not-allowed", "exit carol")
            self.assertTrue(carol.running and bob.running)
            self.assertEqual(world.rows()["carol"]["exit_state"], "active")

    def test_the_name_of_an_exited_account_is_not_given_again(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.type("exit")
            alice.wait_end()
            world.state = world.folder / "another-state"
            again = world.customer("again")
            again.refuses("name-taken", "open alice 100")

    def test_quit_keeps_the_account(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 20")
            self.assertEqual(alice.answer(alice.type("quit")).first, "SUCCESS quit")
            alice.wait_end()
            self.assertEqual(world.rows()["alice"]["exit_state"], "active")
            alice = world.resume("alice")
            alice.expect("SUCCESS balance 120", "balance")


class Transfers(unittest.TestCase):
    def test_transfer_answers_with_label_and_balance(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
            alice.expect("SUCCESS transfer 0.25 to bob label 2 balance 89.75", "transfer 0.25 bob")
            bob.expect("SUCCESS balance 110.25", "balance")
            bob.expect(
                "SUCCESS transfer 110.25 to alice label 1 balance 0", "transfer 110.25 alice"
            )
            alice.expect("SUCCESS balance 200", "balance")

    def test_labels_count_on_each_channel_alone(self):
        with World() as world:
            alice, _, _ = world.cohort("alice", "bob", "carol")
            alice.expect("SUCCESS transfer 1 to bob label 1 balance 99", "transfer 1 bob")
            alice.expect("SUCCESS transfer 1 to carol label 1 balance 98", "transfer 1 carol")
            alice.expect("SUCCESS transfer 1 to bob label 2 balance 97", "transfer 1 bob")

    def test_what_cannot_be_transferred_changes_nothing(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            world.customer("carol", opening="100")
            alice.refuses("overdraft", "transfer 100.01 bob")
            alice.refuses("self-transfer", "transfer 1 alice")
            alice.refuses("unknown-customer|not-in-your-cohort", "transfer 1 stranger")
            alice.refuses("not-in-your-cohort", "transfer 1 carol")
            alice.refuses("overdraft", "lost-transfer 100.01 bob")
            alice.refuses("self-transfer", "lost-transfer 1 alice")
            alice.refuses("not-in-your-cohort", "lost-transfer 1 carol")
            alice.expect("SUCCESS balance 100", "balance")
            alice.expect("SUCCESS transfer 1 to bob label 1 balance 99", "transfer 1 bob")

    def test_without_a_cohort_there_is_nobody_to_transfer_to(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            world.customer("bob", opening="100")
            alice.refuses("not-in-cohort", "transfer 1 bob")
            alice.refuses("not-in-cohort", "lost-transfer 1 bob")
            alice.expect("SUCCESS balance 100", "balance")

    def test_without_a_cohort_checkpoint_and_rollback_are_ones_own(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 5")
            alice.expect("SUCCESS checkpoint alice", "checkpoint")
            self.assertEqual(world.rows()["alice"]["balance"], "105")
            alice.ok("withdrawal 50")
            alice.expect("SUCCESS rollback alice", "rollback")
            alice.expect("SUCCESS balance 105", "balance")
            world.audit_adds_up(balances="105", expected="105")

    def test_lost_transfer_takes_the_money_and_nobody_gets_it(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.expect(
                "SUCCESS lost-transfer 10 to bob label 1 balance 90", "lost-transfer 10 bob"
            )
            alice.expect("SUCCESS transfer 5 to bob label 2 balance 85", "transfer 5 bob")
            bob.expect("SUCCESS balance 105", "balance")

    def test_a_thousand_transfers_typed_at_once_are_answered_in_order(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", opening="1000")
            tickets = alice.type(*["transfer 1 bob"] * 1000)
            for label, ticket in enumerate(tickets, 1):
                answer = alice.answer(ticket)
                self.assertEqual(
                    answer.first, f"SUCCESS transfer 1 to bob label {label} balance {1000 - label}"
                )
            bob.expect("SUCCESS balance 2000", "balance")


class Looking(unittest.TestCase):
    def test_status_names_the_account_and_where_it_stands(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob")
            answer = alice.expect("SUCCESS status alice", "status")
            text = "\n".join(answer.lines)
            self.assertIn("100", text)
            self.assertRegex(text, r"cohort")

    def test_peers_lists_the_other_members(self):
        with World() as world:
            alice, _, _ = world.cohort("alice", "bob", "carol")
            answer = alice.expect("SUCCESS peers 2", "peers")
            text = "\n".join(answer.lines)
            self.assertIn("bob", text)
            self.assertIn("carol", text)

    def test_history_lists_what_happened_to_the_money(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("deposit 50")
            alice.ok("transfer 10 bob")
            answer = alice.ok("history")
            self.assertRegex(answer.first, r"^SUCCESS history \d+$")
            text = "\n".join(answer.lines)
            self.assertRegex(text, r"deposit.* 50")
            self.assertRegex(text, r"bob")
            self.assertRegex("\n".join(bob.ok("history").lines), r"alice")

    def test_help_names_every_command(self):
        with World() as world:
            alice = world.customer("alice")
            text = "\n".join(alice.expect("SUCCESS help", "help").lines)
            for command in (
                "open exit new-cohort delete-cohort deposit withdrawal transfer lost-transfer "
                "checkpoint rollback balance status peers history help quit"
            ).split():
                self.assertRegex(text, rf"(?m)(^|\s){re.escape(command)}(\s|$)")

    def test_blank_lines_and_blanks_around_words_do_no_harm(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.write("\n   \n\t\n")
            alice.expect("SUCCESS deposit 1 balance 101", "   deposit \t 1  ")
            alice.expect("SUCCESS deposit 1 balance 102", "deposit 1\r")


if __name__ == "__main__":
    unittest.main()
