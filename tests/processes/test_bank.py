"""The commands at the bank's prompt, one by one, and their answers."""

import unittest

from harness import HEADER, World, free_udp_port
from programs import run_program


class Starting(unittest.TestCase):
    def test_a_missing_file_is_created_with_the_header(self):
        with World() as world:  # its folder did not exist either
            self.assertEqual(world.data.read_text(), HEADER + "\n")

    def test_the_port_is_prompted_for_on_standard_error_and_read_from_a_pipe(self):
        with World(start=False) as world:
            port = free_udp_port(8500, 8999)
            status, out, err = run_program(
                "bank", "--data", world.data, stdin=f"{port}\ncustomers\n"
            )
            self.assertEqual(status, 0)
            self.assertEqual(out, "SUCCESS customers 0\n")
            self.assertIn("Port (8500-8999): ", err)
            self.assertIn(f"ready on port {port}", err)

    def test_a_port_outside_the_range_is_asked_for_again(self):
        with World(start=False) as world:
            port = free_udp_port(8500, 8999)
            for bad in ("80", "9000", "8499", "abc", "", "-1", "8500 1", "99999999999999999999"):
                status, out, err = run_program(
                    "bank", "--data", world.data, stdin=f"{bad}\n{port}\nquit\n"
                )
                self.assertEqual((status, out), (0, "SUCCESS quit\n"), bad)
                self.assertEqual(err.count("Port (8500-8999): "), 2, bad)

    def test_input_that_ends_before_a_port_is_wrong_usage(self):
        with World(start=False) as world:
            status, out, err = run_program("bank", "--data", world.data, stdin="80\n")
            self.assertEqual((status, out), (2, ""))

    def test_a_port_outside_the_range_as_a_flag_is_wrong_usage(self):
        with World(start=False) as world:
            for bad in ("80", "9000", "0", "-1", "abc", "65536", "8500x", ""):
                status, out, err = run_program("bank", "--port", bad, "--data", world.data)
                self.assertEqual((status, out), (2, ""), bad)
                self.assertNotEqual(err, "")

    def test_any_port_lifts_the_range(self):
        with World(start=False) as world:
            bank = world.start_bank(port=free_udp_port())
            self.assertEqual(bank.command[2], str(bank.port))

    def test_unknown_flags_and_words_are_wrong_usage(self):
        with World(start=False) as world:
            for words in (["--prot", "8500"], ["8500"], ["--port"], ["--port", "8500", "extra"]):
                status, out, _ = run_program("bank", *words, cwd=world.folder)
                self.assertEqual((status, out), (2, ""), words)

    def test_help_is_not_an_error(self):
        status, out, err = run_program("bank", "--help")
        self.assertEqual(status, 0)
        for flag in ("--port", "--any-port", "--data", "--json", "--trace", "--serve"):
            self.assertIn(flag, out + err)


class TheOperator(unittest.TestCase):
    def test_opens_an_account_for_a_program_that_listens(self):
        with World() as world:
            alice = world.customer("alice")
            port1, port2 = alice.ports
            world.bank.expect(
                "SUCCESS open alice balance 70.50", f"open alice 70.50 127.0.0.1 {port1} {port2}"
            )
            self.assertEqual(world.rows()["alice"]["balance"], "70.50")

    def test_opens_an_account_whose_program_comes_later(self):
        with World() as world:
            port1, port2 = free_udp_port(), free_udp_port()
            world.bank.expect(
                "SUCCESS open alice balance 70", f"open alice 70 127.0.0.1 {port1} {port2}"
            )
            alice = world.customer("alice", ports=(port1, port2), resume=True)
            alice.becomes("SUCCESS balance 70", "balance")
            alice.expect("SUCCESS deposit 5 balance 75", "deposit 5")

    def test_makes_and_ends_a_cohort_for_a_customer(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            bob = world.customer("bob", opening="50")
            answer = world.bank.ok("new-cohort alice 2")
            self.assertRegex(answer.text, r"^new-cohort \S+ members alice, bob$")
            alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
            name = world.rows()["alice"]["cohort"]
            self.assertNotEqual(name, "")
            self.assertEqual(world.rows()["bob"]["cohort"], name)
            world.bank.expect(
                f"SUCCESS delete-cohort {name} members alice, bob", "delete-cohort bob"
            )
            self.assertEqual(world.rows()["alice"]["cohort"], "")
            self.assertEqual(world.rows()["bob"]["balance"], "60")
            bob.refuses("not-in-cohort", "transfer 1 alice")

    def test_closes_an_account_for_a_customer(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 20")
            world.bank.expect("SUCCESS exit alice balance 120", "exit alice")
            alice.wait_end()
            self.assertEqual(world.rows()["alice"]["exit_state"], "exited")
            world.bank.refuses("exited", "exit alice")

    def test_cannot_act_for_somebody_who_does_not_exist(self):
        with World() as world:
            world.bank.refuses("unknown-customer", "exit alice")
            world.bank.refuses("unknown-customer", "new-cohort alice 2")
            world.bank.refuses("unknown-customer", "delete-cohort alice")
            world.bank.refuses("unknown-customer", "delete-cohort alice --force")

    def test_a_second_account_of_a_name_is_refused(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            world.bank.refuses("name-taken", "open alice 5 127.0.0.1 4001 4002")
            self.assertEqual(world.rows()["alice"]["balance"], "100")
            self.assertTrue(alice.running)

    def test_cannot_exit_a_member_of_a_cohort(self):
        with World() as world:
            world.cohort("alice", "bob")
            world.bank.refuses("in-cohort", "exit alice")
            self.assertEqual(world.rows()["alice"]["exit_state"], "active")


class Tables(unittest.TestCase):
    def test_customers_lists_every_account(self):
        with World() as world:
            world.bank.expect("SUCCESS customers 0", "customers")
            world.customer("alice", opening="100")
            bob = world.customer("bob", opening="0.05")
            bob.type("exit")
            bob.wait_end()
            answer = world.bank.expect("SUCCESS customers 2", "customers")
            text = "\n".join(answer.lines)
            self.assertRegex(text, r"alice\s.*100.*active")
            self.assertRegex(text, r"bob\s.*0\.05.*exited")

    def test_cohorts_lists_cohorts_with_their_members(self):
        with World() as world:
            world.bank.expect("SUCCESS cohorts 0", "cohorts")
            world.cohort("alice", "bob")
            answer = world.bank.expect("SUCCESS cohorts 1", "cohorts")
            self.assertIn("alice, bob", "\n".join(answer.lines))

    def test_audit_of_an_empty_bank_adds_up(self):
        with World() as world:
            world.bank.expect(
                "SUCCESS audit balances 0 in-transit 0 expected 0 difference 0", "audit"
            )

    def test_audit_shows_the_last_cut_and_beside_it_what_is_reported_now(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("lost-transfer 10 bob")
            answer = world.bank.ok("audit")
            self.assertEqual(
                answer.first, "SUCCESS audit balances 200 in-transit 0 expected 200 difference 0"
            )
            now = "\n".join(answer.lines)
            self.assertIn("not a cut", now)
            self.assertRegex(now, r"alice.*bob.*10|190")

    def test_audit_names_the_channels_with_money_in_transit(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("lost-transfer 10 bob")
            alice.ok("checkpoint")
            answer = world.bank.ok("audit")
            self.assertEqual(
                answer.first, "SUCCESS audit balances 190 in-transit 10 expected 200 difference 0"
            )
            self.assertRegex("\n".join(answer.lines), r"alice.*bob.*10")

    def test_deposits_and_withdrawals_are_expected_by_the_audit(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob")
            alice.ok("deposit 50")
            alice.ok("withdrawal 5.50")
            alice.ok("checkpoint")
            world.audit_adds_up(balances="244.50", expected="244.50", in_transit="0")

    def test_help_names_every_command(self):
        with World() as world:
            text = "\n".join(world.bank.expect("SUCCESS help", "help").lines)
            for (
                command
            ) in "open exit new-cohort delete-cohort customers cohorts audit help quit".split():
                self.assertIn(command, text)

    def test_quit_ends_the_bank_and_keeps_everything(self):
        with World() as world:
            world.customer("alice", opening="100")
            self.assertEqual(world.bank.answer(world.bank.type("quit")).first, "SUCCESS quit")
            world.bank.wait_end()
            world.restart_bank()
            world.bank.expect("SUCCESS customers 1", "customers")


if __name__ == "__main__":
    unittest.main()
