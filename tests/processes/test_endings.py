"""Ends of cohorts around a crash in checkpoint mode."""

import time
import unittest

from harness import World
from programs import SLOWNESS


class Endings(unittest.TestCase):
    def test_whoever_ends_the_cohort_again_and_again_lets_a_member_recover(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", stable=["checkpoint", "journal"])
            bob.ok("transfer 9 alice")
            alice.kill()
            ticket = bob.type("delete-cohort bob")
            world.resume("alice")
            answer = bob.answer(ticket)
            deadline = time.monotonic() + 8 * SLOWNESS
            while not answer.ok:
                self.assertIn(answer.code, ("recovering", "unreachable", "busy"), str(answer))
                self.assertLess(time.monotonic(), deadline, str(answer))
                time.sleep(0.2)  # as a person or script would who tries again
                answer = bob.cmd("delete-cohort bob")
            world.audit_adds_up(balances="200", expected="200")


if __name__ == "__main__":
    unittest.main()
