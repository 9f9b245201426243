"""Scripts that use the programs: pipes, exit statuses, prompts, JSON, --serve; and a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import time
import unittest

from harness import World, free_udp_port
from programs import BIN, START_DEADLINE_S, Program, parse_answers, run_program


def customer(world, script, *flags):
    return run_program(
        "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
        "--state", world.state, *flags, stdin=script,
    )  # fmt: skip


class Pipes(unittest.TestCase):
    def test_answers_and_nothing_else_on_standard_output(self):
        with World() as world:
            status, out, err = customer(world, "open alice 100\ndeposit 50\nbalance\n")
            self.assertEqual(
                out,
                "SUCCESS open alice balance 100\n"
                "SUCCESS deposit 50 balance 150\n"
                "SUCCESS balance 150\n",
            )
            self.assertEqual(status, 0)
            self.assertRegex(err, r"ready on ports \d+ \d+")

    def test_a_last_line_without_newline_counts(self):
        with World() as world:
            status, out, _ = customer(world, "open alice 100\nbalance")
            self.assertEqual(out, "SUCCESS open alice balance 100\nSUCCESS balance 100\n")

    def test_status_1_when_a_command_failed(self):
        with World() as world:
            status, out, _ = customer(world, "open alice 100\nwithdrawal 500\nbalance\n")
            self.assertEqual(status, 1)
            self.assertEqual(
                [a.outcome for a in parse_answers(out)], ["SUCCESS", "FAILURE", "SUCCESS"]
            )

    def test_status_0_for_no_command_at_all(self):
        with World() as world:
            self.assertEqual(customer(world, "")[:2], (0, ""))
            status, out, _ = run_program(
                "bank", "--any-port", "--port", 0, "--data", world.folder / "other.csv", stdin=""
            )
            self.assertEqual((status, out), (0, ""))

    def test_the_account_waits_for_the_next_run(self):
        with World() as world:
            self.assertEqual(customer(world, "open alice 100\ndeposit 1\n")[0], 0)
            row = world.rows()["alice"]
            status, out, err = run_program(
                "customer", "--bank", world.bank_address, "--port1", row["port1"],
                "--port2", row["port2"], "--state", world.state, "--name", "alice",
                stdin="balance\nexit\n",
            )  # fmt: skip
            self.assertEqual(out, "SUCCESS balance 101\nSUCCESS exit alice balance 101\n")
            self.assertEqual(status, 0)
            self.assertRegex(err, r"(?i)resum.*alice|alice.*resum")
            self.assertEqual(world.rows()["alice"]["exit_state"], "exited")

    def test_a_name_without_state_is_an_error_that_says_so(self):
        with World() as world:
            status, out, err = customer(world, "balance\n", "--name", "nobody")
            self.assertNotEqual(status, 0)
            self.assertIn("nobody", out + err)

    def test_an_account_can_be_resumed_on_other_ports(self):
        with World() as world:
            self.assertEqual(customer(world, "open alice 100\n")[0], 0)
            port1, port2 = free_udp_port(), free_udp_port()
            alice = world.customer("alice", ports=(port1, port2), resume=True)
            alice.expect("SUCCESS balance 100", "balance")
            bob = world.customer("bob", opening="100")
            alice.ok("new-cohort alice 2")
            bob.expect("SUCCESS transfer 1 to alice label 1 balance 99", "transfer 1 alice")
            row = world.rows()["alice"]
            self.assertEqual((row["port1"], row["port2"]), (str(port1), str(port2)))

    def test_all_that_is_missing_is_prompted_for_in_order(self):
        with World(start=False) as world:
            bank = world.start_bank(port=free_udp_port(8500, 8999))
            port1, port2 = free_udp_port(), free_udp_port()
            status, out, err = run_program(
                "customer",
                "--state",
                world.state,
                stdin=f"127.0.0.1\n{bank.port}\n{port1}\n{port2}\nopen alice 100\n",
            )
            self.assertEqual((status, out), (0, "SUCCESS open alice balance 100\n"))
            self.assertIn(f"ready on ports {port1} {port2}", err)
            row = world.rows()["alice"]
            self.assertEqual((row["port1"], row["port2"]), (str(port1), str(port2)))

    def test_only_what_is_missing_is_prompted_for(self):
        with World() as world:
            port2 = free_udp_port()
            status, out, err = run_program(
                "customer", "--bank", world.bank_address, "--port1", 0, "--state", world.state,
                stdin=f"not-a-port\n{port2}\nopen alice 5\n",
            )  # fmt: skip
            self.assertEqual((status, out), (0, "SUCCESS open alice balance 5\n"))
            self.assertRegex(err, rf"ready on ports \d+ {port2}")

    def test_the_bank_reads_commands_from_a_file(self):
        with World(start=False) as world:
            script = "open alice 100 127.0.0.1 4001 4002\nopen bob 5 127.0.0.1 4003 4004\naudit\n"
            status, out, _ = run_program(
                "bank", "--any-port", "--port", 0, "--data", world.data, stdin=script
            )
            self.assertEqual(status, 0)
            first = [answer.first for answer in parse_answers(out)]
            self.assertEqual(
                first[:2], ["SUCCESS open alice balance 100", "SUCCESS open bob balance 5"]
            )
            self.assertRegex(first[2], r"difference 0$")

    def test_a_bank_that_is_not_there_is_a_failure_and_status_1(self):
        with World() as world:
            world.bank.end()
            status, out, _ = customer(world, "open alice 100\n")
            (answer,) = parse_answers(out)
            self.assertEqual(
                (status, answer.outcome, answer.code), (1, "FAILURE", "bank-unreachable")
            )

    def test_money_that_arrives_is_told_on_standard_error_only(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            before = bob.output("|")
            alice.ok("transfer 10 bob")
            bob.wait_log(r"10\b.*alice|alice.*\b10\b")
            self.assertEqual(bob.output("|"), before)


class Serving(unittest.TestCase):
    def test_serve_goes_on_after_the_end_of_input_until_sigterm(self):
        with World() as world:
            bob = world.customer("bob", opening="100", flags=["--serve"])
            alice = world.customer("alice", opening="100")
            bob.close_input()
            alice.ok("new-cohort alice 2")
            alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
            self.assertTrue(bob.running)
            self.assertEqual(bob.terminate(), 1)  # one of what the harness typed failed
            bob = world.resume("bob")
            bob.expect("SUCCESS balance 110", "balance")
            bob.terminate()

    def test_a_serving_customer_without_a_failed_command_ends_with_status_0(self):
        with World() as world:
            for program, command in (
                ("customer", ["--bank", world.bank_address, "--port1", 0, "--port2", 0,
                              "--state", world.state]),
                ("bank", ["--any-port", "--port", 0, "--data", world.folder / "other.csv"]),
            ):  # fmt: skip
                serving = world.add(Program(program + "-2", [BIN / program, *command, "--serve"]))
                serving.wait_log(r"ready on port")
                serving.close_input()
                self.assertEqual(serving.terminate(), 0)

    def test_sigterm_and_sigint_keep_the_account(self):
        for sign in (signal.SIGTERM, signal.SIGINT):
            with World() as world:
                alice = world.customer("alice", opening="100")
                alice.ok("deposit 5")
                alice.process.send_signal(sign)
                self.assertIn(alice.wait_end(), (0, 1))
                alice = world.resume("alice")
                alice.expect("SUCCESS balance 105", "balance")
                world.bank.process.send_signal(sign)
                self.assertIn(world.bank.wait_end(), (0, 1))
                world.restart_bank().expect("SUCCESS customers 1", "customers")


class Json(unittest.TestCase):
    def test_one_object_a_line_with_the_same_facts(self):
        with World(flags=["--json"]) as world:
            script = "open alice 100.50\nwithdrawal 500\nbalance\nhelp\nstatus\n"
            status, out, _ = customer(world, script, "--json")
            self.assertEqual(status, 1)
            objects = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(
                [o["result"] for o in objects],
                ["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"],
            )
            self.assertEqual(objects[1]["code"], "overdraft")
            self.assertEqual(str(objects[2]["balance"]), "100.5")
            answer = world.bank.cmd("audit")
            self.assertEqual(answer["difference"], 0)
            customers = world.bank.cmd("customers")
            self.assertIn("alice", json.dumps(customers))

    def test_odd_bytes_are_still_json(self):
        with World() as world:
            status, out, _ = customer(world, b'\xff\xfe "\\ \x01\ndeposit "\xc3\x28"\n', "--json")
            self.assertEqual(status, 1)
            self.assertEqual([json.loads(o)["result"] for o in out.splitlines()], ["FAILURE"] * 2)


class Terminal(unittest.TestCase):
    """On a terminal there are prompts, editing and completion."""

    def setUp(self):
        self.screen = b""
        self.terminal = None

    def start(self, world, command):
        main, side = pty.openpty()
        self.addCleanup(os.close, main)
        self.terminal = main
        process = subprocess.Popen(
            [str(word) for word in command], stdin=side, stdout=side, stderr=side,
            start_new_session=True, env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(side)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def see(self, text, deadline_s=START_DEADLINE_S):
        end = time.monotonic() + deadline_s
        while text.encode() not in self.screen:
            left = end - time.monotonic()
            self.assertGreater(left, 0, f"{text!r} is not on the screen: {self.screen!r}")
            if select.select([self.terminal], [], [], left)[0]:
                try:
                    self.screen += os.read(self.terminal, 65536)
                except OSError:  # the other side has closed
                    self.assertIn(text.encode(), self.screen)

    def type(self, text):
        self.screen = b""
        os.write(self.terminal, text.encode())

    def test_a_session_at_a_terminal(self):
        with World() as world:
            process = self.start(
                world,
                [BIN / "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
                 "--state", world.state],
            )  # fmt: skip
            self.see("ready on ports")
            self.type("open alice 100\n")
            self.see("SUCCESS open alice balance 100")
            self.type("depo\t50\n")  # the rest of the word is completed
            self.see("SUCCESS deposit 50 balance 150")
            self.type("\x1b[A\n")  # arrow up: the line before
            self.see("SUCCESS deposit 50 balance 200")
            self.type("quit\n")
            self.see("SUCCESS quit")
            self.assertIn(process.wait(START_DEADLINE_S), (0, 1))

    def test_the_bank_asks_for_its_port_at_a_terminal(self):
        with World(start=False) as world:
            process = self.start(world, [BIN / "bank", "--data", world.data])
            self.see("Port (8500-8999): ")
            port = free_udp_port(8500, 8999)
            self.type(f"{port}\n")
            self.see(f"ready on port {port}")
            self.type("audit\n")
            self.see("difference 0")
            self.type("\x04")  # end of input
            self.assertIn(process.wait(START_DEADLINE_S), (0, 1))


if __name__ == "__main__":
    unittest.main()
