"""Starts the real programs, types at them, kills them, and looks at what is left.

A `World` is one bank, its customers and a folder of files, for one test; leaving the `with` block
ends everything and fails if a program crashed:

    with World() as world:
        alice = world.customer("alice", opening="100")
        alice.expect("SUCCESS deposit 50 balance 150", "deposit 50")
"""

import csv
import os
import pathlib
import re
import shutil
import socket
import tempfile

from programs import BIN, START_DEADLINE_S, Bank, Customer, Failed

HEADER = "name,balance,ip_address,port1,port2,cohort,exit_state"


class World:
    """One bank, its customers and their files. Everything ends with the `with` block."""

    def __init__(self, **bank_options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="p2pbank-test-"))
        self.data = self.folder / "data" / "data.csv"
        self.state = self.folder / "state"
        self.programs = []
        self.bank_options = bank_options
        self.bank = None
        self.customers = {}
        self._customer_flags = {}

    def __enter__(self):
        if self.bank_options.pop("start", True):
            self.start_bank(**self.bank_options)
        return self

    def __exit__(self, kind, error, trace):
        try:
            if error is None:
                wrong = self._end_all()
            else:
                for program in self.programs:
                    program.examine()
                wrong = [program.transcript() for program in self.programs]
            wrong += filter(None, (program.what_went_wrong() for program in self.programs))
        finally:
            for program in self.programs:
                if program.running:
                    program.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
        if wrong and error is None:
            raise Failed("\n".join(wrong))
        for text in wrong:
            error.add_note(text)

    def _end_all(self):
        """End of input for every program; what did not end as it should, as texts."""
        wrong = []
        running = [program for program in self.programs if program.running]
        for program in running:
            program.cont()
            program.close_input()
            if "--serve" in program.command:
                program.process.terminate()
        for program in running:
            try:
                program.wait_end()
            except Failed as failed:
                wrong.append(str(failed))
        return wrong

    def add(self, program):
        self.programs.append(program)
        return program

    def command_of(self, name, command):
        """How the program is started."""
        return command

    # --- the bank ----------------------------------------------------------------------------

    def start_bank(self, *, port=0, flags=(), wait=True):
        command = [BIN / "bank", "--port", port, "--any-port", "--data", self.data, *flags]
        bank = self.add(Bank("bank", self.command_of("bank", command)))
        if wait:
            bank.port = int(bank.wait_log(r"ready on port (\d+)", START_DEADLINE_S).group(1))
            bank.wait_until(self.data.exists, f"{self.data} to be there", START_DEADLINE_S)
        self.bank = bank
        return bank

    def restart_bank(self, *, flags=()):
        """Starts the bank again, with the same files on the same port."""
        return self.start_bank(port=self.bank.port, flags=flags)

    @property
    def bank_address(self):
        return f"127.0.0.1:{self.bank.port}"

    # --- customers ---------------------------------------------------------------------------

    def customer(
        self, name, *, opening=None, stable=None, flags=(), ports=(0, 0), resume=False,
        secrets=False,
    ):  # fmt: skip
        """Starts a customer; with `opening`, opens its account; with `secrets`, its passwords can
        be whispered."""
        command = [BIN / "customer", "--bank", self.bank_address]
        command += ["--port1", ports[0], "--port2", ports[1], "--state", self.state]
        if stable:
            command += ["--stable", stable]
        if resume:
            command += ["--name", name]
        command = self.command_of(name, [*command, *flags])
        customer = self.add(Customer(name, command, secrets=secrets))
        ready = customer.wait_log(r"ready on ports (\d+) (\d+)", START_DEADLINE_S)
        customer.ports = tuple(int(port) for port in ready.groups())
        self.customers[name] = customer
        self._customer_flags[name] = {"stable": stable, "flags": flags, "secrets": secrets}
        if opening is not None:
            customer.expect(f"SUCCESS open {name} balance {opening}", f"open {name} {opening}")
        return customer

    def resume(self, name):
        """Starts a customer again, with the same state and the same ports."""
        return self.customer(
            name, ports=self.customers[name].ports, resume=True, **self._customer_flags[name]
        )

    def cohort(self, *names, opening="100", stable=None):
        """Customers with open accounts in one cohort. Returns them in the order of their names."""
        modes = stable if isinstance(stable, (list, tuple)) else [stable] * len(names)
        members = [
            self.customer(name, opening=opening, stable=mode) for name, mode in zip(names, modes)
        ]
        answer = members[0].ok(f"new-cohort {names[0]} {len(names)}")
        match = re.fullmatch(r"new-cohort (\S+) members (.+)", answer.text)
        if not match or sorted(match.group(2).split(", ")) != sorted(names):
            members[0].fail(f"a cohort of {names} was wanted: {answer}")
        return members

    # --- what is left ------------------------------------------------------------------------

    def rows(self):
        """data.csv by name. Read with Python's csv module, so it is checked against that too."""
        text = self.data.read_text()
        if text.split("\n", 1)[0] != HEADER:
            raise Failed(f"not the header of data.csv: {text[:100]!r}")
        return {row["name"]: row for row in csv.DictReader(text.splitlines())}

    def audit_adds_up(self, **expected):
        """Checks that nothing is lost or made, and the given numbers (balances="380")."""
        numbers = self.bank.audit()
        for key, value in {"difference": "0", **expected}.items():
            key = key.replace("_", "-")
            if numbers[key] != value:
                self.bank.fail(f"audit: {key} should be {value}: {numbers}")
        return numbers


def free_udp_port(low=None, high=None):
    """A port that nobody uses at this moment: any, or one of low..high."""
    candidates = [0] if low is None else range(low, high + 1)
    offset = os.getpid() % len(candidates)
    for candidate in [*candidates[offset:], *candidates[:offset]]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise Failed(f"no free port in {low}-{high}")
