"""The runners of tests, stopped by a signal: nothing that they started or made is left."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from programs import BIN, START_DEADLINE_S

TESTS = pathlib.Path(__file__).resolve().parent.parent


def programs_of(folder):
    """The processes whose working folder or arguments are in `folder`."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if str(folder) in line or where.startswith(str(folder)):
            found.append(line.replace("\0", " "))
    return found


class RunEnds(unittest.TestCase):
    def stop(self, arguments, wanted, number):
        with tempfile.TemporaryDirectory(prefix="p2pbank-run-ends-") as name:
            folder = pathlib.Path(name)
            runner = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"TMPDIR": name, "P2PBANK_BIN": str(BIN)},
            )
            try:
                deadline = time.monotonic() + 4 * START_DEADLINE_S
                while not any(wanted in line for line in programs_of(folder)):
                    self.assertIsNone(runner.poll(), "it ended by itself")
                    self.assertLess(time.monotonic(), deadline, "it started nothing")
                    time.sleep(0.01)
                runner.send_signal(number)
                _, said = runner.communicate(timeout=8 * START_DEADLINE_S)
            finally:
                runner.kill()
                runner.wait()
            self.assertEqual(runner.returncode, 128 + number, said)
            self.assertIn(f"stopped by {signal.Signals(number).name}", said)
            self.assertEqual(programs_of(folder), [])
            self.assertEqual([file.name for file in folder.iterdir()], [])

    def test_process_tests(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                words = ["--jobs", "2", "test_kills"]
                self.stop([str(TESTS / "processes" / "run.py"), *words], "--data", number)

    def test_model(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                self.stop([str(TESTS / "model" / "run.py"), "--jobs", "2"], "./pan", number)


if __name__ == "__main__":
    unittest.main()
