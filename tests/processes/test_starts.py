"""How programs start and end: flags that do not go together, prompts, passwords from a descriptor,
signals while nobody reads what they print."""

import array
import fcntl
import os
import signal
import subprocess
import termios
import time
import unittest

from harness import World, free_udp_port
from persons import PASSWORD
from programs import ANSWER_DEADLINE_S, BIN, END_DEADLINE_S, Failed, run_program

BANK = ["--bank", "127.0.0.1:8500", "--port1", 0, "--port2", 0]
FINGERPRINT = "27b2-2864-8a66-d6dc-d740-8776-07e7-2a03"


class Flags(unittest.TestCase):
    def refused(self, program, *words, says):
        with World(start=False) as world:
            status, out, err = run_program(program, *words, cwd=world.folder)
            self.assertEqual((status, out), (2, ""), err)
            self.assertIn(says, err)
            self.assertEqual(list(world.folder.iterdir()), [])  # nothing was made

    def test_a_fingerprint_that_is_none(self):
        for text in ("", "27b2", FINGERPRINT + "0", FINGERPRINT.replace("2", "g")):
            with self.subTest(text):
                says = f"--bank-key: '{text}' is no fingerprint"
                self.refused("customer", *BANK, "--bank-key", text, says=says)

    def test_in_clear_there_are_no_keys(self):
        for words in (["--bank-key", FINGERPRINT], ["--new-key", "--name", "alice"]):
            with self.subTest(words):
                says = "with --insecure nobody has a key: leave --bank-key and --new-key out"
                self.refused("customer", *BANK, "--insecure", *words, says=says)
        says = "with --insecure nobody has a key: leave --new-key out"
        self.refused("bank", "--any-port", "--port", 0, "--insecure", "--new-key", says=says)

    def test_in_clear_only_on_this_machine(self):
        far = ["--bank", "192.0.2.1:8500", "--port1", 0, "--port2", 0, "--ip", "127.0.0.1"]
        says = "--insecure is for this machine only"
        self.refused("customer", "--insecure", *far, says=says)
        self.refused("customer", "--insecure", *BANK, "--ip", "192.0.2.1", says=says)

    def test_a_new_key_is_for_an_account(self):
        says = "--new-key needs --name, the account whose key is lost"
        self.refused("customer", *BANK, "--new-key", says=says)

    def test_a_table_without_a_name(self):
        says = "is not the name of a file"
        self.refused("bank", "--any-port", "--port", 0, "--data", "shelf/", says=says)

    def test_a_descriptor_that_is_not_there(self):
        for fd in (0, 1, 2, 77, -1):
            with self.subTest(fd):
                says = f"--password-fd: descriptor {fd} is not one to read passwords from"
                with World() as world:
                    status, out, err = run_program(
                        "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
                        "--state", world.state, f"--password-fd={fd}",
                    )  # fmt: skip
                    self.assertEqual((status, out), (2, ""), err)
                    self.assertIn(says, err)

    def test_files_to_write_that_have_no_name(self):
        for flag in ("--trace", "--key-log", "--pcap"):
            with self.subTest(flag):
                self.refused("customer", *BANK, flag, "", says="the name of a file is missing")
                self.refused(
                    "bank", "--any-port", "--port", 0, flag, "",
                    says="the name of a file is missing",
                )  # fmt: skip


class Prompts(unittest.TestCase):
    def test_two_ports_that_are_the_same_are_asked_for_again(self):
        with World() as world:
            port1, port2 = free_udp_port(), free_udp_port()
            common = ["--bank", world.bank_address, "--state", world.state]
            status, out, err = run_program(
                "customer", *common, "--port1", port1,
                stdin=f"{port1}\n{port2}\nopen alice 5\n",
            )  # fmt: skip
            self.assertEqual((status, out), (0, "SUCCESS open alice balance 5\n"))
            self.assertIn(f"ready on ports {port1} {port2}", err)
            self.assertIn("must differ", err)
            port1, port2 = free_udp_port(), free_udp_port()
            status, out, err = run_program(
                "customer", *common, "--port2", port2,
                stdin=f"65536\n{port2}\n{port1}\nopen bob 5\n",
            )  # fmt: skip
            self.assertEqual((status, out), (0, "SUCCESS open bob balance 5\n"))
            self.assertIn(f"ready on ports {port1} {port2}", err)

    def test_an_input_that_ends_before_the_answers_is_wrong_usage(self):
        for typed in ("", "nowhere\n", "127.0.0.1\n", "127.0.0.1\n8500\n", "localhost\n8500\n0\n"):
            with self.subTest(typed):
                status, out, _ = run_program("customer", stdin=typed)
                self.assertEqual((status, out), (2, ""))
        for words in ([], ["--any-port"]):
            with World(start=False) as world:
                status, out, err = run_program("bank", *words, stdin="8499x\n", cwd=world.folder)
                self.assertEqual((status, out), (2, ""))
                self.assertIn("there is no port: give one with --port", err)


class Accounts(unittest.TestCase):
    def test_what_was_left_of_an_account_that_was_never_opened_is_no_account(self):
        with World() as world:
            world.customer("bob", opening="5")
            folder = world.state / "alice"
            folder.mkdir(mode=0o700)
            (folder / "journal").touch(0o600)
            (folder / "journal").write_bytes((world.state / "bob" / "journal").read_bytes()[:16])
            alice = world.customer("alice", resume=True)
            self.assertFalse((folder / "journal").exists())
            alice.refuses("no-account", "balance")
            alice.expect("SUCCESS open alice balance 7", "open alice 7")
            alice.kill()
            world.resume("alice").expect("SUCCESS balance 7", "balance")


def bytes_in(pipe):
    """How much is in it that nobody has read yet."""
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0]


class Passwords(unittest.TestCase):
    def test_they_may_come_after_the_command(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            ticket = alice.type("register a@example.org")
            alice.wait_until(lambda: bytes_in(alice.process.stdin) == 0, "the command to be read")
            alice.whisper("Alice")
            alice.whisper(PASSWORD)
            self.assertFalse(alice.has_answer(ticket))
            alice.whisper(PASSWORD)
            self.assertTrue(alice.answer(ticket).ok)
            self.assertIn("Alice", str(world.bank.ok("people")))

    def test_a_line_that_is_missing_or_too_long_is_no_password(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            alice.whisper("Alice", "x" * 5_000)
            answer = alice.refuses("no-input", "register a@example.org")
            self.assertIn("a line at --password-fd has more than", answer.text)
            alice.whisper("Alice", PASSWORD, PASSWORD)
            alice.ok("register a@example.org")
            alice.whisper("Bob")
            alice._close_secrets()
            answer = alice.refuses("no-input", "register b@example.org")
            self.assertIn("there is no further line at --password-fd", answer.text)
            self.assertNotIn("b@example.org", str(world.bank.ok("people")))


class Signals(unittest.TestCase):
    def start(self, world, program, *flags):
        """A program whose standard output nobody reads."""
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        process = subprocess.Popen(
            [BIN / program, *map(str, flags)],
            stdin=subprocess.PIPE,
            stdout=write_end,
            stderr=subprocess.PIPE,
            cwd=world.folder,
        )
        os.close(write_end)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, read_end

    def fill(self, process, read_end):
        """Types so much that the answers do not fit into the pipe, and waits until it is read."""
        process.stdin.write(b"help\n" * 100)
        process.stdin.flush()
        deadline = time.monotonic() + ANSWER_DEADLINE_S
        while bytes_in(process.stdin) > 0 or bytes_in(read_end) < 32_768:
            if time.monotonic() > deadline:
                raise Failed(f"{bytes_in(read_end)} bytes were printed")
            time.sleep(0.01)

    def test_a_program_ends_although_nobody_reads_its_answers(self):
        with World(start=False) as world:
            process, read_end = self.start(world, "bank", "--any-port", "--port", 0, "--serve")
            self.fill(process, read_end)
            began = time.monotonic()
            process.terminate()
            self.assertEqual(process.wait(END_DEADLINE_S), 1)  # not all could be told
            self.assertGreater(time.monotonic() - began, 1)  # it has waited for a reader

    def test_a_second_signal_ends_it_at_once(self):
        with World(start=False) as world:
            process, read_end = self.start(world, "bank", "--any-port", "--port", 0, "--serve")
            self.fill(process, read_end)
            process.terminate()
            deadline = time.monotonic() + END_DEADLINE_S
            while process.poll() is None and time.monotonic() < deadline:
                process.terminate()
                time.sleep(0.02)
            self.assertEqual(process.wait(END_DEADLINE_S), 128 + signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
