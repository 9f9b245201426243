"""The real programs, started with pipes and on ports that the system gives.

Everything here that takes time is outside of what is measured, except where it says so.
"""

import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("P2PBANK_BIN", ROOT / "build" / "bench" / "bin"))
READY = re.compile(rb"ready on ports? ([\d ]+)")
ANSWER_DEADLINE_S = 60


class Failed(Exception):
    """A program did not do what the measurement needs."""


def allow_many_files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def on_core(core):
    """For preexec_fn: the process dies with this one, and stays on a core unless that is None."""

    def prepare():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if core is not None:
            os.sched_setaffinity(0, {core})

    return prepare


class Program:
    """One process. Answers are read by whoever typed: `ask` waits for one.

    Its standard error goes to the file `log`, so that nobody is woken for what it says there;
    without one it is a pipe that is read until the program is ready, to see at once when that is.
    """

    def __init__(self, command, core=None, log=None):
        self.command = [str(word) for word in command]
        self._log = open(log, "w+b") if log else None
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log or subprocess.PIPE,
            bufsize=0,
            preexec_fn=on_core(core),
        )
        self.ports = ()
        self._kept = b""

    def wait_ready(self):
        """Until it says that it can be reached; returns the seconds since it was started."""
        said = b""
        while not (ready := READY.search(said)):
            if self._log:
                ended = self.process.poll() is not None
                time.sleep(0.001)
                said = os.pread(self._log.fileno(), 4096, 0)
            else:
                more = os.read(self.process.stderr.fileno(), 4096)
                ended = not more
                said += more
            if ended and not READY.search(said):
                raise Failed(f"{' '.join(self.command)} ended: {said.decode()}")
        took = time.perf_counter() - self.started
        self.ports = tuple(int(port) for port in ready.group(1).split())
        return took

    def type(self, line):
        os.write(self.process.stdin.fileno(), line.encode() + b"\n")

    def answer(self):
        """The next line that starts an answer; lines that belong to it are skipped."""
        while True:
            line, newline, rest = self._kept.partition(b"\n")
            if newline:
                self._kept = rest
                if not line.startswith(b" "):
                    return line.decode()
                continue
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise Failed(f"{' '.join(self.command)} ended")
            self._kept += more

    def ask(self, line):
        self.type(line)
        return self.answer()

    def ok(self, line):
        answer = self.ask(line)
        if not answer.startswith("SUCCESS"):
            raise Failed(f"{line}: {answer}")
        return answer

    def load(self, line, *, window, seconds=1.0, core=None, most=None, first=None):
        """Types a command again and again with bench_load; what that has measured."""
        to, source = self.process.stdin.fileno(), self.process.stdout.fileno()
        command = [BIN / "bench_load", "--to", to, "--from", source]
        command += ["--window", window, "--seconds", seconds]
        command += ["--most", most] if most else []
        command += ["--first", first] if first else []
        done = subprocess.run(
            [str(word) for word in [*command, line]],
            pass_fds=(to, source),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=on_core(core),
        )
        if done.returncode != 0:
            raise Failed(f"{line}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def private_kb(self):
        """Memory that this process shares with no other."""
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return sum(int(kb) for kb in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE))

    def kill(self):
        self.process.kill()

    def wait(self):
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr, self._log):
            if stream:
                stream.close()


class World:
    """One bank and its customers in a folder of their own; all end with the `with` block."""

    def __init__(self, core=None, insecure=False):
        self.core = core
        self.mode = ["--insecure"] if insecure else []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="p2pbank-bench-", dir=scratch()))
        self.programs = []
        self.bank = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.kill()
        for program in self.programs:
            program.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, core=None, logged=True):
        log = self.folder / f"log-{len(self.programs)}" if logged else None
        program = Program(command, core, log)
        self.programs.append(program)
        return program

    def start_bank(self, data="data.csv"):
        """Starts the bank without waiting for it."""
        command = [BIN / "bank", "--port", 0, "--any-port", "--data", self.folder / data]
        command += self.mode
        self.bank = self.start(command)
        return self.bank

    def start_customer(self, stable="journal", logged=True):
        """Starts a customer without waiting for it."""
        command = [BIN / "customer", "--bank", f"127.0.0.1:{self.bank.ports[0]}"]
        command += ["--port1", 0, "--port2", 0]
        command += ["--state", self.folder / "state", "--stable", stable, *self.mode]
        return self.start(command, self.core, logged)

    def cohort(self, count, stable="journal", opening=1_000_000_000):
        """Customers c0, c1 ... with accounts, in one cohort."""
        if not self.bank:
            self.start_bank().wait_ready()
        customers = []
        for begin in range(0, count, 50):  # so that they do not starve each other
            some = [self.start_customer(stable) for _ in range(min(50, count - begin))]
            for customer in some:
                customer.wait_ready()
            for index, customer in enumerate(some, begin):
                customer.type(f"open c{index} {opening}")
            for customer in some:
                if not (answer := customer.answer()).startswith("SUCCESS"):
                    raise Failed(answer)
            customers += some
        formed = customers[0].ask(f"new-cohort c0 {count}")
        if formed.startswith("FAILURE"):
            raise Failed(formed)
        for customer in customers:  # with many on a busy machine the answer may be UNKNOWN at first
            deadline = time.monotonic() + ANSWER_DEADLINE_S
            while customer.ok("peers") != f"SUCCESS peers {count - 1}":
                if time.monotonic() > deadline:
                    raise Failed("the cohort is not there")
                time.sleep(0.01)
        return customers


_SCRATCH = None


def scratch():
    """Where files go while it is measured: on a disk, because in memory nothing is durable."""
    return _SCRATCH or tempfile.gettempdir()


def set_scratch(folder):
    global _SCRATCH
    _SCRATCH = folder


def reference(*words, core=None, folder=None):
    """Runs a reference program to its end; what it has measured."""
    command = [BIN / "bench_reference", *words]
    command += ["--folder", folder] if folder else []
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=on_core(core),
    )
    return json.loads(done.stdout)
