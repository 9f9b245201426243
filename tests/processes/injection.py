"""Faults at a chosen system call of a real program, by strace: killed there, or told of an error.

A `Place` is the nth call of one kind that a thread makes; strace counts for each thread on its own,
and the first thread that gets so far meets the fault. `paths` limits both the count and the fault to
calls on certain files and folders, and what a program calls on others is left alone. A program that
is killed dies before the call has done anything; so "before the next one" is "after this one".
"""

import collections
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

# What reaches the disk, the network or the terminal. `?`: not every processor has every one of them.
CALLS = (
    "openat write pwrite64 fsync fdatasync ?rename renameat ?renameat2 ftruncate ?unlink unlinkat "
    "?link linkat ?mkdir mkdirat sendmmsg"
).split()  # fmt: skip
LINE = re.compile(r"(\d+) +(\w+)\((.*)")
# Libraries and the like: what is opened before the program has begun.
SYSTEM = re.compile(r'AT_FDCWD(<[^<>]*>)?, "/(lib|usr|etc|proc|dev|sys)')


def why_not():
    """Why there can be no injection here; nothing if there can."""
    if not shutil.which("strace"):
        return "needs strace (package strace)"
    # A program that is killed at its first call to the disk or terminal: the shell's `echo`.
    trial = Place("write", 1).command("KILL", ["sh", "-c", "echo"])
    try:
        done = subprocess.run(trial, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return "strace does not work here"
    if done.returncode != -9:
        return f"strace cannot inject faults here: {done.stderr.strip()[:200]}"
    return None


def _strace(calls, log, rest):
    # With -D the program is our own child, and the tracer is not in between.
    command = ["strace", "-D", "-f", "-qq", "-o", str(log)]
    # A program that is traced cannot look for leaks.
    leaks = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    command += ["-E", f"ASAN_OPTIONS={leaks.lstrip(':')}"]
    return [*command, "-e", f"trace={','.join(calls)}", *rest]


@dataclass(frozen=True)
class Place:
    call: str
    nth: int
    group: str = ""  # of files, see Count

    def __str__(self):
        return f"{self.group}:{self.call}:{self.nth}"

    def command(self, effect, program, paths=(), log="/dev/null"):
        """The program with a fault here: `effect` is KILL or an error such as EIO. The log tells of
        errors, see `injected`."""
        what = "signal=KILL" if effect == "KILL" else f"error={effect}"
        rest = ["-e", f"inject={self.call}:{what}:when={self.nth}"]
        # Stops at this call only, which is faster; but at such a stop no signal can be given.
        rest += [] if effect == "KILL" else ["--seccomp-bpf"]
        for path in paths:
            rest += ["-P", str(path)]
        return [*_strace([self.call], log, rest), *program]


def injected(log):
    """Whether the program was told of an error."""
    return "(INJECTED)" in pathlib.Path(log).read_text(errors="replace")


class Count:
    """The places of one clean run. `groups` gives for each name the files that belong to it; of a
    group without any, whatever the program calls counts, but for the files of the system itself."""

    def __init__(self):
        handle, name = tempfile.mkstemp(prefix="p2pbank-strace-")
        os.close(handle)
        self._log = pathlib.Path(name)

    def command(self, program):
        return [*_strace(CALLS, self._log, ["-y", "--seccomp-bpf"]), *program]

    def places(self, groups, calls=None):
        """In the order of the run: each (group, call, nth) once, by whichever thread is first."""
        counts = collections.Counter()
        found = {}
        for line in self._log.read_text(errors="replace").splitlines():
            match = LINE.match(line)
            if not match:
                continue  # the end of a call that another thread interrupted, or of the program
            thread, call, rest = match.groups()
            for group, paths in groups.items():
                if not self._belongs(rest, paths):
                    continue
                counts[thread, group, call] += 1
                if (not calls or call in calls) and not SYSTEM.match(rest):
                    found[Place(call, counts[thread, group, call], group)] = None
        return list(found)

    @staticmethod
    def _belongs(rest, paths):
        if not paths:
            return True
        named = re.findall(r'<([^<>]*)>|"([^"]*)"', rest.split(") = ")[0])
        return any(str(path) in pair for path in paths for pair in named)

    def close(self):
        self._log.unlink()


# Calls after which the files on the disk are others than before.
TURNS = {"rename", "renameat", "renameat2", "fsync"}


def spread(places, count, always=TURNS):
    """The first of each kind and every turn; and so many of the others, evenly over the run."""
    firsts = {}
    for place in places:
        firsts.setdefault((place.group, place.call), place)
    kept = {place for place in places if place.call in always} | set(firsts.values())
    others = [place for place in places if place not in kept]
    count = min(count, len(others))
    kept.update(others[number * len(others) // count] for number in range(count))
    return [place for place in places if place in kept]
