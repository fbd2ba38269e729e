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

    def plain(self, value: object) -> Plain:
        """A value that a command put out. Properties that sessions add, and unreadable ones, are left out."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return tuple(self.plain(item) for item in value)
        if isinstance(value, Mapping) and len(value) == 1:
            return self._tagged(*next(iter(value.items())))
        raise BadAnswer(f"a value of an unknown form ({type(value).__name__})")

    def texts(self, value: object) -> tuple[str, ...]:
        """A list of texts; absent means none."""
        return tuple(self.text(item) for item in _list(value))

    def errors(self, value: object) -> tuple[RemoteError, ...]:
        """A list of error records; absent means none."""
        return tuple(self._error(item) for item in _list(value))

    def _tagged(self, tag: object, value: object) -> Plain:
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
                try:
                    return Decimal(self.text(value))
                except InvalidOperation:
                    raise BadAnswer("a number is damaged") from None
            case "secret", True:
                return HIDDEN
            case "map", list():
                return {str(self.plain(key)): self.plain(member) for key, member in _pairs(value)}
            case "object", [str(type_name), list(members)]:
                found: dict[str, Plain] = {"$type": self.text(type_name)}
                for key, member in _pairs(members):
                    name = self.text(key)
                    readable = not (isinstance(member, Mapping) and "unread" in member)
                    if readable and name.lower() not in _OF_SESSIONS:
                        found[name] = self.plain(member)
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
