"""Programs that stand still (SIGSTOP) in the middle of a checkpoint or rollback, for longer than
anybody tries again, and then go on (SIGCONT). The moment is found in the traces."""

import time
import unittest

from harness import World
from programs import ANSWER_DEADLINE_S, SLOWNESS, Failed
from relay import bytes_waiting
from test_kills import settle

SLOW = True
NAMES = ["alice", "bob", "carol"]

# Alice has sent money to bob: his checkpoint needs her, and her rollback him.
INITIATOR = {"checkpoint": "bob", "rollback": "alice"}
PARTICIPANT = {"checkpoint": "alice", "rollback": "bob"}
STILL_THERE, UNDONE = ("90", "110"), ("100", "100")


class TracedWorld(World):
    def __init__(self):
        super().__init__()
        self.marks = {}

    def trace(self, name):
        return self.folder / f"{name}.trace"

    def live(self):
        for name in NAMES:
            self.customer(name, opening="100", flags=("--trace", self.trace(name)))
        self.customers["alice"].ok("new-cohort alice 3")

    def mark(self):
        """What is traced from now on counts."""
        self.marks = {name: self.trace(name).stat().st_size for name in NAMES}

    def traced(self, name, what):
        with open(self.trace(name), "rb") as file:
            file.seek(self.marks[name])
            return f'"what":"{what}'.encode() in file.read()

    def wait_traced(self, name, what):
        end = time.monotonic() + ANSWER_DEADLINE_S
        while not self.traced(name, what):
            if time.monotonic() > end:
                self.customers[name].fail(f"{what!r} should be in its trace")
            time.sleep(0.0005)

    def pair(self, operation):
        return self.customers[INITIATOR[operation]], self.customers[PARTICIPANT[operation]]

    def stop_when_all_have_voted(self, operation):
        """Alice has sent 10, the initiator stands still and has not asked the bank for COMMIT: all it
        waited for is its participant's yes, which is in its socket. Returns the command's ticket.
        """
        initiator, participant = self.pair(operation)
        self.mark()
        self.customers["alice"].ok("transfer 10 bob")
        self.wait_traced("bob", "signs")  # without that he would settle later
        participant.stop()
        ticket = initiator.type(operation)
        self.wait_traced(initiator.name, f"{operation} request")
        self.wait_traced(initiator.name, "settled" if operation == "checkpoint" else "begun")
        initiator.stop()
        participant.cont()
        self.wait_traced(participant.name, "vote yes")
        if self.traced(initiator.name, "ask for commit"):
            initiator.fail("is further than it can be")
        return ticket

    def answer_of(self, customer, ticket):
        answer = customer.answer(ticket)
        if answer.outcome not in ("SUCCESS", "FAILURE", "UNKNOWN"):
            customer.fail(f"not one of the three: {answer}")
        return answer

    def wait_nothing_under_way(self, customer):
        end = time.monotonic() + 30 * SLOWNESS
        while "under way   nothing" not in customer.ok("status").lines:
            if time.monotonic() > end:
                customer.fail("is still in the middle of something")
            time.sleep(0.02)

    def check(self, operation, answer):
        """All at rest: what the command did is what its answer says, for both of them."""
        for name in NAMES:
            self.wait_nothing_under_way(self.customers[name])
        settle(self, NAMES, 300)
        both = tuple(self.customers[name].balance() for name in ("alice", "bob"))
        possible = {STILL_THERE}
        if operation == "rollback":
            possible = {"SUCCESS": {UNDONE}, "FAILURE": {STILL_THERE}}.get(
                answer.outcome, {STILL_THERE, UNDONE}
            )
        if both not in possible:
            raise Failed(f"{both} after {answer}")


class Stopped(unittest.TestCase):
    def the_bank(self, operation):
        """It is asked for COMMIT and does not answer; the question waits in its socket."""
        with TracedWorld() as world:
            world.live()
            initiator, participant = world.pair(operation)
            ticket = world.stop_when_all_have_voted(operation)
            world.bank.stop()
            initiator.cont()
            world.wait_traced(initiator.name, "ask for commit")
            answer = world.answer_of(initiator, ticket)
            self.assertEqual(answer.outcome, "UNKNOWN", str(answer))
            # Both are in doubt, and stay so; what needs no decision goes on.
            self.assertNotIn("under way   nothing", initiator.ok("status").lines)
            self.assertNotIn("under way   nothing", participant.ok("status").lines)
            carol = world.customers["carol"]
            carol.ok("deposit 1")
            carol.ok("withdrawal 1")
            carol.refuses("bank-unreachable", "checkpoint")
            world.bank.cont()
            world.check(operation, answer)

    def test_the_bank_in_the_middle_of_a_checkpoint(self):
        self.the_bank("checkpoint")

    def test_the_bank_in_the_middle_of_a_rollback(self):
        self.the_bank("rollback")

    def the_initiator(self, operation):
        """Its participant is freed by the bank, which then cannot commit any more."""
        with TracedWorld() as world:
            world.live()
            initiator, participant = world.pair(operation)
            ticket = world.stop_when_all_have_voted(operation)
            world.wait_nothing_under_way(participant)
            participant.expect(
                f"SUCCESS transfer 1 to carol label 1 balance {self.less_1(participant)}",
                "transfer 1 carol",
            )
            world.customers["carol"].ok(f"transfer 1 {participant.name}")
            initiator.cont()
            answer = world.answer_of(initiator, ticket)
            world.check(operation, answer)

    @staticmethod
    def less_1(customer):
        return int(customer.balance()) - 1

    def test_the_initiator_in_the_middle_of_a_checkpoint(self):
        self.the_initiator("checkpoint")

    def test_the_initiator_in_the_middle_of_a_rollback(self):
        self.the_initiator("rollback")

    def the_participant(self, operation):
        """It has said yes and hears nothing of the COMMIT until it goes on."""
        with TracedWorld() as world:
            world.live()
            initiator, participant = world.pair(operation)
            ticket = world.stop_when_all_have_voted(operation)
            participant.stop()
            initiator.cont()
            answer = world.answer_of(initiator, ticket)
            self.assertEqual(answer.outcome, "SUCCESS", str(answer))
            # Who waits for its acknowledgement only is not held up.
            carol = world.customers["carol"]
            initiator.ok("transfer 1 carol")
            carol.ok(f"transfer 1 {initiator.name}")
            self.wait_told_again(world, participant)
            participant.cont()
            world.check(operation, answer)

    def wait_told_again(self, world, participant):
        """Until the bank has told the COMMIT to the one that is stopped: it is in its socket."""
        before = bytes_waiting(participant.ports[0])
        end = time.monotonic() + 30 * SLOWNESS
        while not (bytes_waiting(participant.ports[0]) or 0) > (before or 0):
            if time.monotonic() > end:
                world.bank.fail(f"tells {participant.name} nothing")
            time.sleep(0.02)

    def test_a_participant_in_the_middle_of_a_checkpoint(self):
        self.the_participant("checkpoint")

    def test_a_participant_in_the_middle_of_a_rollback(self):
        self.the_participant("rollback")


if __name__ == "__main__":
    unittest.main()
