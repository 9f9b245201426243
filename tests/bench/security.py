"""What security costs: sealed transfers beside those in clear, handshakes, and floods of garbage."""

import subprocess
import sys
import time

from programs import BIN, ROOT, World, on_core
from steps import self_typed_transfers, self_typing_pair, typed_transfers

FLOOD = ROOT / "tests" / "bench" / "flood.py"
FLOOD_RATE = 100_000  # datagrams a second
FLOOD_CORE = 1  # the customers are on the other
MOST_HANDSHAKE_MS = 0.5


class Flood:
    """Garbage at all sockets of a customer, for as long as the `with` block; its core is another."""

    def __init__(self, kind, customer):
        addresses = [f"127.0.0.1:{port}" for port in customer.ports]
        command = [sys.executable, FLOOD, "--kind", kind, "--rate", FLOOD_RATE, *addresses]
        self.command = [str(word) for word in command]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, preexec_fn=on_core(FLOOD_CORE)
        )
        self.process.stdout.readline()
        self.began = time.perf_counter()
        return self

    def __exit__(self, *_):
        took = time.perf_counter() - self.began
        self.process.kill()
        sent = int(self.process.communicate()[0].split()[-1])
        if sent / took < 0.9 * FLOOD_RATE:
            print(f"bench: the flood had only {sent / took:,.0f} datagrams a second", flush=True)


class Security:
    """A part of Bench, which has rows, rounds and seconds."""

    def security(self):
        self.sealed("checkpoint", 0, 1)
        self.sealed("checkpoint", 0, 64)
        self.sealed("journal", None, 64)
        self.handshakes()
        self.flooded("garbage", "garbage, which the kernel drops", 0.8)
        self.flooded("packets", "what looks like packets", None)

    def sealed(self, mode, core, window):
        where = ", one core" if core == 0 else ""
        row = self.row(
            f"sealed transfers, {mode} mode, W={window}{where}",
            "1/s",
            "the same in clear",
            at_least=0.8,
        )
        with World(core) as world, World(core, insecure=True) as clear_world:
            pairs = {}
            for one in (world, clear_world):
                # One at a time the pipe would be most of it.
                by_itself = window == 1
                pairs[one] = self_typing_pair(one, mode, core) if by_itself else one.cohort(2, mode)

            def transfers(one):
                if window == 1:
                    return self_typed_transfers(*pairs[one], window, self.seconds)
                typist = None if core is None else 1
                return typed_transfers(*pairs[one], window, self.seconds, typist)

            self.pairs(row, lambda: transfers(world), lambda: transfers(clear_world))

    def handshakes(self):
        row = self.row(
            "a handshake, both sides, one core", "ms", f"{MOST_HANDSHAKE_MS} ms", at_most=1
        )

        def milliseconds():
            done = subprocess.run(
                [BIN / "bench_handshake"],
                capture_output=True,
                check=True,
                text=True,
                preexec_fn=on_core(0),
            )
            figures = dict(line.split() for line in done.stdout.splitlines())
            return 1000 / float(figures["handshakes_per_second"])

        self.pairs(row, milliseconds, lambda: MOST_HANDSHAKE_MS, rounds=3)

    def flooded(self, kind, what, goal):
        row = self.row(
            f"transfers, checkpoint mode, W=64, one core, {FLOOD_RATE:,}/s of {what}",
            "1/s",
            "without",
            at_least=goal,
        )
        with World(0) as world:
            giver, taker = self_typing_pair(world, "checkpoint", 0)

            def calm():
                return self_typed_transfers(giver, taker, 64, self.seconds)

            def in_flood():
                with Flood(kind, taker):
                    return calm()

            self.pairs(row, in_flood, calm)
