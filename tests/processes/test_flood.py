"""Floods of what nobody wants, at a real bank and its customers: those who are honest go on."""

import pathlib
import re
import subprocess
import sys
import time
import unittest

from harness import World
from programs import ANSWER_DEADLINE_S, ROOT, SLOWNESS, Failed

SLOW = True

FLOOD = ROOT / "tests" / "bench" / "flood.py"
DATAGRAMS = 200_000  # at least, while honest commands are typed
MANY = 3_000  # addresses
# What a program may take more than before. Sessions and addresses that it remembers have limits
# (common/base/limits.h, common/secure/sessions.h), and these fit; a flood that is remembered does not.
MOST_KB_MORE = 16 * 1024


class Flood:
    """tests/bench/flood.py, for as long as the `with` block."""

    def __init__(self, programs, *flags):
        self.programs = programs
        ports = [
            port
            for program in programs
            for port in getattr(program, "ports", None) or [program.port]
        ]
        addresses = [f"127.0.0.1:{port}" for port in ports]
        self.command = [sys.executable, FLOOD, *flags, *addresses]

    def __enter__(self):
        self.before = [memory_kb(program) for program in self.programs]
        command = [str(word) for word in self.command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.sent = 0
        return self

    def goes_on(self, count=DATAGRAMS):
        """Whether fewer datagrams than this have been sent so far."""
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the flood has ended: {self.command}")
        self.sent = int(line)
        return self.sent < count

    def __exit__(self, kind, error, trace):
        self.process.kill()
        self.process.communicate()

    def check_memory(self):
        for program, before in zip(self.programs, self.before, strict=True):
            now = memory_kb(program)
            if now - before > MOST_KB_MORE:
                program.fail(f"took {now - before} kB more while {self.sent} datagrams came")


def memory_kb(program):
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+) kB", status).group(1))


class Floods(unittest.TestCase):
    def honest_commands_go_on(self, kind, sources, *, flags=()):
        with World(flags=flags) as world:
            alice, bob = (
                world.customer(name, opening="1000", flags=flags) for name in ("alice", "bob")
            )
            alice.ok("new-cohort alice 2")
            alice.ok("transfer 1 bob")
            words = ["--kind", kind, "--sources", sources]
            with Flood([world.bank, bob], *words) as flood:
                end = time.monotonic() + 2 * ANSWER_DEADLINE_S
                rounds = 0
                while flood.goes_on() or rounds < 5:  # with sessions that stand
                    began = time.monotonic()
                    alice.ok("transfer 2 bob")
                    bob.ok("transfer 1 alice")
                    alice.ok("checkpoint")
                    rounds += 1
                    self.assertLess(time.monotonic() - began, 10 * SLOWNESS)
                    self.assertLess(time.monotonic(), end, "a flood of too few datagrams")
                carol = world.customer("carol", opening="50", flags=flags)  # with new ones
                carol.ok("deposit 5")
                alice.kill()
                alice = world.resume("alice")
                alice.ok("transfer 3 bob")
                alice.ok("rollback")
                flood.check_memory()
            alice.ok("transfer 4 bob")
            bob.ok("checkpoint")
            world.audit_adds_up()

    def test_garbage_from_one_address(self):
        self.honest_commands_go_on("garbage", 1)

    def test_garbage_from_many_addresses(self):
        self.honest_commands_go_on("garbage", MANY)

    def test_too_long_and_too_short(self):
        self.honest_commands_go_on("sizes", 100)

    def test_packets_without_meaning_from_one_address(self):
        self.honest_commands_go_on("packets", 1)

    def test_packets_without_meaning_from_many_addresses(self):
        self.honest_commands_go_on("packets", MANY)

    def test_packets_without_meaning_in_clear(self):
        self.honest_commands_go_on("packets", MANY, flags=("--insecure",))

    def test_forged_handshakes_from_one_address(self):
        self.honest_commands_go_on("initiations", 1)

    def test_forged_handshakes_from_many_addresses(self):
        self.honest_commands_go_on("initiations", MANY)


if __name__ == "__main__":
    unittest.main()
