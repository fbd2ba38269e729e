"""Typed values to JSON and back: what plans, journals and records hold, said once by the types themselves."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")
STRICT = ConfigDict(extra="forbid")
"""For every type that is recorded: a record with unknown fields is another version's, and is not misread."""

RECORDED = "recorded"
"""The context in which a value is validated that was read from a record."""


def to_json(value: object) -> dict[str, Any]:
    """A typed value as one JSON object."""
    return cast(dict[str, Any], _adapter(cast(Any, type(value))).dump_python(value, mode="json"))


def from_json(kind: type[T], data: object) -> T:
    """The value that `to_json` wrote; ValueError names the first thing that does not fit."""
    try:
        return cast(T, _adapter(cast(Any, kind)).validate_python(data, context=RECORDED))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else str(first["msg"])) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
