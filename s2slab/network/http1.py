"""HTTP/1.1 messages on a byte stream: heads, bodies and their framing, as both a web site and a proxy need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from io import BufferedReader

MAX_HEAD = 64 * 1024
CHUNK = 64 * 1024
Headers = tuple[tuple[str, str], ...]


class ProtocolError(Exception):
    """What arrived is not an HTTP/1.1 message that this side can take; `status` is the answer to give (400, 413...)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class Head:
    """A start line and header fields, in order, as received. Names compare without regard to case."""

    start: str
    headers: Headers

    def get(self, name: str, default: str = "") -> str:
        """All values of a header field, joined by a comma; `default` when it is absent."""
        found = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(found) if found else default

    def tokens(self, name: str) -> set[str]:
        """The comma-separated members of a header field, lower case."""
        return {token.strip().lower() for token in self.get(name).split(",") if token.strip()}

    def without(self, *names: str) -> Head:
        """The same head without the named (lower-case) fields."""
        return Head(self.start, tuple((key, value) for key, value in self.headers if key.lower() not in names))

    def encode(self, start: str | None = None) -> bytes:
        """The head as it goes on the wire, with the blank line."""
        lines = [self.start if start is None else start, *(f"{key}: {value}" for key, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")


@dataclass(frozen=True)
class RequestLine:
    """Method, target (origin, absolute or authority form) and minor version of HTTP/1."""

    method: str
    target: str
    minor: int

    @classmethod
    def parse(cls, line: str) -> RequestLine:
        """The parts of a request line; ProtocolError 400 when it is none, 505 for another version."""
        parts = line.split(" ")
        if len(parts) != 3 or not parts[0].isalpha() or not parts[1]:
            raise ProtocolError(400, "malformed request line")
        if parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
            raise ProtocolError(505, "HTTP version not supported")
        return cls(parts[0], parts[1], int(parts[2][-1]))


def read_head(stream: BufferedReader) -> Head | None:
    """The next head of `stream`; None at its end. ProtocolError when it is malformed or longer than 64 KiB."""
    line = stream.readline(MAX_HEAD)
    while line in (b"\r\n", b"\n"):  # tolerated before a request
        line = stream.readline(MAX_HEAD)
    if not line:
        return None
    size = len(line)
    lines: list[str] = []
    while line.endswith(b"\n"):
        text = line.rstrip(b"\r\n").decode("latin-1")
        if not text:
            return Head(lines[0], tuple(_field(entry) for entry in lines[1:]))
        lines.append(text)
        line = stream.readline(MAX_HEAD)
        size += len(line)
        if size > MAX_HEAD:
            raise ProtocolError(431, "request header fields too large")
    raise ProtocolError(400, "message ends within its head")


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise ProtocolError(400, "malformed header field")
    return name, value.strip()


def body_length(head: Head) -> int | None:
    """The announced length of a request's body; None when it is chunked, 0 when nothing is announced."""
    if "transfer-encoding" in {key.lower() for key, _ in head.headers}:
        if head.tokens("transfer-encoding") != {"chunked"}:
            raise ProtocolError(501, "transfer encoding not supported")
        if head.get("content-length"):
            raise ProtocolError(400, "two lengths for one body")
        return None
    text = head.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        raise ProtocolError(400, "malformed content length")
    return int(text)


def read_body(stream: BufferedReader, length: int | None) -> Iterator[bytes]:
    """The bytes of a body as they arrive: `length` of them, or decoded chunks when it is None."""
    if length is not None:
        yield from _exactly(stream, length)
        return
    while True:
        size = stream.readline(256).split(b";", 1)[0].strip()
        try:
            count = int(size, 16)
        except ValueError:
            raise ProtocolError(400, "malformed chunk") from None
        yield from _exactly(stream, count)
        if count == 0:
            while stream.readline(MAX_HEAD) not in (b"\r\n", b"\n", b""):
                pass
            return
        stream.readline(2)


def _exactly(stream: BufferedReader, count: int) -> Iterator[bytes]:
    while count > 0:
        # read1: pass on what is there instead of waiting for the rest
        data = stream.read1(min(count, CHUNK))
        if not data:
            raise ProtocolError(400, "message ends within its body")
        count -= len(data)
        yield data


def response(status: int, headers: Iterable[tuple[str, str]], body: bytes, *, close: bool, bodiless: bool) -> bytes:
    """A whole response. `bodiless` (an answer to HEAD) announces the length without sending the body."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    head = Head(
        f"HTTP/1.1 {status} {reason}",
        (
            *headers,
            ("Date", formatdate(usegmt=True)),
            ("Content-Length", str(len(body))),
            *((("Connection", "close"),) if close else ()),
        ),
    )
    return head.encode() + (b"" if bodiless else body)
