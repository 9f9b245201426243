"""What an account offers beside transfers: notes, statements, activity, closing."""

import datetime
import json
import re
import unittest

from harness import World

TODAY = datetime.datetime.now(datetime.timezone.utc).date


def table(answer):
    return "\n".join(answer.lines)


class Notes(unittest.TestCase):
    def test_deposit_and_withdrawal_with_a_description(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.expect(
                "SUCCESS deposit 50 balance 150", 'deposit 50 --note "Grüße aus Köln, 50 €"'
            )
            alice.expect("SUCCESS withdrawal 20 balance 130", "withdrawal 20 --note rent")
            for line in ("statement", "history"):
                text = table(alice.ok(line))
                self.assertIn("Grüße aus Köln, 50 €", text)
                self.assertIn("rent", text)
            alice.ok("checkpoint")
            self.assertIn("Grüße aus Köln, 50 €", table(world.bank.ok("statement alice")))

    def test_a_description_that_is_none_is_refused(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.refuses("bad-text", 'deposit 1 --note "bell \x07"')
            alice.refuses("bad-text", 'deposit 1 --note "\x1b[2J"')
            alice.refuses("usage", "deposit 1 --note")
            alice.refuses("usage", "deposit 1 --note two words")
            alice.refuses("usage|bad-text", 'deposit 1 --note "no end')
            answer = alice.cmd('deposit 1 --note "' + "x" * 900 + '"')
            self.assertEqual(answer.outcome, "FAILURE")
            alice.expect("SUCCESS balance 100", "balance")

    def test_an_overdraft_is_refused_with_the_shortfall(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            answer = alice.refuses("overdraft", "withdrawal 130.50")
            self.assertIn("the balance is 100, 30.50 short; nothing was changed", answer.text)


class Statements(unittest.TestCase):
    def test_the_running_balance(self):
        with World() as world:
            world.bank.ok("add-product pen Pen 1.50 100 office")
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 10")
            alice.ok("withdrawal 5")
            alice.ok("buy pen 2")
            alice.ok("pay Netflix 7")
            expected = ["100 100", "10 110", "-5 105", "-3 102", "-7 95"]
            for program, line in ((alice, "statement"), (world.bank, "statement alice")):
                rows = program.ok(line).lines[1:]
                found = [re.search(r"(-?[\d.]+) +(-?[\d.]+) +settled", row) for row in rows]
                self.assertEqual([" ".join(match.groups()) for match in found], expected)
                self.assertEqual(len(program.ok(f"{line} --last 2").lines), 3)
                self.assertIn("95", program.ok(line.replace("statement", "last")).first
                              + table(program.ok(line.replace("statement", "last"))))  # fmt: skip

    def test_of_a_period(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 10")
            alice.ok("checkpoint")
            today = TODAY()
            day = datetime.timedelta(days=1)
            for program, line in ((alice, "statement"), (world.bank, "statement alice")):
                for flags, count in (
                    (f"--from {today - day} --to {today + day}", 2),
                    (f"--from {today - day}", 2),
                    (f"--to {today + day}", 2),
                    (f"--from {today + 2 * day}", 0),
                    ("--to 2020-12-31", 0),
                    ("--from 2020-01-01 --to 2020-12-31", 0),
                ):
                    answer = program.ok(f"{line} {flags}")
                    self.assertTrue(answer.first.endswith(f" {count}"), str(answer))
                for flags, code in (
                    ("--from yesterday", "bad-date"),
                    ("--from 2026-02-30", "bad-date"),
                    ("--from 2026-12-01 --to 2026-11-01", "bad-date"),
                    ("--last 0", "usage|bad-count"),
                    ("--last -1", "usage|bad-count"),
                    ("--last", "usage"),
                    ("--first 3", "usage"),
                ):
                    program.refuses(code, f"{line} {flags}")

    def test_as_csv(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok('deposit 10 --note "one, two"')
            alice.ok("checkpoint")
            for program, line in ((alice, "statement"), (world.bank, "statement alice")):
                lines = program.ok(f"{line} --csv").lines
                self.assertTrue(lines[0].startswith("date,"), lines)
                self.assertTrue(lines[2].endswith(',10,110,settled,"one, two"'), lines)

    def test_as_json(self):
        with World(flags=("--json",)) as world:
            alice = world.customer("alice", flags=("--json",))
            alice.cmd("open alice 100")
            alice.cmd("deposit 10.50 --note tip")
            alice.cmd("checkpoint")
            for program, line in ((alice, "statement"), (world.bank, "statement alice")):
                answer = program.cmd(line)
                self.assertEqual(answer["count"], 2)
                entry = answer["entries"][1]
                self.assertEqual(
                    (entry["amount"], entry["balance"], entry["state"], entry["note"]),
                    (10.50, 110.50, "settled", "tip"),
                )
            self.assertEqual(len(alice.cmd("activity")["entries"]), 2)
            self.assertEqual(alice.cmd("last")["balance"], 110.50)
            overdraft = alice.cmd("withdrawal 1000")
            self.assertEqual((overdraft["result"], overdraft["code"]), ("FAILURE", "overdraft"))

    def test_one_command_as_json(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok('deposit 10.50 --note "one \\"two\\""')
            alice.ok("checkpoint")
            for program, line in ((alice, "statement"), (world.bank, "statement alice")):
                rows = [json.loads(row) for row in program.ok(f"{line} --json").lines]
                self.assertEqual([row["balance"] for row in rows], [100, 110.50])
                self.assertEqual(rows[1]["note"], 'one "two"')
                program.refuses("usage", f"{line} --json --csv")
            world.bank.refuses("usage", "report --csv --json")
            rows = [json.loads(row) for row in world.bank.ok("report --json").lines]
            self.assertIn("customers", {row["section"] for row in rows})

    def test_the_statement_of_nobody(self):
        with World() as world:
            world.bank.refuses("unknown-customer", "statement alice")
            world.bank.refuses("usage", "statement")
            world.customer("alice").refuses("no-account", "statement")


class Activity(unittest.TestCase):
    def test_pending_settled_and_rolled_back_can_be_told_apart(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("deposit 1 --note settles")
            alice.ok("checkpoint")
            alice.ok("deposit 2 --note undone")
            alice.ok("transfer 3 bob")
            alice.ok("rollback")
            alice.ok("deposit 4 --note waits")
            alice.ok("pay Netflix 5")
            states = {}
            for line in alice.ok("statement").lines[1:]:
                note = line.split()[-1]
                states[note] = next(
                    s for s in ("rolled back", "settled", "pending") if f" {s}" in line
                )
            self.assertEqual(
                {note: states[note] for note in ("settles", "undone", "waits")},
                {"settles": "settled", "undone": "rolled back", "waits": "pending"},
            )
            self.assertRegex(table(alice.ok("activity")), r"pending: order 1, Netflix, -5, since")
            alice.ok("checkpoint")
            for program, line in ((alice, "activity"), (world.bank, "activity alice")):
                text = table(program.ok(line))
                self.assertRegex(text, r"deposit .* 1 +101 +settled +settles")
                self.assertRegex(text, r"deposit .* 2 +103 +rolled back +undone")
                self.assertRegex(text, r"sent .*bob.* -3 +100 +rolled back")
                self.assertRegex(text, r"payment +Netflix #1 +-5 +\S+ +settled")
            bob.becomes("SUCCESS balance 100", "balance")

    def test_it_survives_kill_9_of_the_bank(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 1 --note one")
            alice.ok("checkpoint")
            before = world.bank.ok("activity alice").lines
            world.bank.kill()
            world.restart_bank()
            self.assertEqual(world.bank.ok("activity alice").lines, before)


class Closing(unittest.TestCase):
    def test_an_empty_account_can_be_closed(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            answer = alice.refuses("has-balance", "close")
            self.assertIn("100", answer.text)
            alice.ok("withdrawal 100")
            ticket = alice.type("close")
            self.assertTrue(alice.answer(ticket).ok)
            alice.wait_end()
            self.assertEqual(world.rows()["alice"]["exit_state"], "exited")

    def test_not_in_a_cohort(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob", opening="0")
            answer = alice.refuses("in-cohort", "close")
            self.assertIn("cohort-1", answer.text)
            world.bank.refuses("in-cohort", "close alice")

    def test_not_with_an_open_loan(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            alice.ok("loan 100 1")
            alice.ok("withdrawal 100")
            for line in ("close", "exit"):
                answer = alice.refuses("open-loan", line)
                self.assertIn("1 open loan", answer.text)
            world.bank.refuses("open-loan", "close alice")
            alice.ok("deposit 101")
            alice.ok("repay 1 101")
            alice.type("close")
            alice.wait_end()
            self.assertEqual(world.rows()["alice"]["exit_state"], "exited")
            world.audit_adds_up()

    def test_at_the_banks_console(self):
        with World() as world:
            world.customer("alice", opening="5")
            world.bank.refuses("has-balance", "close alice")
            world.bank.refuses("unknown-customer", "close bob")
            world.customers["alice"].ok("withdrawal 5")
            world.bank.ok("close alice")
            self.assertEqual(world.rows()["alice"]["exit_state"], "exited")

    def test_nobody_closes_the_account_of_somebody_else(self):
        with World() as world:
            world.customer("bob", opening="0")
            alice = world.customer("alice", opening="0")
            alice.refuses("not-allowed", "close bob")
            self.assertEqual(world.rows()["bob"]["exit_state"], "active")


if __name__ == "__main__":
    unittest.main()
