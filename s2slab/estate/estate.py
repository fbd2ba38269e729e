"""The simulated estate: servers, accounts, names and the stores they share, behind one lock and with one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from s2slab.estate.clock import LabClock
from s2slab.estate.directory import Directory
from s2slab.estate.disk import StoredFile
from s2slab.estate.pki import Authority, KeyPair
from s2slab.estate.store import ConfigurationStore
from s2slab.estate.world import World

__all__ = [
    "EXCHANGE_APP",
    "LYNC_APP",
    "Account",
    "ConfigurationStore",
    "Directory",
    "Estate",
    "Iis",
    "LyncUser",
    "Mailbox",
    "Server",
    "WorkerProcess",
]

EXCHANGE_APP = "00000002-0000-0ff1-ce00-000000000000"
LYNC_APP = "00000004-0000-0ff1-ce00-000000000000"


@dataclass(frozen=True)
class Account:
    """A directory account that can log on. `groups` are names as `whoami /groups` prints them."""

    name: str  # sAMAccountName, lower case
    password: str = field(repr=False)
    groups: tuple[str, ...]  # domain groups and Exchange role groups, without the domain
    local_admin_on: tuple[str, ...]  # FQDNs
    local_groups: tuple[str, ...] = ()  # groups local to every server that has them, e.g. RTC Local User Administrators

    def may_administer(self, fqdn: str) -> bool:
        return fqdn in self.local_admin_on

    def is_in(self, *groups: str) -> bool:
        """Whether the account is a member of any of these groups."""
        held = {name.lower() for name in (*self.groups, *self.local_groups)}
        return any(name.lower() in held for name in groups)


@dataclass
class WorkerProcess:
    """A w3wp.exe: what it loaded from the directory when it started is what it knows until it is recycled."""

    pool: str
    pid: int
    started: datetime
    partner_applications: tuple[Mapping[str, Any], ...] = ()
    auth_config: Mapping[str, Any] = field(default_factory=dict)
    accepted_domains: tuple[str, ...] = ()


@dataclass
class Iis:
    """Internet Information Services of one server."""

    services: dict[str, str]  # W3SVC, WAS, IISADMIN -> Running|Stopped
    pools: dict[str, str]  # application pool -> Started|Stopped
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    generation: int = 0  # counts restarts: sessions opened through an older one are gone

    @property
    def running(self) -> bool:
        return self.services.get("W3SVC") == "Running" and self.services.get("WAS") == "Running"


@dataclass
class Mailbox:
    """A mailbox and the folders the probes write to."""

    address: str  # primary SMTP
    server: str  # FQDN of its mailbox server
    upn: str
    sid: str
    folders: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"ConversationHistory": [], "Inbox": []})


@dataclass
class LyncUser:
    """A user enabled for Lync."""

    name: str  # display name and alias
    sip_address: str  # sip:...
    upn: str
    pool: str
    user_services_policy: str | None = None  # None: the global one
    exchange_archiving_policy: str = "Uninitialized"
    contacts_in_exchange: bool = False  # the unified contact store holds the contact list
    contacts_rolled_back: datetime | None = None


@dataclass
class Server:
    """One Windows server. The PowerShell-facing side (Machine) is `machine.LabMachine`."""

    name: str
    fqdn: str
    roles: tuple[str, ...]  # FrontEnd | Mailbox | ClientAccess | DomainController | Database
    tls: KeyPair
    certificates: dict[str, KeyPair] = field(default_factory=dict)  # LocalMachine\My, by thumbprint
    iis: Iis | None = None
    services: dict[str, str] = field(default_factory=dict)  # other Windows services -> Running|Stopped
    domain_controller: str = ""  # FQDN of the one this server's site uses
    site: str = ""
    files: dict[str, StoredFile] = field(default_factory=dict)  # by path, spelled as on disk
    folders: list[str] = field(default_factory=list)  # those that were made; folders of files are there anyway
    trusted_roots: tuple[bytes, ...] = ()  # root certificates (PEM) its TLS clients trust
    components: dict[str, str] = field(default_factory=dict)  # Exchange component -> Active|Inactive
    default_certificates: dict[str, str] = field(default_factory=dict)  # Lync use (Default, ...) -> thumbprint
    language_mode: str = "FullLanguage"
    clock_skew_s: float = 0.0
    reachable: bool = True
    named_pipes_refuse_network: bool = False  # WCF named pipes deny a network logon (storage test)
    iis_restart_fails: bool = False  # the next restart stops the services and does not bring them back

    def has_role(self, role: str) -> bool:
        return role in self.roles

    @property
    def is_exchange(self) -> bool:
        return self.has_role("Mailbox") or self.has_role("ClientAccess")


class Estate(World):
    """Everything there is."""

    def __init__(self, *, seed: int = 1, clock: LabClock | None = None, log_path: Path | None = None) -> None:
        super().__init__(seed=seed, clock=clock, log_path=log_path)
        self.domain = "litwareinc.com"
        self.netbios = "LITWAREINC"
        self.lync_product = "2013"  # 2013 | 2015 | 2019 | SE
        self.exchange_product = "2013"  # 2013 | 2016 | 2019 | SE
        self.pool_fqdn = "atl-cs-001.litwareinc.com"
        self.database_fqdn = "atl-sql-001.litwareinc.com"  # holds the CMS
        self.authority: Authority
        self.servers: dict[str, Server] = {}  # by FQDN
        self.names: dict[str, str] = {}  # DNS: alias -> FQDN of the server that answers
        self.accounts: dict[str, Account] = {}  # by lower-case name
        self.key_pairs: dict[str, KeyPair] = {}  # every signing key pair that the stores may name, by thumbprint
        self.directory: Directory
        self.cms: ConfigurationStore
        self.mailboxes: dict[str, Mailbox] = {}  # by primary SMTP address
        self.users: dict[str, LyncUser] = {}  # by SIP address, lower case

    def server(self, name: str) -> Server:
        """A server by FQDN, alias or short name (case-insensitive); KeyError when there is none."""
        key = name.lower().rstrip(".")
        key = self.names.get(key, key)
        if key in self.servers:
            return self.servers[key]
        return self.servers[f"{key}.{self.domain}"]

    def front_ends(self) -> list[Server]:
        return [s for s in self.servers.values() if s.has_role("FrontEnd")]

    def exchange_servers(self) -> list[Server]:
        return [s for s in self.servers.values() if s.is_exchange]

    def signing_key(self, front_end: Server) -> KeyPair | None:
        """The key pair with which a front end signs now, by its own replica; None while none is in effect there."""
        thumbprint = signing_thumbprint(self.cms.read("OAuthTokenIssuer", replica=front_end.fqdn), self.now())
        return front_end.certificates.get(thumbprint)

    def lync_realm(self, *, replica: str | None = None) -> str:
        """Lync's realm: the one configured, else the default SIP domain."""
        configured = (self.cms.read("OAuthConfiguration", replica=replica) or {}).get("Realm")
        domains = self.cms.list("SipDomain", replica=replica)
        return str(configured or next((row["Name"] for row in domains if row["IsDefault"]), ""))

    def roles(self, linked_account: str) -> tuple[str, ...] | None:
        """The management roles assigned to a linked account (canonical name or name); None when it does not exist."""
        name = linked_account.rsplit("/", 1)[-1]
        dc = self.directory.controllers[0]
        if self.directory.read(f"Recipient/{name}", dc=dc) is None:
            return None
        rows = self.directory.list("RoleAssignment", dc=dc)
        return tuple(row["Role"] for row in rows if str(row["RoleAssigneeName"]).lower() == name.lower())

    def mailbox(self, user: str) -> Mailbox | None:
        """The mailbox of a user named by primary SMTP address, UPN or SID; None when there is none."""
        low = user.lower()
        return next((box for box in self.mailboxes.values() if low in _names(box)), None)

    def has_mailbox(self, user: str) -> bool:
        """Whether the user, named as for `mailbox`, has one."""
        return self.mailbox(user) is not None


def signing_thumbprint(item: Mapping[str, Any] | None, now: datetime) -> str:
    """The thumbprint in effect of an OAuthTokenIssuer item: the new one from its effective date on; '' when none is."""
    if not item:
        return ""
    effective = item.get("EffectiveDate")
    if item.get("PreviousThumbprint") and isinstance(effective, datetime) and effective > now:
        return str(item["PreviousThumbprint"])
    return str(item.get("Thumbprint") or "")


def _names(box: Mailbox) -> tuple[str, str, str]:
    return box.address.lower(), box.upn.lower(), box.sid.lower()
