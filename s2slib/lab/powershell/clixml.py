"""CLIXML: values, progress records and escaped text, as PowerShell writes them."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.engine import ProgressRecord
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import decimal_text, to_text
from s2slib.lab.powershell.types import type_names, type_of

NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"
_TAGS = {
    "System.Int32": "I32", "System.Int64": "I64", "System.Int16": "I16", "System.UInt16": "U16", "System.UInt32": "U32",
    "System.UInt64": "U64", "System.Byte": "By", "System.SByte": "SB",
}  # fmt: skip


def escape(text: str) -> str:
    """Text as CLIXML has it: control characters and surrogates as _xHHHH_, markup as entities."""
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    out: list[str] = []
    for c in v.utf16(text):
        if c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff":
            out.append(f"_x{ord(c):04X}_")
        else:
            out.append({"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(c, c))
    return "".join(out)


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ids = 0
        self.types: dict[tuple[str, ...], int] = {}

    def line(self, depth: int, text: str) -> None:
        self.lines.append("  " * depth + text)

    def value(self, value: Any, at: int, name: str, depth: int) -> None:
        label = f' N="{escape(name)}"' if name else ""
        simple = _primitive(value)
        if simple is not None:
            tag, text = simple
            if text is None:
                self.line(at, f"<{tag}{label} />")
            else:
                self.line(at, f"<{tag}{label}>{text}</{tag}>")
            return
        self.line(at, f'<Obj{label} RefId="{self.ids}">')
        self.ids += 1
        self._type_names(type_names(value), at + 1)
        self._body(value, at + 1, depth)
        self.line(at, "</Obj>")

    def _type_names(self, names: list[str], at: int) -> None:
        key = tuple(names)
        if key in self.types:
            self.line(at, f'<TNRef RefId="{self.types[key]}" />')
            return
        number = self.types[key] = len(self.types)
        self.line(at, f'<TN RefId="{number}">')
        for name in names:
            self.line(at + 1, f"<T>{escape(name)}</T>")
        self.line(at, "</TN>")

    def _body(self, value: Any, at: int, depth: int) -> None:
        if isinstance(value, v.PsEnum):
            self.line(at, f"<ToString>{value.name}</ToString>")
            self.line(at, f"<I32>{value.value}</I32>")
        elif isinstance(value, Table):
            self._table(value, at, depth)
        elif isinstance(value, (list, v.Collection)):
            kind = "LST"
            if isinstance(value, v.Collection):
                kind = {"System.Collections.Queue": "QUE", "System.Collections.Stack": "STK"}.get(value.kind, "LST")
                if type_of(value).args:
                    raise Unsupported("a generic collection in CLIXML")
            if len(value) == 0:
                self.line(at, f"<{kind} />")
                return
            self.line(at, f"<{kind}>")
            for item in value:
                self.value(item, at + 1, "", max(depth - 1, 0))
            self.line(at, f"</{kind}>")
        elif (
            isinstance(value, v.PsObject) and value.base is None and not value.type_names[0].startswith("Deserialized.")
        ):
            if depth <= 0:
                raise Unsupported("objects nested deeper than the depth in CLIXML")
            if not value.properties:
                return
            self.line(at, "<MS>")
            for key, item in value.properties.items():
                self.value(item, at + 1, key, depth - 1)
            self.line(at, "</MS>")
        else:
            raise Unsupported(f"a {type_of(value).display} in CLIXML")

    def _table(self, value: Table, at: int, depth: int) -> None:
        if len(value) == 0:
            self.line(at, "<DCT />")
            return
        self.line(at, "<DCT>")
        for key, item in value.items():
            self.line(at + 1, "<En>")
            self.value(key, at + 2, "Key", depth - 1)
            self.value(item, at + 2, "Value", depth - 1)
            self.line(at + 1, "</En>")
        self.line(at, "</DCT>")


def _primitive(value: Any) -> tuple[str, str | None] | None:
    if value is None:
        return "Nil", None
    if isinstance(value, bool):
        return "B", "true" if value else "false"
    if isinstance(value, v.Char):
        return "C", str(ord(value))
    if isinstance(value, str):
        return ("S", escape(value)) if value else ("S", "")
    if isinstance(value, v.JsonDecimal):
        raise Unsupported("a fraction from JSON in CLIXML")
    if isinstance(value, int):
        return _TAGS[type_of(value).name], str(int(value))
    if isinstance(value, v.Single):
        raise Unsupported("a Single in CLIXML")
    if isinstance(value, float):
        return "Db", to_text(value)
    if isinstance(value, Decimal):
        return "D", decimal_text(value)
    if isinstance(value, datetime):
        return "DT", _date(value)
    if isinstance(value, timedelta):
        return "TS", _span(value)
    if isinstance(value, uuid.UUID):
        return "G", str(value)
    if isinstance(value, v.PsUri):
        return "URI", escape(value.text)
    if isinstance(value, v.PsVersion):
        return "Version", str(value)
    if isinstance(value, bytes):
        import base64

        return "BA", base64.b64encode(value).decode("ascii")
    if isinstance(value, (v.SecureString, v.PSCredential)):
        raise Unsupported("a secret in CLIXML")
    return None


def _date(when: datetime) -> str:
    fraction = f".{when.microsecond:06d}".rstrip("0") if when.microsecond else ""
    zone = "" if when.tzinfo is None else "+00:00" if when.tzinfo is v.LOCAL else "Z"
    return f"{when:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"


def _span(span: timedelta) -> str:
    sign = "-" if span < timedelta(0) else ""
    span = abs(span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or span.microseconds:
        fraction = f".{span.microseconds:06d}".rstrip("0") if span.microseconds else ""
        time += f"{seconds}{fraction}S"
    days = f"{span.days}D" if span.days else ""
    if not time and not days:
        return "PT0S"
    return f"{sign}P{days}" + (f"T{time}" if time else "")


def serialize(value: Any, depth: int) -> str:
    """PSSerializer.Serialize: an indented document."""
    writer = _Writer()
    writer.value(value, 1, "", depth)
    body = "\r\n".join(writer.lines)
    return f'<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">\r\n{body}\r\n</Objs>'


def progress(record: ProgressRecord, *, first: bool, number: int) -> str:
    """A progress record as the error stream carries it."""
    names = "<T>System.Management.Automation.PSCustomObject</T><T>System.Object</T>"
    types = f'<TN RefId="0">{names}</TN>' if first else '<TNRef RefId="0" />'
    kind = "Completed" if record.completed else "Processing"
    return (
        f'<Obj S="progress" RefId="{number}">{types}<MS><I64 N="SourceId">1</I64><PR N="Record">'
        f"<AV>{escape(record.activity)}</AV><AI>{record.activity_id}</AI><Nil /><PI>-1</PI><PC>{record.percent}</PC>"
        f"<T>{kind}</T><SR>-1</SR><SD>{escape(record.status)}</SD></PR></MS></Obj>"
    )
