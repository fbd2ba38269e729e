"""Server-to-server tokens: how Lync mints them and how Exchange judges them.

A token is judged by what the worker process loaded when it started, never by what the directory says now. The first
row that applies decides (numbers and texts without a mark are documented; the order and the rest are UNCONFIRMED):

    the token                                                    answer
    -----------------------------------------------------------  --------------------------------------------------
    is no JWT, or claims are missing                             2000001 invalid_token
    is meant for another application or host                     2000003 invalid_resource
    names a realm that is neither an accepted domain             2000004 invalid_tenant
      (wildcards do not match) nor AuthConfig.Realm
    is issued by no enabled partner application with that realm  2000006 invalid_issuer           (UNCONFIRMED)
    is not signed by one of its certificates, or by one with     2000002 invalid_signature        (UNCONFIRMED)
      a key below 2048 bit
    is outside its lifetime by more than five minutes            2000007 invalid_lifetime         (UNCONFIRMED)
    asserts a user in another issuer's name                      2000001 invalid_token            (UNCONFIRMED)
    belongs to an application whose linked account is missing    2000009 invalid_app_account      (number and
      or has no roles                                                                              category UNCONFIRMED)
    asserts a user without a mailbox                             2000005 invalid_user
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from s2slab.estate.estate import EXCHANGE_APP, WorkerProcess
from s2slab.estate.pki import KeyPair

ACTIVE_DIRECTORY = "urn:office:idp:activedirectory"
SKEW = timedelta(minutes=5)
MINIMUM_KEY = 2048


@dataclass(frozen=True)
class Audience:
    """Whom a token is for: `<application>/<host>@<realm>`."""

    application: str
    host: str
    realm: str

    def __str__(self) -> str:
        return f"{self.application}/{self.host}@{self.realm}"

    @classmethod
    def parse(cls, text: str) -> Audience | None:
        """The parts of an `aud` claim; None when it has not that form."""
        left, at, realm = text.rpartition("@")
        application, slash, host = left.partition("/")
        return cls(application, host, realm) if at and slash and application and host and realm else None


@dataclass(frozen=True)
class Accepted:
    """A token that was accepted: the partner application, its realm, and the asserted user (None: the application)."""

    application: str
    realm: str
    user: str | None


@dataclass(frozen=True)
class Refused:
    """A token that was refused. `diagnostics` is the value of `x-ms-diagnostics`."""

    number: int
    reason: str
    category: str

    @property
    def diagnostics(self) -> str:
        # the reason may quote claims, which anybody can write: no way out of the quotes or of the header field
        reason = "".join(c for c in self.reason if c.isprintable() and c != '"')
        return f'{self.number};reason="{reason}";error_category="{self.category}"'


class Accounts(Protocol):
    """What judging a token needs from the directory at the time of the request."""

    def roles(self, linked_account: str) -> tuple[str, ...] | None:
        """The management roles assigned to an account; None when there is no such account."""
        ...

    def has_mailbox(self, user: str) -> bool:
        """Whether a user, named by primary SMTP address, UPN or SID, has a mailbox."""
        ...


def x5t(der: bytes) -> str:
    """The thumbprint of a certificate as JOSE headers carry it: base64url of SHA-1, without padding."""
    return base64.urlsafe_b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).rstrip(b"=").decode("ascii")


def mint_actor_token(
    signer: KeyPair, *, issuer: str, audience: Audience, at: datetime, lifetime_s: int = 28_800, delegates: bool = True
) -> str:
    """A token that says "I am `issuer`" (`<application>@<realm>`), signed RS256 by `signer`.

    `delegates` adds the right to act for users; an application-only token lacks it.
    """
    claims: dict[str, Any] = {"iss": issuer, "aud": str(audience), "nameid": issuer, **_lifetime(at, lifetime_s)}
    if delegates:
        claims["trustedfordelegation"] = "true"
    with warnings.catch_warnings():
        # a short key is signed with all the same: whether it is good enough is for the other side to judge
        warnings.simplefilter("ignore")
        return jwt.encode(claims, signer.key, algorithm="RS256", headers={"x5t": x5t(signer.der)})


def mint_user_token(
    actor_token: str, *, issuer: str, audience: Audience, user: str, at: datetime, lifetime_s: int = 28_800
) -> str:
    """An unsigned token that asserts `user` (an SMTP address, UPN or SID) around the signed token of the actor."""
    claims = {
        "iss": issuer,
        "aud": str(audience),
        "nameid": user,
        "nii": ACTIVE_DIRECTORY,
        **_lifetime(at, lifetime_s),
        "actortoken": actor_token,
    }
    return jwt.encode(claims, "", algorithm="none")


def trusted_issuers(worker: WorkerProcess) -> tuple[str, ...]:
    """`<application>@<realm>` of every enabled partner application that the worker loaded, as the 401 lists them."""
    return tuple(
        f"{row['ApplicationIdentifier']}@{row['Realm']}"
        for row in worker.partner_applications
        if row.get("Enabled", True) and row.get("Realm") and not row.get("UseAuthServer")
    )


def judge_bearer(
    token: str, *, worker: WorkerProcess, host: str, at: datetime, accounts: Accounts
) -> Accepted | Refused:
    """Whether `worker` takes a bearer token that came with a request to `host`, by the table above."""
    outer = _Jwt.parse(token)
    if outer is None:
        return _UNREADABLE
    actor = outer
    if outer.header.get("alg") == "none":
        inner = _Jwt.parse(str(outer.claims.get("actortoken", "")))
        if inner is None:
            return _UNREADABLE
        actor = inner
    refused = _check_target(actor, worker, host)
    if refused is not None:
        return refused
    application = _partner(actor, worker)
    if application is None:
        return Refused(2000006, f"The token issuer '{actor.claims.get('iss', '')}' is not trusted.", "invalid_issuer")
    if not _is_signed(actor, application):
        return Refused(2000002, "The token has an invalid signature.", "invalid_signature")
    if not all(_is_current(part, at) for part in {id(outer): outer, id(actor): actor}.values()):
        return Refused(2000007, "The token is outside its lifetime.", "invalid_lifetime")
    user: str | None = None
    if outer is not actor:
        if outer.claims.get("iss") != actor.claims.get("nameid") or outer.claims.get("aud") != actor.claims.get("aud"):
            return Refused(2000001, "The actor token does not belong to the asserted user.", "invalid_token")
        user = str(outer.claims.get("nameid", ""))
    return _check_accounts(application, user, accounts)


@dataclass(frozen=True)
class _Jwt:
    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> _Jwt | None:
        try:
            decoded = jwt.decode_complete(text, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return None
        return cls(text, decoded["header"], decoded["payload"])


_UNREADABLE = Refused(2000001, "OAuth token submitted with the request can not be parsed.", "invalid_token")


def _lifetime(at: datetime, lifetime_s: int) -> dict[str, int]:
    return {"nbf": int(at.timestamp()), "exp": int(at.timestamp()) + lifetime_s}


def _check_target(actor: _Jwt, worker: WorkerProcess, host: str) -> Refused | None:
    claim = str(actor.claims.get("aud", ""))
    audience = Audience.parse(claim)
    if audience is None or audience.application.lower() != EXCHANGE_APP:
        return Refused(2000003, f"The audience claim value is invalid '{claim}'.", "invalid_resource")
    if audience.host.lower() != host.lower():
        reason = (
            "The hostname component of the audience claim value is invalid. "
            f"Expected 'https://{host}'. Actual 'https://{audience.host}'."
        )
        return Refused(2000003, reason, "invalid_resource")
    known = {*worker.accepted_domains, str(worker.auth_config.get("Realm") or "")}
    if audience.realm.lower() not in {realm.lower() for realm in known if realm}:
        return Refused(2000004, f"The tenant for tenant guid '{audience.realm}' does not exist.", "invalid_tenant")
    return None


def _partner(actor: _Jwt, worker: WorkerProcess) -> Mapping[str, Any] | None:
    name, _, realm = str(actor.claims.get("iss", "")).rpartition("@")
    for row in worker.partner_applications:
        if not row.get("Enabled", True) or row.get("UseAuthServer"):
            continue
        if (str(row["ApplicationIdentifier"]).lower(), str(row.get("Realm")).lower()) == (name.lower(), realm.lower()):
            return row
    return None


def _is_signed(actor: _Jwt, application: Mapping[str, Any]) -> bool:
    for text in application.get("CertificateStrings") or ():
        try:
            der = base64.b64decode(text)
            key = x509.load_der_x509_certificate(der).public_key()
        except (binascii.Error, ValueError):
            continue
        if actor.header.get("x5t", x5t(der)) != x5t(der):
            continue
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MINIMUM_KEY:
            continue
        try:
            jwt.PyJWS().decode(actor.text, key, algorithms=["RS256"])
        except jwt.InvalidTokenError:
            continue
        return True
    return False


def _is_current(part: _Jwt, at: datetime) -> bool:
    try:
        starts, ends = float(part.claims["nbf"]), float(part.claims["exp"])
    except (KeyError, TypeError, ValueError):
        return False
    now, skew = at.timestamp(), SKEW.total_seconds()
    return starts - skew <= now <= ends + skew


def _check_accounts(application: Mapping[str, Any], user: str | None, accounts: Accounts) -> Accepted | Refused:
    linked = str(application.get("LinkedAccount") or "")
    if not linked or not accounts.roles(linked):
        reason = (
            "The application is missing a linked account for RBAC roles, or the linked account has no RBAC role "
            "assignments, or the calling users account is logon disabled."
        )
        return Refused(2000009, reason, "invalid_app_account")
    if user is not None and not accounts.has_mailbox(user):
        return Refused(2000005, "The user specified by the user-context in the token does not exist.", "invalid_user")
    return Accepted(str(application["ApplicationIdentifier"]), str(application["Realm"]), user)
