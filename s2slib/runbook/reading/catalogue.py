"""Which reads answer which facts for a deployment: formed from what is declared and from what is already known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from s2slib.facts import Facts
from s2slib.products import exchange, lync, windows
from s2slib.products.lync import on
from s2slib.products.read import Read
from s2slib.runbook.reading.scope import Scope

Now = Callable[[], datetime]

REPLICA_CONFIGURATION = "replica_oauth_configuration"
REPLICA_PARTNERS = "replica_partner_applications"
REPLICA_CERTIFICATE = "oauth_certificate"
OWN_METADATA = "lync_metadata"  # of one front end, as an Exchange server gets it
PEER_METADATA = "peer_metadata"  # the other product's document, as this server gets it
DC_PARTNERS = "dc_partner_applications"
EXPORT_HASH = "configuration_export"  # of the front end that keeps the export of this run
EXPORT_ACCESS = "configuration_export_access"


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
        lync.get_certificate(front_end, "Default", lync.DEFAULT_CERTIFICATE),
        lync.get_oauth_configuration(front_end),
        lync.get_partner_applications(front_end),
        lync.get_replication_status(front_end),
        lync.get_pools(front_end),
        lync.get_sip_domains(front_end),
        lync.get_user_services_policies(front_end),
        windows.get_machine_certificates(front_end),
        windows.get_private_keys(front_end),
    ]


def _export_reads(d: Scope, file: str) -> list[Read]:
    server = d.lync_session_server
    return [
        windows.get_file_hash(server, file, on(server, EXPORT_HASH)),
        windows.get_file_access(server, file, on(server, EXPORT_ACCESS)),
    ]


def _front_end_reads(d: Scope, now: Now) -> list[Read]:
    reads: list[Read] = []
    for server in d.front_ends:
        reads += [
            windows.get_clock(server, now),
            windows.get_groups(server),
            lync.get_server_version(server),
            lync.get_certificate(server, "OAuthTokenIssuer", on(server, REPLICA_CERTIFICATE)),
            lync.get_oauth_configuration(server, on(server, REPLICA_CONFIGURATION), local_store=True),
            lync.get_partner_applications(server, on(server, REPLICA_PARTNERS), local_store=True),
            windows.get_metadata(server, d.exchange_metadata_url, on(server, PEER_METADATA)),
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
            windows.get_metadata(server.fqdn, d.lync_metadata_url, on(server.fqdn, PEER_METADATA)),
        ]
        if server.is_client_access:
            reads += [
                windows.get_page_status(server.fqdn, f"https://{server.fqdn}/{path}/healthcheck.htm", name)
                for path, name in HEALTH_PAGES
            ]
        if server.is_mailbox:
            reads.append(
                windows.get_page_status(server.fqdn, f"https://{server.fqdn}:444/EWS/Exchange.asmx", "health_back_end")
            )
    reads += [
        windows.get_metadata(d.metadata_reader, f"https://{front_end}/metadata/json/1", on(front_end, OWN_METADATA))
        for front_end in d.front_ends
    ]
    return reads


HEALTH_PAGES = (("EWS", "health_ews"), ("Autodiscover", "health_autodiscover"), ("OWA", "health_owa"))


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
        reads += [
            exchange.get_partner_applications(session, domain_controller=pinned),
            exchange.get_mail_user(session, pinned),
            exchange.get_role_assignments(session, pinned),
        ]
    for fqdn, controller in controllers(facts).items():
        if controller and any(server.fqdn == fqdn for server in d.exchange_servers):
            key = on(fqdn, DC_PARTNERS)
            reads.append(exchange.get_partner_applications(session, key, domain_controller=controller))
    return reads


def controllers(facts: Facts) -> dict[str, str]:
    """FQDN of each Exchange server -> the domain controller it uses, as far as known."""
    return {row["fqdn"]: row["domain_controller"] for row in facts.value(exchange.SERVERS, [])}


def pinned_controller(d: Scope, facts: Facts) -> str:
    """The domain controller of this run (O5): declared, else the session server's; empty while unknown."""
    return (d.exchange.domain_controller or "").lower() or controllers(facts).get(d.exchange_session_server, "")
