#!/usr/bin/env python3
"""The arrows between the layers, checked on every #include.

Each folder may include itself and what ALLOWED names for it. Each may use of the outside world (the
system, libraries) only what OUTSIDE gives it: the protocol is a pure state machine, so it gets no
clock, file, socket, log, thread or terminal. CMake's targets make a wrong arrow fail to link; this
makes a wrong include fail a test, also one that needs no linking.

Prints each folder that breaks a rule, and as its last line "N passed, N failed" (folders).
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

BASE = "common/base"
SECURE = "common/secure"
WIRE = "common/wire"
STABLE = "common/stable"
CORE = "common/core"
HISTORY = "common/history"
RUNTIME = "common/runtime"
SIMULATOR = "simulator"
ANYTHING = [
    BASE,
    SECURE,
    WIRE,
    STABLE,
    CORE,
    HISTORY,
    RUNTIME,
    "bank",
    "customer",
    SIMULATOR,
    "tests",
]

# A file's own entry comes before that of its folder, the deepest folder before the others.
ALLOWED = {
    BASE: [],
    SECURE: [BASE],
    WIRE: [BASE],
    STABLE: [BASE],
    CORE: [BASE, SECURE, WIRE, STABLE],
    HISTORY: [BASE, CORE],
    RUNTIME: [BASE, SECURE, STABLE, CORE, HISTORY],
    "bank": [BASE, SECURE, WIRE, STABLE, CORE],
    "bank/domain": [BASE],
    "bank/history": [BASE, WIRE, CORE, "bank/domain"],
    "bank/main.cpp": [BASE, SECURE, STABLE, CORE, RUNTIME, "bank"],
    "customer": [BASE, SECURE, WIRE, STABLE, CORE],
    "customer/domain": [BASE, WIRE],
    "customer/main.cpp": [BASE, SECURE, STABLE, CORE, RUNTIME, "customer"],
    SIMULATOR: [BASE, SECURE, WIRE, STABLE, CORE, "bank", "customer"],
    "tests/scenarios": [
        *[BASE, SECURE, WIRE, STABLE, CORE, "bank", "customer", SIMULATOR],
        "tests/unit/properties.h",
    ],
    "tests": ANYTHING,
}

# Headers that reach the outside world, and the only places for them. Libraries that only compute
# (protobuf, zlib, libsodium) are not in the list.
OUTSIDE = re.compile(
    r"^(asio(\.hpp|/.*)|spdlog/.*|CLI/.*|histedit\.h|editline/.*|sqlite3\.h|"
    r"sys/.*|netinet/.*|arpa/.*|net/.*|linux/.*|netdb\.h|unistd\.h|fcntl\.h|poll\.h|signal\.h|"
    r"csignal|termios\.h|pthread\.h|dirent\.h|time\.h|ctime|random|thread|mutex|shared_mutex|"
    r"condition_variable|future|semaphore|latch|barrier|stop_token|filesystem|fstream|iostream|"
    r"syncstream|cstdio|stdio\.h)$"
)
OUTSIDE_IS_FOR = [
    RUNTIME,
    "bank/main.cpp",
    "customer/main.cpp",
    "simulator/main.cpp",
    "simulator/scale/main.cpp",
    # Simulated runs in processes of their own; nothing of a run is in them.
    "simulator/isolated.cpp",
    "simulator/isolated.h",
    "simulator/swarm.cpp",
    "tests",
]
# They reach outside by name only: the reason of a failed check, printed before aborting; generators
# that are seeded; numbers as text. Or they are what a folder is for.
EXCEPTIONS = {
    (BASE, "cstdio"),
    (BASE, "random"),
    (HISTORY, "sqlite3.h"),  # blocks; the runtime calls it on a thread of its own
    (SIMULATOR, "cstdio"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SUFFIXES = {".h", ".cpp", ".hpp", ".cc"}


def is_in(path, place):
    return path == place or path.startswith(place + "/")


def layer_of(path):
    """The key of ALLOWED that holds the file: the longest that matches."""
    places = [place for place in ALLOWED if is_in(path, place)]
    return max(places, key=len) if places else None


def own_folder(path):
    """The folder that a file may always include from: its layer's."""
    layer = layer_of(path)
    return layer.rsplit("/", 1)[0] if layer.endswith(".cpp") else layer


def problems_of(path, text):
    """What is wrong with the includes of one file, as sentences."""
    layer = layer_of(path)
    if layer is None:
        return [f"{path}: stands in a folder that is no layer"]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        mark, included = match.groups()
        where = f"{path}:{number}"
        if mark == "<":
            if OUTSIDE.match(included):
                if not any(is_in(path, place) for place in OUTSIDE_IS_FOR) and not any(
                    is_in(path, place) and included == header for place, header in EXCEPTIONS
                ):
                    found.append(f"{where}: {layer} must not reach the outside: <{included}>")
            continue
        if "/" not in included or included.startswith("."):
            found.append(f'{where}: write it from the project\'s root: "{included}"')
            continue
        if is_in(included, own_folder(path)):
            continue
        if not any(is_in(included, place) for place in ALLOWED[layer]):
            found.append(f'{where}: {layer} must not include "{included}"')
    return found


def sources(root):
    for top in ("bank", "customer", "common", "simulator", "tests"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield path.relative_to(root).as_posix(), path.read_text(errors="replace")


def main():
    by_layer = {}
    for path, text in sources(ROOT):
        by_layer.setdefault(layer_of(path) or "elsewhere", []).extend(problems_of(path, text))
    failed = 0
    for layer, problems in sorted(by_layer.items()):
        failed += bool(problems)
        for problem in problems:
            print(problem)
    print(f"{len(by_layer) - failed} passed, {failed} failed")
    return 1 if failed or not by_layer else 0


if __name__ == "__main__":
    sys.exit(main())
