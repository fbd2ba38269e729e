"""One intended write as a value: what it rests on, what it does, what holds after it, how it is undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from s2slib.facts import Absent, Fact, Facts, Generated, Json, Known, normal
from s2slib.remoting.command import Command, command_from_json, command_to_json
from s2slib.runbook.expect import ABSENT, ANY, all_hold, differences


class Verdict(StrEnum):
    """What the one rule says of a change, given the facts of this moment."""

    DONE = "done"  # `after` holds
    DO = "do"  # `rests_on` holds
    MOVED = "moved"  # neither: somebody changed something; refuse and show the difference
    BLOCKED = "blocked"  # an unknown among them


@dataclass(frozen=True)
class Step:
    """A command and the server that runs it (FQDN)."""

    server: str
    command: Command

    def render(self) -> str:
        """The line as a person would type it on that server."""
        return self.command.render()

    def to_json(self) -> dict[str, Any]:
        """The step as one JSON object."""
        return {"server": self.server, "command": command_to_json(self.command)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        """The step that `to_json` wrote."""
        return cls(data["server"], command_from_json(data["command"]))


@dataclass(frozen=True)
class Settle:
    """A condition with a deadline, in seconds of server time: replication, health."""

    conditions: Mapping[str, Json]
    within_s: int
    poll_s: int = 10
    what: str = ""


@dataclass(frozen=True)
class Inverse:
    """One step of the back-out: run only for what this run made, when `only_if` (a fact of before) says so."""

    step: Step
    reason: str


@dataclass(frozen=True)
class Change:
    """One intended write.

    `rests_on` and `after` are conditions (see `expect`) on fact keys. `effects` are the facts as they will be: the
    projection; a value that only apply brings is `Generated`. `recovery` runs once when the read-back after the steps
    fails (starting IIS again). `irreversible` says what the back-out cannot restore.
    """

    id: str
    phase: str
    title: str
    target: str
    reason: str
    steps: tuple[Step, ...]
    rests_on: Mapping[str, Json]
    after: Mapping[str, Json]
    effects: Mapping[str, Fact] = field(default_factory=dict)
    inverse: tuple[Inverse, ...] = ()
    irreversible: str = ""
    settled_when: Settle | None = None
    users_notice: str = ""
    recovery: tuple[Step, ...] = ()
    hold_before: bool = False
    proven_by: str = "verification"

    def project(self, facts: Facts) -> Facts:
        """The facts as this change will leave them, settled. Pure."""
        updates: dict[str, Fact] = {}
        conditions = dict(self.after)
        if self.settled_when:
            conditions.update(self.settled_when.conditions)
        for key, expected in conditions.items():
            updates[key] = _projected(facts[key], expected, f"{self.id}: {key}")
        updates.update(self.effects)
        return facts.updated(updates)

    def to_json(self) -> dict[str, Any]:
        """The change as canonical JSON, the form that is hashed and approved."""
        settled = self.settled_when
        return {
            "id": self.id,
            "phase": self.phase,
            "title": self.title,
            "target": self.target,
            "reason": self.reason,
            "steps": [step.to_json() for step in self.steps],
            "lines": [step.render() for step in self.steps],
            "rests_on": normal(self.rests_on),
            "after": normal(self.after),
            "inverse": [
                {**inv.step.to_json(), "reason": inv.reason, "line": inv.step.render()} for inv in self.inverse
            ],
            "irreversible": self.irreversible,
            "settled_when": None
            if settled is None
            else {"conditions": normal(settled.conditions), "within_s": settled.within_s, "what": settled.what},
            "users_notice": self.users_notice,
            "recovery": [step.to_json() for step in self.recovery],
            "hold_before": self.hold_before,
            "proven_by": self.proven_by,
        }


def _projected(before: Fact, expected: Json, selector: str) -> Fact:
    if isinstance(expected, Mapping):
        if expected == ABSENT:
            return Absent()
        if expected == ANY:
            return before if isinstance(before, Known) and before.value else Generated(selector)
        if "$contains" in expected:
            held = list(before.value) if isinstance(before, Known) and isinstance(before.value, list | tuple) else []
            missing = [item for item in expected["$contains"] if _fold(item) not in {_fold(h) for h in held}]
            return Known(held + missing)
        if "$one_of" in expected:
            return Known(expected["$one_of"][0])
        old = before.value if isinstance(before, Known) and isinstance(before.value, Mapping) else {}
        merged = dict(old)
        for key, item in expected.items():
            fact = _projected(Known(old[key]) if key in old else Absent(), item, f"{selector}.{key}")
            merged[key] = (
                fact.value
                if isinstance(fact, Known)
                else f"(generated: {fact.selector})"
                if isinstance(fact, Generated)
                else None
            )
        return Known(merged)
    return Known(expected)


def _fold(value: Json) -> Json:
    return value.casefold() if isinstance(value, str) else str(value)


@dataclass(frozen=True)
class Ruling:
    """The one rule applied: the verdict and, unless it is do or done, every condition that stands against it."""

    verdict: Verdict
    against: tuple[tuple[str, str, str], ...] = ()  # (key, seen, expected)


def rule(change: Change, facts: Facts) -> Ruling:
    """The one rule of every apply, second run, resume and back-out.

    | after holds | rests_on holds | unknown among them | verdict |
    | --- | --- | --- | --- |
    | yes | any | - | done |
    | no or unknown | no | - | moved |
    | unknown | yes or unknown | yes | blocked |
    | no | unknown | yes | blocked |
    | no | yes | no | do |
    """
    after = all_hold(facts, change.after)
    if after is True:
        return Ruling(Verdict.DONE)
    rests = all_hold(facts, change.rests_on)
    if rests is False:
        return Ruling(Verdict.MOVED, tuple(differences(facts, change.rests_on)))
    if after is None or rests is None:
        unknown = [*differences(facts, change.after), *differences(facts, change.rests_on)]
        return Ruling(Verdict.BLOCKED, tuple(row for row in unknown if row[1].startswith("unknown")))
    return Ruling(Verdict.DO)
