"""One running program with pipes: typing, answers with deadlines, kill -9, and what it left behind.

Commands are typed with `cmd`, which waits for the answer; `type` and `answer` do the two apart.
Nothing here sleeps for a time: everything waits for a condition with a deadline. Deadlines are
stretched by the environment's P2PBANK_TEST_SLOWNESS (for programs built with sanitizers).
"""

import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("P2PBANK_BIN", ROOT / "build" / "release" / "bin"))
SLOWNESS = float(os.environ.get("P2PBANK_TEST_SLOWNESS", "1"))

# For one answer. The longest that a command may take is about ten seconds (a checkpoint with all
# its tries); the rest is for a machine that is busy with other tests.
ANSWER_DEADLINE_S = 40 * SLOWNESS
START_DEADLINE_S = 20 * SLOWNESS
END_DEADLINE_S = 20 * SLOWNESS

# A line that is no command. Typed after a command, its answer shows where the one before ends.
END_MARK = "end-of-the-answer"

# Exit statuses that a program chooses: done, a command failed, wrong usage, a bad disk, storage that
# has forgotten; and SIGTERM before it could listen to it.
OWN_STATUSES = (0, 1, 2, 3, 4, -signal.SIGTERM)

# What a sanitizer writes when it has found something.
SANITIZER_REPORT = re.compile(r"(ERROR: \w*Sanitizer|WARNING: \w*Sanitizer|runtime error: )")


class Failed(AssertionError):
    """A test has failed; the text says what was expected and what happened."""


@dataclass
class Answer:
    outcome: str  # SUCCESS, FAILURE or UNKNOWN
    code: str  # of a failure
    text: str  # the first line without outcome and code
    lines: list = field(default_factory=list)  # further lines, without the indentation

    @property
    def first(self):
        if self.outcome == "FAILURE":
            return f"FAILURE {self.code}: {self.text}"
        return f"{self.outcome} {self.text}".rstrip()

    @property
    def ok(self):
        return self.outcome == "SUCCESS"

    def __str__(self):
        return "\n  ".join([self.first, *self.lines])

    @staticmethod
    def of_lines(lines):
        match = re.fullmatch(r"(SUCCESS|FAILURE|UNKNOWN)(?: (.*))?", lines[0])
        if not match:
            raise Failed(f"not the first line of an answer: {lines[0]!r}")
        outcome, text = match.group(1), match.group(2) or ""
        code = ""
        if outcome == "FAILURE":
            failure = re.fullmatch(r"([a-z]+(?:-[a-z]+)*): (.+)", text)
            if not failure:
                raise Failed(f"a failure without code and sentence: {lines[0]!r}")
            code, text = failure.groups()
        return Answer(outcome, code, text, [line[2:] for line in lines[1:]])


def parse_answers(output):
    """All answers in what a program wrote to its standard output."""
    groups = []
    for line in output.splitlines():
        if line.startswith("  "):
            if not groups:
                raise Failed(f"indented before any answer: {line!r}")
            groups[-1].append(line)
        else:
            groups.append([line])
    return [Answer.of_lines(group) for group in groups]


def without_repetitions(transcript):
    """A command and its answer that are the same as the pair before, polls, are left out but for
    the first and the last."""
    kept = []
    for entry in transcript:
        kept.append(entry)
        words = [line for _, _, line in kept[-6:]]
        if len(words) == 6 and words[:2] == words[2:4] == words[4:]:
            kept[-4:] = kept[-2:]
    return kept


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    # A script that starts the tests in its background has them ignored.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Program:
    """One process with pipes. Owned by a World; its methods may be called from any thread."""

    QUESTIONS = ()

    def __init__(self, name, command, *, stdin_text=None, cwd=None, secrets=False):
        self.name = name
        self.command = [str(word) for word in command]
        secrets_fd = None
        self._secrets = None  # where passwords are typed, if the program is to take them there
        if secrets:
            secrets_fd, write_fd = os.pipe()
            self._secrets = open(write_fd, "w", encoding="utf-8")
            self.command += ["--password-fd", str(secrets_fd)]
        self._changed = threading.Condition()
        self._started = time.monotonic()
        self._transcript = []  # (seconds, "<", "|" or "!", line): typed, answered, standard error
        self._answers = []  # lists of lines; the last may still grow
        self._typed = 0
        self._marks = set()  # which of the typed lines are an END_MARK
        self._open_streams = 2
        self._json = "--json" in self.command
        self.killed = False
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            preexec_fn=_die_with_parent,
            pass_fds=() if secrets_fd is None else (secrets_fd,),
        )
        if secrets_fd is not None:
            os.close(secrets_fd)
        for stream, mark in ((self.process.stdout, "|"), (self.process.stderr, "!")):
            threading.Thread(target=self._read, args=(stream, mark), daemon=True).start()
        if stdin_text is not None:
            self.write(stdin_text)

    # --- what the process writes -------------------------------------------------------------

    def _read(self, stream, mark):
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            with self._changed:
                if mark == "|":
                    if line.startswith("  ") and self._answers and not self._json:
                        self._answers[-1].append(line)
                    else:
                        self._answers.append([line])
                if mark == "!" or len(self._answers) - 1 not in self._marks:
                    self._note(mark, line)
                self._changed.notify_all()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _note(self, mark, line):
        self._transcript.append((time.monotonic() - self._started, mark, line))

    def transcript(self, last=80):
        """What was typed (<), answered (|) and logged (!), for a person who looks at a failure."""
        with self._changed:
            lines = without_repetitions(self._transcript)
        body = [f"{seconds:8.3f} {mark} {line}" for seconds, mark, line in lines[-last:]]
        if len(lines) > last:
            body.insert(0, f"         ... {len(lines) - last} earlier lines")
        return "\n".join([f"--- {self.name}: {' '.join(self.command)}  [{self.state()}]", *body])

    def examine(self):
        """For a failed test: asks what the program thinks of itself, for the transcript."""
        if self.running and not self._json and not self.process.stdin.closed:
            for line in self.QUESTIONS:
                try:
                    self.cmd(line, deadline_s=2)
                except Failed:
                    return

    def state(self):
        status = self.process.poll()
        if status is None:
            return f"running, pid {self.process.pid}"
        return f"ended with status {status}"

    def output(self, mark="|"):
        with self._changed:
            return "".join(line + "\n" for _, m, line in self._transcript if m == mark)

    @property
    def log(self):
        return self.output("!")

    def fail(self, sentence):
        raise Failed(f"{self.name}: {sentence}\n{self.transcript()}")

    def wait_until(self, condition, what, deadline_s=ANSWER_DEADLINE_S):
        """Waits until condition() is true; it is looked at whenever the process has written."""
        end = time.monotonic() + deadline_s
        with self._changed:
            while True:
                value = condition()
                if value:
                    return value
                left = end - time.monotonic()
                if left <= 0 or self._open_streams == 0:
                    break
                self._changed.wait(min(left, 0.25))
        if self._open_streams == 0:
            self.process.wait(END_DEADLINE_S)
        self.fail(f"waited in vain for {what}")

    def wait_log(self, pattern, deadline_s=ANSWER_DEADLINE_S):
        """Waits for a line on standard error that matches; returns the match."""
        return self.wait_until(
            lambda: re.search(pattern, self.log, re.MULTILINE),
            f"/{pattern}/ on standard error",
            deadline_s,
        )

    # --- what is typed -----------------------------------------------------------------------

    def write(self, text):
        try:
            self.process.stdin.write(text.encode() if isinstance(text, str) else text)
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it has ended; whoever waits for an answer will say so

    def whisper(self, *secrets):
        """Gives the answers to questions for passwords, one a line, by the descriptor for them."""
        self._secrets.write("".join(secret + "\n" for secret in secrets))
        self._secrets.flush()

    def type(self, *lines):
        """Types command lines without waiting; returns the tickets for `answer`."""
        tickets = []
        text = ""
        with self._changed:
            for line in lines:
                tickets.append(self._typed)
                self._note("<", line)
                self._typed += 1
                text += line + "\n"
                if not self._json:
                    self._marks.add(self._typed)
                    self._typed += 1
                    text += END_MARK + "\n"
        self.write(text)
        return tickets[0] if len(tickets) == 1 else tickets

    def answer(self, ticket, deadline_s=ANSWER_DEADLINE_S):
        """The answer to what was typed, as soon as it is complete."""
        follower = ticket if self._json else ticket + 1

        def complete():
            return len(self._answers) > follower or (
                self._open_streams == 0 and len(self._answers) > ticket
            )

        self.wait_until(complete, "an answer", deadline_s)
        with self._changed:
            lines = list(self._answers[ticket])
        if self._json:
            return json.loads(lines[0])
        try:
            return Answer.of_lines(lines)
        except Failed as error:
            self.fail(str(error))

    def has_answer(self, ticket):
        with self._changed:
            return len(self._answers) > ticket

    def cmd(self, line, deadline_s=ANSWER_DEADLINE_S):
        return self.answer(self.type(line), deadline_s)

    def ok(self, line, deadline_s=ANSWER_DEADLINE_S):
        """Types a command that must succeed."""
        answer = self.cmd(line, deadline_s)
        if not answer.ok:
            self.fail(f"{line!r} should have succeeded: {answer}")
        return answer

    def expect(self, first_line, line, deadline_s=ANSWER_DEADLINE_S):
        """Types a command whose answer must have exactly this first line."""
        answer = self.cmd(line, deadline_s)
        if answer.first != first_line:
            self.fail(f"{line!r}\n  expected: {first_line}\n  answered: {answer}")
        return answer

    def refuses(self, codes, line, deadline_s=ANSWER_DEADLINE_S):
        """Types a command that must fail with this code, or with one of several ("a|b")."""
        answer = self.cmd(line, deadline_s)
        if answer.outcome != "FAILURE" or answer.code not in codes.split("|"):
            self.fail(f"{line!r}\n  expected: FAILURE {codes}\n  answered: {answer}")
        return answer

    def becomes(self, first_line, line, deadline_s=ANSWER_DEADLINE_S):
        """Types a command that changes nothing, again and again, until its first line is this."""
        end = time.monotonic() + deadline_s
        while True:
            answer = self.cmd(line)
            if answer.first == first_line:
                return answer
            if time.monotonic() > end:
                self.fail(f"{line!r}\n  should become: {first_line}\n  last answer: {answer}")
            time.sleep(0.02)

    # --- its life ----------------------------------------------------------------------------

    @property
    def running(self):
        return self.process.poll() is None

    def kill(self):
        """kill -9: at once, with no chance to clean up."""
        self.killed = True
        self.process.kill()
        self.process.wait()
        self._close_secrets()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def close_input(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self._close_secrets()

    def _close_secrets(self):
        if self._secrets is not None:
            self._secrets.close()

    def wait_end(self, deadline_s=END_DEADLINE_S):
        """Waits for the process to end by itself; returns its exit status."""
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.fail("should have ended")
        with self._changed:
            self._changed.wait_for(lambda: self._open_streams == 0, END_DEADLINE_S)
        return status

    def end(self):
        """End of input, then waits; returns the exit status."""
        self.close_input()
        return self.wait_end()

    def what_went_wrong(self):
        """For the end of a test: the reason if it crashed or a sanitizer spoke, else nothing."""
        status = self.process.poll()
        if status is not None and not self.killed and status not in OWN_STATUSES:
            return f"{self.name} crashed: status {status}\n{self.transcript()}"
        if SANITIZER_REPORT.search(self.log):
            return f"{self.name}: a sanitizer reported\n{self.transcript(400)}"
        return None


class Bank(Program):
    QUESTIONS = ("customers", "audit")
    port = 0

    def audit(self):
        """The numbers of an audit's first line, as text."""
        answer = self.ok("audit")
        match = re.fullmatch(
            r"audit balances (\S+) in-transit (\S+)(?: bank (\S+))? expected (\S+) "
            r"difference (\S+)",
            answer.text,
        )
        if not match:
            self.fail(f"not the first line of an audit: {answer}")
        names = ("balances", "in-transit", "bank", "expected", "difference")
        return {name: value or "0" for name, value in zip(names, match.groups())}


class Customer(Program):
    QUESTIONS = ("status", "peers")
    ports = (0, 0)

    def balance(self):
        answer = self.ok("balance")
        match = re.fullmatch(r"balance (\d+(?:\.\d\d)?)", answer.text)
        if not match:
            self.fail(f"not a balance: {answer}")
        return match.group(1)


def run_program(program, *arguments, stdin="", deadline_s=START_DEADLINE_S, cwd=None):
    """Runs a program to its end with this input. Returns (status, stdout, stderr)."""
    try:
        done = subprocess.run(
            [str(BIN / program), *[str(argument) for argument in arguments]],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=deadline_s,
            cwd=cwd,
            preexec_fn=_die_with_parent,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(
            f"{program} {arguments} should have ended\n"
            f"stdout: {late.stdout!r}\nstderr: {late.stderr!r}"
        ) from None
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.returncode not in (0, 1, 2) or SANITIZER_REPORT.search(err):
        raise Failed(f"{program} {arguments}: status {done.returncode}\n{out}\n{err}")
    return done.returncode, out, err
