"""How an error record shows itself: its category line, its place in the script, its details."""

from __future__ import annotations

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.errors import (
    ErrorRecord,
    Position,
)
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, type_of


class Category:
    """ErrorCategoryInfo."""

    ps_type = SMA + "ErrorCategoryInfo"

    def __init__(self, record: ErrorRecord) -> None:
        self.record = record

    @property
    def target_name(self) -> str:
        """The target as text."""
        r = self.record
        if r.target_name is not None:
            return r.target_name
        return "" if r.target is None else to_text(r.target)

    @property
    def target_type(self) -> str:
        """The target's type's short name."""
        r = self.record
        if r.target_type is not None:
            return r.target_type
        if r.target is None:
            return ""
        if isinstance(r.target, v.PsObject) and r.target.base is None:
            return r.target.type_names[0].rsplit(".", 1)[-1]
        return type_of(r.target).short_name

    def ps_text(self) -> str:
        """`Category: (target:type) [activity], reason`."""
        r = self.record
        return f"{r.category}: ({_shortened(self.target_name)}:{self.target_type}) [{r.activity}], {r.reason}"


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:19] + "..." + text[-19:]


class RecordInvocation:
    """InvocationInfo of an error record."""

    ps_type = SMA + "InvocationInfo"

    def __init__(self, record: ErrorRecord) -> None:
        self.record = record

    @property
    def position(self) -> Position | None:
        """Where."""
        return self.record.position


def position_message(p: Position | None) -> str:
    """PositionMessage: `At line:1 char:5` and the line with the part underlined."""
    if p is None:
        return ""
    line = p.text
    width = max(1, min(p.end, p.start - p.column + 1 + len(line)) - p.start)
    where = f"At {p.file}:{p.line} char:{p.column}" if p.file else f"At line:{p.line} char:{p.column}"
    shown, mark = line, " " * (p.column - 1)
    if len(line) > 69:  # the engine shows a window of the line, marked where it was cut
        start = max(0, p.column - 1 - 30)
        stop = min(len(line), start + 66)
        head, tail = ("... " if start else ""), (" ..." if stop < len(line) else "")
        shown = head + line[start:stop] + tail
        mark = " " * (len(head) + p.column - 1 - start)
        width = min(width, stop - (p.column - 1))
    return f"{where}\r\n+ {shown}\r\n+ {mark}{'~' * width}"


class Details:
    """ErrorDetails."""

    ps_type = SMA + "ErrorDetails"

    def __init__(self, message: str) -> None:
        self.message = message

    def ps_text(self) -> str:
        """The message."""
        return self.message
