#!/usr/bin/env python3
"""Measures the real programs beside their references, and prints one table. Called by scripts/bench."""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

import loss
import report
import servers
from programs import (
    BIN,
    ROOT,
    Failed,
    World,
    allow_many_files,
    reference,
    scratch,
    set_scratch,
)
from report import Row
from security import Security
from shop import Shop
from steps import (
    busy_share,
    has_reference,
    pay,
    rate,
    self_typed_transfers,
    self_typing_pair,
    star_checkpoint,
    two_phase_ms,
    typed_transfers,
    write_table,
)

FLEET = 20  # processes of each kind whose memory is looked at
REFERENCES = {
    "ping-pong": "blocking ping-pong",
    "ping-pong-asio": "A: Asio ping-pong",
    "durable-exchange": "durable exchange",
    "enet": "ENet",
}


class Bench(Security):
    def __init__(self, options):
        self.rounds = 3 if options.quick else 7
        self.seconds = 0.3 if options.quick else 1.0
        self.quick = options.quick
        self.rows = []

    def row(self, *words, **goal):
        row = Row(*words, **goal)
        self.rows.append(row)
        return row

    def pairs(self, row, ours, theirs=None, rounds=None):
        """Takes both of a pair right after each other, the order changing from round to round."""
        for index in range(rounds or self.rounds):
            if theirs is None:
                row.add(ours(), None)
            elif index % 2 == 0:
                mine = ours()
                row.add(mine, theirs())
            else:
                other = theirs()
                row.add(ours(), other)
        print("  " + "  ".join(row.cells()), flush=True)

    # --- transfers -------------------------------------------------------------------------------

    def transfers(self):
        for mode, core, name, goal in (
            ("checkpoint", 0, "ping-pong-asio", 0.6),
            ("journal", None, "durable-exchange", 0.8),
        ):
            self.self_typed(mode, core, name, goal)
        for mode, core, window, name, other_window, goal in (
            ("checkpoint", 0, 1, "ping-pong-asio", 1, None),
            ("checkpoint", 0, 64, "ping-pong", 64, 1.5),
            ("checkpoint", 0, 64, "enet", 64, None),
            ("checkpoint", 0, 1024, "ping-pong", 64, None),
            ("journal", None, 1, "durable-exchange", 1, None),
            ("journal", None, 64, "durable-exchange", 64, 0.7),
            ("journal", None, 1024, "durable-exchange", 256, None),
        ):
            self.typed(mode, core, window, name, other_window, goal)

    def self_typed(self, mode, core, name, goal):
        """One at a time, by customers that type by themselves."""
        figure = f"transfers, {mode} mode, one at a time{', one core' if core == 0 else ''}"
        row = self.row(figure, "1/s", f"{REFERENCES[name]}, W=1", at_least=goal)
        with World(core) as world:
            giver, taker = self_typing_pair(world, mode, core)

            def ours():
                return self_typed_transfers(giver, taker, 1, self.seconds)

            self.pairs(row, ours, lambda: rate(name, 1, self.seconds, core, world))

    def typed(self, mode, core, window, name, other_window, goal):
        """By the real programs, whose pipes bench_load has."""
        where = ", one core" if core == 0 else ""
        row = self.row(
            f"transfers, {mode} mode, W={window}{where}, through the pipe",
            "1/s",
            f"{REFERENCES[name]}, W={other_window}",
            at_least=goal,
        )
        if name == "enet" and not has_reference("enet"):
            row.missing = "not installed"
            return
        with World(core) as world:
            giver, taker = world.cohort(2, mode)
            typist = None if core is None else 1

            def ours():
                return typed_transfers(giver, taker, window, self.seconds, typist)

            self.pairs(row, ours, lambda: rate(name, other_window, self.seconds, core, world))

    def loss(self):
        missing = loss.missing()
        resend = ("resend", "--window", loss.WINDOW, "--floor-us", loss.FLOOR_US)
        enet = ("enet", "--window", loss.WINDOW)
        for share in (0.01, 0.05, 0.2):
            for words, title in ((resend, "plain resend after 5 ms, W=64"), (enet, "ENet, W=64")):
                row = self.row(
                    f"transfers, checkpoint mode, W=64, one core, {share:.0%} lost", "1/s", title
                )
                if words is enet and not has_reference("enet"):
                    row.missing = "not installed"
                    continue
                row.missing = missing
                if missing:
                    continue
                seconds = 1.0 if self.quick else 2.0  # ENet's first timeouts are long
                words = [*words, "--seconds", seconds]
                for pair in loss.measure(share, words, self.rounds, seconds, scratch()):
                    row.add(*pair)
                print("  " + "  ".join(row.cells()), flush=True)
        for share, goal in ((0.05, 0.8), (0.2, 1.0)):
            self.row(
                f"transfers, checkpoint mode, W=64, one core, {share:.0%} lost",
                "1/s",
                "KCP with the same floor",
                at_least=goal,
            ).missing = "no Debian package"

    def databases(self):
        for kind, title, goal in (
            (servers.Redis, "Redis, always, 50 clients", 1.0),
            (servers.Postgres, "PostgreSQL, two UPDATEs, 32 clients", 4.0),
        ):
            figure = "transfers, journal mode, W=64, through the pipe"
            row = self.row(figure, "1/s", title, at_least=goal)
            with World() as world, kind() as server:
                giver, taker = world.cohort(2)
                row.missing = server.missing

                def ours():
                    return typed_transfers(giver, taker, 64, self.seconds)

                def theirs():
                    return server.transfers_per_second(self.seconds)

                self.pairs(row, ours, None if server.missing else theirs)

    # --- checkpoints -----------------------------------------------------------------------------

    def checkpoints(self):
        for count, goal in ((2, None), (8, None), (32, 2.5), (128, 2.5)):
            if self.quick and count > 32:
                continue
            row = self.row(
                f"checkpoint, star of {count} processes, median",
                "ms",
                "two-phase round with disk",
                at_most=goal,
            )
            with World() as world:
                hub, *others = world.cohort(count)
                repeats = 5 if count > 32 else 15

                def ours():
                    return statistics.median(star_checkpoint(hub, others) for _ in range(repeats))

                self.pairs(row, ours, lambda: two_phase_ms(count, repeats, world))

    def thousand(self):
        count = 200 if self.quick else 1000
        rounds = 3 if self.quick else 7
        everyone = self.row(f"{count} customers in one cohort: all transfer once", "s", "-")
        row = self.row(
            f"{count} customers in one cohort: a checkpoint of all",
            "ms",
            "two-phase round with disk",
        )
        made = self.row(f"{count} customers: started, opened, in one cohort", "s", "-")
        with World() as world:
            before = time.perf_counter()
            hub, *others = world.cohort(count)
            made.add(time.perf_counter() - before, None)
            print("  " + "  ".join(made.cells()), flush=True)

            def ours():
                spent = time.perf_counter()
                pay(hub, others)
                everyone.add(time.perf_counter() - spent, None)
                return star_checkpoint(hub, others, paid=True)

            self.pairs(row, ours, lambda: two_phase_ms(count, 3, world), rounds)
            print("  " + "  ".join(everyone.cells()), flush=True)

    # --- the bank --------------------------------------------------------------------------------

    def opens(self):
        # The table is replaced with every change while it is small, so that is another figure.
        small = self.row("open at the bank, up to 2,000 accounts, W=1024", "1/s", "-")
        row = self.row(
            "open at the bank, pipelined, W=1024",
            "1/s",
            "append + fdatasync, 64 records",
            at_least=0.1,
        )
        single = self.row("open at the bank, one at a time", "1/s", "append + fdatasync, 1 record")
        with World() as world:
            bank = world.start_bank()
            bank.wait_ready()
            opened = 0

            def load(window, seconds, most):
                nonlocal opened
                line = "open a# 100 127.0.0.1 9001 9002"
                done = bank.load(line, window=window, seconds=seconds, most=most, first=opened + 1)
                opened += done["count"]
                return done["per_second"]

            self.pairs(small, lambda: load(1024, 60, 2_000), rounds=1)
            folder = world.folder
            self.pairs(
                row,
                lambda: load(1024, self.seconds, 100_000),
                lambda: reference(
                    "append", "--records", 64, "--seconds", self.seconds, folder=folder
                )["per_second"],
            )
            self.pairs(
                single,
                lambda: load(1, self.seconds, 100_000),
                lambda: reference(
                    "append", "--records", 1, "--seconds", self.seconds, folder=folder
                )["per_second"],
            )

    def bank_start(self):
        count = 100_000 if self.quick else 1_000_000
        first = self.row(
            f"first start of a bank with {count:,} customers",
            "s",
            "Python's csv module",
            at_most=0.5,
        )
        later = self.row(
            f"later start of a bank with {count:,} customers",
            "s",
            "Python's csv module",
            at_most=0.5,
        )
        with World() as world:
            examples = world.folder / "example.csv"
            write_table(examples, count)

            def python():
                text = "import csv, sys; print(sum(1 for _ in csv.reader(open(sys.argv[1]))))"
                before = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-c", text, examples], check=True, stdout=subprocess.DEVNULL
                )
                return time.perf_counter() - before

            def start():
                bank = world.start_bank()
                bank.wait_ready()
                bank.ok("cohorts")
                took = time.perf_counter() - bank.started
                bank.process.stdin.close()
                bank.process.wait()
                return took

            def first_start():
                for old in [*world.folder.glob("data.csv*"), *world.folder.glob("bank.*")]:
                    old.unlink()
                (world.folder / "data.csv").write_bytes(examples.read_bytes())
                return start()

            self.pairs(first, first_start, python)
            self.pairs(later, start, python)

    # --- a process -------------------------------------------------------------------------------

    def processes(self):
        memory = self.row(
            "private memory of a customer process", "kB", "bare Asio + spdlog", at_most=4
        )
        start = self.row("start of a customer process", "ms", "bare Asio + spdlog", at_most=3)
        with World() as world:
            customers = world.cohort(FLEET)
            idle = [world.start([BIN / "bench_idle"]) for _ in range(FLEET)]
            for program in idle:
                program.wait_ready()
            for hub, other in zip(customers, customers[1:]):
                other.ok(f"transfer 1 c{customers.index(hub)}")
            customers[0].ok("checkpoint")
            mine = sorted(program.private_kb() for program in customers)
            theirs = sorted(program.private_kb() for program in idle)
            for pair in zip(mine, theirs):
                memory.add(*pair)
            print("  " + "  ".join(memory.cells()), flush=True)

            def ready_ms(program):
                took = program.wait_ready() * 1000
                program.kill()
                return took

            def median_of(make):
                return statistics.median(ready_ms(make()) for _ in range(5))

            self.pairs(
                start,
                lambda: median_of(lambda: world.start_customer(logged=False)),
                lambda: median_of(lambda: world.start([BIN / "bench_idle"], logged=False)),
            )

    # --- the business ----------------------------------------------------------------------------

    def business(self):
        """Every command with a million purchases behind it, beside a tenth of that."""
        products, purchases = (10_000, 100_000) if self.quick else (100_000, 1_000_000)
        commands = (
            ("buy p1 1", False),
            ("purchases", False),
            ("statement c0", True),
            ("products", False),
            ("search c17", False),
            ("purchases --product p17", True),
            ("report", True),
        )
        with World() as world, World() as other_world:
            full = Shop(world, products, purchases)
            tenth = Shop(other_world, products, purchases // 10)
            for command, at_bank in commands:
                row = self.row(
                    f"`{command}`, {purchases:,} purchases", "ms", "a tenth of them", at_most=2
                )
                self.pairs(
                    row,
                    lambda: full.ms(command, at_bank=at_bank),
                    lambda: tenth.ms(command, at_bank=at_bank),
                    rounds=3,
                )
            start = self.row(
                f"start of a bank with {products:,} products and {purchases:,} purchases",
                "s",
                "a tenth of them",
            )
            self.pairs(start, full.restart_s, tenth.restart_s, rounds=3)


PARTS = (
    "transfers",
    "databases",
    "loss",
    "checkpoints",
    "opens",
    "processes",
    "bank_start",
    "thousand",
    "business",
    "security",
)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true", help="three short rounds; writes no file")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part")
    parser.add_argument("--folder", help="where files go while measuring; on a disk")
    options = parser.parse_args()
    allow_many_files()
    set_scratch(options.folder)
    bench = Bench(options)
    described = report.machine()
    busy = busy_share()
    described.append(("others used", f"{busy:.0%} of the processors right before"))
    if busy > 0.05:
        print(f"bench: others use {busy:.0%} of the processors: figures will be noisy", flush=True)
    for part in options.only or PARTS:
        print(f"{part}:", flush=True)
        try:
            getattr(bench, part)()
        except Failed as failed:
            raise SystemExit(f"bench: {failed}") from None
    print()
    print(report.columns(bench.rows))
    if options.quick or options.only:
        return
    page = pathlib.Path(ROOT / "docs" / "measurements.md")
    page.write_text(report.markdown(bench.rows, described, bench.rounds, scratch(), FLEET))
    print(f"\nwritten to {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
