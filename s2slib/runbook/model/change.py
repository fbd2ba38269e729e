"""One intended write as a value: what it rests on, what it does, what holds after it, how it is undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from s2slib.facts import Absent, Fact, Facts, Generated, Json, Known, fact_from_json, fact_to_json, normal
from s2slib.remoting.values.command import Command, bind, command_from_json, command_to_json
from s2slib.runbook.model import expect
from s2slib.runbook.model.expect import ABSENT, ANY, all_hold, differences, names_later, unanswered


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

    def bind(self, known: Mapping[str, Json]) -> Step:
        """The step with every `Later` put in that `known` names."""
        return replace(self, command=bind(self.command, known))

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

    def to_json(self) -> dict[str, Any]:
        """The condition as one JSON object."""
        return {
            "conditions": normal(self.conditions),
            "within_s": self.within_s,
            "poll_s": self.poll_s,
            "what": self.what,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settle:
        """The condition that `to_json` wrote."""
        return cls(data["conditions"], data["within_s"], data["poll_s"], data["what"])


@dataclass(frozen=True)
class Change:
    """One intended write.

    `rests_on` and `after` are conditions (see `expect`) on fact keys. `effects` are the facts as they will be: the
    projection; a value that only apply brings is `Generated`. `recovery` runs once when the read-back after the steps
    fails (starting IIS again). `undo` are the changes that take this one back, in the order they run; they obey the
    same one rule. `irreversible` says what they cannot restore.

    `binds` are values that the read-back brings (`binds_before`: the read before the write), by name: the fact's key
    and the field in it. Later commands and conditions name them (`Later`, `expect.later`). `only_if` are values that
    such names must have, or the change is not needed. `half_way` are states that it leaves when it stops in the middle,
    from which it may be made again by the run that began it.
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
    undo: tuple[Change, ...] = ()
    irreversible: str = ""
    settled_when: Settle | None = None
    users_notice: str = ""
    recovery: tuple[Step, ...] = ()
    hold_before: bool = False
    proven_by: str = "verification"
    binds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    binds_before: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    only_if: Mapping[str, Json] = field(default_factory=dict)
    half_way: Mapping[str, Json] = field(default_factory=dict)

    def bind(self, known: Mapping[str, Json]) -> Change:
        """The change with every value put in that `known` names; its undo keeps its own places."""
        settle = self.settled_when
        return replace(
            self,
            steps=tuple(step.bind(known) for step in self.steps),
            recovery=tuple(step.bind(known) for step in self.recovery),
            rests_on=expect.bind(self.rests_on, known),
            after=expect.bind(self.after, known),
            settled_when=None if settle is None else replace(settle, conditions=expect.bind(settle.conditions, known)),
        )

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
            "undo": [change.to_json() for change in self.undo],
            "irreversible": self.irreversible,
            "settled_when": None if settled is None else settled.to_json(),
            "users_notice": self.users_notice,
            "recovery": [step.to_json() for step in self.recovery],
            "hold_before": self.hold_before,
            "proven_by": self.proven_by,
            "binds": {name: list(place) for name, place in sorted(self.binds.items())},
            "binds_before": {name: list(place) for name, place in sorted(self.binds_before.items())},
            "only_if": normal(self.only_if),
            "half_way": normal(self.half_way),
            "effects": {key: fact_to_json(fact) for key, fact in sorted(self.effects.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Change:
        """The change that `to_json` wrote; KeyError, TypeError or ValueError when it is none."""
        settled = data["settled_when"]
        return cls(
            id=data["id"],
            phase=data["phase"],
            title=data["title"],
            target=data["target"],
            reason=data["reason"],
            steps=tuple(Step.from_json(item) for item in data["steps"]),
            rests_on=data["rests_on"],
            after=data["after"],
            undo=tuple(cls.from_json(item) for item in data["undo"]),
            irreversible=data["irreversible"],
            settled_when=None if settled is None else Settle.from_json(settled),
            users_notice=data["users_notice"],
            recovery=tuple(Step.from_json(item) for item in data["recovery"]),
            hold_before=data["hold_before"],
            proven_by=data["proven_by"],
            binds={name: (place[0], place[1]) for name, place in data["binds"].items()},
            binds_before={name: (place[0], place[1]) for name, place in data["binds_before"].items()},
            only_if=data["only_if"],
            half_way=data["half_way"],
            effects={key: fact_from_json(fact) for key, fact in data["effects"].items()},
        )


def bound_values(places: Mapping[str, tuple[str, str]], facts: Facts) -> dict[str, Json]:
    """The values that `places` (name -> key and field) have in facts; what is not known there is left out.

    A whole fact (no field) that is absent is known too: its value is None.
    """
    found: dict[str, Json] = {}
    for name, (key, field_name) in places.items():
        fact = facts[key]
        if isinstance(fact, Known) and not field_name:
            found[name] = normal(fact.value)
        elif isinstance(fact, Known) and isinstance(fact.value, Mapping) and fact.value.get(field_name) is not None:
            found[name] = normal(fact.value[field_name])
        elif isinstance(fact, Absent) and not field_name:
            found[name] = None
    return found


def _projected(before: Fact, expected: Json, selector: str) -> Fact:
    if names_later(expected) or (isinstance(expected, Mapping) and "$after" in expected):
        return Generated(selector)
    if isinstance(expected, Mapping):
        if expected == ABSENT:
            return Absent()
        if expected == ANY:
            return before if isinstance(before, Known) and before.value else Generated(selector)
        if "$contains" in expected:
            held = list(before.value) if isinstance(before, Known) and isinstance(before.value, list | tuple) else []
            missing = [item for item in expected["$contains"] if _fold(item) not in {_fold(h) for h in held}]
            return Known(held + missing)
        if "$lacks" in expected:
            unwanted = {_fold(item) for item in expected["$lacks"]}
            held = list(before.value) if isinstance(before, Known) and isinstance(before.value, list | tuple) else []
            return Known([item for item in held if _fold(item) not in unwanted])
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


def rule(change: Change, facts: Facts, *, begun: bool = False) -> Ruling:
    """The one rule of every apply, second run, resume and back-out.

    `begun`: this run began the change before, so what it may have left half-way (`half_way`) does not count as moved.

    | after holds | rests_on holds | unknown among them | verdict |
    | --- | --- | --- | --- |
    | yes | any | - | done |
    | no or unknown | no | - | moved |
    | no or unknown | yes or unknown | yes | blocked |
    | no | yes | no | do |

    A condition that fails does not outweigh an unknown one here: what was not read may be what somebody set.
    """
    if all_hold(facts, change.after) is True:
        return Ruling(Verdict.DONE)
    rests_on = {**change.rests_on}
    for key, condition in change.half_way.items() if begun else ():
        rests_on[key] = expect.one_of(rests_on[key], condition) if key in rests_on else condition
    if all_hold(facts, rests_on) is False:
        return Ruling(Verdict.MOVED, tuple(differences(facts, rests_on)))
    unknown = [*unanswered(facts, change.after), *unanswered(facts, rests_on)]
    return Ruling(Verdict.BLOCKED, tuple(dict.fromkeys(unknown))) if unknown else Ruling(Verdict.DO)
