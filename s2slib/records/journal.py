"""The journal of a run: JSON lines, each with the hash of the one before, on disk (fsync) before anything happens."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from s2slib.errors import S2SError
from s2slib.records.display import safe_text

GENESIS = "0" * 64
LOCK_TIMEOUT_S = 30
TOLD_LIMIT = 200


class JournalError(S2SError):
    """The journal cannot be written or does not verify; names the file and the first bad line."""


@dataclass(frozen=True)
class Entry:
    """One verified line: number from 1, instant, kind of event and its data."""

    number: int
    at: str
    event: str
    data: Mapping[str, Any]
    hash: str


class Journal:
    """Append-only record of a run folder (`journal.jsonl`); safe for several processes, one writer at a time."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        redact: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self.path = path
        self._now = now
        self._redact = redact
        self._lock = FileLock(str(path) + ".lock", timeout=LOCK_TIMEOUT_S)

    def append(self, event: str, **data: Any) -> Entry:
        """Write one line and bring it to disk; JournalError when that fails, and then nothing else may start (rule R10)."""
        try:
            with self._lock:
                head_number, head_hash = self._head()
                body = {
                    "number": head_number + 1,
                    "at": self._now().isoformat(),
                    "event": event,
                    "data": self._redact(data),
                    "before": head_hash,
                }
                digest = _digest(body)
                line = json.dumps({**body, "hash": digest}, ensure_ascii=False, sort_keys=True)
                with self.path.open("a", encoding="utf-8", newline="\n") as file:
                    file.write(line + "\n")
                    file.flush()
                    os.fsync(file.fileno())
        except (OSError, TimeoutError) as error:
            raise JournalError(f"{self.path.name} cannot be written ({error}); no change is started") from error
        return Entry(body["number"], body["at"], event, body["data"], digest)

    def entries(self) -> list[Entry]:
        """Every line, verified; a torn last line (a kill while writing) is left out."""
        return verify(self.path)

    def _head(self) -> tuple[int, str]:
        entries = verify(self.path)
        if torn(self.path):  # cut it, or the next line would hang on to it
            with self.path.open("r+b") as file:
                file.truncate(sum(map(len, _whole_lines(self.path))))
        return (entries[-1].number, entries[-1].hash) if entries else (0, GENESIS)


def told(entry: Entry) -> str:
    """What an entry says, in one line for people."""
    data = dict(entry.data)
    if isinstance(data.get("servers"), list):
        rows = (f"{row['server'].split('.')[0]} {row['facts']}" for row in data["servers"])
        return safe_text(f"{data.get('facts', '')} facts: {', '.join(rows)}", TOLD_LIMIT, multiline=False)
    change = data.get("change")
    name = change["id"] if isinstance(change, dict) else change or data.get("phase") or data.get("server") or ""
    more = data.get("state") or data.get("line") or data.get("note") or data.get("what") or data.get("ticket")
    more = more or str(data.get("plan_hash", ""))[:12]
    lines = "; ".join(data.get("lines", [])) if isinstance(change, dict) else ""
    return safe_text(" ".join(str(part) for part in (name, more, lines) if part), TOLD_LIMIT, multiline=False)


def verify(path: Path) -> list[Entry]:
    """The entries of a journal; JournalError names the first line that was changed, dropped or moved."""
    if not path.exists():
        return []
    entries: list[Entry] = []
    before = GENESIS
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            row = json.loads(line)
            claimed = row.pop("hash")
            sound = row["number"] == number and row["before"] == before and _digest(row) == claimed
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise JournalError(f"{path.name} line {number} is not a journal entry: {error}") from error
        if not sound:
            raise JournalError(f"{path.name} line {number} was changed, or a line before it is missing or out of order")
        entries.append(Entry(number, row["at"], row["event"], row["data"], claimed))
        before = claimed
    return entries


def verify_end(entries: list[Entry], lines: int, head: str, name: str) -> None:
    """JournalError when a journal no longer reaches the line that run.json has seen, or another one stands there."""
    if len(entries) < lines:
        raise JournalError(f"{name} ends at line {len(entries)}, but run.json has seen {lines}: its end was cut off")
    if entries[lines - 1].hash != head:
        raise JournalError(f"{name} line {lines} is not the one that run.json has seen: the journal was written anew")


def torn(path: Path) -> bool:
    """Whether the last line was not written to its end: a writer was killed, or the disk was full, in the middle of it."""
    return path.exists() and sum(map(len, _whole_lines(path))) < path.stat().st_size


def _whole_lines(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
