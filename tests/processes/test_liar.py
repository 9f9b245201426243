"""A member of a cohort who lies, as a real program: no cent is made, and the honest go on.

The program (lying_customer.cpp) is the real customer, whose messages are changed on their way out,
and signed and sealed again with its own keys.
"""

import random
import re
import time
import unittest

from harness import World
from programs import ANSWER_DEADLINE_S, BIN, SLOWNESS, START_DEADLINE_S, Customer, run_program
from test_kills import CALM_DEADLINE_S, cents, until

SLOW = True

HONEST = ["alice", "bob", "carol"]
LIAR = "mallory"
OPENING = 1_000_000
# Lies at random: in so many cohorts, one after the other, for so long in each, and with so many
# commands of each at most.
COHORTS = 3
LIES_FOR_S = 1 * SLOWNESS
MOST_COMMANDS = 300


class LyingWorld(World):
    def liar(self, *flags):
        command = [BIN / "lying_customer", "--bank", self.bank_address]
        command += ["--state", self.folder / "state-of-the-liar", *flags]
        liar = self.add(Customer(LIAR, command))
        liar.wait_log(r"ready on ports \d+ \d+", START_DEADLINE_S)
        liar.ok(f"open {LIAR} {OPENING}")
        return liar

    def honest(self):
        return [self.customer(name, opening=str(OPENING)) for name in HONEST]

    def accusations(self):
        """What the bank's audit says of whoever lied, or did not prove what it claims."""
        lines = self.bank.ok("audit").lines
        return [line for line in lines if re.search(r" (lied|gave no evidence): ", line)]

    def verified(self):
        """What `bank verify` finds in the bundle of evidence, without the bank: all its lines."""
        path = self.folder / "proof.evidence"
        self.bank.ok(f"audit --evidence {path}")
        status, out, err = run_program("bank", "verify", path)
        if status != 0:
            self.bank.fail(f"the bundle does not hold: {out}{err}")
        return out.splitlines()

    def nobody_honest_is_accused(self):
        for line in [*self.accusations(), *self.verified()]:
            if re.match(rf"\s*({'|'.join(HONEST)})\b", line):
                self.bank.fail(f"accuses somebody honest: {line}")


def insist(program, line, deadline_s=CALM_DEADLINE_S):
    """Types it again, as a person would, until it succeeds."""

    def done():
        answer = program.cmd(line)
        return answer.ok, str(answer)

    until(done, f"{program.name}: {line!r} should succeed")


class AtRandom(unittest.TestCase):
    def lies(self, rate, seed, *flags):
        chance = random.Random(seed)
        with LyingWorld() as world:
            honest = world.honest()
            liar = world.liar("--lies", rate, "--seed", seed, *flags)
            everybody = [*honest, liar]
            for number in range(COHORTS):
                if not self.takes_part(liar, honest[0], len(everybody)):
                    self.assertGreater(number, 0, "the liar should be in one cohort at least")
                    break
                tickets = self.storm(everybody, chance)
                self.end_cohort(world)
                for member in honest:
                    for ticket in tickets[member.name]:
                        member.answer(ticket)
            liar.kill()
            total = OPENING * len(everybody)
            self.check_books(world, honest, total)
            self.honest_go_on(world, honest)
            self.check_books(world, honest, total + 5 * len(honest))
            world.nobody_honest_is_accused()

    def takes_part(self, liar, alice, count):
        """Whether a cohort with the liar comes about. Its own lies may have ended it, or have made
        it somebody whom the bank does not reach."""
        end = time.monotonic() + ANSWER_DEADLINE_S / 4
        while liar.running and time.monotonic() < end:
            if alice.cmd(f"new-cohort alice {count}").ok:
                return True
        return False

    def storm(self, members, chance):
        """Everybody transfers, makes checkpoints and rolls back; whoever is through goes on."""
        tickets = {member.name: [] for member in members}
        end = time.monotonic() + LIES_FOR_S

        def may_go_on(member):
            own = tickets[member.name]
            return not own or (member.has_answer(own[-1]) and len(own) < MOST_COMMANDS)

        while time.monotonic() < end:
            for member in filter(may_go_on, members):
                others = [other.name for other in members if other is not member]
                lines = [f"transfer {chance.randrange(1, 1000)} {chance.choice(others)}"] * 3
                lines.append(chance.choice(["checkpoint", "checkpoint", "rollback"]))
                tickets[member.name] += member.type(*lines)
            members[0].wait_until(
                lambda: any(map(may_go_on, members)) or time.monotonic() > end, "an answer"
            )
        return tickets

    def end_cohort(self, world):
        def ended():
            answer = world.bank.cmd("delete-cohort alice --force")
            cohorts = {name: row["cohort"] for name, row in world.rows().items()}
            return not any(cohorts.values()), (str(answer), cohorts)

        until(ended, "the operator should be able to end the cohort")

    def check_books(self, world, honest, total):
        world.audit_adds_up(balances=str(total), in_transit="0", expected=str(total))
        rows = world.rows()
        self.assertEqual(sum(cents(row["balance"]) for row in rows.values()), 100 * total)
        for member in honest:
            member.becomes(f"SUCCESS balance {rows[member.name]['balance']}", "balance")

    def honest_go_on(self, world, honest):
        insist(honest[0], f"new-cohort alice {len(HONEST)}")
        for member, other in zip(honest, [*honest[1:], honest[0]]):
            member.ok("deposit 5")
            member.ok(f"transfer 7 {other.name}")
            insist(member, "checkpoint")
        for member in honest:
            insist(member, "rollback")
        insist(honest[0], "delete-cohort alice")

    def test_a_few_lies(self):
        self.lies(0.03, 11)

    def test_some_lies(self):
        self.lies(0.1, 7)

    def test_many_lies(self):
        self.lies(0.3, 23)

    def test_lies_in_settlements_only(self):
        self.lies(0.5, 5, "--in-settlements")


class Chosen(unittest.TestCase):
    """One lie that is told for certain: the liar is named, by the audit and by who verifies."""

    def named(self, world, text):
        def found():
            accusations = world.accusations()
            return accusations, "no accusation"

        line = f"{LIAR} lied: {text}"
        self.assertEqual([one.strip() for one in until(found, "the liar should be named")], [line])
        self.assertIn(line, [one.strip() for one in world.verified()])
        # The lie was refused with its operation; it was told once, and the next one is the truth.
        total = OPENING * (len(HONEST) + 1)
        for name in HONEST:
            insist(world.customers[name], "checkpoint")
        world.audit_adds_up(expected=str(total))
        self.assertEqual(len(world.accusations()), 1)
        world.nobody_honest_is_accused()

    def test_denies_a_transfer_that_it_sent(self):
        with LyingWorld() as world:
            alice, bob, _ = world.honest()
            liar = world.liar("--lie", "deny")
            alice.ok("new-cohort alice 4")
            liar.ok("transfer 3 bob")
            liar.ok("transfer 7 bob")
            bob.cmd("checkpoint")
            self.named(world, "denies transfer 2 of 7 to bob that it signed")
            self.assertEqual(world.rows()["bob"]["balance"], str(OPENING + 10))

    def test_invents_a_transfer_that_was_not_sent(self):
        with LyingWorld() as world:
            alice, bob, _ = world.honest()
            liar = world.liar("--lie", "invent")
            alice.ok("new-cohort alice 4")
            bob.ok("transfer 3 mallory")
            liar.cmd("checkpoint")
            self.named(world, "claims transfer 2 of bob that it cannot prove")


if __name__ == "__main__":
    unittest.main()
