"""The estate as it is delivered: which servers, accounts and objects there are before anybody has done anything."""

from __future__ import annotations

import base64
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from s2slab.estate import iis
from s2slab.estate.clock import LabClock
from s2slab.estate.delivered import seed_directory, seed_store
from s2slab.estate.directory import Directory
from s2slab.estate.disk import text_file
from s2slab.estate.estate import Account, Estate, LyncUser, Mailbox, Server
from s2slab.estate.files import exchange_files
from s2slab.estate.pki import Authority, KeyPair
from s2slab.estate.store import ConfigurationStore, Item
from s2slab.web import contacts

Product = Literal["2013", "2015", "2016", "2019", "SE"]
AUTH_CERTIFICATE = "Microsoft Exchange Server Auth Certificate"
LYNC_SERVICES = ("RtcSrv", "RTCDATAMCU", "REPLICA", "FTA", "LYNCBACKUP", "RTCCLSAGT")
EXCHANGE_SERVICES = ("MSExchangeServiceHost", "MSExchangeADTopology", "MSExchangeIS", "MSExchangeTransport")


@dataclass(frozen=True)
class Scenario:
    """Starting conditions. The defaults are what the runbook finds on an estate that is ready for the change.

    `ucs_allowed` False stands for "already staged by the operator": a real product ships with True. Lags are seconds of
    lab time. `accepted_domains` names the default first; one that begins with `*.` is a wildcard.
    """

    lync_product: Product = "2013"
    exchange_product: Product = "2013"
    lync_certificate_assigned: bool = False
    lync_realm: str = ""
    sip_domains: tuple[str, ...] = ("litwareinc.com",)
    exchange_autodiscover_url: str = ""
    ucs_allowed: bool = False
    exchange_realm: str = ""
    accepted_domains: tuple[str, ...] = ("litwareinc.com",)
    auth_certificate_days: int = 1800
    auth_certificate_age_days: int = 30
    auth_certificate_bits: int = 2048
    default_certificate_bits: int = 2048
    directory_lag_s: float = 20.0
    store_lag_s: float = 60.0
    store_report_s: float = 60.0
    language_mode: str = "FullLanguage"


def build_estate(
    *, seed: int = 1, clock: LabClock | None = None, log_path: Path | None = None, scenario: Scenario | None = None
) -> Estate:
    """A fresh estate in the state that `scenario` describes. Everything but keys and passwords follows from `seed`."""
    wanted = scenario or Scenario()
    estate = Estate(seed=seed, clock=clock, log_path=log_path)
    estate.lync_product, estate.exchange_product = wanted.lync_product, wanted.exchange_product
    estate.authority = Authority()
    pairs = _key_pairs(estate, wanted)
    _servers(estate, wanted, pairs)
    controllers = tuple(s.fqdn for s in estate.servers.values() if s.has_role("DomainController"))
    estate.directory = Directory(estate, controllers, wanted.directory_lag_s)
    replicas = tuple(s.fqdn for s in estate.front_ends())
    estate.cms = ConfigurationStore(estate, replicas, wanted.store_lag_s, wanted.store_report_s)
    estate.cms.on_arrival = lambda replica, key, item: _deploy(estate, replica, key, item)
    auth = pairs["auth"]
    seed_directory(
        estate, accepted_domains=wanted.accepted_domains, auth_thumbprint=auth.thumbprint, realm=wanted.exchange_realm
    )
    seed_store(
        estate,
        sip_domains=wanted.sip_domains,
        realm=wanted.lync_realm,
        autodiscover_url=wanted.exchange_autodiscover_url,
        ucs_allowed=wanted.ucs_allowed,
    )
    _people(estate)
    if wanted.lync_certificate_assigned:
        _assign(estate, pairs["fe-001"])
    for server in estate.servers.values():
        if iis.pools_of(server):
            iis.deliver(estate, server)
    contacts.watch(estate)
    return estate


def _key_pairs(estate: Estate, wanted: Scenario) -> dict[str, KeyPair]:
    """Every key of the delivered estate; making them is what takes time, so two at once."""
    domain, ca = estate.domain, estate.authority
    pool = estate.pool_fqdn
    lync_names = [f"{name}.{domain}" for name in ("sip", "lyncdiscoverinternal", "meet", "dialin")]
    exchange_names = [f"{name}.{domain}" for name in ("autodiscover", "mail")]
    infrastructure = [f"{name}.{domain}" for name in ("atl-dc-002", "atl-sql-001")]
    born = estate.now() - timedelta(days=wanted.auth_certificate_age_days)
    bits = wanted.default_certificate_bits

    def front_end(number: str) -> KeyPair:
        names = [f"atl-fe-{number}.{domain}", *lync_names]
        return ca.issue(pool, names=names, key_size=bits, friendly_name="Lync Server default certificate")

    def exchange(number: str) -> KeyPair:
        name = f"atl-exchange-{number}.{domain}"
        return ca.issue(name, names=exchange_names, friendly_name="Microsoft Exchange")

    with ThreadPoolExecutor(2) as workers:
        futures = {
            "fe-001": workers.submit(front_end, "001"),
            "fe-002": workers.submit(front_end, "002"),
            "exchange-001": workers.submit(exchange, "001"),
            "exchange-002": workers.submit(exchange, "002"),
            "auth": workers.submit(
                ca.self_signed,
                AUTH_CERTIFICATE,
                days=wanted.auth_certificate_days,
                key_size=wanted.auth_certificate_bits,
                not_before=born,
            ),
            "infrastructure": workers.submit(ca.issue, f"atl-dc-001.{domain}", names=infrastructure),
        }
        pairs = {name: future.result() for name, future in futures.items()}
    for name in ("auth", "fe-001", "fe-002"):
        estate.key_pairs[pairs[name].thumbprint] = pairs[name]
    return pairs


def _servers(estate: Estate, wanted: Scenario, pairs: dict[str, KeyPair]) -> None:
    domain = estate.domain
    auth = pairs["auth"]
    separate = wanted.exchange_product == "2013"  # later versions have no server without the Mailbox role
    for name, roles, pair, site in (
        ("atl-dc-001", ("DomainController",), "infrastructure", "Atlanta-1"),
        ("atl-dc-002", ("DomainController",), "infrastructure", "Atlanta-2"),
        ("atl-sql-001", ("Database",), "infrastructure", "Atlanta-1"),
        ("atl-fe-001", ("FrontEnd",), "fe-001", "Atlanta-1"),
        ("atl-fe-002", ("FrontEnd",), "fe-002", "Atlanta-1"),
        ("atl-exchange-001", ("Mailbox",) if separate else ("Mailbox", "ClientAccess"), "exchange-001", "Atlanta-1"),
        (
            "atl-exchange-002",
            ("ClientAccess",) if separate else ("Mailbox", "ClientAccess"),
            "exchange-002",
            "Atlanta-2",
        ),
    ):
        server = Server(name, f"{name}.{domain}", roles, pairs[pair], site=site, language_mode=wanted.language_mode)
        server.certificates[server.tls.thumbprint] = server.tls
        server.domain_controller = f"atl-dc-00{site[-1]}.{domain}"
        server.trusted_roots = (estate.authority.certificate_pem,)
        server.services = {"WinRM": "Running"}
        if server.has_role("FrontEnd"):
            server.services |= dict.fromkeys(LYNC_SERVICES, "Running")
            uses = ("Default", "WebServicesInternal", "WebServicesExternal")
            server.default_certificates = dict.fromkeys(uses, server.tls.thumbprint)
        if server.is_exchange:
            server.certificates[auth.thumbprint] = auth
            server.services |= dict.fromkeys(EXCHANGE_SERVICES, "Running")
            server.components = dict.fromkeys(_components(server), "Active")
            server.files |= {path: text_file(text) for path, text in exchange_files().items()}
        estate.servers[server.fqdn] = server
    client_access = f"atl-exchange-002.{domain}"
    estate.names |= {f"autodiscover.{domain}": client_access, f"mail.{domain}": client_access}


def _components(server: Server) -> tuple[str, ...]:
    front = (
        ("AutoDiscoverProxy", "EwsProxy", "OwaProxy", "EcpProxy", "RpsProxy") if server.has_role("ClientAccess") else ()
    )
    return ("ServerWideOffline", "HubTransport", "Monitoring", "RecoveryActionsEnabled", "HighAvailability", *front)


def _people(estate: Estate) -> None:
    domain, front_ends = estate.domain, tuple(s.fqdn for s in estate.front_ends())
    exchange = tuple(s.fqdn for s in estate.exchange_servers())
    lync_groups = (
        "RTCUniversalServerAdmins",
        "RTCUniversalUserAdmins",
        "RTCUniversalReadOnlyAdmins",
        "CsAdministrator",
    )
    for account in (
        Account("s2s-lync", _password(), lync_groups, front_ends, ("RTC Local User Administrators",)),
        Account("s2s-exchange", _password(), ("Organization Management",), exchange),
        Account(
            "s2s-readonly",
            _password(),
            ("View-Only Organization Management", "RTCUniversalReadOnlyAdmins", "CsViewOnlyAdministrator"),
            (*front_ends, *exchange),
        ),
    ):
        estate.accounts[account.name] = account
    address = f"kenmyer@{domain}"
    sid = (
        f"S-1-5-21-{estate.random.getrandbits(30)}-{estate.random.getrandbits(30)}-{estate.random.getrandbits(30)}-1141"
    )
    mailbox_server = estate.server("atl-exchange-001").fqdn
    estate.mailboxes[address] = Mailbox(address, mailbox_server, address, sid)
    for name in ("kenmyer", "lobby"):  # the second is a common area phone: no mailbox
        sip = f"sip:{name}@{domain}"
        estate.users[sip] = LyncUser(name, sip, f"{name}@{domain}", estate.pool_fqdn)
        kind = "UserMailbox" if f"{name}@{domain}" in estate.mailboxes else "User"
        estate.directory.seed(
            f"Recipient/{name}",
            {
                "Name": name,
                "RecipientType": kind,
                "PrimarySmtpAddress": f"{name}@{domain}" if kind == "UserMailbox" else "",
                "UserPrincipalName": f"{name}@{domain}",
                "SamAccountName": name,
                "HiddenFromAddressListsEnabled": False,
            },
        )


def _password() -> str:
    """A throwaway password for one run of the lab."""
    return f"Lab-{secrets.token_urlsafe(15)}-1a"


def _assign(estate: Estate, pair: KeyPair) -> None:
    since = estate.now() - timedelta(days=20)
    item = {"Thumbprint": pair.thumbprint, "EffectiveDate": since, "PreviousThumbprint": ""}
    estate.cms.seed("OAuthTokenIssuer", item)
    for server in estate.front_ends():
        server.certificates[pair.thumbprint] = pair


def _deploy(estate: Estate, replica: str, key: str, item: Item | None) -> None:
    """What the scheduled task of a front end does when its replica names another OAuth certificate: store the key."""
    if key != "OAuthTokenIssuer" or item is None:
        return
    server = estate.servers[replica]
    for thumbprint in (str(item.get("Thumbprint") or ""), str(item.get("PreviousThumbprint") or "")):
        pair = estate.key_pairs.get(thumbprint)
        if pair is not None and thumbprint not in server.certificates:
            server.certificates[thumbprint] = pair
            with estate.reacting():
                estate.record("configuration", f"certificate@{replica}:{thumbprint}", None, pair.subject)


def encoded(pair: KeyPair) -> str:
    """A certificate as `CertificateStrings` carries it: base64 of its DER."""
    return base64.b64encode(pair.der).decode("ascii")
