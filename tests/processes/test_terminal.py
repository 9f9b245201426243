"""Editing at a terminal: keys, the window, stops, and what others do meanwhile."""

import signal
import unittest

from harness import World
from persons import PASSWORD
from programs import BIN, END_DEADLINE_S
from terminals import AtTerminal

BACKSPACE = "\x7f"
KILL_LINE = "\x15"
END_OF_INPUT = "\x04"
ARROW_UP = "\x1b[A"


def customer_at_terminal(world, *flags, **environment):
    home = world.folder / "home"
    home.mkdir(exist_ok=True)
    return AtTerminal(
        [BIN / "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
         "--state", world.state, *flags],
        **{"HOME": str(home), "LC_ALL": "C.UTF-8", **environment},
    )  # fmt: skip


def cohort_with_bob(world, alice):
    """Alice opens her account at her terminal, and bob, who is returned, forms a cohort with her."""
    alice.see("customer> ")
    alice.type("open alice 100\n")
    alice.see("SUCCESS open")
    bob = world.customer("bob", opening="100")
    bob.ok("new-cohort bob 2")
    alice.see("is now in cohort-1")
    return bob


class Questions(unittest.TestCase):
    """Answers to questions are no commands: they are edited by a few keys."""

    def test_slips_can_be_taken_back(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            alice.type("register a@example.org\n")
            alice.see("Name: ")
            alice.type(f"Bob{KILL_LINE}Zo\u00e9{BACKSPACE}\u00eb\tx{BACKSPACE}{BACKSPACE}\n")
            alice.see("Password (8 to 256 bytes): ")
            alice.type(f"{BACKSPACE}wrong{KILL_LINE}{PASSWORD}zz{BACKSPACE}{BACKSPACE}\n")
            alice.see("Password again: ")
            alice.type(f"{PASSWORD}\n")
            alice.see("SUCCESS register a@example.org")
            people = world.bank.ok("people")
            self.assertIn("Zo\u00eb", str(people))
            self.assertNotIn("Bob", str(people))
            self.assertNotIn("\u00e9", str(people))

    def test_the_end_of_the_input_answers_none(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            alice.type("register a@example.org\n")
            alice.see("Name: ")
            alice.type(f"x{END_OF_INPUT}{BACKSPACE}")  # not at the beginning: no key
            alice.type(END_OF_INPUT)
            alice.see("FAILURE no-input: nothing was typed")
            alice.see("customer> ")
            alice.type("balance\n")
            alice.see("FAILURE no-account")
            self.assertNotIn("a@example.org", str(world.bank.ok("people")))

    def test_what_happens_meanwhile_does_not_hide_them(self):
        with World() as world, customer_at_terminal(world) as alice:
            bob = cohort_with_bob(world, alice)
            alice.type("register a@example.org\n")
            alice.see("Name: ")
            alice.type("Ali")
            alice.see("Ali")
            bob.ok("transfer 30 alice")
            alice.see("received 30 from bob, balance 130\nName: Ali")
            alice.type("ce\n")
            alice.see("Password (8 to 256 bytes): ")
            alice.type("correct")
            bob.ok("transfer 5 alice")
            alice.see("received 5 from bob, balance 135\nPassword (8 to 256 bytes): ")
            self.assertNotIn("correct", alice.shown())
            alice.type(f"{KILL_LINE}{PASSWORD}\n")
            alice.see("Password again: ")
            alice.type(f"{PASSWORD}\n")
            alice.see("SUCCESS register a@example.org")


class Lines(unittest.TestCase):
    def test_tab_completes_a_word_or_shows_what_it_could_be(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            alice.type("open alice 100\n")
            alice.see("SUCCESS open")
            alice.type("ba\t\n")
            alice.see("SUCCESS balance 100")
            alice.type("s\t")
            alice.see("search")
            alice.see("status")
            alice.see("customer> s")
            alice.type("ta\tus\t\n")  # status, statement: both begin with stat
            alice.see("SUCCESS status")
            alice.type("xyzzy\t\n")  # nothing begins like that
            alice.see("'xyzzy' is not a command")

    def test_tab_knows_the_names_of_accounts(self):
        with World(start=False) as world:
            command = [BIN / "bank", "--port", 0, "--any-port", "--data", world.data]
            with AtTerminal(command) as bank:
                bank.see("bank> ")
                bank.type("open alice 100 127.0.0.1 4001 4002\n")
                bank.see("SUCCESS open alice")
                bank.type("exit al\t\n")
                bank.see("SUCCESS exit alice balance 100")
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            alice.type("open alice 100\n")
            alice.see("SUCCESS open")
            world.customer("bob", opening="100").ok("new-cohort bob 2")
            alice.see("is now in cohort-1")
            alice.type("transfer 5 b\t\n")
            alice.see("SUCCESS transfer 5 to bob")
            alice.type("delete-cohort al\t\n")
            alice.see("SUCCESS delete-cohort cohort-1")

    def test_lines_of_an_earlier_run_are_there(self):
        with World() as world:
            with customer_at_terminal(world) as alice:
                alice.see("customer> ")
                alice.type("open alice 100\n")
                alice.see("SUCCESS open")
                alice.type("deposit 7\n")
                alice.see("SUCCESS deposit 7 balance 107")
            with customer_at_terminal(world, "--name", "alice") as alice:
                alice.see("customer> ")
                alice.type(f"{ARROW_UP}\n")
                alice.see("SUCCESS deposit 7 balance 114")
            for home in ("", "/proc/nobody"):  # none, and one that cannot be
                with customer_at_terminal(world, "--name", "alice", HOME=home) as alice:
                    alice.see("customer> ")
                    alice.type("balance\n")
                    alice.see("SUCCESS balance 114")

    def test_bytes_that_are_no_text_are_no_keys(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            alice.type("open alice 100\n")
            alice.see("SUCCESS open")
            for line in (b"bal\xff\xfeance\n", b"bal\xc3(ance\n", b"\x80balance\n"):
                alice.type(line)
                alice.see("SUCCESS balance 100")
            alice.type("deposit 5 --note \u00e9t\u00e9\n")  # of two bytes each
            alice.see("SUCCESS deposit 5 balance 105")
            alice.type("history\n")
            alice.see("\u00e9t\u00e9")

    def test_a_long_line_in_a_narrow_window_survives_what_others_do(self):
        with World() as world, customer_at_terminal(world) as alice:
            bob = cohort_with_bob(world, alice)
            alice.resize(24)
            alice.type("deposit 5 --note a-note-that-goes-over-several-rows")
            alice.see("rows")
            bob.ok("transfer 30 alice")
            alice.see("received 30 from bob, balance 130")
            alice.resize(100)
            alice.type("-of-it\n")
            alice.see("SUCCESS deposit 5 balance 135")
            alice.type("history\n")
            alice.see("a-note-that-goes-over-several-rows-of-it")


class Jobs(unittest.TestCase):
    def test_a_program_that_was_stopped_goes_on_with_the_line(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            alice.type("open alice 100\n")
            alice.see("SUCCESS open")
            alice.type("bal")
            alice.see("bal")
            alice.process.send_signal(signal.SIGSTOP)
            alice.type("")
            alice.process.send_signal(signal.SIGCONT)
            alice.see("customer> bal")  # shown again
            alice.type("ance\n")
            alice.see("SUCCESS balance 100")

    def test_the_terminal_is_as_it_was_when_the_program_has_ended(self):
        for typed in ("quit\n", END_OF_INPUT):
            with World() as world, customer_at_terminal(world) as alice:
                alice.see("customer> ")
                alice.type("balance\n")
                alice.see("FAILURE no-account")
                self.assertNotEqual(alice.mode(), alice.mode_before)
                alice.type(typed)
                self.assertEqual(alice.process.wait(END_DEADLINE_S), 0)
                self.assertEqual(alice.mode(), alice.mode_before)


if __name__ == "__main__":
    unittest.main()
