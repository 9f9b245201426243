"""What a person runs: the examples in data/, scripts/demo, scripts/cluster."""

import os
import subprocess
import sys
import unittest

from harness import World
from programs import BIN, ROOT, SLOWNESS, parse_answers, run_program

SLOW = True


def run_python(script, *arguments, stdin=""):
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / script, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=180 * SLOWNESS,
        env={**os.environ, "P2PBANK_BIN": str(BIN)},
    )


class Examples(unittest.TestCase):
    def test_the_example_table_can_be_used(self):
        with World(start=False) as world:
            world.data.parent.mkdir()
            world.data.write_bytes((ROOT / "data" / "example.csv").read_bytes())
            bank = world.start_bank()
            bank.expect("SUCCESS customers 4", "customers")
            world.audit_adds_up(balances="1067.75")

    def test_the_example_for_the_bank(self):
        with World(start=False) as world:
            script = (ROOT / "data" / "example-bank.txt").read_text()
            status, out, _ = run_program(
                "bank", "--any-port", "--port", 0, "--data", world.data, stdin=script
            )
            self.assertEqual(status, 0, out)
            self.assertEqual(len(parse_answers(out)), 4)

    def test_the_example_for_a_customer(self):
        with World() as world:
            script = (ROOT / "data" / "example-customer.txt").read_text()
            status, out, _ = run_program(
                "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
                "--state", world.state, stdin=script,
            )  # fmt: skip
            self.assertEqual(status, 0, out)
            self.assertEqual(parse_answers(out)[3].first, "SUCCESS balance 130.50")


class Scripts(unittest.TestCase):
    def test_the_demo_goes_as_told(self):
        done = run_python("demo.py", "--fast")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("9/9", done.stdout)
        self.assertIn("All as it should be", done.stdout)

    def test_the_demo_of_the_business_goes_as_told(self):
        done = run_python("demo_business.py", "--fast")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("10/10", done.stdout)
        self.assertIn("All as it should be", done.stdout)
        self.assertNotIn("correct horse", done.stdout + done.stderr)

    def test_the_demo_explains_itself(self):
        for word, status in (("--help", 0), ("--nonsense", 2)):
            done = subprocess.run(
                ["bash", ROOT / "scripts" / "demo", word],
                capture_output=True, text=True, timeout=60 * SLOWNESS,
            )  # fmt: skip
            self.assertEqual(done.returncode, status)
            self.assertIn("scripts/demo [--business] [--yes] [--fast]", done.stdout + done.stderr)

    def test_a_cluster_without_tmux_takes_commands_for_all(self):
        script = (
            "alice new-cohort alice 2\nalice transfer 10 bob\nkill bob\nbob balance\nstart bob\n"
            "bob balance\nnonsense\nbob checkpoint\nbank audit\nquit\n"
        )
        done = run_python("cluster.py", 2, stdin=script)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for text in (
            "alice: SUCCESS open alice balance 100",
            "SUCCESS transfer 10 to bob label 1 balance 90",
            "bob does not run: start bob",
            "SUCCESS balance 110",
            "not understood",
            "SUCCESS checkpoint bob (received 1 transfer from alice), alice",
            "SUCCESS audit balances 200 in-transit 0 expected 200 difference 0",
        ):
            self.assertIn(text, done.stdout)


if __name__ == "__main__":
    unittest.main()
