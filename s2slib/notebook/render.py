"""How results are drawn: one HTML form (inline styles, everything escaped) and one text form that says the same.

Text from servers is data (P9): it is escaped for HTML, control characters are made visible, long values are cut and marked.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from s2slib.records.display import safe_text

CELL_LIMIT = 2_000
COLOURS = {
    "ok": "#1a7f37",
    "done": "#1a7f37",
    "already": "#57606a",
    "warning": "#9a6700",
    "pending": "#0969da",
    "blocker": "#cf222e",
    "blocked": "#cf222e",
    "failed": "#cf222e",
    "refused": "#cf222e",
    "moved": "#cf222e",
    "held": "#9a6700",
    "unknown": "#8250df",
    "uncertain": "#8250df",
    "unsettled": "#9a6700",
}
_TABLE = "border-collapse:collapse;font-size:13px;margin:4px 0 8px 0"
_CELL = (
    "text-align:left;vertical-align:top;padding:3px 10px 3px 0;"
    "border-bottom:1px solid #d0d7de;white-space:pre-wrap;overflow-wrap:anywhere"
)
_HEAD = _CELL + ";font-weight:600;white-space:nowrap"
_CODE = "background:#f6f8fa;color:#1f2328;padding:6px 8px;font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Table:
    """Rows under a header. `state_column` is drawn as a coloured word."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    state_column: int | None = None


@dataclass(frozen=True)
class Lines:
    """Commands as one would type them, or other literal text."""

    rows: tuple[str, ...]


@dataclass(frozen=True)
class Fold:
    """A part that is folded away until it is asked for."""

    summary: str
    parts: tuple[Table | Lines | str, ...]


Part = Table | Lines | Fold | str


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


def _html(part: Part) -> str:
    match part:
        case Table(header, rows, state_column):
            if not rows:
                return ""
            head = "".join(f'<th style="{_HEAD}">{_escaped(name)}</th>' for name in header)
            body = "".join(f"<tr>{_row(row, state_column)}</tr>" for row in rows)
            return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        case Lines(rows):
            return f'<pre style="{_CODE}">{"<br>".join(_escaped(row) for row in rows)}</pre>' if rows else ""
        case Fold(summary, parts):
            inner = "".join(_html(item) for item in parts)
            return f'<details><summary style="cursor:pointer">{_escaped(summary)}</summary>{inner}</details>'
    return f'<div style="margin:2px 0">{_escaped(part)}</div>'


def _row(row: Sequence[str], state_column: int | None) -> str:
    cells = (_badge(text) if index == state_column else _escaped(text) for index, text in enumerate(row))
    return "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)


def _badge(state: str) -> str:
    colour = COLOURS.get(state, "#57606a")
    return f'<span style="color:{colour};font-weight:600">{_escaped(state)}</span>'


def _plain(part: Part) -> Iterable[str]:
    match part:
        case Table(header, rows, _):
            shown = (
                [tuple(_shown(cell).replace("\n", " / ") for cell in row) for row in (header, *rows)] if rows else []
            )
            widths = [max(len(row[column]) for row in shown) for column in range(len(header))] if shown else []
            widths = [min(width, 60) for width in widths]
            return [
                "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                for row in shown
            ]
        case Lines(rows):
            return [f"    {_shown(row)}" for row in rows]
        case Fold(summary, parts):
            return [f"  {_shown(summary)}", *(line for item in parts for line in _plain(item))]
    return [f"  {_shown(str(part))}"]


def _shown(text: str) -> str:
    return safe_text(text, CELL_LIMIT)


def _escaped(text: str) -> str:
    return html.escape(_shown(text), quote=True)
