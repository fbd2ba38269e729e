"""Conditions on facts: what a change rests on, what holds after it, when it has settled. Their JSON stands in plans.

| JSON | class | holds when the fact is |
| --- | --- | --- |
| any other value | Is | known and equal (text ignores case) |
| a mapping | Fields | known, and each field that it names matches; more fields do not matter |
| {"$absent": true} | Missing | absent |
| {"$any": true} | Something | known and not empty |
| {"$contains": [..]} | Contains | a known list that holds every one of these |
| {"$lacks": [..]} | Lacks | absent, or a known list that holds none of these |
| {"$one_of": [..]} | OneOf | known and matches one of these, or absent where that is one of them |
| {"$after": instant} | After | known, and an instant later than that one, or empty |
| {"$later": name} | Later | nothing yet: `bind` puts in what an earlier change brought |

An Unknown fact and a value that is known later hold and never fail: the answer is None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from s2slib.facts import Absent, Fact, Facts, Generated, Json, Known, Unknown, normal
from s2slib.products.read import parse_instant


class Condition(ABC):
    """A condition on one value. `json` is its canonical form, from which `condition` makes it again."""

    when_absent: ClassVar[bool] = False  # whether it holds for what is absent

    @property
    @abstractmethod
    def json(self) -> Json:
        """The condition as JSON."""

    @abstractmethod
    def matches(self, value: Json) -> bool:
        """Whether a known value satisfies it."""

    @abstractmethod
    def project(self, before: Fact, selector: str) -> Fact:
        """The fact of which it holds, made of the one before; `selector` says what it is the value of."""

    @abstractmethod
    def show(self) -> str:
        """The condition in a few words."""

    def inner(self) -> tuple[Condition, ...]:
        """The conditions that it is made of."""
        return ()

    def bind(self, known: Mapping[str, Json]) -> Condition:
        """The condition with every Later put in that `known` names."""
        return self

    def waits_for(self) -> set[str]:
        """The names of the values in it that are not known yet."""
        return {name for part in self.inner() for name in part.waits_for()}

    def holds(self, fact: Fact) -> bool | None:
        """Whether a fact satisfies it; None when that is not known."""
        if self.waits_for() and isinstance(fact, Known | Generated):
            return None
        match fact:
            case Known(value):
                return self.matches(value)
            case Absent():
                return self.when_absent
            case Generated():
                return isinstance(self, Something)
        return None


@dataclass(frozen=True)
class Is(Condition):
    """Equal to a value, which is kept as plans hash it."""

    value: Json

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", normal(self.value))

    @property
    def json(self) -> Json:
        """The value itself."""
        return self.value

    def matches(self, value: Json) -> bool:
        """Equal, text in any case, lists item by item."""
        return _equal(value, self.value)

    def project(self, before: Fact, selector: str) -> Fact:
        """Known."""
        return Known(self.value)

    def show(self) -> str:
        """The value."""
        return show(self.value)


@dataclass(frozen=True)
class Fields(Condition):
    """Fields of an object, each with its condition."""

    of: Mapping[str, Condition]

    @property
    def json(self) -> Json:
        """A mapping."""
        return {name: part.json for name, part in sorted(self.of.items())}

    def inner(self) -> tuple[Condition, ...]:
        """One for each field."""
        return tuple(self.of.values())

    def bind(self, known: Mapping[str, Json]) -> Condition:
        """Every field bound."""
        return Fields({name: part.bind(known) for name, part in self.of.items()})

    def matches(self, value: Json) -> bool:
        """Every field that is named; an empty field counts as missing."""
        return isinstance(value, Mapping) and all(
            (isinstance(part, Missing) and value.get(name) in (None, ""))
            or (name in value and part.matches(value[name]))
            for name, part in self.of.items()
        )

    def project(self, before: Fact, selector: str) -> Fact:
        """The object before, these fields projected."""
        old = before.value if isinstance(before, Known) and isinstance(before.value, Mapping) else {}
        merged = dict(old)
        for name, part in self.of.items():
            match part.project(Known(old[name]) if name in old else Absent(), f"{selector}.{name}"):
                case Known(value):
                    merged[name] = value
                case Generated(place):
                    merged[name] = f"(generated: {place})"
                case _:
                    merged[name] = None
        return Known(merged)

    def show(self) -> str:
        """Each field and its condition."""
        return ", ".join(f"{name}={part.show()}" for name, part in self.of.items()) or "(nothing)"


@dataclass(frozen=True)
class Missing(Condition):
    """Not there."""

    when_absent = True
    json: ClassVar[Json] = {"$absent": True}

    def matches(self, value: Json) -> bool:
        """Nothing that is known."""
        return False

    def project(self, before: Fact, selector: str) -> Fact:
        """Absent."""
        return Absent()

    def show(self) -> str:
        """One word."""
        return "absent"


@dataclass(frozen=True)
class Something(Condition):
    """There, and not empty."""

    json: ClassVar[Json] = {"$any": True}

    def matches(self, value: Json) -> bool:
        """Anything but an empty value."""
        return value not in (None, "", [], {})

    def project(self, before: Fact, selector: str) -> Fact:
        """As it was if it was something, else known after apply."""
        return before if isinstance(before, Known) and before.value else Generated(selector)

    def show(self) -> str:
        """Two words."""
        return "any value"


@dataclass(frozen=True)
class _OfMany(Condition):
    items: tuple[Condition, ...]
    tag: ClassVar[str]

    @property
    def json(self) -> Json:
        """The tag and the items."""
        return {self.tag: [item.json for item in self.items]}

    def inner(self) -> tuple[Condition, ...]:
        """The items."""
        return self.items

    def bind(self, known: Mapping[str, Json]) -> Condition:
        """Every item bound."""
        return type(self)(tuple(item.bind(known) for item in self.items))

    def has(self, item: Condition, values: Json) -> bool:
        """Whether a list has a value that matches an item."""
        return any(item.matches(value) for value in values)


class Contains(_OfMany):
    """A list with every one of these."""

    tag = "$contains"

    def matches(self, value: Json) -> bool:
        """A list that has each."""
        return isinstance(value, list | tuple) and all(self.has(item, value) for item in self.items)

    def project(self, before: Fact, selector: str) -> Fact:
        """The list before, and what it lacked."""
        held = _held(before)
        return Known([*held, *(item.json for item in self.items if not self.has(item, held))])

    def show(self) -> str:
        """The items."""
        return "contains " + ", ".join(item.show() for item in self.items)


class Lacks(_OfMany):
    """No list, or one with none of these."""

    when_absent = True
    tag = "$lacks"

    def matches(self, value: Json) -> bool:
        """A list that has none."""
        return isinstance(value, list | tuple) and not any(self.has(item, value) for item in self.items)

    def project(self, before: Fact, selector: str) -> Fact:
        """The list before without them."""
        return Known([value for value in _held(before) if not any(item.matches(value) for item in self.items)])

    def show(self) -> str:
        """The items."""
        return "without " + ", ".join(item.show() for item in self.items)


class OneOf(_OfMany):
    """One of these."""

    tag = "$one_of"

    @property
    def when_absent(self) -> bool:  # type: ignore[override]
        """Where one of them allows it."""
        return any(item.when_absent for item in self.items)

    def matches(self, value: Json) -> bool:
        """A value that matches one."""
        return any(item.matches(value) for item in self.items)

    def project(self, before: Fact, selector: str) -> Fact:
        """The first."""
        return self.items[0].project(before, selector)

    def show(self) -> str:
        """Each."""
        return " or ".join(item.show() for item in self.items)


@dataclass(frozen=True)
class After(Condition):
    """An instant later than another, or none."""

    instant: Condition

    @property
    def json(self) -> Json:
        """The tag and the instant."""
        return {"$after": self.instant.json}

    def inner(self) -> tuple[Condition, ...]:
        """The instant."""
        return (self.instant,)

    def bind(self, known: Mapping[str, Json]) -> Condition:
        """The instant bound."""
        return After(self.instant.bind(known))

    def matches(self, value: Json) -> bool:
        """Later, or empty."""
        return value == "" or (isinstance(value, str) and parse_instant(value) > parse_instant(self.instant.json))

    def project(self, before: Fact, selector: str) -> Fact:
        """Known after apply."""
        return Generated(selector)

    def show(self) -> str:
        """In words."""
        return f"later than {self.instant.show()}"


@dataclass(frozen=True)
class Later(Condition):
    """The place of a value that an earlier change brings."""

    name: str

    @property
    def json(self) -> Json:
        """The tag and the name."""
        return {"$later": self.name}

    def bind(self, known: Mapping[str, Json]) -> Condition:
        """The value, where it is known."""
        return condition(known[self.name]) if self.name in known else self

    def waits_for(self) -> set[str]:
        """Its own name."""
        return {self.name}

    def matches(self, value: Json) -> bool:
        """Nothing, while it is not bound."""
        return False

    def project(self, before: Fact, selector: str) -> Fact:
        """Known after apply."""
        return Generated(selector)

    def show(self) -> str:
        """In words."""
        return f"(known after apply: {self.name})"


ABSENT, ANY = Missing(), Something()
_TAGGED: dict[str, Callable[[Json], Condition]] = {
    "$absent": lambda _: ABSENT,
    "$any": lambda _: ANY,
    "$contains": lambda items: contains(*items),
    "$lacks": lambda items: lacks(*items),
    "$one_of": lambda items: one_of(*items),
    "$after": lambda item: After(condition(item)),
    "$later": Later,
}


def condition(given: Json | Condition) -> Condition:
    """A condition from its JSON, or from a value that is to be met; ValueError for a tag that there is not."""
    if isinstance(given, Condition):
        return given
    if not isinstance(given, Mapping):
        return Is(given)
    tags = [name for name in given if str(name).startswith("$")]
    if not tags:
        return Fields({str(name): condition(part) for name, part in given.items()})
    if len(given) != 1 or tags[0] not in _TAGGED:
        raise ValueError(f"not a condition: {sorted(given)}")
    return _TAGGED[tags[0]](given[tags[0]])


Conditions = Mapping[
    str, Annotated[InstanceOf[Condition], BeforeValidator(condition), PlainSerializer(lambda given: given.json)]
]
"""Conditions by the keys of the facts that they are on."""


def wanted(given: Mapping[str, Any]) -> dict[str, Condition]:
    """Conditions by key, of conditions or of values that are to be met."""
    return {key: condition(part) for key, part in given.items()}


def contains(*items: Json) -> Contains:
    """The condition that a list holds every one of `items`."""
    return Contains(tuple(condition(item) for item in items))


def lacks(*items: Json) -> Lacks:
    """The condition that a list holds none of `items`, or that there is no list."""
    return Lacks(tuple(condition(item) for item in items))


def one_of(*items: Json) -> OneOf:
    """The condition that a value matches one of `items`."""
    return OneOf(tuple(condition(item) for item in items))


def all_hold(facts: Facts, conditions: Conditions) -> bool | None:
    """Whether every condition holds: False beats None (unknown), None beats True."""
    answers = [part.holds(facts[key]) for key, part in conditions.items()]
    if False in answers:
        return False
    return None if None in answers else True


def differences(facts: Facts, conditions: Conditions) -> list[tuple[str, str, str]]:
    """(key, seen, expected) of every condition that does not hold, unknown ones included."""
    return [
        (key, show_fact(facts[key]), part.show())
        for key, part in conditions.items()
        if part.holds(facts[key]) is not True
    ]


def unanswered(facts: Facts, conditions: Conditions) -> list[tuple[str, str, str]]:
    """(key, seen, expected) of every condition on something that is not known."""
    return [
        (key, show_fact(fact) if isinstance(fact, Unknown) else f"unknown: {part.show()}", part.show())
        for key, part in conditions.items()
        if part.holds(fact := facts[key]) is None
    ]


def show_fact(fact: Fact) -> str:
    """A fact in a few words."""
    match fact:
        case Known(value):
            return show(value)
        case Absent():
            return "absent"
        case Unknown(reason):
            return f"unknown: {reason}"
        case Generated(selector):
            return f"(known after apply: {selector})"


def show(value: Json) -> str:
    """A value in a few words, for people."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={show(item)}" for key, item in value.items()) or "(nothing)"
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value) or "(none)"
    return "(empty)" if value is None or value == "" else str(value)


def _held(fact: Fact) -> list[Json]:
    return list(fact.value) if isinstance(fact, Known) and isinstance(fact.value, list | tuple) else []


def _equal(a: Json, b: Json) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a.casefold() == b.casefold()
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return all(key in a and _equal(a[key], b[key]) for key in b)
    return type(a) is type(b) and bool(a == b)
