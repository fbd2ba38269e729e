"""One intended write as a value: what it rests on, what it does, what holds after it, how it is undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, InstanceOf, PlainSerializer
from pydantic.dataclasses import dataclass

from s2slib.facts import Absent, Fact, Facts, Generated, Json, Known, Unknown, fact_from_json, fact_to_json, normal
from s2slib.remoting.values.command import Command, bind
from s2slib.runbook.model import expect
from s2slib.runbook.model.expect import Conditions, all_hold, differences, unanswered
from s2slib.typed import STRICT

Effect = Annotated[
    InstanceOf[Known] | InstanceOf[Absent] | InstanceOf[Unknown] | InstanceOf[Generated],
    BeforeValidator(lambda given: fact_from_json(given) if isinstance(given, Mapping) else given),
    PlainSerializer(fact_to_json),
]
Place = tuple[str, str]
"""Where a value is found: a fact's key and the field in it, empty for the whole."""


class Verdict(StrEnum):
    """What the one rule says of a change, given the facts of this moment."""

    DONE = "done"  # `after` holds
    DO = "do"  # `rests_on` holds
    MOVED = "moved"  # neither: somebody changed something; refuse and show the difference
    BLOCKED = "blocked"  # an unknown among them


@dataclass(frozen=True, config=STRICT)
class Step:
    """A command and the server that runs it (FQDN)."""

    server: str
    command: Command

    def render(self) -> str:
        """The line as a person would type it on that server."""
        return self.command.render()

    def bind(self, known: Mapping[str, Json]) -> Step:
        """The step with every `Later` put in that `known` names."""
        return replace(self, command=bind(self.command, known))


@dataclass(frozen=True, config=STRICT)
class Settle:
    """A condition with a deadline, in seconds of server time: replication, health."""

    conditions: Conditions
    within_s: int
    poll_s: int = 10
    what: str = ""


@dataclass(frozen=True, config=STRICT)
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
    rests_on: Conditions
    after: Conditions
    effects: Mapping[str, Effect] = field(default_factory=dict)
    undo: tuple[Change, ...] = ()
    irreversible: str = ""
    settled_when: Settle | None = None
    users_notice: str = ""
    recovery: tuple[Step, ...] = ()
    hold_before: bool = False
    proven_by: str = "verification"
    binds: Mapping[str, Place] = field(default_factory=dict)
    binds_before: Mapping[str, Place] = field(default_factory=dict)
    only_if: Mapping[str, Json] = field(default_factory=dict)
    half_way: Conditions = field(default_factory=dict)
    lines: tuple[str, ...] = ()  # the steps, rendered: what people approve

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(step.render() for step in self.steps))

    def bind(self, known: Mapping[str, Json]) -> Change:
        """The change with every value put in that `known` names; its undo keeps its own places."""
        settle = self.settled_when
        return replace(
            self,
            steps=tuple(step.bind(known) for step in self.steps),
            recovery=tuple(step.bind(known) for step in self.recovery),
            rests_on=_bound(self.rests_on, known),
            after=_bound(self.after, known),
            settled_when=None if settle is None else replace(settle, conditions=_bound(settle.conditions, known)),
        )

    def project(self, facts: Facts) -> Facts:
        """The facts as this change will leave them, settled. Pure."""
        updates: dict[str, Fact] = {}
        conditions = dict(self.after)
        if self.settled_when:
            conditions.update(self.settled_when.conditions)
        for key, expected in conditions.items():
            updates[key] = expected.project(facts[key], f"{self.id}: {key}")
        updates.update(self.effects)
        return facts.updated(updates)


def _bound(conditions: Conditions, known: Mapping[str, Json]) -> Conditions:
    return {key: wanted.bind(known) for key, wanted in conditions.items()}


def bound_values(places: Mapping[str, Place], facts: Facts) -> dict[str, Json]:
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


@dataclass(frozen=True, config=STRICT)
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
