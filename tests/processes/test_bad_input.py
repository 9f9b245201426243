"""Bad input of every kind: one clear answer, nothing changed, nothing crashed."""

import random
import socket
import unittest

from harness import World
from programs import run_program

# Amounts outside the grammar: positive, at most two decimals, no sign, no exponent, at most 10^15.
BAD_AMOUNTS = [
    "0", "0.00", "-1", "+1", "1e3", "1.001", "1.", ".5", "1,5", "abc", "0x10", "1_000", "1.2.3",
    "1000000000000001", "1000000000000000.01", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "99999999999999999999999999", "nan", "inf", "1'000", "١", "1.0a", "--1",
]  # fmt: skip
BAD_NAMES = [
    "1alice", "_alice", "-alice", "al.ice", "al,ice", "al/ice", "../alice", "al'ice", 'al"ice',
    "a" * 33, "élise", "al\x01ice", "a;b", "bank",
]  # fmt: skip
BAD_ADDRESSES = [
    "127.0.0", "127.0.0.1.1", "256.0.0.1", "localhost", "127.0.0.1:80", "::1", "0.0.0.0", "1.2.3.x",
    "127.0.0.01", "255.255.255.255", "224.0.0.1", "-1.2.3.4", "127..0.1",
]  # fmt: skip
BAD_PORTS = ["0", "-1", "65536", "abc", "80.5", "99999999999999999999", "+80", "0x50", "1e3"]
BAD_COUNTS = ["0", "-1", "abc", "1.5", "+2", "99999999999999999999", "2x"]


class AtTheCustomer(unittest.TestCase):
    def test_unknown_commands(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            for line in (
                "fly",
                "DEPOSIT 1",
                "deposit1",
                "audit",
                "customers",
                "?",
                "\x01\x02",
                "é",
            ):
                alice.refuses("unknown-command", line)

    def test_a_wrong_number_of_arguments(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob")
            for line in (
                "deposit", "deposit 1 2", "withdrawal", "withdrawal 1 2", "transfer", "transfer 1",
                "transfer 1 bob carol", "lost-transfer", "lost-transfer 1", "checkpoint now",
                "rollback now", "balance alice", "status x", "peers x", "exit alice now",
                "new-cohort", "new-cohort alice", "new-cohort alice 2 3", "quit now", "open",
                "open zoe 1 127.0.0.1", "open zoe 1 127.0.0.1 1", "delete-cohort",
                "open zoe 1 127.0.0.1 1 2 3", "delete-cohort alice --now",
                "delete-cohort alice --force bob",
            ):  # fmt: skip
                alice.refuses("usage", line)
            alice.expect("SUCCESS balance 100", "balance")

    def test_amounts_outside_the_grammar(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob")
            for amount in BAD_AMOUNTS:
                for line in (
                    "deposit {}",
                    "withdrawal {}",
                    "transfer {} bob",
                    "lost-transfer {} bob",
                ):
                    alice.refuses("bad-amount", line.format(amount))
            alice.expect("SUCCESS balance 100", "balance")
            alice.expect("SUCCESS transfer 1 to bob label 1 balance 99", "transfer 1 bob")

    def test_amounts_at_the_edge_of_the_grammar(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            alice.expect("SUCCESS deposit 0.01 balance 0.01", "deposit 0.01")
            alice.expect("SUCCESS withdrawal 0.01 balance 0", "withdrawal 0.01")
            alice.expect("SUCCESS deposit 0.10 balance 0.10", "deposit 0.1")
            alice.expect("SUCCESS withdrawal 0.10 balance 0", "withdrawal 0.10")
            alice.expect("SUCCESS deposit 7 balance 7", "deposit 007")
            alice.expect("SUCCESS withdrawal 7 balance 0", "withdrawal 7.00")
            alice.expect(
                "SUCCESS deposit 1000000000000000 balance 1000000000000000",
                "deposit 1000000000000000",
            )

    def test_a_balance_never_passes_the_edge_of_64_bits(self):
        with World() as world:
            alice = world.customer("alice", opening="1000000000000000")
            answers = [alice.cmd("deposit 1000000000000000") for _ in range(100)]
            good = [answer for answer in answers if answer.ok]
            refused = [answer for answer in answers if not answer.ok]
            self.assertTrue(refused, "100 deposits of 10^15 cannot all fit in 64 bits of cents")
            self.assertEqual({answer.code for answer in refused}, {"limit"})
            alice.expect(f"SUCCESS balance {(len(good) + 1) * 10**15}", "balance")

    def test_names_outside_the_grammar(self):
        with World() as world:
            alice = world.customer("alice")
            for name in BAD_NAMES:
                alice.refuses("bad-name", f"open {name} 100")
            alice.expect(f"SUCCESS open {'a' * 32} balance 100", f"open {'a' * 32} 100")

    def test_addresses_and_ports_outside_the_grammar(self):
        with World() as world:
            alice = world.customer("alice")
            for address in BAD_ADDRESSES:
                alice.refuses("bad-address", f"open alice 100 {address} 4001 4002")
            for port in BAD_PORTS:
                alice.refuses("bad-port", f"open alice 100 127.0.0.1 {port} 4002")
                alice.refuses("bad-port", f"open alice 100 127.0.0.1 4001 {port}")
            self.assertEqual(world.rows(), {})

    def test_cohorts_that_cannot_be(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            world.customer("bob", opening="100")
            for count in BAD_COUNTS:
                alice.refuses("bad-count", f"new-cohort alice {count}")
            alice.refuses("too-few|bad-count", "new-cohort alice 1")
            alice.refuses("too-few", "new-cohort alice 3")
            alice.refuses("too-few|bad-count|limit", "new-cohort alice 100000")
            alice.refuses("not-in-cohort", "delete-cohort alice")
            self.assertEqual({row["cohort"] for row in world.rows().values()}, {""})

    def test_one_acts_only_for_oneself(self):
        with World() as world:
            alice, _ = world.cohort("alice", "bob")
            alice.refuses("not-allowed", "delete-cohort bob")
            alice.refuses("not-allowed", "new-cohort bob 2")
            self.assertNotEqual(world.rows()["bob"]["cohort"], "")

    def test_lines_of_any_bytes_get_one_answer_each(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            chance = random.Random(7)
            lines = []
            for _ in range(300):
                length = chance.choice([1, 5, 40, 200])
                raw = bytes(chance.randrange(256) for _ in range(length)).replace(b"\n", b"?")
                lines.append(b"x" + raw)
            alice.write(b"\n".join(lines) + b"\n")
            alice._typed += len(lines)
            alice.expect("SUCCESS balance 100", "balance")
            for ticket in range(2, 302):
                self.assertTrue(alice.has_answer(ticket))
                self.assertRegex(alice._answers[ticket][0], "^FAILURE [a-z-]+: ")

    def test_a_line_without_end_is_one_failure(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            for length in (1023, 1024, 1025, 5000, 300_000):
                alice.refuses("unknown-command|usage", "x" * length)
                alice.refuses("bad-amount|usage", "deposit " + "9" * length)
            alice.expect("SUCCESS balance 100", "balance")


class AtTheBank(unittest.TestCase):
    def test_unknown_commands_and_wrong_numbers_of_arguments(self):
        with World() as world:
            for line in ("fly", "deposit 1", "transfer 1 bob", "balance", "OPEN a 1 127.0.0.1 1 2"):
                world.bank.refuses("unknown-command", line)
            for line in (
                "open", "open alice", "open alice 100", "open alice 100 127.0.0.1 1", "exit",
                "open alice 100 127.0.0.1 1 2 3", "exit alice bob", "new-cohort", "quit now",
                "new-cohort alice", "new-cohort alice 2 3", "delete-cohort", "audit now",
                "customers x", "cohorts x", "delete-cohort alice --hard",
            ):  # fmt: skip
                world.bank.refuses("usage", line)

    def test_arguments_outside_the_grammar(self):
        with World() as world:
            for name in BAD_NAMES:
                world.bank.refuses("bad-name", f"open {name} 100 127.0.0.1 4001 4002")
            for amount in set(BAD_AMOUNTS) - {"0", "0.00"}:
                world.bank.refuses("bad-amount", f"open alice {amount} 127.0.0.1 4001 4002")
            for address in BAD_ADDRESSES:
                world.bank.refuses("bad-address", f"open alice 100 {address} 4001 4002")
            for port in BAD_PORTS:
                world.bank.refuses("bad-port", f"open alice 100 127.0.0.1 {port} 4002")
                world.bank.refuses("bad-port", f"open alice 100 127.0.0.1 4001 {port}")
            for count in BAD_COUNTS:
                world.bank.refuses("bad-count|unknown-customer", f"new-cohort alice {count}")
            self.assertEqual(world.rows(), {})
            world.bank.expect("SUCCESS open alice balance 0", "open alice 0 127.0.0.1 4001 4002")


class Flags(unittest.TestCase):
    def test_wrong_usage_ends_with_status_2_and_says_why(self):
        for words in (
            ["--bank", "127.0.0.1"],
            ["--bank", "127.0.0.1:0"],
            ["--bank", "127.0.0.1:70000"],
            ["--bank", "somewhere:8500"],
            ["--bank", ":8500"],
            ["--bank", "127.0.0.1:8500", "--port1", "abc"],
            ["--bank", "127.0.0.1:8500", "--port1", "65536"],
            ["--bank", "127.0.0.1:8500", "--port1", "-1"],
            ["--bank", "127.0.0.1:8500", "--port1", "0", "--port2", "1.5"],
            ["--bank", "127.0.0.1:8500", "--port1", "0", "--port2", "0", "--name", "al/ice"],
            ["--bank", "127.0.0.1:8500", "--port1", "0", "--port2", "0", "--stable", "paper"],
            ["--bank", "127.0.0.1:8500", "--port1", "0", "--port2", "0", "--ip", "nowhere"],
            ["--unknown-flag"],
            ["word"],
        ):
            with self.subTest(words):
                status, out, err = run_program("customer", *words)
                self.assertEqual((status, out), (2, ""))
                self.assertNotEqual(err, "")

    def test_one_port_for_both_is_wrong_usage(self):
        with World() as world:
            status, out, _ = run_program(
                "customer", "--bank", world.bank_address, "--port1", "4501", "--port2", "4501"
            )
            self.assertEqual((status, out), (2, ""))

    def test_help_is_not_an_error(self):
        status, out, err = run_program("customer", "--help")
        self.assertEqual(status, 0)
        for flag in ("--bank", "--port1", "--port2", "--name", "--state", "--stable", "--json"):
            self.assertIn(flag, out + err)


class TakenPorts(unittest.TestCase):
    def setUp(self):
        self.taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.taken.close)
        self.taken.bind(("0.0.0.0", 0))
        self.port = self.taken.getsockname()[1]

    def assert_clear(self, status, out, err):
        self.assertIn(status, (1, 2))
        self.assertEqual(out, "")
        self.assertIn(str(self.port), err)
        self.assertRegex(err, r"in use|taken")

    def test_a_taken_port_of_the_bank_is_a_clear_error(self):
        with World(start=False) as world:
            self.assert_clear(
                *run_program("bank", "--any-port", "--port", self.port, "--data", world.data)
            )

    def test_a_taken_port_of_a_customer_is_a_clear_error(self):
        with World() as world:
            common = ["--bank", world.bank_address, "--state", world.state]
            for ports in (
                ["--port1", self.port, "--port2", 0],
                ["--port1", 0, "--port2", self.port],
            ):
                self.assert_clear(*run_program("customer", *common, *ports, stdin="balance\n"))


class Datagrams(unittest.TestCase):
    """Bytes that no program of ours sent: silence."""

    def shower(self, addresses, seed):
        chance = random.Random(seed)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            for number in range(2000):
                length = chance.choice([0, 1, 2, 7, 8, 16, 40, 200, 1199, 1200, 1201, 9000])
                sender.sendto(chance.randbytes(length), chance.choice(addresses))
            sender.setblocking(False)
            answered = 0
            try:
                while True:
                    sender.recv(65536)
                    answered += 1
            except BlockingIOError:
                return answered

    def test_bytes_of_any_kind_and_length_change_nothing(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            ports = [world.bank.port, *alice.ports, *bob.ports]
            answered = self.shower([("127.0.0.1", port) for port in ports], seed=11)
            alice.expect("SUCCESS transfer 10 to bob label 2 balance 80", "transfer 10 bob")
            bob.expect("SUCCESS balance 120", "balance")
            alice.ok("checkpoint")
            world.audit_adds_up(expected="200")
            self.assertEqual(answered, 0, "nothing answers a stranger's bytes")

    def catch(self, world, count):
        """A socket that a customer took for the bank, and the first datagrams it sent there."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(20)
        real, world.bank.port = world.bank.port, listener.getsockname()[1]
        caller = world.customer("caller")
        world.bank.port = real
        caller.type("open caller 100")
        caught = [listener.recv(65536) for _ in range(count)]
        caller.kill()
        return listener, caught

    def test_an_address_gets_no_more_bytes_than_it_has_sent(self):
        # Or whoever writes another's address on its datagrams could flood that other with ours.
        with World() as world:
            listener, caught = self.catch(world, 3)
            alice, bob = world.cohort("alice", "bob")
            for port in (world.bank.port, *alice.ports, *bob.ports):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.bind(("127.0.0.1", 0))
                    sender.settimeout(0.5)
                    sent = received = 0
                    for datagram in caught:
                        sent += sender.sendto(datagram, ("127.0.0.1", port))
                        try:
                            while True:
                                received += len(sender.recv(65536))
                                self.assertLessEqual(received, sent)
                        except TimeoutError:
                            pass

    def test_what_was_once_said_and_is_broken_on_its_way_changes_nothing(self):
        # Real datagrams of a customer, caught by a listener that plays the bank, then broken.
        with World() as world:
            listener, caught = self.catch(world, 3)
            alice, bob = world.cohort("alice", "bob")
            chance = random.Random(3)
            for _ in range(3000):
                broken = bytearray(chance.choice(caught))
                for _ in range(chance.randrange(1, 4)):
                    broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
                if chance.random() < 0.2:
                    broken = broken[: chance.randrange(len(broken))]
                port = chance.choice([world.bank.port, *alice.ports, *bob.ports])
                listener.sendto(bytes(broken), ("127.0.0.1", port))
            alice.expect("SUCCESS transfer 10 to bob label 1 balance 90", "transfer 10 bob")
            bob.expect("SUCCESS balance 110", "balance")
            self.assertEqual(sorted(world.rows()), ["alice", "bob"])


if __name__ == "__main__":
    unittest.main()
