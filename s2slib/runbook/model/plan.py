"""The ordered changes of a run with their back-out: canonical JSON and one SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic.dataclasses import dataclass

from s2slib.errors import S2SError
from s2slib.facts import normal
from s2slib.runbook.model.change import Change
from s2slib.typed import STRICT, from_json, to_json

FORMAT = 1


class PlanError(S2SError):
    """A recorded plan cannot be used: another version's, or changed after it was made."""


@dataclass(frozen=True, config=STRICT)
class Plan:
    """What will be done, in order. `reasons` says for every phase without changes why it has none.

    `fingerprint` is the deployment's: what was declared. `cannot_undo` says what no back-out restores.
    """

    deployment: str
    changes: tuple[Change, ...]
    reasons: tuple[tuple[str, str], ...] = ()
    fingerprint: str = ""
    cannot_undo: tuple[str, ...] = ()

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

    def back_out(self) -> tuple[Change, ...]:
        """The changes that undo the plan, newest first."""
        return back_out_of(self.changes)

    def to_json(self) -> dict[str, Any]:
        """The plan as canonical JSON: no run id, host, path or wall time in it."""
        body = {"format": FORMAT, **to_json(self)}
        canonical: dict[str, Any] = normal(body)
        return canonical

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote; PlanError when it is none, or its text is not what its hash says."""
        fields = {key: value for key, value in data.items() if key not in ("format", "hash")}
        try:
            plan = from_json(cls, fields)
        except (ValueError, S2SError) as error:
            raise PlanError(f"not a plan of this version of the product: {error}") from None
        body = {key: value for key, value in data.items() if key != "hash"}
        if data.get("hash") != plan.hash or plan.to_json() != body:
            raise PlanError("the plan's text is not what its hash says: it was changed after it was made")
        return plan

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, 64 lower-case hexadecimal digits."""
        return sha256_of(self.to_json())


def sha256_of(data: Any) -> str:
    """SHA-256 over canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def back_out_of(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes that undo these, newest first; a step that several of them want (a restart) comes once, at the last."""
    steps = [step for change in reversed(changes) for step in change.undo]
    last = {step.id: index for index, step in enumerate(steps)}
    return tuple(step for index, step in enumerate(steps) if last[step.id] == index)


def ids(changes: Iterable[Change]) -> list[str]:
    """The ids of changes, in order."""
    return [change.id for change in changes]
