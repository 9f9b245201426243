"""A program at a terminal, as a person uses it. For tests."""

import os
import pty
import re
import select
import subprocess
import time

from programs import ANSWER_DEADLINE_S, Failed

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class AtTerminal:
    """One process at a terminal of its own. It ends with the `with` block."""

    def __init__(self, command, **environment):
        self._screen = ""
        self._seen = 0
        self._main, side = pty.openpty()
        settings = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=side, stdout=side, stderr=side,
            start_new_session=True, env={**settings, "TERM": "xterm", **environment},
        )  # fmt: skip
        os.close(side)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self._main)

    def type(self, text):
        """What a person types, with what was shown before counted as seen."""
        self._seen = len(self._screen)
        os.write(self._main, text.encode())

    def see(self, text):
        """Waits until the text is on the screen, after what was typed last; colours aside."""
        deadline = time.monotonic() + ANSWER_DEADLINE_S
        while text not in self.shown():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._main], [], [], left)[0]:
                raise Failed(f"{text!r} is not on the screen:\n{self.shown()}")
            try:
                self._screen += os.read(self._main, 65536).decode(errors="replace")
            except OSError:
                raise Failed(f"ended before {text!r} was on the screen:\n{self.shown()}") from None

    def shown(self):
        return COLOUR.sub("", self.shown_with_colours())

    def shown_with_colours(self):
        return self._screen[self._seen :].replace("\r\n", "\n")
