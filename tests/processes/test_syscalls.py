"""kill -9 before each system call with which a program reaches disk, network and terminal.

The calls of a clean run are counted, and then lives are lived in which the program is killed at one
of them; in an ordinary run of the tests not at each, but at some that are spread over the run.
P2PBANK_EVERY_SYSCALL=1/1 takes every one, 2/5 the second of five shares of them. A failure names its
place: P2PBANK_SYSCALL=table:renameat:3 takes that place only, in the tests that have it.
"""

import os
import re
import unittest

import injection
from injection import TURNS, Count, Place, injected, spread
from lives import SCRIPT, Life
from programs import Failed

SLOW = True
REASON = injection.why_not()
RECOVERY = ["openat", "pwrite64", "fsync", "fdatasync", "renameat", "ftruncate", "sendmmsg"]


def the_banks_files(life):
    data, shop = life.data, life.folder / "shop"
    table = [data.with_name("data.csv" + end) for end in ("", ".new", ".journal", ".journal.new")]
    history = [data.with_name("bank.db" + end) for end in ("", "-wal", "-shm", "-journal")]
    exports = [shop / "inventory.csv", shop / "purchases.csv", life.folder / "all.evidence"]
    return {
        "table": [data.parent, *table],
        "history": history,
        "exports": [shop, *exports, *[f"{path}.new" for path in exports]],
    }


def a_customers_files(life):
    folder = life.state / "alice"
    names = ("journal", "journal.new", "key", "key.new", "lock")
    return {"state": [life.state, folder, *[folder / name for name in names]]}


def files_of(life):
    """What a group's places are about; of "all", whatever is called."""
    files = the_banks_files(life) if life.victim == "bank" else a_customers_files(life)
    return {"all": (), **files}


def places(groups, calls=None, first=None, **options):
    """All places of these groups in a clean life, in their order; or in the run that follows a kill
    at the place `first`."""
    count = Count()
    try:
        with Life(**options) as life:
            files = files_of(life)
            wraps = [] if first is None else [fault("KILL", first, files)]
            life.wrap(*wraps, count.command)
            life.live()
            return count.places({group: files[group] for group in groups}, calls)
    finally:
        count.close()


def fault(effect, place, files, log="/dev/null"):
    return lambda program: place.command(effect, program, files[place.group], log)


def chosen(found, sample, always=TURNS):
    """What this run of the tests takes of them."""
    if "P2PBANK_SYSCALL" in os.environ:
        return [place for place in found if str(place) == os.environ["P2PBANK_SYSCALL"]]
    if "P2PBANK_EVERY_SYSCALL" in os.environ:
        text = os.environ["P2PBANK_EVERY_SYSCALL"]
        match = re.fullmatch("([0-9]+)/([0-9]+)", text)
        share, shares = map(int, match.groups()) if match else (0, 0)
        if not 1 <= share <= shares:
            raise ValueError(f"P2PBANK_EVERY_SYSCALL is a share as in 2/5, not {text!r}")
        return found[share - 1 :: shares]
    return spread(found, sample, always)


def live_with(effect, place, first=None, **options):
    """A life with a fault; or with a kill, and the fault in the run behind that. Returns whether the
    victim met it."""
    try:
        with Life(**options) as life:
            files, log = files_of(life), life.folder / "strace"
            wraps = [] if first is None else [fault("KILL", first, files)]
            life.wrap(*wraps, fault(effect, place, files, log))
            life.live()
            return life.faults > len(wraps) if effect == "KILL" else injected(log)
    except AssertionError as error:
        error.add_note(f"{effect} at P2PBANK_SYSCALL={place}")
        raise


def live_with_each(effect, taken, **options):
    met = sum(live_with(effect, place, **options) for place in taken)
    # No run is quite like another, so a late place may not be reached.
    if met < 0.7 * len(taken):
        raise Failed(f"only {met} faults of {len(taken)} were met")


@unittest.skipIf(REASON, REASON or "")
class Kills(unittest.TestCase):
    def kill(self, sample, groups, calls=None, **options):
        found = places(groups, calls, **options)
        self.assertTrue(found)
        live_with_each("KILL", chosen(found, sample), **options)

    def test_the_bank_at_its_journal_and_what_is_synced(self):
        self.kill(3, ["table"], ["pwrite64", "fdatasync", "fsync"], victim="bank")

    def test_the_bank_at_its_table_as_it_is_replaced(self):
        self.kill(2, ["table"], ["mkdir", "openat", "renameat", "unlinkat"], victim="bank")

    def test_the_bank_at_its_history_and_exports(self):
        self.kill(5, ["history", "exports"], victim="bank")

    def test_the_bank_at_network_and_terminal(self):
        self.kill(5, ["all"], ["sendmmsg", "write"], victim="bank")

    def test_the_bank_in_its_first_run(self):
        self.kill(4, ["all"], victim="bank", fresh=True, script=SCRIPT[:4])

    def test_a_customer_at_its_state(self):
        self.kill(6, ["state"], victim="alice")

    def test_a_customer_in_checkpoint_mode_at_its_state(self):
        self.kill(4, ["state"], victim="alice", stable="checkpoint")

    def test_a_customer_at_network_and_terminal(self):
        self.kill(6, ["all"], ["sendmmsg", "write"], victim="alice")

    def test_the_bank_again_when_it_comes_back(self):
        first = Place("renameat", 8, "table")
        self.kill(4, ["all"], RECOVERY, victim="bank", first=first)

    def test_a_customer_again_when_it_comes_back(self):
        first = Place("fdatasync", 14, "state")
        self.kill(4, ["all"], RECOVERY, victim="alice", first=first)
        self.kill(4, ["all"], RECOVERY, victim="alice", first=first, stable="checkpoint")


# What a full or broken disk says no to.
DISK_CALLS = (
    "openat write pwrite64 fsync fdatasync rename renameat renameat2 ftruncate link mkdir mkdirat"
).split()  # fmt: skip


@unittest.skipIf(REASON, REASON or "")
class Errors(unittest.TestCase):
    """The program goes on as it should, or stops with the system's words and a status of its own."""

    def err(self, error, sample, groups, **options):
        options["passing"] = ("io-error", "state-unusable")
        found = places(groups, DISK_CALLS, **options)
        self.assertTrue(found)
        live_with_each(error, chosen(found, sample, always=()), **options)

    def test_the_disk_of_the_bank_is_broken(self):
        self.err("EIO", 2, ["table", "history", "exports"], victim="bank")

    def test_the_disk_of_the_bank_is_full(self):
        self.err("ENOSPC", 2, ["table", "history", "exports"], victim="bank")

    def test_the_disk_of_a_customer_is_broken(self):
        self.err("EIO", 3, ["state"], victim="alice")

    def test_the_disk_of_a_customer_is_full(self):
        self.err("ENOSPC", 3, ["state"], victim="alice", stable="checkpoint")


if __name__ == "__main__":
    unittest.main()
