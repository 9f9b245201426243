"""Keys and journals that are lost, and data that are started in the other mode: refused, with what
to do, and never mixed without a word."""

import re
import shutil
import unittest

from harness import World
from persons import make_known
from programs import run_program

ALICE = "alice@example.org"
FINGERPRINT = r"(?:[0-9a-f]{4}-){7}[0-9a-f]{4}"


def bank_is_refused(test, world, *flags):
    """Starts the bank again: it has to end with status 2. What it says on standard error."""
    bank = world.start_bank(port=world.bank.port, flags=flags, wait=False)
    test.assertEqual(bank.wait_end(), 2, bank.log)
    test.assertEqual(bank.output(), "")
    return bank.log


def customer_is_refused(test, world, name, *flags):
    status, out, err = run_program(
        "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0, "--state",
        world.state, *(("--name", name) if name else ()), *flags,
    )  # fmt: skip
    test.assertEqual((status, out), (2, ""), err)
    return err


class TheBanksKey(unittest.TestCase):
    """bank.key is lost, or another one is put in its place, where accounts rely on it."""

    def used(self, world):
        """alice and bob, with a checkpoint; the bank has ended. Its fingerprint."""
        alice, bob = world.cohort("alice", "bob")
        alice.ok("transfer 10 bob")
        bob.ok("checkpoint")
        key = world.bank.wait_log(rf"the key of this bank is ({FINGERPRINT})").group(1)
        for program in (alice, bob, world.bank):
            program.end()
        return key

    def verify(self, world, *flags):
        name = world.folder / "all.evidence"
        world.bank.ok(f"audit --evidence {name}")
        return run_program("bank", "verify", name, *flags)

    def test_a_lost_key_is_refused_until_a_new_one_is_asked_for(self):
        with World() as world:
            before = self.used(world)
            key_file = world.data.parent / "bank.key"
            kept = key_file.read_bytes()
            key_file.unlink()
            log = bank_is_refused(self, world)
            self.assertIn("bank.key is missing", log)
            self.assertIn(before, log)
            self.assertIn("--new-key", log)
            self.assertFalse(key_file.exists(), "nothing was made in its place")
            key_file.write_bytes(kept)
            key_file.chmod(0o600)
            bank = world.restart_bank(flags=("--new-key",))
            bank.wait_log("--new-key changes nothing")
            self.assertEqual(self.verify(world, "--bank-key", before)[0], 0)

    def test_another_key_is_refused_until_it_is_accepted(self):
        with World() as world, World() as other:
            self.used(world)
            other.bank.end()
            key_file = world.data.parent / "bank.key"
            shutil.copy(other.data.parent / "bank.key", key_file)
            log = bank_is_refused(self, world)
            self.assertIn("bank.key holds another key than the one that these accounts know", log)
            world.restart_bank(flags=("--new-key",)).end()
            world.restart_bank()  # from now on it is the one

    def test_evidence_from_before_and_after_a_new_key_holds(self):
        with World() as world:
            before = self.used(world)
            (world.data.parent / "bank.key").unlink()
            bank = world.restart_bank(flags=("--new-key",))
            bank.wait_log("customers then have to confirm the new key")
            after = bank.wait_log(rf"the key of this bank is ({FINGERPRINT})").group(1)
            self.assertNotEqual(before, after)
            alice = world.resume("alice")
            alice.wait_log(rf"shows another key: {after} instead of {before}")
            alice.refuses("bank-key-changed", "checkpoint")
            alice.end()
            shutil.rmtree(world.state / "banks")  # alice and bob confirm it
            alice, bob = world.resume("alice"), world.resume("bob")
            bob.ok("transfer 1 alice")
            alice.ok("checkpoint")
            status, out, err = self.verify(world, "--bank-key", after)
            self.assertEqual(status, 0, out + err)
            self.assertRegex(
                out, rf"note: \d+ of the statements are to the key {before}, which the bank says"
            )
            status, out, err = self.verify(world, "--bank-key", before)
            self.assertEqual(status, 1)
            self.assertIn("FAILURE other-bank", out)
            self.assertIn("which says that it had the given key before", out)

    def test_without_accounts_that_rely_on_it_a_new_key_is_made_with_a_warning(self):
        with World() as world:
            world.bank.ok("open alice 100 127.0.0.1 4001 4002")
            world.bank.end()
            (world.data.parent / "bank.key").unlink()
            world.restart_bank().wait_log("bank.key was missing: makes a new key")

    def test_what_is_no_fingerprint_is_wrong_usage_of_verify(self):
        with World() as world:
            self.used(world)
            world.restart_bank()
            status, out, err = self.verify(world, "--bank-key", "zz")
            self.assertEqual((status, out), (2, ""))
            self.assertIn("is no fingerprint", err)
            status, out, _ = self.verify(world)
            self.assertEqual(status, 0)
            self.assertIn("only that the file agrees with itself", out)


class TheMode(unittest.TestCase):
    """With --insecure and without: data are of one or the other."""

    def test_what_was_made_sealed_is_refused_with_insecure(self):
        with World() as world:
            world.customer("alice", opening="100").end()
            err = customer_is_refused(self, world, "alice", "--insecure")
            self.assertRegex(err, "without --insecure, or give another folder with --state")
            world.bank.end()
            log = bank_is_refused(self, world, "--insecure")
            self.assertRegex(log, "without --insecure, or give another folder with --data")
            world.restart_bank()
            world.resume("alice").expect("SUCCESS balance 100", "balance")

    def test_what_was_made_in_clear_is_refused_without(self):
        with World(flags=("--insecure",)) as world:
            alice = world.customer("alice", opening="100", flags=("--insecure",))
            alice.ok("deposit 1")
            alice.end()
            for flags in ((), ("--new-key",)):
                err = customer_is_refused(self, world, "alice", *flags)
                self.assertRegex(err, "was made with --insecure")
            self.assertFalse((world.state / "alice" / "key").exists())
            world.bank.end()
            for flags in ((), ("--new-key",)):
                self.assertRegex(bank_is_refused(self, world, *flags), "was made with --insecure")
            self.assertFalse((world.data.parent / "bank.key").exists())
            world.restart_bank(flags=("--insecure",))
            world.resume("alice").expect("SUCCESS balance 101", "balance")

    def test_rows_that_no_program_has_taken_are_of_both(self):
        with World() as world:
            world.bank.ok("open alice 100 127.0.0.1 4001 4002")
            world.bank.end()
            world.restart_bank(flags=("--insecure",)).end()
            world.restart_bank().expect("SUCCESS customers 1", "customers")

    def test_keys_are_nothing_that_insecure_has(self):
        with World() as world:
            world.bank.end()
            self.assertIn("--new-key", bank_is_refused(self, world, "--insecure", "--new-key"))


class TheJournal(unittest.TestCase):
    def test_a_lost_journal_gives_nothing_away_before_it_is_asked_for(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            alice.ok("open alice 100")
            alice.end()
            world.bank.end()
            (world.data.parent / "data.csv.journal").unlink()
            for others in (
                [],
                world.data.parent.glob("bank.db*"),
                [world.data.parent / "bank.key"],
            ):
                for path in others:
                    path.rename(world.folder / path.name)
                if (world.data.parent / "bank.key").exists():
                    for _ in range(2):  # the first try leaves nothing behind that helps the second
                        log = bank_is_refused(self, world)
                        self.assertRegex(log, r"data\.csv\.journal is missing, and with it the keys, "
                                         "owners and people of all accounts")  # fmt: skip
                        self.assertIn("the first program that comes from the IP address", log)
            for path in world.folder.glob("bank.db*"):
                path.rename(world.data.parent / path.name)
            log = bank_is_refused(self, world)
            self.assertIn("--new-history", log)
            bank = world.restart_bank(flags=("--new-history",))
            self.assertIn("the first program that comes from the IP address", bank.log)
            self.assertIn("bank.key is missing too", bank.log)
            bank.expect("SUCCESS customers 1", "customers")
            bank.end()
            world.restart_bank()  # with a journal of its own, it goes on as ever

    def test_an_empty_journal_is_a_lost_one(self):
        with World() as world:
            world.customer("alice", opening="100").end()
            world.bank.end()
            journal = world.data.parent / "data.csv.journal"
            journal.write_bytes(journal.read_bytes()[:16])  # its header
            for path in world.data.parent.glob("bank.db*"):
                path.unlink()
            log = bank_is_refused(self, world)
            self.assertRegex(log, r"data\.csv\.journal is empty, and with it the keys")
            bank = world.restart_bank(flags=("--new-history",))
            self.assertIn("the first program that comes from the IP address", bank.log)


class Flags(unittest.TestCase):
    def test_a_new_key_is_for_a_named_account(self):
        with World() as world:
            err = customer_is_refused(self, world, None, "--new-key")
            self.assertIn("--name carol --new-key", err)

    def test_a_lost_key_of_an_account_says_how_to_go_on(self):
        with World() as world:
            world.customer("alice", opening="100").end()
            (world.state / "alice" / "key").unlink()
            err = customer_is_refused(self, world, "alice")
            self.assertIn("--name alice --new-key", err)

    def test_what_is_recorded_needs_the_name_of_a_file_of_its_own(self):
        with World() as world:
            world.bank.ok("open alice 100 127.0.0.1 4001 4002")
            table = world.data.read_bytes()
            for flag in ("--key-log", "--trace", "--pcap"):
                self.assertIn(flag, customer_is_refused(self, world, None, flag, ""))
                err = customer_is_refused(self, world, None, flag, world.data)
                self.assertRegex(err, "move it away, or give another name")
            self.assertEqual(world.data.read_bytes(), table)
            for flag in ("--key-log", "--pcap"):
                for path, what in (("/dev/null", "is a device or a pipe"), ("/", "is a folder")):
                    err = customer_is_refused(self, world, None, flag, path)
                    self.assertIn(f"{path} {what}", err)
                    self.assertNotIn("chmod", err)


class Status(unittest.TestCase):
    def test_the_bank_is_heard_with_its_key(self):
        with World() as world:
            alice = world.customer("alice")
            alice.wait_log("remembered the key of the bank")
            self.assertFalse(
                [line for line in alice.ok("status").lines if re.search("not heard", line)]
            )


if __name__ == "__main__":
    unittest.main()
