"""Infix and prefix operators on values: arithmetic, comparison, -like, -match, -split, -join, -f and the rest."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert, parse_guid, truth, try_convert, unwrap
from s2slib.lab.powershell.culture import Culture
from s2slib.lab.powershell.enums import ENUMS, FLAGS, enum_named
from s2slib.lab.powershell.errors import PsError, Unsupported, runtime_error
from s2slib.lab.powershell.format import composite
from s2slib.lab.powershell.regex import PsRegex, like
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import join, to_text
from s2slib.lab.powershell.types import PsType, is_instance, named, resolve_type, type_name_of, type_of

Number = int | float | Decimal
_SYMBOLS = " _./:,\\@"


def is_number(value: Any) -> bool:
    """Int, Double or Decimal; not Boolean."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def items_of(value: Any) -> list[Any] | None:
    """The elements of an array-like value, or None."""
    if isinstance(value, v.PsObject) and value.base is not None:
        value = value.base
    if isinstance(value, list):
        return value
    if isinstance(value, bytes):
        return [v.Byte(b) for b in value]
    if isinstance(value, (v.Collection, v.Enumerated)):
        return list(value.items)
    return None


# -- arithmetic


def _number(value: Any) -> Number:
    """An operand as a number: texts are read, null is 0."""
    value = unwrap(value)
    if value is None:
        return 0
    if isinstance(value, v.Char):
        return ord(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"[+-]?\d+", text, re.ASCII):
            whole = int(text)
            if v.INT64_MIN <= whole <= v.INT64_MAX:
                return whole
        elif re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?", text, re.ASCII):
            return float(text)
        elif text == "":
            return 0
        elif re.search(r"[A-Za-z]", text) and not re.match(r"0[xX]|[\d.]+([kmgtp]b|[ld])$|nan|inf", text, re.I):
            raise runtime_error(
                f'Cannot convert value "{value}" to type "System.Int32". Error: "Input string was not in a correct format."',
                "InvalidCastFromStringToInteger",
                "InvalidArgument",
            )
        raise Unsupported(f"the text {value!r} as a number")
    if isinstance(value, (int, float, Decimal)):
        type_of(value)  # refuses a fraction from JSON
        return value
    if isinstance(value, v.PsEnum):
        return value.value
    raise Unsupported(f"arithmetic on a {type_name_of(value)}")


def _rank(value: Number) -> str:
    name = type_of(value).name
    return {
        "System.Byte": "int", "System.SByte": "int", "System.Int16": "int", "System.UInt16": "int", "System.Int32": "int",
        "System.Int64": "long", "System.Double": "double", "System.Decimal": "decimal",
    }.get(name) or _refuse(f"arithmetic on [{name}]")  # fmt: skip


def _refuse(what: str) -> Any:
    raise Unsupported(what)


def _whole(result: int, rank: str) -> Number:
    if rank == "int":
        return result if v.INT32_MIN <= result <= v.INT32_MAX else float(result)
    if not v.INT64_MIN <= result <= v.INT64_MAX:
        return float(result)
    return v.Int64(result) if v.INT32_MIN <= result <= v.INT32_MAX else result


def _numeric(op: str, left: Number, right: Number) -> Number:
    ranks = {_rank(left), _rank(right)}
    if "decimal" in ranks:
        if "double" in ranks:
            raise Unsupported("Decimal and Double in one operation")
        a, b = Decimal(left), Decimal(right)
        if op in "/%" and b == 0:
            raise _by_zero()
        if op == "/":
            raise Unsupported("Decimal division")
        return {"+": a + b, "-": a - b, "*": a * b}.get(op, Decimal(0)) if op != "%" else a % b
    if "double" in ranks:
        return _real(op, float(left), float(right))
    rank = "long" if "long" in ranks else "int"
    x, y = int(left), int(right)
    if op == "+":
        return _whole(x + y, rank)
    if op == "-":
        return _whole(x - y, rank)
    if op == "*":
        return _whole(x * y, rank)
    if y == 0:
        raise _by_zero()
    if op == "%":
        rest = abs(x) % abs(y)  # the sign of the left operand
        return _whole(-rest if x < 0 else rest, rank)
    return _whole(x // y, rank) if x % y == 0 else x / y


def _real(op: str, a: float, b: float) -> float:
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    if b == 0:
        raise Unsupported("a Double divided by zero")
    return a / b if op == "/" else math.fmod(a, b)


def _by_zero() -> PsError:
    return runtime_error("Attempted to divide by zero.", "RuntimeException", "NotSpecified")


def arithmetic(op: str, left: Any, right: Any) -> Any:
    """+ - * / %."""
    left, right = unwrap(left), unwrap(right)
    if op == "+":
        return _plus(left, right)
    if op == "*":
        return _times(left, right)
    if isinstance(left, (datetime, timedelta)):
        return _time_minus(op, left, right)
    if isinstance(left, (list, Table, v.PsObject)) or isinstance(right, (list, Table, v.PsObject)):
        side = left if isinstance(left, (list, Table, v.PsObject)) else right
        name = {"-": "op_Subtraction", "/": "op_Division", "%": "op_Modulus"}[op]
        if side is right:
            raise Unsupported("arithmetic with an array or object on the right")
        raise runtime_error(
            f"Method invocation failed because [{type_name_of(side)}] does not contain a method named '{name}'.",
            "MethodNotFound",
            "InvalidOperation",
        )
    return _numeric(op, _number(left), _number(right))


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, str) and not isinstance(left, v.Char):
        return v.join_surrogates(left + to_text(right))
    if isinstance(left, v.Char):
        return (
            v.join_surrogates(str(left) + to_text(right))
            if isinstance(right, str)
            else _numeric("+", ord(left), _number(right))
        )
    if left is None:
        return right
    items = items_of(left)
    if items is not None:
        more = items_of(right)
        return [*items, *(more if more is not None else [right])]
    if isinstance(left, Table):
        if not isinstance(right, Table):
            raise runtime_error(
                "A hash table can only be added to another hash table.",
                "AddHashTableToNonHashTable",
                "InvalidOperation",
            )
        made = left.copy()
        for key, value in right.written():
            if made.has(key):
                raise runtime_error(
                    f"Item has already been added. Key in dictionary: '{to_text(key)}'  Key being added: '{to_text(key)}'",
                    "System.ArgumentException",
                    "OperationStopped",
                )
            made.set(key, value)
        return made
    if isinstance(left, (datetime, timedelta)):
        if isinstance(right, timedelta):
            return left + right
        raise Unsupported("this sum with a time")
    if isinstance(left, v.PsObject):
        raise runtime_error(
            f"Method invocation failed because [{type_name_of(left)}] does not contain a method named 'op_Addition'.",
            "MethodNotFound",
            "InvalidOperation",
        )
    return _numeric("+", _number(left), _number(right))


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, str) and not isinstance(left, v.Char):
        count = _number(right)
        if not isinstance(count, int) or count < 0 or count * max(len(left), 1) > 50_000_000:
            raise Unsupported(f"a text times {to_text(right)}")
        return left * count
    items = items_of(left)
    if items is not None:
        count = _number(right)
        if not isinstance(count, int) or count < 0 or count * max(len(items), 1) > 1_000_000:
            raise Unsupported("an array times this number")
        return items * count
    if isinstance(left, timedelta) or isinstance(right, timedelta):
        raise Unsupported("the product with a TimeSpan")
    return _numeric("*", _number(left), _number(right))


def _time_minus(op: str, left: Any, right: Any) -> Any:
    if op != "-":
        raise Unsupported(f"{op} on a time")
    if isinstance(right, str) and isinstance(left, datetime):
        right = convert(right, named("System.DateTime"))
    if isinstance(right, timedelta):
        return left - right
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left.replace(tzinfo=None) - right.replace(tzinfo=None)  # .NET subtracts ticks whatever the kinds
    raise Unsupported("this difference of times")


def negate(value: Any) -> Any:
    """Unary minus."""
    return _numeric("-", 0, _number(value))


def bitwise(op: str, left: Any, right: Any) -> Any:
    """-band -bor -bxor."""
    left, right = unwrap(left), unwrap(right)
    if isinstance(left, v.PsEnum) or isinstance(right, v.PsEnum):
        side = left if isinstance(left, v.PsEnum) else right
        if side.type_name not in FLAGS:
            raise Unsupported("bits of an enum")
        kind = named(side.type_name)
        a, b = convert(left, kind).value, convert(right, kind).value
        total = {"band": a & b, "bor": a | b, "bxor": a ^ b}[op]
        names = [n for n, number in ENUMS[side.type_name].items() if number and total & number == number]
        return v.PsEnum(side.type_name, ", ".join(names) or "None", total)
    x, y = _number(left), _number(right)
    if not isinstance(x, int) or not isinstance(y, int):
        raise Unsupported("bits of a number that is not whole")
    rank = "long" if "long" in (_rank(x), _rank(y)) else "int"
    return _whole({"band": x & y, "bor": x | y, "bxor": x ^ y}[op], rank)


# -- comparison


def _safe(text: str) -> bool:
    """Whether linguistic and ordinal comparison of the text agree when the texts differ."""
    return all(
        " " <= c <= "~" or c in "\t\r\n" or ("\u00c0" <= c <= "\u017e" and c not in "\u00c6\u00df\u00e6\u0152\u0153\u0132\u0133")
        or "\u4e00" <= c <= "\u9fff"
        for c in text
    )  # fmt: skip


def same_text(left: str, right: str, ignore_case: bool) -> bool:
    """Text equality; refused where culture rules could call different texts equal."""
    if left == right:
        return True
    if left.isascii() and right.isascii() and "\0" not in left and "\0" not in right:
        return ignore_case and left.lower() == right.lower()
    if ignore_case and left.lower() == right.lower():
        return True
    if _safe(left) and _safe(right):
        return False
    if not (left and right) and all(c.isprintable() and not c.isspace() for c in left + right):
        return False
    raise Unsupported("the comparison of texts with characters that cultures may ignore")


def compare_text(left: str, right: str, ignore_case: bool) -> int:
    """Order of two texts as cultures have it, for letters, digits and a few symbols; else refused."""
    if left == right:
        return 0
    if "-" in left or "-" in right:
        if [i for i, c in enumerate(left) if c == "-"] != [i for i, c in enumerate(right) if c == "-"]:
            raise Unsupported("the order of texts with hyphens")
        left, right = left.replace("-", ""), right.replace("-", "")
    for text in (left, right):
        if not all(c.isascii() and (c.isalnum() or c in _SYMBOLS) for c in text):
            raise Unsupported(f"the order of the text {text!r}")
    for a, b in zip(left.lower(), right.lower(), strict=False):
        if a == b:
            continue
        if not a.isalnum() and not b.isalnum():
            raise Unsupported(f"the order of {a!r} and {b!r}")
        if a.isalnum() != b.isalnum():
            return 1 if a.isalnum() else -1
        return -1 if a < b else 1
    if len(left) != len(right):
        return -1 if len(left) < len(right) else 1
    if ignore_case:
        return 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            return -1 if a.islower() else 1  # cultures put the small letter first
    return 0


def equal(left: Any, right: Any, ignore_case: bool = True) -> bool:
    """`left -eq right` for a single left value."""
    left, right = unwrap(left), unwrap(right)
    if left is None or right is None:
        return left is None and right is None
    if isinstance(left, str):
        return same_text(left, _right_text(right), ignore_case)
    if isinstance(left, bool):
        return left == truth(right)
    if isinstance(left, (int, float, Decimal)):
        other = _as_number(right)
        return other is not None and left == other
    if isinstance(left, v.SwitchParameter):
        return left.present == truth(right)
    if isinstance(left, v.PsEnum):
        if isinstance(right, str):
            found = enum_named(left.type_name, right) if left.type_name in ENUMS else None
            if found is None and left.type_name not in ENUMS:
                return left.name.lower() == right.lower()
            return found is not None and found.value == left.value
        if isinstance(right, int) and not isinstance(right, bool):
            return left.value == int(right)
        return bool(left == right)
    if isinstance(left, uuid.UUID):
        return left == (parse_guid(right) if isinstance(right, str) else right)
    if isinstance(left, datetime):
        other = try_convert(right, named("System.DateTime"))
        return isinstance(other, datetime) and left.replace(tzinfo=None) == other.replace(tzinfo=None)
    if isinstance(left, (timedelta, v.PsVersion, v.PsUri)):
        return bool(left == try_convert(right, type_of(left)))
    if isinstance(left, PsType):
        return bool(left == (resolve_type(right) if isinstance(right, str) else right))
    return left is right


def _right_text(value: Any) -> str:
    items = items_of(value)
    if items is not None and any(items_of(i) is not None for i in items):
        raise Unsupported("a text compared with nested arrays")
    return to_text(value)


def _as_number(value: Any) -> Number | None:
    if isinstance(value, (bool, v.Char, int, float, Decimal)):
        return ord(value) if isinstance(value, v.Char) else value
    if isinstance(value, str):
        try:
            return _number(value)
        except PsError:
            return None
    if isinstance(value, v.PsEnum):
        return value.value
    return None


def order(left: Any, right: Any, ignore_case: bool = True) -> int:
    """-1, 0 or 1."""
    left, right = unwrap(left), unwrap(right)
    if left is None or right is None:
        return _order_null(left, right)
    if isinstance(left, str):
        return compare_text(left, to_text(right), ignore_case)
    if isinstance(left, (bool, int, float, Decimal)):
        other: Any = right if isinstance(right, (bool, int, float, Decimal)) else _number(right)
        return int(left > other) - int(left < other)
    if isinstance(left, datetime):
        when = convert(right, named("System.DateTime")).replace(tzinfo=None)
        mine = left.replace(tzinfo=None)
        return int(mine > when) - int(mine < when)
    if isinstance(left, (timedelta, v.PsVersion)):
        right = convert(right, type_of(left))
        return 0 if left == right else (-1 if left < right else 1)
    if isinstance(left, v.PsEnum):
        number = (
            convert(right, named(left.type_name)).value if left.type_name in ENUMS else _refuse("order of this enum")
        )
        return int(left.value > number) - int(left.value < number)
    raise runtime_error(
        f'Cannot compare "{to_text(left)}" because it is not IComparable.', "NotIcomparable", "InvalidOperation"
    )


def _order_null(left: Any, right: Any) -> int:
    if left is None and right is None:
        return 0
    other = right if left is None else left
    if isinstance(other, (int, float)) and not isinstance(other, bool):
        sign = -1 if other < 0 else 1  # null is below every number that is not negative
    else:
        sign = 1
    return -sign if left is None else sign


def _filter(left: Any, test: Callable[[Any], bool]) -> Any:
    items = items_of(left)
    return test(left) if items is None else [i for i in items if test(i)]


_ORDER: dict[str, Callable[[int], bool]] = {
    "gt": lambda c: c > 0, "ge": lambda c: c >= 0, "lt": lambda c: c < 0, "le": lambda c: c <= 0,
}  # fmt: skip


def compare(op: str, left: Any, right: Any) -> Any:
    """Comparison operators that need no variables: everything but -match."""
    sensitive = op[0] == "c" and op[1:] in _COMPARISONS
    name = op[1:] if (op[0] in "ci" and op[1:] in _COMPARISONS) else op
    return _COMPARISONS[name](left, right, not sensitive)


def _contains(items: Any, needle: Any, ignore_case: bool) -> bool:
    found = items_of(items)
    return any(equal(i, needle, ignore_case) for i in ([items] if found is None else found))


def _replace(left: Any, right: Any, ignore_case: bool) -> Any:
    parts = items_of(right)
    pattern, new = (right, "") if parts is None else (parts[0], parts[1] if len(parts) > 1 else "")
    if parts is not None and not 1 <= len(parts) <= 2:
        raise Unsupported("-replace with that many values")
    if getattr(new, "ps_type", "") == "System.Management.Automation.ScriptBlock":
        raise Unsupported("-replace with a script block, which 5.1 does not have")
    regex = as_regex(pattern, ignore_case)
    text = to_text(new)
    items = items_of(left)
    if items is None:
        return regex.replace(to_text(left), text)
    return [regex.replace(to_text(i), text) for i in items]


def as_regex(pattern: Any, ignore_case: bool) -> PsRegex:
    """The right side of -match, -replace and -split."""
    if isinstance(pattern, PsRegex):
        return pattern
    return PsRegex(to_text(pattern), 1 if ignore_case else 0)


def split(left: Any, right: Any, ignore_case: bool) -> list[Any]:
    """-split with a pattern, or a pattern and a limit."""
    parts = items_of(right)
    values = [right] if parts is None else parts
    if not 1 <= len(values) <= 2 or getattr(values[0], "ps_type", "").endswith("ScriptBlock"):
        raise Unsupported("-split with these values")
    limit = 0 if len(values) == 1 else convert(values[1], named("System.Int32"))
    if limit < 0:
        raise Unsupported("-split with a negative limit")
    items = items_of(left)
    regex = as_regex(values[0], ignore_case)
    out: list[Any] = []
    for item in [left] if items is None else items:
        text = to_text(item)
        out.extend([text] if limit == 1 else regex.split(text, limit))
    return v.PsArray("System.String", out)


def split_blanks(value: Any) -> list[Any]:
    """Unary -split."""
    items = items_of(value)
    out: list[Any] = []
    for item in [value] if items is None else items:
        out.extend(to_text(item).split())
    return v.PsArray("System.String", out)


def join_operator(left: Any, right: Any) -> str:
    """-join."""
    items = items_of(left)
    return to_text(left) if items is None else join(items, to_text(right))


def as_type(value: Any) -> PsType:
    """The right side of -is and -as."""
    if isinstance(value, PsType):
        return value
    if isinstance(value, str):
        return resolve_type(value)
    raise Unsupported("a type test against something that is no type")


def format_operator(left: Any, right: Any, culture: Culture) -> str:
    """-f."""
    items = items_of(right)
    return composite(to_text(left), [right] if items is None or isinstance(right, bytes) else items, culture)


def number_range(left: Any, right: Any) -> list[Any]:
    """`..`."""
    kind = named("System.Int32")
    if isinstance(left, str) and len(left) == 1 and not left.isdigit():
        raise Unsupported("a range of characters, which 5.1 does not have")
    a, b = convert(left, kind), convert(right, kind)
    if abs(b - a) > 1_000_000:
        raise Unsupported("a range of more than a million numbers")
    return list(range(a, b + 1)) if a <= b else list(range(a, b - 1, -1))


def _like(left: Any, right: Any, ignore_case: bool) -> Any:
    return _filter(left, lambda x: like(to_text(x), to_text(right), ignore_case=ignore_case))


def _ordering(test: Callable[[int], bool]) -> Callable[[Any, Any, bool], Any]:
    return lambda left, right, ignore_case: _filter(left, lambda x: test(order(x, right, ignore_case)))


_COMPARISONS: dict[str, Callable[[Any, Any, bool], Any]] = {
    "eq": lambda a, b, i: _filter(a, lambda x: equal(x, b, i)),
    "ne": lambda a, b, i: _filter(a, lambda x: not equal(x, b, i)),
    **{name: _ordering(test) for name, test in _ORDER.items()},
    "like": _like,
    "notlike": lambda a, b, i: (
        not _like(a, b, i)
        if items_of(a) is None
        else _filter(a, lambda x: not like(to_text(x), to_text(b), ignore_case=i))
    ),
    "contains": _contains,
    "notcontains": lambda a, b, i: not _contains(a, b, i),
    "in": lambda a, b, i: _contains(b, a, i),
    "notin": lambda a, b, i: not _contains(b, a, i),
    "replace": _replace,
    "split": split,
}


def type_test(op: str, left: Any, right: Any) -> Any:
    """-is, -isnot, -as."""
    kind = as_type(right)
    if op == "as":
        return try_convert(left, kind)
    return is_instance(left, kind) == (op == "is")


def utc_key(when: datetime) -> datetime:
    """A sort key for dates of any kind."""
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
