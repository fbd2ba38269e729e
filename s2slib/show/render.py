"""How results are drawn: one HTML form (inline styles, everything escaped) and one text form that says the same.

Text from servers is data (rule R9): it is escaped for HTML, control characters are made visible, long values are cut and marked.
It is also kept from MathJax, which JupyterLab and HTML exports run over every output: between the two dollar signs of
`-Confirm:$false ... -Confirm:$false` it would draw a formula. Math is found within one run of text only, so each character
that can begin it stands in an element of its own.

Colours are halfway between JupyterLab's light and dark background: about as legible on either.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from s2slib.records.display import safe_text

CELL_LIMIT = 2_000
TEXT_COLUMN_LIMIT = 60
_GREEN, _AMBER, _RED, _BLUE, _PURPLE, _GREY = "#218a3c", "#9e6c00", "#dd3d45", "#2a77d6", "#8b5cd6", "#6e7781"
COLOURS = {
    "ok": _GREEN,
    "done": _GREEN,
    "already": _GREY,
    "warning": _AMBER,
    "held": _AMBER,
    "unsettled": _AMBER,
    "pending": _BLUE,
    "blocker": _RED,
    "blocked": _RED,
    "failed": _RED,
    "refused": _RED,
    "moved": _RED,
    "unknown": _PURPLE,
    "uncertain": _PURPLE,
}
_SHADE = "rgba(128,128,128,0.14)"
_TABLE = "border-collapse:collapse;font-size:13px;margin:4px 0 8px 0;overflow-wrap:anywhere"
_CELL = (
    "text-align:left;vertical-align:top;padding:3px 12px 3px 0;"
    "border-bottom:1px solid rgba(128,128,128,0.35);white-space:pre-wrap"
)
_NARROW = _CELL.replace("pre-wrap", "pre")
_HEAD = _NARROW + ";font-weight:600"
_CODE = f"background:{_SHADE};padding:6px 8px;font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Table:
    """Rows under a header, which may be all empty. `state_column` is drawn as a coloured word; `narrow` are not wrapped."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    state_column: int | None = None
    narrow: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Lines:
    """Commands as one would type them, or other literal text."""

    rows: tuple[str, ...]


@dataclass(frozen=True)
class Heading:
    """A line that names what follows."""

    text: str


@dataclass(frozen=True)
class Fold:
    """A part that is folded away until it is asked for."""

    summary: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class View:
    """A result to look at: `_repr_html_` in JupyterLab, `repr` (text/plain) everywhere."""

    title: str
    state: str = ""
    parts: tuple[Part, ...] = field(default=())

    def __repr__(self) -> str:
        return "\n".join(self._text())

    def _repr_html_(self) -> str:
        badge = f" {_badge(self.state)}" if self.state else ""
        head = f'<div style="font-weight:600;font-size:14px">{_escaped(self.title)}{badge}</div>'
        body = "".join(map(_html, self.parts))
        return f'<div style="font-family:system-ui,sans-serif;font-size:13px;line-height:1.4">{head}{body}</div>'

    def _text(self) -> list[str]:
        head = f"{self.title}: {self.state}" if self.state else self.title
        return [_shown(head), *(line for part in self.parts for line in _plain(part))]


Part = Table | Lines | Fold | Heading | View | str


_Error = TypeVar("_Error", bound=BaseException)


def plainly(error: _Error) -> _Error:
    """The error, which IPython will show as one sentence: nothing in the library's frames helps an operator.

    Its texts become safe to show: the kernel sends them as `evalue` too.
    """
    error.args = tuple(_shown(text) if isinstance(text, str) else text for text in error.args)
    setattr(error, "_render_traceback_", lambda: [f"{type(error).__name__}: {_shown(str(error))}"])  # noqa: B010
    return error


def _html(part: Part) -> str:
    match part:
        case Table(header, rows, state_column, narrow):
            if not rows:
                return ""
            names = "".join(f'<th style="{_HEAD}">{_escaped(name)}</th>' for name in header)
            head = f"<thead><tr>{names}</tr></thead>" if any(header) else ""
            body = "".join(f"<tr>{_row(row, state_column, narrow)}</tr>" for row in rows)
            return f'<table style="{_TABLE}">{head}<tbody>{body}</tbody></table>'
        case Lines(rows):
            return f'<pre style="{_CODE}">{"<br>".join(_escaped(row) for row in rows)}</pre>' if rows else ""
        case Heading(text):
            return f'<div style="font-weight:600;margin:14px 0 2px 0">{_escaped(text)}</div>'
        case Fold(summary, parts):
            inner = "".join(_html(item) for item in parts)
            return f'<details><summary style="cursor:pointer">{_escaped(summary)}</summary>{inner}</details>'
        case View():
            return f'<div style="margin:8px 0">{part._repr_html_()}</div>'
    return f'<div style="margin:2px 0">{_escaped(part)}</div>'


def _row(row: Sequence[str], state_column: int | None, narrow: Sequence[int]) -> str:
    cells = (_badge(text) if index == state_column else _escaped(text) for index, text in enumerate(row))
    styles = (_NARROW if index in narrow else _CELL for index in range(len(row)))
    return "".join(f'<td style="{style}">{cell}</td>' for cell, style in zip(cells, styles, strict=True))


def _badge(state: str) -> str:
    colour = COLOURS.get(state, _GREY)
    return f'<span style="color:{colour};font-weight:600">{_escaped(state)}</span>'


def _plain(part: Part) -> Iterable[str]:
    match part:
        case Table(header, rows):
            return _plain_table([*([header] if any(header) else []), *rows]) if rows else []
        case Lines(rows):
            return [f"    {_shown(row)}" for row in rows]
        case Heading(text):
            return ["", _shown(text)]
        case Fold(summary, parts):
            return [f"  {_shown(summary)}", *(f"  {line}" for item in parts for line in _plain(item))]
        case View():
            return [f"  {line}" for line in part._text()]
    return [f"  {_shown(part)}"]


def _plain_table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    cells = [[_shown(cell).split("\n") for cell in row] for row in rows]
    widths = [max(len(line) for row in cells for line in row[column]) for column in range(len(cells[0]))]
    for row in cells:
        for lines in itertools.zip_longest(*row, fillvalue=""):
            padded = (line.ljust(min(width, TEXT_COLUMN_LIMIT)) for line, width in zip(lines, widths, strict=True))
            yield "  " + "  ".join(padded).rstrip()


def _shown(text: str) -> str:
    return safe_text(text, CELL_LIMIT)


def _escaped(text: str) -> str:
    escaped = html.escape(_shown(text), quote=True)
    return escaped.replace("\\", "<span>\\</span>").replace("$", "<span>$</span>")
