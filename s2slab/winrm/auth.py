"""Who is on a connection: Negotiate, CredSSP and Basic as HTTP carries them, and the sealing of messages."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from dataclasses import dataclass, field
from typing import Final, Protocol

import spnego
from spnego.channel_bindings import GssChannelBindings

from s2slab.winrm import framing
from s2slab.winrm.ntlm import NtlmAcceptor, Passwords, UserFile, normalise, starts_over
from s2slab.winrm.settings import WinRmSettings

_BASIC: Final = 'Basic realm="WSMAN"'

_log = logging.getLogger("s2slab.winrm")


@dataclass(frozen=True)
class Logon:
    """Somebody who proved a password. `user` is lower case; `domain` as the client gave it, "" when it gave none.

    `password` is what the server may use towards a third one (the second hop): CredSSP delegates it and Basic carries
    it in clear, so both set it; NTLM proves it without handing it over, so there it is None.
    """

    user: str
    domain: str
    method: str  # basic | ntlm | credssp
    password: str | None = field(default=None, repr=False)


class Accounts(Passwords, Protocol):
    """Who may log on, and who of them may use the service."""

    def allowed(self, logon: Logon) -> bool:
        """Whether this user may open shells; False makes every operation end in an AccessDenied fault."""


@dataclass(frozen=True)
class Answer:
    """What to do with a request: serve it for `logon`, or answer 401; WWW-Authenticate values either way."""

    logon: Logon | None
    challenges: tuple[str, ...] = ()


class SealError(ValueError):
    """A sealed body that this connection's security context does not open."""


class ConnectionAuth:
    """The state of one connection. Not thread-safe: a connection serves one request at a time."""

    def __init__(
        self,
        accounts: Passwords,
        users: UserFile,
        settings: WinRmSettings,
        *,
        secure: bool,
        bindings: GssChannelBindings | None,
    ) -> None:
        self._accounts = accounts
        self._users = users
        self._settings = settings
        self._secure = secure
        self._bindings = bindings
        self._scheme = ""
        self._acceptor: NtlmAcceptor | None = None
        self._credssp: spnego.ContextProxy | None = None
        self._logon: Logon | None = None

    def offers(self) -> tuple[str, ...]:
        """The schemes of an unauthenticated 401. Basic only where it does not travel in clear."""
        on = self._settings.transports
        basic = "basic" in on and (self._secure or self._settings.allow_unencrypted)
        table = (("Negotiate", "ntlm" in on), (_BASIC, basic), ("CredSSP", "credssp" in on))
        return tuple(name for name, offered in table if offered)

    def answer(self, authorization: str | None) -> Answer:
        """Judge a request by its Authorization header; without one, by who is on the connection already."""
        if authorization is None:
            return Answer(self._logon) if self._logon is not None else Answer(None, self.offers())
        scheme, _, credentials = authorization.strip().partition(" ")
        offered = {offer.split(" ", 1)[0].lower() for offer in self.offers()}
        if scheme.lower() not in offered:
            return self._refused()
        try:
            token = base64.b64decode(credentials.strip(), validate=True)
        except (binascii.Error, ValueError):
            return self._refused()
        if scheme.lower() == "basic":
            return self._basic(token)
        return self._exchange(scheme, token)

    def open(self, body: bytes, protocol: str) -> bytes:
        """The plaintext of an encrypted body. SealError when another context sealed it; this one is then dropped."""
        try:
            if self._logon is None or protocol != self._protocol():
                raise SealError("no security context for this message")
            return b"".join(self._open_part(part) for part in framing.decode(body))
        except (framing.FramingError, spnego.exceptions.SpnegoError, SealError) as error:
            self._forget()
            raise SealError(str(error)) from None

    def seal(self, plain: bytes) -> tuple[str, bytes]:
        """Content-Type and body of an encrypted reply."""
        protocol = self._protocol()
        if protocol == framing.CREDSSP and self._credssp is not None:
            context, size = self._credssp, framing.PART_BYTES
        elif self._acceptor is not None:
            context, size = self._acceptor.context, max(len(plain), 1)
        else:
            raise SealError("nobody is on this connection")
        parts = []
        for start in range(0, max(len(plain), 1), size):
            piece = plain[start : start + size]
            sealed = context.wrap_winrm(piece)
            parts.append(framing.Part(len(piece) + sealed.padding_length, sealed.header, sealed.data))
        return framing.encode(protocol, parts)

    def _protocol(self) -> str:
        return framing.CREDSSP if self._scheme == "credssp" else framing.SPNEGO

    def _open_part(self, part: framing.Part) -> bytes:
        if self._credssp is not None:
            # the length field is not the header's here, and clients disagree about it: all of it is TLS records
            plain = self._credssp.unwrap(part.header + part.data).data
        elif self._acceptor is not None:
            plain = self._acceptor.context.unwrap_winrm(part.header, part.data)
        else:
            raise SealError("no security context")
        if len(plain) != part.plain_bytes:
            raise SealError("a part is not as long as it says")
        return plain

    def _basic(self, token: bytes) -> Answer:
        try:
            name, found, password = token.decode("utf-8").partition(":")
        except UnicodeDecodeError:  # what most clients send beyond ASCII
            name, found, password = token.decode("latin-1").partition(":")
        domain, user = normalise("", name)
        expected = self._accounts.password(domain, user)
        self._forget()
        if not found or expected is None or not hmac.compare_digest(expected.encode(), password.encode()):
            return Answer(None, self.offers())
        return Answer(Logon(user, domain, "basic", password))  # of this request only, as Basic is

    def _exchange(self, scheme: str, token: bytes) -> Answer:
        kind = scheme.lower()
        fresh = self._logon is not None or self._scheme != kind or (kind == "negotiate" and starts_over(token))
        if fresh or self._acceptor is None:
            self._begin(kind)
        context = self._credssp or self._acceptor
        assert context is not None  # _begin made it
        try:
            reply = context.step(token)
        except Exception as error:  # a hostile token ends in whatever the parser raises; all of it is a failed login
            _log.info("a login failed: %s", type(error).__name__)
            return self._refused()
        challenge = f"{scheme} {base64.b64encode(reply).decode('ascii')}" if reply else ""
        if not context.complete:
            return Answer(None, (challenge,)) if challenge else self._refused()
        self._logon = self._who()
        return Answer(self._logon, (challenge,) if challenge else ())

    def _begin(self, kind: str) -> None:
        self._forget()
        self._scheme = kind
        if kind == "credssp":
            self._acceptor = NtlmAcceptor(self._accounts, self._users)
            options = spnego.NegotiateOptions.use_negotiate
            self._credssp = spnego.server(protocol="credssp", options=options, credssp_negotiate_context=self._acceptor)
        else:
            policy = self._settings.channel_binding
            self._acceptor = NtlmAcceptor(self._accounts, self._users, bindings=self._bindings, policy=policy)

    def _who(self) -> Logon | None:
        identity = self._acceptor.identity if self._acceptor is not None else None
        if identity is None:
            return None
        domain, user = normalise(identity.domain, identity.user)
        if self._credssp is None:
            return Logon(user, domain, "ntlm")
        delegated = self._credssp.get_extra_info("client_credential")
        password = getattr(delegated, "password", None)  # smart cards and remote guard delegate none
        return Logon(user, domain, "credssp", password)

    def _refused(self) -> Answer:
        self._forget()
        return Answer(None, self.offers())

    def _forget(self) -> None:
        self._scheme = ""
        self._acceptor = None
        self._credssp = None
        self._logon = None
