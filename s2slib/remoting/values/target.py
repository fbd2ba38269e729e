"""Where commands go: a server, how to get in, and from there to the products' endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

Transport: TypeAlias = Literal["basic", "ntlm", "kerberos", "credssp", "certificate"]
SecondHop: TypeAlias = Literal["explicit", "credssp", "delegation"]


class Secret(Protocol):
    """Hides a text and gives it up on request."""

    def reveal(self) -> str: ...


class Credential(Protocol):
    """Who to be, and what proves it. `secret` is None where the logon or a ticket proves it."""

    @property
    def user(self) -> str | None: ...
    @property
    def secret(self) -> Secret | None: ...


@dataclass(frozen=True)
class Endpoint:
    """A product's remote PowerShell endpoint, as the server reaches it (`New-PSSession`).

    Exactly one of `uri` and `computer` is given. `authentication` is New-PSSession's (`Kerberos`, `Negotiate`, ...).
    """

    uri: str | None = None
    computer: str | None = None
    configuration: str = "Microsoft.PowerShell"
    authentication: str = "Kerberos"
    credential: Credential | None = None

    def __post_init__(self) -> None:
        if (self.uri is None) == (self.computer is None):
            raise ValueError("an endpoint has either a uri or a computer")


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `operation_s` is WS-Management's own limit of one call; `load_s` covers start, modules and endpoints."""

    connect_s: float = 10.0
    operation_s: int = 20
    load_s: float = 120.0
    grace_s: float = 10.0  # after a command's deadline, for the server's own report that it stopped


@dataclass(frozen=True)
class Limits:
    """How much one command may put out before it is stopped, and its answer cut and marked."""

    objects: int = 10_000
    characters: int = 4_000_000  # of all texts together


@dataclass(frozen=True)
class Target:
    """One server and one way in. Holds no text of a secret.

    `url` is the whole WS-Management URL, port included. `modules` are the candidates for the local runspace: the first
    that the server has is imported. `second_hop`: `explicit` hands each endpoint a credential, the others rely on the
    logon being delegated. `cert_pem` and `cert_key_pem` serve transport `certificate`.
    """

    server: str
    url: str
    transport: Transport
    user: str | None = None
    secret: Secret | None = field(default=None, repr=False)
    ca_file: Path | None = None
    proxy: str | None = None
    second_hop: SecondHop = "explicit"
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    cert_pem: Path | None = None
    cert_key_pem: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoints", MappingProxyType(dict(self.endpoints)))
