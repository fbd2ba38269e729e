"""Members of strings, characters, string builders, encodings and regular expressions."""

from __future__ import annotations

import re
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.arithmetic import items_of
from s2slib.lab.powershell.comparison import same_text
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import DotNetError, PsError, Unsupported
from s2slib.lab.powershell.format import composite
from s2slib.lab.powershell.text import element_text, to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers

U, J = v.utf16, v.join_surrogates
RANGE = "System.ArgumentOutOfRangeException"
STRING_MEMBERS = (
    "chars clone compareto copyto getenumerator gettypecode indexofany isnormalized lastindexofany normalize toboolean "
    "tobyte tochar todatetime todecimal todouble toint16 toint32 toint64 tosbyte tosingle totype touint16 touint32 touint64"
)


def _cut(text: str, start: int, length: int | None = None) -> str:
    units = U(text)
    if start < 0 or start > len(units):
        raise DotNetError(
            RANGE, "startIndex cannot be larger than length of string.\r\nParameter name: startIndex"
            if start > 0 else "StartIndex cannot be less than zero.\r\nParameter name: startIndex",
        )  # fmt: skip
    if length is None:
        return J(units[start:])
    if length < 0 or start + length > len(units):
        raise DotNetError(
            RANGE, "Index and length must refer to a location within the string.\r\nParameter name: length"
        )
    return J(units[start : start + length])


def _comparison(left: str, right: str, kind: v.PsEnum | None, what: str) -> tuple[str, str]:
    """Both texts in a form that Python compares as the comparison would."""
    name = "CurrentCulture" if kind is None else kind.name
    if not name.startswith("Ordinal"):
        for text in (left, right):
            if not text.isascii() or "\0" in text:
                raise Unsupported(f"{what} by culture over text that is not ASCII")
    return (left.upper(), right.upper()) if name.endswith("IgnoreCase") else (left, right)


def _starts(f: Frame, s: str, other: str, kind: v.PsEnum | None = None) -> bool:
    a, b = _comparison(s, other, kind, "StartsWith")
    return a.startswith(b)


def _ends(f: Frame, s: str, other: str, kind: v.PsEnum | None = None) -> bool:
    a, b = _comparison(s, other, kind, "EndsWith")
    return a.endswith(b)


def _index_of(f: Frame, s: str, other: str, extra: Any = None) -> int:
    start, kind = 0, None
    if isinstance(extra, v.PsEnum):
        kind = extra
    elif extra is not None:
        start = int(extra)
    if isinstance(other, v.Char):
        return U(s).find(other, start)
    a, b = _comparison(s, other, kind, "IndexOf")
    if start < 0 or start > len(U(s)):
        raise DotNetError(RANGE, "Index was out of range. Must be non-negative and less than the size of the collection."
                                 "\r\nParameter name: startIndex")  # fmt: skip
    return U(a).find(U(b), start)


def _last_index_of(f: Frame, s: str, other: str) -> int:
    if isinstance(other, v.Char):
        return U(s).rfind(other)
    if other == "":
        raise Unsupported("LastIndexOf of an empty text, which .NET versions answer differently")
    a, b = _comparison(s, other, None, "LastIndexOf")
    return U(a).rfind(U(b))


def _split(f: Frame, s: str, *args: Any) -> v.PsArray:
    rest = list(args)
    options, limit = "None", None
    if rest and isinstance(rest[-1], v.PsEnum):
        options = rest.pop().name
    if rest and isinstance(rest[-1], int) and not isinstance(rest[-1], str):
        limit = int(rest.pop())
    separators: list[str] = []
    whole = False
    for arg in rest:
        items = items_of(arg)
        if items is None:
            text = to_text(arg)
            if len(text) != 1 and len(set(text)) != 1:
                raise Unsupported("Split by a text, which Windows PowerShell splits at each of its characters")
            if len(text) > 1:
                raise Unsupported("Split by a text of several characters")
            separators.append(text)
        else:
            whole = whole or any(len(to_text(i)) > 1 for i in items)
            separators.extend(to_text(i) for i in items)
    if whole and options == "None" and len(args) == 1:
        raise Unsupported("Split by several texts without options")
    pattern = "|".join(re.escape(x) for x in separators if x) if separators else r"\s"
    if separators and not pattern:
        return v.PsArray("System.String", [s])
    if limit is not None and (options != "None" or limit < 1):
        raise Unsupported("Split with this limit")
    parts = re.split(pattern, s, maxsplit=(limit or 0) - 1 if limit else 0) if limit != 1 else [s]
    if options == "RemoveEmptyEntries":
        parts = [p for p in parts if p]
    return v.PsArray("System.String", parts)


def _trim(side: str) -> Any:
    def run(f: Frame, s: str, *chars: Any) -> str:
        wanted = "".join(
            element_text(c) if items_of(c) is None else "".join(map(to_text, items_of(c) or [])) for c in chars
        )
        strip = {"both": str.strip, "start": str.lstrip, "end": str.rstrip}[side]
        if chars:
            return strip(s, wanted)
        return strip(s, "".join(c for c in set(s) if c.isspace() and c not in "\x1c\x1d\x1e\x1f"))

    return run


def _replace(f: Frame, s: str, old: str, new: Any) -> str:
    if old == "":
        raise DotNetError("System.ArgumentException", "String cannot be of zero length.\r\nParameter name: oldValue")
    return J(s.replace(old, "" if new is None else to_text(new)))


def _pad(left: bool) -> Any:
    def run(f: Frame, s: str, width: int, char: str = " ") -> str:
        if width < 0 or width > 1_000_000:
            raise Unsupported("padding to this width")
        missing = max(int(width) - len(U(s)), 0)
        return char * missing + s if left else s + char * missing

    return run


def _case(upper: bool) -> Any:
    def run(f: Frame, s: str, *_: Any) -> str:
        made = "".join(c.upper() if upper else c.lower() for c in s)
        if len(made) != len(s) or any(c in s for c in "\u0130\u0131"):
            made = "".join(
                (c.upper() if upper else c.lower()) if len(c.upper() if upper else c.lower()) == 1 else c for c in s
            )
        return made

    return run


def _remove(f: Frame, s: str, start: int, count: int | None = None) -> str:
    units = U(s)
    end = len(units) if count is None else start + count
    if start < 0 or end > len(units) or (count is not None and count < 0):
        raise DotNetError(RANGE, "Index and count must refer to a location within the string.\r\nParameter name: count")
    return J(units[:start] + units[end:])


def _insert(f: Frame, s: str, at: int, text: str) -> str:
    units = U(s)
    if at < 0 or at > len(units):
        raise DotNetError(
            RANGE, "Specified argument was out of the range of valid values.\r\nParameter name: startIndex"
        )
    return J(units[:at] + text + units[at:])


def _join(f: Frame, separator: str, *items: Any) -> str:
    values: list[Any] = []
    if len(items) == 1 and items_of(items[0]) is not None:
        values = list(items_of(items[0]) or [])
    else:
        values = list(items)
    return J(to_text(separator).join(element_text(i) for i in values))


def _compare(f: Frame, a: Any, b: Any, extra: Any) -> int:
    if isinstance(extra, v.PsEnum) and extra.name.startswith("Ordinal"):
        left, right = _comparison(a, b, extra, "Compare")
        if left == right:
            return 0
    raise Unsupported("String.Compare beyond equality")


def _equals(f: Frame, a: Any, b: Any, kind: v.PsEnum | None = None) -> bool:
    if kind is None:
        return bool(a == b)
    if kind.name.startswith("Ordinal"):
        left, right = _comparison(to_text(a), to_text(b), kind, "Equals")
        return left == right
    return same_text(to_text(a), to_text(b), kind.name.endswith("IgnoreCase"))


def _char_test(test: Any) -> Any:
    def run(f: Frame, c: str, at: int | None = None) -> bool:
        return bool(test(c if at is None else U(c)[at]))

    return run


class StringBuilder:
    """System.Text.StringBuilder."""

    ps_type = "System.Text.StringBuilder"

    def __init__(self, text: str = "") -> None:
        self.parts = [text]

    def ps_text(self) -> str:
        """What was put together."""
        return J("".join(self.parts))

    def append(self, text: str) -> StringBuilder:
        """Append and return itself."""
        self.parts.append(text)
        return self


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    string = TypeMembers(
        props={"Length": lambda f, s: len(U(s))},
        methods=[
            Method("Substring", lambda f, s, *a: _cut(s, *map(int, a)), "int", "int int"),
            Method("Split", _split, "", "*", "* =System.StringSplitOptions", "* =int", "* *", "* * *"),
            Method("Trim", _trim("both"), "", "*..."),
            Method("TrimStart", _trim("start"), "", "*..."),
            Method("TrimEnd", _trim("end"), "", "*..."),
            Method("Replace", _replace, "=string =string", "=char =char", "string *"),
            Method("ToLower", _case(False), ""),
            Method("ToUpper", _case(True), ""),
            Method("ToLowerInvariant", _case(False), ""),
            Method("ToUpperInvariant", _case(True), ""),
            Method("Contains", lambda f, s, o: o in s, "string"),
            Method("StartsWith", _starts, "string", "string System.StringComparison"),
            Method("EndsWith", _ends, "string", "string System.StringComparison"),
            Method(
                "IndexOf", _index_of, "=char", "string", "=char =int", "string =int", "string System.StringComparison"
            ),
            Method("LastIndexOf", _last_index_of, "=char", "string"),
            Method("PadLeft", _pad(True), "int", "int char"),
            Method("PadRight", _pad(False), "int", "int char"),
            Method("Insert", _insert, "int string"),
            Method("Remove", _remove, "int", "int int"),
            Method("ToCharArray", lambda f, s: v.PsArray("System.Char", [v.Char(c) for c in U(s)]), ""),
            Method("Equals", _equals, "=string", "=string System.StringComparison"),
            Method("ToString", lambda f, s, *a: s, "", "*"),
        ],
        static_props={"Empty": lambda f: ""},
        static_methods=[
            Method("Join", _join, "string *..."),
            Method("IsNullOrEmpty", lambda f, s: s == "", "string"),
            Method("IsNullOrWhiteSpace", lambda f, s: s.strip() == "", "string"),
            Method("Format", _format, "string *..."),
            Method("Concat", lambda f, *a: J("".join(to_text(i) for i in _format_args(a))), "*..."),
            Method("Equals", _equals, "string string", "string string System.StringComparison"),
            Method("Compare", _compare, "string string *"),
        ],
        new=Method("new", lambda f, c, n=None: c * n if n is not None else "".join(c), "=char int", "char[]"),
        exists=STRING_MEMBERS,
        closed=True,
    )
    tests = {"IsDigit": str.isdecimal, "IsLetter": str.isalpha, "IsWhiteSpace": str.isspace, "IsUpper": str.isupper,
             "IsLower": str.islower, "IsLetterOrDigit": lambda c: c.isalpha() or c.isdecimal()}  # fmt: skip
    char = TypeMembers(
        methods=[Method("ToString", lambda f, c: str(c), "")],
        static_methods=[Method(n, _char_test(t), "=char", "string int") for n, t in tests.items()]
        + [
            Method("ToUpper", lambda f, c: v.Char(c.upper()), "char"),
            Method("ToLower", lambda f, c: v.Char(c.lower()), "char"),
        ],
        exists="CompareTo GetTypeCode",
        closed=True,
    )
    builder = TypeMembers(
        props={"Length": lambda f, b: len(U(b.ps_text()))},
        methods=[
            Method(
                "Append", lambda f, b, x, n=None: b.append(to_text(x) * (n if n is not None else 1)), "*", "=char int"
            ),
            Method("AppendLine", lambda f, b, x="": b.append(to_text(x) + "\r\n"), "", "string"),
            Method(
                "AppendFormat", lambda f, b, t, *a: b.append(composite(t, list(a), f.engine.culture)), "string *..."
            ),
            Method("ToString", lambda f, b: b.ps_text(), ""),
            Method("Clear", lambda f, b: (b.parts.clear(), b)[1], ""),
        ],
        new=Method(
            "new", lambda f, t="": StringBuilder(t if isinstance(t, str) else ""), "", "=string", "=int", "string"
        ),
    )
    return {
        "System.String": string,
        "System.Char": char,
        "System.Text.StringBuilder": builder,
    }


def _format(f: Frame, template: str, *a: Any) -> str:
    try:
        return composite(template, _format_args(a), f.engine.culture)
    except PsError as e:  # what the -f operator says around .NET's words
        why = e.record.message.removeprefix("Error formatting a string: ").removesuffix(".")
        raise DotNetError("System.FormatException", why) from None


def _format_args(a: tuple[Any, ...]) -> list[Any]:
    if len(a) == 1 and items_of(a[0]) is not None:
        return list(items_of(a[0]) or [])
    return list(a)
