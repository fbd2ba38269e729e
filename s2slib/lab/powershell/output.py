"""What a console shows of values: plain ones as text, services as a table, cmdlets' objects as lists; error records with
their position.

UNCONFIRMED: the blank lines around a list and where its long values break. Files and processes are tables on Windows too; here
they are lists, since a line typed for what it does must not fail for how its result looks.
"""

from __future__ import annotations

import textwrap
from datetime import datetime
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.console import WIDTH, Console
from s2slib.lab.powershell.culture import Culture
from s2slib.lab.powershell.errors import ErrorRecord, Unsupported
from s2slib.lab.powershell.format import current_text
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import type_of

TABLES = {  # the columns that PowerShell's own views have, with their widths
    "System.ServiceProcess.ServiceController": (("Status", 8), ("Name", 18), ("DisplayName", 38)),
}
OTHER_VIEWS = ("Microsoft.PowerShell.Commands.Group", "Microsoft.PowerShell.Commands.GenericMeasureInfo")


class DefaultOutput:
    """Out-Default: values as they come. `finish` ends a list or table that is open."""

    def __init__(self, console: Console, culture: Any) -> None:
        self.console, self._culture = console, culture
        self._list_open = False
        self._table_of = ""

    def write(self, value: Any) -> None:
        """Show one object of the output stream."""
        if value is None or value is v.NOTHING:
            return
        if isinstance(value, v.PsObject):
            if self._table_of and value.type_names[:1] != [self._table_of]:
                raise Unsupported("another object after a table on the console")
            self._bag(value)
            return
        if not self._table_of:  # texts and numbers come between a table's rows, they do not end it
            self.finish()
        if isinstance(value, (list, bytes, v.Collection, v.Enumerated)):
            for item in list(value):
                if isinstance(item, (list, v.Collection)):
                    raise Unsupported("nested arrays on the console")
                self.write(item)
            return
        self.console.write_line(plain_text(value, self._culture()))

    def finish(self) -> None:
        """End an open list."""
        if self._list_open or self._table_of:
            self._list_open, self._table_of = False, ""
            self.console.write("\r\n\r\n")

    def _bag(self, bag: v.PsObject) -> None:
        if bag.base is not None:
            self.finish()
            self.console.write_line(bag.text if bag.text is not None else plain_text(bag.base, self._culture()))
            return
        first = bag.type_names[0] if bag.type_names else ""
        if first == v.CUSTOM_OBJECT[0] or first.startswith("Selected.") or not bag.properties:
            raise Unsupported("the table or list view of a custom object")
        if first.startswith(OTHER_VIEWS):
            raise Unsupported(f"the view of a {first} on the console")
        if first in TABLES:
            self._row(bag, first)
            return
        self.console.write(("" if self._list_open else "\r\n") + "\r\n" + list_view(bag, self._culture()))
        self._list_open = True

    def _row(self, bag: v.PsObject, kind: str) -> None:
        columns = TABLES[kind]
        if not self._table_of:
            self.finish()
            self._table_of = kind
            self.console.write("\r\n" + table_line([(name, width) for name, width in columns]))
            self.console.write(table_line([("-" * len(name), width) for name, width in columns]))
        self.console.write(table_line([(cell(bag.get(name), self._culture()), width) for name, width in columns]))


def table_line(cells: list[tuple[str, int]]) -> str:
    """One line of a table: every cell filled to its width, the last one too, what is too long cut with three dots."""
    cut = [text if len(text) <= width else text[: width - 3] + "..." for text, width in cells]
    return " ".join(text.ljust(width) for text, (_, width) in zip(cut, cells, strict=True)) + "\r\n"


def plain_text(value: Any, culture: Culture) -> str:
    """A value without a view of its own."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int, float, Decimal)):
        return current_text(value, culture) if not isinstance(value, bool) else to_text(value)
    if isinstance(value, v.PsEnum):
        return str(value)
    raise Unsupported(f"the view of a {type_of(value).display} on the console")


def list_view(bag: v.PsObject, culture: Culture) -> str:
    """Format-List: names aligned, long values continued under their beginning."""
    width = max(len(n) for n in bag.properties)
    lines: list[str] = []
    for name, value in bag.properties.items():
        head = name.ljust(width) + " : "
        room = WIDTH - 1 - len(head)
        text = cell(value, culture)
        parts = [p for line in text.split("\n") for p in (_wrapped(line, room) or [""])]
        lines.append(head + parts[0])
        lines.extend(" " * len(head) + p for p in parts[1:])
    return "".join(line.rstrip("\r") + "\r\n" for line in lines)


def _wrapped(text: str, room: int) -> list[str]:
    if len(text) <= room or room < 20:
        return [text]
    return textwrap.wrap(text, room, break_on_hyphens=False, drop_whitespace=True)


def cell(value: Any, culture: Culture) -> str:
    """A property's value in a list."""
    if value is None:
        return ""
    if isinstance(value, (list, bytes, v.Collection)):
        items = [v.Byte(b) for b in value] if isinstance(value, bytes) else list(value)
        shown = [cell(i, culture) for i in items[:4]] + (["..."] if len(items) > 4 else [])
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, datetime):
        return current_text(value, culture)
    if isinstance(value, v.SecureString):
        return "System.Security.SecureString"
    return to_text(value)


# -- errors


def error_lines(record: ErrorRecord) -> list[str]:
    """An error record in the normal view, one entry a line, wrapped where a line is longer than the console."""
    from s2slib.lab.powershell.errorview import Category, position_message

    prefix = record.script_prefix or (record.command + " : " if record.command else "")
    text = prefix + record.message
    if record.remote:
        text = f"[{record.remote}] {text}" if not record.command else text
    where = position_message(record.position)
    lines = text.replace("\r\n", "\n").split("\n")
    if where:
        lines += where.replace("\r\n", "\n").split("\n")
    lines.append("    + CategoryInfo          : " + Category(record).ps_text())
    lines.append("    + FullyQualifiedErrorId : " + record.id)
    if record.remote:
        lines.append("    + PSComputerName        : " + record.remote)
    lines.append(" ")
    wrapped: list[str] = []
    for line in lines:
        indent = "   " if line.startswith("    + ") else ""
        while len(line) > WIDTH - 1:
            wrapped.append(line[: WIDTH - 1])
            line = indent + line[WIDTH - 1 :]
        wrapped.append(line)
    return wrapped
