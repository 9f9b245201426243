"""A disk that is full again and again: a tmpfs of 64 KiB, in a namespace of its own, that grows a
little each time when a program has stopped on it. (test_files.py has one that root mounts.)

Nobody who works here has to be root: who makes a user namespace may mount a tmpfs in it.
"""

import pathlib
import subprocess
import tempfile
import unittest

from lives import Life, cash, checkpoint, cohort_of_all, rollback, transfer
from programs import Failed

SLOW = True
FIRST_KIB = 64
NOTE = "n" * 140


def why_not():
    """Why there are no namespaces for us here; nothing if there are."""
    try:
        done = subprocess.run(
            ["unshare", "-Ur", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
        )
    except FileNotFoundError:
        return "needs the unshare command (package util-linux)"
    return f"no user namespaces here: {done.stderr.decode().strip()}" if done.returncode else None


REASON = why_not()


class Disk:
    """A small tmpfs. `inside` is where the programs find it, `outside` where we do."""

    def __init__(self):
        self.kib = FIRST_KIB
        self.inside = pathlib.Path(tempfile.mkdtemp(prefix="p2pbank-disk-"))
        mount = (
            f'mount -t tmpfs -o size={self.kib}k,mode=700 tmpfs "$0" && echo mounted && exec cat'
        )
        self._holder = subprocess.Popen(
            ["unshare", "-Ur", "-m", "sh", "-c", mount, str(self.inside)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._holder.stdout.readline() != b"mounted\n":
            raise Failed("the disk is not there")
        self.outside = pathlib.Path(f"/proc/{self._holder.pid}/root{self.inside}")

    def command(self, words):
        """A command that runs where this disk is; the process keeps its id."""
        moved = [str(word).replace(str(self.outside), str(self.inside)) for word in words]
        target = ["--preserve-credentials", "-t", str(self._holder.pid), "-U", "-m"]
        return ["nsenter", *target, "--", *moved]

    def grow(self, kib):
        self.kib += kib
        mount = ["mount", "-t", "tmpfs", "-o", f"remount,size={self.kib}k", "tmpfs", self.inside]
        subprocess.run(self.command(mount), check=True)

    def close(self):
        self._holder.communicate()  # the end of its input is its end, and that of the disk
        self.inside.rmdir()


class DiskLife(Life):
    """The victim's files are on a disk that is full; each time it has stopped, the disk gets
    `step_kib` more. `work` gives the steps of a script without end."""

    def __init__(self, victim, step_kib, **options):
        super().__init__(victim, passing=("state-unusable", "io-error"), **options)
        self.step_kib = step_kib
        self.most_faults = 1000
        self.disk = Disk()
        if victim == "bank":
            self.data = self.disk.outside / "data.csv"

    def __exit__(self, *error):
        try:
            super().__exit__(*error)
        finally:
            self.disk.close()

    def folder_of(self, name):
        return self.disk.outside / "state" if name == self.victim else self.state

    def _wrapped(self, name, command):
        return self.disk.command(command) if name == self.victim else command

    def mend(self):
        self.disk.grow(self.step_kib)

    def live(self, work, faults):
        self.start_bank()
        self.step("bank", 'add-product lamp "Desk lamp" 10 100 home', [])
        for name in ("alice", "bob"):
            self.customer(name)
            self.step(name, f"open {name} 100", [lambda state, name=name: state.open(name, 10_000)])
        self.step("alice", "new-cohort alice 2", [cohort_of_all])
        for step in work:
            self.step(*step)
            if self.faults >= faults:
                break
        else:
            raise Failed(f"the disk of {self.disk.kib} KiB was full only {self.faults} times")
        self.disk.grow(100_000)
        self.check()
        for program in self.programs:
            if program.running:
                program.kill()


def payments(count):
    for _ in range(count):
        for _ in range(10):
            yield "alice", f"deposit 2 --note {NOTE}", [cash("alice", 200)]
            yield "alice", f"withdrawal 1 --note {NOTE}", [cash("alice", -100)]
        yield "alice", "transfer 5 bob", [transfer("alice", "bob", 500)]
        yield "bob", "transfer 4 alice", [transfer("bob", "alice", 400)]
        yield "alice", "rollback", [rollback("alice")]
        yield "bob", "transfer 1 alice", [transfer("bob", "alice", 100)]
        yield "alice", "checkpoint", [checkpoint("alice")]


def purchases(count):
    for number in range(count):
        yield "bank", f'add-product p{number} "{"x" * 60}" 1 5 things', []
        yield "alice", f"buy p{number} 1", [cash("alice", -100)]
        yield "alice", "deposit 2", [cash("alice", 200)]
        yield "bob", "transfer 1 alice", [transfer("bob", "alice", 100)]
        yield "alice", "checkpoint", [checkpoint("alice")]
        yield "alice", "transfer 2 bob", [transfer("alice", "bob", 200)]
        yield "bob", "rollback", [rollback("bob")]


@unittest.skipIf(REASON, REASON or "")
class FullDisk(unittest.TestCase):
    def test_a_customer(self):
        with DiskLife("alice", 32) as life:
            life.live(payments(100), 4)

    def test_the_bank(self):
        with DiskLife("bank", 112) as life:
            life.live(purchases(300), 14)


if __name__ == "__main__":
    unittest.main()
