"""The forward proxy that leads into the lab: CONNECT and plain http, to the names of the estate and nowhere else."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from io import BufferedReader
from typing import cast
from urllib.parse import urlsplit

from s2slab.network.http1 import Head, ProtocolError, RequestLine, body_length, read_body, read_head, response
from s2slab.network.listener import Listener
from s2slab.network.network import ConnectionRefusedByLab, NameNotResolved, Network

IDLE_S = 600
CONNECT_S = 10
BLOCK = 64 * 1024
_HOP_BY_HOP = ("proxy-connection", "proxy-authorization", "proxy-authenticate")


class _Unreachable(Exception):
    """The target cannot be reached: the status, the Proxy-Status error token (RFC 9209) and a sentence."""

    def __init__(self, status: int, token: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.token = token


class _Broken(OSError):
    """One side ended an exchange half-way: the other side's connection ends with it, without another byte."""


class ForwardProxy:
    """Leads a client that speaks production names and ports to the sockets behind them.

    Each client connection has at most one upstream connection, which lives exactly as long: authentication schemes
    that belong to a connection (NTLM, CredSSP) survive the proxy. Over plain http another target on the same client
    connection gets a new upstream connection.

        target                                   answer
        ---------------------------------------  ------------------
        no such name in the estate               502, dns_error
        server there, nothing listens            502, connection_refused
        server down                              504, connection_timeout
        server ends an exchange half-way         the end of the client's connection too: what it would see there
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._listener: Listener | None = None

    def start(self) -> int:
        """Start listening on loopback and return the port."""
        self._listener = Listener(self._serve, name="lab proxy")
        return self._listener.port

    def close(self) -> None:
        """Stop listening and end every connection."""
        if self._listener is not None:
            self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(IDLE_S)
        with client.makefile("rb") as stream:
            try:
                head = read_head(stream)
                if head is None:
                    return
                line = RequestLine.parse(head.start)
                if line.method == "CONNECT":
                    self._tunnel(client, line)
                else:
                    _Forwarder(self._network, client, stream).run(line, head)
            except ProtocolError as error:
                client.sendall(_refusal(error.status, "http_request_error", str(error)))
            except _Unreachable as error:
                client.sendall(_refusal(error.status, error.token, str(error)))

    def _tunnel(self, client: socket.socket, line: RequestLine) -> None:
        host, colon, port = line.target.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit()):
            raise ProtocolError(400, "CONNECT needs host:port")
        with _connect(self._network, host, int(port)) as upstream:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(client, upstream)


class _Forwarder:
    """Plain http requests of one client connection, over one upstream connection at a time."""

    def __init__(self, network: Network, client: socket.socket, stream: BufferedReader) -> None:
        self._network = network
        self._client = client
        self._stream = stream
        self._target: tuple[str, int] | None = None
        self._upstream: socket.socket | None = None
        self._replies: BufferedReader | None = None

    def run(self, line: RequestLine, head: Head) -> None:
        """Forward the request at hand and those that follow it, until either side ends its connection."""
        current: Head | None = head
        try:
            while current is not None and self._forward(line, current):
                current = read_head(self._stream) if self._is_asked_again() else None
                if current is not None:
                    line = RequestLine.parse(current.start)
        finally:
            self._disconnect()

    def _forward(self, line: RequestLine, head: Head) -> bool:
        host, port, path = _target(line.target)
        length = body_length(head)
        _acknowledge(self._client)
        self._connect_to((host, port))
        assert self._upstream is not None
        if "100-continue" in head.tokens("expect"):
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._upstream.sendall(head.without(*_HOP_BY_HOP, "expect").encode(f"{line.method} {path} HTTP/1.1"))
        self._send_body(length)
        try:
            return self._return_reply(line, self._read_reply())
        except ProtocolError as error:
            raise _Broken(str(error)) from None

    def _connect_to(self, target: tuple[str, int]) -> None:
        """Have an upstream connection to `target`: the one there is, or a new one in its place."""
        if target == self._target:
            return
        self._disconnect()
        self._upstream = _connect(self._network, *target)
        self._upstream.settimeout(IDLE_S)
        self._replies = self._upstream.makefile("rb")
        self._target = target

    def _disconnect(self) -> None:
        for end in (self._replies, self._upstream):
            if end is not None:
                with suppress(OSError):
                    end.close()
        self._target = self._upstream = self._replies = None

    def _send_body(self, length: int | None) -> None:
        assert self._upstream is not None
        for data in read_body(self._stream, length):
            self._upstream.sendall(data if length is not None else b"%x\r\n%b\r\n" % (len(data), data))
        if length is None:
            self._upstream.sendall(b"0\r\n\r\n")

    def _read_reply(self) -> Head:
        assert self._replies is not None
        assert self._upstream is not None
        if self._first_of(self._upstream, self._client) is self._client and self._has_left():
            raise _Broken("the client has left")
        head = read_head(self._replies)
        if head is None or not head.start.startswith(("HTTP/1.0 ", "HTTP/1.1 ")):
            raise _Broken("the server has ended the connection")
        return head

    def _has_left(self) -> bool:
        return not self._client.recv(1, socket.MSG_PEEK)

    def _is_asked_again(self) -> bool:
        """Wait for the client's next request; False when the server ended its connection first."""
        self._client.settimeout(0)
        early = self._stream.peek(1)  # a request that came together with the one before
        self._client.settimeout(IDLE_S)
        return bool(early) or self._first_of(self._client, self._upstream) is self._client

    @staticmethod
    def _first_of(wanted: socket.socket, other: socket.socket | None) -> socket.socket | None:
        """Which end has something to read first, end of stream included; None after ten minutes."""
        with selectors.DefaultSelector() as selector:
            for end in (wanted, other):
                if end is not None:
                    selector.register(end, selectors.EVENT_READ)
            ready = {key.fileobj for key, _ in selector.select(IDLE_S)}
        return wanted if wanted in ready else (other if ready else None)

    def _return_reply(self, line: RequestLine, reply: Head) -> bool:
        """Pass the reply on as it comes; whether the connection may be used again."""
        assert self._replies is not None
        status = reply.start.split(" ")[1]
        keeps = "close" not in reply.tokens("connection") and line.minor > 0
        self._client.sendall(reply.without(*_HOP_BY_HOP).encode())
        if line.method == "HEAD" or status in ("204", "304"):
            return keeps
        if not reply.get("content-length") and not reply.get("transfer-encoding"):
            while data := self._replies.read1(BLOCK):
                self._client.sendall(data)
            return False
        length = body_length(reply)
        for data in read_body(self._replies, length):
            self._client.sendall(data if length is not None else b"%x\r\n%b\r\n" % (len(data), data))
        if length is None:
            self._client.sendall(b"0\r\n\r\n")
        return keeps


def _target(url: str) -> tuple[str, int, str]:
    """Host, port, and path with query of an absolute http URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme != "http":
        raise ProtocolError(400, "an absolute http URL is expected")
    return host, port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _acknowledge(client: socket.socket) -> None:
    """Acknowledge what arrived now rather than some 40 ms later, where the system can.

    urllib3 switches Nagle's algorithm on towards a proxy: the body of a request waits until its head is acknowledged.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _connect(network: Network, host: str, port: int) -> socket.socket:
    try:
        upstream = socket.create_connection(network.address(host, port), timeout=CONNECT_S)
    except NameNotResolved:
        raise _Unreachable(502, "dns_error", f"{host} is not a name of the lab") from None
    except ConnectionRefusedByLab as error:
        if error.timed_out:
            raise _Unreachable(504, "connection_timeout", str(error)) from None
        raise _Unreachable(502, "connection_refused", str(error)) from None
    except OSError:
        raise _Unreachable(502, "connection_refused", f"{host} refuses connections on port {port}") from None
    upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return upstream


def _refusal(status: int, token: str, detail: str) -> bytes:
    fields = (("Content-Type", "text/plain; charset=utf-8"), ("Proxy-Status", f"s2slab; error={token}"))
    return response(status, fields, f"{detail}\n".encode(), close=True, bodiless=False)


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    """Copy bytes both ways until either side ends or nothing has moved for ten minutes."""
    other = {client: upstream, upstream: client}
    with selectors.DefaultSelector() as selector:
        for end in other:
            selector.register(end, selectors.EVENT_READ)
        while ready := selector.select(IDLE_S):
            for key, _ in ready:
                end = cast(socket.socket, key.fileobj)
                data = end.recv(BLOCK)
                if not data:
                    return
                if end is client:
                    _acknowledge(client)
                other[end].sendall(data)
