"""The menu, colours and amounts at a terminal."""

import unittest

from harness import World
from persons import PASSWORD, code_for
from programs import BIN
from terminals import AtTerminal


def customer_at_terminal(world, *flags, **environment):
    return AtTerminal(
        [BIN / "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
         "--state", world.state, *flags],
        **environment,
    )  # fmt: skip


def say(terminal, *dialogue):
    """Pairs of what is typed and what is to be seen then."""
    for typed, seen in zip(dialogue[::2], dialogue[1::2]):
        terminal.type(typed + "\n")
        terminal.see(seen)


class Menu(unittest.TestCase):
    def test_money_moves_only_after_a_confirmation(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            say(
                alice,
                "open alice 100", "SUCCESS open alice balance 100",
                "menu", "Choice: ",
                "1", "== Account ==",
                "2", "Amount: ",
                "50", "Note (may be left empty): ",
                "birthday", "deposit 50 --note birthday? [y/N] ",
                "n", "Nothing was done.",
                "1", "SUCCESS balance 100",
                "2", "Amount: ",
                "50", "Note (may be left empty): ",
                "", "deposit 50? [y/N] ",
                "y", "SUCCESS deposit 50 balance 150",
                "0", "== Menu ==",
                "2", "== Services and bills ==",
                "3", "Service or biller: ",
                "Electricity", "Amount: ",
                "20", "pay Electricity 20? [y/N] ",
                "y", "token ",
                "0", "== Menu ==",
                "0", "customer> ",
                "balance", "SUCCESS balance 130",
            )  # fmt: skip
            world.audit_adds_up(bank="20")

    def test_what_is_no_choice_is_asked_again(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            say(
                alice,
                "menu", "Choice: ",
                "99", "'99' is not a choice",
                "x", "'x' is not a choice",
                "0", "customer> ",
            )  # fmt: skip

    def test_the_banks_operator_has_one_too(self):
        with World(start=False) as world:
            command = [BIN / "bank", "--port", 0, "--any-port", "--data", world.data]
            with AtTerminal(command) as bank:
                bank.see("bank> ")
                say(bank, "menu", "Shop", "3", "== Shop ==", "1", "After which id")
                say(bank, "", "SUCCESS products 0")

    def test_colours_unless_they_are_declined(self):
        with World() as world:
            for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False),
                                          ({"TERM": "dumb"}, False)):  # fmt: skip
                with customer_at_terminal(world, **environment) as alice:
                    alice.see("ready on ports")
                    say(alice, "menu", "Choice: ")
                    self.assertEqual("\x1b[1" in alice.shown_with_colours(), coloured, environment)


class People(unittest.TestCase):
    def test_passwords_are_asked_for_and_not_shown(self):
        with World() as world, customer_at_terminal(world) as alice:
            alice.see("customer> ")
            say(alice, "register a@example.org", "Name: ", "Alice", "Password (8 to 256 bytes): ")
            say(alice, PASSWORD, "Password again: ")
            self.assertNotIn(PASSWORD, alice.shown())
            say(alice, PASSWORD, "SUCCESS register a@example.org")
            self.assertNotIn(PASSWORD, alice.shown())
            say(
                alice,
                f"verify {code_for(world.bank, 'a@example.org')}", "SUCCESS verify",
                "sign-in a@example.org", "Password: ",
                PASSWORD, "SUCCESS sign-in a@example.org",
            )  # fmt: skip
            self.assertNotIn(PASSWORD, alice.shown())


class Amounts(unittest.TestCase):
    def test_tables_have_separators_and_the_currency_for_people(self):
        with World() as world:
            world.bank.ok("set currency R")
            world.bank.ok("add-product car Car 1250000.50 3 vehicles")
            with customer_at_terminal(world) as alice:
                alice.see("customer> ")
                say(alice, "products", "R 1,250,000.50")
            self.assertIn(" 1250000.50 ", world.bank.ok("products").lines[1])


if __name__ == "__main__":
    unittest.main()
