"""Format strings: the -f operator and ToString("..."). A specifier not known here is refused."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.culture import EN_US, INVARIANT, Culture
from s2slib.lab.powershell.errors import Unsupported, runtime_error
from s2slib.lab.powershell.text import datetime_text, element_text, timespan_text, to_text
from s2slib.lab.powershell.types import type_of

_ITEM = re.compile(r"\{\{|\}\}|\{(\d+)\s*(?:,\s*(-?\d+)\s*)?(?::((?:[^{}]|\{\{|\}\})*))?\}|[{}]")
_DATE = re.compile(r"y+|M+|d+|H+|h+|m+|s+|f+|F+|t+|z+|K|'[^']*'|\"[^\"]*\"|\\.|%.|.", re.S)
_DAYS = v.words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MONTHS = v.words("January February March April May June July August September October November December")


def composite(template: str, args: list[Any], culture: Culture) -> str:
    """String.Format."""

    def one(found: re.Match[str]) -> str:
        whole = found[0]
        if whole in ("{{", "}}"):
            return whole[0]
        if found[1] is None:
            raise _bad_format("Input string was not in a correct format.")
        index = int(found[1])
        if index >= len(args):
            raise _bad_format(
                "Index (zero based) must be greater than or equal to zero and less than the size of the argument list."
            )
        text = format_value(args[index], (found[3] or "").replace("{{", "{").replace("}}", "}"), culture)
        width = int(found[2] or 0)
        return text.ljust(-width) if width < 0 else text.rjust(width)

    return v.join_surrogates(_ITEM.sub(one, template))


def _bad_format(why: str) -> Exception:
    return runtime_error(f"Error formatting a string: {why}.", "FormatError", "InvalidOperation")


def format_value(value: Any, spec: str, culture: Culture) -> str:
    """The value in the format; '' is its own text in the culture."""
    if isinstance(value, v.PsObject) and value.base is not None and spec:
        value = value.base
    if value is None:
        return ""
    if isinstance(value, (bool, str, v.PsUri, v.PsVersion)):
        return to_text(value)
    if isinstance(value, (int, float, Decimal)):
        return _number(value, spec, culture)
    if isinstance(value, datetime):
        return format_datetime(value, spec or "G", culture)
    if isinstance(value, timedelta):
        return _timespan(value, spec)
    if isinstance(value, uuid.UUID):
        return format_guid(value, spec)
    if isinstance(value, v.PsEnum):
        if spec in ("", "G", "g", "F", "f"):
            return str(value)
        if spec in ("D", "d"):
            return str(value.value)
        raise Unsupported(f"the format {spec!r} for an enum")
    if isinstance(value, (list, bytes, v.Collection)):
        return type_of(value).display
    if spec:
        raise Unsupported(f"the format {spec!r} for a {type_of(value).display}")
    return element_text(value)


def format_guid(value: uuid.UUID, spec: str) -> str:
    """D, N, B and P."""
    kind = spec.upper() or "D"
    if kind == "D":
        return str(value)
    if kind == "N":
        return value.hex
    if kind in ("B", "P"):
        return ("{" + str(value) + "}") if kind == "B" else f"({value})"
    raise Unsupported(f"the format {spec!r} for a GUID")


def _timespan(value: timedelta, spec: str) -> str:
    if spec in ("", "c", "t", "T"):
        return timespan_text(value)
    if value < timedelta(0) or not re.fullmatch(r"((hh|mm|ss|h|m|s|d+)|\\.|'[^']*')+", spec):
        raise Unsupported(f"the format {spec!r} for a TimeSpan")
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    numbers = {"d": value.days, "h": hours, "m": minutes, "s": seconds}

    def one(found: re.Match[str]) -> str:
        token = found[0]
        if token[0] == "\\":
            return token[1]
        if token[0] == "'":
            return token[1:-1]
        return str(numbers[token[0]]).zfill(len(token))

    return re.sub(r"hh|mm|ss|h|m|s|d+|\\.|'[^']*'", one, spec)


# -- numbers


def _group(digits: str, culture: Culture) -> str:
    head = len(digits) % 3
    parts = ([digits[:head]] if head else []) + [digits[i : i + 3] for i in range(head, len(digits), 3)]
    return culture.group.join(parts)


def _rounded(value: Any, places: int) -> Decimal:
    quantum = Decimal(1).scaleb(-places)
    if isinstance(value, float):
        near = Decimal(repr(value)).quantize(quantum, ROUND_HALF_UP)
        if near != Decimal(value).quantize(quantum, ROUND_HALF_UP):
            raise Unsupported(f"the rounding of {value!r}, which PowerShell versions do differently")
        return near
    return Decimal(value).quantize(quantum, ROUND_HALF_UP)


def _number(value: Any, spec: str, culture: Culture) -> str:
    if spec == "":
        text = to_text(value)
        return text.replace(".", culture.decimal_point)
    found = re.fullmatch(r"([A-Za-z])(\d{0,2})", spec)
    if found is None:
        return _custom_number(value, spec, culture)
    kind, digits = found[1].upper(), found[2]
    if kind == "D" and isinstance(value, int):
        return ("-" if value < 0 else "") + str(abs(int(value))).zfill(int(digits or 0))
    if kind == "X" and isinstance(value, int):
        number = int(value)
        if number < 0:
            if not isinstance(value, v.PsInt) and number >= v.INT32_MIN:
                number &= 0xFFFFFFFF
            elif type_of(value).name == "System.Int64":
                number &= 0xFFFFFFFFFFFFFFFF
            else:
                raise Unsupported("a negative number of this type in hexadecimal")
        text = f"{number:X}" if found[1] == "X" else f"{number:x}"
        return text.zfill(int(digits or 0))
    if kind in "NF":
        places = int(digits or 2)
        number_ = _rounded(value, places)
        whole, _, fraction = format(abs(number_), "f").partition(".")
        if kind == "N":
            whole = _group(whole, culture)
        if number_ == 0 and value < 0:
            raise Unsupported("a negative number that rounds to zero")
        return ("-" if number_ < 0 else "") + whole + (culture.decimal_point + fraction if fraction else "")
    if kind == "G" and not digits:
        return _number(value, "", culture)
    if kind == "R" and isinstance(value, float):
        return _number(value, "", culture)
    raise Unsupported(f"the format {spec!r} for a number")


def _custom_number(value: Any, spec: str, culture: Culture) -> str:
    found = re.fullmatch(r"(#,##)?(#*0*|0*)(?:\.(0*)(#*))?", spec)
    if found is None or not spec.strip("#,."):
        raise Unsupported(f"the format {spec!r} for a number")
    grouped, whole_part, zeros, hashes = found[1], found[2], found[3] or "", found[4] or ""
    number = _rounded(value, len(zeros) + len(hashes))
    whole, _, fraction = format(abs(number), "f").partition(".")
    fraction = fraction[: len(zeros)] + fraction[len(zeros) :].rstrip("0")
    whole = whole.lstrip("0").zfill(whole_part.count("0"))
    if grouped:
        whole = _group(whole, culture)
    if number < 0 or (number == 0 and value < 0):
        if number == 0:
            raise Unsupported("a negative number that rounds to zero")
        whole = "-" + whole
    return whole + (culture.decimal_point + fraction if fraction else "")


# -- dates


def format_datetime(when: datetime, spec: str, culture: Culture) -> str:
    """A DateTime in a standard or custom format."""
    if len(spec) == 1:
        if spec in "oO":
            return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06d}0{_kind_suffix(when)}".replace(
                f"{when:%Y}", f"{when.year:04d}", 1
            )
        if spec == "s":
            return format_datetime(when, "yyyy-MM-ddTHH:mm:ss", INVARIANT)
        if spec == "u":
            return format_datetime(when, "yyyy-MM-dd HH:mm:ss'Z'", INVARIANT)
        if spec in "rR":
            return format_datetime(when, "ddd, dd MMM yyyy HH:mm:ss 'GMT'", INVARIANT)
        patterns = _PATTERNS.get(culture.name, {})
        if spec not in patterns:
            raise Unsupported(f"the date format {spec!r} in the culture {culture.name!r}")
        return format_datetime(when, patterns[spec], culture)
    return "".join(_date_token(t, when, culture) for t in _DATE.findall(spec))


_PATTERNS = {
    "": {"G": "MM/dd/yyyy HH:mm:ss", "d": "MM/dd/yyyy", "t": "HH:mm", "T": "HH:mm:ss", "g": "MM/dd/yyyy HH:mm"},
    "en-US": {"G": "M/d/yyyy h:mm:ss tt", "d": "M/d/yyyy", "t": "h:mm tt", "T": "h:mm:ss tt", "g": "M/d/yyyy h:mm tt"},
}


def _kind_suffix(when: datetime) -> str:
    if when.tzinfo is None:
        return ""
    return "+00:00" if when.tzinfo is v.LOCAL else "Z"


def _date_token(token: str, when: datetime, culture: Culture) -> str:
    c, n = token[0], len(token)
    if c in "'\"":
        return token[1:-1]
    if c in "\\%":
        if c == "%":
            return _date_token(token[1], when, culture)
        return token[1]
    if c == "K":
        return _kind_suffix(when)
    if c == "z":
        if n == 3:
            return "+00:00"
        raise Unsupported(f"the date format token {token!r}")
    if c in "fF":
        if c == "F" or n > 7:
            raise Unsupported(f"the date format token {token!r}")
        return f"{when.microsecond:06d}0"[:n]
    if c in "yMdHhmst":
        return _date_number(c, n, token, when, culture)
    if c == "/":
        return culture.date_separator
    if c.isalpha() and c not in "T":
        raise Unsupported(f"the letter {c!r} in a date format")
    return c


def _date_number(c: str, n: int, token: str, when: datetime, culture: Culture) -> str:
    if c in "Md" and n >= 3 and culture not in (INVARIANT, EN_US):
        raise Unsupported("names of days and months in this culture")
    if c == "M" and n in (3, 4):
        return _MONTHS[when.month - 1][: 3 if n == 3 else None]
    if c == "d" and n in (3, 4):
        return _DAYS[when.weekday()][: 3 if n == 3 else None]
    if c == "t" and n <= 2:
        return ("AM" if when.hour < 12 else "PM")[:n]
    if c == "y" and n in (2, 4):
        return f"{when.year:04d}"[-n:]
    numbers = {
        "M": when.month,
        "d": when.day,
        "H": when.hour,
        "h": (when.hour + 11) % 12 + 1,
        "m": when.minute,
        "s": when.second,
    }
    if c in numbers and n <= 2:
        return str(numbers[c]).zfill(n)
    raise Unsupported(f"the date format token {token!r}")


def current_text(value: Any, culture: Culture) -> str:
    """ToString() without arguments: in the current culture."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return _number(value, "", culture)
    if isinstance(value, datetime):
        if culture.name not in _PATTERNS:
            raise Unsupported(f"a date in the culture {culture.name!r}")
        return format_datetime(value, "G", culture)
    return datetime_text(value) if isinstance(value, datetime) else element_text(value)
