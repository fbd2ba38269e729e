"""Standard error of Windows PowerShell as readable lines: CLIXML decoded, everything around it kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPEN, _CLOSE = "<Objs", "</Objs>"
_RECORD = re.compile(r'<S S="[A-Za-z]+">|<Obj S="information"')
_UNITS = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))


def readable(data: bytes) -> str:
    """The text of standard error: records of every stream but progress, in order, and what was written around them.

    Several documents may follow one another, with native programs' text between them, and the last may be cut off. Every
    character is looked at a bounded number of times.
    """
    text = data.decode("utf-8", "backslashreplace").replace("#< CLIXML", "")
    lines = "\n".join(_pieces(text)).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _pieces(text: str) -> Iterator[str]:
    """Each document's records as one piece, and each text between documents."""
    at = 0
    while (begin := text.find(_OPEN, at)) >= 0:
        yield text[at:begin]
        close = text.find(_CLOSE, begin)
        at = len(text) if close < 0 else close + len(_CLOSE)
        yield _records(text[begin:at])
    yield text[at:]


def _records(document: str) -> str:
    """The records of one document; each record of an error is one wrapped line of it."""
    found, at = [], 0
    while record := _RECORD.search(document, at):
        opening, closing = ("<ToString>", "</ToString>") if record[0].startswith("<Obj") else (record[0], "</S>")
        begin = document.find(opening, record.start())
        end = document.find(closing, begin) if begin >= 0 else -1
        if end < 0:
            break
        found.append(_decoded(document[begin + len(opening) : end]) + ("\n" if opening == "<ToString>" else ""))
        at = end + len(closing)
    if not found and 'S="progress"' not in document and len(document) > len(_OPEN + _CLOSE) + 80:
        return f"(a document of {len(document)} characters without a readable record)"
    return "".join(found)


def _decoded(text: str) -> str:
    """Escapes are UTF-16 code units: neighbours may be the two halves of one character."""
    plain = _ENTITY.sub(lambda entity: _ENTITIES[entity.group()], text)
    return _UNITS.sub(lambda units: _characters(units.group()), plain)


def _characters(units: str) -> str:
    codes = [int(unit, 16) for unit in re.findall(r"_x([0-9A-Fa-f]{4})_", units)]
    raw = b"".join(code.to_bytes(2, "little") for code in codes)
    return raw.decode("utf-16-le", "backslashreplace")
