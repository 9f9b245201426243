#!/usr/bin/env python3
"""Runs the tests of this folder, several at a time; each drives real programs of its own.

    run.py [--jobs N] [--list] [--repeat N] [WORD]...     only tests whose id contains one of them

The programs are taken from $P2PBANK_BIN, else from build/release/bin. The last line is
"N passed, N failed" (", N skipped" where some were); the exit status is 0 when none failed.
"""

import argparse
import concurrent.futures
import io
import multiprocessing
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from programs import BIN  # noqa: E402


def all_tests():
    """The ids of all tests, with those that take long first so that the end is not a long wait."""
    ids = []
    modules = {}

    def walk(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                walk(item)
            else:
                ids.append(item.id())
                modules[item.id()] = getattr(sys.modules.get(type(item).__module__), "SLOW", False)

    walk(unittest.TestLoader().discover(str(FOLDER), pattern="test_*.py"))
    return sorted(ids, key=lambda test: not modules[test])


def sentence(test):
    """test_kills.Bank.test_it_comes_back -> "kills: Bank: it comes back"."""
    *where, name = test.split(".")
    words = [part.removeprefix("test_") for part in where]
    return ": ".join([*words, name.removeprefix("test_").replace("_", " ")])


stopping = False  # in a process of the pool: no further test


def stop_worker(*_):
    """What a test has started and made goes with it: its blocks are left as for any exception."""
    global stopping
    if not stopping:
        stopping = True
        raise KeyboardInterrupt


def start_worker():
    signal.signal(signal.SIGTERM, stop_worker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: main() says what is to be


def run_one(test):
    """In a process of the pool: one test. Returns (id, "passed"|"failed"|"skipped", text, s)."""
    if stopping:
        raise KeyboardInterrupt
    began = time.monotonic()
    suite = unittest.TestLoader().loadTestsFromName(test)
    result = unittest.TestResult()
    result.buffer = True
    sys.stdout, kept = io.StringIO(), sys.stdout
    try:
        suite.run(result)
    finally:
        sys.stdout = kept
    seconds = time.monotonic() - began
    wrong = [text for _, text in [*result.errors, *result.failures]]
    wrong += ["succeeded, but is marked as an expected failure"] * len(result.unexpectedSuccesses)
    if wrong:
        return test, "failed", "\n".join(wrong), seconds
    if result.skipped:
        return test, "skipped", result.skipped[0][1], seconds
    return test, "passed", "", seconds


class Stopped(BaseException):
    pass


class Runner:
    def __init__(self):
        self.pool = None
        self.stopped = None

    def stop(self, number, _):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.stopped = Stopped(number)
        raise self.stopped

    def end_tests(self):
        """Ends all tests that run; each ends its programs."""
        if self.pool is None:
            return
        workers = list((self.pool._processes or {}).values())
        self.pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(30)
            worker.kill()
            worker.join()

    def run(self, options, parser):
        tests = all_tests()
        if self.stopped:  # the loader of tests lets nothing through
            raise self.stopped
        for word in options.words:
            if not any(word in test for test in tests):
                parser.error(f"no test has {word!r} in its name; --list shows them")
        tests = [t for t in tests if not options.words or any(w in t for w in options.words)]
        if options.list:
            print("\n".join(tests))
            return 0
        missing = [name for name in ("bank", "customer") if not os.access(BIN / name, os.X_OK)]
        if missing:
            parser.error(f"no {' and no '.join(missing)} in {BIN}: build first, or set P2PBANK_BIN")
        count = {"passed": 0, "failed": 0, "skipped": 0}
        # Each worker is a process with a single thread of tests: children are tied to its life.
        pool = self.pool = concurrent.futures.ProcessPoolExecutor(
            options.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker
        )
        runs = {pool.submit(run_one, test): test for test in tests * options.repeat}
        for done in concurrent.futures.as_completed(runs):
            try:
                test, outcome, text, seconds = done.result()
            except Exception as error:  # the worker itself died
                test, outcome, text, seconds = runs[done], "failed", repr(error), 0
            count[outcome] += 1
            print(f"{outcome:>7} {seconds:6.1f} s  {sentence(test)}", flush=True)
            if text:
                indent = "    " if outcome == "skipped" else ""
                print(indent + text.rstrip(), flush=True)
        pool.shutdown()
        skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
        print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
        return 1 if count["failed"] or not count["passed"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--repeat", type=int, default=1, help="run each test this many times")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()

    if options.jobs < 1 or options.repeat < 1:
        parser.error("--jobs and --repeat take a number from 1 on")
    # All that is made by whom ever is in here, and goes at the end, however that comes.
    with tempfile.TemporaryDirectory(prefix="p2pbank-tests-") as folder:
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = None
        runner = Runner()
        signal.signal(signal.SIGINT, runner.stop)
        signal.signal(signal.SIGTERM, runner.stop)
        try:
            return runner.run(options, parser)
        except Stopped as stopped:
            runner.end_tests()
            number = stopped.args[0]
            print(f"stopped by {signal.Signals(number).name}", file=sys.stderr)
            return 128 + number


if __name__ == "__main__":
    sys.exit(main())
