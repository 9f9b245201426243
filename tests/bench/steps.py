"""What the measurements are made of: one round of something, with the real programs or a reference."""

import json
import pathlib
import random
import re
import subprocess
import time

from programs import BIN, Failed, reference

CSV_HEADER = "name,balance,ip_address,port1,port2,cohort,exit_state"

# What is still going on behind the last answer, such as telling everyone what was decided, must not be
# counted again.
QUIET_S = 0.03
QUIET_EACH_S = 0.001


def self_typing_pair(world, mode, core):
    """Two customers that type by themselves, c0 and c1, in one cohort."""
    bank = world.start_bank()
    bank.wait_ready()
    command = [BIN / "bench_customer", "--bank", f"127.0.0.1:{bank.ports[0]}"]
    command += ["--state", world.folder / "state", "--stable", mode, *world.mode]
    pair = [world.start(command, core) for _ in range(2)]
    for index, customer in enumerate(pair):
        customer.wait_ready()
        customer.ok(f"open c{index} 1000000000")
    pair[0].ok("new-cohort c0 2")
    return pair


def self_typed_transfers(giver, taker, window, seconds):
    """A second, by customers that type by themselves."""
    said = giver.ok(f"load {seconds} {window} transfer 1 c1")
    taker.ok("checkpoint")  # or the log of what was sent grows from round to round
    return json.loads(said.partition("load ")[2])["per_second"]


def has_reference(name):
    helped = subprocess.run(
        [BIN / "bench_reference", "--help"], capture_output=True, text=True, check=True
    )
    return re.search(rf"^ +{name}\b", helped.stdout, re.MULTILINE) is not None


def rate(name, window, seconds, core, world):
    done = reference(name, "--window", window, "--seconds", seconds, core=core, folder=world.folder)
    return done["per_second"]


def typed_transfers(giver, taker, window, seconds, core=None):
    done = giver.load("transfer 1 c1", window=window, seconds=seconds, core=core)
    taker.ok("checkpoint")  # or the log of what was sent grows from round to round
    return done["per_second"]


def two_phase_ms(count, rounds, world):
    done = reference("two-phase", "--processes", count, "--rounds", rounds, folder=world.folder)
    return done["p50_us"] / 1000


def pay(hub, others):
    """Everyone sends c0 something, so that everyone has to take part in its checkpoint."""
    for other in others:
        other.type("transfer 1 c0")
    for other in others:
        if not (answer := other.answer()).startswith("SUCCESS"):
            raise Failed(answer)


def star_checkpoint(hub, others, paid=False):
    """Milliseconds of one checkpoint by c0 in which all take part."""
    if not paid:
        pay(hub, others)
    time.sleep(QUIET_S + len(others) * QUIET_EACH_S)
    before = time.perf_counter()
    answer = hub.ok("checkpoint")
    took = time.perf_counter() - before
    if answer.count(",") != len(others):
        raise Failed(f"not everyone took part: {answer}")
    return took * 1000


def write_table(path, count):
    draw = random.Random(1)
    with open(path, "w", encoding="ascii") as table:
        table.write(CSV_HEADER + "\n")
        for index in range(count):
            ip = f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}"
            balance = f"{draw.randrange(10**6)}.{draw.randrange(1, 100):02}"
            table.write(f"customer-{index},{balance},{ip},9001,9002,,active\n")


def busy_share(seconds=2):
    """What share of the processors others use at this moment."""

    def idle_and_all():
        numbers = [
            int(n) for n in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]
        ]
        return numbers[3] + numbers[4], sum(numbers)

    idle, everything = idle_and_all()
    time.sleep(seconds)
    idle_after, all_after = idle_and_all()
    return 1 - (idle_after - idle) / max(1, all_after - everything)
