"""Programs that do not answer: stopped, killed, not there. One clear answer each, in time."""

import time
import unittest

from harness import World
from programs import SLOWNESS

SLOW = True


class Silence(unittest.TestCase):
    def answered_within(self, program, line, seconds):
        began = time.monotonic()
        answer = program.cmd(line)
        self.assertLess(time.monotonic() - began, seconds * SLOWNESS, f"{line}: {answer}")
        return answer

    def test_a_transfer_to_a_stopped_peer_is_unknown_and_arrives_later(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            bob.stop()
            answer = self.answered_within(alice, "transfer 10 bob", 8)
            self.assertEqual(answer.first, "UNKNOWN transfer 10 to bob label 1 balance 90")
            alice.expect("SUCCESS balance 90", "balance")
            bob.cont()
            bob.becomes("SUCCESS balance 110", "balance")
            bob.ok("checkpoint")
            world.audit_adds_up(balances="200", in_transit="0")

    def test_a_checkpoint_that_needs_a_stopped_peer_fails_and_changes_nothing(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol")
            alice.ok("transfer 10 bob")
            alice.stop()
            answer = self.answered_within(bob, "checkpoint", 15)
            self.assertEqual(answer.outcome, "FAILURE", str(answer))
            self.assertIn(answer.code, ("unreachable", "busy", "refused"))
            self.assertIn("alice", str(answer))
            self.assertEqual(world.rows()["bob"]["balance"], "100")
            bob.expect("SUCCESS transfer 1 to carol label 1 balance 109", "transfer 1 carol")
            alice.cont()
            # Who was asked meanwhile may still be finding out that it is over: busy, then not.
            deadline = time.monotonic() + 30 * SLOWNESS
            while not (answer := bob.cmd("checkpoint")).ok:
                self.assertLess(time.monotonic(), deadline, str(answer))
            world.audit_adds_up(expected="300")

    def test_a_checkpoint_that_does_not_need_the_dead_succeeds(self):
        with World() as world:
            alice, bob, carol = world.cohort("alice", "bob", "carol")
            alice.ok("transfer 10 bob")
            carol.kill()
            bob.expect(
                "SUCCESS checkpoint bob (received 1 transfer from alice), alice", "checkpoint"
            )

    def test_without_the_bank_transfers_work_and_checkpoints_fail(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            world.bank.kill()
            alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
            alice.expect("SUCCESS deposit 1 balance 91", "deposit 1")
            for line in ("checkpoint", "rollback", "delete-cohort alice"):
                answer = self.answered_within(alice, line, 15)
                self.assertEqual((answer.outcome, answer.code), ("FAILURE", "bank-unreachable"))
            alice.expect("SUCCESS transfer 10 to bob label 2 balance 81", "transfer 10 bob")
            world.restart_bank()
            deadline = time.monotonic() + 30 * SLOWNESS
            while not (answer := bob.cmd("checkpoint")).ok:
                self.assertLess(time.monotonic(), deadline, str(answer))
            world.audit_adds_up(expected="201", in_transit="0")

    def test_a_bank_that_is_stopped_in_the_middle_is_never_a_wrong_answer(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            for number in range(4):
                alice.ok("transfer 1 bob")
                ticket = bob.type("checkpoint")
                time.sleep(0.001 * number)  # a different moment each time
                world.bank.stop()
                time.sleep(0.2)
                world.bank.cont()
                answer = bob.answer(ticket)
                self.assertIn(answer.outcome, ("SUCCESS", "FAILURE", "UNKNOWN"))
                if answer.ok:
                    self.assertEqual(world.rows()["bob"]["balance"], str(101 + number))
            deadline = time.monotonic() + 30 * SLOWNESS
            while not (answer := bob.cmd("checkpoint")).ok:
                self.assertLess(time.monotonic(), deadline, str(answer))
            self.assertEqual(world.rows()["bob"]["balance"], "104")
            world.audit_adds_up(balances="200", expected="200")

    def test_commands_to_a_bank_that_is_not_there_fail_in_time(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            world.bank.kill()
            other = world.customer("other")
            for program, line in (
                (other, "open bob 5"),
                (alice, "exit"),
                (alice, "new-cohort alice 2"),
            ):
                answer = self.answered_within(program, line, 15)
                self.assertEqual((answer.outcome, answer.code), ("FAILURE", "bank-unreachable"))
            alice.expect("SUCCESS deposit 5 balance 105", "deposit 5")


if __name__ == "__main__":
    unittest.main()
