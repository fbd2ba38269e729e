"""What the directory and the Central Management Store hold before anybody has configured server-to-server trust."""

from __future__ import annotations

from collections.abc import Sequence

from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, Estate, Server

EXCHANGE_VERSIONS = {
    "2013": "Version 15.0 (Build 1497.2)",
    "2016": "Version 15.1 (Build 2507.18)",
    "2019": "Version 15.2 (Build 1748.10)",
    "SE": "Version 15.2 (Build 2562.37)",
}


def seed_directory(estate: Estate, *, accepted_domains: Sequence[str], auth_thumbprint: str, realm: str) -> None:
    """Auth configuration, accepted domains (the first is the default) and the Exchange servers with their SCP."""
    estate.directory.seed(
        "AuthConfig/Auth Configuration",
        {
            "Name": "Auth Configuration",
            "CurrentCertificateThumbprint": auth_thumbprint,
            "PreviousCertificateThumbprint": "",
            "NextCertificateThumbprint": "",
            "NextCertificateEffectiveDate": None,
            "ServiceName": EXCHANGE_APP,
            "Realm": realm,
        },
    )
    for number, domain in enumerate(accepted_domains):
        add_accepted_domain(estate, domain, default=number == 0)
    for server in estate.exchange_servers():
        estate.directory.seed(f"ExchangeServer/{server.name.upper()}", _exchange_server(estate, server))


def add_accepted_domain(estate: Estate, domain: str, *, name: str = "", default: bool = False) -> None:
    """An authoritative accepted domain; its name is the domain unless said."""
    row = {"Name": name or domain, "DomainName": domain, "DomainType": "Authoritative", "Default": default}
    estate.directory.seed(f"AcceptedDomain/{name or domain}", row)


def _exchange_server(estate: Estate, server: Server) -> dict[str, object]:
    mailbox, client_access = server.has_role("Mailbox"), server.has_role("ClientAccess")
    # 2016 and later print only Mailbox although the client access services run there too
    role = "Mailbox" if mailbox and client_access else "Mailbox" if mailbox else "ClientAccess"
    return {
        "Name": server.name.upper(),
        "Fqdn": server.fqdn,
        "ServerRole": role,
        "IsMailboxServer": mailbox,
        "IsClientAccessServer": client_access,
        "AdminDisplayVersion": EXCHANGE_VERSIONS[estate.exchange_product],
        "Site": server.site,
        "AutoDiscoverServiceInternalUri": f"https://autodiscover.{estate.domain}/autodiscover/autodiscover.xml"
        if client_access
        else "",
        "AutoDiscoverSiteScope": (server.site,),
    }


def seed_store(
    estate: Estate, *, sip_domains: Sequence[str], realm: str, autodiscover_url: str, ucs_allowed: bool
) -> None:
    """SIP domains (the first is the default), OAuth configuration and the global policies."""
    for number, domain in enumerate(sip_domains):
        estate.cms.seed(f"SipDomain/{domain}", {"Name": domain, "IsDefault": number == 0})
    estate.cms.seed(
        "OAuthConfiguration",
        {
            "Identity": "Global",
            "Realm": realm,
            "ServiceName": LYNC_APP,
            "ExchangeAutodiscoverUrl": autodiscover_url,
            "ExchangeAutodiscoverAllowedDomains": "",
            "ClientAuthorizationOAuthServerIdentity": "",
        },
    )
    policy = {"Identity": "Global", "UcsAllowed": ucs_allowed, "MigrationDelayInDays": 0}
    estate.cms.seed("UserServicesPolicy/Global", policy)
    archiving = {"Identity": "Global", "EnableArchiving": "None", "EnableExchangeArchiving": False}
    estate.cms.seed("ArchivingConfiguration/Global", archiving)
    internal = {"Identity": "Global", "ArchiveInternal": False, "ArchiveExternal": False}
    estate.cms.seed("ArchivingPolicy/Global", internal)
