#!/usr/bin/env python3
"""The story that scripts/demo plays, with real processes. Every answer is checked on the way; the
exit status is 0 only if all of it went as told."""

import argparse
import pathlib
import sys
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "processes"))

from harness import World  # noqa: E402
from programs import Failed  # noqa: E402

STEPS = 9


class Story:
    def __init__(self, world, pause_s):
        self.world = world
        self.pause_s = pause_s
        self.step_number = 0
        self.colour = sys.stdout.isatty()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def step(self, title, *why):
        self.step_number += 1
        print(f"\n{self.paint('1', f'{self.step_number}/{STEPS}  {title}')}")
        self.say(*why)

    def say(self, *sentences):
        for line in textwrap.wrap(" ".join(sentences), 92):
            print(f"     {line}")
        sys.stdout.flush()
        time.sleep(self.pause_s * len(sentences))

    def show_command(self, name, line):
        print(f"  {self.paint('36', f'{name:>7}>')} {self.paint('1', line)}", flush=True)

    def show_answer(self, answer):
        print(f"           {self.paint('32' if answer.ok else '31', answer.first)}")
        for line in answer.lines:
            print(f"             {line}")
        sys.stdout.flush()
        time.sleep(self.pause_s)

    def type(self, program, line, first_line=None):
        """Types a command; its answer must succeed, with this first line if one is given."""
        self.show_command(program.name, line)
        answer = program.expect(first_line, line) if first_line else program.ok(line)
        self.show_answer(answer)
        return answer

    def balances(self, **expected):
        """Asks every customer; money may still be arriving, so it waits for what is expected."""
        for name, amount in expected.items():
            self.world.customers[name].becomes(f"SUCCESS balance {amount}", "balance")
        self.say(
            "Balances now: " + ", ".join(f"{n} {amount}" for n, amount in expected.items()) + "."
        )

    def csv(self):
        print("           data.csv:")
        for line in self.world.data.read_text().splitlines():
            print(f"             {line}")
        sys.stdout.flush()


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


def main():
    parser = argparse.ArgumentParser(description="Plays a day of the bank.")
    parser.add_argument("--fast", action="store_true", help="no pauses for reading")
    options = parser.parse_args()
    pause_s = 0 if options.fast or not sys.stdout.isatty() else 0.35
    began = time.monotonic()
    try:
        with World() as world:
            play(Story(world, pause_s))
    except Failed as failed:
        print(f"\nThis is not how it should have gone:\n{failed}", file=sys.stderr)
        return 1
    print(f"\nAll as it should be, in {time.monotonic() - began:.1f} s.")
    print("Try it yourself: ./scripts/cluster 4")
    return 0


if __name__ == "__main__":
    sys.exit(main())
