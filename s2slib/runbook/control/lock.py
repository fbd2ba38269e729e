"""One writer per deployment and runs folder (rule R6): an operating-system lock plus a readable record of who holds it.

| OS lock | record | what happens |
| --- | --- | --- |
| free | none | taken |
| free | of this machine | its process is dead (it would hold the lock): taken over, and the journal says so |
| free | of another machine | refused: a lock does not reach across machines; `s2s unlock RUN` when that process is gone |
| held | any | waited for a few seconds (a killed notebook's kernel lives on for one), then refused with the holder's name |

It binds this runs folder only, not two jump hosts: the re-read before each change is the guard there (rule R48).
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from s2slib.errors import EXIT_REFUSED, S2SError
from s2slib.records.files import read_json, write_json

PATIENCE_S = 5.0
UNKNOWN = "unknown"


class Refused(S2SError):
    """Nothing was changed: the lock is held, the plan is not approved, or the state moved (exit code 3)."""

    exit_code = EXIT_REFUSED


@dataclass(frozen=True)
class Holder:
    """Who writes: account, host, process id, start (UTC) and run folder."""

    holder: str
    host: str
    process: int
    started: str
    run: str

    def __str__(self) -> str:
        return f"{self.holder} on {self.host}, process {self.process}, since {self.started}, run {self.run}"

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()


def account() -> str:
    """The operating-system account of this process, as the system names it: no environment variable is asked."""
    try:
        if sys.platform == "win32":
            return os.getlogin()  # GetUserName
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (KeyError, OSError, ImportError):
        return UNKNOWN


@contextmanager
def writer_lock(
    runs: Path,
    deployment: str,
    run: str,
    *,
    patience_s: float = PATIENCE_S,
    taken_over: Callable[[Holder], None] = lambda _holder: None,
) -> Iterator[None]:
    """Hold the deployment's lock; Refused names who has it. `taken_over` is told of a dead holder before anything else."""
    lock = FileLock(str(_lock_file(runs, deployment)))
    record = _record_file(runs, deployment)
    try:
        lock.acquire(timeout=patience_s)
    except Timeout:
        raise Refused(
            f"another writer holds {deployment}: {read_holder(record) or 'its record is not readable'}"
        ) from None
    try:
        left = read_holder(record)
        if left is not None and not left.is_here:
            raise Refused(
                f"{deployment} is held from another machine: {left}. If that process is gone for good: s2s unlock {run}"
            )
        if left is not None:
            taken_over(left)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(record, asdict(Holder(account(), socket.gethostname(), os.getpid(), started, run)))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # somebody reads it: the next writer takes it over
                record.unlink(missing_ok=True)
    finally:
        lock.release()


def read_holder(record: Path) -> Holder | None:
    """The recorded holder; None when there is no record or it cannot be read."""
    try:
        return Holder(**read_json(record))
    except (OSError, ValueError, TypeError):
        return None


def unlock(runs: Path, deployment: str) -> Holder | None:
    """Remove the record that a writer left behind, and return it; None when there was none. Refused while one is alive here."""
    lock = FileLock(str(_lock_file(runs, deployment)))
    record = _record_file(runs, deployment)
    holder = read_holder(record)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Refused(
            f"{deployment} is being written to right now by {holder or 'a process without a record'}: "
            "`s2s stop RUN` stops it between two changes"
        ) from None
    try:
        record.unlink(missing_ok=True)
    finally:
        lock.release()
    return holder


def _lock_file(runs: Path, deployment: str) -> Path:
    return runs / f"{deployment}.writer.lock"


def _record_file(runs: Path, deployment: str) -> Path:
    return runs / f"{deployment}.writer.json"
