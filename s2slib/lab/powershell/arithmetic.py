"""Arithmetic and bits: numbers of .NET's widths, texts, arrays, tables and times."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.convert_scalars import unwrap
from s2slib.lab.powershell.enums import ENUMS, FLAGS
from s2slib.lab.powershell.errors import ExceptionObject, PsError, Unsupported, runtime_error
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import named, type_name_of, type_of

Number = int | float | Decimal


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
        return list(value)
    return None


# -- arithmetic


def as_number(value: Any) -> Number:
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
    why = "Attempted to divide by zero."
    cause = ExceptionObject("System.DivideByZeroException", why)
    return runtime_error(why, "RuntimeException", "NotSpecified", inner=cause)


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
            target=name,
        )
    return _numeric(op, as_number(left), as_number(right))


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, str) and not isinstance(left, v.Char):
        return v.join_surrogates(left + to_text(right))
    if isinstance(left, v.Char):
        return (
            v.join_surrogates(str(left) + to_text(right))
            if isinstance(right, str)
            else _numeric("+", ord(left), as_number(right))
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
            target="op_Addition",
        )
    return _numeric("+", as_number(left), as_number(right))


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, str) and not isinstance(left, v.Char):
        count = as_number(right)
        if not isinstance(count, int) or count < 0 or count * max(len(left), 1) > 50_000_000:
            raise Unsupported(f"a text times {to_text(right)}")
        return left * count
    items = items_of(left)
    if items is not None:
        count = as_number(right)
        if not isinstance(count, int) or count < 0 or count * max(len(items), 1) > 1_000_000:
            raise Unsupported("an array times this number")
        return items * count
    if isinstance(left, timedelta) or isinstance(right, timedelta):
        raise Unsupported("the product with a TimeSpan")
    return _numeric("*", as_number(left), as_number(right))


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
    return _numeric("-", 0, as_number(value))


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
    x, y = as_number(left), as_number(right)
    if not isinstance(x, int) or not isinstance(y, int):
        raise Unsupported("bits of a number that is not whole")
    rank = "long" if "long" in (_rank(x), _rank(y)) else "int"
    return _whole({"band": x & y, "bor": x | y, "bxor": x ^ y}[op], rank)
