"""PowerShell's values as Python objects: property bags, enumerations, URIs, secrets, tables.

Native stand-ins: str, bool, int (Int32 or Int64 by size), float (Double), Decimal, list (object[]), bytes (byte[]),
datetime (aware UTC = kind Utc, tzinfo LOCAL = kind Local, naive = Unspecified), timedelta, uuid.UUID, None ($null).
"""

from __future__ import annotations

import decimal
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

LOCAL = timezone(timedelta(0), "Local")  # the servers of the lab keep UTC; the kind is still told apart
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
CUSTOM_OBJECT = "System.Management.Automation.PSCustomObject"


class PsObject:
    """A property bag with type names, most derived first: what cmdlets emit. Names are looked up without case."""

    __slots__ = ("enumeration", "properties", "text", "type_names")

    def __init__(
        self,
        type_names: Sequence[str],
        properties: Mapping[str, Any] | None = None,
        *,
        text: str | None = None,
        enumeration: bool = False,
    ) -> None:
        self.type_names: list[str] = list(type_names)
        self.properties: dict[str, Any] = dict(properties or {})
        self.text = text  # what ToString() says, where the type has its own
        self.enumeration = enumeration  # a member of an enumeration, rebuilt by a session: a number with a name

    def find(self, name: str) -> str | None:
        """The property's name as the bag spells it, or None."""
        if name in self.properties:
            return name
        low = name.lower()
        return next((key for key in self.properties if key.lower() == low), None)

    def get(self, name: str, default: Any = None) -> Any:
        """The property's value, or `default`."""
        key = self.find(name)
        return default if key is None else self.properties[key]

    def set(self, name: str, value: Any) -> None:
        """Set a property; an existing one keeps its spelling and place."""
        key = self.find(name)
        self.properties[name if key is None else key] = value

    def __repr__(self) -> str:
        return f"PsObject({self.type_names[:1]}, {self.properties!r})"


def ps_object(
    type_name: str | Sequence[str], mapping: Mapping[str, Any] | None = None, /, **properties: Any
) -> PsObject:
    """A property bag of the type(s) given, e.g. `ps_object("Microsoft.Rtc...PartnerApplication", Identity="Exchange")`."""
    names = [type_name] if isinstance(type_name, str) else list(type_name)
    if not names or names[-1] != "System.Object":
        names.append("System.Object")
    return PsObject(names, {**(mapping or {}), **properties})


class PsEnum:
    """A value of an enumeration: `str()` is its name; equal to values of the same type and number."""

    __slots__ = ("name", "type_name", "value")

    def __init__(self, type_name: str, name: str, value: int) -> None:
        self.type_name, self.name, self.value = type_name, name, value

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"PsEnum({self.type_name}.{self.name}={self.value})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PsEnum) and other.type_name == self.type_name and other.value == self.value

    def __hash__(self) -> int:
        return hash((self.type_name, self.value))


class PsUri(str):
    """System.Uri: the text it was made from."""

    __slots__ = ()


class PsVersion(str):
    """System.Version: two to four numbers."""

    __slots__ = ()


class SecureString:
    """System.Security.SecureString: `reveal()` gives the text, nothing else does."""

    __slots__ = ("_plain",)

    def __init__(self, plain: str = "") -> None:
        self._plain = plain

    def reveal(self) -> str:
        """The text."""
        return self._plain

    def __len__(self) -> int:
        return len(self._plain.encode("utf-16-le")) // 2

    def __repr__(self) -> str:
        return "System.Security.SecureString"

    __str__ = __repr__


class PSCredential:
    """System.Management.Automation.PSCredential: a user name and a SecureString."""

    __slots__ = ("password", "user_name")

    def __init__(self, user_name: str, password: SecureString) -> None:
        self.user_name, self.password = user_name, password

    def __repr__(self) -> str:
        return f"PSCredential({self.user_name!r})"


ORDERED = "System.Collections.Specialized.OrderedDictionary"


class Table:
    """A dictionary (Hashtable, OrderedDictionary, Dictionary`2): pairs in their order, texts found without case."""

    __slots__ = ("_pairs", "kind")

    def __init__(self, items: Iterable[tuple[Any, Any]] = (), kind: str = ORDERED) -> None:
        self.kind = kind
        self._pairs = list(items)

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values."""
        return list(self._pairs)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a text key, or `default`."""
        return next((value for held, value in self._pairs if str(held).lower() == key.lower()), default)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("a table is not enumerated by pipelines")


class ArrayList(list[Any]):
    """System.Collections.ArrayList: what a list is once it came from another process."""

    __slots__ = ()


_TYPES: tuple[tuple[type, str], ...] = (  # the first that fits; subclasses stand before what they derive from
    (bool, "System.Boolean"),
    (PsUri, "System.Uri"),
    (PsVersion, "System.Version"),
    (str, "System.String"),
    (bytes, "System.Byte[]"),
    (float, "System.Double"),
    (decimal.Decimal, "System.Decimal"),
    (datetime, "System.DateTime"),
    (timedelta, "System.TimeSpan"),
    (uuid.UUID, "System.Guid"),
    (ArrayList, "System.Collections.ArrayList"),
    (list, "System.Object[]"),
    (SecureString, "System.Security.SecureString"),
    (PSCredential, "System.Management.Automation.PSCredential"),
)


def type_name(value: Any) -> str:
    """The full name of a value's .NET type."""
    if isinstance(value, bool):
        return "System.Boolean"
    if isinstance(value, int):
        return "System.Int32" if INT32_MIN <= value <= INT32_MAX else "System.Int64"
    if isinstance(value, PsObject):
        return value.type_names[0]
    if isinstance(value, PsEnum):
        return value.type_name
    if isinstance(value, Table):
        return value.kind
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "System.Object")


def to_text(value: Any) -> str:
    """What `"$value"` gives: invariant culture, lists joined by blanks, tables and other objects by their type."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int | str | PsEnum | SecureString | uuid.UUID):
        return str(value)
    if isinstance(value, float | decimal.Decimal):
        return format(decimal.Decimal(repr(value) if isinstance(value, float) else value).normalize(), "f")
    if isinstance(value, datetime):
        return f"{value:%m/%d/}{value.year:04d}{value: %H:%M:%S}"
    if isinstance(value, timedelta):
        return _span_text(value)
    if isinstance(value, bytes | list):
        return " ".join(type_name(item) if isinstance(item, list | bytes) else to_text(item) for item in value)
    if isinstance(value, PsObject):
        return _bag_text(value)
    return type_name(value)


def _bag_text(bag: PsObject) -> str:
    if bag.text is not None:
        return bag.text
    if any(name.endswith(CUSTOM_OBJECT) for name in bag.type_names):
        return "@{" + "; ".join(f"{key}={to_text(value)}" for key, value in bag.properties.items()) + "}"
    return bag.type_names[0].removeprefix("Deserialized.")


def _span_text(span: timedelta) -> str:
    """The constant format [-][d.]hh:mm:ss[.fffffff]."""
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds * 10:07d}" if span.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"
