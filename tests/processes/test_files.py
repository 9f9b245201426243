"""The files on disk: locks, torn and damaged journals, folders that cannot be written."""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time
import unittest

from harness import World
from programs import BIN, SLOWNESS, run_program


class Locks(unittest.TestCase):
    def test_a_second_bank_on_the_same_data_is_refused_at_once(self):
        with World() as world:
            world.customer("alice", opening="100")
            status, out, err = run_program(
                "bank", "--any-port", "--port", 0, "--data", world.data, stdin="customers\n",
                deadline_s=5 * SLOWNESS,
            )  # fmt: skip
            self.assertIn(status, (1, 2))
            self.assertEqual(out, "")
            self.assertIn("another bank is running on", err)
            world.bank.expect("SUCCESS customers 1", "customers")

    def test_a_second_customer_on_the_same_state_is_refused_at_once(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            status, out, err = run_program(
                "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0, "--state",
                world.state, "--name", "alice", stdin="balance\n", deadline_s=5 * SLOWNESS,
            )  # fmt: skip
            self.assertIn(status, (1, 2))
            self.assertIn("alice is running already", err)
            alice.expect("SUCCESS balance 100", "balance")

    def test_locks_of_the_killed_are_free(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.kill()
            world.bank.kill()
            world.restart_bank()
            world.resume("alice").expect("SUCCESS balance 100", "balance")


def frames(content):
    """Where the frames of a journal begin and end (docs/storage.md)."""
    found, at = [], 16
    while content[at : at + 4] == b"PJRF":
        (payload,) = struct.unpack_from("<I", content, at + 4)
        end = at + (28 + payload) // 8 * 8 + 8
        found.append((at, end))
        at = end
    return found


class Journals(unittest.TestCase):
    def damage(self, path, change):
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)
        return bytes(content)

    def tear(self, path):
        """The last frame, as a crash leaves it: its last sector has not reached the disk. True if
        some of the frame is left."""
        content = bytearray(path.read_bytes())
        start, end = frames(content)[-1]
        place = max(start, (end - 1) // 512 * 512)
        content[place:end] = bytes(end - place)
        path.write_bytes(content)
        return place > start

    def written(self, content):
        return frames(content)[-1][1]

    def test_a_torn_last_frame_of_a_customer_is_cut_off(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            journal = world.state / "alice" / "journal"
            for _ in range(20):
                before = int(alice.balance())
                for ticket in alice.type(*["deposit 1"] * 100):
                    alice.answer(ticket)
                alice.kill()
                some_is_left = self.tear(journal)
                alice = world.resume("alice")
                balance = int(alice.balance())
                self.assertLess(balance, before + 100)
                self.assertGreaterEqual(balance, before)
                alice.expect(f"SUCCESS deposit 1 balance {balance + 1}", "deposit 1")
                alice.kill()
                alice = world.resume("alice")
                alice.expect(f"SUCCESS balance {balance + 1}", "balance")
                if some_is_left:
                    return
            self.fail("no frame ever went over the edge of a sector")

    def test_a_torn_last_frame_of_the_bank_is_cut_off(self):
        with World() as world:
            world.bank.ok("open alice 100 127.0.0.1 4001 4002")
            table = world.data.read_bytes()
            world.bank.ok("open bob 100 127.0.0.1 4003 4004")
            world.bank.kill()
            # Table and history follow the journal: a crash that tears that leaves those before.
            self.tear(world.data.with_name("data.csv.journal"))
            world.data.write_bytes(table)
            for path in world.data.parent.glob("bank.db*"):
                path.unlink()
            bank = world.restart_bank()
            bank.expect("SUCCESS customers 1", "customers")
            world.audit_adds_up(balances="100", expected="100")
            bank.expect("SUCCESS open bob balance 100", "open bob 100 127.0.0.1 4003 4004")
            bank.kill()
            world.restart_bank().expect("SUCCESS customers 2", "customers")

    def test_any_other_damage_of_a_customers_journal_is_refused_and_left_alone(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            for _ in range(10):
                alice.ok("deposit 1")
            alice.kill()
            journal = world.state / "alice" / "journal"
            good = journal.read_bytes()
            end = self.written(good)
            for place in (0, 5, end // 4, end // 2):
                with self.subTest(place=place, of=end):

                    def flip(content):
                        content[place] ^= 0x40

                    bad = self.damage(journal, flip)
                    ports = world.customers["alice"].ports
                    status, out, err = run_program(
                        "customer", "--bank", world.bank_address, "--port1", ports[0], "--port2",
                        ports[1], "--state", world.state, "--name", "alice", stdin="balance\n",
                    )  # fmt: skip
                    self.assertIn(status, (1, 2), out + err)
                    self.assertNotIn("SUCCESS", out)
                    self.assertIn("journal", err)
                    self.assertRegex(err, r"offset \d+|byte \d+")
                    self.assertEqual(journal.read_bytes(), bad)
                    journal.write_bytes(good)
            world.resume("alice").expect("SUCCESS balance 110", "balance")

    def test_any_other_damage_of_the_banks_journal_is_refused_and_left_alone(self):
        with World() as world:
            for number in range(10):
                world.bank.ok(f"open c{number} 1 127.0.0.1 {4000 + number} {5000 + number}")
            world.bank.kill()
            journal = world.data.with_name("data.csv.journal")
            good = journal.read_bytes()

            def flip(content):
                content[self.written(content) // 2] ^= 0x40

            bad = self.damage(journal, flip)
            status, out, err = run_program(
                "bank", "--any-port", "--port", 0, "--data", world.data, stdin="customers\n"
            )
            self.assertIn(status, (1, 2))
            self.assertEqual(out, "")
            self.assertIn("data.csv.journal", err)
            self.assertRegex(err, r"offset \d+|byte \d+")
            self.assertEqual(journal.read_bytes(), bad)
            journal.write_bytes(good)
            world.restart_bank().expect("SUCCESS customers 10", "customers")

    def test_a_journal_does_not_grow_without_end(self):
        with World() as world:
            alice = world.customer("alice", opening="0")
            for _ in range(10):
                for ticket in alice.type(*["deposit 1"] * 1000):
                    alice.answer(ticket)
            self.assertLess((world.state / "alice" / "journal").stat().st_size, 16 * 2**20)
            alice.kill()
            world.resume("alice").expect("SUCCESS balance 10000", "balance")

    def with_an_old_copy(self, world):
        """alice, resumed from a copy that has forgotten her transfer of 10: as after a disk that
        lost what it had acknowledged."""
        alice, bob = world.cohort("alice", "bob")
        alice.ok("transfer 1 bob")
        alice.kill()
        shutil.copytree(world.state / "alice", world.folder / "copy")
        trace = world.folder / "alice.trace"
        ports = world.customers["alice"].ports
        alice = world.customer("alice", ports=ports, resume=True, flags=("--trace", trace))
        alice.ok("transfer 10 bob")
        # Bob is believed only with her signature, which she gives a moment later.
        deadline = time.monotonic() + 10 * SLOWNESS
        while '"what":"signs 1"' not in trace.read_text():
            self.assertLess(time.monotonic(), deadline)
        alice.kill()
        shutil.rmtree(world.state / "alice")
        shutil.copytree(world.folder / "copy", world.state / "alice")
        return world.resume("alice"), bob

    def test_an_old_copy_of_the_state_is_noticed(self):
        with World() as world:
            alice, bob = self.with_an_old_copy(world)
            self.assertNotIn(alice.wait_end(), (0, 1))
            # Bob says so or the bank, whoever is first: both have heard of a later past.
            self.assertIn("stable storage has lost what it confirmed", alice.log)
            bob.expect("SUCCESS balance 111", "balance")

    def test_an_old_copy_of_the_state_is_noticed_before_a_label_is_used_again(self):
        with World() as world:
            alice, bob = self.with_an_old_copy(world)
            alice.type("transfer 5 bob")
            self.assertNotIn(alice.wait_end(), (0, 1))
            self.assertNotIn("SUCCESS", alice.output())
            bob.expect("SUCCESS balance 111", "balance")

    def with_a_settled_past(self, world, starts):
        """alice, resumed from a copy that has forgotten what the bank has settled since."""
        alice = world.customer("alice", opening="100")
        alice.end()
        shutil.copytree(world.state / "alice", world.folder / "copy")
        alice = world.resume("alice")
        alice.ok("withdrawal 90")
        alice.ok("checkpoint")
        for _ in range(starts - 1):
            alice.end()
            alice = world.resume("alice")
            alice.becomes("SUCCESS checkpoint alice", "checkpoint")
        alice.end()
        shutil.rmtree(world.state / "alice")
        shutil.copytree(world.folder / "copy", world.state / "alice")
        return world.resume("alice")

    def test_an_old_copy_that_the_bank_has_settled_since_is_noticed(self):
        with World() as world:
            alice = self.with_a_settled_past(world, 1)
            self.assertEqual(alice.wait_end(), 4)
            self.assertIn("another run of this program has had its start 2", alice.log)
            self.assertEqual(world.rows()["alice"]["balance"], "10")

    def test_an_old_copy_pays_nothing_while_the_bank_can_say_so(self):
        with World() as world:
            self.with_a_settled_past(world, 1).wait_end()
            port1, port2 = world.customers["alice"].ports
            done = subprocess.run(
                [BIN / "customer", "--bank", f"127.0.0.1:{world.bank.port}", "--name", "alice"]
                + ["--port1", str(port1), "--port2", str(port2), "--state", world.state],
                input=b"withdrawal 90\n",
                capture_output=True,
                timeout=60 * SLOWNESS,
            )
            self.assertEqual(done.returncode, 4)
            self.assertNotIn(b"SUCCESS", done.stdout)

    def test_a_copy_with_as_many_starts_is_noticed(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.end()
            shutil.copytree(world.state / "alice", world.folder / "copy")
            alice = world.resume("alice")
            alice.ok("withdrawal 90")
            alice.end()
            shutil.rmtree(world.state / "alice")
            shutil.copytree(world.folder / "copy", world.state / "alice")
            alice = world.resume("alice")
            self.assertEqual(alice.wait_end(), 4)

    def test_an_old_copy_with_fewer_starts_is_noticed(self):
        with World() as world:
            alice = self.with_a_settled_past(world, 3)
            self.assertEqual(alice.wait_end(), 4)
            self.assertRegex(alice.log, "the bank has seen its start 4, its own storage says 2")


class Folders(unittest.TestCase):
    def test_a_state_folder_that_cannot_be_made_is_a_clear_failure(self):
        with World() as world:
            (world.folder / "file").write_text("no folder")
            world.state = world.folder / "file"
            try:
                alice = world.customer("alice")
            except AssertionError as error:
                self.assertIn("file", str(error))  # refused at the start: just as good
                return
            alice.refuses("state-unusable", "open alice 100")
            self.assertEqual(world.rows(), {})

    def test_a_data_file_that_cannot_be_read_is_a_clear_error(self):
        with World(start=False) as world:
            world.data.mkdir(parents=True)  # a folder of that name
            status, out, err = run_program("bank", "--any-port", "--port", 0, "--data", world.data)
            self.assertIn(status, (1, 2))
            self.assertEqual(out, "")
            self.assertIn("data.csv", err)

    def test_the_folder_can_be_moved_to_another_place(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 1")
            alice.end()
            world.bank.end()
            shutil.move(world.data.parent, world.folder / "elsewhere")
            shutil.move(world.state, world.folder / "state-elsewhere")
            world.data = world.folder / "elsewhere" / "data.csv"
            world.state = world.folder / "state-elsewhere"
            world.restart_bank().expect("SUCCESS customers 1", "customers")
            world.resume("alice").expect("SUCCESS balance 101", "balance")


@unittest.skipIf(os.geteuid() != 0, "needs root, to mount a disk that is small")
class FullDisk(unittest.TestCase):
    """Whoever cannot write stops at once, and nothing that was answered is gone afterwards."""

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="p2pbank-test-")
        self.addCleanup(os.rmdir, folder)
        if self.mount(folder, "size=128k"):
            self.skipTest("cannot mount a tmpfs here")
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        self.disk = pathlib.Path(folder)

    def mount(self, folder, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True).returncode

    def test_a_customer(self):
        with World() as world:
            world.state = self.disk / "state"
            alice = world.customer("alice", opening="0")
            tickets = alice.type(*["deposit 1"] * 30000)
            self.assertEqual(alice.wait_end(), 3)
            self.assertIn("No space left on device", alice.log)
            answered = sum(alice.has_answer(ticket) for ticket in tickets)
            self.mount(self.disk, "remount,size=50m")
            alice = world.resume("alice")
            self.assertGreaterEqual(int(alice.balance()), answered)
            self.assertLess(int(alice.balance()), 30000)
            alice.end()

    def test_the_bank(self):
        with World(start=False) as world:
            self.mount(self.disk, "remount,size=1m")  # the history needs some of it at once
            world.data = self.disk / "data.csv"
            bank = world.start_bank()
            tickets = bank.type(
                *[f"open c{n} 1 127.0.0.1 {1000 + n} {20000 + n}" for n in range(5000)]
            )
            self.assertEqual(bank.wait_end(), 3)
            answered = sum(bank.has_answer(ticket) for ticket in tickets)
            self.mount(self.disk, "remount,size=50m")
            bank = world.restart_bank()
            self.assertGreaterEqual(int(bank.ok("customers").text.split()[1]), answered)
            world.audit_adds_up()
            bank.end()


if __name__ == "__main__":
    unittest.main()
