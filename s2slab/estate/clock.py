"""The lab's own clock: it runs with real time, jumps when something in the lab waits, and fires what became due."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class LabClock:
    """Aware UTC time of the estate.

    A wait inside the lab (`Start-Sleep` on a server) jumps the clock instead of taking real time; events that fall due
    (replication, status reports) run in order of their instant, each seeing the clock at that instant. `lock` guards
    the clock and, shared, everything that its events change: one lock, so no order in which two could be taken wrongly.
    """

    def __init__(self, start: datetime | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lock = threading.RLock()
        self._monotonic = monotonic
        self._origin = monotonic()
        self._start = start or datetime.now(UTC).replace(microsecond=0)
        self._jumped = timedelta()
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._at: datetime | None = None

    def now(self) -> datetime:
        """The instant it is in the estate; while an event runs, that event's instant."""
        with self.lock:
            if self._at is not None:
                return self._at
            return self._start + self._jumped + timedelta(seconds=self._monotonic() - self._origin)

    def at(self, instant: datetime, event: Callable[[], None]) -> None:
        """Run `event` once the clock reaches `instant`."""
        with self.lock:
            heapq.heappush(self._events, (instant, next(self._order), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Run `event` once `seconds` of lab time have passed."""
        self.at(self.now() + timedelta(seconds=seconds), event)

    def advance(self, seconds: float) -> None:
        """Let `seconds` of lab time pass at once, running what falls due on the way; negative counts as none."""
        with self.lock:
            self._jumped += timedelta(seconds=max(0.0, seconds))
            self.run_due()

    def run_due(self) -> None:
        """Run every event whose instant has come, in order."""
        with self.lock:
            if self._at is not None:  # called from within an event: the outer loop goes on
                return
            now = self.now()
            while self._events and self._events[0][0] <= now:
                instant, _, event = heapq.heappop(self._events)
                self._at = instant
                try:
                    event()
                finally:
                    self._at = None
