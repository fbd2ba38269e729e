"""Conversions to strings, numbers, switches and characters, and what they say when there is none."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.errors import (
    ExceptionObject,
    PsError,
    Unsupported,
    runtime_error,
)
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType, type_name_of

INTEGERS: dict[str, tuple[int, int, Callable[[int], int]]] = {
    "System.Int32": (v.INT32_MIN, v.INT32_MAX, int),
    "System.Int64": (v.INT64_MIN, v.INT64_MAX, lambda n: v.Int64(n) if v.INT32_MIN <= n <= v.INT32_MAX else int(n)),
    **{c.type_name: (c.low, c.high, c) for c in (v.Byte, v.SByte, v.Int16, v.UInt16, v.UInt32, v.UInt64)},
}
BAD_FORMAT = "Input string was not in a correct format."
_HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")


_TARGETS = {"Byte": "an unsigned byte", "SByte": "a signed byte", "Char": "a character"}


def too_large(short: str) -> str:
    """What .NET says of a number that its type has no room for."""
    article = "a" if short[0] == "U" else "an"
    return f"Value was either too large or too small for {_TARGETS.get(short, f'{article} {short}')}."


def cast_error(value: Any, kind: PsType, why: str, id: str) -> PsError:
    """`Cannot convert value "x" to type "T". Error: "why"`."""
    error = runtime_error(
        f'Cannot convert value "{to_text(value)}" to type "{kind.display}". Error: "{why}"', id, "InvalidArgument"
    )
    error.record.exception.properties["unknown_inner"] = True
    cause = _CAUSES.get(id)
    if cause is not None:
        error.record.exception.properties["cause"] = ExceptionObject(cause, why)
    return error


_CAUSES = {  # what .NET threw beneath a failed conversion; where it is not here it is not known
    "InvalidCastFromStringToInteger": "System.FormatException",
    "InvalidCastFromStringToDoubleOrSingle": "System.FormatException",
    "InvalidCastParseTargetInvocationWithFormatProvider": "System.FormatException",
    "InvalidCastConstructorException": "System.FormatException",
    "InvalidCastIConvertible": "System.OverflowException",
}


def no_cast(value: Any, kind: PsType) -> PsError:
    """There is no conversion between the types."""
    if value is None:
        return runtime_error(
            f'Cannot convert null to type "{kind.display}".', "nullToObjectInvalidCast", "InvalidArgument"
        )
    shown = type_name_of(value) if isinstance(value, (list, bytes, v.Collection)) else to_text(value)
    return runtime_error(
        f'Cannot convert the "{shown}" value of type "{type_name_of(value)}" to type "{kind.display}".',
        "ConvertToFinalInvalidCastException",
        "InvalidArgument",
    )


def truth(value: Any) -> bool:
    """The value as a condition."""
    if value is True or value is False:
        return bool(value)
    if value is None or value is v.NOTHING:
        return False
    if isinstance(value, v.Char):
        return value != "\0"
    if isinstance(value, str):
        return value != ""
    if isinstance(value, (int, float, Decimal)):
        return value != 0
    if isinstance(value, v.SwitchParameter):
        return value.present
    if isinstance(value, (list, bytes, v.Collection)):
        items = value.items if isinstance(value, v.Collection) else value
        if len(items) == 0:
            return False
        return truth(items[0]) if len(items) == 1 else True
    if isinstance(value, v.PsObject) and value.base is not None:
        return truth(value.base)
    if isinstance(value, v.PsEnum):
        return value.value != 0
    return True


def unwrap(value: Any) -> Any:
    """The primitive under a rebuilt value."""
    return value.base if isinstance(value, v.PsObject) and value.base is not None else value


def to_string(value: Any, kind: PsType, parameter: bool) -> Any:
    if parameter and isinstance(value, (list, bytes, v.Collection)):
        raise runtime_error("Cannot convert value to type System.String.", "CannotConvertArgument", "InvalidType")
    if isinstance(value, (v.NumberToken, v.RealToken)):
        return value.text if parameter else to_text(int(value) if isinstance(value, int) else float(value))
    return to_text(value)


def to_bool(value: Any, kind: PsType, parameter: bool) -> bool:
    value = unwrap(value)
    if parameter and not isinstance(value, (bool, int, float, Decimal, v.SwitchParameter)):
        shown = type_name_of(value) if value is not None else ""
        raise runtime_error(
            f'Cannot convert value "{shown}" to type "System.Boolean". Boolean parameters accept only Boolean values and '
            "numbers, such as $True, $False, 1 or 0.",
            "InvalidCastExceptionUnsupportedParameterType",  # UNCONFIRMED id
            "InvalidArgument",
        )
    return truth(value)


def to_switch(value: Any, kind: PsType, parameter: bool) -> v.SwitchParameter:
    if isinstance(value, v.SwitchParameter):
        return value
    value = unwrap(value)
    if isinstance(value, (bool, int, float, Decimal)) or (value is None and not parameter):
        return v.SwitchParameter(truth(value))
    if value is None:
        raise Unsupported("$null for a switch")
    raise runtime_error(
        f'Cannot convert value "{type_name_of(value)}" to type "{SMA}SwitchParameter". Boolean parameters accept only '
        "Boolean values and numbers, such as $True, $False, 1 or 0.",
        "InvalidCastExceptionUnsupportedParameterType",  # UNCONFIRMED id
        "InvalidArgument",
    )


def to_integer(value: Any, kind: PsType) -> int:
    """A whole number of the type; fractions round half to even."""
    low, high, make = INTEGERS[kind.name]
    short = kind.name.rsplit(".", 1)[-1]
    value = unwrap(value)
    if value is None:
        return make(0)
    number: int
    if isinstance(value, v.Char):
        number = ord(value)
    elif isinstance(value, str):
        number = _integer_text(value, kind, short)
    elif isinstance(value, (bool, int)):
        number = int(value)
    elif isinstance(value, float):
        if value != value or abs(value) > 1e300:
            raise cast_error(value, kind, too_large(short), "InvalidCastIConvertible")
        number = int(Decimal(value).to_integral_value(ROUND_HALF_EVEN))
    elif isinstance(value, Decimal):
        number = int(value.to_integral_value(ROUND_HALF_EVEN))
    elif isinstance(value, v.PsEnum):
        number = value.value
    elif isinstance(value, v.SwitchParameter):
        raise Unsupported("a switch as a number")
    elif isinstance(value, (list, Table, v.PsObject, bytes, datetime, timedelta, uuid.UUID, v.Collection, v.PsUri)):
        raise no_cast(value, kind)
    else:
        raise Unsupported(f"the conversion of a {type_name_of(value)} to [{kind.name}]")
    if not low <= number <= high:
        raise cast_error(value, kind, too_large(short), "InvalidCastIConvertible")
    return make(number)


def _integer_text(text: str, kind: PsType, short: str) -> int:
    stripped = text.strip()
    if stripped == "":
        return 0
    if re.fullmatch(r"[+-]?\d+", stripped, re.ASCII):
        low, high, _ = INTEGERS[kind.name]
        if not low <= int(stripped) <= high and kind.name != "System.Int32":
            raise Unsupported(f"the text {text!r} as [{kind.name}]")
        return int(stripped)
    if _HEX.fullmatch(stripped):
        whole = int(stripped, 16)
        if kind.name != "System.Int32" or whole > v.INT32_MAX or whole < 0:
            raise Unsupported(f"the number {stripped!r} as [{kind.name}]")
        return whole
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", stripped, re.ASCII):
        return int(Decimal(stripped).to_integral_value(ROUND_HALF_EVEN))
    if re.fullmatch(r"[\d,.\s$()+\-eElLkKmMgGtTpPbBdDuUyYnNsS]*|[+-]?0[xXbB].*", stripped) and re.search(
        r"\d", stripped
    ):
        raise Unsupported(f"the text {text!r} as a number")  # suffixes, groups and currency: readers differ
    raise cast_error(text, kind, BAD_FORMAT, "InvalidCastFromStringToInteger")


def to_double(value: Any, kind: PsType, parameter: bool) -> float:
    value = unwrap(value)
    if value is None:
        return 0.0
    if isinstance(value, str) and not isinstance(value, v.Char):
        text = value.strip()
        if text == "":
            return 0.0
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
            return float(text)
        if re.search(r"[A-Za-z]", text) and not re.search(r"\d", text) and text.lower() not in ("nan", "infinity"):
            raise cast_error(value, kind, BAD_FORMAT, "InvalidCastFromStringToDoubleOrSingle")
        raise Unsupported(f"the text {value!r} as a number")
    if isinstance(value, (bool, int, float, Decimal)):
        return float(value)
    if isinstance(value, (list, Table, v.PsObject, bytes, v.Collection)):
        raise no_cast(value, kind)
    raise Unsupported(f"the conversion of a {type_name_of(value)} to [double]")


def to_decimal(value: Any, kind: PsType, parameter: bool) -> Decimal:
    value = unwrap(value)
    if value is None:
        return Decimal(0)
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, (bool, int)):
        return Decimal(int(value))
    if isinstance(value, float):
        if abs(value) >= 1e15:
            raise Unsupported("a large Double as Decimal")
        return Decimal(repr(value)).normalize()
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*", value, re.ASCII):
                return Decimal(value.strip())
        except InvalidOperation:
            pass
    raise Unsupported(f"the conversion of a {type_name_of(value)} to [decimal]")


def refuse(what: str) -> Any:
    raise Unsupported(what)


def to_char(value: Any, kind: PsType, parameter: bool) -> v.Char:
    value = unwrap(value)
    if isinstance(value, v.Char):
        return value
    if isinstance(value, str):
        if len(v.utf16(value)) == 1:
            return v.Char(value)
        raise cast_error(value, kind, "String must be exactly one character long.", "InvalidCastConstructorException")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0x10000:
        return v.Char(chr(value))
    return v.Char(refuse(f"the conversion of a {type_name_of(value)} to [char]"))
