"""One HTTPS site of a simulated server: TLS, keep-alive and requests, handed to a function that answers them."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BufferedReader

from s2slab.estate.pki import KeyPair, server_context
from s2slab.network.http1 import Head, ProtocolError, RequestLine, body_length, read_body, read_head, response
from s2slab.network.listener import Listener

HANDSHAKE_S = 10
IDLE_S = 120  # http.sys drops an idle connection after about two minutes
MAX_BODY = 1024 * 1024


@dataclass(frozen=True)
class Request:
    """A request as a handler sees it. Header names are lower case; `path` is as sent, without the query."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    authority: str  # the Host field: name and, unless it is the usual one, port

    @property
    def url(self) -> str:
        """The URL that was asked for, without the query."""
        return f"https://{self.authority}{self.path}"

    @property
    def host(self) -> str:
        """The name in the Host field, without the port."""
        return self.authority.partition(":")[0]

    @property
    def place(self) -> str:
        """The path in lower case: IIS does not tell cases apart."""
        return self.path.lower()

    @property
    def bearer(self) -> str | None:
        """The bearer token that came with the request; empty when the scheme came without one, None for no bearer."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


@dataclass(frozen=True)
class Reply:
    """A handler's answer."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Request], Reply]


class Site:
    """Serves `handler` over TLS on a free loopback port until `close`.

    `certificate` is asked at every handshake, `life` at every connection and request: a number that changes when the
    server behind the site is restarted, None while it is stopped. A connection does not outlive the life it began in;
    it ends without an answer, like one to a port that is not served.
    """

    def __init__(
        self, handler: Handler, *, name: str, certificate: Callable[[], KeyPair], life: Callable[[], int | None]
    ) -> None:
        self._handler = handler
        self._name = name
        self._certificate = certificate
        self._life = life
        shown = certificate()
        self._context = (shown.thumbprint, server_context(shown))
        self._listener = Listener(self._serve, name=name)
        self.port = self._listener.port

    def close(self) -> None:
        """Stop serving and end every connection."""
        self._listener.close()

    def _tls(self) -> ssl.SSLContext:
        shown = self._certificate()
        if self._context[0] != shown.thumbprint:
            self._context = (shown.thumbprint, server_context(shown))
        return self._context[1]

    def _serve(self, connection: socket.socket) -> None:
        life = self._life()
        if life is None:
            return
        connection.settimeout(HANDSHAKE_S)
        with self._tls().wrap_socket(connection, server_side=True) as tls:
            tls.settimeout(IDLE_S)
            with tls.makefile("rb") as stream:
                while self._answer_next(tls, stream, life):
                    pass

    def _answer_next(self, tls: ssl.SSLSocket, stream: BufferedReader, life: int) -> bool:
        """Answer one request; whether the connection stays open for another."""
        bodiless = False
        try:
            head = read_head(stream)
            if head is None or self._life() != life:
                return False
            line = RequestLine.parse(head.start)
            bodiless = line.method == "HEAD"
            close = line.minor == 0 or "close" in head.tokens("connection")
            if "100-continue" in head.tokens("expect"):
                tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            reply = self._handle(_request(line, head, _body(head, stream)))
        except ProtocolError as error:
            reply, close = Reply(error.status, f"Bad Request: {error}".encode(), "text/plain"), True
        if self._life() != life:  # stopped while the request was under way
            return False
        fields = (*((("Content-Type", reply.content_type),) if reply.content_type else ()), *reply.headers)
        tls.sendall(response(reply.status, fields, reply.body, close=close, bodiless=bodiless))
        return not close

    def _handle(self, request: Request) -> Reply:
        try:
            return self._handler(request)
        except Exception:
            logging.getLogger("s2slab").exception("%s could not answer %s", self._name, request.path)
            return Reply(500, b"Internal Server Error", "text/plain")


def _body(head: Head, stream: BufferedReader) -> bytes:
    length = body_length(head)
    if length is not None and length > MAX_BODY:
        raise ProtocolError(413, "request body too large")
    received = bytearray()
    for data in read_body(stream, length):
        received += data
        if len(received) > MAX_BODY:
            raise ProtocolError(413, "request body too large")
    return bytes(received)


def _request(line: RequestLine, head: Head, body: bytes) -> Request:
    if not line.target.startswith("/"):
        raise ProtocolError(400, "a path is expected")
    path, _, query = line.target.partition("?")
    headers = {key.lower(): head.get(key.lower()) for key, _ in head.headers}
    if not headers.get("host"):
        raise ProtocolError(400, "a Host field is required")
    return Request(line.method, path, query, headers, body, headers["host"])


def not_found() -> Reply:
    """404 as IIS answers it."""
    return error_page(404)


def unavailable() -> Reply:
    """503 as http.sys answers it for an application pool without a process."""
    return error_page(503)


def error_page(status: int) -> Reply:
    """An error with a page for people."""
    text = f"{status} - {HTTPStatus(status).phrase}"
    return Reply(
        status,
        f"<!DOCTYPE html><html><head><title>{text}</title></head><body></body></html>".encode(),
        "text/html; charset=utf-8",
    )
