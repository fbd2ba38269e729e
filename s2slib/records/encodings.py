"""The forms in which one secret may turn up in text.

plain --+-- JSON, Python repr, XML, CLIXML, PowerShell '..' and ".." -+-- base64 (UTF-8, UTF-16LE, Latin-1; three alignments)
        +-- URL (%XX upper and lower, + for blank; once and twice)    +-- base64url of the same
        +-- numeric entities, decimal and hexadecimal                 +-- hexadecimal of the same, upper and lower
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

_SHORTEST_BASE64 = 6
_CODECS = ("utf-8", "utf-16-le", "latin-1")
_ENTITY_CODES: tuple[Callable[[str], str], ...] = (
    lambda char: str(ord(char)),
    lambda char: f"x{ord(char):x}",
    lambda char: f"x{ord(char):X}",
)
_POWERSHELL_SINGLE = re.compile("(['\u2018\u2019\u201a\u201b])")
_POWERSHELL_DOUBLE = re.compile('(["`$\u201c\u201d\u201e])')
_CLIXML_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def encoded_forms(secret: str) -> frozenset[str]:
    """Every form of the secret that redaction looks for, the plain one included."""
    quoted = set(_quoted(secret))
    entities = {"".join(f"&#{code(char)};" for char in secret) for code in _ENTITY_CODES}
    return frozenset(quoted.union(_urls(secret), entities, _hex(secret)).union(*(map(_base64_forms, quoted))))


def _hex(secret: str) -> Iterator[str]:
    for codec in _CODECS:
        raw = _bytes(secret, codec)
        yield raw.hex()
        yield raw.hex().upper()


def _bytes(text: str, codec: str) -> bytes:
    """The bytes of a text; none where it has characters that the code does not know."""
    try:
        return text.encode(codec) if codec == "latin-1" else text.encode(codec, "surrogatepass")
    except UnicodeEncodeError:
        return b""


def _quoted(secret: str) -> Iterator[str]:
    yield secret
    yield from _json_forms(secret)
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield repr(secret.encode("utf-8", "surrogatepass"))[2:-1]
    yield escape(secret)
    yield html.escape(secret)
    yield escape(secret, {'"': "&quot;", "'": "&apos;"})
    yield escape(_CLIXML_CONTROL.sub(lambda match: f"_x{ord(match[0]):04X}_", secret.replace("_x", "_x005F_x")))
    yield _POWERSHELL_SINGLE.sub(r"\1\1", secret)
    yield secret.replace("'", "''")
    yield _POWERSHELL_DOUBLE.sub(r"`\1", secret)
    yield secret.replace('"', '""')


def _json_forms(secret: str) -> Iterator[str]:
    """As json.dumps, JavaScriptSerializer (Windows PowerShell's ConvertTo-Json) and System.Text.Json write it."""
    for ascii_only in (True, False):
        text = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield text.replace("/", "\\/")
        for extra in ("", "[&<>']", "[&<>'+`]"):
            form = re.sub(extra, lambda match: f"\\u{ord(match[0]):04x}", text) if extra else text
            yield form
            yield form.replace('\\"', "\\u0022")
            yield re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda match: match[0].upper(), form.replace('\\"', "\\u0022"))


def _urls(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    for form in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield form
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form)
        yield quote(form, safe="")


def _base64_forms(form: str) -> Iterator[str]:
    for codec in _CODECS:
        raw = _bytes(form, codec)
        for offset in range(3):
            core = _base64_core(raw, offset)
            if len(core) >= _SHORTEST_BASE64:
                yield core
                yield core.replace("+", "-").replace("/", "_")


def _base64_core(raw: bytes, offset: int) -> str:
    """The base64 characters that depend on `raw` alone when `offset` (mod 3) unknown bytes stand in front of it."""
    text = base64.b64encode(bytes(offset) + raw).decode("ascii")
    first = (offset * 8 + 5) // 6
    last = (offset + len(raw)) * 8 // 6
    return text[first:last]
