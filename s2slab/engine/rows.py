"""An answer's values as the constant script writes them: JSON whose texts are base64, cut where the room ends."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from s2slab.engine import values as v
from s2slab.engine.records import ErrorRecord


@dataclass
class Room:
    """What is left of an answer's room, in UTF-16 units, and whether something was cut."""

    left: int
    cut: bool = False


def text(value: str) -> str:
    """A text of an answer."""
    return '"' + base64.b64encode(value.encode("utf-8", "replace")).decode("ascii") + '"'


def fitted(value: Any, room: Room) -> str:
    """A value's text within what is left of the room."""
    whole = v.to_text(value)
    units = whole.encode("utf-16-le", "surrogatepass")
    space = max(0, room.left)
    if len(units) // 2 > space:
        room.cut = True
        units = units[: 2 * space]
        whole = units.decode("utf-16-le", "replace")
    room.left -= len(units) // 2
    return text(whole)


def to_json(value: Any, depth: int, room: Room) -> str:
    """Any value: null, true, false, numbers, "text", [list], or an object with one key that says its kind."""
    if value is None:
        return "null"
    if isinstance(value, str | v.PsEnum) and not isinstance(value, v.PsUri | v.PsVersion):
        return fitted(value, room)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, v.PsObject) and value.enumeration:
        return fitted(value.text, room)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        moment = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
        return '{"date":' + text(f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z") + "}"
    if isinstance(value, bytes):
        if len(value) > room.left:
            room.cut = True
            return "null"
        room.left -= len(value)
        return '{"bytes":"' + base64.b64encode(value).decode("ascii") + '"}'
    if isinstance(value, v.SecureString | v.PSCredential):
        return '{"secret":true}'
    if isinstance(value, float | Decimal):
        return '{"number":' + text(v.to_text(value)) + "}"
    if depth <= 0 or room.left <= 0:
        return fitted(value, room)
    if isinstance(value, v.Table):
        pairs = [f"[{text(v.to_text(key))},{to_json(held, depth - 1, room)}]" for key, held in value.items()]
        return '{"map":[' + ",".join(pairs) + "]}"
    if isinstance(value, list):
        return "[" + ",".join(_within(value, room, lambda item: to_json(item, depth - 1, room))) + "]"
    if isinstance(value, v.PsObject):
        return row(value, None, depth - 1, room)
    return fitted(value, room)


def row(value: Any, wanted: Sequence[str] | None, depth: int, room: Room) -> str:
    """An object by its properties, all or the wanted ones. One that is missing stays missing."""
    names = None if wanted is None else {name.lower() for name in wanted}
    members: list[str] = []
    for name, held in _properties(value).items():
        if names is None or name.lower() in names:
            shown = to_json(held, depth, room)
            room.left -= 16
            members.append(f"[{text(name)},{shown}]")
    return '{"object":[' + text(v.type_name(value)) + ",[" + ",".join(members) + "]]}"


def _properties(value: Any) -> dict[str, Any]:
    if isinstance(value, v.PsObject):
        return value.properties
    return {"Length": len(value)} if isinstance(value, str | list | bytes) else {}


def fault(record: ErrorRecord, room: Room, *, thrown: bool) -> str:
    """An error record."""
    message = fitted(record.message, room)
    return (
        f'{{"message":{message},"id":{text(record.id)},"category":{text(record.category)},"reason":{text(record.reason)},'
        f'"exception":{text(record.exception)},"thrown":{"true" if thrown else "false"}}}'
    )


def lines(records: Iterable[str], room: Room) -> str:
    """Warnings, verbose or information records."""
    return "[" + ",".join(_within(records, room, lambda record: fitted(record, room))) + "]"


def _within(items: Iterable[Any], room: Room, show: Any) -> list[str]:
    shown: list[str] = []
    for item in items:
        if room.left > 0:
            shown.append(show(item))
        else:
            room.cut = True
    return shown
