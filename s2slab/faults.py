"""What can be made to go wrong in an estate. Each function breaks one thing, without a transition: it was found that way.

Consequences are not set here; they follow from the state when something runs into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from s2slab.cmdlets.exchange.partner import application
from s2slab.estate import iis
from s2slab.estate.delivered import add_accepted_domain
from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, Estate, Server
from s2slab.estate.pki import SOFTWARE_KEY_PROVIDER, KeyPair
from s2slab.scenario import AUTH_CERTIFICATE, encoded

Fault = Callable[[Estate], None]
ONLINE_REALM = "5d9a1f60-4a3b-4e1d-9c46-0d6c8a1b7e55"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"


def lync_realm(estate: Estate, realm: str = "other.example") -> None:
    """Lync's OAuth realm is configured, and is not the default SIP domain."""
    with estate.lock:
        estate.cms.seed("OAuthConfiguration", {**(estate.cms.read("OAuthConfiguration") or {}), "Realm": realm})


def exchange_realm(estate: Estate, realm: str = "other.example") -> None:
    """Exchange's Auth Configuration names a realm of its own."""
    _auth_config(estate, Realm=realm)


def wildcard_accepted_domain(estate: Estate) -> None:
    """The only accepted domain is a wildcard, which satisfies no realm."""
    with estate.lock:
        estate.directory.unseed(f"AcceptedDomain/{estate.domain}")
        add_accepted_domain(estate, f"*.{estate.domain}", default=True)
        _reload(estate)


def accepted_domain_with_friendly_name(estate: Estate, name: str = "Litware mail") -> None:
    """The first accepted domain has a name that is no domain: the script makes an address of it and fails."""
    with estate.lock:
        estate.directory.unseed(f"AcceptedDomain/{estate.domain}")
        add_accepted_domain(estate, estate.domain, name=name, default=True)


def no_accepted_domain(estate: Estate) -> None:
    """There is no accepted domain at all."""
    with estate.lock:
        estate.directory.unseed(f"AcceptedDomain/{estate.domain}")
        _reload(estate)


def store_replication_stopped(estate: Estate, front_end: str = "atl-fe-002") -> None:
    """The replica of one front end no longer follows the Central Management Store."""
    estate.cms.replicating[estate.server(front_end).fqdn] = False


def directory_replication_stopped(estate: Estate) -> None:
    """Writes to one domain controller do not reach the others."""
    estate.directory.replicating = False


def restart_fails(estate: Estate, server: str = "atl-exchange-001") -> None:
    """The next restart of IIS on a server stops the services and does not bring them back; a later start does."""
    estate.server(server).iis_restart_fails = True


def authority_not_trusted(estate: Estate, server: str = "atl-fe-001") -> None:
    """A server does not have the authority's certificate in its root store: TLS from there fails."""
    estate.server(server).trusted_roots = ()


def server_down(estate: Estate, server: str = "atl-exchange-002") -> None:
    """A server does not answer at all."""
    estate.server(server).reachable = False


def clock_skewed(estate: Estate, server: str = "atl-fe-001", seconds: float = 900.0) -> None:
    """A server's clock is off by more than tokens tolerate."""
    estate.server(server).clock_skew_s = seconds


def constrained_language(estate: Estate, server: str = "atl-fe-001") -> None:
    """PowerShell on a server runs in Constrained Language Mode."""
    estate.server(server).language_mode = "ConstrainedLanguage"


def named_pipes_refuse_network(estate: Estate, server: str = "atl-fe-001") -> None:
    """The storage service's named pipe denies network logons, whatever their rights."""
    estate.server(server).named_pipes_refuse_network = True


def user_without_mailbox(estate: Estate, name: str = "kenmyer") -> None:
    """A Lync user has no mailbox."""
    with estate.lock:
        estate.mailboxes.pop(f"{name}@{estate.domain}", None)
        held = estate.directory.read(f"Recipient/{name}", dc=estate.directory.controllers[0]) or {}
        estate.directory.seed(f"Recipient/{name}", {**held, "RecipientType": "User", "PrimarySmtpAddress": ""})


def contact_store_allowed(estate: Estate) -> None:
    """The global user services policy allows the unified contact store, as the product ships."""
    with estate.lock:
        held = estate.cms.read("UserServicesPolicy/Global") or {}
        estate.cms.seed("UserServicesPolicy/Global", {**held, "UcsAllowed": True})


def hybrid_entries(estate: Estate) -> None:
    """Partner applications that belong to a hybrid: none of them is this trust's."""
    with estate.lock:
        for name, app in (("Exchange Online", EXCHANGE_APP), ("Microsoft Graph", GRAPH_APP)):
            row = application(name, ApplicationIdentifier=app, Realm=ONLINE_REALM, UseAuthServer=True)
            estate.directory.seed(f"PartnerApplication/{name}", row)
        # what Skype for Business Online left: the identifier of Lync, no metadata URL
        legacy = application("LegacySfBOnline", ApplicationIdentifier=LYNC_APP, Realm="", UseAuthServer=True)
        estate.directory.seed("PartnerApplication/LegacySfBOnline", legacy)
        online = {
            "Identity": "Microsoft.Exchange",
            "Name": "Microsoft.Exchange",
            "MetadataUrl": "",
            "ApplicationIdentifier": EXCHANGE_APP,
            "Realm": "",
            "ApplicationTrustLevel": "Full",
            "AcceptSecurityIdentifierInformation": False,
            "Enabled": True,
            "UseOAuthServer": True,
            "CertificateStrings": (),
        }
        estate.cms.seed("PartnerApplication/Microsoft.Exchange", online)
        _reload(estate)


def duplicate_partner_applications(estate: Estate) -> None:
    """Two applications of Exchange are Lync's: one by the pool's URL, a stale one by a front end's of another realm."""
    with estate.lock:
        pair = next(iter(estate.front_ends())).tls
        for name, realm, host in (
            ("LyncEnterprise-0123456789abcdef0123456789abcdef", estate.domain, estate.pool_fqdn),
            ("LyncEnterprise-fedcba9876543210fedcba9876543210", "old.example", estate.front_ends()[0].fqdn),
        ):
            row = application(
                name,
                ApplicationIdentifier=LYNC_APP,
                Realm=realm,
                AuthMetadataUrl=f"https://{host}/metadata/json/1",
                CertificateStrings=(encoded(pair),),
                AcceptSecurityIdentifierInformation=True,
            )
            estate.directory.seed(f"PartnerApplication/{name}", row)
        _reload(estate)


def auth_certificate_expired(estate: Estate) -> None:
    """Exchange's auth certificate ran out ten days ago."""
    born = estate.now() - timedelta(days=1810)
    _replace_auth_certificate(estate, estate.authority.self_signed(AUTH_CERTIFICATE, days=1800, not_before=born))


def auth_certificate_expiring(estate: Estate, days: int = 20) -> None:
    """Exchange's auth certificate runs out soon."""
    born = estate.now() - timedelta(days=1800 - days)
    _replace_auth_certificate(estate, estate.authority.self_signed(AUTH_CERTIFICATE, days=1800, not_before=born))


def auth_certificate_short(estate: Estate) -> None:
    """Exchange's auth certificate has a key of 1,024 bit."""
    _replace_auth_certificate(estate, estate.authority.self_signed(AUTH_CERTIFICATE, key_size=1024))


def auth_certificate_missing(estate: Estate, server: str = "atl-exchange-002") -> None:
    """One Exchange server does not have the current auth certificate."""
    with estate.lock:
        config = estate.directory.read("AuthConfig/Auth Configuration", dc=estate.directory.controllers[0]) or {}
        estate.server(server).certificates.pop(config["CurrentCertificateThumbprint"], None)


def oauth_certificate_short(estate: Estate) -> None:
    """Lync signs with a key of 1,024 bit."""
    _assign_oauth_certificate(estate, estate.authority.issue(estate.pool_fqdn, key_size=1024))


def oauth_certificate_expired(estate: Estate) -> None:
    """Lync's OAuthTokenIssuer certificate ran out ten days ago."""
    born = estate.now() - timedelta(days=740)
    _assign_oauth_certificate(estate, estate.authority.issue(estate.pool_fqdn, days=730, not_before=born))


def default_certificate_not_exportable(estate: Estate) -> None:
    """The private key of Lync's default certificate cannot leave the front end that has it."""
    with estate.lock:
        for server in estate.front_ends():
            _hold_key(server, server.default_certificates["Default"], exportable=False)


def default_certificate_in_cng(estate: Estate) -> None:
    """The private key of Lync's default certificate lies in a CNG key storage provider."""
    with estate.lock:
        for server in estate.front_ends():
            _hold_key(server, server.default_certificates["Default"], provider=SOFTWARE_KEY_PROVIDER)


def auth_certificate_in_cng(estate: Estate) -> None:
    """The private key of Exchange's auth certificate lies in a CNG key storage provider."""
    with estate.lock:
        config = estate.directory.read("AuthConfig/Auth Configuration", dc=estate.directory.controllers[0]) or {}
        for server in estate.exchange_servers():
            _hold_key(server, config["CurrentCertificateThumbprint"], provider=SOFTWARE_KEY_PROVIDER)


def server_in_maintenance(estate: Estate, server: str = "atl-exchange-001") -> None:
    """An administrator took a server out of service before; a restart must leave it so."""
    estate.server(server).components["ServerWideOffline"] = "Inactive"


def named() -> Mapping[str, Fault]:
    """Every fault by its name with blanks for underscores, applied with its defaults."""
    return {
        fault.__name__.replace("_", " "): fault
        for fault in (
            lync_realm,
            exchange_realm,
            wildcard_accepted_domain,
            accepted_domain_with_friendly_name,
            no_accepted_domain,
            store_replication_stopped,
            directory_replication_stopped,
            restart_fails,
            authority_not_trusted,
            server_down,
            clock_skewed,
            constrained_language,
            named_pipes_refuse_network,
            user_without_mailbox,
            contact_store_allowed,
            hybrid_entries,
            duplicate_partner_applications,
            auth_certificate_expired,
            auth_certificate_expiring,
            auth_certificate_short,
            auth_certificate_missing,
            oauth_certificate_short,
            oauth_certificate_expired,
            default_certificate_not_exportable,
            default_certificate_in_cng,
            auth_certificate_in_cng,
            server_in_maintenance,
        )
    }


def _auth_config(estate: Estate, **values: object) -> None:
    with estate.lock:
        held = estate.directory.read("AuthConfig/Auth Configuration", dc=estate.directory.controllers[0]) or {}
        estate.directory.seed("AuthConfig/Auth Configuration", {**held, **values})
        _reload(estate)


def _replace_auth_certificate(estate: Estate, pair: KeyPair) -> None:
    with estate.lock:
        estate.key_pairs[pair.thumbprint] = pair
        for server in estate.exchange_servers():
            server.certificates[pair.thumbprint] = pair
    _auth_config(estate, CurrentCertificateThumbprint=pair.thumbprint)


def _assign_oauth_certificate(estate: Estate, pair: KeyPair) -> None:
    with estate.lock:
        estate.key_pairs[pair.thumbprint] = pair
        item = {"Thumbprint": pair.thumbprint, "EffectiveDate": estate.now(), "PreviousThumbprint": ""}
        estate.cms.seed("OAuthTokenIssuer", item)
        for server in estate.front_ends():
            server.certificates[pair.thumbprint] = pair


def _hold_key(server: Server, thumbprint: str, **properties: Any) -> None:
    """Change how a server's store holds the key of a certificate: `provider`, `exportable`."""
    server.certificates[thumbprint] = replace(server.certificates[thumbprint], **properties)


def _reload(estate: Estate) -> None:
    """The workers of the delivered estate started after its directory was filled."""
    for server in estate.servers.values():
        if server.iis is not None and server.iis.running:
            _deliver_again(estate, server)


def _deliver_again(estate: Estate, server: Server) -> None:
    if server.iis is None:
        return
    kept = {pool: replace(worker) for pool, worker in server.iis.workers.items()}
    server.iis.workers.clear()
    iis.spawn(estate, server)
    for pool, worker in server.iis.workers.items():
        if pool in kept:
            worker.pid, worker.started = kept[pool].pid, kept[pool].started
