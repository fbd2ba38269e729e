"""The lab's network: names and ports as in production, the sockets behind them, and requests between servers."""

from __future__ import annotations

import http.client
import itertools
import socket
import ssl
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from s2slab.estate.estate import Estate, Server
from s2slab.estate.pki import client_context
from s2slab.estate.transitions import CLOCK, Cause

WEB_PORTS = frozenset({80, 443, 444})  # served by IIS; the rest (WinRM) does not depend on it
CORRELATION = "client-request-id"
MAX_ANSWER = 4 * 1024 * 1024
MAX_REDIRECTS = 50  # as .NET follows them by default
_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"  # what a URL may hold; everything else is sent as UTF-8 in percent form


class NameNotResolved(Exception):
    """No server and no alias of the estate has this name."""


class ConnectionRefusedByLab(Exception):
    """The name resolves, but nobody answers. `timed_out`: the server is down; otherwise nothing listens on the port."""

    def __init__(self, message: str, *, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(frozen=True)
class HttpAnswer:
    """What a web server answered; header names as received, repeated fields joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""  # where it came from, after redirects

    def header(self, name: str) -> str:
        """The value of a header field by name, case aside; empty when it is absent."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


class WebFailure(Exception):
    """A request that failed as System.Net.WebException reports it; `status` and `answer` when a server answered."""

    def __init__(self, message: str, status: int | None = None, answer: HttpAnswer | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.answer = answer


class Network:
    """Who listens where.

    `request` waits for other servers of the estate, so it must not be called while holding the estate's lock.
    """

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self._ports: dict[tuple[str, int], int] = {}
        self._pools: dict[str, tuple[str, ...]] = {}
        self._turn = itertools.count()
        self._causes: dict[str, Cause] = {}
        self._lock = threading.Lock()

    def register(self, fqdn: str, port: int, loopback_port: int) -> None:
        """From now on `loopback_port` is what serves `port` of a server."""
        with self._lock:
            self._ports[fqdn.lower(), port] = loopback_port

    def balance(self, name: str, members: Iterable[str]) -> None:
        """A name that leads to any of several servers (FQDNs), in turn, as long as they are up."""
        with self._lock:
            self._pools[name.lower()] = tuple(members)

    def ports(self) -> dict[str, str]:
        """`fqdn:port` -> `127.0.0.1:port` of everything registered."""
        with self._lock:
            return {f"{host}:{port}": f"127.0.0.1:{near}" for (host, port), near in sorted(self._ports.items())}

    def address(self, host: str, port: int) -> tuple[str, int]:
        """The loopback address that answers for `host` and `port` now.

        Raises NameNotResolved, or ConnectionRefusedByLab when the server is unreachable, its IIS is stopped (web ports)
        or nothing listens.
        """
        servers = self._resolve(host)
        last: ConnectionRefusedByLab | None = None
        for server in servers:
            try:
                return self._address_of(server, port)
            except ConnectionRefusedByLab as error:
                last = error
        raise last or NameNotResolved(host)

    def life(self, server: Server, port: int) -> int | None:
        """Which life of `server` (of its IIS, on web ports) would take a connection on `port`; None when nobody would."""
        with self.estate.lock:
            if not server.reachable:
                return None
            if port not in WEB_PORTS:
                return 0
            return server.iis.generation if server.iis is not None and server.iis.running else None

    def cause_of(self, headers: Mapping[str, str]) -> Cause:
        """On whose behalf a request came: the command that made a server send it, else the clock."""
        with self._lock:
            return self._causes.get(headers.get(CORRELATION, ""), CLOCK)

    def request(
        self,
        from_server: Server,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30,
        follow_redirects: bool = True,
    ) -> HttpAnswer:
        """What a program on `from_server` gets for an http or https request, over a real connection.

        TLS is verified against the server's own root store and clock. Raises WebFailure in .NET's words, also for a
        status of 400 and above (with `status` and `answer`).
        """
        self._check_not_holding()
        own = "" if headers is None else {k.lower(): v for k, v in headers.items()}.get(CORRELATION, "")
        correlation = own or str(uuid.uuid4())
        cause = self.estate.log.cause
        with self._lock:
            mine = correlation not in self._causes and cause is not CLOCK
            if mine:
                self._causes[correlation] = cause
        try:
            sent = {**(headers or {}), CORRELATION: correlation}
            answer = self._exchange(from_server, method, url, sent, body, timeout_s)
            for _ in range(MAX_REDIRECTS if follow_redirects and method in ("GET", "HEAD") else 0):
                location = answer.header("location")
                if answer.status not in (301, 302, 303, 307, 308) or not location:
                    break
                url = urljoin(url, location)
                answer = self._exchange(from_server, method, url, sent, body, timeout_s)
        finally:
            if mine:
                with self._lock:
                    self._causes.pop(correlation, None)
        if answer.status >= 400:
            phrase = http.client.responses.get(answer.status, "")
            text = f"The remote server returned an error: ({answer.status}) {phrase}."
            raise WebFailure(text, answer.status, answer)
        return answer

    def _resolve(self, host: str) -> list[Server]:
        """The servers a name leads to, in the order to try them."""
        name = host.lower().rstrip(".")
        with self._lock:
            members = self._pools.get(name)
        with self.estate.lock:
            try:
                if members is None:
                    return [self.estate.server(name)]
                start = next(self._turn) % len(members)
                return [self.estate.server(member) for member in (*members[start:], *members[:start])]
            except KeyError:
                raise NameNotResolved(host) from None

    def _address_of(self, server: Server, port: int) -> tuple[str, int]:
        with self._lock:
            near = self._ports.get((server.fqdn.lower(), port))
        if not server.reachable:
            raise ConnectionRefusedByLab(f"{server.fqdn} does not answer", timed_out=True)
        if near is None or self.life(server, port) is None:
            raise ConnectionRefusedByLab(f"{server.fqdn} refuses connections on port {port}", timed_out=False)
        return "127.0.0.1", near

    def _exchange(
        self,
        from_server: Server,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> HttpAnswer:
        parts = _parts(url)
        connection = http.client.HTTPConnection(parts.hostname or "", timeout=timeout_s)
        try:
            connection.sock = self._connect(from_server, parts, timeout_s)
            target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_AS_IT_IS)
            connection.request(method, target, body=body, headers={"Host": parts.netloc, **headers})
            response = connection.getresponse()
            content = response.read(MAX_ANSWER)
        except TimeoutError:
            raise WebFailure("The operation has timed out") from None
        except ValueError:  # a header or method that cannot be sent; the wording is UNCONFIRMED
            raise WebFailure("Specified value has invalid characters.") from None
        except (OSError, http.client.HTTPException):
            raise WebFailure("The underlying connection was closed: The connection was closed unexpectedly.") from None
        finally:
            connection.close()
        received: dict[str, str] = {}
        for key, value in response.getheaders():
            held = next((name for name in received if name.lower() == key.lower()), key)
            received[held] = f"{received[held]}, {value}" if held in received else value
        return HttpAnswer(response.status, received, content, url)

    def _connect(self, from_server: Server, parts: SplitResult, timeout_s: float) -> socket.socket:
        host = parts.hostname or ""
        if not from_server.reachable:
            raise WebFailure("Unable to connect to the remote server")
        try:
            near = self.address(host, parts.port or (443 if parts.scheme == "https" else 80))
            plain = socket.create_connection(near, timeout=timeout_s)
        except NameNotResolved:
            raise WebFailure(f"The remote name could not be resolved: '{host}'") from None
        except ConnectionRefusedByLab as error:
            raise WebFailure(
                "The operation has timed out" if error.timed_out else "Unable to connect to the remote server"
            ) from None
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "http":
            return plain
        return self._secure(from_server, plain, host)

    def _secure(self, from_server: Server, plain: socket.socket, host: str) -> ssl.SSLSocket:
        """TLS as SChannel of `from_server` would set it up, or its refusal."""
        with self.estate.lock:
            roots = list(from_server.trusted_roots)
            now = self.estate.now() + timedelta(seconds=from_server.clock_skew_s)
        try:
            tls = client_context(roots).wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError:
            plain.close()
            raise WebFailure(
                "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure "
                "channel."
            ) from None
        except ssl.SSLError:
            plain.close()
            raise WebFailure("The request was aborted: Could not create SSL/TLS secure channel.") from None
        if not _is_valid_at(tls, now):
            tls.close()
            raise WebFailure(
                "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure "
                "channel."
            )
        return tls

    def _check_not_holding(self) -> None:
        """Fail at once where waiting for another server's answer could never end."""
        holds = getattr(self.estate.lock, "_is_owned", None)
        if holds is not None and holds():
            raise RuntimeError("a request between servers must not be made while holding the estate")


def _parts(url: str) -> SplitResult:
    """The parts of an http or https URL, its port checked. Raises WebFailure in .NET's words."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = -1
    if port == -1:
        raise WebFailure("Invalid URI: Invalid port specified.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WebFailure("Invalid URI: The URI scheme is not valid.")
    return parts


def _is_valid_at(tls: ssl.SSLSocket, now: datetime) -> bool:
    """Whether the peer's certificate is within its dates by the clock of the machine that looks at it."""
    shown = tls.getpeercert() or {}
    starts, ends = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown[key])), UTC) for key in ("notBefore", "notAfter")
    )
    return starts <= now <= ends
