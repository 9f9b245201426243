"""Cohorts: made of those that answer, ended with everybody's consent or by force."""

import unittest

from harness import World

SLOW = True


class NewCohort(unittest.TestCase):
    def test_it_takes_the_asked_number_of_those_that_are_free(self):
        with World() as world:
            names = ["alice", "bob", "carol", "dave"]
            alice, *others = [world.customer(name, opening="100") for name in names]
            answer = alice.ok("new-cohort alice 3")
            members = answer.text.split(" members ")[1].split(", ")
            self.assertEqual(len(members), 3)
            self.assertIn("alice", members)
            rows = world.rows()
            cohort = rows["alice"]["cohort"]
            self.assertEqual(answer.text.split()[1], cohort)
            for name in names:
                self.assertEqual(rows[name]["cohort"], cohort if name in members else "")

    def test_not_enough_is_a_failure_and_nothing_has_changed(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            world.customer("bob", opening="100")
            world.bank.ok("open nobody 5 127.0.0.1 4001 4002")  # open, but answers nothing
            alice.refuses("too-few", "new-cohort alice 4")
            alice.refuses("too-few", "new-cohort alice 3")
            self.assertEqual({row["cohort"] for row in world.rows().values()}, {""})
            alice.ok("new-cohort alice 2")

    def test_members_of_a_cohort_are_not_taken_into_another(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            carol = world.customer("carol", opening="100")
            carol.refuses("too-few", "new-cohort carol 2")
            alice.refuses("in-cohort", "new-cohort alice 2")
            dave = world.customer("dave", opening="100")
            carol.ok("new-cohort carol 2")
            self.assertNotEqual(world.rows()["alice"]["cohort"], world.rows()["carol"]["cohort"])
            carol.refuses("not-in-your-cohort", "transfer 1 alice")
            carol.ok("transfer 1 dave")
            dave.expect("SUCCESS balance 101", "balance")

    def test_exited_accounts_are_not_taken(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            bob = world.customer("bob", opening="100")
            bob.type("exit")
            bob.wait_end()
            alice.refuses("too-few", "new-cohort alice 2")

    def test_what_was_deposited_before_is_in_the_first_cut(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            world.customer("bob", opening="100")
            alice.ok("deposit 11")
            alice.ok("new-cohort alice 2")
            self.assertEqual(world.rows()["alice"]["balance"], "111")
            world.audit_adds_up(balances="211", expected="211")

    def test_a_cohort_whose_roster_does_not_fit_in_one_datagram(self):
        with World() as world:
            names = [f"customer-with-a-long-name-{number:02}" for number in range(60)]
            members = world.cohort(*names)
            tickets = [
                member.type(*[f"transfer 1 {other}" for other in names if other != member.name])
                for member in members[:3]
            ]
            for member, own in zip(members, tickets):
                for ticket in own:
                    self.assertTrue(member.answer(ticket).ok)
            answer = members[0].ok("checkpoint")
            for name in names[1:3]:
                self.assertIn(f"received 1 transfer from {name}", answer.text)
            # A settlement and an answer with sixty names, and everybody takes part in the last cut.
            members[59].ok(f"delete-cohort {names[59]}")
            world.audit_adds_up(balances="6000", in_transit="0", expected="6000")

    def test_nobody_can_exit_out_of_a_cohort(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob")
            alice.refuses("in-cohort", "exit")
            alice.refuses("in-cohort", "exit alice")
            self.assertTrue(alice.running)
            alice.expect("SUCCESS transfer 1 to bob label 1 balance 99", "transfer 1 bob")


class DeleteCohort(unittest.TestCase):
    def test_the_last_cut_has_everybody_and_lost_money_comes_back(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol")
            name = world.rows()["alice"]["cohort"]
            alice.ok("transfer 10 bob")
            alice.ok("lost-transfer 20 carol")
            bob.ok("deposit 1")
            answer = bob.ok("delete-cohort bob")
            self.assertEqual(
                answer.first, f"SUCCESS delete-cohort {name} members alice, bob, carol"
            )
            rows = world.rows()
            self.assertEqual(
                {n: (row["balance"], row["cohort"]) for n, row in rows.items()},
                {"alice": ("90", ""), "bob": ("111", ""), "carol": ("100", "")},
            )
            alice.becomes("SUCCESS balance 90", "balance")
            world.audit_adds_up(balances="301", in_transit="0", expected="301")
            for member, other in ((alice, bob), (bob, carol), (carol, alice)):
                member.refuses("not-in-cohort", f"transfer 1 {other.name}")

    def test_a_new_cohort_of_the_same_customers_starts_afresh(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            first = world.rows()["alice"]["cohort"]
            alice.ok("delete-cohort alice")
            bob.ok("new-cohort bob 2")
            self.assertNotEqual(world.rows()["alice"]["cohort"], first)
            alice.expect("SUCCESS transfer 5 to bob label 1 balance 85", "transfer 5 bob")
            bob.expect("SUCCESS balance 115", "balance")
            alice.ok("rollback")
            alice.expect("SUCCESS balance 90", "balance")
            world.audit_adds_up(balances="200", expected="200")

    def test_then_one_can_exit(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            alice.ok("delete-cohort alice")
            ticket = bob.type("exit")
            self.assertEqual(bob.answer(ticket).first, "SUCCESS exit bob balance 110")
            bob.wait_end()
            self.assertEqual(world.rows()["bob"]["exit_state"], "exited")

    def test_a_member_that_does_not_answer_is_named_and_nothing_has_changed(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol")
            alice.ok("transfer 10 bob")
            cohort = world.rows()["alice"]["cohort"]
            bob.kill()
            answer = alice.cmd("delete-cohort alice")
            self.assertEqual(answer.outcome, "FAILURE", str(answer))
            self.assertIn("bob", str(answer))
            self.assertNotIn("carol", answer.text)
            self.assertEqual({row["cohort"] for row in world.rows().values()}, {cohort})
            alice.ok("transfer 5 carol")
            bob = world.resume("bob")
            bob.expect("SUCCESS balance 110", "balance")
            alice.ok("delete-cohort alice")
            self.assertEqual(world.rows()["bob"]["balance"], "110")

    def test_force_ends_it_at_the_last_cut_without_the_dead(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol")
            alice.ok("transfer 10 bob")
            bob.ok("checkpoint")
            alice.ok("lost-transfer 20 carol")
            alice.ok("checkpoint")  # the cut: alice 70, 20 in transit to carol
            alice.ok("transfer 5 carol")
            bob.kill()
            world.bank.ok("delete-cohort alice --force")
            rows = world.rows()
            self.assertEqual(
                {n: (row["balance"], row["cohort"]) for n, row in rows.items()},
                {"alice": ("90", ""), "bob": ("110", ""), "carol": ("100", "")},
            )
            world.audit_adds_up(balances="300", in_transit="0", expected="300")
            alice.becomes("SUCCESS balance 90", "balance")
            carol.becomes("SUCCESS balance 100", "balance")
            # The dead one comes back much later and obeys, and until then is not taken again.
            alice.refuses("too-few", "new-cohort alice 3")
            bob = world.resume("bob")
            bob.wait_log("cohort has ended")
            bob.expect("SUCCESS balance 110", "balance")
            bob.refuses("not-in-cohort", "transfer 1 alice")
            world.bank.ok("new-cohort alice 3", deadline_s=60)
            bob.expect("SUCCESS transfer 1 to alice label 1 balance 109", "transfer 1 alice")

    def test_force_can_be_typed_by_a_member(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            bob.kill()
            alice.ok("delete-cohort alice --force")
            self.assertEqual(world.rows()["bob"]["cohort"], "")

    def test_force_is_remembered_when_the_bank_is_killed(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            bob.kill()
            world.bank.ok("delete-cohort alice --force")
            world.bank.kill()
            world.restart_bank()
            bob = world.resume("bob")
            bob.wait_log("cohort has ended")
            bob.expect("SUCCESS balance 100", "balance")
            bob.refuses("not-in-cohort", "transfer 1 alice")
            alice.becomes("SUCCESS balance 100", "balance")
            world.audit_adds_up(balances="200", expected="200")


if __name__ == "__main__":
    unittest.main()
