#!/usr/bin/env python3
"""The story that scripts/demo --business plays: people, a shop, bills, tokens, loans, and what a
rollback does to all that."""

import re
import sys

from story import tell  # finds the folder of the next

from persons import code_for  # isort: skip

STEPS = 10
ALICE = "alice@example.org"
PASSWORD = "correct horse battery"


def must(condition, program, sentence):
    if not condition:
        program.fail(sentence)


def stock(story, expected):
    """Shows the lamps; there must be so many."""
    answer = story.type(story.world.bank, "products")
    left = answer.lines[1].split()[-2]
    must(left == str(expected), story.world.bank, f"{left} lamps instead of {expected}")


def meet_the_bank(story):
    world = story.world
    story.step(
        "A bank, and somebody who comes to it",
        "Two processes. The bank shows the fingerprint of its key; the customer's program",
        "remembers the key, and seals with it what must stay secret.",
    )
    story.show_command("shell", f"bank --port {world.bank.port} --data data/data.csv")
    shown = world.bank.wait_log(r"the key of this bank is \S+").group()
    story.say(shown[0].upper() + shown[1:] + ".")
    story.show_command("shell", f"customer --bank {world.bank_address}")
    alice = world.customer("alice", secrets=True)

    story.step(
        "Register, verify, sign in",
        "The password is asked for without echo. The bank keeps an Argon2id hash of it. There is",
        "no mail server here: the bank's operator reads the code off the console and passes it on.",
    )
    story.show_command("alice", f"register {ALICE}")
    story.whisper(
        alice, ("Name", "Alice Adams"), ("Password", PASSWORD), ("Password again", PASSWORD)
    )
    story.show_answer(alice.ok(f"register {ALICE}"))
    code = code_for(world.bank, ALICE)
    print(f"    bank:  verification code of {ALICE}: {code}")
    story.type(alice, f"verify {code}", f"SUCCESS verify {ALICE}")
    story.show_command("alice", f"sign-in {ALICE}")
    story.whisper(alice, ("Password", PASSWORD))
    story.show_answer(alice.expect(f"SUCCESS sign-in {ALICE}", f"sign-in {ALICE}"))
    return alice


def account_and_shop(story, alice):
    bank = story.world.bank
    story.step(
        "An account of hers, and a deposit with a note",
        "What she opens now belongs to her: nobody buys or borrows with it who has not signed in",
        "as her.",
    )
    story.type(alice, "open alice 100", "SUCCESS open alice balance 100")
    story.type(alice, 'deposit 900 --note "birthday money"', "SUCCESS deposit 900 balance 1000")

    story.step(
        "The shop: the operator adds a product, alice buys it",
        "Outside of a cohort a purchase settles at once: the command takes the checkpoint that",
        "makes it final. More than there is, or more than she has, is refused.",
    )
    story.type(
        bank,
        'add-product lamp-1 "Desk lamp" 249.99 3 home,light',
        "SUCCESS add-product lamp-1 price 249.99 quantity 3",
    )
    story.type(alice, "search LIGHT", "SUCCESS search 1")
    story.type(
        alice,
        "buy lamp-1 1",
        "SUCCESS buy lamp-1 quantity 1 amount 249.99 order 1 settled balance 750.01",
    )
    for line, code in (("buy lamp-1 5", "out-of-stock"), ("withdrawal 1000", "overdraft")):
        story.show_command("alice", line)
        story.show_answer(alice.refuses(code, line))
    story.type(alice, "balance", "SUCCESS balance 750.01")
    story.type(
        alice,
        "last",
        "SUCCESS last bought lamp-1 for 249.99 (order 1), settled, balance 750.01",
    )


def bills_and_loans(story, alice):
    story.step(
        "A bill, and electricity",
        "A service gives a token: 16 digits that nobody can guess. It is shown when the payment is",
        "final, and not before.",
    )
    story.type(
        alice,
        "pay Netflix 15.99",
        "SUCCESS pay Netflix amount 15.99 order 2 settled balance 734.02",
    )
    answer = story.type(
        alice,
        "pay Electricity 100",
        "SUCCESS pay Electricity amount 100 order 3 settled balance 634.02",
    )
    must(re.search(r"^token \d{16}$", "\n".join(answer.lines), re.M), alice, "no token")
    story.type(alice, "tokens", "SUCCESS tokens 1")

    story.step(
        "A loan, to the cent",
        "Equal instalments; the last one takes the rounding. Whoever repays early pays less",
        "interest.",
    )
    story.type(alice, "loan 1000 6", "SUCCESS loan 4 amount 1000 months 6 settled balance 1634.02")
    story.type(alice, "schedule 4", "SUCCESS schedule 4 instalment 172.55 remaining 6")
    story.type(alice, "repay 4 500", "SUCCESS repay 4 amount 500 order 5 settled balance 1134.02")
    story.type(alice, "loans", "SUCCESS loans 1")


def report(story):
    story.step(
        "What the operator sees",
        "Sales, stock, money and loans; also for a period, as CSV, or as JSON.",
    )
    story.type(story.world.bank, "report", "SUCCESS report")


def in_a_cohort(story, alice):
    world = story.world
    story.step(
        "In a cohort: bought, rolled back, and all is as before",
        "alice and bob can now send each other money. What she buys is pending until a checkpoint",
        "covers it: two lamps are put aside for her.",
    )
    bob = world.customer("bob")
    story.type(bob, "open bob 500", "SUCCESS open bob balance 500")
    story.type(alice, "new-cohort alice 2")
    story.type(
        alice,
        "buy lamp-1 2",
        "SUCCESS buy lamp-1 quantity 2 amount 499.98 order 6 pending balance 634.04",
    )
    stock(story, 0)
    story.type(alice, "rollback", "SUCCESS rollback alice")
    story.type(alice, "balance", "SUCCESS balance 1134.02")
    stock(story, 2)
    answer = story.type(alice, "purchases", "SUCCESS purchases 2")
    must(answer.lines[1].endswith("cancelled"), alice, "the purchase is not cancelled")
    story.say("The lamps are back in the shop, and the money is back in her account.")

    story.step(
        "Bought, with a checkpoint behind it",
        "bob pays her something first, so her checkpoint needs one of him, and gets it. After it",
        "the purchase is settled: a rollback does not touch it.",
    )
    story.type(bob, "transfer 50 alice", "SUCCESS transfer 50 to alice label 1 balance 450")
    story.type(
        alice,
        "buy lamp-1 1",
        "SUCCESS buy lamp-1 quantity 1 amount 249.99 order 7 pending balance 934.03",
    )
    story.type(alice, "checkpoint", "SUCCESS checkpoint alice (received 1 transfer from bob), bob")
    story.type(alice, "rollback", "SUCCESS rollback alice")
    story.type(alice, "balance", "SUCCESS balance 934.03")
    answer = story.type(alice, "purchases", "SUCCESS purchases 3")
    must(answer.lines[1].endswith("settled"), alice, "the purchase is not settled")
    stock(story, 1)


def the_end(story, alice):
    story.step(
        "The end of the day",
        "The statement tells pending, settled and rolled back apart. The audit counts the bank's",
        "own accounts too: what it earned in the shop and for billers, and what it has lent.",
    )
    story.type(alice, "statement")
    story.type(
        story.world.bank,
        "audit",
        "SUCCESS audit balances 1384.03 in-transit 0 bank 115.97 expected 1500 difference 0",
    )


def play(story):
    alice = meet_the_bank(story)
    account_and_shop(story, alice)
    bills_and_loans(story, alice)
    report(story)
    in_a_cohort(story, alice)
    the_end(story, alice)


if __name__ == "__main__":
    sys.exit(
        tell(
            play,
            STEPS,
            "Plays a day of the bank's business.",
            "Try it yourself: start build/release/bin/bank and build/release/bin/customer, then "
            "`menu` or `help`.",
        )
    )
