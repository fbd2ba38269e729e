"""The HTTP side of one simulated server's WinRM service: listeners, connections, status codes, faults on the wire."""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import urlsplit

from spnego.channel_bindings import GssChannelBindings

from s2slab.winrm import envelope, framing, replies
from s2slab.winrm.auth import Accounts, ConnectionAuth, Logon, SealError
from s2slab.winrm.channel import channel_bindings
from s2slab.winrm.launching import Launcher
from s2slab.winrm.ntlm import UserFile
from s2slab.winrm.settings import Fault, WinRmSettings
from s2slab.winrm.shells import ShellService

_SOAP_TYPE: Final = "application/soap+xml;charset=UTF-8"
_HANDSHAKE_S: Final = 15.0
_FRAMING_BYTES: Final = 64 * 1024  # what sealing and framing may add to an envelope
_DRAINED_BYTES: Final = 16 * 1024 * 1024  # a body above the limit is read and dropped up to here, else cut off
_REAP_S: Final = 1.0

_log = logging.getLogger("s2slab.winrm")


@dataclass(frozen=True)
class _Reply:
    status: int
    body: bytes = b""
    content_type: str = _SOAP_TYPE
    headers: tuple[tuple[str, str], ...] = field(default=())


class _Cut(Exception):
    """This connection ends here, without another byte."""


class WinRmServer:
    """The WinRM service of one simulated Windows server, on loopback ports of its own.

    `authenticate` knows the accounts, `launcher` starts what clients ask for. Open as many listeners as needed; `close`
    ends listeners, connections, shells and the user file. Usable as a context manager. Thread-safe.
    """

    def __init__(
        self, *, name: str, authenticate: Accounts, launcher: Launcher, settings: WinRmSettings | None = None
    ) -> None:
        self.name = name
        self.settings = settings or WinRmSettings()
        self.accounts = authenticate
        self.users = UserFile()
        self.stopping = threading.Event()
        self.shells = ShellService(
            machine=name, launcher=launcher, allowed=authenticate.allowed, settings=self.settings
        )
        self._listeners: list[_Listener] = []

    def __enter__(self) -> WinRmServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def listen_http(self) -> int:
        """Listen for plain HTTP on a free loopback port; returns the port."""
        return self._listen(None)

    def listen_https(self, context: ssl.SSLContext) -> int:
        """Listen for HTTPS with the certificate in `context` on a free loopback port; returns the port."""
        return self._listen(context)

    def drop_connections(self) -> None:
        """Close every connection at once, as a network or service restart does. Shells stay."""
        for listener in list(self._listeners):
            listener.drop_connections()

    def close(self) -> None:
        """End everything. Safe to call twice."""
        self.stopping.set()
        self.shells.close()
        for listener in self._listeners:
            listener.stop()
        self._listeners.clear()
        self.shells.close()  # what came in meanwhile

    def _listen(self, context: ssl.SSLContext | None) -> int:
        listener = _Listener(self, context)
        self._listeners.append(listener)
        return listener.start()


class _Listener(socketserver.ThreadingTCPServer):
    """One listening socket and its connections."""

    allow_reuse_address = False
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    timeout = _REAP_S

    def __init__(self, service: WinRmServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.service = service
        self.tls = tls
        self.bindings: GssChannelBindings | None = channel_bindings(tls) if tls is not None else None
        self._live: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._accept, name=f"winrm {service.name}", daemon=True)

    @property
    def port(self) -> int:
        """The loopback port."""
        return int(self.server_address[1])

    def start(self) -> int:
        """Accept connections from now on; returns the port."""
        self._thread.start()
        return self.port

    def stop(self) -> None:
        """Stop accepting and close what is open."""
        self._stopped.set()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            self._thread.join(timeout=5)  # that connection woke it
        self.server_close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Close every connection of this listener."""
        with self._lock:
            live = list(self._live)
        for connection in live:
            _hang_up(connection)

    def opened(self, connection: socket.socket) -> None:
        """Count a connection in."""
        with self._lock:
            self._live.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Count a connection out."""
        with self._lock:
            self._live.discard(connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self._stopped.is_set()

    def handle_timeout(self) -> None:
        self.service.shells.reap()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("a connection ended early", exc_info=True)


class _Connection(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1, kept alive, authenticated once or per request as its scheme wants."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one piece
    timeout = _HANDSHAKE_S

    def setup(self) -> None:
        self.request.settimeout(_HANDSHAKE_S)
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.server.opened(self.request)
        super().setup()
        service = self.server.service
        self._auth = ConnectionAuth(
            service.accounts,
            service.users,
            service.settings,
            secure=self.server.tls is not None,
            bindings=self.server.bindings,
        )

    def finish(self) -> None:
        self.server.closed(self.request)
        with contextlib.suppress(OSError):  # what could not be sent any more
            super().finish()
        self.rfile.close()
        self.request.close()  # the listener only knows the socket below TLS

    def handle_one_request(self) -> None:
        self.connection.settimeout(self.server.service.settings.idle_drop_s)
        try:
            super().handle_one_request()
        except (_Cut, OSError):
            self.close_connection = True
            _hang_up(self.connection)

    def do_POST(self) -> None:
        """Answer one request. The connection survives a refusal, or the client's next message could not be opened."""
        self._send(self._answer())

    def do_GET(self) -> None:
        """The service takes POST only."""
        self._send(_Reply(405, headers=(("Allow", "POST"),)))

    def version_string(self) -> str:
        return "Microsoft-HTTPAPI/2.0"

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug("%s %s", self.server.service.name, format % args)

    def _answer(self) -> _Reply:
        body = self._read_body()
        if isinstance(body, _Reply):
            return body
        path = urlsplit(self.path).path.rstrip("/").lower()  # a proxy may send the whole URL
        if path not in ("/wsman", "/wsman-anon/identify"):
            return _Reply(404)
        if path == "/wsman-anon/identify" or self.headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated":
            return self._identify(body)
        answer = self._auth.answer(self.headers.get("Authorization"))
        headers = tuple(("WWW-Authenticate", challenge) for challenge in answer.challenges)
        if answer.logon is None:
            return _Reply(401, headers=headers)
        if not body:  # sets up a security context
            return _Reply(200, headers=headers)
        protocol = framing.protocol_of(self.headers.get("Content-Type", ""))
        if protocol is None:
            if self.server.tls is None and not self.server.service.settings.allow_unencrypted:
                return _Reply(500, headers=headers)
            served = self._serve(body, answer.logon)
        else:
            try:
                body = self._auth.open(body, protocol)
            except SealError:
                return _Reply(400)
            served = self._serve(body, answer.logon)
            if served.body and served.content_type == _SOAP_TYPE:
                content_type, sealed = self._auth.seal(served.body)
                served = _Reply(served.status, sealed, content_type)
        return _Reply(served.status, served.body, served.content_type, headers)

    def _read_body(self) -> bytes | _Reply:
        length = self.headers.get("Content-Length")
        if length is None:
            self.close_connection = True  # where the next request would begin is unknown
            return _Reply(411)
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            return _Reply(400)
        size = int(length)
        if size > self.server.service.settings.max_envelope_kb * 1024 + _FRAMING_BYTES:
            self._drain(size)
            return _Reply(413)
        body = self.rfile.read(size)
        if len(body) < size:
            raise _Cut
        return body

    def _drain(self, size: int) -> None:
        if size > _DRAINED_BYTES:
            self.close_connection = True
            return
        while size > 0:
            piece = self.rfile.read(min(size, 65536))
            if not piece:
                raise _Cut
            size -= len(piece)

    def _identify(self, body: bytes) -> _Reply:
        try:
            request = envelope.parse(body)
        except envelope.MalformedEnvelope:
            return _Reply(400)
        if request.operation != "Identify":
            return _Reply(401, headers=tuple(("WWW-Authenticate", offer) for offer in self._auth.offers()))
        return _Reply(200, replies.identity(None))

    def _serve(self, body: bytes, logon: Logon) -> _Reply:
        service = self.server.service
        if len(body) > service.settings.max_envelope_kb * 1024:
            return _Reply(413)
        try:
            request = envelope.parse(body)
        except envelope.MalformedEnvelope:
            return _Reply(400)
        before = service.settings.take_fault(request.operation, "before")
        if before is not None:
            replaced = self._suffer(before, request)
            if replaced is not None:
                return replaced
        scheme = "http" if self.server.tls is None else "https"
        address = f"{scheme}://{self.headers.get('Host', service.name)}/wsman"
        status, reply = service.shells.handle(request, logon, client_ip=self.client_address[0], address=address)
        after = service.settings.take_fault(request.operation, "after")
        if after is not None:
            replaced = self._suffer(after, request)
            if replaced is not None:
                return replaced
        self._halved = service.settings.take_fault(request.operation, "mid_reply")
        return _Reply(status, reply)

    _halved: Fault | None = None

    def _suffer(self, fault: Fault, request: envelope.Request) -> _Reply | None:
        """Let the fault happen; the reply it puts in the place of the real one, None when it only takes time."""
        if fault.kind == "cut":
            raise _Cut
        if fault.kind == "delay":
            self.server.service.stopping.wait(fault.delay_s)
            return None
        if fault.kind == "fault_code":
            return _Reply(*self.server.service.shells.fault(request, fault.code))
        status = int(fault.kind.removeprefix("http_"))
        return _Reply(status, fault.body, _SOAP_TYPE if status == 200 else "text/html")

    def _send(self, reply: _Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.body:
            self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        halved, self._halved = self._halved, None
        if halved is not None:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.wfile.flush()
            if halved.kind == "cut":
                raise _Cut
            self.server.service.stopping.wait(halved.delay_s)
            self.wfile.write(reply.body[len(reply.body) // 2 :])
        else:
            self.wfile.write(reply.body)
        self.wfile.flush()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # gone already
        connection.shutdown(socket.SHUT_RDWR)
