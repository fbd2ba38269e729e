"""JSON as Windows PowerShell 5.1 reads and writes it; where later versions differ in ways no mark tells, it is refused."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import decimal_text, double_text, to_text
from s2slib.lab.powershell.types import type_of

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            "'": "\\u0027", "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\x85": "\\u0085", "\u2028": "\\u2028",
            "\u2029": "\\u2029"}  # fmt: skip
_NEEDS_ESCAPE = re.compile("[\x00-\x1f\"\\\\'<>&\x85\u2028\u2029]")


def quote(text: str) -> str:
    """A string literal: 5.1 writes ' < > & as \\u00XX."""
    return '"' + _NEEDS_ESCAPE.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def write(value: Any, max_depth: int, *, compress: bool) -> str:
    """ConvertTo-Json of one value."""
    if not compress and _is_structure(value):
        raise Unsupported("ConvertTo-Json without -Compress, whose layout PowerShell versions write differently")
    return _value(value, 0, max_depth)


def _is_structure(value: Any) -> bool:
    if isinstance(value, (list, v.Collection, v.Enumerated, bytes)):
        return True
    return isinstance(value, (Table, v.PsObject))


def _value(value: Any, depth: int, limit: int) -> str:
    if value is None or value is v.NOTHING:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, v.Single):
        raise Unsupported("a Single in JSON")
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, v.PsEnum):
        return str(value.value)
    if isinstance(value, (uuid.UUID, v.PsUri)):
        return quote(str(value))
    if isinstance(value, (datetime, timedelta, v.PsVersion)):
        raise Unsupported(f"a {type_of(value).name} in JSON")
    if isinstance(value, v.PsObject) and value.base is not None:
        inner = _value(value.base, depth, limit)
        pairs = [("value", inner), *[(k, _value(x, depth + 1, limit)) for k, x in value.properties.items()]]
        return "{" + ",".join(f"{quote(k)}:{x}" for k, x in pairs) + "}"
    if depth > limit:
        return quote(_beyond(value))
    return _structure(value, depth, limit)


def _structure(value: Any, depth: int, limit: int) -> str:
    if isinstance(value, (list, v.Collection, v.Enumerated)):
        return "[" + ",".join(_value(i, depth + 1, limit) for i in value) + "]"
    if isinstance(value, bytes):
        return "[" + ",".join(str(b) for b in value) + "]"
    if isinstance(value, Table):
        pairs = [(to_text(k), x) for k, x in value.items()]
    elif isinstance(value, v.PsObject):
        pairs = list(value.properties.items())
    elif isinstance(value, v.SecureString):
        return f'{{"Length":{len(value)}}}'
    elif isinstance(value, v.SwitchParameter):
        return '{"IsPresent":' + ("true" if value.present else "false") + "}"
    else:
        raise Unsupported(f"a {type_of(value).display} in JSON")
    return "{" + ",".join(f"{quote(k)}:{_value(x, depth + 1, limit)}" for k, x in pairs) + "}"


def _beyond(value: Any) -> str:
    """What is written for a structure nested deeper than the depth."""
    if isinstance(value, Table) and value.type_arguments:
        raise Unsupported("a dictionary nested deeper than the depth in JSON")
    return to_text(value)


def _double(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise Unsupported("NaN or infinity in JSON")
    text = double_text(value)
    if "E" not in text and "." not in text:
        return text + ".0" if abs(value) < 1e15 and value == int(value) and _newer_differs() else text
    return text


def _newer_differs() -> bool:
    raise Unsupported("a Double without fraction in JSON, which PowerShell versions write differently")


# -- reading


class NotJson(Exception):
    """The text is not JSON: the message of 5.1."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class DuplicateKeys(Exception):
    """Two keys of an object differ in case only, or not at all."""

    def __init__(self, first: str, second: str) -> None:
        self.first, self.second = first, second


def read(text: str) -> Any:
    """ConvertFrom-Json of one text. Objects become custom objects, fractions Decimals, arrays object[].

    Raises NotJson, DuplicateKeys, or Unsupported for texts that JSON readers treat differently.
    """
    if text.strip(" \t\r\n") == "":
        return None
    try:
        return json.loads(
            _strict(text), object_pairs_hook=_object, parse_float=_fraction, parse_int=_whole, parse_constant=_constant
        )
    except json.JSONDecodeError:
        raise _mistake(text) from None
    except RecursionError:
        raise Unsupported("JSON nested this deeply") from None


def _strict(text: str) -> str:
    if "\\/Date(" in text:
        raise Unsupported("a date in JSON")
    if text.startswith("{'"):
        return _single_quoted(text)
    return text


def _single_quoted(text: str) -> str:
    """The simple form {'a':1} that both readers take."""
    if '"' in text or "\\" in text:
        raise Unsupported("JSON with single quotes")
    return text.replace("'", '"')


def _mistake(text: str) -> BaseException:
    if re.fullmatch(r"\{[A-Za-z]+", text):
        return NotJson(f"Invalid object passed in, ':' or '}}' expected. ({len(text)}): {text}")
    if re.fullmatch(r"[A-Za-z]+", text):
        return NotJson(f"Invalid JSON primitive: {text}.")
    return Unsupported(f"text that is not strictly JSON: {text[:40]!r}")


def _object(pairs: list[tuple[str, Any]]) -> v.PsObject:
    made: dict[str, Any] = {}
    seen: dict[str, str] = {}
    for key, value in pairs:
        if key == "":
            raise Unsupported("JSON with an empty key")
        low = key.lower()
        if low in seen:
            if seen[low] == key:
                made[key] = value  # the last one counts
                continue
            raise DuplicateKeys(seen[low], key)
        seen[low] = key
        made[key] = value
    return v.PsObject(v.CUSTOM_OBJECT, made)


def _fraction(text: str) -> Any:
    if "e" in text.lower():
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise Unsupported("a number of this size in JSON")
        return number
    return v.JsonDecimal(text)


def _whole(text: str) -> Any:
    number = int(text)
    if not v.INT64_MIN <= number <= v.INT64_MAX:
        raise Unsupported("a number of this size in JSON")
    return number


def _constant(text: str) -> Any:
    raise Unsupported(f"{text} in JSON")
