#!/usr/bin/env python3
"""Tables written by Python's csv module are read the same by ours, and ours by Python's.

Usage: csv_against_python.py TABLE_DUMP [SEED]
"""
import csv
import io
import random
import subprocess
import sys

HEADER = "name,balance,ip_address,port1,port2,cohort,exit_state".split(",")


def random_row(rng, number):
    balance = str(rng.choice([0, 1, 950, rng.randrange(10**16)]))
    if rng.random() < 0.5:
        balance += ".%02d" % rng.randrange(1, 100)
    return [
        rng.choice("aZ") + "".join(rng.choices("az09_-", k=rng.randrange(8))) + "-%d" % number,
        balance,
        "%d.%d.%d.%d" % (rng.randrange(1, 224), *(rng.randrange(256) for _ in range(3))),
        str(rng.randrange(1, 65536)),
        str(rng.randrange(1, 65536)),
        rng.choice(["", "cohort-1", "c"]),
        rng.choice(["active", "exited"]),
    ]


def check(program, rng):
    rows = [random_row(rng, number) for number in range(rng.randrange(60))]
    text = io.StringIO()
    writer = csv.writer(
        text,
        quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        lineterminator=rng.choice(["\n", "\r\n"]),
    )
    writer.writerows([HEADER] + rows)
    content = text.getvalue()
    if rng.random() < 0.3:
        content = content.rstrip("\r\n")
    if rng.random() < 0.3:
        content = "\ufeff" + content
    done = subprocess.run([program], input=content.encode(), stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stdout.decode()
    assert list(csv.reader(io.StringIO(done.stdout.decode()))) == rows, content


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(100):
        check(program, rng)


if __name__ == "__main__":
    main()
