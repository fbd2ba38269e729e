"""The multipart framing of encrypted messages ([MS-WSMV] 2.2.9.1). Pure; opens and seals nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SPNEGO: Final = "application/HTTP-SPNEGO-session-encrypted"
CREDSSP: Final = "application/HTTP-CredSSP-session-encrypted"
PART_BYTES: Final = 16384  # CredSSP seals at most this much plaintext in a part

_BOUNDARY: Final = "Encrypted Boundary"
_TYPE: Final = re.compile(r'multipart/(?:x-multi-)?encrypted\s*;.*?protocol="([^"]+)"', re.IGNORECASE)
_OPENING: Final = re.compile(rb"--\s?Encrypted Boundary\r\n")
_CLOSING: Final = re.compile(rb"--\s?Encrypted Boundary--(?:\r\n)?\Z")
_LENGTH: Final = re.compile(rb"OriginalContent:[^\r\n]*;\s*Length=(\d+)", re.IGNORECASE)
_OCTETS: Final = b"\tContent-Type: application/octet-stream\r\n"


class FramingError(ValueError):
    """Bytes that are no encrypted message."""


@dataclass(frozen=True)
class Part:
    """One sealed part: the length of its plaintext, the 4-byte length field resolved into header and data.

    For CredSSP header + data is the TLS record stream, whatever the field says.
    """

    plain_bytes: int
    header: bytes
    data: bytes


def protocol_of(content_type: str) -> str | None:
    """The protocol string of an encrypted message's Content-Type; None for any other type."""
    match = _TYPE.match(content_type.strip())
    return match.group(1) if match else None


def decode(body: bytes) -> tuple[Part, ...]:
    """The parts of an encrypted body; FramingError when it is not one."""
    closing = _CLOSING.search(body)
    if closing is None:
        raise FramingError("no closing boundary")
    pieces = _OPENING.split(body[: closing.start()])
    if pieces[0] or len(pieces) < 3 or len(pieces) % 2 == 0:
        raise FramingError("boundaries do not pair up")
    return tuple(_part(pieces[i], pieces[i + 1]) for i in range(1, len(pieces), 2))


def encode(protocol: str, parts: Sequence[Part]) -> tuple[str, bytes]:
    """Content-Type and body of an encrypted message."""
    out = []
    for part in parts:
        out.append(
            f"--{_BOUNDARY}\r\n\tContent-Type: {protocol}\r\n"
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={part.plain_bytes}\r\n"
            f"--{_BOUNDARY}\r\n".encode("ascii")
        )
        out += [_OCTETS, len(part.header).to_bytes(4, "little"), part.header, part.data]
    out.append(f"--{_BOUNDARY}--\r\n".encode("ascii"))
    kind = "multipart/encrypted" if len(parts) == 1 else "multipart/x-multi-encrypted"
    return f'{kind};protocol="{protocol}";boundary="{_BOUNDARY}"', b"".join(out)


def _part(head: bytes, payload: bytes) -> Part:
    length = _LENGTH.search(head)
    if length is None or not payload.startswith(_OCTETS):
        raise FramingError("a part without length or content")
    sealed = payload[len(_OCTETS) :]
    size = int.from_bytes(sealed[:4], "little")
    if len(sealed) < 4 or size > len(sealed) - 4:
        raise FramingError("a part shorter than its header")
    return Part(int(length.group(1)), sealed[4 : 4 + size], sealed[4 + size :])
