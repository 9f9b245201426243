"""Figures beside their references, as one table: on the screen and in docs/measurements.md."""

import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
from dataclasses import dataclass, field


@dataclass
class Row:
    """One figure. `ours` and `theirs` are pairs, taken one after the other; the ratio is the median
    of the pairs' ratios."""

    figure: str
    unit: str
    reference: str
    at_least: float | None = None  # the goal for the ratio, one way
    at_most: float | None = None  # or the other
    ours: list = field(default_factory=list)
    theirs: list = field(default_factory=list)
    missing: str = ""  # why there is nothing to compare with

    def add(self, ours, theirs):
        self.ours.append(ours)
        if theirs is not None:
            self.theirs.append(theirs)

    @property
    def ratio(self):
        if not self.theirs:
            return None
        return statistics.median(
            a / b if b else float("inf") for a, b in zip(self.ours, self.theirs)
        )

    @property
    def met(self):
        if self.ratio is None or (self.at_least is None and self.at_most is None):
            return None
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return self.ratio <= self.at_most

    def cells(self):
        def value(numbers):
            return show(statistics.median(numbers)) if numbers else "-"

        ratio = f"{self.ratio:.2f}" if self.ratio is not None else "-"
        goal = "-"
        if self.at_least is not None:
            goal = f">= {self.at_least:g}"
        elif self.at_most is not None:
            goal = f"<= {self.at_most:g}"
        met = {None: "-", True: "met", False: "not met"}[self.met]
        return [
            f"{self.figure} [{self.unit}]",
            value(self.ours),
            self.reference,
            value(self.theirs) if self.theirs else self.missing or "-",
            ratio,
            goal,
            met,
        ]


HEADER = ["figure", "ours", "reference", "its figure", "ratio", "goal", ""]


def show(number):
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def columns(rows):
    """As text: the columns are as wide as what is in them."""
    table = [HEADER, *[row.cells() for row in rows]]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEADER))]
    right = {1, 3, 4, 5}
    lines = []
    for line in table:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def machine():
    """What a reader has to know about the machine, as (name, value)."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False)
    return [
        ("processor", f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{int(memory.group(1)) / 1024**2:.0f} GiB" if memory else "unknown"),
        ("system", f"{system.group(1) if system else '?'}, Linux {platform.release()}"),
        ("compiler", (compiler.stdout.splitlines() or ["unknown"])[0]),
    ]


def file_system(folder):
    found = subprocess.run(
        ["df", "--output=fstype,source", folder], capture_output=True, text=True, check=False
    )
    return " on ".join((found.stdout.splitlines() or ["?"])[-1].split())


INTRODUCTION = """# Measurements

Written by `./scripts/bench`; to be read together with the machine it ran on:

{machine}

Absolute figures move from machine to machine and from hour to hour. What counts are the ratios: ours
and the reference are measured one right after the other, {rounds} times, and the ratio is the median
of the pairs. The references are the small programs in `tests/bench`: the least that a machine has to
do for the same effect. Messages of the references have 64 bytes, records 128. W is how many requests
are outstanding; "one core" means that both ends run on core 0. Rates are better when the ratio is
high, times and memory when it is low; the goal says which.

"""

NOTES = """
## How it was measured

- Transfers: two real customers and a bank on loopback. "Through the pipe" means that another program,
  `bench_load`, types the commands and reads the answers; with "one core" it runs on core 1. One at a
  time this mostly measures how fast that program is woken, so the rows without that remark use
  `bench_customer`: the same customer in the same driver, which types by itself.
- The durable exchange: the sender appends, syncs and sends; the receiver appends, syncs and answers;
  each takes together what is there.
- Loss: in a network of its own, where iptables drops that share of the datagrams in either direction.
  Typed through the pipe.
- Checkpoints in a star of N processes: everyone has sent the one that asks a transfer since the last
  checkpoint, so all N take part. Measured from typing to the answer, when all else is quiet. In the
  two-phase round one process asks N - 1 others and waits for them, twice, and each process appends and
  syncs in each phase. The bank also replaces its table at every checkpoint, which is in ours.
- `open`: typed at the bank's console; the reference appends as many records as its row says and syncs.
- The start of a bank ends when it has answered its first command. Python's csv module only reads the
  rows.
- Memory: what /proc/PID/smaps_rollup calls private, {fleet} processes of each kind running at once; the
  customers have an account and are in one cohort. The reference is linked with the same libraries for
  network and log, and waits on two sockets, a signal and its input.
- Redis: `appendfsync always`, a Lua script that checks and moves between two of 1,000 keys, 50 clients
  of redis-benchmark. PostgreSQL: two UPDATEs in a transaction, 1,000 accounts, 32 clients of pgbench.
  Both are private servers with their files on the same disk.
- Security: the same programs with and without `--insecure`, one after the other. A handshake is counted for
  both sides together, in one process. In a flood both sockets of the receiver get 100,000 datagrams a second
  from core 1 (`tests/bench/flood.py`); both customers are on core 0.
- On a kernel that does not preempt, a process that waits is woken up to 4 ms late when others keep the
  processors busy: run it on a machine that does nothing else.
"""


def markdown(rows, described, rounds, folder, fleet):
    described = [*described, ("files on", file_system(folder))]
    lines = [
        INTRODUCTION.format(
            machine="\n".join(f"- {name}: {value}" for name, value in described)
            + f"\n- date: {datetime.date.today().isoformat()}",
            rounds=rounds,
        ).rstrip("\n"),
        "",
        "| " + " | ".join(HEADER) + " |",
        "|---|---:|---|---:|---:|---:|---|",
        *["| " + " | ".join(row.cells()) + " |" for row in rows],
        NOTES.format(fleet=fleet),
    ]
    return "\n".join(lines)
