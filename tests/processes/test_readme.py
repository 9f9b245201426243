"""What README.md says about commands, codes and tests is so."""

import re
import subprocess
import unittest

from harness import World
from programs import BIN, ROOT
from run import all_tests, sentence

README = (ROOT / "README.md").read_text()


def rows(heading):
    """The rows of the tables of a chapter, as lists of cells."""
    chapter = re.search(rf"(?ms)^#+ {re.escape(heading)}$(.*?)(?=^## |\Z)", README).group(1)
    lines = [line for line in chapter.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


class Readme(unittest.TestCase):
    def test_each_feature_names_a_test_that_there_is(self):
        known = {sentence(test) for test in all_tests()}
        features = [row for row in rows("What it replaces") if row[2] != "shown by"]
        self.assertGreater(len(features), 40)
        for feature in features:
            if feature[2].startswith("tests/"):
                self.assertTrue((ROOT / feature[2].split()[0]).exists(), feature)
            else:
                self.assertIn(feature[2], known, feature)

    def test_every_command_is_in_it(self):
        with World() as world:
            customer = world.customer("alice")
            for program in (world.bank, customer):
                text = "\n".join(program.ok("help").lines)
                for verb in re.findall(r"(?m)^  ([a-z][a-z-]+)(?: |$)", text):
                    self.assertRegex(README, rf"`{verb}[ `]", verb)

    def test_every_flag_is_in_it(self):
        for program in ("bank", "customer"):
            shown = subprocess.run([BIN / program, "--help"], capture_output=True, text=True)
            for flag in re.findall(r"--[a-z][a-z0-9-]+", shown.stdout):
                if flag != "--help":
                    self.assertIn(flag, README)

    def test_every_code_of_a_failure_is_in_it(self):
        # Codes of errors that end the program before there is a command, or never leave it.
        inner = {"bad-key", "bad-loan", "bad-record", "bad-roster", "damaged-history", "expired",
                 "false-statement", "history-ahead", "history-behind", "history-missing", "in-use",
                 "not-loopback", "port-taken", "too-open", "unreadable"}  # fmt: skip
        listed = set()
        for row in rows("Codes of failures"):
            listed |= set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", row[0]))
        used = set()
        for folder in ("bank", "customer", "common/core", "common/runtime"):
            for path in (ROOT / folder).rglob("*.cpp"):
                used |= set(re.findall(r'(?:failure\(|Error\{)\s*"([a-z]+(?:-[a-z]+)*)"',
                                       path.read_text()))  # fmt: skip
        self.assertGreater(len(used), 50)
        self.assertEqual(used - listed - inner, set())


if __name__ == "__main__":
    unittest.main()
