"""A point in monotonic time by which something must have ended, and a call that is given up when it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from s2slib.remoting.winrm.boundary import NoAnswerInTime

T = TypeVar("T")
Clock = Callable[[], float]


@dataclass(frozen=True)
class Deadline:
    """`at` in seconds of `clock`."""

    at: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> Deadline:
        """The deadline that is `seconds` from now."""
        return cls(clock() + seconds, clock)

    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(0.0, self.at - self.clock())

    def later(self, seconds: float) -> Deadline:
        """This deadline with `seconds` more."""
        return Deadline(self.at + seconds, self.clock)

    def passed(self) -> bool:
        """Whether it has come."""
        return self.clock() >= self.at

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or the one `seconds` from now if that comes first."""
        return Deadline(min(self.at, self.clock() + seconds), self.clock)


def bounded(call: Callable[[], T], deadline: Deadline, abort: Callable[[], None]) -> T:
    """What `call` returns or raises; NoAnswerInTime at the deadline, after `abort` was asked to break it.

    Socket timeouts count from byte to byte, and a name lookup has none: a peer that sends one byte a second would hold
    the caller for ever. So the call has a thread of its own, which is left behind if even `abort` cannot end it.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="s2slib-exchange", daemon=True)
    thread.start()
    try:
        thread.join(deadline.left())
    except BaseException:  # a person's interrupt: do not leave the exchange running behind their back
        abort()
        raise
    if thread.is_alive():
        abort()
        thread.join(0.5)
        if not done:
            raise NoAnswerInTime
    if failed:
        raise failed[0]
    return done[0]
