"""Conversions as PowerShell makes them: casts, parameters, operators; with its errors, or a refusal."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert_scalars import (
    BAD_FORMAT,
    INTEGERS,
    cast_error,
    no_cast,
    refuse,
    to_bool,
    to_char,
    to_decimal,
    to_double,
    to_integer,
    to_string,
    to_switch,
    unwrap,
)
from s2slib.lab.powershell.enums import ENUMS, FLAGS, enum_named, enum_number
from s2slib.lab.powershell.errors import (
    KNOWN_EXCEPTIONS,
    ExceptionObject,
    PsError,
    Unsupported,
    exception_types,
)
from s2slib.lab.powershell.read_text import parse_datetime, parse_guid, parse_timespan
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType, is_instance, resolve_type, type_name_of


def convert(value: Any, kind: PsType, *, parameter: bool = False) -> Any:
    """The value as the type; `parameter` for the stricter rules of parameter binding. Raises PsError or Unsupported."""
    if value is v.NOTHING:
        value = None
    name = kind.name
    if name in ("System.Object", SMA + "PSObject"):
        return value  # a hashtable stays one; only the written [pscustomobject] makes an object of it
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
    return uuid.UUID(refuse(f"the conversion of a {type_name_of(value)} to [guid]"))


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
    found = refuse(f"the conversion of a {type_name_of(value)} to [datetime]")
    assert isinstance(found, datetime)
    return found


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
        raise Unsupported(f"$null as [{kind.name}]")
    result = refuse(f"the conversion of a {type_name_of(value)} to [timespan]")
    assert isinstance(result, timedelta)
    return result


def _uri(value: Any, kind: PsType, parameter: bool) -> Any:
    value = unwrap(value)
    if value is None or isinstance(value, v.PsUri):
        return value
    if isinstance(value, str):
        return v.PsUri(str(value))
    return refuse(f"the conversion of a {type_name_of(value)} to [uri]")


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
    return refuse(f"the conversion of a {type_name_of(value)} to [version]")


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
        raise Unsupported(f"$null as [{kind.name}]")
    result = refuse(f"the conversion of a {type_name_of(value)} to [{kind.name}]")
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
    text = element == "System.String"  # only for a parameter that takes one text is a list of texts refused
    made = [convert(i, kind.element, parameter=parameter and not (text and isinstance(i, list))) for i in items]
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
    return refuse(f"the conversion of a {type_name_of(value)} to [hashtable]")


def _ordered(value: Any, kind: PsType, parameter: bool) -> Any:
    if isinstance(value, Table) and value.ordered:
        return value
    return refuse("[ordered] on something that is not a hash literal")


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
    return refuse(f"the conversion of a {type_name_of(value)} to [pscredential]")


def _regex(value: Any, kind: PsType, parameter: bool) -> Any:
    from s2slib.lab.powershell.regex import PsRegex

    if isinstance(value, PsRegex):
        return value
    if isinstance(value, str):
        return PsRegex(str(value))
    return refuse(f"the conversion of a {type_name_of(value)} to [regex]")


def _type(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or isinstance(value, PsType):
        return value
    if isinstance(value, str):
        return resolve_type(value)
    return refuse(f"the conversion of a {type_name_of(value)} to [type]")


def _culture(value: Any, kind: PsType, parameter: bool) -> Any:
    from s2slib.lab.powershell.culture import Culture, culture_named

    if value is None or isinstance(value, Culture):
        return value
    if isinstance(value, str):
        return culture_named(value)
    return refuse(f"the conversion of a {type_name_of(value)} to [cultureinfo]")


def _scriptblock(value: Any, kind: PsType, parameter: bool) -> Any:
    if value is None or getattr(value, "ps_type", "") == SMA + "ScriptBlock":
        return value
    raise no_cast(value, kind)


def _void(value: Any, kind: PsType, parameter: bool) -> Any:
    return v.NOTHING


_CONVERTERS: dict[str, Callable[[Any, PsType, bool], Any]] = {
    "System.String": to_string,
    "System.Boolean": to_bool,
    SMA + "SwitchParameter": to_switch,
    "System.Double": to_double,
    "System.Decimal": to_decimal,
    "System.Char": to_char,
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
