"""HTTP below pywinrm: nothing from the environment, no redirect, bounded in size, and breakable from outside.

pywinrm's own session reads proxies and CA files from the environment, follows redirects and reads without limit; its
NTLM and CredSSP contexts belong to one TCP connection. So the session is built here, and pywinrm keeps what it is good
at: authentication and message encryption.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.auth
import winrm.transport
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from winrm.exceptions import InvalidCredentialsError, WinRMError

from s2slib.remoting.values.target import Target
from s2slib.remoting.winrm import wsman

MAX_BODY = 4 * 1024 * 1024
"""Bytes of one answer. A WinRM server keeps to the 153,600 bytes of an envelope that the request names."""

_MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_HEADERS = {
    "Content-Type": "application/soap+xml;charset=UTF-8",
    "User-Agent": "s2slib WinRM client",
    "Accept-Encoding": "identity",
}


_SEVERAL_LEGS = ("ntlm", "credssp")


class AnswerRefused(Exception):
    """An answer that is not read: a redirect, a compressed or an oversized body. The text says which."""


class Transport(winrm.transport.Transport):
    """pywinrm's transport for one target, with a session of our own.

    `offered` are the authentication schemes of the last 401. `abort` breaks whatever is under way, from any thread.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(
            endpoint=target.url,
            username=target.user,
            password=target.secret.reveal() if target.secret is not None else None,
            service="HTTP",
            cert_pem=str(target.cert_pem) if target.cert_pem else None,
            cert_key_pem=str(target.cert_key_pem) if target.cert_key_pem else None,
            kerberos_delegation=target.second_hop == "delegation",
            auth_method=target.transport,
            message_encryption="auto",
            proxy=target.proxy,
        )
        self.offered: tuple[str, ...] = ()
        self.status = 200  # of the last answer
        self.connect_timeout_s = target.timeouts.connect_s
        self.read_timeout_sec = target.timeouts.operation_s + 10
        self._target = target
        self._sockets = _Sockets()

    def build_session(self) -> requests.Session:
        """The session, made and logged on at first use.

        The logon is an exchange of its own with an empty body, where it takes several legs: so a message leaves on a
        connection that is logged on, and what answers it is no verdict on the account.
        """
        if self.session is not None:
            return self.session
        session = requests.Session()
        session.trust_env = False
        session.headers.update(_HEADERS)
        session.auth = self._authentication(session)
        if self.proxy:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        context = _tls_context(self._target) if urlsplit(self.endpoint).scheme.lower() == "https" else None
        adapter = _Adapter(self, self._sockets, context)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        self.session = session
        try:
            if self._encrypts(session):
                self.setup_encryption(session)
            elif self.auth_method in _SEVERAL_LEGS:
                empty = session.prepare_request(requests.Request("POST", self.endpoint))
                self._send_message_request(session, empty)
        except BaseException:
            self.close_session()
            raise
        return session

    def close_session(self) -> None:
        """Drop the connection and its security context; the next message makes new ones. Shells stay alive."""
        super().close_session()
        self.encryption = None

    @property
    def left(self) -> bool:
        """Whether anything of a message went out, to the server or to a proxy that may have passed it on."""
        return self._sockets.left

    @left.setter
    def left(self, value: bool) -> None:
        self._sockets.left = value

    def abort(self) -> None:
        """Break every connection under way, so that a thread that waits on one returns. Safe from any thread."""
        self._sockets.break_all()

    def _send_message_request(
        self, session: requests.Session, prepared_request: requests.PreparedRequest
    ) -> requests.Response:
        timeout = (self.connect_timeout_s, self.read_timeout_sec)
        self._sockets.carrying = bool(prepared_request.body)
        try:
            response = session.send(prepared_request, timeout=timeout, allow_redirects=False)
        except Exception as error:
            # requests-credssp takes every status but 200 for a refused logon
            if type(error).__name__ == "AuthenticationException" and self.status not in (200, 401):
                raise winrm.exceptions.WinRMTransportError("http", self.status, "") from error
            raise
        if 300 <= response.status_code < 400:
            raise AnswerRefused(f"a redirect (HTTP {response.status_code})")
        if response.status_code == 401:
            raise InvalidCredentialsError("rejected")
        if response.status_code >= 400:
            body = self._get_message_response_text(response) if response.content else b""
            try:
                wsman.check_document(body)  # pywinrm parses it as a fault
            except wsman.BadEnvelope:
                body = b""
            raise winrm.exceptions.WinRMTransportError("http", response.status_code, body.decode("utf-8", "replace"))
        return response

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        if self.encryption is not None and "Content-Type" not in response.headers:
            return response.content  # pywinrm would fail with a KeyError; whoever reads it judges it
        return super()._get_message_response_text(response)

    def _authentication(self, session: requests.Session) -> requests.auth.AuthBase | None:
        user, password = self.username or "", self.password or ""
        match self.auth_method:
            case "basic":
                return requests.auth.HTTPBasicAuth(user.encode("utf-8"), password.encode("utf-8"))
            case "ntlm":
                from requests_ntlm import HttpNtlmAuth

                return HttpNtlmAuth(user, password, send_cbt=self.send_cbt)
            case "credssp":
                from requests_credssp import HttpCredSSPAuth

                # 5 and later carry the nonce that closes CVE-2018-0886
                return cast(requests.auth.AuthBase, HttpCredSSPAuth(user, password, minimum_version=5))
            case "kerberos":
                return _kerberos(self)
            case _:  # certificate: the TLS layer proves who we are; loaded into the context
                session.headers["Authorization"] = _MUTUAL
                return None

    def _encrypts(self, session: requests.Session) -> bool:
        if urlsplit(self.endpoint).scheme.lower() == "https" or self.auth_method in ("basic", "certificate"):
            return False
        if self.auth_method == "kerberos" and not getattr(session.auth, "winrm_encryption_available", False):
            raise WinRMError("the installed Kerberos library cannot encrypt messages")
        return True


def _kerberos(transport: winrm.transport.Transport) -> requests.auth.AuthBase:
    try:
        from winrm.vendor.requests_kerberos import REQUIRED, HTTPKerberosAuth
    except ImportError as error:
        raise WinRMError("no Kerberos library is installed (pywinrm[kerberos])") from error
    return cast(
        requests.auth.AuthBase,
        HTTPKerberosAuth(  # type: ignore[no-untyped-call]
            mutual_authentication=REQUIRED,
            delegate=transport.kerberos_delegation,
            force_preemptive=True,
            principal=transport.username,
            sanitize_mutual_error_response=False,
            service=transport.service,
            send_cbt=transport.send_cbt,
        ),
    )


def _tls_context(target: Target) -> ssl.SSLContext:
    """Trust in the deployment's CA file only, or else in the operating system's roots; never in a bundled list."""
    if target.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=str(target.ca_file))
    else:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if target.cert_pem is not None and target.cert_key_pem is not None:
        context.load_cert_chain(str(target.cert_pem), str(target.cert_key_pem))
        context.post_handshake_auth = True  # Windows Server 2022 asks for the certificate after a TLS 1.3 handshake
    return context


class _Sockets:
    """The connections of one session, so that another thread can break them.

    `carrying`: what is sent now holds a message, and is no leg of a logon. `left`: something of a message went out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.left = self.carrying = False
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()

    def watch(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._connections.add(connection)

    def break_all(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            sock = getattr(connection, "sock", None)
            if isinstance(sock, socket.socket):
                # Not SSLSocket.shutdown: it takes the TLS object away under the thread that reads from it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Adapter(requests.adapters.HTTPAdapter):
    """One connection at a time, bodies bounded, compression and proxy logons refused."""

    def __init__(self, transport: Transport, sockets: _Sockets, context: ssl.SSLContext | None) -> None:
        self._transport = transport
        self._context = context
        self._pools = _pools(sockets)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host = urlsplit(request.url)
        parameters = {"scheme": host.scheme.lower(), "host": host.hostname, "port": host.port}
        return parameters, {"ssl_context": self._context} if self._context is not None else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context verifies, and a bundled CA list must not join it."""

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        self._transport.status = response.status_code
        if response.status_code == 401:
            self._transport.offered = tuple(_schemes(resp.headers.getlist("WWW-Authenticate")))
        if response.status_code == 407:
            response.close()
            raise requests.exceptions.ProxyError("the proxy asks for a logon (HTTP 407)")
        if resp.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise AnswerRefused("a compressed body, which was not asked for")
        resp.stream = _bounded(resp)
        return response


def _bounded(resp: Any) -> Any:
    stream = resp.stream

    def bounded(amount: int = 65536, decode_content: bool | None = None) -> Iterator[bytes]:
        total = 0
        for chunk in stream(min(amount, 65536), decode_content=decode_content):
            total += len(chunk)
            if total > MAX_BODY:
                resp.close()
                raise AnswerRefused(f"a body above {MAX_BODY} bytes")
            yield chunk

    return bounded


def _schemes(headers: list[str]) -> Iterator[str]:
    """The scheme words of WWW-Authenticate headers, without tokens or parameters."""
    for header in headers:
        for part in header.split(","):
            word = part.strip().split(" ", 1)[0]
            if word and "=" not in word:
                yield word


def _pools(sockets: _Sockets) -> dict[str, Any]:
    """urllib3's pools, their connections known to `sockets` from the moment they connect."""

    class Noted:
        """Tells what is said to get there (CONNECT, TLS) from what is said once there: the request itself."""

        def connect(self) -> None:
            sockets.watch(self)  # type: ignore[arg-type]
            self.is_there = False
            super().connect()  # type: ignore[misc]
            self.is_there = True

        def send(self, data: Any) -> None:
            if self.sock is None:  # type: ignore[attr-defined]
                self.connect()
            sockets.left = sockets.left or (self.is_there and sockets.carrying)
            super().send(data)  # type: ignore[misc]

    class Plain(Noted, HTTPConnection):
        pass

    class Secure(Noted, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
