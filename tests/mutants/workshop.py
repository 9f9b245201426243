"""A copy of the sources in which mutants are built, and the programs that look for them. Used by
scripts/mutants."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What a build needs. The rest of the tree is not copied.
SOURCES = ["CMakeLists.txt", "CMakePresets.json"]
SOURCES += ["common", "bank", "customer", "simulator", "tests"]
TEST_SECONDS = 300
BUILD_SECONDS = 3600
MARKER = "this-is-a-folder-of-scripts-mutants"


class Trouble(Exception):
    """What makes a mutant, or all of this, impossible to try."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Process:
    """A program whose lines are read one by one, and that ends with all that it has started."""

    def __init__(self, command, seconds, **settings):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            **settings,
        )
        self.timed_out = False
        self.timer = threading.Timer(max(seconds, 0), self.time_is_over)
        self.timer.start()

    def time_is_over(self):
        self.timed_out = True
        self.kill()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.kill()
        self.process.stdout.close()
        self.process.wait()

    def lines(self):
        yield from self.process.stdout

    def status(self):
        return self.process.wait()


class Workshop:
    """A copy of the sources and its build."""

    def __init__(self, folder, jobs):
        self.tree = folder / "tree"
        self.build_folder = folder / "build"
        self.bin = self.build_folder / "bin"
        self.jobs = jobs
        # Sources are written over here: not in a folder that holds something else.
        if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
            raise Trouble(f"{folder} is not empty, and not of an earlier run")
        self.tree.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).touch()
        self.copy_sources()

    def copy_sources(self):
        """Only what has changed, so that a folder that is kept builds little."""
        for name in SOURCES:
            source = ROOT / name
            for path in [source] if source.is_file() else sorted(source.rglob("*")):
                copy = self.tree / path.relative_to(ROOT)
                if not path.is_file() or "__pycache__" in path.parts:
                    continue
                if copy.is_file() and copy.read_bytes() == path.read_bytes():
                    continue
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)

    def build(self, targets):
        if not (self.build_folder / "build.ninja").exists():
            say(f"Configuring {self.build_folder}")
            # Most of the time goes into compiling and linking: less of both than for a release.
            flags = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Mutants", "-DCMAKE_CXX_FLAGS_MUTANTS=-O1"]
            if shutil.which("ld.lld"):
                flags.append("-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld")
            self.run(["cmake", "-S", str(self.tree), "-B", str(self.build_folder), *flags])
        self.run(["ninja", "-C", str(self.build_folder), f"-j{self.jobs}", *targets])

    def run(self, command):
        with Process(command, BUILD_SECONDS) as process:
            log = list(process.lines())
            status = process.status()
        if process.timed_out:
            raise Trouble(f"{command[0]} took longer than {BUILD_SECONDS} s")
        if status != 0:
            wrong = [line.strip() for line in log if "error" in line.lower()]
            raise Trouble("it does not build: " + (wrong or [log[-1].strip()])[0])

    def patch(self, mutant, back=False):
        command = ["git", "apply", "--whitespace=nowarn"] + (["-R"] if back else [])
        # Somewhere above there may be a repository: git is told that there is none.
        environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(self.tree.parent)}
        done = subprocess.run(
            [*command, str(mutant.path)],
            cwd=self.tree,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise Trouble("the patch does not apply: " + done.stderr.strip().split("\n")[0])


def simulate(program, flags, first, last, seconds, jobs):
    """Runs these seeds, as far as the time goes. Returns how many passed, and (seed, invariant) of
    the first that failed or None."""
    command = [str(program), "--seeds", f"{first}..{last}"]
    command += ["--shrink", "0", "--jobs", str(jobs), *flags.split()]
    passed = 0
    with Process(command, seconds) as process:
        for line in process.lines():
            failed = re.match(r"seed (\d+): FAILED (\S+?),", line)
            if failed:
                return passed, (int(failed[1]), failed[2])
            passed += bool(re.match(r"seed \d+: passed,", line))
        status = process.status()
    if not process.timed_out and (status != 0 or passed != last - first + 1):
        raise Trouble(f"the simulator ended with status {status} after {passed} runs")
    return passed, None


def run_tests(workshop, program, pattern):
    """The name of the first test that failed, or None. At least one has to run."""
    command = [str(workshop.bin / program), "--no-colors=true", f"-tc={pattern}"]
    name = failed = None
    passed = 0
    with Process(command, TEST_SECONDS) as process:
        for line in process.lines():
            if line.startswith("TEST CASE:"):
                name = line.removeprefix("TEST CASE:").strip()
            if "ERROR:" in line and failed is None:
                failed = name
            count = re.match(r"\[doctest\] test cases:.*\| *(\d+) passed", line)
            passed = int(count[1]) if count else passed
        status = process.status()
    if process.timed_out:
        return name or f"{program} {pattern} (it hangs)"
    if status != 0:
        return failed or name or f"{program} {pattern} (status {status})"
    if passed == 0:
        raise Trouble(f"{program} has no test {pattern}")
    return None
