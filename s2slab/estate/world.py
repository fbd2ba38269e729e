"""What everything in the estate shares: one clock, one lock, one seeded source of chance, one log of what changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from s2slab.estate.clock import LabClock
from s2slab.estate.transitions import Cause, Kind, TransitionLog, plain


class World:
    """Time, chance and the log, behind one lock; deterministic from `seed` but for key material."""

    def __init__(self, *, seed: int = 1, clock: LabClock | None = None, log_path: Path | None = None) -> None:
        self.random = random.Random(seed)
        self.clock = clock or LabClock()
        self.log = TransitionLog(log_path)
        self.lock = self.clock.lock

    def now(self) -> datetime:
        """Estate time, aware UTC."""
        return self.clock.now()

    def record(self, kind: Kind, subject: str, before: Any, after: Any) -> None:
        """Log one transition under the current thread's cause; values become plain JSON."""
        self.log.add(self.now(), kind, subject, plain(before), plain(after))

    @contextmanager
    def acting(self, cause: Cause) -> Iterator[None]:
        """Hold the estate, bring it up to now, and act on behalf of `cause`."""
        with self.lock:
            self.clock.run_due()
            with self.log.causing(cause):
                yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the estate, brought up to now."""
        with self.lock:
            self.clock.run_due()
            yield

    def later(self, seconds: float, event: Callable[[], None]) -> None:
        """Run `event` after `seconds` of lab time, caused by the clock and traced to the command that is acting now."""
        cause = Cause("clock", id=self.log.cause.id)

        def run() -> None:
            with self.log.causing(cause):
                event()

        self.clock.after(seconds, run)

    @contextmanager
    def reacting(self) -> Iterator[None]:
        """What happens inside is a reaction to what was just recorded."""
        with self.log.causing(Cause("reaction", id=self.log.cause.id)):
            yield
