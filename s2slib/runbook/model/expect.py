"""Conditions on facts, as canonical JSON: what a change rests on, what holds after it, when it has settled.

| form | holds when the fact is |
| --- | --- |
| any JSON value | known and equal (a mapping: every key it names matches; more keys do not matter; text ignores case) |
| {"$absent": true} | absent |
| {"$any": true} | known and not empty |
| {"$contains": [..]} | a known list that holds every one of these (text ignores case) |
| {"$lacks": [..]} | absent, or a known list that holds none of these |
| {"$one_of": [..]} | known and matches one of these |
| {"$after": instant} | known, and an instant later than that one, or empty |
| {"$later": name} | nothing yet: `bind` puts in what an earlier change brought |

An Unknown fact and a value that is known later hold and never fail: the answer is None.
"""

from __future__ import annotations

from collections.abc import Mapping

from s2slib.facts import Absent, Fact, Facts, Generated, Json, Known, Unknown
from s2slib.products.read import parse_instant

ABSENT: Json = {"$absent": True}
ANY: Json = {"$any": True}


def contains(*items: Json) -> Json:
    """The condition that a list holds every one of `items`."""
    return {"$contains": list(items)}


def lacks(*items: Json) -> Json:
    """The condition that a list holds none of `items`, or that there is no list."""
    return {"$lacks": list(items)}


def one_of(*items: Json) -> Json:
    """The condition that a value matches one of `items`."""
    return {"$one_of": list(items)}


def after_instant(value: Json) -> Json:
    """The condition that an instant is later than `value`, or that there is none."""
    return {"$after": value}


def later(name: str) -> Json:
    """The place of a value that an earlier change brings."""
    return {"$later": name}


def bind(conditions: Mapping[str, Json], known: Mapping[str, Json]) -> dict[str, Json]:
    """The conditions with every `later` that `known` names put in; the others stay."""
    return {key: _bound(value, known) for key, value in conditions.items()}


def _bound(value: Json, known: Mapping[str, Json]) -> Json:
    if isinstance(value, Mapping):
        if set(value) == {"$later"}:
            return known.get(value["$later"], value)
        return {key: _bound(item, known) for key, item in value.items()}
    return [_bound(item, known) for item in value] if isinstance(value, list | tuple) else value


def names_later(value: Json) -> set[str]:
    """The names of the values in a condition that are not known yet."""
    if isinstance(value, Mapping):
        if set(value) == {"$later"}:
            return {value["$later"]}
        return {name for item in value.values() for name in names_later(item)}
    return {name for item in value for name in names_later(item)} if isinstance(value, list | tuple) else set()


def holds(fact: Fact, expected: Json) -> bool | None:
    """Whether `fact` satisfies `expected`; None when the fact is unknown."""
    if names_later(expected) and isinstance(fact, Known | Generated):
        return None
    match fact:
        case Unknown():
            return None
        case Absent():
            if isinstance(expected, Mapping) and "$one_of" in expected:
                return any(holds(fact, item) for item in expected["$one_of"])
            return bool(expected == ABSENT) or (isinstance(expected, Mapping) and "$lacks" in expected)
        case Generated():
            return bool(expected == ANY)
        case Known(value):
            return _matches(value, expected)


def _matches(value: Json, expected: Json) -> bool:
    if isinstance(expected, Mapping):
        if expected == ABSENT:
            return False
        if expected == ANY:
            return value not in (None, "", [], {})
        if "$contains" in expected:
            return isinstance(value, list | tuple) and all(
                any(_matches(item, wanted) for item in value) for wanted in expected["$contains"]
            )
        if "$lacks" in expected:
            return isinstance(value, list | tuple) and not any(
                _matches(item, unwanted) for item in value for unwanted in expected["$lacks"]
            )
        if "$one_of" in expected:
            return any(_matches(value, item) for item in expected["$one_of"])
        if "$after" in expected:
            return value == "" or (isinstance(value, str) and parse_instant(value) > parse_instant(expected["$after"]))
        if not isinstance(value, Mapping):
            return False
        return all(
            (item == ABSENT and value.get(key) in (None, "")) or (key in value and _matches(value[key], item))
            for key, item in expected.items()
        )
    if isinstance(value, str) and isinstance(expected, str):
        return value.casefold() == expected.casefold()
    if isinstance(value, list | tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(_matches(a, b) for a, b in zip(value, expected, strict=True))
    return type(value) is type(expected) and bool(value == expected)


def all_hold(facts: Facts, conditions: Mapping[str, Json]) -> bool | None:
    """Whether every condition holds: False beats None (unknown), None beats True."""
    answers = [holds(facts[key], expected) for key, expected in conditions.items()]
    if False in answers:
        return False
    return None if None in answers else True


def differences(facts: Facts, conditions: Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """(key, seen, expected) of every condition that does not hold, unknown ones included."""
    return [
        (key, show_fact(facts[key]), show(expected))
        for key, expected in conditions.items()
        if holds(facts[key], expected) is not True
    ]


def unanswered(facts: Facts, conditions: Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """(key, seen, expected) of every condition on something that is not known."""
    return [
        (
            key,
            show_fact(facts[key]) if isinstance(facts[key], Unknown) else f"unknown: {show(expected)}",
            show(expected),
        )
        for key, expected in conditions.items()
        if holds(facts[key], expected) is None
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
    """A value or condition in a few words, for people."""
    if isinstance(value, Mapping):
        if value == ABSENT:
            return "absent"
        if value == ANY:
            return "any value"
        if "$contains" in value:
            return "contains " + ", ".join(show(item) for item in value["$contains"])
        if "$lacks" in value:
            return "without " + ", ".join(show(item) for item in value["$lacks"])
        if "$one_of" in value:
            return " or ".join(show(item) for item in value["$one_of"])
        if "$after" in value:
            return f"later than {show(value['$after'])}"
        if "$later" in value:
            return f"(known after apply: {value['$later']})"
        return ", ".join(f"{key}={show(item)}" for key, item in value.items()) or "(nothing)"
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value) or "(none)"
    if value is None or value == "":
        return "(empty)"
    return str(value)
