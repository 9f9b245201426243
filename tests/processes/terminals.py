"""A program at a terminal, as a person uses it. For tests."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from programs import ANSWER_DEADLINE_S, END_DEADLINE_S, Failed

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class AtTerminal:
    """One process at a terminal of its own, which is closed at the end of the `with` block: that
    has to end the process."""

    def __init__(self, command, **environment):
        self._screen = ""
        self._seen = 0
        self._main, side = pty.openpty()
        self.mode_before = self.mode()
        settings = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=side, stdout=side, stderr=side,
            start_new_session=True, env={**settings, "TERM": "xterm", **environment},
        )  # fmt: skip
        os.close(side)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        os.close(self._main)
        try:
            self.process.wait(END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            if kind is None:
                raise Failed(f"goes on without its terminal:\n{self.shown()}") from None

    def type(self, text):
        """What a person types, with what was shown before counted as seen. Text or bytes."""
        self._seen = len(self._screen)
        os.write(self._main, text.encode() if isinstance(text, str) else text)

    def resize(self, columns):
        """As when the window of the terminal is made narrower or wider."""
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def mode(self):
        """How the terminal treats keys: echo, whole lines."""
        return termios.tcgetattr(self._main)[:4]

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
