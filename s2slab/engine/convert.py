"""A value as the type of a parameter, as the engine converts for a function's parameters.

    what arrives                        what becomes of it
    text, number, switch, date, bytes   the parameter's type, where .NET knows a way; else one of the errors below
    $null                               '' for text, 0 for numbers, absent for a switch, refused for dates and GUIDs
    a list                              element by element for an array; refused for a single value

Ids and texts were recorded with PowerShell 7.6 (tests/cases/engine/conversions.json); those of 5.1 differ in places.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from s2slab.engine import values as v
from s2slab.engine.records import SMA

NAMES = {
    "string": "System.String", "int": "System.Int32", "long": "System.Int64", "byte": "System.Byte",
    "bool": "System.Boolean", "switch": SMA + "SwitchParameter", "datetime": "System.DateTime",
    "guid": "System.Guid", "uri": "System.Uri", "hashtable": "System.Collections.Hashtable",
    "object": "System.Object", "securestring": "System.Security.SecureString", "pscredential": SMA + "PSCredential",
}  # fmt: skip
_RANGES = {
    "int": (v.INT32_MIN, v.INT32_MAX, "an Int32"),
    "long": (v.INT64_MIN, v.INT64_MAX, "an Int64"),
    "byte": (0, 255, "an unsigned byte"),
}
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?)?")


class CannotConvert(Exception):
    """There is no way from the value to the type; `id` is the innermost record's."""

    def __init__(self, message: str, id: str) -> None:
        super().__init__(message)
        self.message, self.id = message, id


def convert(value: Any, type_name: str) -> Any:
    """The value as a parameter of that type gets it. Raises CannotConvert."""
    low = type_name.lower()
    return _array(value, low.removesuffix("[]")) if low.endswith("[]") else _WAYS[low](value, low)


def named(value: Any) -> str:
    """A value's type; a number that came in a request is an Int64."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return "System.Int64" if whole else v.type_name(value)


def _array(value: Any, element: str) -> Any:
    if value is None:
        return None
    if isinstance(value, list | bytes):
        if element == "byte" and isinstance(value, bytes):
            return value
        made = [v.to_text(one) if element == "string" else convert(one, element) for one in value]
    elif element != "string" and isinstance(value, bool | str | int | float) is False:
        raise _no_way(value, element + "[]")
    else:
        made = [convert(value, element)]
    return bytes(int(one) for one in made) if element == "byte" else made


def _no_way(value: Any, target: str) -> CannotConvert:
    name = NAMES[target.removesuffix("[]")] + ("[]" if target.endswith("[]") else "")
    if isinstance(value, bool | datetime):
        short = target in _RANGES or target == "datetime"
        ends = (named(value), name) if not short else (named(value).rsplit(".", 1)[-1], name.rsplit(".", 1)[-1])
        return _failed(value, name, f"Invalid cast from '{ends[0]}' to '{ends[1]}'.", "InvalidCastIConvertible")
    kind = named(value)
    shown = kind if isinstance(value, bytes | list | v.SecureString | v.PSCredential) else v.to_text(value)
    what = "the value" if target == "securestring" else f'the "{shown}" value'
    return CannotConvert(
        f'Cannot convert {what} of type "{kind}" to type "{name}".', "ConvertToFinalInvalidCastException"
    )


def _failed(value: Any, name: str, why: str, id: str) -> CannotConvert:
    shown = named(value) if isinstance(value, bytes | list) else v.to_text(value)
    if isinstance(value, datetime):  # in the culture of the process, en-US
        shown = f"{value.month}/{value.day}/{value.year} {value.hour % 12 or 12}:{value:%M:%S} {value:%p}"
    return CannotConvert(f'Cannot convert value "{shown}" to type "{name}". Error: "{why}"', id)


def _text(value: Any, _: str) -> Any:
    if isinstance(value, bytes | list) and not isinstance(value, v.ArrayList):
        raise CannotConvert("Cannot convert value to type System.String.", "InvalidCastFromAnyTypeToString")
    return v.to_text(value)


def _whole(value: Any, target: str) -> Any:
    low, high, what = _RANGES[target]
    name = NAMES[target]
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        number = _number(value)
        if number is None:
            why = f"The input string '{value}' was not in a correct format."
            raise _failed(value, name, why, "InvalidCastFromStringToInteger")
    elif isinstance(value, int | float):
        number = round(value)
    else:
        raise _no_way(value, target)
    if not low <= number <= high:
        raise _failed(value, name, f"Value was either too large or too small for {what}.", "InvalidCastIConvertible")
    return number


def _number(text: str) -> int | None:
    bare = text.strip()
    if not bare:
        return 0
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", bare):
        return int(bare, 16)
    try:
        return int(Decimal(bare).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) if bare.isascii() else None
    except InvalidOperation:
        return None


def _truth(value: Any, target: str) -> Any:
    if isinstance(value, bool):
        return value
    if target == "switch" and value is None:
        return False
    if isinstance(value, int | float):
        if target == "switch":
            raise _no_way(value, target)
        return value != 0
    kind = "" if value is None else named(value)
    raise CannotConvert(
        f'Cannot convert value "{kind}" to type "{NAMES[target]}". Boolean parameters accept only Boolean values and '
        "numbers, such as $True, $False, 1 or 0.",
        "InvalidCastExceptionUnsupportedParameterType",
    )


def _refuse_null(value: Any, target: str) -> None:
    if value is None:
        raise CannotConvert(f'Cannot convert null to type "{NAMES[target]}".', "nullToObjectInvalidCast")


def _date(value: Any, target: str) -> Any:
    _refuse_null(value, target)
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime(1, 1, 1) + timedelta(microseconds=value // 10)  # noqa: DTZ001 - ticks without a zone
        except OverflowError:
            pass
        if value < 0:
            why = "Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks. (Parameter 'ticks')"
            raise _failed(value, NAMES[target], why, "InvalidCastConstructorException")
    if not isinstance(value, str):
        raise _no_way(value, target)
    found = _DATE.fullmatch(value.strip())
    try:
        if found is not None:
            return _moment(found)
    except ValueError:
        pass
    word = re.search(r"[A-Za-z]", value)
    why = f"String '{value}' was not recognized as a valid DateTime."
    if word is not None:
        why = f"The string '{value}' was not recognized as a valid DateTime. "
        why += f"There is an unknown word starting at index '{word.start()}'."
    raise _failed(value, NAMES[target], why, "InvalidCastParseTargetInvocationWithFormatProvider")


def _moment(found: re.Match[str]) -> datetime:
    """With a zone the servers' local time, which the lab keeps at UTC; without one, unspecified."""
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    micro = int((found[7] or "").ljust(6, "0")[:6])
    made = datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001 - a zone follows, or there is none
    if found[8] is None:
        return made
    zone = "+00:00" if found[8] == "Z" else found[8]
    return datetime.fromisoformat(made.isoformat() + zone).astimezone(UTC).replace(tzinfo=v.LOCAL)


def _guid(value: Any, target: str) -> Any:
    _refuse_null(value, target)
    if isinstance(value, uuid.UUID):
        return value
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return uuid.UUID(v.to_text(value).strip("{}() "))
        except ValueError:
            why, id = "Unrecognized Guid format.", "InvalidCastParseTargetInvocationWithFormatProvider"
            raise _failed(value, NAMES[target], why, id) from None
    if isinstance(value, bytes):
        if len(value) == 16:
            return uuid.UUID(bytes_le=value)
        why = "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')"
        raise _failed(value, NAMES[target], why, "InvalidCastConstructorException")
    raise _no_way(value, target)


def _uri(value: Any, target: str) -> Any:
    if value is None or isinstance(value, v.PsUri):
        return value
    if isinstance(value, str | int) and not isinstance(value, bool):
        return v.PsUri(v.to_text(value))
    raise _no_way(value, target)


def _only(*kinds: type) -> Callable[[Any, str], Any]:
    def way(value: Any, target: str) -> Any:
        if value is None or isinstance(value, kinds):
            return value
        raise _no_way(value, target)

    return way


_WAYS: dict[str, Callable[[Any, str], Any]] = {
    "string": _text,
    "int": _whole,
    "long": _whole,
    "byte": _whole,
    "bool": _truth,
    "switch": _truth,
    "datetime": _date,
    "guid": _guid,
    "uri": _uri,
    "hashtable": _only(v.Table),
    "object": lambda value, _: value,
    "securestring": _only(v.SecureString),
    "pscredential": _only(v.PSCredential),
}
