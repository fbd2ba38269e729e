"""Regular expressions: the part of .NET's language that Python's reads alike, and nothing else."""

from __future__ import annotations

import functools
import re
from typing import Any

from s2slib.lab.powershell.errors import DotNetError, Unsupported

_GROUP = re.compile(r"\(\?(?:([imsnx]+)\)|(:|=|!|<=|<!)|<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'|)")
_QUANTIFIER = re.compile(r"\{\d+(,\d*)?\}")
_SUBSTITUTE = re.compile(r"\$(?:(\d+)|\{(\w+)\}|(\$)|(&)|([`'+_]))")


class PsRegex:
    """System.Text.RegularExpressions.Regex."""

    ps_type = "System.Text.RegularExpressions.Regex"

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern, self.flags = pattern, flags
        self.compiled, self.unicode_matters = translate(pattern, flags)

    def ps_text(self) -> str:
        """The pattern."""
        return self.pattern

    def check(self, text: str) -> str:
        """The text, refused where the two engines' character classes could differ."""
        if self.unicode_matters and not text.isascii():
            raise Unsupported("\\w, \\b or case folding over text that is not ASCII")
        return text

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        """The first match."""
        return self.compiled.search(self.check(text), start)

    def replace(self, text: str, replacement: str) -> str:
        """Every match replaced, .NET's substitutions expanded."""
        template = _template(replacement, self.compiled.groups, dict(self.compiled.groupindex))
        return self.compiled.sub(
            lambda m: "".join(p if isinstance(p, str) else _piece(m, p) for p in template), self.check(text)
        )

    def split(self, text: str, limit: int = 0) -> list[str]:
        """The pieces between matches, captured groups included."""
        if self.compiled.match("") is not None:
            raise Unsupported("a split at empty matches")
        return [p for p in self.compiled.split(self.check(text), max(limit - 1, 0) if limit else 0) if p is not None]


def _piece(match: re.Match[str], key: Any) -> str:
    return match.group(key[0]) or ""


def _template(replacement: str, groups: int, names: dict[str, int]) -> list[Any]:
    parts: list[Any] = []
    last = 0
    for found in _SUBSTITUTE.finditer(replacement):
        parts.append(replacement[last : found.start()])
        last = found.end()
        number, name, dollar, whole, special = found.groups()
        if special:
            raise Unsupported(f"the substitution ${special}")
        if dollar:
            parts.append("$")
        elif whole:
            parts.append((0,))
        elif number is not None or (name or "").isdigit():
            index = int(number or name)
            if index > groups:
                if number is not None and len(number) > 1:
                    raise Unsupported("a substitution with several digits")
                parts.append(found[0])
            else:
                parts.append((index,))
        else:
            parts.append((name,) if name in names else found[0])
    parts.append(replacement[last:])
    return parts


@functools.lru_cache(maxsize=256)
def translate(pattern: str, flags: int) -> tuple[re.Pattern[str], bool]:
    """Python's form of the pattern, and whether it depends on Unicode classes. `flags` are RegexOptions."""
    if flags & ~(1 | 2 | 8 | 16):
        raise Unsupported("these RegexOptions")
    out: list[str] = []
    sensitive = False
    i, n = 0, len(pattern)
    while i < n:
        c = pattern[i]
        if c == "\\":
            if i + 1 >= n:
                raise DotNetError("System.ArgumentException", f'parsing "{pattern}" - Illegal \\ at end of pattern.')
            e = pattern[i + 1]
            sensitive |= e in "wWbBdDsS"
            out.append(_escape(e))
            i += 2
        elif c == "[":
            stop, text, uni = _character_class(pattern, i)
            sensitive |= uni
            out.append(text)
            i = stop
        elif c == "(" and pattern.startswith("(?", i):
            found = _GROUP.match(pattern, i)
            if found is None or found.end() == i + 2:
                raise Unsupported(f"the group at {pattern[i : i + 6]!r}")
            inline, kind, name, quoted = found.groups()
            if inline:
                if i != 0 or "n" in inline or "x" in inline:
                    raise Unsupported("these inline options")
                flags |= (1 if "i" in inline else 0) | (2 if "m" in inline else 0) | (16 if "s" in inline else 0)
            elif kind:
                out.append("(?" + kind)
            else:
                out.append(f"(?P<{name or quoted}>")
            i = found.end()
        elif c == "{" and not _QUANTIFIER.match(pattern, i):
            out.append("\\{")
            i += 1
        elif c in "*+?}" and i + 1 < n and pattern[i + 1] == "+":
            raise Unsupported("possessive quantifiers")
        else:
            out.append(c)
            i += 1
    options = (
        (re.IGNORECASE if flags & 1 else 0) | (re.MULTILINE if flags & 2 else 0) | (re.DOTALL if flags & 16 else 0)
    )
    try:
        return re.compile("".join(out), options), sensitive or bool(flags & 1)
    except re.error as e:
        raise Unsupported(f"the regular expression {pattern!r} ({e})") from None


def _escape(e: str) -> str:
    if e == "z":
        return "\\Z"
    if e == "Z":
        return "(?=\\n?\\Z)"
    if e == "A" or e in "wWbBdDsSnrtfv" or e.isdigit():
        if e == "0":
            raise Unsupported("octal escapes")
        return "\\" + e
    if e.isalpha():
        raise Unsupported(f"the escape \\{e} in a regular expression")
    return "\\" + e if e.isascii() else e


def _character_class(pattern: str, start: int) -> tuple[int, str, bool]:
    i = start + 1
    out = ["["]
    sensitive = False
    if pattern[i : i + 1] == "^":
        out.append("^")
        i += 1
    first = True
    while i < len(pattern):
        c = pattern[i]
        if c == "]" and not first:
            out.append("]")
            return i + 1, "".join(out), sensitive
        if c == "\\":
            e = pattern[i + 1 : i + 2]
            if e and e in "wWdDsS":
                sensitive = True
                out.append("\\" + e)
            elif e and (e in "nrtfv" or not e.isalnum()):
                out.append("\\" + e)
            else:
                raise Unsupported(f"the escape \\{e} in a character class")
            i += 2
        elif c == "-" and pattern[i + 1 : i + 2] == "[":
            raise Unsupported("subtraction in a character class")
        else:
            out.append("\\" + c if c in "[]&~|" else c)
            i += 1
        first = False
    raise DotNetError("System.ArgumentException", f'parsing "{pattern}" - Unterminated [] set.')


def escape(text: str) -> str:
    """Regex.Escape."""
    table = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", " ": "\\ "}
    return "".join(table.get(c) or ("\\" + c if c in "\\*+?|{[()^$.#" else c) for c in text)


@functools.lru_cache(maxsize=256)
def wildcard(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """The regular expression of a PowerShell wildcard."""
    out: list[str] = []
    i, n = 0, len(pattern)
    while i < n:
        c = pattern[i]
        if c == "`":
            if i + 1 < n:
                out.append(re.escape(pattern[i + 1]))
                i += 1
            else:
                out.append("`")
        elif c == "*":
            out.append(".*")
        elif c == "?":
            out.append(".")
        elif c == "[":
            stop = pattern.find("]", i + 1 if pattern[i + 1 : i + 2] != "]" else i + 2)
            if stop < 0:
                raise Unsupported(f"the wildcard {pattern!r}")
            inner = pattern[i + 1 : stop]
            if "`" in inner or not inner:
                raise Unsupported(f"the wildcard {pattern!r}")
            out.append("[" + re.sub(r"([\\\]\[^&~|])", r"\\\1", inner) + "]")
            i = stop
        else:
            out.append(re.escape(c))
        i += 1
    return re.compile("".join(out), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(text: str, pattern: str, *, ignore_case: bool = True) -> bool:
    """-like."""
    return wildcard(pattern, ignore_case).fullmatch(text) is not None


def has_wildcard(text: str) -> bool:
    """Whether the text means more than itself as a wildcard."""
    return any(c in text for c in "*?[")
