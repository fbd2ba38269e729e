"""Conversions as PowerShell makes them: casts, parameters, operators; with its errors, or a refusal."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.enums import ENUMS, FLAGS, enum_named, enum_number
from s2slib.lab.powershell.errors import (
    KNOWN_EXCEPTIONS,
    ErrorRecord,
    ExceptionObject,
    PsError,
    Unsupported,
    exception_types,
    runtime_error,
)
from s2slib.lab.powershell.tables import Table, ordered_table
from s2slib.lab.powershell.text import decimal_text, to_text
from s2slib.lab.powershell.types import SMA, PsType, is_instance, resolve_type, type_name_of, type_of

INTEGERS: dict[str, tuple[int, int, Callable[[int], int]]] = {
    "System.Int32": (v.INT32_MIN, v.INT32_MAX, int),
    "System.Int64": (v.INT64_MIN, v.INT64_MAX, lambda n: v.Int64(n) if v.INT32_MIN <= n <= v.INT32_MAX else int(n)),
    **{c.type_name: (c.low, c.high, c) for c in (v.Byte, v.SByte, v.Int16, v.UInt16, v.UInt32, v.UInt64)},
}
BAD_FORMAT = "Input string was not in a correct format."
_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?(?: ?(Z|[+-]\d{2}:\d{2}))?)?"
)
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_SPAN = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")
_HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")


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
    return runtime_error(
        f'Cannot convert the "{to_text(value)}" value of type "{type_name_of(value)}" to type "{kind.display}".',
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


def convert(value: Any, kind: PsType, *, parameter: bool = False) -> Any:
    """The value as the type; `parameter` for the stricter rules of parameter binding. Raises PsError or Unsupported."""
    if value is v.NOTHING:
        value = None
    name = kind.name
    if name in ("System.Object", SMA + "PSObject"):
        if name == SMA + "PSObject" and isinstance(value, Table):
            return custom_object(value.items())
        return value
    if kind.element is not None:
        return _to_array(value, kind, parameter)
    special = _CONVERTERS.get(name)
    if special is not None:
        return special(value, kind, parameter)
    if name in INTEGERS:
        return to_integer(value, kind)
    if name in ENUMS:
        return to_enum(value, kind)
    if value is None:
        return None
    if is_instance(value, kind):
        return value
    if kind.args or name in ("System.Collections.ArrayList", "System.Collections.Queue", "System.Collections.Stack"):
        return _to_collection(value, kind)
    if name in KNOWN_EXCEPTIONS and isinstance(value, str):
        return ExceptionObject(name, str(value))
    if name == "System.Array":
        return _to_array(value, resolve_type("object[]"), parameter)
    if isinstance(value, ExceptionObject) and name in exception_types(value.type_name):
        return value
    raise Unsupported(f"the conversion of a {type_name_of(value)} to [{kind.display}]")


def unwrap(value: Any) -> Any:
    """The primitive under a rebuilt value."""
    return value.base if isinstance(value, v.PsObject) and value.base is not None else value


def to_string(value: Any) -> str:
    """[string]."""
    if isinstance(value, datetime) and not isinstance(value, str):
        return to_text(value)
    return to_text(value)


def _string(value: Any, kind: PsType, parameter: bool) -> Any:
    if parameter and isinstance(value, (list, bytes, v.Collection)):
        raise runtime_error("Cannot convert value to type System.String.", "CannotConvertArgument", "InvalidType")
    if isinstance(value, (v.NumberToken, v.RealToken)):
        return value.text if parameter else to_text(int(value) if isinstance(value, int) else float(value))
    return to_text(value)


def _bool(value: Any, kind: PsType, parameter: bool) -> bool:
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


def _switch(value: Any, kind: PsType, parameter: bool) -> v.SwitchParameter:
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
            raise cast_error(
                value, kind, f"Value was either too large or too small for an {short}.", "InvalidCastIConvertible"
            )
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
        raise cast_error(
            value, kind, f"Value was either too large or too small for an {short}.", "InvalidCastIConvertible"
        )
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


def _double(value: Any, kind: PsType, parameter: bool) -> float:
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


def _decimal(value: Any, kind: PsType, parameter: bool) -> Decimal:
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


def _refuse(what: str) -> Any:
    raise Unsupported(what)


def _char(value: Any, kind: PsType, parameter: bool) -> v.Char:
    value = unwrap(value)
    if isinstance(value, v.Char):
        return value
    if isinstance(value, str):
        if len(v.utf16(value)) == 1:
            return v.Char(value)
        raise cast_error(value, kind, "String must be exactly one character long.", "InvalidCastConstructorException")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0x10000:
        return v.Char(chr(value))
    return v.Char(_refuse(f"the conversion of a {type_name_of(value)} to [char]"))


def parse_guid(text: str) -> uuid.UUID | None:
    """A GUID in one of the forms D, N, B, P; None otherwise."""
    body = text.strip()
    if (body[:1] == "{" and body[-1:] == "}") or (body[:1] == "(" and body[-1:] == ")"):
        body = body[1:-1]
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}", body):
        return uuid.UUID(body)
    return None


def _guid(value: Any, kind: PsType, parameter: bool) -> uuid.UUID:
    value = unwrap(value)
    if isinstance(value, uuid.UUID):
        return value
    if isinstance(value, str):
        found = parse_guid(value)
        if found is not None:
            return found
        raise cast_error(
            value,
            kind,
            "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).",
            "InvalidCastConstructorException",
        )
    if isinstance(value, (int, list, bool)) or value is None:
        raise no_cast(value, kind)
    return uuid.UUID(_refuse(f"the conversion of a {type_name_of(value)} to [guid]"))


def parse_datetime(text: str) -> datetime | None:
    """A date in ISO or US form; None when it certainly is no date, Unsupported when unsure."""
    body = text.strip()
    found = _ISO.fullmatch(body)
    if found is not None:
        year, month, day, hour, minute, second, fraction, zone = found.groups()
    else:
        us = _US.fullmatch(body)
        if us is None:
            if re.search(r"\d", body) or not body.isascii() or body == "" or _DATE_WORDS.search(body):
                raise Unsupported(f"the text {text!r} as a date")
            return None
        month, day, year, hour, minute, second = us.groups()
        fraction = zone = None
    if (fraction or "")[6:] not in ("", "0"):
        raise Unsupported("a date with tenths of microseconds")
    try:
        when = datetime(  # noqa: DTZ001 - kind Unspecified
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        )  # fmt: skip
    except ValueError:
        raise Unsupported(f"the text {text!r} as a date") from None
    if zone is None:
        return when
    if zone == "Z":
        return when.replace(tzinfo=v.LOCAL)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return when.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset)).astimezone(v.LOCAL)


_DATE_WORDS = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|am|pm|z)", re.I
)


def _datetime(value: Any, kind: PsType, parameter: bool) -> datetime:
    value = unwrap(value)
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        found = parse_datetime(value)
        if found is not None:
            return found
        raise cast_error(
            value,
            kind,
            "The string was not recognized as a valid DateTime. There is an unknown word starting at index 0."
            if value
            else BAD_FORMAT,
            "InvalidCastParseTargetInvocationWithFormatProvider",
        )
    if value is None or isinstance(value, (bool, list)):
        raise no_cast(value, kind)
    found = _refuse(f"the conversion of a {type_name_of(value)} to [datetime]")
    assert isinstance(found, datetime)
    return found


def parse_timespan(text: str) -> timedelta | None:
    """[-][d.]hh:mm[:ss[.f]], or whole days; None when it is certainly no span."""
    body = text.strip()
    if re.fullmatch(r"-?\d{1,8}", body):
        return timedelta(days=int(body))
    found = _SPAN.fullmatch(body)
    if found is None:
        if re.search(r"\d", body) or not body:
            raise Unsupported(f"the text {text!r} as a time span")
        return None
    sign, days, hours, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59 or (fraction or "")[6:] not in ("", "0"):
        raise Unsupported(f"the text {text!r} as a time span")
    span = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(7, "0")) // 10,
    )
    return -span if sign else span


def _timespan(value: Any, kind: PsType, parameter: bool) -> timedelta:
    value = unwrap(value)
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        found = parse_timespan(value)
        if found is not None:
            return found
        raise cast_error(
            value,
            kind,
            "String was not recognized as a valid TimeSpan.",
            "InvalidCastParseTargetInvocationWithFormatProvider",
        )
    if isinstance(value, int) and not isinstance(value, bool) and int(value) % 10 == 0:
        return timedelta(microseconds=int(value) // 10)
    if value is None:
        raise no_cast(value, kind)
    result = _refuse(f"the conversion of a {type_name_of(value)} to [timespan]")
    assert isinstance(result, timedelta)
    return result


def _uri(value: Any, kind: PsType, parameter: bool) -> Any:
    value = unwrap(value)
    if value is None or isinstance(value, v.PsUri):
        return value
    if isinstance(value, str):
        return v.PsUri(str(value))
    return _refuse(f"the conversion of a {type_name_of(value)} to [uri]")


def _version(value: Any, kind: PsType, parameter: bool) -> Any:
    value = unwrap(value)
    if value is None or isinstance(value, v.PsVersion):
        return value
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = to_text(value)
        if isinstance(value, float) or (isinstance(value, int) and "." not in text):
            text = text if "." in text else text + ".0"
        try:
            return v.PsVersion(text)
        except ValueError:
            raise cast_error(
                value,
                kind,
                "Version string portion was too short or too long.",
                "InvalidCastParseTargetInvocation",
            ) from None
    return _refuse(f"the conversion of a {type_name_of(value)} to [version]")


def to_enum(value: Any, kind: PsType) -> v.PsEnum:
    """A member by name, number or the member itself."""
    value = unwrap(value)
    if isinstance(value, v.PsEnum) and value.type_name == kind.name:
        return value
    if isinstance(value, v.PsEnum):
        value = value.value
    if isinstance(value, str):
        if "," in value and kind.name not in FLAGS:
            raise Unsupported(f"the text {value!r} as [{kind.name}]")
        found = enum_named(kind.name, value)
        if found is not None:
            return found
        if re.fullmatch(r"\s*-?\d+\s*", value):
            return to_enum(int(value), kind)
        prefixed = [n for n in ENUMS[kind.name] if n.lower().startswith(value.strip().lower())] if value.strip() else []
        if prefixed:
            if len(prefixed) == 1:
                return v.PsEnum(kind.name, prefixed[0], ENUMS[kind.name][prefixed[0]])
            raise Unsupported(f"the ambiguous name {value!r} for [{kind.name}]")
        names = ", ".join(ENUMS[kind.name])
        raise cast_error(
            value,
            kind,
            f"Unable to match the identifier name {value} to a valid enumerator name. Specify one of the following "
            f"enumerator names and try again:\n{names}",
            "InvalidCastFromStringToEnum",
        )
    if isinstance(value, int) and not isinstance(value, bool):
        found = enum_number(kind.name, int(value))
        if found is not None:
            return found
        if kind.name in FLAGS:
            raise Unsupported(f"the number {value} as [{kind.name}]")
        raise cast_error(
            value,
            kind,
            f"The value {value} is not a valid value for the enumeration {kind.name}.",
            "InvalidCastFromIntegerToEnum",
        )
    if value is None:
        raise no_cast(value, kind)
    result = _refuse(f"the conversion of a {type_name_of(value)} to [{kind.name}]")
    assert isinstance(result, v.PsEnum)
    return result


def _to_array(value: Any, kind: PsType, parameter: bool) -> Any:
    assert kind.element is not None
    element = kind.element.name
    if value is None:
        return None
    if isinstance(value, v.PsObject) and value.base is not None:
        value = value.base
    if type(value) is list and element == "System.Object":
        return value
    if isinstance(value, bytes) and element == "System.Byte":
        return value
    if isinstance(value, v.PsArray) and value.element == element:
        return value
    items: list[Any]
    if isinstance(value, (list, bytes, v.Collection, v.Enumerated)):
        items = [v.Byte(b) for b in value] if isinstance(value, bytes) else list(value)
    elif isinstance(value, str) and element == "System.Char" and not isinstance(value, v.Char):
        items = [v.Char(c) for c in v.utf16(value)]
    else:
        items = [value]
    made = [convert(item, kind.element, parameter=parameter) for item in items]
    if element == "System.Byte":
        return bytes(made)
    if element in ("System.Object", SMA + "PSObject"):
        return made
    return v.PsArray(element, made)


def _to_collection(value: Any, kind: PsType) -> Any:
    if not isinstance(value, (list, v.Collection, bytes)):
        raise Unsupported(f"the conversion of a {type_name_of(value)} to [{kind.display}]")
    if kind.args and kind.name != "System.Collections.Generic.List":
        raise Unsupported(f"the conversion to [{kind.display}]")
    element = kind.args[0] if kind.args else resolve_type("object")
    return v.Collection(kind.name, [convert(i, element) for i in value], element.name)


def _hashtable(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or (isinstance(value, Table) and value.kind == kind.name):
        return value
    if isinstance(value, Table):
        return Table(items=value.written())
    if isinstance(value, (str, int, float, list, v.PsObject, bool)):
        raise no_cast(value, kind)
    return _refuse(f"the conversion of a {type_name_of(value)} to [hashtable]")


def _ordered(value: Any, kind: PsType, parameter: bool) -> Any:
    if isinstance(value, Table) and value.ordered:
        return value
    return _refuse("[ordered] on something that is not a hash literal")


def _dictionary(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or isinstance(value, Table):
        return value
    raise no_cast(value, kind)


def _secure(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or isinstance(value, v.SecureString):
        return value
    raise no_cast(value, kind)


def _credential(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or isinstance(value, v.PSCredential):
        return value
    if isinstance(value, str) and not parameter:
        raise no_cast(value, kind)
    return _refuse(f"the conversion of a {type_name_of(value)} to [pscredential]")


def _regex(value: Any, kind: PsType, parameter: bool) -> Any:
    from s2slib.lab.powershell.regex import PsRegex

    if isinstance(value, PsRegex):
        return value
    if isinstance(value, str):
        return PsRegex(str(value))
    return _refuse(f"the conversion of a {type_name_of(value)} to [regex]")


def _type(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or isinstance(value, PsType):
        return value
    if isinstance(value, str):
        return resolve_type(value)
    return _refuse(f"the conversion of a {type_name_of(value)} to [type]")


def _culture(value: Any, kind: PsType, parameter: bool) -> Any:
    from s2slib.lab.powershell.culture import Culture, culture_named

    if value is None or isinstance(value, Culture):
        return value
    if isinstance(value, str):
        return culture_named(value)
    return _refuse(f"the conversion of a {type_name_of(value)} to [cultureinfo]")


def _scriptblock(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or getattr(value, "ps_type", "") == SMA + "ScriptBlock":
        return value
    raise no_cast(value, kind)


def _void(value: Any, kind: PsType, parameter: bool) -> Any:
    return v.NOTHING


_CONVERTERS: dict[str, Callable[[Any, PsType, bool], Any]] = {
    "System.String": _string,
    "System.Boolean": _bool,
    SMA + "SwitchParameter": _switch,
    "System.Double": _double,
    "System.Decimal": _decimal,
    "System.Char": _char,
    "System.Guid": _guid,
    "System.DateTime": _datetime,
    "System.TimeSpan": _timespan,
    "System.Uri": _uri,
    "System.Version": _version,
    "System.Collections.Hashtable": _hashtable,
    "System.Collections.IDictionary": _dictionary,
    "ordered": _ordered,
    "System.Security.SecureString": _secure,
    SMA + "PSCredential": _credential,
    "System.Text.RegularExpressions.Regex": _regex,
    "System.Type": _type,
    "System.Globalization.CultureInfo": _culture,
    SMA + "ScriptBlock": _scriptblock,
    "System.Void": _void,
}


def custom_object(items: Any) -> v.PsObject:
    """A PSCustomObject from name-value pairs."""
    return v.PsObject(v.CUSTOM_OBJECT, {to_text(k): val for k, val in items})


def try_convert(value: Any, kind: PsType) -> Any:
    """`-as`: the value as the type, or None."""
    try:
        return convert(value, kind)
    except PsError:
        return None


def utc(when: datetime) -> datetime:
    """ToUniversalTime(): an unspecified kind counts as local, and the lab's servers keep UTC."""
    return (when if when.tzinfo is not None else when.replace(tzinfo=v.LOCAL)).astimezone(UTC)


def number_text(value: Any) -> str:
    """A number without culture, for messages."""
    return decimal_text(value) if isinstance(value, Decimal) else to_text(value)


__all__ = [
    "ErrorRecord",
    "convert",
    "custom_object",
    "ordered_table",
    "parse_datetime",
    "parse_guid",
    "to_enum",
    "truth",
    "type_of",
    "utc",
]
