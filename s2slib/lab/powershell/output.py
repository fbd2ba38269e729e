"""What a console shows of values: plain ones as text, cmdlets' objects as lists; error records with their position.

UNCONFIRMED: the blank lines around a list and where its long values break.
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


class DefaultOutput:
    """Out-Default: values as they come. `finish` ends a list that is open."""

    def __init__(self, console: Console, culture: Any) -> None:
        self.console, self._culture = console, culture
        self._list_open = False

    def write(self, value: Any) -> None:
        """Show one object of the output stream."""
        if value is None or value is v.NOTHING:
            return
        if isinstance(value, v.PsObject):
            self._bag(value)
            return
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
        if self._list_open:
            self._list_open = False
            self.console.write("\r\n\r\n")

    def _bag(self, bag: v.PsObject) -> None:
        if bag.base is not None:
            self.finish()
            self.console.write_line(bag.text if bag.text is not None else plain_text(bag.base, self._culture()))
            return
        first = bag.type_names[0] if bag.type_names else ""
        if first == v.CUSTOM_OBJECT[0] or first.startswith("Selected.") or not bag.properties:
            raise Unsupported("the table or list view of a custom object")
        if first.startswith("Microsoft.PowerShell.Commands."):  # tables and lists laid down by PowerShell itself
            raise Unsupported(f"the view of a {first} on the console")
        self.console.write(("" if self._list_open else "\r\n") + "\r\n" + list_view(bag, self._culture()))
        self._list_open = True


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
