"""The bank's data.csv: written so that any program reads it, read strictly, edited by a person."""

import csv
import unittest

from harness import HEADER, World
from programs import run_program

ALICE = "alice,100,127.0.0.1,4001,4002,,active"
BOB = "bob,0.05,127.0.0.1,4003,4004,,exited"


class Reading(unittest.TestCase):
    def start_with(self, world, content):
        world.data.parent.mkdir()
        world.data.write_bytes(content if isinstance(content, bytes) else content.encode())
        return world.start_bank()

    def test_what_is_harmless_is_accepted(self):
        cases = {
            "as the bank writes it": f"{HEADER}\n{ALICE}\n{BOB}\n",
            "CRLF": f"{HEADER}\r\n{ALICE}\r\n{BOB}\r\n",
            "no last newline": f"{HEADER}\n{ALICE}\n{BOB}",
            "a byte-order mark": b"\xef\xbb\xbf" + f"{HEADER}\n{ALICE}\n{BOB}\n".encode(),
            "blank lines at the end": f"{HEADER}\n{ALICE}\n{BOB}\n\n\n",
            "quoted fields": f'{HEADER}\n"alice","100","127.0.0.1",4001,4002,,"active"\n{BOB}\n',
            "all of it": b"\xef\xbb\xbf"
            + f'{HEADER}\r\n"{ALICE.replace(",", chr(34) + "," + chr(34))}"'
            f"\r\n{BOB}".encode(),
        }
        for name, content in cases.items():
            with self.subTest(name), World(start=False) as world:
                bank = self.start_with(world, content)
                lines = "\n".join(bank.expect("SUCCESS customers 2", "customers").lines)
                self.assertRegex(lines, r"alice\s.*100.*active")
                self.assertRegex(lines, r"bob\s.*0\.05.*exited")

    def test_only_the_header_is_an_empty_bank(self):
        for content in (HEADER, HEADER + "\n"):
            with World(start=False) as world:
                self.start_with(world, content).expect("SUCCESS customers 0", "customers")

    def test_what_is_not_is_refused_with_line_and_reason_and_left_alone(self):
        row = "zoe,1,127.0.0.1,5001,5002,,active"
        cases = {
            "an empty file": (1, ""),
            "no header": (1, f"{ALICE}\n"),
            "another header": (1, f"name,balance,ip,port1,port2,cohort,exit_state\n{ALICE}\n"),
            "a header in another order": (1, f"balance,name{HEADER[12:]}\n{ALICE}\n"),
            "a missing column": (3, f"{HEADER}\n{ALICE}\nzoe,1,127.0.0.1,5001,5002,active\n"),
            "an extra column": (3, f"{HEADER}\n{ALICE}\n{row},\n"),
            "a quoted newline": (3, f'{HEADER}\n{ALICE}\n"zo\ne",1,127.0.0.1,5001,5002,,active\n'),
            "an open quote": (3, f'{HEADER}\n{ALICE}\n"zoe,1,127.0.0.1,5001,5002,,active\n'),
            "bytes after a quote": (3, f'{HEADER}\n{ALICE}\n"zo"e,1,127.0.0.1,5001,5002,,active\n'),
            "a duplicate name": (3, f"{HEADER}\n{ALICE}\n{row.replace('zoe', 'alice')}\n"),
            "a negative balance": (3, f"{HEADER}\n{ALICE}\n{row.replace(',1,', ',-1,')}\n"),
            "no balance": (3, f"{HEADER}\n{ALICE}\n{row.replace(',1,', ',,')}\n"),
            "a balance of three decimals": (
                3,
                f"{HEADER}\n{ALICE}\n{row.replace(',1,', ',1.001,')}\n",
            ),
            "a balance in words": (3, f"{HEADER}\n{ALICE}\n{row.replace(',1,', ',one,')}\n"),
            "a balance beyond 64 bits": (
                3,
                f"{HEADER}\n{ALICE}\n{row.replace(',1,', ',99999999999999999999,')}\n",
            ),
            "a bad name": (3, f"{HEADER}\n{ALICE}\n{row.replace('zoe', 'z.oe')}\n"),
            "no name": (3, f"{HEADER}\n{ALICE}\n{row.replace('zoe', '')}\n"),
            "a bad address": (3, f"{HEADER}\n{ALICE}\n{row.replace('127.0.0.1', '127.0.0')}\n"),
            "a bad port": (3, f"{HEADER}\n{ALICE}\n{row.replace('5001', '70000')}\n"),
            "a bad second port": (3, f"{HEADER}\n{ALICE}\n{row.replace('5002', '-5')}\n"),
            "an unknown state": (3, f"{HEADER}\n{ALICE}\n{row.replace('active', 'gone')}\n"),
            "a blank line in the middle": (3, f"{HEADER}\n{ALICE}\n\n{row}\n"),
            "semicolons": (2, f"{HEADER}\n{row.replace(',', ';')}\n"),
            "blanks around": (2, f"{HEADER}\n {row}\n"),
            "NUL bytes": (3, f"{HEADER}\n{ALICE}\nz\0e,1,127.0.0.1,5001,5002,,active\n"),
            "Latin-1 bytes": (3, f"{HEADER}\n{ALICE}\nzo\xe9,1".encode("latin-1")),
        }
        for name, (line, content) in cases.items():
            with self.subTest(name), World(start=False) as world:
                raw = content if isinstance(content, bytes) else content.encode()
                world.data.parent.mkdir()
                world.data.write_bytes(raw)
                status, out, err = run_program(
                    "bank", "--any-port", "--port", 0, "--data", world.data, stdin="customers\n"
                )
                self.assertIn(status, (1, 2))
                self.assertEqual(out, "")
                self.assertRegex(err, rf"\bline {line}\b|:{line}:")
                self.assertIn("data.csv", err)
                self.assertEqual(world.data.read_bytes(), raw, "the file was touched")
                # Repaired, the same bank starts.
                world.data.write_text(f"{HEADER}\n{ALICE}\n")
                world.start_bank().expect("SUCCESS customers 1", "customers")


class Writing(unittest.TestCase):
    def test_it_reads_back_with_another_program(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob", opening="100.50")
            alice.ok("transfer 0.25 bob")
            bob.ok("checkpoint")
            text = world.data.read_text()
            rows = list(csv.reader(text.splitlines(), strict=True))
            self.assertEqual(",".join(rows[0]), HEADER)
            by_name = {row[0]: row for row in rows[1:]}
            self.assertEqual(by_name["alice"][1], "100.25")
            self.assertEqual(by_name["bob"][1], "100.75")
            self.assertEqual(by_name["alice"][5], by_name["bob"][5])
            self.assertTrue(text.endswith("\n"))
            self.assertNotIn("\r", text)

    def test_balances_change_only_with_a_commit(self):
        with World() as world:
            alice, bob = world.cohort("alice", "bob")
            alice.ok("transfer 10 bob")
            alice.ok("deposit 5")
            self.assertEqual(world.rows()["alice"]["balance"], "100")
            self.assertEqual(world.rows()["bob"]["balance"], "100")
            bob.ok("checkpoint")
            self.assertEqual(world.rows()["alice"]["balance"], "95")
            self.assertEqual(world.rows()["bob"]["balance"], "110")

    def test_nothing_temporary_is_left_beside_it(self):
        with World() as world:
            world.cohort("alice", "bob")
            self.assertLessEqual(
                {path.name for path in world.data.parent.iterdir()},
                {"data.csv", "data.csv.journal", "data.csv.lock", "bank.key"}
                | {"bank.db", "bank.db-wal", "bank.db-shm"},
            )


class EditedByAPerson(unittest.TestCase):
    """While the bank is stopped."""

    def edit(self, world, change):
        world.bank.end()
        world.data.write_text(change(world.data.read_text()))
        return world.restart_bank()

    def test_a_new_row_is_a_new_customer(self):
        with World() as world:
            world.customer("alice", opening="100")
            bank = self.edit(world, lambda text: text + "zoe,7.50,127.0.0.1,5001,5002,,active\n")
            lines = bank.expect("SUCCESS customers 2", "customers").lines
            self.assertRegex("\n".join(lines), r"zoe\s.*7\.50")
            world.audit_adds_up(expected="107.50")

    def test_a_changed_balance_is_told_to_the_customer(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            self.edit(world, lambda text: text.replace("alice,100,", "alice,250,"))
            alice.becomes("SUCCESS balance 250", "balance")
            alice.ok("deposit 5")
            alice.ok("checkpoint")
            world.audit_adds_up(balances="255", expected="255")
            self.assertEqual(world.rows()["alice"]["balance"], "255")

    def test_nobody_leaves_without_the_correction(self):
        with World() as world:
            alice = world.customer("alice", opening="100")
            alice.ok("withdrawal 90")
            alice.ok("checkpoint")
            self.edit(world, lambda text: text.replace("alice,10,", "alice,5,"))
            alice.becomes("SUCCESS balance 5", "balance")
            alice.ok("withdrawal 4")
            alice.ok("checkpoint")
            self.edit(world, lambda text: text.replace("alice,1,", "alice,0,"))
            alice.becomes("SUCCESS balance 0", "balance")
            bank = self.edit(world, lambda text: text.replace("alice,0,", "alice,3,"))
            alice.becomes("SUCCESS balance 3", "balance")
            alice.ok("withdrawal 3")
            bank = self.edit(world, lambda text: text.replace("alice,3,", "alice,1,"))
            alice.wait_log("correction waits until the balance covers it")
            alice.refuses("overdraft", "exit")
            alice.ok("deposit 2")
            alice.becomes("SUCCESS balance 0", "balance")
            alice.expect("SUCCESS exit alice balance 0", "exit")
            bank.expect("SUCCESS customers 1", "customers")
            world.audit_adds_up(balances="0", expected="0")

    def test_a_row_that_is_broken_keeps_the_bank_from_starting_until_it_is_mended(self):
        with World() as world:
            world.customer("alice", opening="100")
            good = world.data.read_text()
            world.bank.end()
            world.data.write_text(good.replace("alice,100,", "alice,1oo,"))
            status, _, err = run_program(
                "bank", "--any-port", "--port", world.bank.port, "--data", world.data
            )
            self.assertIn(status, (1, 2))
            self.assertRegex(err, r"line 2\b|:2:")
            world.data.write_text(good)
            world.restart_bank().expect("SUCCESS customers 1", "customers")


if __name__ == "__main__":
    unittest.main()
