"""A read as a value: the command, the server that answers it, the fact keys it provides and how the reply is judged."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ValidationError

from s2slib.facts import Absent, Fact, Json, Known, Row, Unknown
from s2slib.remoting.values.command import Cmdlet, Command, Effect, Runspace, Value
from s2slib.remoting.values.reply import Reply
from s2slib.trust.errors import TrustError

Parsed = Mapping[str, Fact]
R = TypeVar("R", bound=Row)
NOTHING: Mapping[str, Value] = {}


@dataclass(frozen=True)
class Read:
    """`provides` are the keys it answers; whatever goes wrong, each of them becomes Unknown, never Absent (rule R4).

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
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, TrustError) as error:
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


@dataclass(frozen=True)
class Question:
    """A cmdlet that reads, and the rows that it answers with. `value` makes the fact's value of them."""

    name: str
    row: type[Row]
    runspace: Runspace
    rights: str = ""
    absent_when: tuple[str, ...] = ()

    def one(self, server: str, key: str, parameters: Mapping[str, Value] = NOTHING) -> Read:
        """Asked for one object: known, absent when there is none, not understood when there are several."""
        return self._read(server, key, parameters, lambda rows: _only(rows) if rows else None)

    def some(self, server: str, key: str, parameters: Mapping[str, Value], **more: Json) -> Read:
        """Asked for one object that is there: nothing is known when none is put out, not even that it is absent.

        `more` are fields that the question knows and the answer does not say.
        """
        return self._read(server, key, parameters, lambda rows: {**_only(rows), **more})

    def all(
        self,
        server: str,
        key: str,
        parameters: Mapping[str, Value] = NOTHING,
        value: Callable[[list[Any]], Json] | None = None,
    ) -> Read:
        """Asked for every object: known, also when there is none."""
        return self._read(server, key, parameters, value or (lambda rows: [each.model_dump() for each in rows]))

    def _read(self, server: str, key: str, parameters: Mapping[str, Value], value: Callable[[list[Any]], Json]) -> Read:
        def parse(reply: Reply) -> Parsed:
            found = value(parsed(self.row, reply))
            return {key: Absent() if found is None else Known(found)}

        effect: Effect = "read"
        command = Cmdlet(self.name, parameters, effect, self.runspace, self.row.properties())
        return Read(server, command, (key,), parse, self.absent_when, self.rights)


def _only(rows: Sequence[Row]) -> Json:
    if len(rows) != 1:
        raise ValueError(f"expected one object, got {len(rows)}")
    return rows[0].model_dump()


def parsed(row: type[R], reply: Reply) -> list[R]:
    """The objects of a reply as rows, their properties found in any case; ValueError says which one does not fit."""
    return [_row(row, item) for item in reply.output]


def _row(row: type[R], item: object) -> R:
    if not isinstance(item, Mapping):
        raise ValueError(f"expected objects, got {type(item).__name__}")
    given = {str(name).casefold(): value for name, value in item.items()}
    for field in row.model_fields.values():
        if field.is_required() and str(field.alias).casefold() not in given:
            raise KeyError(f"property {field.alias} is missing")
    try:
        return row.model_validate({n: given[n.casefold()] for n in row.properties() if n.casefold() in given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"property {first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None


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
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError("a date outside the years 1 to 9999 in UTC") from None


def raw_bytes(value: Any) -> bytes:
    """A byte[] property: bytes, base64 text or a list of numbers."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if isinstance(value, Iterable):
        return bytes(value)
    raise ValueError(f"not bytes: {type(value).__name__}")


Text = Annotated[str, BeforeValidator(text)]
Lower = Annotated[str, BeforeValidator(lambda value: text(value).lower())]
Upper = Annotated[str, BeforeValidator(lambda value: text(value).upper())]
Texts = Annotated[list[str], BeforeValidator(texts)]
Lowers = Annotated[list[str], BeforeValidator(lambda value: [item.lower() for item in texts(value)])]
Flag = Annotated[bool, BeforeValidator(flag)]
Instant = Annotated[str, BeforeValidator(instant)]
Der = Annotated[str, BeforeValidator(lambda value: base64.b64encode(raw_bytes(value)).decode("ascii"))]
"""What a property may be read as: see `text`, `texts`, `flag`, `instant`; Der is base64 text of bytes."""
