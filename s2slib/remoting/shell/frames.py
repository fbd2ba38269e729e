"""The lines between this side and the constant script: requests out, verified frames in, everything else kept as text.

    request   base64(JSON) LF            secret    !name base64(UTF-8) LF
    answer    <nonce length hash payload>

`length` counts the payload's bytes, `hash` is the first 8 bytes of its SHA-256. The nonce is made anew for each process
and travels on standard input only. What looks like a frame and does not verify is text (rule R49).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from s2slib.remoting.values.quoting import CredentialRef, InvalidCommand, Later, SecretRef, Value, instant

MAX_FRAME = 32 * 1024 * 1024
MAX_STRAY = 256 * 1024
_HEADER = re.compile(rb"(\d{1,9}) [0-9A-F-]{23} ")
_LONGEST_HEADER = 9 + 1 + 23 + 1
_OUTSIDE = re.compile(rb"[<>\r\n]")  # what no payload holds


@dataclass(frozen=True)
class SessionRef:
    """A session that the script keeps, as a parameter's value."""

    name: str


def request_line(request: Mapping[str, Any]) -> bytes:
    """A request as the script reads it."""
    text = json.dumps(request, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(text.encode("ascii")) + b"\n"


def secret_line(name: str, text: str) -> bytes:
    """A secret as the script reads it: before the request that uses it, never inside one."""
    return f"!{name} {_b64(text)}\n".encode("ascii")


def typed(value: Value | SessionRef) -> dict[str, Any]:
    """A value with the kind that the script gives it back as. Texts are base64: JSON readers guess dates in them."""
    if isinstance(value, str):
        return {"k": "text", "v": _b64(value)}
    if isinstance(value, datetime):
        return {"k": "date", "v": _b64(instant(value))}
    if isinstance(value, bytes):
        return {"k": "bytes", "v": base64.b64encode(value).decode("ascii")}
    if isinstance(value, tuple):
        return {"k": "list", "v": [typed(item) for item in value]}
    if isinstance(value, SecretRef):
        return {"k": "secret", "v": value.name}
    if isinstance(value, CredentialRef):
        return {"k": "credential", "v": value.name, "user": _b64(value.user)}
    if isinstance(value, Later):
        raise InvalidCommand(f"{value.name} is not known yet; nothing was sent")
    if isinstance(value, SessionRef):
        return {"k": "session", "v": value.name}
    return {"k": "plain", "v": value}


def encoded(text: str) -> str:
    """A text as the script reads it inside a request."""
    return _b64(text)


@dataclass
class FrameReader:
    """Bytes of standard output in, payloads out; the rest collects in `stray` (bounded, its beginning is kept)."""

    nonce: str
    stray: bytearray = field(default_factory=bytearray)
    _pending: bytearray = field(default_factory=bytearray)
    _looked_at: int = 0  # bytes of a frame under way that hold nothing which no frame holds

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The payloads that are complete with `data`, in order. Every byte is looked at a bounded number of times."""
        self._pending += data
        payloads: list[dict[str, Any]] = []
        start = b"<" + self.nonce.encode("ascii") + b" "
        while True:
            at = self._pending.find(start)
            if at < 0:
                self._let_go(len(self._pending) - self._begun(start))
                return payloads
            self._let_go(at)
            frame = self._frame(len(start))
            if frame is None:
                return payloads
            payload = self._verified(frame)
            if payload is None:
                self._let_go(len(start))  # text that imitates a frame: a true one may begin inside it
                continue
            self._take(len(frame))
            payloads.append(payload)

    def _frame(self, opening: int) -> bytes | None:
        """The frame that begins what is pending, by the length it states; empty when it is none, None while it is not whole."""
        header = _HEADER.match(self._pending, opening)
        if header is None:
            is_short = len(self._pending) < opening + _LONGEST_HEADER
            return None if is_short and not _OUTSIDE.search(self._pending, opening) else b""
        end = header.end() + int(header[1])
        begin = max(header.end(), self._looked_at)
        if end - header.end() > MAX_FRAME or _OUTSIDE.search(self._pending, begin, end):
            return b""
        if len(self._pending) <= end:
            self._looked_at = len(self._pending)
            return None
        return bytes(self._pending[: end + 1])

    def stray_text(self) -> str:
        """What was not a frame, taken out; the line ends after frames left out."""
        text = self.stray.decode("utf-8", "backslashreplace")
        self.stray.clear()
        return "\n".join(line for line in text.splitlines() if line.strip())

    def _begun(self, start: bytes) -> int:
        """How many bytes at the end may be the beginning of a frame."""
        return next((n for n in range(len(start) - 1, 0, -1) if self._pending.endswith(start[:n])), 0)

    def _let_go(self, count: int) -> None:
        room = MAX_STRAY - len(self.stray)
        self.stray += self._pending[: max(0, min(count, room))]
        self._take(count)

    def _take(self, count: int) -> None:
        del self._pending[:count]
        if count:
            self._looked_at = 0

    def _verified(self, frame: bytes) -> dict[str, Any] | None:
        found = re.fullmatch(rb"<[0-9a-f]+ (\d{1,9}) ([0-9A-F-]{23}) ([^<> \r\n]+)>", frame)
        if found is None or int(found[1]) != len(found[3]):
            return None
        if hashlib.sha256(found[3]).digest()[:8].hex("-").upper() != found[2].decode("ascii"):
            return None
        try:
            payload = json.loads(found[3])
        except (ValueError, RecursionError):
            return None
        return payload if isinstance(payload, dict) else None


def _b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")
