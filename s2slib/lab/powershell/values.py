"""PowerShell's values as Python objects: property bags, enums, URIs, secrets, numbers that know their width.

Native stand-ins: str, bool, int (Int32 or Int64 by range), float (Double), Decimal, list (object[]), bytes (byte[]),
datetime (aware UTC = kind Utc, tzinfo LOCAL = kind Local, naive = Unspecified), timedelta, uuid.UUID, None ($null).
"""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta, timezone
from typing import Any, Self
from urllib.parse import urlsplit

LOCAL = timezone(timedelta(0), "Local")  # the servers of the lab keep UTC; the kind is still told apart
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def words(text: str) -> tuple[str, ...]:
    """The blank-separated words of a text."""
    return tuple(text.split())


class Nothing:
    """The empty result of a pipeline (AutomationNull): $null to operators, no element to pipelines and @()."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = Nothing()


class PsObject:
    """A property bag with type names, most derived first: what cmdlets emit. Names are looked up without case."""

    __slots__ = ("base", "properties", "text", "type_names")

    def __init__(
        self,
        type_names: Sequence[str],
        properties: Mapping[str, Any] | None = None,
        *,
        text: str | None = None,
        base: Any = None,
    ) -> None:
        self.type_names: list[str] = list(type_names)
        self.properties: dict[str, Any] = dict(properties or {})
        self.text = text  # what ToString() says, where the type has its own
        self.base = base  # the primitive under a rebuilt (Deserialized.*) value

    def find(self, name: str) -> str | None:
        """The property's name as the bag spells it, or None."""
        if name in self.properties:
            return name
        low = name.lower()
        for key in self.properties:
            if key.lower() == low:
                return key
        return None

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


CUSTOM_OBJECT = ("System.Management.Automation.PSCustomObject", "System.Object")


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


class PsUri:
    """System.Uri: keeps the text it was made from."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def absolute(self) -> bool:
        """Whether there is a scheme."""
        head = self.text.split(":", 1)
        return len(head) == 2 and head[0][:1].isalpha() and all(c.isalnum() or c in "+-." for c in head[0])

    def split(self) -> Any:
        """urllib's parts of the text."""
        return urlsplit(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"PsUri({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PsUri) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class PsVersion:
    """System.Version: two to four numbers, compared part by part."""

    __slots__ = ("parts",)

    def __init__(self, text: str) -> None:
        parts = text.split(".")
        if not 2 <= len(parts) <= 4 or not all(p.isascii() and p.isdigit() for p in parts):
            raise ValueError(f"not a version: {text!r}")
        self.parts = tuple(int(p) for p in parts)

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))

    def __repr__(self) -> str:
        return f"PsVersion({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PsVersion) and other.parts == self.parts

    def __lt__(self, other: PsVersion) -> bool:
        return self.parts < other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


class SecureString:
    """System.Security.SecureString: `reveal()` gives the text, nothing else does."""

    __slots__ = ("_plain", "read_only")

    def __init__(self, plain: str = "") -> None:
        self._plain = plain
        self.read_only = False

    def append(self, char: str) -> None:
        """AppendChar: one UTF-16 unit more."""
        self._plain += char

    def reveal(self) -> str:
        """The text, surrogate pairs joined."""
        return join_surrogates(self._plain)

    def __len__(self) -> int:
        return len(utf16(self._plain))

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


class SwitchParameter:
    """The value of a [switch] parameter."""

    __slots__ = ("present",)

    def __init__(self, present: bool) -> None:
        self.present = present

    def __bool__(self) -> bool:
        return self.present

    def __repr__(self) -> str:
        return f"SwitchParameter({self.present})"


class Char(str):
    """System.Char: one UTF-16 unit."""

    __slots__ = ()


class PsInt(int):
    """An integer whose width is not the one its size suggests; see the subclasses."""

    __slots__ = ()
    low, high, type_name = 0, 0, ""


class Byte(PsInt):
    """System.Byte."""

    __slots__ = ()
    low, high, type_name = 0, 255, "System.Byte"


class SByte(PsInt):
    """System.SByte."""

    __slots__ = ()
    low, high, type_name = -128, 127, "System.SByte"


class Int16(PsInt):
    """System.Int16."""

    __slots__ = ()
    low, high, type_name = -(2**15), 2**15 - 1, "System.Int16"


class UInt16(PsInt):
    """System.UInt16."""

    __slots__ = ()
    low, high, type_name = 0, 2**16 - 1, "System.UInt16"


class UInt32(PsInt):
    """System.UInt32."""

    __slots__ = ()
    low, high, type_name = 0, 2**32 - 1, "System.UInt32"


class Int64(PsInt):
    """System.Int64, needed where the number would fit Int32."""

    __slots__ = ()
    low, high, type_name = INT64_MIN, INT64_MAX, "System.Int64"


class UInt64(PsInt):
    """System.UInt64."""

    __slots__ = ()
    low, high, type_name = 0, 2**64 - 1, "System.UInt64"


class Single(float):
    """System.Single."""

    __slots__ = ()


class JsonDecimal(decimal.Decimal):
    """A fraction read from JSON: 5.1 makes a Decimal of it, later versions a Double. Its type is not to be asked for."""

    __slots__ = ()


class NumberToken(int):
    """A number written as a command's argument: keeps its text, which is what a [string] parameter gets."""

    text: str

    def __new__(cls, value: int, text: str) -> Self:
        """An Int32 or Int64 with the text it was written as."""
        made = super().__new__(cls, value)
        made.text = text
        return made


class RealToken(float):
    """A Double written as a command's argument: keeps its text too."""

    text: str

    def __new__(cls, value: float, text: str) -> Self:
        """A Double with the text it was written as."""
        made = super().__new__(cls, value)
        made.text = text
        return made


class PsArray(list[Any]):
    """An array with an element type other than object; `element` is its full name, e.g. System.String."""

    __slots__ = ("element",)

    def __init__(self, element: str, items: Sequence[Any] = ()) -> None:
        super().__init__(items)
        self.element = element


class Collection:
    """A resizable .NET collection; `kind` is the generic or plain type name, `element` the item type's full name."""

    __slots__ = ("completed", "element", "items", "kind")

    def __init__(self, kind: str, items: Sequence[Any] = (), element: str = "System.Object") -> None:
        self.kind, self.items, self.element = kind, list(items), element
        self.completed = False

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.items))

    def __len__(self) -> int:
        return len(self.items)


class Enumerated:
    """A read-only sequence with a type name of its own (key collections, enumerators, member collections).

    An enumerator is read `once`: what has been read is gone.
    """

    __slots__ = ("items", "once", "type_name")

    def __init__(self, type_name: str, items: Sequence[Any], *, once: bool = False) -> None:
        self.type_name, self.items, self.once = type_name, list(items), once

    def __iter__(self) -> Iterator[Any]:
        items = self.items
        if self.once:
            self.items = []
        return iter(items)

    def __len__(self) -> int:
        return len(self.items)


def utf16(text: str) -> str:
    """The text as UTF-16 units, one Python character each."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    raw = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(raw[i] | raw[i + 1] << 8) for i in range(0, len(raw), 2))


def join_surrogates(text: str) -> str:
    """The text with UTF-16 surrogate pairs joined to characters."""
    if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
