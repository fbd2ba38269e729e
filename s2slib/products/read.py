"""A read as a value: the command, the server that answers it, the fact keys it provides and how the reply is judged."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from s2slib.facts import Absent, Fact, Known, Unknown
from s2slib.remoting.values.command import Command
from s2slib.remoting.values.reply import Reply

Parsed = Mapping[str, Fact]


@dataclass(frozen=True)
class Read:
    """`provides` are the keys it answers; whatever goes wrong, each of them becomes Unknown, never Absent (P4).

    `parse` gets a reply that completed without an error; `absent_when` are error ids (substrings) by which the product
    says that there is no such object; `error_answer` turns an error text that is an answer (an HTTP status) into facts.
    """

    server: str
    command: Command
    provides: tuple[str, ...]
    parse: Callable[[Reply], Parsed]
    absent_when: tuple[str, ...] = ()
    rights: str = ""
    error_answer: Callable[[str], Parsed | None] | None = None

    def facts(self, reply: Reply) -> dict[str, Fact]:
        """The facts that a reply gives."""
        if reply.state != "completed" or reply.errors:
            first = reply.errors[0] if reply.errors else None
            answered = self.error_answer(first.message) if self.error_answer and first is not None else None
            if answered is not None:
                return dict(answered)
            if first is not None and self.absent_when and all(self._says_absent(e.id, e.message) for e in reply.errors):
                return {key: Absent() for key in self.provides}
            reason = first.message.strip() if first is not None else f"the command ended as {reply.state}"
            hint = f" (needs: {self.rights})" if self.rights and first is not None and _is_denied(first.message) else ""
            return self.unknown(f"{self.command.name} on {self.server}: {reason}{hint}")
        if reply.truncated:
            return self.unknown(f"{self.command.name} on {self.server}: the answer was cut at its size limit")
        try:
            parsed = dict(self.parse(reply))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            return self.unknown(
                f"{self.command.name} on {self.server}: not understood: {type(error).__name__}: {error}"
            )
        missing = Unknown(f"{self.command.name} on {self.server} did not say")
        return {key: parsed.get(key, missing) for key in self.provides}

    def unknown(self, reason: str) -> dict[str, Fact]:
        """Every key as Unknown, for one reason."""
        return {key: Unknown(reason) for key in self.provides}

    def _says_absent(self, error_id: str, message: str) -> bool:
        return any(mark in error_id or mark in message for mark in self.absent_when)


def _is_denied(message: str) -> bool:
    text = message.casefold()
    return "denied" in text or "not recognized" in text or "unauthorized" in text or "permission" in text


def rows(reply: Reply) -> list[dict[str, Any]]:
    """The objects of a reply as mappings; ValueError when one is not an object."""
    for item in reply.output:
        if not isinstance(item, Mapping):
            raise ValueError(f"expected objects, got {type(item).__name__}")
    return [dict(item) for item in reply.output]


def field(row: Mapping[str, Any], name: str) -> Any:
    """A property by name, case-insensitively; KeyError when the object lacks it."""
    for key, value in row.items():
        if key.casefold() == name.casefold():
            return value
    raise KeyError(f"property {name} is missing")


def text(value: Any) -> str:
    """A property as text: None is empty; an enumeration, a Uri or an AD object id its printed form."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        for key in ("Value", "value", "Name", "OriginalString", "AbsoluteUri"):
            if key in value and isinstance(value[key], str):
                return str(value[key])
        return ""
    if isinstance(value, datetime):
        return instant(value)
    return str(value)


def texts(value: Any) -> list[str]:
    """A multi-valued property as a list of texts."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [text(item) for item in value]
    return [text(value)]


def flag(value: Any) -> bool:
    """A boolean property; the texts True and False count, anything else is a ValueError, never a guess."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.casefold() in ("true", "false"):
        return value.casefold() == "true"
    raise ValueError(f"not a boolean: {value!r}")


def instant(value: Any) -> str:
    """A date property as ISO 8601 UTC text with seconds and 'Z'; empty when there is none."""
    if value in (None, ""):
        return ""
    if not isinstance(value, datetime):
        value = parse_instant(str(value))
    return str(value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))


def parse_instant(value: str) -> datetime:
    """The aware UTC datetime of an ISO text (up to seven decimals, as .NET's 'o' format writes them)."""
    body = value.strip().replace("Z", "+00:00")
    head, dot, tail = body.partition(".")
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        body = f"{head}.{digits[:6].ljust(6, '0')}{tail[len(digits) :]}"
    parsed = datetime.fromisoformat(body)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def raw_bytes(value: Any) -> bytes:
    """A byte[] property: bytes, base64 text or a list of numbers."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if isinstance(value, Iterable):
        return bytes(value)
    raise ValueError(f"not bytes: {type(value).__name__}")


def single(key: str, found: list[Any]) -> dict[str, Fact]:
    """One object: known, absent when the list is empty, ValueError when there are several."""
    if len(found) > 1:
        raise ValueError(f"expected one object, got {len(found)}")
    return {key: Known(found[0]) if found else Absent()}
