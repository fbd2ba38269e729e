"""What a judgement on trust is: a level, what was seen, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warning", "blocker", "unknown"]
"""`unknown` means that the fact behind the judgement could not be read; it is never an `ok` nor an absence."""

_ASCENDING: Final[tuple[Level, ...]] = ("ok", "warning", "unknown", "blocker")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judged fact.

    `id` is stable and the same for every key or server judged; `about` says which one (a thumbprint, a server name,
    empty for the whole). `seen` holds text from servers only in escaped and capped form. `remedy` is empty exactly
    when there is nothing to do.
    """

    id: str
    level: Level
    seen: str
    expected: str
    remedy: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a server gave no usable document: `kind` for programs, `detail` for people (already escaped and capped)."""

    kind: str
    detail: str


def worst(judgements: Iterable[Judgement]) -> Level:
    """The level that decides: blocker before unknown before warning before ok; `ok` when there is nothing judged."""
    return max((judgement.level for judgement in judgements), key=_ASCENDING.index, default="ok")
