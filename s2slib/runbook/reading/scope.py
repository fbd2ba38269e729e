"""The deployment as the procedure sees it: servers in scope, which ones hold the sessions, URLs, what may be replaced."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from s2slib.deployment import Deployment
from s2slib.deployment.exchange import Exchange
from s2slib.deployment.lync import Lync
from s2slib.deployment.policy import Policy, Setting

EXPORT_FOLDER = r"C:\ProgramData\s2s"
REUSE_DEFAULT = "reuse_default"
EXPORT_FILE = "export.file"  # the name under which a run gives the path of its export


def export_path(run: str) -> str:
    """Where a run keeps the exported configuration, on the front end."""
    return rf"{EXPORT_FOLDER}\{run}.zip"


@dataclass(frozen=True)
class ExchangeHost:
    """An Exchange server in scope. From Exchange 2016 on every Mailbox server is also a Client Access server."""

    fqdn: str
    is_mailbox: bool
    is_client_access: bool


@dataclass(frozen=True)
class Excluded:
    """A server that is left out, by name and with a reason (rule R42)."""

    fqdn: str
    reason: str


@dataclass(frozen=True)
class Scope:
    """Everything the phases ask of a deployment; lower-case FQDNs throughout."""

    deployment: Deployment

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.deployment.deployment

    @property
    def lync(self) -> Lync:
        """The declared Lync side."""
        return self.deployment.lync

    @property
    def exchange(self) -> Exchange:
        """The declared Exchange side."""
        return self.deployment.exchange

    @property
    def policy(self) -> Policy:
        """The declared rules."""
        return self.deployment.policy

    @cached_property
    def excluded(self) -> tuple[Excluded, ...]:
        """Servers left out on either side."""
        rows = (*self.lync.excluded, *self.exchange.excluded)
        return tuple(Excluded(row.server.lower(), row.reason) for row in rows)

    @cached_property
    def front_ends(self) -> tuple[str, ...]:
        """Front ends in scope, in declared order."""
        out = {row.fqdn for row in self.excluded}
        names = (name.lower() for pool in self.lync.pools for name in pool.front_ends)
        return tuple(name for name in names if name not in out)

    @cached_property
    def exchange_servers(self) -> tuple[ExchangeHost, ...]:
        """Exchange servers in scope, in declared order."""
        out = {row.fqdn for row in self.excluded}
        separate = self.exchange.product == "Exchange Server 2013"
        return tuple(
            ExchangeHost(
                server.fqdn.lower(),
                "Mailbox" in server.roles,
                "ClientAccess" in server.roles or (not separate and "Mailbox" in server.roles),
            )
            for server in self.exchange.servers
            if server.fqdn.lower() not in out
        )

    @cached_property
    def all_servers(self) -> tuple[str, ...]:
        """FQDNs of every server in scope, Lync first."""
        return (*self.front_ends, *(server.fqdn for server in self.exchange_servers))

    @cached_property
    def reached(self) -> tuple[str, ...]:
        """FQDNs of the servers that this run logs on to: those of the side that `policy.scope` names."""
        names = {server.fqdn.lower() for server in self.deployment.reached_servers()}
        return tuple(server for server in self.all_servers if server in names)

    @property
    def metadata_reader(self) -> str:
        """The server that fetches every front end's own document: an Exchange server where one is reached."""
        return self.exchange_session_server if self.exchange_session_server in self.reached else self.reached[0]

    @property
    def lync_session_server(self) -> str:
        """The front end through which the Lync side is read and changed."""
        return self.front_ends[0]

    @property
    def exchange_session_server(self) -> str:
        """The Mailbox server through which the organisation is read and changed."""
        return next(
            (server.fqdn for server in self.exchange_servers if server.is_mailbox), self.exchange_servers[0].fqdn
        )

    @property
    def lync_metadata_url(self) -> str:
        """The document Exchange reads."""
        return self.deployment.lync_metadata_url

    @property
    def exchange_metadata_url(self) -> str:
        """The document Lync reads."""
        return self.deployment.exchange_metadata_url

    @property
    def autodiscover_svc_url(self) -> str:
        """The value of ExchangeAutodiscoverUrl."""
        return self.deployment.autodiscover_svc_url

    @property
    def oauth_certificate_thumbprint(self) -> str:
        """The declared certificate: a thumbprint, `reuse_default`, or empty (keep what is assigned)."""
        return self.lync.oauth_certificate.thumbprint or ""

    @property
    def reuses_default_certificate(self) -> bool:
        """Whether the Default certificate is to sign tokens too."""
        return self.oauth_certificate_thumbprint == REUSE_DEFAULT

    @cached_property
    def test_addresses(self) -> tuple[str, ...]:
        """SMTP addresses of the test users: their SIP addresses without the scheme."""
        return tuple(user.sip_uri.removeprefix("sip:").lower() for user in self.deployment.test_users)

    def client_access_command(self, verb: str) -> str:
        """`Get-`/`Set-ClientAccessServer` of Exchange 2013, `...Service` from 2016 on."""
        noun = "ClientAccessServer" if self.exchange.product == "Exchange Server 2013" else "ClientAccessService"
        return f"{verb}-{noun}"

    def may_replace(self, setting: Setting, existing: str) -> bool:
        """Whether the params file allows this existing value of a setting to be replaced (rule R31)."""
        return self.deployment.override_reason(setting, existing) is not None
