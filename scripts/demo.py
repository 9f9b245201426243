#!/usr/bin/env python3
"""The story that scripts/demo plays: a cohort of four customers, with checkpoint and rollback."""

import sys
import time

from story import tell

STEPS = 9


def cents(amount):
    return round(float(amount) * 100)


def play(story):
    world = story.world
    story.step(
        "One bank and four customers",
        "Five processes on this machine, each with UDP ports of its own.",
        "They could run on five hosts.",
    )
    story.show_command("shell", f"bank --port {world.bank.port} --data data/data.csv")
    story.show_command("shell", f"customer --bank {world.bank_address}      (four times)")
    alice, bob, carol, dave = (world.customer(name) for name in ("alice", "bob", "carol", "dave"))
    for customer in (alice, bob, carol, dave):
        name = customer.name
        story.type(customer, f"open {name} 100", f"SUCCESS open {name} balance 100")

    story.step(
        "A cohort: those who may pay each other, and recover together",
        "All four take their first checkpoint before the answer comes.",
    )
    answer = story.type(alice, "new-cohort alice 4")
    if not answer.text.endswith("members alice, bob, carol, dave"):
        alice.fail("not the four members")

    story.step(
        "Transfers go straight from customer to customer; the bank is not asked",
        "SUCCESS means: the receiver has it, on disk. The label numbers the transfers from one",
        "customer to another.",
    )
    story.type(alice, "transfer 10 bob", "SUCCESS transfer 10 to bob label 1 balance 90")
    story.type(bob, "transfer 20 carol", "SUCCESS transfer 20 to carol label 1 balance 90")
    story.type(carol, "transfer 5 dave", "SUCCESS transfer 5 to dave label 1 balance 115")

    story.step(
        "A checkpoint: a state that all can return to",
        "dave received from carol, who received from bob, who received from alice. If dave alone",
        "saved his state, a later return could find money received that was never sent. So they",
        "all save theirs, together, and the bank's table changes in the same step.",
    )
    story.type(dave, "checkpoint")
    rows = world.rows()
    if [rows[name]["balance"] for name in ("alice", "bob", "carol", "dave")] != [
        "90",
        "90",
        "115",
        "105",
    ]:
        world.bank.fail("the table is not the checkpoint")
    story.csv()

    story.step(
        "More transfers, and one that is lost on its way",
        "lost-transfer debits alice and never sends: the money is in transit. The audit's first",
        "line is the last checkpoint; below it is what everybody reports at this moment.",
    )
    story.type(alice, "transfer 5 bob", "SUCCESS transfer 5 to bob label 2 balance 85")
    story.type(
        alice, "lost-transfer 30 carol", "SUCCESS lost-transfer 30 to carol label 1 balance 55"
    )
    story.type(
        world.bank,
        "audit",
        "SUCCESS audit balances 400 in-transit 0 expected 400 difference 0",
    )

    story.step(
        "A rollback: back to the checkpoint",
        "alice takes back what she sent since then. bob has received some of it, so he has to",
        "go back too; carol and dave do not, and keep working.",
    )
    story.type(alice, "rollback", "SUCCESS rollback alice (sent 1 transfer to bob), bob")
    story.balances(alice="90", bob="90", carol="115", dave="105")
    story.say("The lost 30 are back.")

    story.step(
        "kill -9 in the middle of transfers",
        "bob pays alice 3000 times 0.01. Before he is through, his process is killed.",
    )
    story.show_command("bob", "transfer 0.01 alice      (3000 times)")
    tickets = bob.type(*["transfer 0.01 alice"] * 3000)
    bob.wait_until(lambda: bob.has_answer(tickets[1000]), "a thousand answers")
    bob.kill()
    answered = sum(bob.has_answer(ticket) for ticket in tickets)
    story.show_command("shell", "kill -9 bob")
    story.say(
        f"{answered} transfers had been answered with SUCCESS. bob starts again, from his disk:"
    )
    story.show_command("shell", "customer --name bob ...")
    bob = world.resume("bob")
    deadline = time.monotonic() + 30
    while True:
        has, got = cents(bob.balance()), cents(alice.balance())
        if has + got == 18000:
            break
        if time.monotonic() > deadline:
            bob.fail(f"bob ({has} cents) and alice ({got} cents) should have 180 together")
    sent = 9000 - has
    if sent < answered:
        bob.fail(f"{answered} transfers were answered and only {sent} are there")
    story.say(
        f"bob has {bob.balance()} and alice {alice.balance()}, together 180 as before: {sent}",
        "transfers had been written to his disk, and each has arrived once. What was answered is",
        "there, and nothing is there twice.",
    )

    story.step(
        "A checkpoint that needs only two of the four",
        "dave received from carol since the last checkpoint. What alice and bob did does not",
        "matter to him, so nobody bothers them.",
    )
    story.type(carol, "transfer 15 dave", "SUCCESS transfer 15 to dave label 2 balance 100")
    story.type(
        dave, "checkpoint", "SUCCESS checkpoint dave (received 1 transfer from carol), carol"
    )

    story.step(
        "The end of the day",
        "A last checkpoint for alice and bob. Balances and opening amounts agree to the cent.",
    )
    story.type(alice, "checkpoint")
    story.type(
        world.bank,
        "audit",
        "SUCCESS audit balances 400 in-transit 0 expected 400 difference 0",
    )
    story.csv()


if __name__ == "__main__":
    sys.exit(tell(play, STEPS, "Plays a day of the bank.", "Try it yourself: ./scripts/cluster 4"))
