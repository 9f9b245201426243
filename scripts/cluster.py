#!/usr/bin/env python3
"""What scripts/cluster needs beside tmux: names, free ports, and one prompt for all programs where
there are no panes.

    cluster.py N                 starts a bank and N customers, then reads lines "NAME COMMAND"
    cluster.py --names N         N names, one a line
    cluster.py --free-ports N    the bank's port, then two for each of N customers, a line each
"""

import pathlib
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "processes"))

from harness import World, free_udp_port  # noqa: E402
from programs import BIN, Failed  # noqa: E402

FIRST_NAMES = "alice bob carol dave erin frank grace heidi ivan judy".split()

HELP = """  NAME COMMAND     types the command at that program: alice deposit 5, bank audit, bob help
  kill NAME        kill -9, as a crash would
  start NAME       starts it again, with its files and ports
  programs         what runs, and how it was started
  quit             ends everything and removes its files"""


def names(count):
    return (FIRST_NAMES + [f"c{number}" for number in range(len(FIRST_NAMES) + 1, count + 1)])[
        :count
    ]


def free_ports(count):
    """Ports from 9001 on, as in the books; held until all are found."""
    held, port = [], 9001
    while len(held) < 2 * count and port < 32768:
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            probe.bind(("0.0.0.0", port))
            held.append(probe)
        except OSError:
            probe.close()
        port += 1
    found = [probe.getsockname()[1] for probe in held]
    for probe in held:
        probe.close()
    return list(zip(found[::2], found[1::2]))


class Prompt:
    def __init__(self, world):
        self.world = world

    def program(self, name):
        return self.world.bank if name == "bank" else self.world.customers.get(name)

    def run(self, words):
        """Carries out one line; false when it was the last."""
        first, rest = words[0], words[1:]
        if words == ["quit"]:
            return False
        if words == ["help"]:
            print(HELP)
        elif words == ["programs"]:
            for program in [self.world.bank, *self.world.customers.values()]:
                print(f"  {program.name}: {program.state()}\n    {' '.join(program.command)}")
        elif first in ("kill", "start") and len(rest) == 1 and self.program(rest[0]):
            self.kill_or_start(first, rest[0])
        elif self.program(first) and rest:
            program = self.program(first)
            if program.running:
                print(program.cmd(" ".join(rest)))
            else:
                print(f"  {first} does not run: start {first}")
        else:
            print(f"  not understood; these are:\n{HELP}")
        return True

    def kill_or_start(self, what, name):
        program = self.program(name)
        if what == "kill":
            program.kill()
        elif program.running:
            print(f"  {name} runs already")
        elif name == "bank":
            self.world.restart_bank()
        else:
            self.world.resume(name)


def play(count):
    on_terminal = sys.stdin.isatty()
    with World(start=False) as world:
        world.start_bank(port=free_udp_port(8500, 8999))
        print(f"bank: {' '.join(world.bank.command)}")
        for name, ports in zip(names(count), free_ports(count)):
            customer = world.customer(name, ports=ports)
            print(f"{name}: {customer.ok(f'open {name} 100')}")
        print(f"All files are in {world.folder}; more terminals of your own can start")
        print(f"  {BIN}/customer --bank {world.bank_address}")
        print(f"{HELP}\nFor a start: alice new-cohort alice {count}", flush=True)
        prompt = Prompt(world)
        while True:
            if on_terminal:
                print("> ", end="", flush=True)
            line = sys.stdin.readline()
            if not line:
                break
            try:
                if line.split() and not prompt.run(line.split()):
                    break
            except Failed as failed:  # of one program; the others go on
                print(f"  {failed}")
            sys.stdout.flush()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--names":
        print("\n".join(names(int(sys.argv[2]))))
    elif len(sys.argv) == 3 and sys.argv[1] == "--free-ports":
        print(free_udp_port(8500, 8999))
        for pair in free_ports(int(sys.argv[2])):
            print(*pair)
    elif len(sys.argv) == 2 and sys.argv[1].isdecimal():
        try:
            play(int(sys.argv[1]))
        except KeyboardInterrupt:
            print()
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
