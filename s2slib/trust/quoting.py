"""How text from a server is shown: quoted, escaped, capped, marked where cut."""

from __future__ import annotations

from s2slib.records.display import is_hidden


def shown(text: str, limit: int = 120) -> str:
    """`text` in single quotes, safe for a log line or an exception.

    Whatever a terminal or a reader could take for something else (control characters, line ends, bidirectional
    marks, lone surrogates, the quote and the backslash) appears as an escape. At most `limit` characters of `text`
    are used; a cut is marked with the number of characters left out. Markup is not escaped: that belongs to whoever
    writes HTML.
    """
    kept = text[:limit]
    cut = len(text) - len(kept)
    escaped = "".join(_escape(character) for character in kept)
    return f"'{escaped}'" if not cut else f"'{escaped}' (cut, {cut} more characters)"


def _escape(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    if character.isprintable() and not is_hidden(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
