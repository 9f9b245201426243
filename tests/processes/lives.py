"""The whole life of two customers and their bank, in which one program meets a fault.

Whoever dies is started again at once, and the life goes on: every command that failed for a reason
that passes is typed again. The ledger knows which balances are possible; at the end those that are
seen have to be among them, and the audit has to add up.
"""

import re
import time

from harness import World, free_udp_port
from ledger import Ledger, cents
from programs import BIN, SLOWNESS, START_DEADLINE_S, Bank, Customer, Failed

DEADLINE_S = 60 * SLOWNESS
PAUSE_S = 0.3

# Of failures that pass. In every other case a command that fails here is a mistake.
PASSING = {"busy", "recovering", "unreachable", "bank-unreachable", "too-few", "no-account"}
# What a command of a second try may find.
DONE = {
    "open": {"has-account"},
    "new-cohort": {"in-cohort"},
    "delete-cohort": {"not-in-cohort"},
    "exit": {"exited"},
    "add-product": {"product-exists"},
}
# What the system said, as a program passes it on: of EIO, ENOSPC and their words in SQLite.
SYSTEM_ERROR = (
    "Input/output error|No space left|"
    "disk I/O error|disk is full|readonly database|unable to open database"
)
ERROR_STATUSES = (2, 3)


def cohort_of_all(state):
    state.checkpoint("alice", "bob")


def give_back(state):
    state.give_back("alice")


def cash(name, amount):
    return lambda state: state.cash(name, amount)


def transfer(sender, receiver, amount):
    return lambda state: state.transfer(sender, receiver, amount)


def checkpoint(name):
    return lambda state: state.checkpoint(name)


def rollback(name):
    return lambda state: state.rollback(name)


# Who, what, and what it does to the balances. Everything that is written or sent has its place here.
SCRIPT = [
    ("alice", "open alice 100", [lambda state: state.open("alice", 10_000)]),
    ("bob", "open bob 100", [lambda state: state.open("bob", 10_000)]),
    ("alice", "deposit 7", [cash("alice", 700)]),
    ("alice", "buy lamp 1", [cash("alice", -1000), checkpoint("alice")]),
    ("alice", "new-cohort alice 2", [cohort_of_all]),
    ("alice", "transfer 10 bob", [transfer("alice", "bob", 1000)]),
    ("bob", "transfer 5 alice", [transfer("bob", "alice", 500)]),
    ("bob", "checkpoint", [checkpoint("bob")]),
    ("alice", "buy lamp 1", [cash("alice", -1000)]),
    ("alice", "transfer 3 bob", [transfer("alice", "bob", 300)]),
    ("alice", "rollback", [rollback("alice")]),
    ("bob", "transfer 2 alice", [transfer("bob", "alice", 200)]),
    ("bob", "deposit 1", [cash("bob", 100)]),
    ("alice", "pay Electricity 2", [cash("alice", -200), checkpoint("alice")]),
    ("alice", "transfer 4 bob", [transfer("alice", "bob", 400)]),
    ("bob", "transfer 1.50 alice", [transfer("bob", "alice", 150)]),
    ("bob", "rollback", [rollback("bob")]),
    ("alice", "withdrawal 6", [cash("alice", -600)]),
    ("alice", "checkpoint", [checkpoint("alice")]),
    ("alice", "rollback", [rollback("alice")]),
    ("bank", "export {folder}/shop", []),
    ("bank", "audit --evidence {folder}/all.evidence", []),
    ("bob", "transfer 9 alice", [transfer("bob", "alice", 900)]),
    ("bob", "delete-cohort bob", [cohort_of_all]),
    ("bob", "loan 100 12", [cash("bob", 10_000), checkpoint("bob")]),
    ("alice", "withdrawal 1", [cash("alice", -100)]),
    ("alice", "exit", [checkpoint("alice")]),
]  # fmt: skip


class Life(World):
    """`victim` meets a fault in each run for which `wrap` was given a function that puts it into a
    command line. `fresh`: a bank meets it in its first run already. `passing`: further codes of
    failures that are the fault's doing, and pass. `stable` is alice's."""

    def __init__(self, victim=None, *, stable="journal", fresh=False, script=None, passing=()):
        super().__init__(start=False)
        self.victim, self.stable, self.fresh = victim, stable, fresh
        self.script = SCRIPT if script is None else script
        self._passing = set(passing)
        self._wraps = []
        self.ledger = Ledger()
        self.faults = 0  # that ended the victim
        self.most_faults = 1
        self._crashed = False  # in checkpoint mode, since the last command was typed

    def wrap(self, *functions):
        """One for each run, from the first that may meet a fault."""
        self._wraps = list(functions)
        self.most_faults = len(functions)

    # --- programs that may end at any moment -------------------------------------------------

    def _wrapped(self, name, command):
        if name != self.victim or not self._wraps:
            return command
        return self._wraps.pop(0)(command)

    def start_bank(self, *, port=None, flags=(), wait=True):
        # It is started before it has told its port. Nobody is given one of these by the system.
        port = port or free_udp_port(20_000, 29_999)
        command = [BIN / "bank", "--port", port, "--any-port", "--data", self.data, *flags]
        bank = self.add(Bank("bank", self._wrapped("bank", command)))
        bank.port = port
        self.bank = bank
        return self._ready(bank)

    def customer(self, name, *, ports=(0, 0), resume=True):
        stable = self.stable if name == "alice" else "journal"
        command = [BIN / "customer", "--bank", self.bank_address, "--state", self.folder_of(name)]
        command += ["--port1", ports[0], "--port2", ports[1], "--stable", stable, "--name", name]
        customer = self.add(Customer(name, self._wrapped(name, command)))
        customer.ports = ports
        self.customers[name] = customer
        return self._ready(customer)

    def folder_of(self, name):
        """The state folder."""
        return self.state

    def _ready(self, program):
        """Waits until it can be reached; one that met its fault before is started again."""

        def ready_or_ended():
            return "ready on port" in program.log or not program.running

        end = time.monotonic() + START_DEADLINE_S
        while not ready_or_ended():
            if time.monotonic() > end:
                program.fail("is not ready")
            time.sleep(0.005)
        if not program.running:
            return self._again(program)
        if isinstance(program, Customer):
            ready = re.search(r"ready on ports (\d+) (\d+)", program.log)
            program.ports = tuple(int(port) for port in ready.groups())
        return program

    def _again(self, program):
        """After the fault of the victim: another run of it."""
        status = program.wait_end()
        if program.name in self.customers and "is taken by another program" in program.log:
            return self.customer(program.name)  # which was given the port meanwhile
        if program.name != self.victim or self.faults == self.most_faults:
            program.fail(f"ended with status {status}")
        self.faults += 1
        if status == -9:
            program.killed = True
        elif status not in ERROR_STATUSES or not re.search(SYSTEM_ERROR, program.log):
            program.fail(f"ended with status {status}, or not with the system's words")
        self.mend()
        if program.name == "bank":
            return self.start_bank(port=program.port)
        if self.stable == "checkpoint":
            self._crashed = True
        return self.customer(program.name, ports=program.ports)

    def mend(self):
        """What has to be done after a fault before the victim can go on."""

    def program(self, name):
        return self.bank if name == "bank" else self.customers[name]

    def _look_after(self):
        for name in ("bank", *self.customers):
            program = self.program(name)
            if program.running:
                continue
            status = program.wait_end()
            if "the account is closed" not in program.log:
                self._again(program)
            elif status == -9 and not program.killed:
                program.killed = True
                self.faults += 1

    # --- commands ----------------------------------------------------------------------------

    def ask(self, name, line):
        """The answer, or None if the program ended without one."""
        program = self.program(name)
        ticket = program.type(line)
        end = time.monotonic() + DEADLINE_S
        while not program.has_answer(ticket + 1):
            if not program.running:
                program.wait_end()
                if not program.has_answer(ticket):
                    return None
                break
            if time.monotonic() > end:
                program.fail(f"no answer to {line!r}")
            self._look_after()
            time.sleep(0.002)
        return program.answer(ticket)

    def step(self, name, line, steps):
        """Types it until it has succeeded; whoever dies meanwhile is started again."""
        command = line.split()[0]
        line = line.format(folder=self.folder)
        again = False
        end = time.monotonic() + DEADLINE_S
        while True:
            self._crashed = False
            answer = self.ask(name, line)
            self._look_after()
            self._enter(answer, steps)
            if command == "delete-cohort" and self._crashed:
                # Alice has forgotten what she received; it may not have come again before the end.
                self.ledger.may_have_happened_around([], [give_back, cohort_of_all])
            if command == "exit" and self._wait_closed(name):
                self.ledger.happened(*steps)
                return
            if answer is None or answer.outcome == "UNKNOWN":
                self.calm()
                if command not in DONE and steps:
                    return  # it may have happened, and would happen again
            elif answer.ok:
                return
            elif again and answer.code in DONE.get(command, ()):
                self.ledger.happened(*steps)
                return
            elif name == self.victim and answer.code in self._passing:
                self.mend()
            elif answer.code not in PASSING:
                self.program(name).fail(f"{line!r} should have succeeded: {answer}")
            else:
                time.sleep(PAUSE_S)  # whatever it is that passes, goes on meanwhile
            again = True
            if time.monotonic() > end:
                self.program(name).fail(f"{line!r} should succeed in the end: {answer}")

    def _wait_closed(self, name):
        """Whether the account is closed; one that is being closed is, a moment later."""
        while True:
            if not self.program(name).running:
                return True
            status = self.ask(name, "status")
            if status is not None and "account     being closed" not in status.lines:
                return "account     closed" in status.lines

    def _enter(self, answer, steps):
        crash = [rollback("alice")] if self._crashed else []
        if answer is not None and answer.ok:
            if not crash:
                self.ledger.happened(*steps)
                return
            self.ledger.happened_around(crash, steps)
        elif answer is not None and answer.outcome == "FAILURE":
            self.ledger.happened(*crash)
        else:
            self.ledger.may_have_happened_around(crash, steps)

    # --- at rest -----------------------------------------------------------------------------

    def balances(self):
        """Of all who have an account, in cents; None where somebody is not at rest."""
        found = {}
        for name, customer in self.customers.items():
            if not customer.running:
                closed = re.search(r"the account is closed, balance (\S+)", customer.log)
                found[name] = cents(closed.group(1))
                continue
            status = self.ask(name, "status")
            if status is None:
                return None
            facts = dict(line.split(None, 1) for line in status.lines)
            if facts.get("account") is None:
                continue
            if facts["account"] not in ("open", "closed"):
                return None
            if facts["under"].split() != ["way", "nothing"]:
                return None
            found[name] = cents(facts["balance"])
        audit = self.ask("bank", "audit")
        if audit is None or re.search("in transit now|did not report", str(audit)):
            return None
        return found

    def calm(self):
        """Waits until everybody is at rest, with balances that are possible."""
        end = time.monotonic() + DEADLINE_S
        while True:
            self._look_after()
            balances = self.balances()
            if balances is not None and self.ledger.fits(balances):
                return balances
            if time.monotonic() > end:
                raise Failed(
                    f"the balances should be one of {self.ledger.possible(self.customers)}, and "
                    f"are {balances}\n" + "\n".join(p.transcript() for p in self.programs)
                )
            time.sleep(0.02)

    # --- the life ----------------------------------------------------------------------------

    def live(self):
        lamp = 'add-product lamp "Desk lamp" 10 100 home'
        wraps = self._wraps
        if self._later():
            self._wraps = []
        self.start_bank()
        self.step("bank", lamp, [])
        if self._later():
            # What is written once only has been written when the fault comes.
            self.bank.end()
            self._wraps = wraps
            self.restart_bank()
        for name in ("alice", "bob"):
            self.customer(name)
        for name, line, steps in self.script:
            self.step(name, line, steps)
        self.end_and_restart_bank()
        self.check()
        for program in self.programs:
            if program.running:
                program.kill()  # how they end otherwise is no part of this

    def _later(self):
        return self.victim == "bank" and not self.fresh

    def end_and_restart_bank(self):
        """Its clean end, in which it may meet the fault as well."""
        bank = self.bank
        bank.close_input()
        if bank.wait_end() in (0, 1):
            self.restart_bank()
        else:
            self._again(bank)

    def check(self):
        """Everything at rest, in a cut, and in data.csv."""
        for name, customer in self.customers.items():
            if customer.running and "account     open" in customer.ok("status").lines:
                self.step(name, "checkpoint", [checkpoint(name)])
        balances = self.calm()
        self.ledger.seen(balances)
        self.audit_adds_up(in_transit="0")
        rows = self.rows()
        for name, balance in balances.items():
            if cents(rows[name]["balance"]) != balance:
                raise Failed(f"{name} has {balance} cents, and in data.csv {rows[name]}")
        numbers = self.bank.audit()
        if cents(numbers["balances"]) != sum(balances.values()):
            self.bank.fail(f"the customers have {balances}, the audit says {numbers}")
