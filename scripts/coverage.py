"""Adds up what gcov has counted, for scripts/coverage: lines, and branches that somebody wrote.

    coverage.py BUILD [--branches]

gcc makes many more branches than a program has decisions. These are left out: both ways out of a
call that may throw; what stands in no statement with a decision (if, for, while, case, &&, ||, ?),
as the first use of a static; code that only cleans up behind an exception. The other way out of a
P2PBANK_CHECK, which cannot be taken, is counted apart. With --branches each line is listed that was
never run, and each that has a branch which was never taken.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("common/", "bank/", "customer/")
AT_ONCE = 16  # objects for one run of gcov

NO_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)\"|\"(?:\\.|[^\"\\\n])*\""
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)
KEYWORD = re.compile(r"\b(?:if|for|while|switch|case)\b")
WORD = re.compile(r"\w")
OPERATOR = re.compile(r"&&|\|\||\?")
REFERENCE = re.compile(r"\bauto\s*&&|\w&&\s*\w+\s*[,)]")  # of no decision
CHECK = re.compile(r"\bP2PBANK_CHECK\b")
SWITCH = re.compile(r"\bswitch\b")


class Line:
    """What all objects together have counted for one line."""

    def __init__(self):
        self.count = 0
        self.branches = {}  # by how many there are: their counts. Templates come several times

    def add(self, line):
        self.count += line["count"]
        counts = branch_counts(line["branches"])
        if counts:
            known = self.branches.setdefault(len(counts), [0] * len(counts))
            for i, count in enumerate(counts):
                known[i] += count

    def pairs(self):
        for counts in self.branches.values():
            yield from zip(counts[::2], counts[1::2])


def branch_counts(branches):
    """Without the ways out of calls that may throw: the way back, and with it the exception's."""
    counts = []
    i = 0
    while i < len(branches):
        pair = branches[i : i + 2]
        if any(branch["throw"] for branch in pair):
            i += 2
        else:
            counts.append(branches[i]["count"])
            i += 1
    return counts


def run_gcov(build, objects):
    command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", *objects]
    done = subprocess.run(command, cwd=build, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def read_counts(build):
    """All files of the folders: by their names, by line."""
    objects = sorted(str(path.resolve()) for path in build.rglob("*.gcda"))
    groups = [objects[i : i + AT_ONCE] for i in range(0, len(objects), AT_ONCE)]
    files = collections.defaultdict(lambda: collections.defaultdict(Line))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(lambda group: run_gcov(build, group), groups):
            for result in results:
                for file in result["files"]:
                    path = pathlib.Path(result["current_working_directory"], file["file"])
                    name = os.path.relpath(path, ROOT)
                    if not name.startswith(FOLDERS):
                        continue
                    for line in file["lines"]:
                        files[name][line["line_number"]].add(line)
    return files


def code_of(text):
    """Without comments and texts. Line breaks stay, so that lines keep their numbers."""
    return NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def statements(code):
    """(text, first line, last line) of each statement: what stands between ; { and }. What stands
    in parentheses belongs to the statement around it, up to the { of a lambda."""
    depth = [0]
    begin, line, first = 0, 1, None
    for at, sign in enumerate(code):
        if first is None and not sign.isspace():
            first = line
        if sign == "\n":
            line += 1
        elif sign == "(":
            depth[-1] += 1
        elif sign == ")":
            depth[-1] = max(0, depth[-1] - 1)
        elif sign in "{}" or (sign == ";" and depth[-1] == 0):
            yield code[begin : at + 1], first, line
            begin, first = at + 1, None
            if sign == "{":
                depth.append(0)
            elif sign == "}" and len(depth) > 1:
                depth.pop()


class Branches:
    def __init__(self):
        self.all = 0
        self.taken = 0
        self.checks = 0
        self.missed = collections.defaultdict(lambda: [0, 0])  # by line: not taken, of how many

    def take(self, number, line, pairs):
        for pair in pairs:
            taken = sum(count > 0 for count in pair)
            self.all += 2
            self.taken += taken
            if line.count > 0:
                self.missed[number][0] += 2 - taken
                self.missed[number][1] += 2


def branches_of(code, lines):
    found = Branches()
    for text, first, last in statements(code):
        operators = len(OPERATOR.findall(REFERENCE.sub("", text)))
        keywords = len(KEYWORD.findall(text))
        is_check = CHECK.search(text) is not None
        if not operators and not keywords and not is_check:
            continue
        here = {n: lines[n] for n in range(first, last + 1) if n in lines}
        if SWITCH.search(text):
            for number, line in here.items():
                for counts in line.branches.values():
                    missed = sum(count == 0 for count in counts)
                    found.all += len(counts)
                    found.taken += len(counts) - missed
                    found.missed[number] = [missed, len(counts)]
            continue
        # Conditions that were never come to: no more of them than are written here. The rest is
        # gcc's, for exceptions.
        left = operators + max(keywords, 1)
        for number, line in here.items():
            live = [pair for pair in line.pairs() if sum(pair) > 0]
            if is_check:
                found.checks += sum(0 in pair for pair in live)
                live = [pair for pair in live if 0 not in pair]
            left -= len(live)
            found.take(number, line, live)
        for number, line in here.items():
            dead = [pair for pair in line.pairs() if sum(pair) == 0][: max(0, left)]
            left -= len(dead)
            if not is_check:
                found.take(number, line, dead)
    return found


def folder_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def main():
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    checks = 0
    missed = []
    for name, lines in sorted(read_counts(pathlib.Path(sys.argv[1])).items()):
        code = code_of((ROOT / name).read_text())
        branches = branches_of(code, lines)
        # The brace at a function's end is where gcc cleans up.
        words = [WORD.search(line) for line in code.splitlines()]
        lines = {number: line for number, line in lines.items() if words[number - 1]}
        checks += branches.checks
        for key in (folder_of(name), "all"):
            row = totals[key]
            row[0] += len(lines)
            row[1] += sum(line.count > 0 for line in lines.values())
            row[2] += branches.all
            row[3] += branches.taken
        for number, line in sorted(lines.items()):
            untaken, of = branches.missed.get(number, (0, 0))
            if line.count == 0:
                missed.append(f"{name}:{number}: not run")
            elif untaken:
                missed.append(f"{name}:{number}: {untaken} of {of} branches")
    if "--branches" in sys.argv:
        print("\n".join(missed))
    print(f"{'folder':20} {'lines':>8} {'run':>7} {'branches':>9} {'taken':>7}")
    for folder in sorted(totals, key=lambda f: (f == "all", f)):
        lines, ran, branches, taken = totals[folder]
        print(
            f"{folder:20} {lines:8} {100 * ran / max(lines, 1):6.1f}% "
            f"{branches:9} {100 * taken / max(branches, 1):6.1f}%"
        )
    print(f"and {checks} branches into a failed P2PBANK_CHECK, of which none can be taken")


if __name__ == "__main__":
    main()
