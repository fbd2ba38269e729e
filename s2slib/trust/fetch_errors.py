"""How the failures of requests, urllib3, http.client, ssl and sockets become one FetchError."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead
from types import MappingProxyType
from typing import Final

import requests.exceptions
import urllib3.exceptions

from s2slib.trust.errors import FetchError, FetchErrorKind

_MOST_LINKS: Final = 40
_TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d{3})\b")
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})
_BAD_URL: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationParseError,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)
_UNTRUSTED: Final = "the certificate is not issued by a trusted authority"
_CERTIFICATE_FAULTS: Final = MappingProxyType(
    {
        # OpenSSL's X509_V_ERR_* numbers
        9: (FetchErrorKind.TLS_VALIDITY, "the certificate is not valid yet"),
        10: (FetchErrorKind.TLS_VALIDITY, "the certificate has expired"),
        18: (FetchErrorKind.TLS_UNTRUSTED, "the certificate is self-signed and not trusted"),
        19: (FetchErrorKind.TLS_UNTRUSTED, "the certificate's root authority is not trusted"),
        20: (FetchErrorKind.TLS_UNTRUSTED, _UNTRUSTED),
        21: (FetchErrorKind.TLS_UNTRUSTED, _UNTRUSTED),
        62: (FetchErrorKind.TLS_NAME, "the certificate is for another name"),
        64: (FetchErrorKind.TLS_NAME, "the certificate is not for this address"),
        66: (FetchErrorKind.TLS_OTHER, "the certificate's key is too weak"),
        67: (FetchErrorKind.TLS_OTHER, "an authority's key is too weak"),
        68: (FetchErrorKind.TLS_OTHER, "the certificate is signed with too weak a hash"),
        # Windows' CERT_E_* results, as truststore hands them on
        0x800B0101: (FetchErrorKind.TLS_VALIDITY, "the certificate has expired or is not valid yet"),
        0x800B0109: (FetchErrorKind.TLS_UNTRUSTED, "the certificate's root authority is not trusted"),
        0x800B010A: (FetchErrorKind.TLS_UNTRUSTED, _UNTRUSTED),
        0x800B010F: (FetchErrorKind.TLS_NAME, "the certificate is for another name"),
    }
)


def explain(error: BaseException, *, url: str, proxy: bool, connected: bool) -> FetchError:
    """The FetchError for `error`, found by the most telling exception in its chain.

    `proxy`: the request went through one; `connected`: TLS with the server was established before. Nothing is taken
    over from messages that a server or proxy may have written; the result has no cause.
    """
    chain = list(_chain(error))
    told = _tls(chain) or _bad_url(chain) or _slow(chain)
    if told is None:
        told = _socket(chain)
        if proxy and not connected:
            told = FetchErrorKind.PROXY, _proxy(chain) or f"the proxy did not open the connection: {told[1]}"
    return FetchError(*told, url=url)


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_LINKS:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None)]


def _tls(chain: list[BaseException]) -> tuple[FetchErrorKind, str] | None:
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            code = (link.verify_code or 0) & 0xFFFFFFFF
            unnamed = (FetchErrorKind.TLS_OTHER, f"the certificate was refused (code {code:#x})")
            return _CERTIFICATE_FAULTS.get(code, unnamed)
    for link in chain:
        if isinstance(link, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            return None  # the peer hung up: told by _socket
        if isinstance(link, ssl.SSLError):
            return FetchErrorKind.TLS_OTHER, f"TLS failed ({link.reason or type(link).__name__})"
    return None


def _bad_url(chain: list[BaseException]) -> tuple[FetchErrorKind, str] | None:
    # The parsers put the URL into their messages; the name of the fault is enough.
    found = next((link for link in chain if isinstance(link, _BAD_URL)), None)
    return (FetchErrorKind.BAD_URL, f"this URL cannot be used ({type(found).__name__})") if found else None


def _slow(chain: list[BaseException]) -> tuple[FetchErrorKind, str] | None:
    # Not urllib3's ConnectTimeoutError: a refused connection is one of those, too.
    if any(isinstance(link, TimeoutError) for link in chain):
        return FetchErrorKind.TIMEOUT, "no answer within the deadline"
    return None


def _proxy(chain: list[BaseException]) -> str:
    for link in chain:
        status = _TUNNEL_REFUSED.search(str(link))
        if status:
            hint = " (it asks for credentials)" if status[1] == "407" else ""
            return f"the proxy refused the connection with HTTP {status[1]}{hint}"
    return ""


def _socket(chain: list[BaseException]) -> tuple[FetchErrorKind, str]:
    for link in chain:
        if isinstance(link, socket.gaierror | urllib3.exceptions.NameResolutionError):
            return FetchErrorKind.DNS, "the name cannot be resolved"
        if isinstance(link, ConnectionRefusedError):
            return FetchErrorKind.REFUSED, "the connection was refused"
        if isinstance(link, OSError) and link.errno in _UNREACHABLE:
            return FetchErrorKind.UNREACHABLE, "there is no route to the server"
    if any(isinstance(link, IncompleteRead | urllib3.exceptions.IncompleteRead) for link in chain):
        return FetchErrorKind.BROKEN, "the answer ended before it was complete"
    if any(isinstance(link, ConnectionError | ssl.SSLError) for link in chain):
        return FetchErrorKind.BROKEN, "the server hung up"
    fault = next((link for link in chain if isinstance(link, HTTPException)), chain[0])
    return FetchErrorKind.BROKEN, f"the answer is no HTTP that can be read ({type(fault).__name__})"
