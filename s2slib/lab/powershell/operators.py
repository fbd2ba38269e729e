"""Infix and prefix operators on values: arithmetic, comparison, -like, -match, -split, -join, -f and the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.arithmetic import arithmetic, bitwise, is_number, items_of, negate
from s2slib.lab.powershell.comparison import compare_text, equal, order, same_text
from s2slib.lab.powershell.convert import convert, try_convert
from s2slib.lab.powershell.culture import Culture
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.format import composite
from s2slib.lab.powershell.regex import PsRegex, like
from s2slib.lab.powershell.text import join, to_text
from s2slib.lab.powershell.types import PsType, is_instance, named, resolve_type

__all__ = ["arithmetic", "bitwise", "compare_text", "equal", "is_number", "items_of", "negate", "order", "same_text"]

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


def _filter(left: Any, test: Callable[[Any], bool]) -> Any:
    items = items_of(left)
    return test(left) if items is None else [i for i in items if test(i)]


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
