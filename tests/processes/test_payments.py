"""Services and their tokens, bills, loans, settings and reports."""

import datetime
import re
import unittest

from harness import World
from programs import parse_answers, run_program


def table(answer):
    return "\n".join(answer.lines)


def token_of(answer):
    return re.search(r"^token (\d{16})$", table(answer), re.MULTILINE).group(1)


class ServicesAndBills(unittest.TestCase):
    def test_what_there_is_from_the_start(self):
        with World() as world:
            alice = world.customer("alice")
            for program in (world.bank, alice):
                services = program.expect("SUCCESS services 5", "services").lines
                self.assertEqual(services, ["Electricity", "Data", "Airtime", "Water", "Gaming"])
                bills = program.expect("SUCCESS bills 5", "bills").lines
                self.assertEqual(bills, ["Netflix", "Internet", "Insurance", "Gym", "Rent"])

    def test_a_service_gives_a_token_once_it_is_settled(self):
        with World() as world:
            alice = world.customer("alice", opening="1000")
            tokens = set()
            for number, service in enumerate(("Electricity", "Data", "Airtime", "Water", "Gaming")):
                answer = alice.expect(
                    f"SUCCESS pay {service} amount 10 order {number + 1} settled balance "
                    f"{990 - 10 * number}",
                    f"pay {service} 10",
                )
                tokens.add(token_of(answer))
            self.assertEqual(len(tokens), 5)
            rows = alice.expect("SUCCESS tokens 5", "tokens").lines[1:]
            listed = {"".join(row.split()[-4:]) for row in rows}
            self.assertEqual(listed, tokens)
            self.assertEqual(world.bank.ok("tokens alice").lines[1:], rows)
            world.audit_adds_up(balances="950", bank="50", expected="1000")

    def test_in_a_cohort_the_command_takes_the_checkpoint_that_the_token_needs(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", opening="1000")
            bob.ok("transfer 5 alice")
            answer = alice.ok("pay Electricity 100")
            self.assertIn(" settled balance 905", answer.first)
            token = token_of(answer)
            # The checkpoint covers what was received before, so bob took part.
            self.assertEqual(world.rows()["bob"]["balance"], "995")
            alice.ok("rollback")
            alice.expect("SUCCESS balance 905", "balance")
            self.assertIn(token, "".join(table(alice.ok("tokens")).split()))
            world.audit_adds_up(balances="1900", bank="100", expected="2000")

    def test_no_token_is_shown_before_it_is_settled(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", opening="1000")
            bob.ok("transfer 5 alice")
            bob.kill()  # no checkpoint can come about without it
            answer = alice.cmd("pay Electricity 100")
            self.assertIn(" pending balance 905", answer.first)
            self.assertNotRegex(str(answer), r"\d{16}")
            alice.expect("SUCCESS tokens 0", "tokens")
            bob = world.resume("bob")
            alice.ok("checkpoint")
            alice.expect("SUCCESS tokens 1", "tokens")

    def test_a_bill_is_pending_in_a_cohort(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob", opening="100")
            alice.expect(
                "SUCCESS pay Netflix amount 15.99 order 1 pending balance 84.01",
                "pay Netflix 15.99",
            )
            alice.ok("rollback")
            alice.expect("SUCCESS balance 100", "balance")
            alice.ok("pay Rent 60")
            alice.ok("checkpoint")
            world.audit_adds_up(balances="140", bank="60", expected="200")

    def test_what_cannot_be_paid_changes_nothing(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.refuses("unknown-biller", "pay Nobody 10")
            answer = alice.refuses("overdraft", "pay Rent 150")
            self.assertIn("50 short", answer.text)
            for amount in ("0", "-5", "1.999", "much", "1000000000000001"):
                alice.refuses("bad-amount", f"pay Rent {amount}")
            alice.refuses("usage", "pay Rent")
            alice.expect("SUCCESS balance 100", "balance")
            world.audit_adds_up(balances="100", expected="100")

    def test_the_operator_adds_and_removes_billers(self):
        with World() as world:
            bank = world.bank
            bank.expect("SUCCESS add-biller Parking", "add-biller Parking service")
            bank.expect("SUCCESS add-biller Club", "add-biller Club bill")
            bank.refuses("biller-exists", "add-biller parking bill")
            bank.refuses("bad-biller", 'add-biller "two words" bill')
            bank.refuses("usage", "add-biller Garage house")
            alice = world.customer("alice", opening="100")
            token_of(alice.ok("pay Parking 5"))
            alice.ok("pay Club 5")
            bank.ok("remove-biller Club")
            bank.refuses("unknown-biller", "remove-biller Club")
            alice.refuses("unknown-biller", "pay Club 5")
            alice.expect("SUCCESS services 6", "services")
            world.audit_adds_up(balances="90", bank="10", expected="100")


class Loans(unittest.TestCase):
    def test_the_schedule_to_the_cent(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            answer = alice.expect(
                "SUCCESS loan 1 amount 10000 months 12 settled balance 10000", "loan 10000 12"
            )
            self.assertIn("instalment 888.49 a month, 12.00 % a year", table(answer))
            answer = alice.expect("SUCCESS schedule 1 instalment 888.49 remaining 12", "schedule 1")
            rows = [line.split() for line in answer.lines[1:]]
            # Ten thousand at one percent a month, as any table of annuities has it.
            self.assertEqual(rows[0][2:], ["888.49", "100", "788.49", "9211.51"])
            self.assertEqual(rows[1][2:], ["888.49", "92.12", "796.37", "8415.14"])
            self.assertEqual(rows[11][5], "0")
            principal = sum(round(float(row[4]) * 100) for row in rows)
            self.assertEqual(principal, 1_000_000)
            self.assertLess(abs(float(rows[11][2]) - 888.49), 0.12)
            for number, row in enumerate(rows, 1):
                self.assertEqual(int(row[0]), number)
                datetime.date.fromisoformat(row[1])
            world.audit_adds_up(balances="10000", bank="-10000", expected="0")

    def test_without_interest_the_instalments_are_equal_parts(self):
        with World() as world:
            world.bank.ok("set loan-rate 0")
            alice = world.customer("alice", opening="0")
            alice.ok("loan 1000 3")
            payments = [line.split()[2] for line in alice.ok("schedule 1").lines[1:]]
            self.assertEqual(payments, ["333.33", "333.33", "333.34"])

    def test_partial_and_early_repayment_until_it_is_repaid(self):
        with World() as world:
            alice = world.customer("alice", opening="500")
            alice.ok("loan 1000 12")
            self.assertRegex(alice.ok("loans").lines[1], r" active ")
            answer = alice.expect(
                "SUCCESS repay 1 amount 200 order 2 settled balance 1300", "repay 1 200"
            )
            self.assertIn("810 would end it now", table(answer))
            alice.refuses("too-much", "repay 1 810.01")
            answer = alice.ok("repay 1 810")
            self.assertIn("the loan is repaid", table(answer))
            self.assertRegex(alice.ok("loans").lines[1], r" repaid ")
            alice.refuses("repaid", "repay 1 1")
            alice.expect("SUCCESS balance 490", "balance")
            # The interest is the bank's.
            world.audit_adds_up(balances="490", bank="10", expected="500")

    def test_many_loans_show_the_open_ones_first(self):
        with World() as world:
            alice = world.customer("alice", opening="1000")
            alice.ok("loan 1000 12")
            for _ in range(101):
                number = re.match(r"loan (\d+) ", alice.ok("loan 100 1").text).group(1)
                alice.ok(f"repay {number} 101")
            for answer in (alice.ok("loans"), world.bank.ok("loans")):
                self.assertEqual(answer.text, "loans 102")
                rows = [line for line in answer.lines if re.match(r" *\d+ +alice ", line)]
                self.assertEqual(len(rows), 100)
                self.assertRegex(rows[0], r"^ *1 .* active ")
                self.assertRegex(rows[1], rf"^ *{number} .* repaid ")
                self.assertEqual(answer.lines[-1].strip(), "and 2 more, all repaid")

    def test_in_a_cohort_a_rollback_cancels_loan_and_repayment(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob", opening="100")
            alice.ok("loan 1000 12")
            self.assertRegex(alice.ok("loans").lines[1], r" pending ")
            alice.ok("rollback")
            alice.expect("SUCCESS loans 0", "loans")
            alice.expect("SUCCESS balance 100", "balance")
            alice.ok("loan 1000 12")
            alice.ok("checkpoint")
            number = alice.ok("loans").lines[1].split()[0]
            alice.ok(f"repay {number} 500")
            alice.ok("rollback")
            alice.expect("SUCCESS balance 1100", "balance")
            self.assertRegex(alice.ok("loans").lines[1], r" 1000 +1010 +0$")
            world.audit_adds_up(balances="1200", bank="-1000", expected="200")

    def test_what_cannot_be_lent_or_repaid(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            for code, line in (
                ("loan-limit", "loan 99.99 12"),
                ("loan-limit", "loan 1000000.01 12"),
                ("loan-limit", "loan 1000 361"),
                ("bad-months", "loan 1000 0"),
                ("bad-months", "loan 1000 -1"),
                ("bad-months", "loan 1000 1.5"),
                ("bad-amount", "loan 0 12"),
                ("bad-amount", "loan -1000 12"),
                ("usage", "loan 1000"),
                ("unknown-loan", "repay 1 10"),
                ("unknown-loan", "repay one 10"),
                ("unknown-loan", "schedule 1"),
                ("usage", "repay 1"),
            ):
                with self.subTest(line=line):
                    alice.refuses(code, line)
            for _ in range(3):
                alice.ok("loan 100 1")
            alice.refuses("loan-limit", "loan 100 1")
            alice.ok("withdrawal 300")
            answer = alice.refuses("overdraft", "repay 1 50")
            self.assertIn("50 short", answer.text)
            bob = world.customer("bob", opening="500")
            bob.refuses("unknown-loan", "repay 1 50")
            bob.refuses("unknown-loan", "schedule 1")

    def test_the_operator_sets_rate_and_limits(self):
        with World() as world:
            bank = world.bank
            bank.ok("set loan-rate 5.5")
            bank.ok("set loan-most 500")
            bank.ok("set open-loans 1")
            alice = world.customer("alice", opening="0")
            alice.refuses("loan-limit", "loan 501 12")
            self.assertIn("5.50 % a year", table(alice.ok("loan 500 12")))
            alice.refuses("loan-limit", "loan 100 12")
            # What was agreed stays.
            bank.ok("set loan-rate 20")
            self.assertRegex(alice.ok("loans").lines[1], r" 5\.50 % ")
            for line in ("loan-rate -1", "loan-rate 101", "loan-rate much", "loan-most -1",
                         "open-loans x", "currency toolong"):  # fmt: skip
                bank.refuses("bad-setting", f"set {line}")
            bank.refuses("unknown-setting", "set colour blue")
            bank.refuses("usage", "set loan-rate")


class Settings(unittest.TestCase):
    def test_the_starting_balance_of_accounts_that_are_opened_without_one(self):
        with World() as world:
            world.bank.ok("set starting-balance 1000000")
            alice = world.customer("alice")
            alice.expect("SUCCESS open alice balance 1000000", "open alice")
            world.audit_adds_up(balances="1000000", expected="1000000")

    def test_settings_survive_kill_9(self):
        with World() as world:
            world.bank.ok("set currency R")
            world.bank.ok("set loan-rate 7.25")
            before = world.bank.ok("settings").lines
            world.bank.kill()
            world.restart_bank()
            self.assertEqual(world.bank.ok("settings").lines, before)
            self.assertRegex(table(world.bank.ok("settings")), r"currency +R ")

    def test_amounts_are_plain_for_scripts_whatever_the_currency(self):
        with World() as world:
            world.bank.ok("set currency R")
            alice = world.customer("alice", opening="1234567.50")
            alice.expect("SUCCESS balance 1234567.50", "balance")
            self.assertIn("1234567.50", table(alice.ok("statement")))


class Reports(unittest.TestCase):
    def busy_day(self, world):
        bank = world.bank
        bank.ok('add-product lamp "Desk lamp" 250 10 home,light')
        bank.ok("add-product pen Pen 1.50 100 office")
        bank.ok("add-product cup Cup 4 2 home")
        alice = world.customer("alice", opening="1000")
        bob = world.customer("bob", opening="1000")
        alice.ok("buy lamp 2")
        bob.ok("buy pen 10")
        bob.ok("pay Electricity 100")
        bob.ok("pay Netflix 15.50")
        alice.ok("loan 500 10")

    EXPECTED = (
        ("customers", "accounts", "2", ""),
        ("customers", "unique names", "2", ""),
        ("sales", "shop", "12", "515"),
        ("sales", "billers", "2", "115.50"),
        ("lowest stock", "cup Cup", "2", "4"),
        ("sales by product", "lamp", "2", "500"),
        ("sales by product", "pen", "10", "15"),
        ("sales by category", "home", "2", "500"),
        ("sales by category", "light", "2", "500"),
        ("sales by category", "office", "10", "15"),
        ("sales by biller", "Electricity", "1", "100"),
        ("sales by biller", "Netflix", "1", "15.50"),
        ("money", "customers", "2", "1869.50"),
        ("money", "bank: shop", "", "515"),
        ("money", "bank: loans", "", "-500"),
        ("loans", "outstanding", "1", "500"),
        ("loans", "late", "0", ""),
    )

    def test_as_a_table_and_as_csv(self):
        with World() as world:
            self.busy_day(world)
            text = table(world.bank.ok("report"))
            lines = world.bank.ok("report --csv").lines
            self.assertEqual(lines[0], "section,name,quantity,amount")
            for row in self.EXPECTED:
                self.assertRegex(text, r"(?m)^" + " +".join(filter(None, row)) + "$")
                self.assertIn(",".join(row), lines)
            world.audit_adds_up()

    def test_as_json(self):
        with World(flags=("--json",)) as world:
            world.bank.cmd("add-product pen Pen 1.50 100 office")
            alice = world.customer("alice", opening="1000")
            alice.ok("buy pen 2")
            report = world.bank.cmd("report")
            self.assertEqual((report["customers"], report["total_sales"]), (1, 3))
            entries = {(e["section"], e["name"]): e for e in report["entries"]}
            self.assertEqual(entries["sales by product", "pen"]["amount"], 3)
            self.assertEqual(world.bank.cmd("audit")["difference"], 0)

    def test_of_a_period(self):
        with World() as world:
            self.busy_day(world)
            today = datetime.datetime.now(datetime.timezone.utc).date()
            day = datetime.timedelta(days=1)
            inside = table(world.bank.ok(f"report --from {today - day} --to {today + day}"))
            self.assertRegex(inside, r"(?m)^sales +shop +12 +515$")
            outside = table(world.bank.ok("report --from 2020-01-01 --to 2020-12-31"))
            self.assertRegex(outside, r"(?m)^sales +shop +0 +0$")
            for flags in ("--from x", "--to 2026-13-01", "--from 2026-02-02 --to 2026-01-01"):
                world.bank.refuses("bad-date", f"report {flags}")
            world.bank.refuses("usage", "report everything")

    def test_what_was_rolled_back_is_no_sale(self):
        with World() as world:
            world.bank.ok("add-product pen Pen 1.50 100 office")
            alice, _ = world.cohort("alice", "bob")
            alice.ok("buy pen 2")
            alice.ok("rollback")
            alice.ok("checkpoint")
            self.assertRegex(table(world.bank.ok("report")), r"(?m)^sales +shop +0 +0$")


class Console(unittest.TestCase):
    def test_help_of_a_command_has_an_example_that_is_understood(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            for program in (world.bank, alice):
                shown = table(program.ok("help"))
                verbs = re.findall(r"(?m)^  ([a-z][a-z-]+)(?: |$)", shown)
                self.assertGreater(len(verbs), 30)
                for verb in verbs:
                    lines = program.ok(f"help {verb}").lines
                    self.assertRegex(lines[-1], rf"^ +for example: {verb}( |$)")
                program.refuses("unknown-command|usage", "help nothing")

    def test_did_you_mean(self):
        with World() as world:
            alice = world.customer("alice")
            for program, typed, meant in (
                (alice, "purchase", "purchases"),
                (alice, "blance", "balance"),
                (world.bank, "prodcuts", "products"),
            ):
                answer = program.refuses("unknown-command", typed)
                self.assertIn(f"did you mean `{meant}`?", answer.text)

    def test_the_menu_needs_a_terminal(self):
        with World() as world:
            world.bank.refuses("no-terminal", "menu")
            world.customer("alice").refuses("no-terminal", "menu")

    def test_all_of_it_from_a_pipe(self):
        with World() as world:
            script = (
                "open alice 1000\npay Electricity 10\nloan 500 10\nrepay 2 5\nloans\n"
                "statement --csv\nbuy pen 1\n"
            )
            status, out, _ = run_program(
                "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
                "--state", world.state, stdin=script,
            )  # fmt: skip
            answers = parse_answers(out)
            self.assertEqual(len(answers), 7)
            self.assertTrue(all(answer.ok for answer in answers[:6]), out)
            self.assertEqual(answers[6].code, "unknown-product")
            self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main()
