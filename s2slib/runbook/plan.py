"""The ordered changes of a run with their back-out: canonical JSON and one SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from s2slib.facts import normal
from s2slib.runbook.change import Change


@dataclass(frozen=True)
class Plan:
    """What will be done, in order. `reasons` says for every phase without changes why it has none."""

    deployment: str
    changes: tuple[Change, ...]
    reasons: tuple[tuple[str, str], ...] = ()

    def of(self, phase: str) -> tuple[Change, ...]:
        """The changes of one phase."""
        return tuple(change for change in self.changes if change.phase == phase)

    def before(self, phase: str) -> tuple[Change, ...]:
        """The changes that come before the first one of `phase`: what that phase waits for."""
        waits: list[Change] = []
        for change in self.changes:
            if change.phase == phase:
                break
            waits.append(change)
        else:
            return ()
        return tuple(waits)

    def reason(self, phase: str) -> str:
        """Why a phase has nothing to do; empty when it has."""
        return dict(self.reasons).get(phase, "")

    def back_out(self) -> list[dict[str, Any]]:
        """The steps that undo the plan, newest change first."""
        return [entry for change in reversed(self.changes) for entry in change.to_json()["inverse"]]

    def to_json(self) -> dict[str, Any]:
        """The plan as canonical JSON: no run id, host, path or wall time in it."""
        body = {
            "deployment": self.deployment,
            "changes": [change.to_json() for change in self.changes],
            "reasons": [list(row) for row in self.reasons],
        }
        canonical: dict[str, Any] = normal(body)
        return canonical

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, 64 lower-case hexadecimal digits."""
        return sha256_of(self.to_json())


def sha256_of(data: Any) -> str:
    """SHA-256 over canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def ids(changes: Iterable[Change]) -> list[str]:
    """The ids of changes, in order."""
    return [change.id for change in changes]
