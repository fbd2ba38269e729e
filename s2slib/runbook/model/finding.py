"""Judgements on facts: each with a stable id, what was seen, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "blocker", "unknown"]
ORDER: dict[Level, int] = {"blocker": 0, "unknown": 1, "warning": 2, "ok": 3}


@dataclass(frozen=True)
class Finding:
    """One judgement. `id` is stable across releases (`lync.realm.not_accepted`); `server` is empty for an estate."""

    id: str
    level: Level
    phase: str
    title: str
    seen: str = ""
    expected: str = ""
    remedy: str = ""
    server: str = ""

    def to_json(self) -> dict[str, Any]:
        """The finding as one JSON object."""
        return asdict(self)

    def line(self) -> str:
        """The finding in one line: level, server, title, seen, expected."""
        where = f"{self.server}: " if self.server else ""
        seen = f" - saw {self.seen}" if self.seen else ""
        expected = f", expected {self.expected}" if self.expected else ""
        return f"[{self.level}] {where}{self.title}{seen}{expected}"


def worst(findings: Iterable[Finding]) -> Level:
    """The gravest level among the findings; ok when there are none."""
    return min((finding.level for finding in findings), key=ORDER.__getitem__, default="ok")


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """Those that forbid a write: blockers and unknowns."""
    return [finding for finding in findings if finding.level in ("blocker", "unknown")]


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Gravest first, otherwise as they came."""
    return sorted(findings, key=lambda finding: ORDER[finding.level])
