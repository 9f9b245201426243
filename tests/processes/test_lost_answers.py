"""What was done before the bank was killed is not said to have failed."""

import unittest

from persons import PASSWORD, code_for, has_role, make_known, register, sign_in
from relay import Relay, RelayedWorld

ANN = "ann@example.org"


class DeafRelay(Relay):
    """Once it is told to, it lets one more datagram through to a customer, and then none."""

    def __init__(self, bank_port):
        self._left = None
        super().__init__(bank_port)

    def let_through(self, count):
        self.traffic()  # what is on its way has been taken
        self._left = count

    def to_customer(self, customer, payload):
        if self._left is not None:
            if self._left == 0:
                return
            self._left -= 1
        super().to_customer(customer, payload)


class DeafWorld(RelayedWorld):
    def make_relay(self):
        return DeafRelay(self.bank.port)


class Answers(unittest.TestCase):
    def test_what_was_done_before_the_bank_was_killed_did_not_fail(self):
        with DeafWorld() as world:
            world.bank.ok("add-product pen Pen 1.50 10 office")
            ann = world.customer("ann", secrets=True)
            has_role(world, ann, ANN, "teller")
            world.relay.let_through(1)  # the bank is there: then its word is lost
            ticket = ann.type("restock pen 5")
            world.bank.wait_until(
                lambda: " 15 " in str(world.bank.ok("products")), "the pens to be restocked"
            )
            self.assertFalse(ann.has_answer(ticket))
            world.bank.kill()
            world.relay.let_through(None)
            world.restart_bank()
            answer = ann.answer(ticket)
            self.assertIn(" 15 ", str(world.bank.ok("products")))
            self.assertEqual(answer.outcome, "UNKNOWN", str(answer))

    def answer_after_a_kill(self, world, person, line, done):
        """The bank has done it, its word of that is lost, it is killed and started again."""
        world.relay.let_through(1)
        ticket = person.type(line)
        world.bank.wait_log(done)
        self.assertFalse(person.has_answer(ticket))
        world.bank.kill()
        world.relay.let_through(None)
        world.restart_bank()
        return person.answer(ticket)

    def test_a_password_that_was_changed_before_the_bank_was_killed_is_not_the_old_one(self):
        with DeafWorld() as world:
            ann = world.customer("ann", secrets=True)
            make_known(world, ann, ANN)
            ann.whisper(PASSWORD, "another horse", "another horse")
            answer = self.answer_after_a_kill(world, ann, "passwd", f"{ANN} has a new password")
            sign_in(ann, ANN, "another horse")
            self.assertEqual(answer.outcome, "UNKNOWN", str(answer))

    def test_an_email_that_was_verified_before_the_bank_was_killed_did_not_fail(self):
        with DeafWorld() as world:
            ann = world.customer("ann", secrets=True)
            register(ann, ANN)
            code = code_for(world.bank, ANN)
            answer = self.answer_after_a_kill(world, ann, f"verify {code}", f"{ANN} is verified")
            self.assertEqual(sign_in(ann, ANN).lines, [])
            self.assertEqual(answer.outcome, "UNKNOWN", str(answer))


if __name__ == "__main__":
    unittest.main()
