"""Members of encodings and regular expressions."""

from __future__ import annotations

import re
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import DotNetError, Unsupported
from s2slib.lab.powershell.regex import PsRegex, escape
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers


class Encoding:
    """System.Text.Encoding: `codec` is Python's name; `bom` is written by StreamWriter."""

    def __init__(self, kind: str, codec: str, web_name: str, *, bom: bytes = b"", strict: bool = False) -> None:
        self.ps_type, self.codec, self.web_name, self.bom, self.strict = kind, codec, web_name, bom, strict

    def encode(self, text: str) -> bytes:
        """GetBytes."""
        text = J(text)
        if self.codec in ("ascii", "latin-1"):
            if not text.isascii():
                raise Unsupported(f"text that is not ASCII in {self.web_name}")
            return text.encode("ascii")
        try:
            return text.encode(self.codec)
        except UnicodeEncodeError:
            raise Unsupported("half a surrogate pair in an encoding") from None

    def decode(self, data: bytes) -> str:
        """GetString."""
        if self.strict:
            try:
                return data.decode(self.codec)
            except UnicodeDecodeError:
                raise DotNetError(
                    "System.Text.DecoderFallbackException",
                    "Unable to translate bytes at index -1 from specified code page.",
                ) from None
        text = data.decode(self.codec, "replace")
        if "\ufffd" in text and "\ufffd" not in data.decode(self.codec, "ignore"):
            raise Unsupported("bytes that are not valid in the encoding, which .NET versions replace differently")
        return text


def utf8(bom: bool = True, strict: bool = False) -> Encoding:
    """UTF-8."""
    return Encoding("System.Text.UTF8Encoding", "utf-8", "utf-8", bom=b"\xef\xbb\xbf" if bom else b"", strict=strict)


def unicode() -> Encoding:
    """UTF-16, little endian."""
    return Encoding("System.Text.UnicodeEncoding", "utf-16-le", "utf-16", bom=b"\xff\xfe")


def ascii_() -> Encoding:
    """ASCII."""
    return Encoding("System.Text.ASCIIEncoding", "ascii", "us-ascii")


def _get_bytes(f: Frame, e: Encoding, text: Any) -> bytes:
    if isinstance(text, list):
        text = "".join(to_text(c) for c in text)
    return e.encode(to_text(text))


def _get_string(f: Frame, e: Encoding, data: bytes, start: int | None = None, count: int | None = None) -> str:
    if start is not None and count is not None:
        data = data[start : start + count]
    return e.decode(data)


def _named_encoding(f: Frame, name: Any) -> Encoding:
    known = {"utf-8": utf8, "utf8": utf8, "65001": utf8, "utf-16": unicode, "unicode": unicode, "1200": unicode,
             "us-ascii": ascii_, "ascii": ascii_, "20127": ascii_}  # fmt: skip
    make = known.get(to_text(name).lower())
    if make is None:
        raise Unsupported(f"the encoding {to_text(name)}")
    return make()


class MatchValue:
    """System.Text.RegularExpressions.Match and Group."""

    def __init__(self, match: re.Match[str] | None, group: int | str = 0, *, is_group: bool = False) -> None:
        self.match, self.group = match, group
        self.ps_type = f"System.Text.RegularExpressions.{'Group' if is_group else 'Match'}"

    @property
    def success(self) -> bool:
        """Whether it took part."""
        return self.match is not None and self.match[self.group] is not None

    @property
    def value(self) -> str:
        """The text, '' when it did not."""
        return (self.match[self.group] or "") if self.match is not None else ""

    def ps_text(self) -> str:
        """The text."""
        return self.value


class Groups:
    """GroupCollection."""

    ps_type = "System.Text.RegularExpressions.GroupCollection"

    def __init__(self, match: re.Match[str] | None) -> None:
        self.match = match

    def ps_index(self, f: Frame, index: Any) -> Any:
        """A group by number or name."""
        if self.match is None:
            return MatchValue(None, is_group=True)
        if isinstance(index, str) and not index.isdigit():
            if index not in self.match.re.groupindex:
                return MatchValue(None, is_group=True)
            return MatchValue(self.match, str(index), is_group=True)
        number = int(index)
        return MatchValue(self.match if number <= self.match.re.groups else None, number, is_group=True)


def _regex(f: Frame, pattern: str, options: v.PsEnum | None = None) -> PsRegex:
    return PsRegex(to_text(pattern), 0 if options is None else options.value)


def _matches(regex: PsRegex, text: str) -> v.Enumerated:
    return v.Enumerated(
        "System.Text.RegularExpressions.MatchCollection",
        [MatchValue(m) for m in regex.compiled.finditer(regex.check(text))],
    )


def _regex_replace(f: Frame, text: str, pattern: str, new: str, options: v.PsEnum | None = None) -> str:
    return _regex(f, pattern, options).replace(text, new)


U, J = v.utf16, v.join_surrogates


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    return {**_encodings(), **_regexes()}


def _encodings() -> dict[str, TypeMembers]:
    methods = [
        Method("GetBytes", _get_bytes, "=string", "=char[]", "string"),
        Method("GetString", _get_string, "byte[]", "byte[] int int"),
        Method(
            "GetChars",
            lambda f, e, b: v.PsArray("System.Char", [v.Char(c) for c in U(e.decode(b))]),
            "byte[]",
        ),
        Method("GetByteCount", lambda f, e, t: len(_get_bytes(f, e, t)), "=string", "=char[]", "string"),
        Method("GetPreamble", lambda f, e: e.bom, ""),
        Method("GetCharCount", lambda f, e, b: len(U(e.decode(b))), "byte[]"),
    ]
    props = {"WebName": lambda f, e: e.web_name, "BodyName": lambda f, e: e.web_name}
    code = {"utf-8": 65001, "utf-16": 1200, "us-ascii": 20127}
    encoding = TypeMembers(
        props={**props, "CodePage": lambda f, e: code[e.web_name]},
        methods=methods,
        static_props={
            "UTF8": lambda f: utf8(),
            "Unicode": lambda f: unicode(),
            "ASCII": lambda f: ascii_(),
        },
        static_methods=[Method("GetEncoding", _named_encoding, "*")],
    )
    made: dict[str, TypeMembers] = {"System.Text.Encoding": encoding}
    for name, new in (
        (
            "UTF8Encoding",
            Method("new", lambda f, bom=False, strict=False: utf8(bom, strict), "", "bool", "bool bool"),
        ),
        ("UnicodeEncoding", Method("new", lambda f: unicode(), "")),
        ("ASCIIEncoding", Method("new", lambda f: ascii_(), "")),
    ):
        made["System.Text." + name] = TypeMembers(
            props={**props, "CodePage": lambda f, e: code[e.web_name]}, methods=methods, new=new,
            static_props=encoding_statics(),
        )  # fmt: skip
    return made


def encoding_statics() -> dict[str, Any]:
    """[Text.UTF8Encoding]::UTF8 and the like are inherited."""
    return {"UTF8": lambda f: utf8(), "Unicode": lambda f: unicode(), "ASCII": lambda f: ascii_()}


def _regexes() -> dict[str, TypeMembers]:
    options = "System.Text.RegularExpressions.RegexOptions"
    regex = TypeMembers(
        methods=[
            Method("IsMatch", lambda f, r, t: r.search(t) is not None, "string"),
            Method("Match", lambda f, r, t: MatchValue(r.search(t)), "string"),
            Method("Matches", lambda f, r, t: _matches(r, t), "string"),
            Method("Replace", lambda f, r, t, n: r.replace(t, n), "string string"),
            Method("Split", lambda f, r, t: v.PsArray("System.String", r.split(t)), "string"),
            Method("ToString", lambda f, r: r.pattern, ""),
        ],
        static_methods=[
            Method(
                "IsMatch",
                lambda f, t, p, o=None: _regex(f, p, o).search(t) is not None,
                "string string",
                f"string string {options}",
            ),
            Method(
                "Match",
                lambda f, t, p, o=None: MatchValue(_regex(f, p, o).search(t)),
                "string string",
                f"string string {options}",
            ),
            Method(
                "Matches",
                lambda f, t, p, o=None: _matches(_regex(f, p, o), t),
                "string string",
                f"string string {options}",
            ),
            Method("Replace", _regex_replace, "string string =string", f"string string =string {options}"),
            Method("Split", lambda f, t, p: v.PsArray("System.String", _regex(f, p).split(t)), "string string"),
            Method("Escape", lambda f, t: escape(t), "string"),
        ],
        new=Method("new", _regex, "string", f"string {options}"),
    )
    match = TypeMembers(
        props={
            "Success": lambda f, m: m.success,
            "Value": lambda f, m: m.value,
            "Index": lambda f, m: len(U(m.match.string[: m.match.start(m.group)])) if m.success else 0,
            "Length": lambda f, m: len(U(m.value)),
            "Groups": lambda f, m: Groups(m.match),
        },
        methods=[Method("ToString", lambda f, m: m.value, "")],
    )
    return {
        "System.Text.RegularExpressions.Regex": regex,
        "System.Text.RegularExpressions.Match": match,
        "System.Text.RegularExpressions.Group": match,
        "System.Text.RegularExpressions.GroupCollection": TypeMembers(
            props={"Count": lambda f, g: 1 if g.match is None else g.match.re.groups + 1}
        ),
    }
