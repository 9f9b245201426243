#!/usr/bin/env python3
"""Checks the model of checkpoints and rollbacks with Spin: all orders of events of small worlds.

    run.py [--long] [--jobs N] [--list] [WORD]...    only those with one of them in their name
    run.py --story MISTAKE                           how that mistake ends, step by step

First the protocol as it is, in several worlds: no order of events may break a property. Then each
mistake of README.md: Spin has to find how it breaks one. The last line is "N passed, N failed";
the exit status is 0 when none failed. A search that did not see everything has failed.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from worlds import CUSTOMERS, WORLDS

FOLDER = pathlib.Path(__file__).resolve().parent
MEGABYTES = 950  # of one search; two at a time
SECONDS = 500
LONG_MEGABYTES = 2000
LONG_SECONDS = 1800
DEPTH = 2000  # the deepest of all worlds stays below 100

PROPERTIES = {
    "no_orphan_in_a_cut": "a permanent cut shows a transfer as received that it does not show as sent",
    "money_is_conserved": "the money of a cut, with what is in transit, is not what was put in",
    "all_decide_alike": "one customer hears COMMIT and another ABORT of the same operation",
    "one_tentative_at_most": "a customer takes a tentative checkpoint while it is in an operation",
    "nothing_twice": "a transfer is credited twice",
    "every_operation_ends": "nothing can happen any more, and an operation has not ended",
    "everything_arrives": "nothing can happen any more, and a transfer has not arrived",
    "no_orphan_at_the_end": "in the end a customer has received what its sender has not sent",
    "no_false_alarm": "a customer hears of an epoch or label of its own that it does not know, "
    "and takes its own storage for an old copy",
    "no_run_without_end": "the same states come again and again, and nothing ends",
    "no_commit_without_a_vote": "a COMMIT names somebody who neither takes part nor holds back",
}


class Failed(Exception):
    pass


running = set()  # programs that this one has started
running_lock = threading.Lock()
stopping = False


def called(arguments, folder, *, timeout=None, **more):
    with running_lock:
        if stopping:
            raise Failed("stopped")
        program = subprocess.Popen(
            arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"TMPDIR": str(folder)}, start_new_session=True, **more,
        )  # fmt: skip
        running.add(program)
    try:
        text, _ = program.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        kill(program)
        program.communicate()
        raise
    finally:
        with running_lock:
            running.discard(program)
    return program.returncode, text


def kill(program):
    """With all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


def stop(number, _):
    """In the main thread: the others end as soon as what they wait for has, and clean up."""
    raise Stopped(number)


class Stopped(BaseException):
    pass


def stop_all(pool):
    global stopping
    with running_lock:
        stopping = True
        for program in running:
            kill(program)
    pool.shutdown(wait=True, cancel_futures=True)


def built(world, folder):
    """Makes folder/pan, the program that searches this world."""
    for file in FOLDER.glob("*.pml"):
        shutil.copy(file, folder)
    (folder / "world.pml").write_text(world.source())
    status, text = called(["spin", "-a", "world.pml"], folder)
    if status != 0 or not (folder / "pan.c").exists() or "Error" in text:
        raise Failed(f"spin does not take the model:\n{text}")
    megabytes = LONG_MEGABYTES if world.long else MEGABYTES
    flags = ["-O1" if world.large else "-O0", "-w", "-DNOREDUCE", f"-DMEMLIM={megabytes}"]
    flags += ["-DNP"] if world.cycles else ["-DSAFETY"] + ["-DREACH"] * world.is_mistake
    status, text = called(["gcc", *flags, "-o", "pan", "pan.c"], folder)
    if status != 0:
        raise Failed(f"gcc does not take what spin made:\n{text}")


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise Failed(f"the search did not say what it saw:\n{text}")
    return int(float(found[1]))


def searched(world, folder):
    """Runs folder/pan to its end, and says what it saw: (property or None, states, depth)."""
    seconds = LONG_SECONDS if world.long else SECONDS
    megabytes = LONG_MEGABYTES if world.long else MEGABYTES

    flags = [f"-m{DEPTH}", "-w22"]
    if world.cycles:
        flags.append("-l")
    elif world.is_mistake:
        flags.append("-i")  # on to the shortest way to it

    def limit():
        most = (megabytes + 500) << 20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    try:
        status, text = called(["./pan", *flags], folder, timeout=seconds, preexec_fn=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"the search did not end within {seconds} s") from None
    if "Full statespace search" not in text:
        raise Failed(f"the search ended with status {status}:\n{text}")
    states = number(r"([\d.e+]+) states, stored", text)
    if number(r"errors: (\d+)", text) == 0:
        for bad in ("max search depth too small", "out of memory", "not completed", "aborting"):
            if bad in text:
                raise Failed(f"the search did not see everything ({bad}):\n{text}")
        if status != 0:
            raise Failed(f"the search ended with status {status}:\n{text}")
        return None, states, number(r"depth reached (\d+)", text)
    found = re.search(r"assertion violated \(?(\w+)", text)
    name = found[1] if found else "no_run_without_end" if "non-progress" in text else text
    return name, states, len((folder / "world.pml.trail").read_text().splitlines()) - 2


def told(folder):
    """The run that was found, a line for each thing that happened."""
    _, text = called(["./pan", "-r", "-S"], folder)
    steps = []
    for line in text.splitlines():
        if re.match(r"\s*(\{\d\}|bank) ", line):
            steps.append(re.sub(r"\{(\d)\}", lambda at: CUSTOMERS[int(at[1])], line.strip()))
    return [f"{i:3}. {step}" for i, step in enumerate(steps, 1)]


def run_one(world):
    """In a thread: one world. Returns (outcome, what to say, more lines, s)."""
    began = time.monotonic()
    more = []
    with tempfile.TemporaryDirectory(prefix="p2pbank-model-") as name:
        folder = pathlib.Path(name)
        try:
            built(world, folder)
            found, states, depth = searched(world, folder)
            if found:
                more = told(folder)
        except Failed as problem:
            return "failed", world.name, [str(problem)], time.monotonic() - began
    seconds = time.monotonic() - began
    said = found and PROPERTIES.get(found, found)
    if world.is_mistake:
        if not found:
            return "failed", f"{world.name}: not caught in {states} states", [], seconds
        text = f"{world.name}: caught by {found} after {states} states, in {len(more)} steps"
        more = [*more, f"     So {said}."]
        if found not in world.caught_by:
            text += f", and not by {' or '.join(world.caught_by)}"
            return "failed", text, more, seconds
        return "passed", text, more, seconds
    if found:
        text = f"{world.name}: {found} does not hold"
        return "failed", text, [*more, f"     So {said}."], seconds
    return "passed", f"{world.name}: {states} states, depth {depth}", [], seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--long", action="store_true", help="larger worlds too (minutes, 1 GB)")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--story", metavar="MISTAKE", help="tell how this mistake ends")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()

    missing = [program for program in ("spin", "gcc") if shutil.which(program) is None]
    if missing and not options.list:
        print(f"needs {' and '.join(missing)}: apt-get install spin gcc", file=sys.stderr)
        return 1
    if options.story:
        worlds = [w for w in WORLDS if w.is_mistake and options.story.upper() in w.defines]
        if not worlds:
            names = ", ".join(w.defines[0] for w in WORLDS if w.is_mistake)
            print(f"no such mistake; there are {names}", file=sys.stderr)
            return 1
        outcome, text, more, _ = run_one(worlds[0])
        print("\n".join([text, *more]))
        return 0 if outcome == "passed" else 1

    if options.jobs < 1:
        parser.error("--jobs takes a number from 1 on")
    chosen = [w for w in WORLDS if options.long or not w.long]
    for word in options.words:
        if not any(word in w.name or word in w.defines for w in chosen):
            parser.error(f"no world has {word!r} in its name; --list shows them, with --long more")
    if options.words:
        chosen = [w for w in chosen if any(x in w.name or x in w.defines for x in options.words)]
    if options.list:
        print("\n".join(w.name for w in chosen))
        return 0
    count = {"passed": 0, "failed": 0}
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        runs = [pool.submit(run_one, world) for world in chosen]
        for done in concurrent.futures.as_completed(runs):
            outcome, text, more, seconds = done.result()
            count[outcome] += 1
            print(f"{outcome:>7} {seconds:6.1f} s  model: {text}", flush=True)
            if outcome == "failed" and more:
                print("\n".join(more), flush=True)
    except Stopped as stopped:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stop_all(pool)
        print(f"stopped by {signal.Signals(stopped.args[0]).name}", file=sys.stderr)
        return 128 + stopped.args[0]
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
