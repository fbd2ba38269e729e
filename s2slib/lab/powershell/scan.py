"""Reading characters: blanks, comments, quotes of every shape, numbers, variable names, expandable text.

PowerShell treats U+2018-201B as single quotes, U+201C-201E as double quotes and U+2013-2015 as dashes wherever the ASCII
ones mean something; so does this scanner.
"""

from __future__ import annotations

import decimal
import re
from typing import Any

from s2slib.lab.powershell.errors import PsParseError, Unsupported
from s2slib.lab.powershell.syntax import Const, Expandable, Node, Variable
from s2slib.lab.powershell.values import INT32_MAX, INT64_MAX, INT64_MIN, Int64

SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
DASHES = "-\u2013\u2014\u2015"
BLANKS = " \t\u00a0\u0085\v\f"
BREAK = "\0\t\n\v\f\r &(),;{|}<>\u0085\u00a0"  # what ends a bare word
BREAK_NUMBER = BREAK + "!#%*+-./=[]:\u2013\u2014\u2015'\"\u2018\u2019\u201a\u201b\u201c\u201d\u201e@$"
ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
MULTIPLIERS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}

_NUMBER = re.compile(
    r"(?P<hex>0[xX][0-9a-fA-F]+)(?P<hs>[lL])?(?P<hm>[kKmMgGtTpP][bB])?"
    r"|(?P<dec>(?:\d+\.(?!\.)\d*|\.\d+|\d+)(?P<exp>[eE][+\-\u2013-\u2015]?\d+)?)(?P<suf>[lLdD])?(?P<mul>[kKmMgGtTpP][bB])?"
)
_NAME = re.compile(r"[\w?]+")
_SCOPED = re.compile(r"([\w?]+):(?!:)([\w?]+)")


def number_value(text: str) -> Any:
    """The number a whole literal stands for, or None when the text is not a number. Takes a leading sign."""
    sign, body = "", text
    if body[:1] in DASHES + "+" and body:
        sign, body = ("-" if body[0] in DASHES else "+"), body[1:]
    found = _NUMBER.fullmatch(body)
    if found is None:
        return None
    minus = sign == "-"
    if found["hex"]:
        whole = int(found["hex"], 16)
        if INT32_MAX < whole < 1 << 32 or whole > INT64_MAX:
            raise Unsupported(f"the number {text}, whose sign PowerShell versions read differently")
        if found["hm"]:
            whole *= MULTIPLIERS[found["hm"].lower()]
        return _integer(-whole if minus else whole, bool(found["hs"]), text)
    body, factor = found["dec"], MULTIPLIERS[found["mul"].lower()] if found["mul"] else 1
    suffix = (found["suf"] or "").lower()
    for dash in DASHES[1:]:
        body = body.replace(dash, "-")
    if suffix == "d":
        exact = decimal.Decimal(body) * factor
        return -exact if minus else exact
    if "." in body or found["exp"]:
        if suffix == "l":
            raise Unsupported(f"the number {text}")
        real = float(body) * factor
        return -real if minus else real
    return _integer((-int(body) if minus else int(body)) * factor, suffix == "l", text)


def _integer(whole: int, is_long: bool, text: str) -> Any:
    if not INT64_MIN <= whole <= INT64_MAX:
        if is_long or abs(whole) >= 1 << 96:
            raise Unsupported(f"the number {text}")
        return decimal.Decimal(whole)
    return Int64(whole) if is_long and -INT32_MAX - 1 <= whole <= INT32_MAX else whole


class Scanner:
    """A cursor over a script's text. The grammar is in the subclass."""

    def __init__(self, text: str, file: str = "") -> None:
        self.s = text + "\0"
        self.text = text
        self.file = file
        self.n = len(text)
        self.i = 0
        self.input_used = False

    def fail(self, message: str, id: str, pos: int | None = None) -> PsParseError:
        """A parser error here."""
        return PsParseError(message, id, self.i if pos is None else pos)

    def end_of_text(self) -> bool:
        """Whether everything was read."""
        return self.i >= self.n

    def skip_blanks(self) -> None:
        """Skip blanks, continued lines and comments, but no line end."""
        s = self.s
        while True:
            c = s[self.i]
            if c in BLANKS:
                self.i += 1
            elif c == "`" and s[self.i + 1] in "\r\n":
                self.i += 3 if s.startswith("\r\n", self.i + 1) else 2
            elif c == "#":
                if s[self.i + 1 : self.i + 9].lower() == "requires":
                    raise Unsupported("#requires")
                stop = s.find("\n", self.i)
                self.i = self.n if stop < 0 else stop
            elif c == "<" and s[self.i + 1] == "#":
                stop = s.find("#>", self.i + 2)
                if stop < 0:
                    raise self.fail("The terminator '#>' is missing from the multiline comment.", "MissingTerminator")
                self.i = stop + 2
            else:
                return

    def skip_lines(self) -> None:
        """Skip blanks, comments and line ends."""
        while True:
            self.skip_blanks()
            if self.s[self.i] in "\r\n":
                self.i += 1
            else:
                return

    def skip_separators(self) -> None:
        """Skip line ends and semicolons too."""
        while True:
            self.skip_lines()
            if self.s[self.i] == ";":
                self.i += 1
            else:
                return

    # -- text

    def single_quoted(self) -> Const:
        """'text', with two quotes of any shape for one."""
        start = self.i
        self.i += 1
        out: list[str] = []
        s = self.s
        while True:
            c = s[self.i]
            if c == "\0" and self.i >= self.n:
                raise self.fail("The string is missing the terminator: '.", "TerminatorExpectedAtEndOfString", start)
            self.i += 1
            if c in SINGLE:
                if s[self.i] not in SINGLE:
                    return Const(start, self.i, "".join(out))
                c = s[self.i]
                self.i += 1
            out.append(c)

    def double_quoted(self) -> Node:
        """\"text\", expanded."""
        start = self.i
        self.i += 1
        parts: list[str | Node] = []
        out: list[str] = []
        s = self.s
        while True:
            c = s[self.i]
            if c == "\0" and self.i >= self.n:
                raise self.fail('The string is missing the terminator: ".', "TerminatorExpectedAtEndOfString", start)
            if c in DOUBLE:
                self.i += 1
                if s[self.i] not in DOUBLE:
                    return self._text_node(start, parts, out)
                out.append(s[self.i])
                self.i += 1
            elif c == "`":
                out.append(self.escape())
            elif c == "$":
                self._expansion(parts, out)
            else:
                out.append(c)
                self.i += 1

    def _text_node(self, start: int, parts: list[str | Node], out: list[str]) -> Node:
        if not parts:
            return Const(start, self.i, "".join(out))
        if out:
            parts.append("".join(out))
        return Expandable(start, self.i, parts)

    def escape(self) -> str:
        """A back-tick and what follows."""
        c = self.s[self.i + 1]
        if c == "\0" and self.i + 1 >= self.n:
            raise self.fail("Incomplete string token.", "TerminatorExpectedAtEndOfString")
        if c in "eu":
            raise Unsupported(f"the escape `{c}, which PowerShell versions read differently")
        self.i += 2
        return ESCAPES.get(c, c)

    def _expansion(self, parts: list[str | Node], out: list[str]) -> None:
        """A `$` inside text: a variable, a sub-expression, or itself."""
        node: Node | None
        if self.s[self.i + 1] == "(":
            node = self.sub_expression()
        else:
            node = self.variable(in_text=True)
        if node is None:
            out.append("$")
            self.i += 1
            return
        if out:
            parts.append("".join(out))
            out.clear()
        parts.append(node)

    def sub_expression(self) -> Node:
        """`$( ... )`; the grammar provides it."""
        raise NotImplementedError

    def variable(self, *, in_text: bool = False) -> Variable | None:
        """`$name`, or None when this `$` starts no variable."""
        s, start = self.s, self.i
        c = s[start + 1]
        if c == "{":
            stop = s.find("}", start)
            if stop < 0:
                raise self.fail("The closing '}' is missing from the braced variable name.", "IncompleteDollar...")
            inner = s[start + 2 : stop]
            if "`" in inner or not inner:
                raise Unsupported(f"the variable name ${{{inner}}}")
            self.i = stop + 1
            scope, colon, name = inner.partition(":")
            return self._named(start, name, scope) if colon else self._named(start, inner, "")
        if c in "$^":
            if in_text or c == "^":
                raise Unsupported(f"the variable ${c}")
            raise Unsupported("the variable $$")
        if c == "?" and not (s[start + 2].isalnum() or s[start + 2] in "_?:"):
            self.i = start + 2
            return Variable(start, self.i, "?", "")
        scoped = _SCOPED.match(s, start + 1)
        if scoped:
            self.i = scoped.end()
            return self._named(start, scoped[2], scoped[1])
        found = _NAME.match(s, start + 1)
        if found is None:
            return None
        self.i = found.end()
        if s[self.i] == ":" and s[self.i + 1] != ":":
            if s[self.i + 1] == "\0" or not in_text:
                raise Unsupported("a variable name that ends with a colon")
            raise PsParseError(
                "Variable reference is not valid. ':' was not followed by a valid variable name character. "
                "Consider using ${} to delimit the name.",
                "InvalidVariableReferenceWithDrive",
                start,
                self.i + 1,
            )
        return self._named(start, found[0], "")

    def _named(self, start: int, name: str, scope: str) -> Variable:
        if not scope and name.lower() == "input":
            self.input_used = True
        return Variable(start, self.i, name, scope.lower())

    def here_string(self) -> Node:
        """@' ... '@ and @\" ... \"@."""
        start = self.i
        quotes = SINGLE if self.s[start + 1] in SINGLE else DOUBLE
        j = start + 2
        while self.s[j] in BLANKS:
            j += 1
        if self.s[j] == "\r":
            j += 1
        if self.s[j] != "\n":
            raise self.fail(
                "No characters are allowed after a here-string header but before the end of the line.",
                "UnexpectedCharactersAfterHereStringHeader",
                start,
            )
        j += 1
        k = j
        while True:  # the terminator stands at the start of a line
            if k >= self.n:
                raise self.fail("The string is missing the terminator.", "TerminatorExpectedAtEndOfString", start)
            if self.s[k] in quotes and self.s[k + 1] == "@":
                break
            stop = self.s.find("\n", k)
            if stop < 0:
                raise self.fail("The string is missing the terminator.", "TerminatorExpectedAtEndOfString", start)
            k = stop + 1
        body_end = k - 1 if k > j else j
        if body_end > j and self.s[body_end - 1] == "\r":
            body_end -= 1
        if quotes is SINGLE or quotes == SINGLE:
            self.i = k + 2
            return Const(start, self.i, self.s[j:body_end])
        parts: list[str | Node] = []
        out: list[str] = []
        self.i = j
        while self.i < body_end:
            c = self.s[self.i]
            if c == "`":
                out.append(self.escape())
            elif c == "$":
                self._expansion(parts, out)
            else:
                out.append(c)
                self.i += 1
        if self.i > body_end:
            raise Unsupported("a here-string whose end falls into an expression")
        self.i = k + 2
        return self._text_node(start, parts, out)

    # -- words

    def number(self) -> Const | None:
        """A number literal standing here as an expression, or None."""
        found = _NUMBER.match(self.s, self.i)
        if found is None or found.end() == self.i:
            return None
        if self.s[found.end()] not in BREAK_NUMBER:
            return None
        start = self.i
        value = number_value(found[0])
        if value is None:
            return None
        self.i = found.end()
        return Const(start, self.i, value)

    def word(self) -> Node:
        """A bare word of a command line: quotes inside it, variables expanded."""
        start = self.i
        parts: list[str | Node] = []
        out: list[str] = []
        s = self.s
        while True:
            c = s[self.i]
            if c in BREAK:
                if c != "\0" or self.i >= self.n:
                    break
                out.append(c)
                self.i += 1
            elif c == "`":
                if s[self.i + 1] in "\r\n":
                    break
                out.append(self.escape())
            elif c in SINGLE:
                node: Node = self.single_quoted()
                assert isinstance(node, Const)
                out.append(node.value)
            elif c in DOUBLE:
                node = self.double_quoted()
                if isinstance(node, Const):
                    out.append(node.value)
                else:
                    assert isinstance(node, Expandable)
                    if out:
                        parts.append("".join(out))
                        out.clear()
                    parts.extend(node.parts)
            elif c == "$":
                self._expansion(parts, out)
            else:
                out.append(c)
                self.i += 1
        return self._text_node(start, parts, out)

    def peek_word(self) -> str:
        """The letters, digits and _ that stand here, lower case."""
        found = re.compile(r"\w+").match(self.s, self.i)
        return found[0].lower() if found else ""
