"""The files on disk: locks, torn and damaged journals, folders that cannot be written."""

import shutil
import unittest

from harness import World
from programs import run_program


class Locks(unittest.TestCase):
    def test_a_second_bank_on_the_same_data_is_refused_at_once(self):
        with World() as world:
            world.customer("alice", opening="100")
            status, out, err = run_program(
                "bank", "--any-port", "--port", 0, "--data", world.data, stdin="customers\n",
                deadline_s=5,
            )  # fmt: skip
            self.assertIn(status, (1, 2))
            self.assertEqual(out, "")
            self.assertRegex(err, r"in-use|in use")
            world.bank.expect("SUCCESS customers 1", "customers")

    def test_a_second_customer_on_the_same_state_is_refused_at_once(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            status, out, err = run_program(
                "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0, "--state",
                world.state, "--name", "alice", stdin="balance\n", deadline_s=5,
            )  # fmt: skip
            self.assertIn(status, (1, 2))
            self.assertRegex(out + err, r"state-in-use|in use")
            alice.expect("SUCCESS balance 100", "balance")

    def test_locks_of_the_killed_are_free(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.kill()
            world.bank.kill()
            world.restart_bank()
            world.resume("alice").expect("SUCCESS balance 100", "balance")


class Journals(unittest.TestCase):
    """Zeros follow the last record: the file is filled ahead of the writing."""

    def damage(self, path, change):
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)
        return bytes(content)

    def written(self, content):
        """The length without the zeros at the end."""
        return len(bytes(content).rstrip(b"\0"))

    def test_a_torn_last_record_of_a_customer_is_cut_off(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("deposit 5")
            alice.ok("deposit 6")
            alice.kill()
            journal = world.state / "alice" / "journal"

            def tear(content):
                del content[self.written(content) - 3 :]

            self.damage(journal, tear)
            alice = world.resume("alice")
            alice.expect("SUCCESS balance 105", "balance")
            alice.expect("SUCCESS deposit 1 balance 106", "deposit 1")
            alice.kill()
            world.resume("alice").expect("SUCCESS balance 106", "balance")

    def test_a_torn_last_record_of_the_bank_is_cut_off(self):
        with World() as world:
            world.bank.ok("open alice 100 127.0.0.1 4001 4002")
            world.bank.ok("open bob 100 127.0.0.1 4003 4004")
            world.bank.kill()

            def tear(content):
                end = self.written(content)
                content[end - 3 : end] = b"\0\0\0"

            self.damage(world.data.with_name("data.csv.journal"), tear)
            # The CSV is newer than the torn journal: nothing that it says is lost.
            bank = world.restart_bank()
            lines = "\n".join(bank.ok("customers").lines)
            self.assertIn("alice", lines)
            world.audit_adds_up()

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

    def test_an_old_copy_of_the_state_is_noticed(self):
        # A disk that lost acknowledged writes: in journal mode a peer knows a higher label.
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            copy = world.folder / "copy"
            alice.ok("transfer 1 bob")
            alice.kill()
            shutil.copytree(world.state / "alice", copy)
            alice = world.resume("alice")
            alice.ok("transfer 10 bob")
            alice.kill()
            shutil.rmtree(world.state / "alice")
            shutil.copytree(copy, world.state / "alice")
            alice = world.resume("alice")
            alice.type("transfer 5 bob")
            self.assertNotEqual(alice.wait_end(), 0)
            self.assertEqual(bob.balance(), "111")


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


if __name__ == "__main__":
    unittest.main()
