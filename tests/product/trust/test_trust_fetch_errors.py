"""Failures that no loopback server can produce: Windows' certificate codes, routes, and who was slow first."""

from __future__ import annotations

import errno
import ssl

import pytest
import requests
import urllib3

from s2slib.trust.fetch_errors import explain

URL = "https://atl-cs-001.litwareinc.com/metadata/json/1"


def raised(error: BaseException, *, cause: BaseException | None = None) -> BaseException:
    """`error` as the libraries hand it on: inside a requests exception."""
    try:
        try:
            raise error from cause
        except BaseException as inner:
            raise requests.ConnectionError("Max retries exceeded, hidden") from inner
    except requests.ConnectionError as outer:
        return outer


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x800B0101, "tls_validity"),
        (0x800B0101 - 2**32, "tls_validity"),
        (0x800B0109, "tls_untrusted"),
        (0x800B010A, "tls_untrusted"),
        (0x800B010F, "tls_name"),
        (0x800B010C, "tls_other"),
        (23, "tls_other"),
    ],
)
def test_windows_certificate_codes_are_told_apart_whatever_their_sign(code: int, kind: str) -> None:
    error = ssl.SSLCertVerificationError("hidden")
    error.verify_code = code
    explained = explain(raised(error), url=URL, proxy=False, connected=False)
    assert explained.kind == kind
    assert "hidden" not in str(explained)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENETUNREACH, "hidden"), "unreachable"),
        (OSError(errno.EHOSTUNREACH, "hidden"), "unreachable"),
        (TimeoutError("hidden"), "timeout"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "hidden"), "refused"),
        (RuntimeError("hidden"), "broken"),
    ],
)
def test_a_socket_error_keeps_its_meaning_inside_the_libraries_wrapping(error: Exception, kind: str) -> None:
    wrapped = urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("x"), "hidden")
    explained = explain(raised(wrapped, cause=error), url=URL, proxy=False, connected=False)
    assert explained.kind == kind
    assert "hidden" not in str(explained)


def test_a_slow_proxy_is_a_timeout_and_a_fault_behind_it_is_not_the_proxys() -> None:
    assert explain(raised(TimeoutError()), url=URL, proxy=True, connected=False).kind == "timeout"
    assert explain(raised(ConnectionResetError()), url=URL, proxy=True, connected=True).kind == "broken"
    assert explain(raised(ConnectionResetError()), url=URL, proxy=True, connected=False).kind == "proxy"


def test_a_chain_that_bites_its_tail_is_explained() -> None:
    error = RuntimeError("hidden")
    error.__cause__ = OSError("hidden")
    error.__cause__.__cause__ = error
    assert explain(error, url=URL, proxy=False, connected=True).kind == "broken"
