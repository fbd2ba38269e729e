"""Fetch a metadata document over verified TLS: no redirects, no ambient proxies, one absolute deadline."""

from __future__ import annotations

import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPSConnection

from s2slib.trust import certificate as certificates
from s2slib.trust.certificate import Certificate
from s2slib.trust.errors import CertificateError, FetchError, FetchErrorKind
from s2slib.trust.fetch_errors import explain
from s2slib.trust.quoting import shown
from s2slib.trust.strict_json import SIZE_CAP

__all__ = ["FetchError", "FetchErrorKind", "Fetched", "fetch_metadata"]

_PIECE: Final = 8192
_SLICE_S: Final = 0.2
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_UNUSABLE: Final = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
_USERINFO: Final = re.compile(r"^([^:/?#]*:)?//[^/?#]*@")
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "s2slib"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer with status 200: `body` as sent, at most `size_cap` bytes; nothing in it has been judged.

    `host` is the lower-case host asked, which also answered (redirects are refused). `certificate` is the TLS
    certificate it showed, None when that could be verified but not described.
    """

    url: str
    host: str
    status: int
    content_type: str | None
    body: bytes
    certificate: Certificate | None


def fetch_metadata(
    url: str,
    *,
    ca_file: Path | None,
    proxy: str | None,
    deadline_s: float,
    size_cap: int = SIZE_CAP,
    clock: Callable[[], float] = time.monotonic,
) -> Fetched:
    """GET `url` and return what a 200 answer holds; anything else is a FetchError.

    `ca_file`: PEM of the authorities of this deployment; only these are trusted then, otherwise the system's
    (Windows: its certificate store). `proxy`: `http://host:port`, asked with CONNECT; the environment's proxies and
    `.netrc` are never used. `deadline_s`: seconds for everything from resolving the name to the last byte; a server
    that drips is cut off too; none left is a timeout. `size_cap`: bytes of body. Compressed answers are refused
    unread.
    """
    ends = clock() + deadline_s
    parts = _check_url(url)
    if proxy is not None and not _is_usable_proxy(proxy):
        # The proxy's URL may hold a password, so it is not repeated.
        detail = "the proxy must be an http URL with a host, such as http://proxy:8080"
        raise FetchError(FetchErrorKind.PROXY, detail, url=url)
    wire = _Wire()
    fetch = _Fetch(url, (parts.hostname or "").lower(), proxy, size_cap, wire, lambda: ends - clock())
    context = _tls_context(ca_file, url)
    outcome: Future[Fetched] = Future()
    threading.Thread(target=_settle, args=(outcome, fetch, context), name="s2slib-fetch", daemon=True).start()
    try:
        while (left := ends - clock()) > 0:
            # In slices: Windows does not interrupt a long wait for Ctrl-C.
            with suppress(TimeoutError):
                return outcome.result(timeout=min(left, _SLICE_S))
    finally:
        wire.cut()
    raise FetchError(FetchErrorKind.TIMEOUT, f"no complete answer within {deadline_s:g} s", url=url)


def _is_usable_proxy(proxy: str) -> bool:
    parts = _split(proxy)
    return parts is not None and parts.scheme.lower() == "http"


def _check_url(url: str) -> SplitResult:
    """The URL's parts. A user name or password in it is refused, and not repeated in the error."""
    safe = _USERINFO.sub(r"\1//", url)
    parts = _split(url)
    if parts is None or _UNUSABLE.search(url):
        detail = "the URL has no host, an impossible port, or blanks or characters that belong escaped"
        raise FetchError(FetchErrorKind.BAD_URL, detail, url=safe)
    if parts.scheme.lower() != "https":
        detail = f"only https is used for trust decisions, not {shown(parts.scheme, 20)}"
        raise FetchError(FetchErrorKind.NOT_HTTPS, detail, url=safe)
    if "@" in parts.netloc:
        raise FetchError(FetchErrorKind.BAD_URL, "the URL must not hold a user name or password", url=safe)
    return parts


def _split(url: str) -> SplitResult | None:
    """The parts of a URL with a host and, where it states one, a possible port; else None."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _tls_context(ca_file: Path | None, url: str) -> ssl.SSLContext:
    """A context that verifies chain and name, TLS 1.2 or later, with the deployment's or the system's authorities."""
    if ca_file is None:
        return _system_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as error:  # ssl.SSLError, a missing file and one without certificates are OSErrors
        detail = f"the CA file {shown(str(ca_file), 300)} cannot be used ({type(error).__name__})"
    else:
        return context
    raise FetchError(FetchErrorKind.CA_FILE, detail, url=url)


def _system_context() -> ssl.SSLContext:
    context: ssl.SSLContext
    if sys.platform == "win32":
        # Windows builds chains that OpenSSL cannot: it fetches missing roots and intermediates by itself.
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Wire:
    """The connection of one fetch, so that another thread can cut it at the deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: HTTPSConnection | None = None
        self._is_cut = False
        self.server_certificate: bytes | None = None
        self.is_connected = False

    def opening(self, connection: HTTPSConnection) -> None:
        """Watch `connection`; raises TimeoutError when the deadline has already passed."""
        with self._lock:
            if self._is_cut:
                raise TimeoutError
            self._connection = connection

    def opened(self, connection: HTTPSConnection) -> None:
        """TLS is up and the server verified."""
        if isinstance(connection.sock, ssl.SSLSocket):
            self.server_certificate = connection.sock.getpeercert(binary_form=True)
        self.is_connected = True
        self.opening(connection)

    def cut(self) -> None:
        """Wake whatever reads or writes on the connection, for good.

        A handshake is not woken, its socket being in OpenSSL's hands; that one ends by its own timeout.
        """
        with self._lock:
            self._is_cut = True
            connection = self._connection
        if connection is not None and isinstance(connection.sock, socket):
            with suppress(OSError):
                # Not SSLSocket.shutdown: that one takes the TLS object away from the thread that reads.
                socket.shutdown(connection.sock, SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """An adapter that uses exactly the given TLS context and reports its connections to the wire."""

    def __init__(self, context: ssl.SSLContext, wire: _Wire) -> None:
        self._context = context
        self._pools = {"https": _watched_pool(wire)}
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # The inherited method would add certifi's authorities to the context.
        conn.cert_reqs = "CERT_REQUIRED"


def _watched_pool(wire: _Wire) -> type[HTTPSConnectionPool]:
    class Connection(HTTPSConnection):
        def connect(self) -> None:
            wire.opening(self)
            super().connect()
            wire.opened(self)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


@dataclass(frozen=True, slots=True)
class _Fetch:
    url: str
    host: str
    proxy: str | None
    size_cap: int
    wire: _Wire
    left_s: Callable[[], float]


def _settle(outcome: Future[Fetched], fetch: _Fetch, context: ssl.SSLContext) -> None:
    """Run the fetch in this thread and settle `outcome`, whatever happens."""
    failure: FetchError
    try:
        outcome.set_result(_run(fetch, context))
        return
    except FetchError as error:
        failure = error
    except Exception as error:
        connected = fetch.wire.is_connected
        failure = explain(error, url=fetch.url, proxy=fetch.proxy is not None, connected=connected)
    failure.__context__ = None
    outcome.set_exception(failure)


def _run(fetch: _Fetch, context: ssl.SSLContext) -> Fetched:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", _Adapter(context, fetch.wire))
        left_s = max(fetch.left_s(), 0.001)
        response = session.get(
            fetch.url,
            headers=_HEADERS,
            proxies={"https": fetch.proxy} if fetch.proxy else {},
            timeout=(left_s, left_s),
            allow_redirects=False,
            stream=True,
        )
        with response:
            _check_head(fetch, response.status_code, response.headers)
            body = _body(fetch, response)
    return Fetched(
        url=fetch.url,
        host=fetch.host,
        status=response.status_code,
        content_type=response.headers.get("Content-Type"),
        body=body,
        certificate=_described(fetch.wire.server_certificate),
    )


def _check_head(fetch: _Fetch, status: int, headers: Mapping[str, str]) -> None:
    location = headers.get("Location")
    if status in _REDIRECTS and location is not None:
        raise _redirect(fetch, status, location)
    if status != 200:
        detail = f"HTTP {status} instead of 200"
        raise FetchError(FetchErrorKind.HTTP_STATUS, detail, url=fetch.url, status=status)
    for name, allowed in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
        value = headers.get(name, allowed).strip()
        if value.lower() != allowed:
            detail = f"an encoded answer was not asked for ({name} {shown(value, 40)})"
            raise FetchError(FetchErrorKind.ENCODING, detail, url=fetch.url, status=status)
    length = headers.get("Content-Length", "").strip()
    if length.isascii() and length.isdigit() and int(length[:20]) > fetch.size_cap:
        raise _too_large(fetch)


def _redirect(fetch: _Fetch, status: int, location: str) -> FetchError:
    try:
        host = (urlsplit(urljoin(fetch.url, location)).hostname or "").lower()
    except ValueError:
        host = ""
    changed = host != fetch.host
    leads = f"to ANOTHER HOST, {shown(host, 100)}" if changed else "on the same host"
    detail = f"HTTP {status} redirects {leads}: Location {shown(location, 200)}; redirects are not followed"
    return FetchError(
        FetchErrorKind.REDIRECT, detail, url=fetch.url, status=status, location=location, host_changed=changed
    )


def _body(fetch: _Fetch, response: requests.Response) -> bytes:
    pieces: list[bytes] = []
    size = 0
    # http.client bounds the lines of a chunked body; urllib3's own chunk reader does not, so `stream` is not used.
    while piece := response.raw.read(_PIECE, decode_content=False):
        size += len(piece)
        if size > fetch.size_cap:
            raise _too_large(fetch)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(fetch: _Fetch) -> FetchError:
    return FetchError(
        FetchErrorKind.TOO_LARGE,
        f"the answer is larger than the {fetch.size_cap} bytes allowed",
        url=fetch.url,
        status=200,
    )


def _described(der: bytes | None) -> Certificate | None:
    with suppress(CertificateError):
        return certificates.from_der(der) if der else None
    return None
