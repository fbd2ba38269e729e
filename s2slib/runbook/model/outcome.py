"""What became of one change: as the journal says it, and as run.json keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from s2slib.typed import STRICT

State = Literal[
    "done",
    "already",
    "not_needed",
    "moved",
    "blocked",
    "held",
    "stopped",
    "by_hand",
    "not_done",
    "failed",
    "uncertain",
    "unsettled",
]
OVER: tuple[State, ...] = ("done", "already", "not_needed")
WRITTEN: tuple[State, ...] = ("done", "unsettled", "failed", "uncertain")
SAYS_NOTHING: tuple[State, ...] = ("already", "moved", "blocked", "held", "stopped", "not_needed", "by_hand")
"""States that say: nothing is left to do; something may have been written; nothing of a change that was begun before."""


@dataclass(frozen=True, config=STRICT)
class Outcome:
    """What became of one change. `before` and `after` are the facts it rests on and aims at, as read each time."""

    change: str
    phase: str
    title: str
    state: State
    detail: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    seconds: int = 0
    outage_s: int | None = None
    lines: tuple[str, ...] = ()
