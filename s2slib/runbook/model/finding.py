"""Judgements on facts: each with a stable id, what was seen, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic.dataclasses import dataclass

from s2slib.typed import STRICT

Level = Literal["ok", "warning", "blocker", "unknown"]
ORDER: dict[Level, int] = {"blocker": 0, "unknown": 1, "warning": 2, "ok": 3}


@dataclass(frozen=True, config=STRICT)
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

    def line(self) -> str:
        """The finding in one line: level, server, title, seen, expected."""
        where = f"{self.server}: " if self.server else ""
        seen = f" - saw {self.seen}" if self.seen else ""
        expected = f", expected {self.expected}" if self.expected else ""
        return f"[{self.level}] {where}{self.title}{seen}{expected}"


@dataclass(frozen=True)
class Kind:
    """A judgement that can be made: its id, level and words, said once. Called with what was seen, it is the finding."""

    id: str
    level: Level
    phase: str
    title: str
    expected: str = ""
    remedy: str = ""

    def __call__(
        self,
        seen: str = "",
        expected: str = "",
        *,
        remedy: str = "",
        server: str = "",
        phase: str = "",
        **words: object,
    ) -> Finding:
        """The finding. `words` fill the title's places; what is given besides stands in place of the kind's own."""
        return Finding(
            self.id if not phase else self.id.replace("<phase>", phase),
            self.level,
            phase or self.phase,
            self.title.format(**words) if words else self.title,
            seen,
            expected or self.expected,
            remedy or self.remedy,
            server,
        )


KINDS: dict[tuple[str, Level, str], Kind] = {}
"""Every judgement that can be made, by id, level and title: what docs/findings.md lists."""


class Kinds:
    """Declares the judgements of one phase; `<phase>` stands for those that several make alike."""

    def __init__(self, phase: str) -> None:
        self._phase = phase

    def ok(self, id: str, title: str, expected: str = "", remedy: str = "") -> Kind:
        """In order."""
        return self._declared(id, "ok", title, expected, remedy)

    def warning(self, id: str, title: str, expected: str = "", remedy: str = "") -> Kind:
        """A person should think."""
        return self._declared(id, "warning", title, expected, remedy)

    def blocker(self, id: str, title: str, expected: str = "", remedy: str = "") -> Kind:
        """Forbids the writes behind it."""
        return self._declared(id, "blocker", title, expected, remedy)

    def unknown(self, id: str, title: str, expected: str = "", remedy: str = "") -> Kind:
        """Not known, and forbids the writes that rest on it."""
        return self._declared(id, "unknown", title, expected, remedy)

    def _declared(self, id: str, level: Level, title: str, expected: str, remedy: str) -> Kind:
        kind = Kind(id, level, self._phase, title, expected, remedy)
        KINDS[id, level, title] = kind
        return kind


def worst(findings: Iterable[Finding]) -> Level:
    """The gravest level among the findings; ok when there are none."""
    return min((finding.level for finding in findings), key=ORDER.__getitem__, default="ok")


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """Those that forbid a write: blockers and unknowns."""
    return [finding for finding in findings if finding.level in ("blocker", "unknown")]


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Gravest first, otherwise as they came."""
    return sorted(findings, key=lambda finding: ORDER[finding.level])
