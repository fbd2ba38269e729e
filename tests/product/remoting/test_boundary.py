"""Every foreign exception that a WinRM call can raise, and what it becomes."""

from __future__ import annotations

import ssl
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests
import requests.exceptions as rq
import urllib3.exceptions as u3
from requests_credssp.exceptions import AuthenticationException, NTStatusException
from spnego.exceptions import BadMICError, SpnegoError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from s2slib.remoting.values import errors
from s2slib.remoting.values.target import Target
from s2slib.remoting.winrm.boundary import Boundary, Broken, NoAnswerInTime
from s2slib.remoting.winrm.transport import AnswerRefused
from s2slib.remoting.winrm.wsman import BadEnvelope

SERVER = "atl-cs-001.litwareinc.com"


def boundary(transport: str = "ntlm", proxy: str | None = None) -> Boundary:
    target = Target(SERVER, f"http://{SERVER}:5985/wsman", transport, user="kenmyer", proxy=proxy)  # type: ignore[arg-type]
    return Boundary(target, lambda text: text.replace("hush", "[redacted]"))


def translate(
    error: Exception,
    *,
    offered: tuple[str, ...] = (),
    encrypted: bool = False,
    **kwargs: object,
) -> Broken:
    return boundary(**kwargs).translate(error, offered=offered, encrypted=encrypted)  # type: ignore[arg-type]


def fault(
    code: int | None = None, *, wmi: int | None = None, subcode: str | None = None, reason: str = "why"
) -> Exception:
    return WSManFaultError(500, "m", "r", reason, "s:Sender", subcode, code, wmi)


def unverified(code: int) -> Exception:
    inner = ssl.SSLCertVerificationError(1, "certificate verify failed")
    inner.verify_code, inner.verify_message = code, "because"
    return rq.SSLError(u3.MaxRetryError(None, "/", u3.SSLError(inner)))  # type: ignore[arg-type]


def new_connection(inner: OSError) -> Exception:
    error = u3.NewConnectionError(None, "no")  # type: ignore[arg-type]
    error.__cause__ = inner
    return rq.ConnectionError(u3.MaxRetryError(None, "/", error))  # type: ignore[arg-type]


UNRESOLVED = rq.ConnectionError(
    u3.MaxRetryError(None, "/", u3.NameResolutionError("h", None, OSError("gone")))  # type: ignore[arg-type]
)
TABLE = [
    (InvalidCredentialsError("x"), errors.AuthenticationFailed),
    (NTStatusException(0x8009030C, "x"), errors.AuthenticationFailed),
    (AuthenticationException("cut"), errors.AuthenticationFailed),
    (PermissionError("no token"), errors.LogonNotTried),
    (SpnegoError(error_code=1), errors.LogonNotTried),
    (WinRMError("no Kerberos library"), errors.LogonNotTried),
    (fault(5), errors.AccessDenied),
    (fault(2147942405), errors.AccessDenied),
    (fault(subcode="w:AccessDenied"), errors.AccessDenied),
    (fault(2150859173), errors.QuotaExceeded),
    (fault(wmi=2150859174), errors.QuotaExceeded),
    (fault(2150858843), errors.ShellGone),
    (fault(170), errors.ServiceFault),
    (fault(995), errors.ServiceFault),
    (fault(87), errors.ServiceFault),
    (WinRMOperationTimeoutError(), errors.Stalled),
    (NoAnswerInTime(), errors.Stalled),
    (WinRMTransportError("http", 403, ""), errors.AccessDenied),
    (WinRMTransportError("http", 404, ""), errors.ServiceUnavailable),
    (WinRMTransportError("http", 413, ""), errors.ProtocolBroken),
    (WinRMTransportError("http", 400, ""), errors.ServiceUnavailable),
    (WinRMTransportError("http", 500, "<html>hush"), errors.ServiceUnavailable),
    (WinRMTransportError("http", 503, ""), errors.ServiceUnavailable),
    (AnswerRefused("a redirect (HTTP 302)"), errors.ServiceUnavailable),
    (UNRESOLVED, errors.NameNotResolved),
    (new_connection(ConnectionRefusedError(111, "refused")), errors.ConnectionRefused),
    (new_connection(OSError(113, "no route")), errors.Unreachable),
    (rq.ConnectTimeout("x"), errors.ConnectTimedOut),
    (rq.ReadTimeout("x"), errors.Stalled),
    (rq.ConnectionError(u3.ProtocolError("aborted", ConnectionResetError(104, "reset"))), errors.ConnectionCut),
    (rq.ChunkedEncodingError("x"), errors.ConnectionCut),
    (rq.ProxyError("x"), errors.ProxyFailed),
    (rq.InvalidProxyURL("x"), errors.ProxyFailed),
    (rq.InvalidURL("x"), errors.ProtocolBroken),
    (unverified(19), errors.TlsUntrusted),
    (unverified(62), errors.TlsWrongName),
    (unverified(64), errors.TlsWrongName),
    (unverified(10), errors.TlsExpired),
    (unverified(9), errors.TlsExpired),
    (rq.SSLError("handshake"), errors.TlsFailed),
    (ConnectionResetError(104, "reset"), errors.ConnectionCut),
    (ET.ParseError("x"), errors.ProtocolBroken),
    (StopIteration(), errors.ProtocolBroken),
    (AssertionError(), errors.ProtocolBroken),
    (KeyError("content-type"), errors.ProtocolBroken),
    (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), errors.ProtocolBroken),
    (BadEnvelope("x"), errors.ProtocolBroken),
    (RuntimeError("?"), errors.ProtocolBroken),
]


@pytest.mark.parametrize(("error", "expected"), TABLE, ids=lambda value: getattr(value, "__name__", None))
def test_every_foreign_exception_becomes_one_of_ours(error: Exception, expected: type[errors.NotSent]) -> None:
    broken = translate(error)
    assert type(broken.error) is expected
    assert not broken.left  # what had left is the connection's to say
    message = str(broken.error)
    assert message.startswith(f"{SERVER}: ")
    assert ". Next: " in message
    assert "hush" not in message
    assert "object at 0x" not in message


def test_http_400_means_a_lost_context_only_where_there_was_one() -> None:
    error = WinRMTransportError("http", 400, "")
    assert translate(error, encrypted=True).stale
    assert not translate(error).stale


def test_an_answer_that_cannot_be_decrypted_is_damage_and_no_wrong_password() -> None:
    for error in (BadMICError(error_code=6), WinRMError("Encrypted length")):
        assert isinstance(translate(error, encrypted=True).error, errors.ProtocolBroken)


def test_a_scheme_that_the_server_does_not_offer_is_not_a_wrong_password() -> None:
    broken = translate(InvalidCredentialsError("x"), offered=("Kerberos", "CredSSP"), transport="basic")
    assert type(broken.error) is errors.LogonNotTried
    assert "Kerberos, CredSSP" in str(broken.error)
    broken = translate(InvalidCredentialsError("x"), offered=("Negotiate",), transport="ntlm")
    assert type(broken.error) is errors.AuthenticationFailed


def test_a_gateway_error_is_the_proxys_where_there_is_one() -> None:
    error = WinRMTransportError("http", 502, "")
    assert type(translate(error, proxy="http://127.0.0.1:1").error) is errors.ProxyFailed
    assert type(translate(error).error) is errors.ServiceUnavailable


def test_quotas_are_told_apart_in_both_forms_of_the_fault() -> None:
    for code, what in ((2150859173, "shells"), (2150859174, "operations")):
        for error in (fault(code), fault(wmi=code)):
            quota = translate(error).error
            assert isinstance(quota, errors.QuotaExceeded)
            assert quota.what == what


def test_a_server_s_text_is_redacted_escaped_and_cut() -> None:
    message = str(translate(fault(87, reason="hush \x1b[31m\u202e" + "x" * 5000)).error)
    assert "[redacted]" in message
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert len(message) < 700


def test_every_error_of_the_tree_is_drawn_in_the_docstring() -> None:
    def below(kind: type) -> set[str]:
        return {kind.__name__}.union(*(below(child) for child in kind.__subclasses__()))

    drawn = (errors.__doc__ or "").split("What interrupted")[0]
    for name in below(errors.RemotingError):
        assert f" {name} " in drawn.replace("\n", " \n") or drawn.strip().startswith(name), name


def test_no_exception_of_a_client_library_is_caught_elsewhere() -> None:
    folder = Path(errors.__file__).parent
    for file in folder.glob("*.py"):
        if file.name not in ("boundary.py", "transport.py", "winrs.py"):
            source = file.read_text(encoding="utf-8")
            assert "import requests" not in source, file.name
            assert "from winrm" not in source, file.name
    assert requests.__version__
