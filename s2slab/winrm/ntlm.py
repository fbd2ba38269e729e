"""NTLM as an acceptor: pyspnego's, with the lab's accounts behind it and channel binding judged as Windows does."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, Protocol

import spnego
from spnego._ntlm_raw.crypto import ntowfv1
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError, InvalidTokenError

_FILE_VARIABLE: Final = "NTLM_USER_FILE"
_TURN: Final = threading.Lock()  # the file belongs to the process, so its lock does too
_NEGOTIATE: Final = b"NTLMSSP\x00\x01\x00\x00\x00"
_AUTHENTICATE: Final = b"NTLMSSP\x00\x03\x00\x00\x00"
_UNICODE: Final = 0x00000001
_CHANNEL_BINDINGS: Final = 0x000A  # MsvAvChannelBindings
_UNSAFE_NAME: Final = re.compile(r"[:\x00-\x1f\x7f\x85\u2028\u2029]")  # would break a line of the user file


class Passwords(Protocol):
    """What accounts there are. Names come as `normalise` makes them."""

    def password(self, domain: str, user: str) -> str | None:
        """The account's password; None when there is no such account. `domain` is "" when the client gave none."""


@dataclass(frozen=True)
class Identity:
    """A name as a client gave it in an NTLM AUTHENTICATE message, and whether it bound the TLS channel."""

    domain: str
    user: str
    bound: bool


def normalise(domain: str, user: str) -> tuple[str, str]:
    """Domain (as given) and user (in lower case) of any spelling: `DOM\\user`, `user`, `user@dns.name`.

    Some clients repeat the name from the challenge for a local account; that counts as no domain.
    """
    if not domain and "\\" in user:
        domain, user = user.split("\\", 1)
    if not domain and "@" in user:
        user, domain = user.rsplit("@", 1)
    if domain.upper() == socket.gethostname().upper():
        domain = ""
    return domain, user.lower()


def starts_over(token: bytes) -> bool:
    """Whether a token (raw or inside SPNEGO) begins a new NTLM exchange."""
    return _NEGOTIATE in token


def read_identity(token: bytes) -> Identity | None:
    """Who an AUTHENTICATE message (raw or inside SPNEGO) names; None when the token holds none.

    Raises InvalidTokenError for a message whose offsets point outside it.
    """
    start = token.find(_AUTHENTICATE)
    if start < 0:
        return None
    message = token[start:]
    try:
        (flags,) = struct.unpack_from("<I", message, 60)
        encoding = "utf-16-le" if flags & _UNICODE else "latin-1"
        domain = _field(message, 28).decode(encoding)
        user = _field(message, 36).decode(encoding)
        response = _field(message, 20)
    except (struct.error, UnicodeDecodeError) as error:
        raise InvalidTokenError(context_msg=f"not an AUTHENTICATE message: {error}") from None
    return Identity(domain, user, _binds_channel(response))


@cache
def _user_file() -> Path:
    """The process's file, made and named at first use, removed at exit."""
    folder = Path(tempfile.mkdtemp(prefix="s2slib-"))  # for this user only, by mkdtemp's contract
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "users"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.environ[_FILE_VARIABLE] = str(path)
    return path


class UserFile:
    """The file from which pyspnego reads NTLM users: private, empty, and filled with one line while a login is checked.

    pyspnego finds the file through an environment variable and only there. So this process has one file, named once for
    all, and checks of all its servers take turns: a variable that came and went would be missing from under other
    threads that read the environment. The line holds hashes: a password may contain anything.
    """

    @contextlib.contextmanager
    def naming(self, domain: str, user: str, password: str | None) -> Iterator[None]:
        """Inside the block pyspnego knows this account in this spelling; with a random hash if `password` is None.

        An empty `user` names nobody. Raises InvalidTokenError for a name that no account can have.
        """
        line = self._line(domain, user, password) if user else ""
        with _TURN:
            path = _user_file()
            path.write_text(line, encoding="utf-8")
            try:
                yield
            finally:
                if line:
                    path.write_text("", encoding="utf-8")

    @staticmethod
    def _line(domain: str, user: str, password: str | None) -> str:
        if _UNSAFE_NAME.search(domain + user):
            raise InvalidTokenError(context_msg="a name with characters that no account has")
        # the LM hash is never a real one: pyspnego would also accept the LM response that it belongs to
        nt = ntowfv1(password) if password is not None else secrets.token_bytes(16)
        name = f"{domain}\\{user}" if domain else user
        return f"{name}:0:{secrets.token_hex(16).upper()}:{nt.hex().upper()}:[U]:LCT-0\n"


class NtlmAcceptor:
    """One NTLM login, raw or inside SPNEGO; also the inner login of CredSSP (where pyspnego calls it).

    `bindings` is the TLS channel it must match, `policy` how far: "accepted" lets clients pass that bind nothing.
    """

    def __init__(
        self,
        accounts: Passwords,
        users: UserFile,
        *,
        bindings: GssChannelBindings | None = None,
        policy: Literal["none", "accepted", "required"] = "none",
    ) -> None:
        self._accounts = accounts
        self._users = users
        self._bindings = bindings
        self._policy = policy
        self._context: spnego.ContextProxy | None = None
        self.identity: Identity | None = None

    @property
    def complete(self) -> bool:
        """Whether somebody is logged on."""
        return self._context is not None and self._context.complete

    @property
    def client_principal(self) -> str | None:
        """Who, in the client's spelling."""
        return self._context.client_principal if self._context is not None else None

    @property
    def negotiated_protocol(self) -> str | None:
        """Always NTLM, once it is known."""
        return self._context.negotiated_protocol if self._context is not None else None

    @property
    def context(self) -> spnego.ContextProxy:
        """The security context, for sealing; ValueError before the first token."""
        if self._context is None:
            raise ValueError("no token yet")
        return self._context

    def step(self, in_token: bytes | None = None, **_: object) -> bytes | None:
        """Take the client's token, return the answer. Raises SpnegoError when the login fails."""
        token = in_token or b""
        claimed = read_identity(token)
        bindings = None
        password = None
        if claimed is not None:
            self.identity = claimed
            password = self._accounts.password(*normalise(claimed.domain, claimed.user))
            bindings = self._judged(claimed)
        domain, user = (claimed.domain, claimed.user) if claimed is not None else ("", "")
        with self._users.naming(domain, user, password):
            if self._context is None:
                options = spnego.NegotiateOptions.use_negotiate  # never the platform's own: the accounts are the lab's
                self._context = spnego.server(protocol="negotiate", options=options)
            return self._context.step(token, channel_bindings=bindings)

    def wrap(self, data: bytes, encrypt: bool = True, qop: int | None = None) -> spnego.WrapResult:
        """Seal, for CredSSP's own messages."""
        return self.context.wrap(data, encrypt=encrypt, qop=qop)

    def unwrap(self, data: bytes) -> spnego.UnwrapResult:
        """Open, for CredSSP's own messages."""
        return self.context.unwrap(data)

    def _judged(self, claimed: Identity) -> GssChannelBindings | None:
        if self._bindings is None or self._policy == "none":
            return None
        if not claimed.bound and self._policy == "required":
            raise BadBindingsError(context_msg="the client did not bind the channel")
        return self._bindings if claimed.bound else None


def _field(message: bytes, at: int) -> bytes:
    length, _, offset = struct.unpack_from("<HHI", message, at)
    if offset + length > len(message):
        raise struct.error("a field points outside the message")
    return message[offset : offset + length]


def _binds_channel(response: bytes) -> bool:
    """Whether an NTLMv2 response carries channel bindings that are not all zero ([MS-NLMP] 2.2.2.1, 2.2.2.7)."""
    at = 16 + 28
    while at + 4 <= len(response):
        kind, length = struct.unpack_from("<HH", response, at)
        value = response[at + 4 : at + 4 + length]
        if kind == 0:
            return False
        if kind == _CHANNEL_BINDINGS:
            return any(value)
        at += 4 + length
    return False
