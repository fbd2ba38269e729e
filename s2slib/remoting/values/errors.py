"""Every way a remote call can end other than with an answer.

    RemotingError                  names the server, what was seen and what to do next
    ├── NotSent                    the command was not started: nothing was changed, it may be sent again
    │   ├── EffectRefused          the connection was opened for less (read < probe < write)
    │   ├── NoEndpoint             the target declares no endpoint for the command's runspace
    │   ├── Unreachable            no connection
    │   │   ├── NameNotResolved
    │   │   ├── ConnectionRefused
    │   │   ├── ConnectTimedOut
    │   │   └── ConnectionCut
    │   ├── TlsFailed              connected, no trusted channel
    │   │   ├── TlsUntrusted
    │   │   ├── TlsWrongName
    │   │   └── TlsExpired
    │   ├── ProxyFailed
    │   ├── PlaintextRefused       this would have sent a password or a command in the open
    │   ├── AuthenticationFailed   rejected; `offered` is what the server would have taken
    │   │   └── LogonNotTried      no password was tried: no common scheme, no library, no ticket
    │   │       └── AttemptWithheld   this account was rejected before in this run (lock-out)
    │   ├── AccessDenied           known, but not allowed to manage this server remotely
    │   ├── QuotaExceeded          too many shells or operations of this user on the server
    │   ├── ServiceUnavailable     something answers, but not the WinRM service (404, 503, a redirect, a login page)
    │   ├── ServiceFault           the WinRM service said why it does not; `code` is its number
    │   ├── ShellGone              the server ended the shell or the process
    │   ├── ProtocolBroken         an answer that no WinRM service gives, or damaged on its way
    │   ├── Stalled                no answer in time, before the command was sent
    │   ├── ConstrainedLanguage    AppLocker or WDAC keeps PowerShell from running the constant script
    │   ├── StartFailed            powershell.exe did not come up
    │   └── EndpointFailed         the product's endpoint could not be opened from the server
    │       └── SecondHopMissing   ... because the credentials do not reach that far
    ├── AnswerLost                 a read was under way and its answer is lost: it may be repeated
    ├── OutcomeUncertain           a probe or write may have run: settle it by reading, never by repeating

What interrupted a command under way is the `__cause__` of AnswerLost and OutcomeUncertain. Texts from servers are
capped and escaped (rule R9) before they stand in a message.
"""

from __future__ import annotations

from s2slib.errors import EXIT_UNCERTAIN, S2SError
from s2slib.records.display import is_hidden
from s2slib.remoting.values.command import Command

_SEEN_LIMIT = 400


class RemotingError(S2SError):
    """A remote call that ended without an answer. `server`, `seen` and `next_step` are what the message says."""

    def __init__(self, server: str, seen: str, next_step: str) -> None:
        self.server = server
        self.seen = shown(seen)
        self.next_step = next_step
        super().__init__(f"{server}: {self.seen}. Next: {next_step}")


class NotSent(RemotingError):
    """The command was not started."""


class EffectRefused(NotSent):
    """The command does more than its connection was opened for."""


class NoEndpoint(NotSent):
    """The target declares no endpoint for the runspace that the command wants."""


class Unreachable(NotSent):
    """No connection to the server."""


class NameNotResolved(Unreachable):
    """The server's name, or the proxy's, has no address."""


class ConnectionRefused(Unreachable):
    """Nothing listens there."""


class ConnectTimedOut(Unreachable):
    """No answer to the attempt to connect."""


class ConnectionCut(Unreachable):
    """The connection ended before the answer did."""


class TlsFailed(NotSent):
    """Connected, but no TLS channel."""


class TlsUntrusted(TlsFailed):
    """The certificate does not lead to a trusted root."""


class TlsWrongName(TlsFailed):
    """The certificate names another server."""


class TlsExpired(TlsFailed):
    """The certificate is outside its dates."""


class ProxyFailed(NotSent):
    """The proxy refused or failed."""


class PlaintextRefused(NotSent):
    """The combination of URL and transport would send secrets in the open."""


class AuthenticationFailed(NotSent):
    """The server rejected the logon. `offered` are the schemes that it named, in its spelling."""

    def __init__(self, server: str, seen: str, next_step: str, offered: tuple[str, ...] = ()) -> None:
        self.offered = tuple(shown(scheme, 40) for scheme in offered)
        named = f" (the server offers: {', '.join(self.offered)})" if self.offered else ""
        super().__init__(server, seen + named, next_step)


class LogonNotTried(AuthenticationFailed):
    """The logon did not get as far as a password."""


class AttemptWithheld(LogonNotTried):
    """Not tried again: the account was rejected before in this run, and another try could lock it out."""


class AccessDenied(NotSent):
    """Logged on, but without the right to open a remote shell."""


class QuotaExceeded(NotSent):
    """The user's quota on the server is used up. `what` is `shells` or `operations`."""

    def __init__(self, server: str, seen: str, next_step: str, what: str) -> None:
        self.what = what
        super().__init__(server, seen, next_step)


class ServiceUnavailable(NotSent):
    """Something answers at the address, but no WinRM service does."""


class ServiceFault(NotSent):
    """A SOAP fault of the WinRM service; `code` is its number, if it gave one."""

    def __init__(self, server: str, seen: str, next_step: str, code: int | None) -> None:
        self.code = code
        super().__init__(server, seen, next_step)


class ShellGone(NotSent):
    """The shell or the process in it no longer exists."""


class ProtocolBroken(NotSent):
    """An answer that breaks WS-Management, or the frames inside it."""


class Stalled(NotSent):
    """The server did not answer in time, before the command was sent."""


class ConstrainedLanguage(NotSent):
    """PowerShell runs in Constrained Language Mode and refuses the calls that the constant script needs."""


class StartFailed(NotSent):
    """powershell.exe did not get ready."""


class EndpointFailed(NotSent):
    """The product's endpoint could not be opened from the server. `error_id` is the FullyQualifiedErrorId, if any."""

    def __init__(self, server: str, seen: str, next_step: str, error_id: str = "") -> None:
        self.error_id = error_id
        super().__init__(server, seen, next_step)


class SecondHopMissing(EndpointFailed):
    """The credentials of the connection do not reach the endpoint: no delegation, no explicit credential."""


class AnswerLost(RemotingError):
    """A read was under way and its answer did not arrive. It may be repeated."""

    def __init__(self, server: str, seen: str, command: Command) -> None:
        self.command = command
        super().__init__(server, f"{seen}, while {command.name} was under way", "repeat the read")


class OutcomeUncertain(RemotingError):
    """A probe or a write was handed over and its answer did not arrive: it may have run, in part or whole."""

    exit_code = EXIT_UNCERTAIN

    def __init__(self, server: str, seen: str, command: Command) -> None:
        self.command = command
        seen = f"{seen}, while {command.name} was under way; it may have run"
        super().__init__(
            server, seen, "read what it was to change, and go on from what is there; never repeat it blindly"
        )


def shown(text: str, limit: int = _SEEN_LIMIT) -> str:
    """A foreign text on one line, controls and invisible characters as <U+XXXX>, cut at `limit` characters."""
    flat = " ".join(text.split())
    visible = "".join(c if c.isprintable() and not is_hidden(c) else f"<U+{ord(c):04X}>" for c in flat[: limit + 1])
    return visible if len(flat) <= limit else visible[:limit] + "..."
