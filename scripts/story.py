"""What the demos share: a story in steps, with real processes. Every answer is checked on the way;
the exit status is 0 only if all of it went as told."""

import argparse
import pathlib
import sys
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "processes"))

from harness import World  # noqa: E402
from programs import Failed  # noqa: E402


class Story:
    def __init__(self, world, steps, pause_s):
        self.world = world
        self.steps = steps
        self.pause_s = pause_s
        self.step_number = 0
        self.colour = sys.stdout.isatty()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def step(self, title, *why):
        self.step_number += 1
        print(f"\n{self.paint('1', f'{self.step_number}/{self.steps}  {title}')}")
        self.say(*why)

    def say(self, *sentences):
        for line in textwrap.wrap(" ".join(sentences), 92):
            print(f"     {line}")
        sys.stdout.flush()
        time.sleep(self.pause_s * len(sentences))

    def show_command(self, name, line):
        print(f"  {self.paint('36', f'{name:>7}>')} {self.paint('1', line)}", flush=True)

    def whisper(self, program, *questions_and_answers):
        """Answers questions that a person at a terminal would be asked; passwords are not shown."""
        for question, text in questions_and_answers:
            shown = "*" * len(text) if "assword" in question else text
            print(f"           {question}: {shown}")
            program.whisper(text)

    def show_answer(self, answer):
        print(f"           {self.paint('32' if answer.ok else '31', answer.first)}")
        for line in answer.lines:
            print(f"             {line}")
        sys.stdout.flush()
        time.sleep(self.pause_s)

    def type(self, program, line, first_line=None):
        """Types a command; its answer must succeed, with this first line if one is given."""
        self.show_command(program.name, line)
        answer = program.expect(first_line, line) if first_line else program.ok(line)
        self.show_answer(answer)
        return answer

    def balances(self, **expected):
        """Asks every customer; money may still be arriving, so it waits for what is expected."""
        for name, amount in expected.items():
            self.world.customers[name].becomes(f"SUCCESS balance {amount}", "balance")
        self.say(
            "Balances now: " + ", ".join(f"{n} {amount}" for n, amount in expected.items()) + "."
        )

    def csv(self):
        print("           data.csv:")
        for line in self.world.data.read_text().splitlines():
            print(f"             {line}")
        sys.stdout.flush()


def tell(play, steps, description, what_next):
    """The main program of a demo. Returns its exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--fast", action="store_true", help="no pauses for reading")
    options = parser.parse_args()
    pause_s = 0 if options.fast or not sys.stdout.isatty() else 0.35
    began = time.monotonic()
    try:
        with World() as world:
            play(Story(world, steps, pause_s))
    except Failed as failed:
        print(f"\nThis is not how it should have gone:\n{failed}", file=sys.stderr)
        return 1
    print(f"\nAll as it should be, in {time.monotonic() - began:.1f} s.")
    print(what_next)
    return 0
