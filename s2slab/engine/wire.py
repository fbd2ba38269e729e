"""Values between the lab and a real PowerShell process: one JSON form for each kind, texts marked so that none is a date."""

from __future__ import annotations

import base64
import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slab.engine import values as v
from s2slab.engine.records import ErrorRecord

DEPTH = 6


def to_wire(value: Any, depth: int = DEPTH) -> Any:
    """A value of the lab as a process reads it. TypeError for what has no form."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, v.PsUri | v.PsVersion):
        return {"uri" if isinstance(value, v.PsUri) else "version": _text(value)}
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return {"int": _text(value)}
    if isinstance(value, float | Decimal):
        return {"double" if isinstance(value, float) else "number": _text(v.to_text(value))}
    if isinstance(value, datetime):
        zone = "" if value.tzinfo is None else "+00:00" if value.tzinfo is v.LOCAL else "Z"
        moment = value if value.tzinfo in (None, v.LOCAL) else value.astimezone(UTC)
        return {"date": _text(f"{moment:%Y-%m-%dT%H:%M:%S.%f}0{zone}")}
    if isinstance(value, timedelta):
        return {"span": _text(value // timedelta(microseconds=1) * 10)}
    if isinstance(value, uuid.UUID):
        return {"guid": _text(value)}
    if isinstance(value, bytes):
        return {"bytes": _text(base64.b64encode(value).decode("ascii"))}
    if isinstance(value, v.SecureString):
        return {"secure": _text(value.reveal())}
    if isinstance(value, v.PsEnum):
        return {"enum": _text(value.type_name), "name": _text(value.name), "number": value.value}
    if isinstance(value, v.Table):
        return {"table": [[to_wire(key), to_wire(held, depth - 1)] for key, held in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [to_wire(item, depth - 1) for item in value]}
    if isinstance(value, v.PsObject):
        rows = [[_text(name), to_wire(held, depth - 1)] for name, held in value.properties.items()] if depth > 0 else []
        return {"object": rows, "names": [_text(name) for name in value.type_names], "text": _text(v.to_text(value))}
    raise TypeError(f"a {type(value).__name__} has no form for a process")


def from_wire(node: Any) -> Any:
    """A value that a process sent. ValueError for a form that is not known."""
    if node is None or isinstance(node, bool):
        return node
    if isinstance(node, str):
        return node[1:]
    if "user" in node:
        return v.PSCredential(node["user"][1:], v.SecureString(node["secure"][1:]))
    if "object" in node:
        names = [name[1:] for name in node["names"]]
        return v.PsObject(names, {name[1:]: from_wire(held) for name, held in node["object"]})
    kind, held = next(iter(node.items()))
    if kind == "list":
        return [from_wire(item) for item in held]
    if kind == "table":
        return v.Table([(from_wire(key), from_wire(value)) for key, value in held])
    made = _PLAIN.get(kind)
    if made is None:
        raise ValueError(f"a value of kind {kind!r} from a process")
    return made(held[1:])


def _text(value: object) -> str:
    return f"={value}"


def _date(text: str) -> datetime:
    """Seven digits of a second; `Z`, an offset (local, which is UTC here) or nothing behind them."""
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d", r"\1", text))
    if moment.tzinfo is None or text.endswith("Z"):
        return moment
    return moment.astimezone(UTC).replace(tzinfo=v.LOCAL)


_PLAIN: dict[str, Any] = {
    "int": int,
    "number": Decimal,
    "bytes": base64.b64decode,
    "date": _date,
    "span": lambda text: timedelta(microseconds=int(text) / 10),
    "guid": uuid.UUID,
    "uri": v.PsUri,
    "version": v.PsVersion,
    "secure": v.SecureString,
}


def record_to_wire(record: ErrorRecord) -> dict[str, Any]:
    """The parts of an error record."""
    return {
        "message": _text(record.message),
        "id": _text(record.id),
        "category": record.category,
        "reason": record.reason,
        "exception": record.exception,
    }
