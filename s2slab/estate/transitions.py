"""What really happened in the estate: every transition with its cause, kept in memory and, when asked, in a file.

kind             what changed
---------------  ------------------------------------------------------------------------------------------------
configuration    a setting of a product or its certificates, in a store or in one of its copies
service          a Windows service or a worker process
probe            an item that a test wrote into a mailbox, or took out again
file             a file or folder on a server's drive: a backup is one; no product reads it
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Kind = Literal["configuration", "service", "probe", "file"]
CauseKind = Literal["command", "clock", "reaction"]


@dataclass(frozen=True)
class Cause:
    """Why a transition happened: a command (its id, text, server and account), the clock, or a reaction to another one.

    The clock and reactions carry the `id` of the command that set them going, where there was one.
    """

    kind: CauseKind
    id: str = ""
    command: str = ""
    server: str = ""
    account: str = ""


@dataclass(frozen=True)
class Transition:
    """One change of the estate's state. `subject` names what changed; before and after are JSON values."""

    number: int
    at: datetime
    kind: Kind
    subject: str
    before: Any
    after: Any
    cause: Cause

    def to_json(self) -> dict[str, Any]:
        """The transition as one JSON object."""
        return {**asdict(self), "at": self.at.isoformat()}


CLOCK = Cause("clock")


class TransitionLog:
    """Append-only; `causing` says on whose behalf the current thread acts."""

    def __init__(self, path: Path | None = None) -> None:
        self._rows: list[Transition] = []
        self._lock = threading.Lock()
        self._local = threading.local()
        self._path = path
        if path is not None:
            path.write_text("", encoding="utf-8")

    @contextmanager
    def causing(self, cause: Cause) -> Iterator[None]:
        """Every transition of this thread inside the block carries `cause`."""
        before = getattr(self._local, "cause", CLOCK)
        self._local.cause = cause
        try:
            yield
        finally:
            self._local.cause = before

    @property
    def cause(self) -> Cause:
        """On whose behalf the current thread acts; the clock's when nobody said."""
        found: Cause = getattr(self._local, "cause", CLOCK)
        return found

    def add(self, at: datetime, kind: Kind, subject: str, before: Any, after: Any) -> Transition:
        """Record one transition and return it."""
        with self._lock:
            row = Transition(len(self._rows) + 1, at, kind, subject, before, after, self.cause)
            self._rows.append(row)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8", newline="\n") as file:
                    file.write(json.dumps(row.to_json(), ensure_ascii=False, sort_keys=True) + "\n")
        return row

    def rows(self, *, kind: Kind | None = None, caused_by: CauseKind | None = None) -> list[Transition]:
        """The transitions so far, oldest first, optionally of one kind or one kind of cause."""
        with self._lock:
            rows = list(self._rows)
        return [row for row in rows if kind in (None, row.kind) and caused_by in (None, row.cause.kind)]


def plain(value: Any) -> Any:
    """A state value as JSON can carry it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
