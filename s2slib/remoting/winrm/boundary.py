"""The one place where foreign exceptions become ours: pywinrm, requests, urllib3, spnego, XML and the logon libraries.

| seen | becomes |
| --- | --- |
| 401, CredSSP or Kerberos refusing | AuthenticationFailed, LogonNotTried |
| name, connect, TLS handshake | Unreachable, TlsFailed |
| proxy | ProxyFailed |
| HTTP 400 on an encrypted connection | ProtocolBroken; `stale`: the security context is gone, a new connection may help |
| SOAP fault | AccessDenied, QuotaExceeded, ShellGone, ServiceFault |
| operation timeout, aborted operation (995) | Stalled, ServiceFault |
| connection cut, read timeout, HTTP 5xx, damaged answer | ConnectionCut, Stalled, ServiceUnavailable, ProtocolBroken |

Whether the server acted on the message is not concluded from any of these. It rests on how much of the message had left:

| of the message had left | the claim | settled by |
| --- | --- | --- |
| nothing: no name, connection, TLS channel, way through the proxy, or logon (which is an exchange of its own) | not sent | - |
| something, and any answer that is not its own: 4xx, 5xx, a fault, a damaged one | unknown | the process on the server |
| something, and no answer | unknown | the process on the server |

The process is asked on a new connection (`process.py`): requests have rising ids, and one that comes after the question about it
is not run. So its answer is certain. Where the process cannot be asked either, the command's outcome is uncertain, and only
reading what it was to change can settle it.
"""

from __future__ import annotations

import ssl
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests
import urllib3.exceptions
from winrm.exceptions import (
    AuthenticationError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from s2slib.remoting.values import errors
from s2slib.remoting.values.target import Target
from s2slib.remoting.winrm.transport import AnswerRefused
from s2slib.remoting.winrm.wsman import BadEnvelope

SHELL_QUOTA = 2150859173
OPERATIONS_QUOTA = 2150859174
NO_SUCH_SHELL = 2150858843
BUSY = 170
_ABORTED = 995
_DENIED = (5, 2147942405)
_NOT_A_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NOT_IN_DATES = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_GATEWAY = (502, 504)
_SCHEMES = {
    "basic": {"basic"},
    "credssp": {"credssp"},
    "kerberos": {"negotiate", "kerberos"},
    "ntlm": {"negotiate", "ntlm"},
}


class Broken(Exception):
    """One exchange that failed: as what, how far its message had come, and what may help.

    `left`: something of the message went out, so the server may have acted on it. `stale`: the security context is gone, a
    new connection may help. `passing`: what may be repeated may succeed then. `code` is the fault's, if it was one.
    """

    def __init__(
        self,
        error: errors.NotSent,
        *,
        stale: bool = False,
        passing: bool = False,
        code: int | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.left = False
        self.stale = stale
        self.passing = passing
        self.code = code


class NoAnswerInTime(Exception):
    """An exchange that was given up at its deadline."""


@dataclass(frozen=True)
class Boundary:
    """Translates what one target's exchanges raise. `redact` is applied to every foreign text."""

    target: Target
    redact: Callable[[str], str]

    def translate(self, error: Exception, *, offered: tuple[str, ...], encrypted: bool) -> Broken:
        """The exchange's failure. `offered` are the schemes of the last 401, `encrypted` whether a context was in use."""
        match error:
            case Broken():
                return error
            case errors.NotSent():
                return Broken(error)
            case NoAnswerInTime():
                return Broken(self._stalled("no answer in time"), passing=True)
            case WSManFaultError():
                return self._fault(error)
            case WinRMOperationTimeoutError():
                seen = "the server could not complete the operation in its time limit"
                return Broken(self._stalled(seen), passing=True)
            case WinRMTransportError():
                return self._status(error.code, encrypted)
            case AuthenticationError() | PermissionError():
                return Broken(self._rejected(error, offered))
            case AnswerRefused():
                return Broken(self._foreign(str(error)))
            case requests.RequestException():
                return self._request(error)
            case BadEnvelope():
                return Broken(self._damaged(str(error)), passing=True)
            case ET.ParseError() | StopIteration() | AssertionError() | LookupError() | ValueError() | AttributeError():
                return Broken(self._damaged(f"an answer without sense ({type(error).__name__})"))
            case OSError():
                return Broken(self._cut(type(error).__name__), passing=True)
        return self._library(error, offered, encrypted)

    # -- faults and statuses ------------------------------------------------------------------------------------------

    def _fault(self, error: WSManFaultError) -> Broken:
        code = error.wmierror_code if error.wmierror_code is not None else error.wsman_fault_code
        reason = self.redact(error.reason or "")
        if code in (SHELL_QUOTA, OPERATIONS_QUOTA):
            what = "shells" if code == SHELL_QUOTA else "operations"
            quota = errors.QuotaExceeded(
                self._server,
                f"the account's quota of {what} is used up ({reason})",
                "wait for idle shells to end (their idle timeout), close other sessions of this account, or raise the quota",
                what,
            )
            return Broken(quota, code=code)
        if code in _DENIED or (error.fault_subcode or "").endswith("AccessDenied"):
            return Broken(self._denied(reason), code=code)
        if code == NO_SUCH_SHELL:
            gone = errors.ShellGone(
                self._server,
                f"the shell or the process in it no longer exists ({reason})",
                "it is started anew on next use",
            )
            return Broken(gone, code=code)
        named = "" if code is None else f" {code}"
        fault = errors.ServiceFault(
            self._server, f"the WinRM service answered with fault{named}: {reason}", "look the fault code up", code
        )
        return Broken(fault, passing=code in (BUSY, _ABORTED), code=code)

    def _status(self, status: int, encrypted: bool) -> Broken:
        if status == 400 and encrypted:
            seen = "the server no longer knows the encrypted connection (HTTP 400)"
            return Broken(self._damaged(seen), stale=True, passing=True)
        if status == 403:
            return Broken(self._denied("HTTP 403"))
        if status == 413:
            return Broken(self._damaged("the message is above the server's envelope limit (HTTP 413)"))
        if status in _GATEWAY and self.target.proxy:
            proxy = errors.ProxyFailed(
                self._server,
                f"the proxy could not reach the server (HTTP {status})",
                "check the server's name and state, and whether the proxy may reach its port",
            )
            return Broken(proxy, passing=True)
        return Broken(self._foreign(f"HTTP {status}"), passing=status >= 500)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _request(self, error: requests.RequestException) -> Broken:
        causes = list(_causes(error))
        verification = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
        if verification is not None:
            return Broken(self._untrusted(verification))
        if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
            return Broken(self._proxy(causes), passing=True)
        if isinstance(error, requests.exceptions.SSLError):
            tls = errors.TlsFailed(
                self._server,
                f"no TLS channel ({self._reason(causes)})",
                "check that the URL's port speaks TLS 1.2 or later, and which certificates it accepts",
            )
            return Broken(tls, passing=True)
        if isinstance(error, requests.exceptions.ConnectTimeout):
            slow = errors.ConnectTimedOut(
                self._server,
                f"no connection within {self.target.timeouts.connect_s:.0f} s",
                "check that the server is up and that no firewall drops its WinRM port",
            )
            return Broken(slow, passing=True)
        if isinstance(error, requests.exceptions.ReadTimeout):
            return Broken(self._stalled("no answer in time"), passing=True)
        if any(isinstance(c, urllib3.exceptions.NameResolutionError) for c in causes):
            name = errors.NameNotResolved(
                self._server, "its name has no address here", "check the name in the params file and this machine's DNS"
            )
            return Broken(name)
        if any(isinstance(c, ConnectionRefusedError) for c in causes):
            refused = errors.ConnectionRefused(
                self._server,
                "nothing listens on its WinRM port",
                "check the port of the URL and that the WinRM service runs (winrm quickconfig)",
            )
            return Broken(refused, passing=True)
        if any(isinstance(c, urllib3.exceptions.NewConnectionError) for c in causes):
            unreachable = errors.Unreachable(
                self._server, f"no way there ({self._reason(causes)})", "check the network between here and the server"
            )
            return Broken(unreachable, passing=True)
        kerberos = type(error).__name__
        if kerberos in ("KerberosExchangeError", "MutualAuthenticationError"):
            return Broken(self._kerberos(error))
        if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError):
            return Broken(self._cut(self._reason(causes)), passing=True)
        return Broken(self._damaged(f"an answer without sense ({type(error).__name__})"))

    def _library(self, error: Exception, offered: tuple[str, ...], encrypted: bool) -> Broken:
        """Exceptions of the logon libraries, told by name: they are only importable where their extra is installed."""
        name = type(error).__name__
        if name == "NTStatusException":  # CredSSP: the server's verdict on the account
            return Broken(self._rejected(error, offered))
        if name == "AuthenticationException":
            return Broken(self._rejected(error, offered))
        if name in ("BadMICError", "SpnegoError") or type(error).__module__.startswith("spnego"):
            if encrypted:
                return Broken(self._damaged("an answer that cannot be decrypted"), passing=True)
            return Broken(self._not_tried(f"the logon could not be computed here ({name})", offered))
        if isinstance(error, WinRMError) and encrypted:
            return Broken(self._damaged("an encrypted answer of the wrong length"), passing=True)
        if isinstance(error, WinRMError):
            return Broken(self._not_tried(self.redact(str(error)), offered))
        return Broken(self._damaged(f"an unexpected failure ({name})"))

    # -- our errors ---------------------------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return self.target.server

    def _rejected(self, error: Exception, offered: tuple[str, ...]) -> errors.AuthenticationFailed:
        wanted = _SCHEMES.get(self.target.transport)
        if offered and wanted and not wanted & {scheme.lower() for scheme in offered}:
            return self._not_tried(f"the server does not offer what {self.target.transport} needs", offered)
        if isinstance(error, PermissionError):
            return self._not_tried("the server offers Negotiate but takes no NTLM", offered)
        status = getattr(error, "status", None)
        detail = f", status 0x{status:08X}" if isinstance(status, int) else ""
        return errors.AuthenticationFailed(
            self._server,
            f"the logon of {self.target.user or 'this account'} by {self.target.transport} was rejected{detail}",
            "check user and password; the same answer comes for an expired or locked account, a clock that is off, "
            "or channel binding that the server insists on",
            offered,
        )

    def _not_tried(self, seen: str, offered: tuple[str, ...]) -> errors.LogonNotTried:
        return errors.LogonNotTried(
            self._server,
            seen,
            "choose a transport that the server offers and this machine has the library for",
            offered,
        )

    def _kerberos(self, error: Exception) -> errors.LogonNotTried:
        return errors.LogonNotTried(
            self._server,
            f"no Kerberos logon ({self.redact(str(error))})",
            "get a ticket first (kinit; the password in the params is not used), and check the server's SPN HTTP/<name> "
            "and this machine's clock",
        )

    def _denied(self, reason: str) -> errors.AccessDenied:
        return errors.AccessDenied(
            self._server,
            f"{self.target.user or 'this account'} is known but may not open a remote shell ({reason})",
            "put the account into Administrators or Remote Management Users of that server, then log on again",
        )

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> errors.TlsFailed:
        reason = self.redact(error.verify_message or "verification failed")
        if error.verify_code in _NOT_A_NAME:
            return errors.TlsWrongName(
                self._server,
                f"its certificate is for another name ({reason})",
                "use the name that the certificate carries, or give the WinRM listener the right certificate",
            )
        if error.verify_code in _NOT_IN_DATES:
            return errors.TlsExpired(
                self._server,
                f"its certificate is outside its dates ({reason})",
                "renew the WinRM listener's certificate, and check this machine's clock",
            )
        return errors.TlsUntrusted(
            self._server,
            f"its certificate is not trusted here ({reason})",
            "name the issuing CA in the params file (ca_file), or add it to this machine's trusted roots",
        )

    def _proxy(self, causes: list[BaseException]) -> errors.ProxyFailed:
        return errors.ProxyFailed(
            self._server,
            f"the proxy refused or failed ({self._reason(causes)})",
            "check the proxy in the params file and whether it may reach the server's WinRM port",
        )

    def _foreign(self, seen: str) -> errors.ServiceUnavailable:
        return errors.ServiceUnavailable(
            self._server,
            f"what answers at {self.target.url} is not a working WinRM service ({seen})",
            "check the URL's host, port and path, and the WinRM service there",
        )

    def _damaged(self, seen: str) -> errors.ProtocolBroken:
        return errors.ProtocolBroken(
            self._server, seen, "try again; if it stays, look at what stands between here and there"
        )

    def _cut(self, seen: str) -> errors.ConnectionCut:
        return errors.ConnectionCut(
            self._server, f"the connection was cut ({seen})", "check whether the server restarted"
        )

    def _stalled(self, seen: str) -> errors.Stalled:
        return errors.Stalled(self._server, seen, "check the server's load, or give it more time")

    def _reason(self, causes: list[BaseException]) -> str:
        """The innermost cause in a few words, without addresses of objects in memory."""
        last = causes[-1]
        text = last.strerror if isinstance(last, OSError) and last.strerror else str(last)
        return errors.shown(self.redact(f"{type(last).__name__}: {text}" if text else type(last).__name__), 160)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it wraps, outermost first: causes, contexts, urllib3's `reason`, exceptions in `args`."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        wrapped = [current.__cause__, getattr(current, "reason", None), *current.args, current.__context__]
        current = next((w for w in wrapped if isinstance(w, BaseException) and id(w) not in seen), None)
