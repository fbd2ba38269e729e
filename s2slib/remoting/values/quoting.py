"""Values as PowerShell reads them: what may stand in a command, and the text that gives the same value back."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from s2slib.errors import S2SError

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
"""The characters that PowerShell takes for a single quote; each is doubled inside a single-quoted text."""

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LATER = re.compile(r"[a-z][A-Za-z0-9_./-]{0,119}")
_REFERENCE = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class InvalidCommand(S2SError):
    """A command or one of its values cannot be handed to PowerShell unchanged; nothing was sent."""


@dataclass(frozen=True)
class SecretRef:
    """A secret by name, handed over beside the command; it arrives as a SecureString."""

    name: str

    def __post_init__(self) -> None:
        _check_reference(self.name)


@dataclass(frozen=True)
class CredentialRef:
    """A user and a secret by name, handed over beside the command; they arrive as one PSCredential."""

    user: str
    name: str

    def __post_init__(self) -> None:
        _check_reference(self.name)
        check_text(self.user, "a user name")


@dataclass(frozen=True)
class Later:
    """A text that exists only once something else has been done: planned, never sent. `bind` puts the text in."""

    name: str

    def __post_init__(self) -> None:
        if not _LATER.fullmatch(self.name):
            raise InvalidCommand(f"not the name of a value that is known later: {self.name!r}")


Scalar: TypeAlias = str | int | bool | bytes | datetime | None
Value: TypeAlias = Scalar | tuple[Scalar, ...] | SecretRef | CredentialRef | Later
"""What a parameter may be. A bool serves switches and booleans alike; a datetime is aware; an int fits 64 bits."""


def check_text(text: str, what: str) -> None:
    """InvalidCommand when a text cannot travel: NUL, or half a surrogate pair."""
    if "\0" in text:
        raise InvalidCommand(f"{what} contains a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidCommand(f"{what} contains half a surrogate pair") from None


def check_value(value: object, what: str) -> None:
    """InvalidCommand when a value is of no allowed kind. A secret in the open is refused: use a reference."""
    if isinstance(value, tuple):
        for item in value:
            if isinstance(item, tuple | SecretRef | CredentialRef | Later):
                raise InvalidCommand(f"{what}: a list holds plain values only")
            check_value(item, what)
    elif isinstance(value, str):
        check_text(value, what)
    elif isinstance(value, bool | bytes | SecretRef | CredentialRef | Later) or value is None:
        return
    elif isinstance(value, int):
        if not _LOWEST <= value <= _HIGHEST:
            raise InvalidCommand(f"{what} does not fit 64 bits")
    elif isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidCommand(f"{what} is a date without a time zone")
        try:
            instant(value)
        except OverflowError:
            raise InvalidCommand(f"{what} is a date outside the years 1 to 9999") from None
    elif hasattr(value, "reveal"):
        raise InvalidCommand(f"{what} is a secret: name it with SecretRef and hand it over beside the command")
    else:
        raise InvalidCommand(f"{what} is a {type(value).__name__}, which no parameter takes")


def quoted(text: str) -> str:
    """A text in single quotes, every character that PowerShell takes for one doubled."""
    return "'" + "".join(character * 2 if character in SINGLE_QUOTES else character for character in text) + "'"


def rendered(value: Value) -> str:
    """A value as one argument of a typed line; expressions are in parentheses, or they would be taken for text."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, str):
        # a text that is exactly --% stops the parsing of what follows it, even in quotes
        return f"({quoted(value)})" if value == "--%" else quoted(value)
    if isinstance(value, datetime):
        return f"([datetime]{quoted(instant(value))})"
    if isinstance(value, bytes):
        return f"([Convert]::FromBase64String({quoted(base64.b64encode(value).decode('ascii'))}))"
    if isinstance(value, tuple):
        return "@(" + ",".join(rendered(item) for item in value) + ")"
    if isinstance(value, Later):
        return f"<{value.name}: known after apply>"
    if isinstance(value, SecretRef):
        return f"(Read-Host -AsSecureString -Prompt {quoted(value.name)})"
    return f"(Get-Credential -UserName {quoted(value.user)} -Message {quoted(value.name)})"


def instant(value: datetime) -> str:
    """An aware date in UTC as .NET's round-trip format writes it: seven decimals and Z."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def value_to_json(value: Value) -> Any:
    """A value as JSON: text, numbers, booleans and null as they are, everything else tagged."""
    if isinstance(value, tuple):
        return [value_to_json(item) for item in value]
    if isinstance(value, datetime):
        return {"$date": instant(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, SecretRef):
        return {"$secret": value.name}
    if isinstance(value, CredentialRef):
        return {"$credential": value.name, "user": value.user}
    if isinstance(value, Later):
        return {"$later": value.name}
    return value


def value_from_json(data: object) -> Value:
    """The value that `value_to_json` wrote; InvalidCommand for anything else."""
    match data:
        case None | bool() | int() | str():
            return data
        case list():
            items = [value_from_json(item) for item in data]
            scalars: list[Scalar] = []
            for item in items:
                if isinstance(item, tuple | SecretRef | CredentialRef | Later):
                    raise InvalidCommand("a list holds plain values only")
                scalars.append(item)
            return tuple(scalars)
        case dict():
            return _tagged_from_json(data)
    raise InvalidCommand(f"not a recorded value: {type(data).__name__}")


def _tagged_from_json(data: dict[str, object]) -> Value:
    match data, len(data):
        case {"$date": str(text)}, 1:
            return parse_instant(text)
        case {"$bytes": str(text)}, 1:
            return base64.b64decode(text, validate=True)
        case {"$secret": str(name)}, 1:
            return SecretRef(name)
        case {"$credential": str(name), "user": str(user)}, 2:
            return CredentialRef(user, name)
        case {"$later": str(name)}, 1:
            return Later(name)
    raise InvalidCommand("not a recorded value: an object without a known tag")


def parse_instant(text: str) -> datetime:
    """The aware date of .NET's round-trip format, cut at microseconds; InvalidCommand for anything else."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z", text, re.ASCII)
    if found is None:
        raise InvalidCommand("not a date in UTC")
    try:
        whole = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidCommand("not a date in UTC") from None
    return whole.replace(microsecond=int((found[2] or "").ljust(6, "0")[:6]))


def mapping_key(names: Mapping[str, object]) -> None:
    """InvalidCommand when two names differ in case only: PowerShell would take them for one."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise InvalidCommand(f"parameter {name} is given twice")
        seen.add(name.lower())


def _check_reference(name: str) -> None:
    if not _REFERENCE.fullmatch(name):
        raise InvalidCommand("a secret's name is up to 40 lower-case letters, digits, - and _, a letter first")
