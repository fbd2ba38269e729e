"""An answer of the constant script as values: every text decoded, redacted at the source, every object by its properties."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from s2slib.remoting.values.quoting import InvalidCommand, parse_instant
from s2slib.remoting.values.reply import Plain, RemoteError

HIDDEN = "(hidden)"
MAX_DEPTH = 40
"""Levels of objects in objects. The constant script goes four deep at most; lists and maps take two levels each."""
_LONGEST_NUMBER = 64
_LARGEST_EXPONENT = 330
_OF_SESSIONS = frozenset({"pscomputername", "runspaceid", "psshowcomputername"})


class BadAnswer(ValueError):
    """A verified frame that does not hold what the constant script writes."""


@dataclass(frozen=True)
class Decoder:
    """Decodes the payloads of one process. `redact` is applied to every text before anybody sees it."""

    redact: Callable[[str], str]

    def text(self, value: object) -> str:
        """A text of the payload."""
        if not isinstance(value, str):
            raise BadAnswer("expected a text")
        try:
            return self.redact(base64.b64decode(value, validate=True).decode("utf-8"))
        except ValueError:
            raise BadAnswer("a text is damaged") from None

    def plain(self, value: object, depth: int = 0) -> Plain:
        """A value that a command put out. Properties that sessions add, and unreadable ones, are left out."""
        if depth > MAX_DEPTH:
            raise BadAnswer(f"objects nested more than {MAX_DEPTH} deep")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return whole(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return tuple(self.plain(item, depth + 1) for item in value)
        if isinstance(value, Mapping) and len(value) == 1:
            return self._tagged(*next(iter(value.items())), depth + 1)
        raise BadAnswer(f"a value of an unknown form ({type(value).__name__})")

    def texts(self, value: object) -> tuple[str, ...]:
        """A list of texts; absent means none."""
        return tuple(self.text(item) for item in _list(value))

    def errors(self, value: object) -> tuple[RemoteError, ...]:
        """A list of error records; absent means none."""
        return tuple(self._error(item) for item in _list(value))

    def _tagged(self, tag: object, value: object, depth: int) -> Plain:
        match tag, value:
            case "date", str():
                try:
                    return parse_instant(self.text(value))
                except InvalidCommand:
                    raise BadAnswer("a date is damaged") from None
            case "bytes", str():
                try:
                    return base64.b64decode(value, validate=True)
                except ValueError:
                    raise BadAnswer("bytes are damaged") from None
            case "number", str():
                return _number(self.text(value))
            case "secret", True:
                return HIDDEN
            case "map", list():
                return {str(self.plain(key, depth)): self.plain(member, depth) for key, member in _pairs(value)}
            case "object", [str(type_name), list(members)]:
                found: dict[str, Plain] = {"$type": self.text(type_name)}
                for key, member in _pairs(members):
                    name = self.text(key)
                    readable = not (isinstance(member, Mapping) and "unread" in member)
                    if readable and name.lower() not in _OF_SESSIONS:
                        found[name] = self.plain(member, depth)
                return found
        raise BadAnswer("a value of an unknown form")

    def _error(self, item: object) -> RemoteError:
        if not isinstance(item, Mapping):
            raise BadAnswer("expected an error record")
        return RemoteError(
            message=self.text(item.get("message")),
            id=self.text(item.get("id")),
            category=self.text(item.get("category")),
            reason=self.text(item.get("reason")),
            exception=self.text(item.get("exception")),
            thrown=item.get("thrown") is True,
        )


def whole(value: object) -> int:
    """A whole number of at most 96 bits, as .NET's largest have."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**96:
        raise BadAnswer("expected a whole number of at most 96 bits")
    return value


def _number(text: str) -> Decimal:
    """A number as .NET has them: up to 1.8E+308. What is longer would take its time to be written out as digits."""
    try:
        number = Decimal(text) if len(text) <= _LONGEST_NUMBER else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise BadAnswer("a number is damaged")
    return number


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadAnswer("expected a list")
    return value


def _pairs(value: list[Any]) -> list[tuple[Any, Any]]:
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise BadAnswer("expected pairs")
    return [(pair[0], pair[1]) for pair in value]
