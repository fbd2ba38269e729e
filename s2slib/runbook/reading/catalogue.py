"""Which reads answer which facts for a deployment: formed from what is declared and from what is already known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from s2slib.facts import Facts, Key, PerServer, Unknown
from s2slib.products import exchange, lync, windows
from s2slib.products.read import Read
from s2slib.runbook.reading.scope import Scope

Now = Callable[[], datetime]

REPLICA_CONFIGURATION = PerServer(Key.one("replica_oauth_configuration", lync.OAuthConfiguration))
REPLICA_PARTNERS = PerServer(Key.many("replica_partner_applications", lync.PartnerApplication))
REPLICA_CERTIFICATE = PerServer(Key.one("oauth_certificate", lync.Certificate))
OWN_METADATA = PerServer(Key.one("lync_metadata", windows.Document))  # of one front end, as an Exchange server gets it
PEER_METADATA = PerServer(Key.one("peer_metadata", windows.Document))  # the other product's, as this server gets it
DC_PARTNERS = PerServer(Key.many("dc_partner_applications", exchange.PartnerApplication))
EXPORT_HASH = PerServer(Key.one("configuration_export", windows.StoredFile))  # of the front end that keeps this run's
EXPORT_ACCESS = PerServer(Key.one("configuration_export_access", windows.FileAccess))
HEALTH_PAGES = tuple(
    (path, PerServer(Key.plain(f"health_{path.lower()}", int))) for path in ("EWS", "Autodiscover", "OWA")
)
HEALTH_BACK_END = PerServer(Key.plain("health_back_end", int))


def catalogue(d: Scope, facts: Facts, now: Now, export_file: str = "") -> list[Read]:
    """Every read that can be formed now. Some need earlier answers (a domain controller); call again with those.

    `export_file`: where this run keeps, or would keep, the exported configuration.
    """
    return [
        *_front_end_reads(d, now),
        *(_export_reads(d, export_file) if export_file else ()),
        *_lync_reads(d),
        *_exchange_server_reads(d, facts, now),
        *_exchange_reads(d, facts),
    ]


def _lync_reads(d: Scope) -> list[Read]:
    front_end = d.lync_session_server
    return [
        lync.get_certificate(front_end, "OAuthTokenIssuer", lync.OAUTH_CERTIFICATE),
        *(
            [lync.get_certificate(front_end, "Default", lync.DEFAULT_CERTIFICATE)]
            if d.reuses_default_certificate
            else []
        ),
        lync.get_oauth_configuration(front_end),
        lync.get_partner_applications(front_end),
        lync.get_pools(front_end),
        lync.get_sip_domains(front_end),
        lync.get_user_services_policies(front_end),
        windows.get_machine_certificates(front_end),
        windows.get_private_keys(front_end),
    ]


def _export_reads(d: Scope, file: str) -> list[Read]:
    server = d.lync_session_server
    return [
        windows.get_file_hash(server, file, EXPORT_HASH.on(server)),
        windows.get_file_access(server, file, EXPORT_ACCESS.on(server)),
    ]


def _front_end_reads(d: Scope, now: Now) -> list[Read]:
    reads: list[Read] = []
    for server in d.front_ends:
        reads += [
            windows.get_clock(server, now),
            windows.get_groups(server),
            lync.get_server_version(server),
            lync.get_certificate(server, "OAuthTokenIssuer", REPLICA_CERTIFICATE.on(server)),
            lync.get_oauth_configuration(server, REPLICA_CONFIGURATION.on(server), local_store=True),
            lync.get_partner_applications(server, REPLICA_PARTNERS.on(server), local_store=True),
            windows.get_metadata(server, d.exchange_metadata_url, PEER_METADATA.on(server)),
        ]
    return reads


def _exchange_server_reads(d: Scope, facts: Facts, now: Now) -> list[Read]:
    reads: list[Read] = []
    for server in d.exchange_servers:
        reads += [
            windows.get_clock(server.fqdn, now),
            windows.get_groups(server.fqdn),
            windows.get_services(server.fqdn),
            windows.get_workers(server.fqdn),
            windows.get_machine_certificates(server.fqdn),
            windows.get_private_keys(server.fqdn),
            windows.get_metadata(server.fqdn, d.lync_metadata_url, PEER_METADATA.on(server.fqdn)),
        ]
        if server.is_client_access:
            reads += [
                windows.get_page_status(
                    server.fqdn, f"https://{server.fqdn}/{path}/healthcheck.htm", page.on(server.fqdn)
                )
                for path, page in HEALTH_PAGES
            ]
        if server.is_mailbox:
            reads.append(
                windows.get_page_status(
                    server.fqdn, f"https://{server.fqdn}:444/EWS/Exchange.asmx", HEALTH_BACK_END.on(server.fqdn)
                )
            )
    reads += [
        windows.get_metadata(d.metadata_reader, f"https://{front_end}/metadata/json/1", OWN_METADATA.on(front_end))
        for front_end in d.front_ends
    ]
    return reads


def _exchange_reads(d: Scope, facts: Facts) -> list[Read]:
    session = d.exchange_session_server
    reads = [
        exchange.get_servers(session),
        exchange.get_auth_config(session),
        exchange.get_accepted_domains(session),
        exchange.get_client_access(session, command_name=d.client_access_command("Get")),
        *(exchange.get_mailbox(session, address) for address in d.test_addresses),
        *(exchange.get_certificates(session, server.fqdn) for server in d.exchange_servers),
        *(exchange.get_component_states(session, server.fqdn) for server in d.exchange_servers),
    ]
    pinned = pinned_controller(d, facts)
    if pinned:
        reads.append(exchange.get_partner_applications(session, domain_controller=pinned))
    if pinned and not isinstance(facts[exchange.PARTNER_APPLICATIONS], Unknown):
        account = application_account(facts)
        reads += [
            exchange.get_user(session, account, pinned),
            exchange.get_mail_user(session, account, pinned),
            exchange.get_role_assignments(session, account, pinned),
        ]
    for fqdn, controller in controllers(facts).items():
        if controller and any(server.fqdn == fqdn for server in d.exchange_servers):
            key = DC_PARTNERS.on(fqdn)
            reads.append(exchange.get_partner_applications(session, key, domain_controller=controller))
    return reads


def controllers(facts: Facts) -> dict[str, str]:
    """FQDN of each Exchange server -> the domain controller it uses, as far as known."""
    return {row.fqdn: row.domain_controller for row in facts.value(exchange.SERVERS, [])}


def application_account(facts: Facts) -> str:
    """The account that Exchange acts as for Lync: the one the entry links to, whatever it is called, else the script's."""
    linked = [row.linked_account for row in facts.value(exchange.PARTNER_APPLICATIONS, []) if exchange.is_lync(row)]
    return linked[0].rpartition("/")[2] if len(linked) == 1 and linked[0] else exchange.APPLICATION_ACCOUNT


def pinned_controller(d: Scope, facts: Facts) -> str:
    """The domain controller of this run (rule R19): declared, else the session server's; empty while unknown."""
    return (d.exchange.domain_controller or "").lower() or controllers(facts).get(d.exchange_session_server, "")
