#!/usr/bin/env python3
"""Transfers on a line that loses datagrams, beside references on the same line.

Run as a program it measures inside a network of its own (see `measure`), where a rule of iptables
drops a share of what arrives: nobody else on the machine notices. That takes root, unshare and
iptables.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys

from programs import Failed, World, reference, set_scratch

WINDOW = 64
FLOOR_US = 5_000  # the shortest time after which a customer sends again


def missing():
    """Why it cannot be measured here; nothing if it can."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("unshare", "iptables", "ip"):
        if not shutil.which(program):
            return f"needs {program}"
    probe = ["unshare", "-n", "sh", "-c", " ".join(_rule("-A", 0.05))]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        return "no loss here"
    return ""


def measure(share, reference_words, rounds, seconds, folder):
    """Pairs (ours, reference) of transfers a second, with this share of datagrams lost each way."""
    job = {"share": share, "words": reference_words, "rounds": rounds, "seconds": seconds}
    job["folder"] = folder
    done = subprocess.run(
        ["unshare", "-n", sys.executable, __file__, json.dumps(job)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def _rule(action, share):
    rule = ["iptables", action, "INPUT", "-p", "udp", "-m", "statistic", "--mode", "random"]
    return [*rule, "--probability", str(share), "-j", "DROP"]


@contextlib.contextmanager
def losing(share):
    subprocess.run(_rule("-A", share), check=True)
    try:
        yield
    finally:
        subprocess.run(_rule("-D", share), check=True)


def inside(job):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    set_scratch(job["folder"])
    pairs = []
    with World(core=0) as world:
        giver, taker = world.cohort(2, "checkpoint")
        for _ in range(job["rounds"]):
            with losing(job["share"]):
                done = giver.load("transfer 1 c1", window=WINDOW, seconds=job["seconds"], core=1)
                theirs = reference(*job["words"], core=0)
            taker.ok("checkpoint")
            pairs.append((done["per_second"], theirs["per_second"]))
    print(json.dumps(pairs))


if __name__ == "__main__":
    try:
        inside(json.loads(sys.argv[1]))
    except Failed as failed:
        raise SystemExit(f"loss.py: {failed}") from None
