"""Equality and order of values, by the left one's type; texts as cultures compare them, or refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.arithmetic import Number, as_number, items_of
from s2slib.lab.powershell.convert import convert, try_convert
from s2slib.lab.powershell.convert_scalars import refuse, truth, unwrap
from s2slib.lab.powershell.enums import ENUMS, enum_named
from s2slib.lab.powershell.errors import PsError, Unsupported, runtime_error
from s2slib.lab.powershell.read_text import parse_guid
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import PsType, named, resolve_type, type_of

_SYMBOLS = " _./:,\\@"


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
        other = comparable_number(right)
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


def comparable_number(value: Any) -> Number | None:
    if isinstance(value, (bool, v.Char, int, float, Decimal)):
        return ord(value) if isinstance(value, v.Char) else value
    if isinstance(value, str):
        try:
            return as_number(value)
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
        other: Any = right if isinstance(right, (bool, int, float, Decimal)) else as_number(right)
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
            convert(right, named(left.type_name)).value if left.type_name in ENUMS else refuse("order of this enum")
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
