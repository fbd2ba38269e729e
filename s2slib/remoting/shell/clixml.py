"""Standard error of Windows PowerShell as readable lines: CLIXML decoded, everything around it kept."""

from __future__ import annotations

import re

_DOCUMENT = re.compile(r"<Objs\b.*?</Objs>", re.DOTALL)
_RECORD = re.compile(r'<S S="(?P<stream>[A-Za-z]+)">(?P<text>.*?)</S>', re.DOTALL)
_UNITS = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))


def readable(data: bytes) -> str:
    """The text of standard error: records of every stream but progress, in order, and what was written around them.

    Several documents may follow one another, with native programs' text between them, and the last may be cut off.
    """
    text = data.decode("utf-8", "backslashreplace").replace("#< CLIXML", "")
    pieces: list[str] = []
    end = 0
    for found in _DOCUMENT.finditer(text):
        pieces += (text[end : found.start()], _records(found.group()))
        end = found.end()
    tail = text[end:]
    cut = tail.find("<Objs")
    pieces += (tail,) if cut < 0 else (tail[:cut], _records(tail[cut:]))
    lines = "".join(pieces).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _records(document: str) -> str:
    """The records of one document; each record of an error is one wrapped line of it."""
    return "".join(_decoded(record["text"]) for record in _RECORD.finditer(document))


def _decoded(text: str) -> str:
    """Escapes are UTF-16 code units: neighbours may be the two halves of one character."""
    plain = _ENTITY.sub(lambda entity: _ENTITIES[entity.group()], text)
    return _UNITS.sub(lambda units: _characters(units.group()), plain)


def _characters(units: str) -> str:
    codes = [int(unit, 16) for unit in re.findall(r"_x([0-9A-Fa-f]{4})_", units)]
    raw = b"".join(code.to_bytes(2, "little") for code in codes)
    return raw.decode("utf-16-le", "backslashreplace")
