"""The deployment: the pair of estates that the operator declares in one params file, and what follows from it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from s2slib.deployment.accounts import Account, Credentials
from s2slib.deployment.exchange import Exchange
from s2slib.deployment.lync import Lync, Pool
from s2slib.deployment.network import DEFAULT_PORTS, Endpoint, Network, SecondHop, Transport
from s2slib.deployment.policy import Policy, Setting
from s2slib.deployment.problems import did_you_mean
from s2slib.deployment.values import DeploymentName, Fqdn, Rows, Section, SipUri

Product = Literal["lync", "exchange"]
SCRIPT = "Configure-EnterprisePartnerApplication.ps1"


class TestUser(Section):
    """A user for Test-CsExStorageConnectivity, which writes an item to the mailbox and deletes it again."""

    __test__ = False  # no test class, whatever its name says to pytest

    sip_uri: SipUri = Field(description="SIP address of a user with a mailbox.")
    pool: Fqdn | None = Field(
        default=None, description="The pool whose front ends test with this user. null: every pool."
    )


@dataclass(frozen=True)
class Server:
    """One declared server. `roles`: FrontEnd, or Mailbox and ClientAccess. `pool` is None for Exchange."""

    fqdn: str
    product: Product
    roles: tuple[str, ...]
    pool: str | None = None
    excluded_reason: str | None = None

    @property
    def is_excluded(self) -> bool:
        """Whether the operator left it out by name."""
        return self.excluded_reason is not None


@dataclass(frozen=True)
class WinRmEndpoint:
    """How a server is reached, with every default filled in."""

    url: str
    transport: Transport
    second_hop: SecondHop

    @property
    def is_https(self) -> bool:
        """Whether TLS protects the connection (else message encryption does)."""
        return self.url.startswith("https://")


class Deployment(Section):
    """A declared pair of estates: one Lync or Skype for Business side, one Exchange side, and how to work on them."""

    deployment: DeploymentName = Field(description="Name of the deployment and of its params file.")
    lync: Lync = Field(description="The Lync Server or Skype for Business Server side.")
    exchange: Exchange = Field(description="The Exchange Server side.")
    network: Network = Field(default=Network(), description="How this machine reaches the servers.")
    credentials: Credentials = Field(default=Credentials(), description="Who to be on the servers, by reference.")
    policy: Policy = Field(default=Policy(), description="What a run may do and who has to agree.")
    test_users: Rows[TestUser] = Field(
        default=(), description="Users for the storage test. Without one the test is not run."
    )

    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _placed(self, info: ValidationInfo) -> Deployment:
        if isinstance(info.context, dict) and isinstance(info.context.get("folder"), Path):
            self._folder = info.context["folder"]
        return self

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the declaration start from: that of the params file."""
        return self._folder

    def servers(self, product: Product | None = None) -> tuple[Server, ...]:
        """Every declared server (of one product), Lync's first, in the order of the file; the excluded ones too."""
        lync_out = {entry.server: entry.reason for entry in self.lync.excluded}
        exchange_out = {entry.server: entry.reason for entry in self.exchange.excluded}
        lync = (
            Server(name, "lync", ("FrontEnd",), pool.fqdn, lync_out.get(name))
            for pool in self.lync.pools
            for name in pool.front_ends
        )
        exchange = (
            Server(server.fqdn, "exchange", tuple(server.roles), None, exchange_out.get(server.fqdn))
            for server in self.exchange.servers
        )
        return tuple(server for server in (*lync, *exchange) if product in (None, server.product))

    def active_servers(self, product: Product | None = None) -> tuple[Server, ...]:
        """The declared servers (of one product) that are not excluded."""
        return tuple(server for server in self.servers(product) if not server.is_excluded)

    def reached_servers(self) -> tuple[Server, ...]:
        """The servers that this operator logs on to: not excluded, and on the side that `policy.scope` names."""
        return tuple(server for server in self.active_servers() if self.policy.scope in ("both", server.product))

    def server(self, name: str) -> Server:
        """The declared server of that name, case aside; LookupError with the nearest name if there is none."""
        found = self._by_name.get(name.lower())
        if found is None:
            near = did_you_mean(name, self._by_name)
            raise LookupError(f"{name!r} is not a declared server" + (f"; {near}" if near else ""))
        return found

    @cached_property
    def _by_name(self) -> dict[str, Server]:
        return {server.fqdn: server for server in self.servers()}

    @cached_property
    def _pools(self) -> dict[str, Pool]:
        return {pool.fqdn: pool for pool in reversed(self.lync.pools)}

    @cached_property
    def _urls(self) -> dict[str, str]:
        return {entry.server: entry.url for entry in self.network.winrm_urls}

    @cached_property
    def _accounts(self) -> dict[str, Account]:
        entries = reversed(self.credentials.servers)
        return {entry.server: Account(reference=entry.reference, user=entry.user) for entry in entries}

    def pool(self, server: str) -> Pool:
        """The pool that a front end belongs to; LookupError for any other name."""
        name = self.server(server).pool
        if name is None or name not in self._pools:
            raise LookupError(f"{server!r} is not a front end")
        return self._pools[name]

    def endpoint(self, server: str) -> WinRmEndpoint:
        """How to reach a declared server: winrm_urls, its product's endpoint, network.endpoint, defaults."""
        found = self.server(server)
        own = self.lync.endpoint if found.product == "lync" else self.exchange.endpoint
        common = self.network.endpoint
        scheme = own.scheme or common.scheme or "https"
        port = own.port or _port(common, scheme)
        return WinRmEndpoint(
            url=self._urls.get(found.fqdn, f"{scheme}://{found.fqdn}:{port}/wsman"),
            transport=own.transport or common.transport or "kerberos",
            second_hop=own.second_hop or common.second_hop or "explicit",
        )

    def account(self, server: str) -> Account:
        """The credential (user and reference) for a declared server: its own, else its product's."""
        found = self.server(server)
        common = self.credentials.lync if found.product == "lync" else self.credentials.exchange
        return self._accounts.get(found.fqdn, common)

    def powershell_uri(self, server: str) -> str:
        """The product's PowerShell endpoint for a declared server."""
        found = self.server(server)
        if found.product == "lync":
            return self.lync.powershell_uri or f"https://{found.fqdn}/OcsPowershell"
        return self.exchange.powershell_uri or f"http://{found.fqdn}/PowerShell/"

    @property
    def lync_metadata_url(self) -> str:
        """The document that makes Lync a partner application of Exchange."""
        return self.lync.metadata_url or f"https://{self.lync.pools[0].web_host}/metadata/json/1"

    def lync_metadata_url_of(self, server: str) -> str:
        """The same document, as one front end serves it."""
        return f"https://{self.server(server).fqdn}/metadata/json/1"

    @property
    def autodiscover_host(self) -> str:
        """The host of Exchange's Autodiscover service."""
        return self.exchange.autodiscover_host or f"autodiscover.{self.exchange.accepted_domain}"

    @property
    def exchange_metadata_url(self) -> str:
        """The document that makes Exchange a partner application of Lync."""
        return self.exchange.metadata_url or f"https://{self.autodiscover_host}/autodiscover/metadata/json/1"

    def exchange_metadata_url_of(self, server: str) -> str:
        """The same document, as one Exchange server serves it."""
        return f"https://{self.server(server).fqdn}/autodiscover/metadata/json/1"

    @property
    def autodiscover_svc_url(self) -> str:
        """The ExchangeAutodiscoverUrl for Lync."""
        return self.exchange.autodiscover_url or f"https://{self.autodiscover_host}/autodiscover/autodiscover.svc"

    @property
    def partner_script(self) -> str:
        """The full path of Configure-EnterprisePartnerApplication.ps1 on an Exchange server."""
        return f"{self.exchange.scripts_path.rstrip(chr(92))}\\{SCRIPT}"

    @property
    def lync_realm(self) -> str:
        """The realm that Lync is expected to use: the declared one, else the default SIP domain."""
        return self.lync.realm or self.lync.default_sip_domain

    @property
    def exchange_realm(self) -> str:
        """The realm that Exchange is expected to use: the declared one, else the default accepted domain."""
        return self.exchange.realm or self.exchange.accepted_domain

    def sip_uris_for(self, front_end: str) -> tuple[str, ...]:
        """The test users that a front end tests with: those of its pool and those of every pool."""
        pool = self.pool(front_end).fqdn
        return tuple(user.sip_uri for user in self.test_users if user.pool in (None, pool))

    def override_reason(self, setting: Setting, existing: str) -> str | None:
        """Why this existing value of a setting may be replaced; None if it may not. Compared without case."""
        for entry in self.policy.overrides:
            if entry.setting == setting and entry.existing.casefold() == existing.casefold():
                return entry.reason
        return None

    def fingerprint(self) -> str:
        """SHA-256 (hex) of what a plan depends on: the estates, the policy and the test users.

        How they are reached (network, credentials, endpoints, PowerShell URIs) does not count: another jump host or
        account may carry out the same plan. Canonical: keys sorted, NFC, no defaults left out.
        """
        document = self.model_dump(mode="json", exclude={"network": True, "credentials": True})
        for section in ("lync", "exchange"):
            del document[section]["endpoint"], document[section]["powershell_uri"]
        return _digest(document)

    def reach_fingerprint(self) -> str:
        """SHA-256 (hex) of how the servers are reached and as whom: the network but its timeouts, endpoints, references to
        credentials. Where a plan is approved, this is approved with it."""
        reach = {"endpoint", "powershell_uri"}
        document = self.model_dump(
            mode="json", include={"network": True, "credentials": True, "lync": reach, "exchange": reach}
        )
        del document["network"]["timeouts_s"]
        return _digest(document)

    def to_yaml(self) -> str:
        """The whole declaration, defaults included, as a params file that loads to an equal deployment."""
        return yaml.safe_dump(self.parameters(), sort_keys=False, allow_unicode=True, width=120)

    def parameters(self) -> dict[str, object]:
        """The declaration as plain values: what stock papermill would hand to a notebook."""
        return self.model_dump(mode="json")


def _digest(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(unicodedata.normalize("NFC", text).encode("utf-8")).hexdigest()


def _port(common: Endpoint, scheme: str) -> int:
    """The common port counts only for the scheme it was declared for."""
    if common.port and scheme == (common.scheme or "https"):
        return common.port
    return DEFAULT_PORTS[scheme]


PARAMETERS: tuple[str, ...] = tuple(Deployment.model_fields)
"""The top-level keys of a params file, in order: the names of the notebooks' parameters."""
