"""What run.py says while it sets up. To standard error: what it hands over to may print JSON."""

from __future__ import annotations

from typing import TextIO


class Console:
    """Whole lines always; on a terminal also one line that is overwritten while something lasts."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._width = 0

    def say(self, text: str) -> None:
        """A line, or several."""
        self.clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def progress(self, text: str) -> None:
        """Shown on a terminal until the next progress or line; nowhere else."""
        if self._live:
            shown = text[:78]
            self._out.write("\r" + shown.ljust(self._width))
            self._out.flush()
            self._width = len(shown)

    def clear(self) -> None:
        """Takes the progress line away."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0
