"""What was read: facts that are known, absent, unknown or, in a projected state, generated later; and what type they have."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal

T = TypeVar("T")
Json: TypeAlias = Any  # str | int | bool | None | list[Json] | dict[str, Json]; no floats, so that it can be hashed


class Row(BaseModel):
    """An object that a server described: each property named once, a field for each, its alias the product's spelling."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, populate_by_name=True)

    @classmethod
    def properties(cls) -> tuple[str, ...]:
        """The properties that are wanted of the product's object."""
        return tuple(dict.fromkeys(str(field.alias) for field in cls.model_fields.values()))

    @classmethod
    def seen(cls, value: Mapping[str, Json]) -> Self:
        """The row that a fact holds. In a projected state it may lack fields: AttributeError for those."""
        return cls.model_construct(**value)


class Key(str, Generic[T]):
    """The path of a fact, and the type of its value: `facts.value(key)` gives that."""

    _typed: Callable[[Json], T]

    @classmethod
    def one(cls, path: str, row: type[R]) -> Key[R]:
        """A fact that holds one object."""
        return _key(path, row.seen)

    @classmethod
    def many(cls, path: str, row: type[R]) -> Key[list[R]]:
        """A fact that holds objects."""
        return _key(path, lambda value: [row.seen(item) for item in value])

    @classmethod
    def plain(cls, path: str, kind: type[P]) -> Key[P]:
        """A fact that holds JSON of a plain type: text, a number, a list, a mapping."""
        return _key(path, lambda value: value)


def _key(path: str, typed: Callable[[Json], T]) -> Key[T]:
    key: Key[T] = Key(path)
    key._typed = typed
    return key


class PerServer(Generic[T]):
    """A fact that there is one of for each server: `on(fqdn)` is its key, `server/<fqdn>/<name>`."""

    def __init__(self, key: Key[T]) -> None:
        self.name = str(key)
        self._typed = key._typed

    def on(self, server: str) -> Key[T]:
        """The key of one server's."""
        return _key(on(server, self.name), self._typed)

    def __str__(self) -> str:
        return self.name


def on(server: str, name: str | PerServer[Any]) -> str:
    """The key of a fact about one server: `server/<fqdn>/<name>`."""
    return f"server/{server}/{name}"


R = TypeVar("R", bound=Row)
P = TypeVar("P")


@dataclass(frozen=True)
class Known:
    """A value that a server gave."""

    value: Json


@dataclass(frozen=True)
class Absent:
    """The server answered, and there is no such thing."""


@dataclass(frozen=True)
class Unknown:
    """No answer, or none that can be trusted. Blocks every write that rests on it."""

    reason: str


@dataclass(frozen=True)
class Generated:
    """Only in a projected state: a value that exists after apply. `selector` says how it is found again."""

    selector: str


Fact: TypeAlias = Known | Absent | Unknown | Generated

NEVER_READ = Unknown("never read")


class Facts(Mapping[str, Fact]):
    """An immutable snapshot: key -> fact. A key that was never read is Unknown, not absent.

    Keys are paths: `lync/oauth_certificate`, `server/atl-fe-001.litwareinc.com/clock`, ...
    """

    def __init__(self, facts: Mapping[str, Fact] | None = None) -> None:
        self._facts = MappingProxyType(dict(facts or {}))

    def __getitem__(self, key: str) -> Fact:
        return self._facts.get(key, NEVER_READ)

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, key: object) -> bool:
        return key in self._facts

    @overload
    def value(self, key: Key[T]) -> T | None: ...

    @overload
    def value(self, key: Key[T], default: T) -> T: ...

    @overload
    def value(self, key: str, default: Json = None) -> Json: ...

    def value(self, key: str, default: Any = None) -> Any:
        """The known value of `key`, in the type that the key names, else `default` (absent, unknown and generated alike)."""
        fact = self[key]
        if not isinstance(fact, Known):
            return default
        return key._typed(fact.value) if isinstance(key, Key) else fact.value

    def known(self, *keys: str) -> bool:
        """Whether every key was answered: known or absent."""
        return all(isinstance(self[key], Known | Absent | Generated) for key in keys)

    def unknowns(self, keys: Iterable[str]) -> dict[str, str]:
        """The reasons of those keys that are unknown."""
        return {key: fact.reason for key in keys if isinstance(fact := self[key], Unknown)}

    def updated(self, facts: Mapping[str, Fact]) -> Facts:
        """A new snapshot in which `facts` replace what was there."""
        return Facts({**self._facts, **facts})

    def to_json(self) -> dict[str, Json]:
        """One JSON object, keys sorted."""
        return {key: fact_to_json(self._facts[key]) for key in sorted(self._facts)}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Facts:
        """The snapshot that `to_json` wrote."""
        return cls({key: fact_from_json(value) for key, value in data.items()})


def fact_to_json(fact: Fact) -> Json:
    """A fact as tagged JSON."""
    match fact:
        case Known(value):
            return {"known": normal(value)}
        case Absent():
            return {"absent": True}
        case Unknown(reason):
            return {"unknown": reason}
        case Generated(selector):
            return {"generated": selector}


def fact_from_json(data: Json) -> Fact:
    """The fact that `fact_to_json` wrote; ValueError for anything else."""
    match data:
        case {"known": value}:
            return Known(value)
        case {"absent": True}:
            return Absent()
        case {"unknown": str(reason)}:
            return Unknown(reason)
        case {"generated": str(selector)}:
            return Generated(selector)
    raise ValueError(f"not a recorded fact: {data!r}")


def normal(value: Json) -> Json:
    """A value as plans hash it: text in NFC, keys as text, tuples as lists; TypeError for a float or a foreign type."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {str(key): normal(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [normal(item) for item in items]
    raise TypeError(f"{type(value).__name__} cannot stand in a fact: {value!r}")
