"""Wall clocks that are set while a program runs, and machines that sleep: real programs, whose wall
clock alone is another one (wall_clock.cpp). What a program measures times with stands still while
its machine sleeps, and so goes on here as if nothing had happened."""

import os
import unittest

from harness import World
from programs import BIN

DAY_S = 24 * 60 * 60


class ClockWorld(World):
    """The programs that are named have a wall clock of their own."""

    def __init__(self, *names, wrong_by_s):
        super().__init__()
        self._names = names
        self._clock = self.folder / "clock"
        self.set_clock(wrong_by_s)

    def set_clock(self, wrong_by_s):
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{wrong_by_s}\n")
        fresh.rename(self._clock)

    def command_of(self, name, command):
        if name not in self._names:
            return command
        # A sanitizer wants to be loaded first, and does not have to.
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return [
            "env",
            f"LD_PRELOAD={BIN.parent / 'lib' / 'libwall_clock.so'}",
            f"WALL_CLOCK_FILE={self._clock}",
            f"ASAN_OPTIONS={options.lstrip(':')}",
            *command,
        ]


class Clocks(unittest.TestCase):
    def a_cohort_forms_and_works(self, world, alice, bob):
        bob.expect("SUCCESS new-cohort cohort-1 members alice, bob", "new-cohort bob 2")
        alice.wait_log("is now in cohort-1")
        bob.ok("transfer 5 alice")
        alice.ok("transfer 2 bob")
        alice.ok("checkpoint")
        alice.expect("SUCCESS balance 103", "balance")
        world.audit_adds_up()

    def test_a_customer_whose_machine_has_slept_goes_on(self):
        with ClockWorld("alice", wrong_by_s=-3 * DAY_S) as world:
            alice = world.customer("alice", opening="100")
            bob = world.customer("bob", opening="100")
            world.set_clock(0)
            self.a_cohort_forms_and_works(world, alice, bob)

    def test_a_bank_whose_machine_has_slept_goes_on(self):
        with ClockWorld("bank", wrong_by_s=-3 * DAY_S) as world:
            alice = world.customer("alice", opening="100")
            bob = world.customer("bob", opening="100")
            world.set_clock(0)
            self.a_cohort_forms_and_works(world, alice, bob)

    def test_a_bank_whose_clock_was_ahead_is_set_right_while_a_cohort_works(self):
        with ClockWorld("bank", "alice", "bob", wrong_by_s=30 * DAY_S) as world:
            alice = world.customer("alice", opening="100")
            bob = world.customer("bob", opening="100")
            self.a_cohort_forms_and_works(world, alice, bob)
            world.set_clock(0)
            # The list of members that was signed then counts no more: nobody that is started now
            # is without one.
            alice.kill()
            alice = world.resume("alice")
            bob.ok("transfer 5 alice")
            alice.ok("checkpoint")
            alice.expect("SUCCESS balance 108", "balance")
            world.audit_adds_up()


if __name__ == "__main__":
    unittest.main()
