"""A value as text, the way PowerShell writes it into strings: invariant culture, arrays joined by blanks."""

from __future__ import annotations

import decimal
import math
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.errors import ErrorRecord, ExceptionObject, Unsupported
from s2slib.lab.powershell.tables import Entry, Table
from s2slib.lab.powershell.types import PsType, type_of


def double_text(number: float) -> str:
    """A Double as both .NET Framework (15 digits) and later versions write it; refused where they differ."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        raise Unsupported("infinity as text, which PowerShell versions write differently")
    if number == 0 and math.copysign(1, number) < 0:
        raise Unsupported("minus zero as text")
    exponent = f"{number:.17e}".partition("e")[2]
    shortest = repr(number)
    mantissa = shortest.lower().split("e")[0].replace(".", "").lstrip("-").lstrip("0")
    if len(mantissa.rstrip("0")) > 15:
        raise Unsupported(f"the Double {number!r} as text, which PowerShell versions round differently")
    power = int(exponent)
    exact = decimal.Decimal(shortest)
    if -4 <= power < 15:
        text = format(exact, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    sign = "-" if number < 0 else ""
    body = mantissa.rstrip("0") or "0"
    return f"{sign}{body[0]}{'.' + body[1:] if len(body) > 1 else ''}E{'+' if power >= 0 else '-'}{abs(power):02d}"


def decimal_text(number: decimal.Decimal) -> str:
    """A Decimal, its scale kept."""
    if isinstance(number, v.JsonDecimal):
        plain = format(number, "f")
        if "." in plain and plain.endswith("0"):
            raise Unsupported("a fraction from JSON with closing zeros as text")
        return plain
    return format(number, "f")


def timespan_text(span: timedelta) -> str:
    """The constant format [-][d.]hh:mm:ss[.fffffff]."""
    sign = "-" if span < timedelta(0) else ""
    span = abs(span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds * 10:07d}" if span.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def datetime_text(when: datetime) -> str:
    """Invariant culture, as in expanded strings."""
    return f"{when.month:02d}/{when.day:02d}/{when.year:04d} {when.hour:02d}:{when.minute:02d}:{when.second:02d}"


def to_text(value: Any, separator: str = " ") -> str:
    """What `"$value"` gives. `separator` is $OFS for arrays."""
    if type(value) is str:
        return value
    if value is None or value is v.NOTHING:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, (v.NumberToken, v.RealToken)):
        raise Unsupported(f"the argument {value.text} as text outside a [string] parameter")
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        if isinstance(value, v.Single):
            raise Unsupported("a Single as text")
        return double_text(value)
    if isinstance(value, decimal.Decimal):
        return decimal_text(value)
    if isinstance(value, v.PsObject):
        return bag_text(value)
    if isinstance(value, (list, bytes)):
        return separator.join(element_text(item) for item in value)
    if isinstance(value, v.Collection):
        return separator.join(element_text(item) for item in value.items)
    if isinstance(value, (v.PsEnum, v.PsUri, v.PsVersion, v.SecureString)):
        return str(value)
    if isinstance(value, datetime):
        return datetime_text(value)
    if isinstance(value, timedelta):
        return timespan_text(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, v.SwitchParameter):
        return "True" if value.present else "False"
    return _object_text(value, separator)


def _object_text(value: Any, separator: str) -> str:
    if isinstance(value, ErrorRecord):
        return value.message
    if isinstance(value, ExceptionObject):
        if value.inner is not None or value.properties.get("StackTrace"):
            raise Unsupported("an exception with an inner one as text")
        return f"{value.type_name}: {value.message}"
    if isinstance(value, PsType):
        return value.display
    if isinstance(value, v.PSCredential):
        return "System.Management.Automation.PSCredential"
    if isinstance(value, Table):
        return type_of(value).display
    if isinstance(value, Entry):
        if value.type_name != "System.Collections.DictionaryEntry":
            raise Unsupported("a key-value pair as text")
        return value.type_name
    if isinstance(value, v.Enumerated):
        return separator.join(element_text(item) for item in value)
    own = getattr(value, "ps_text", None)
    if own is not None:
        text = own()
        assert isinstance(text, str)
        return text
    raise Unsupported(f"a {type(value).__name__} as text")


def element_text(value: Any) -> str:
    """An element of an array that is written as text: inner arrays show their type only."""
    if isinstance(value, (list, bytes, v.Collection)):
        return type_of(value).display
    return to_text(value)


def bag_text(bag: v.PsObject) -> str:
    """`@{a=1; b=2}` for custom objects; other types have a text of their own or their type's name."""
    if bag.text is not None:
        return bag.text
    if bag.base is not None:
        return to_text(bag.base)
    if "System.Management.Automation.PSCustomObject" in bag.type_names or bag.type_names[0].startswith("Selected."):
        if not bag.properties:
            raise Unsupported("an empty custom object as text")
        return "@{" + "; ".join(f"{k}={element_text(p)}" for k, p in bag.properties.items()) + "}"
    name = bag.type_names[0] if bag.type_names else ""
    if name.startswith("Deserialized."):
        return name.removeprefix("Deserialized.")
    return name


def join(items: Iterable[Any], separator: str) -> str:
    """-join."""
    return v.join_surrogates(separator.join(element_text(i) for i in items))
