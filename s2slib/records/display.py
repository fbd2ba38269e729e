"""Foreign text made safe to show: escaped visibly, capped, marked where it was cut.

Text that comes from a server, a file or a person's clipboard is data. Shown raw it can move a terminal's cursor, hide
itself with zero-width characters, reorder what is read with bidirectional controls, or bury a screen.
"""

from __future__ import annotations

import json
import unicodedata

DEFAULT_LIMIT = 2_000
"""Characters shown of one text unless the caller says otherwise."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Drawn as nothing although Unicode calls them letters, marks or symbols.
_HIDDEN_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def safe_text(text: str, limit: int = DEFAULT_LIMIT, *, multiline: bool = True) -> str:
    """The text as it may be shown: control, ANSI, bidirectional and invisible characters as `<U+001B>`.

    `limit` counts characters of the answer before the mark; longer text ends in `[cut: N of M characters shown]`,
    N and M counted in the original. CR LF becomes LF. Line feeds and tabs stay when `multiline`, else they are
    escaped too. Redact before calling this: a secret cut in half is no longer recognised.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    text = text.replace("\r\n", "\n")
    kept = frozenset("\n\t") if multiline else frozenset()
    pieces: list[str] = []
    used = 0
    for index, character in enumerate(text):
        piece = character if character in kept or not is_hidden(character) else f"<U+{ord(character):04X}>"
        used += len(piece)
        if used > limit:
            return "".join(pieces) + f" [cut: {index:,} of {len(text):,} characters shown]"
        pieces.append(piece)
    return "".join(pieces)


def safe_json(data: object) -> str:
    """The data as one line of JSON that means the same and shows nothing raw: what is hidden stands as `\\u202e`."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True)
    return "".join(json.dumps(c)[1:-1] if is_hidden(c) else c for c in text)


def is_hidden(character: str) -> bool:
    """Whether a single character is a control, steers its neighbours, or draws nothing."""
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return False
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _HIDDEN_CHARACTERS
        or 0xFE00 <= code <= 0xFE0F
        or 0x180B <= code <= 0x180F
        or 0xE0100 <= code <= 0xE01EF
    )
