"""Everything that can be known before anything changes: rights, versions, clocks, reach, realms, foreign entries, UCS."""

from __future__ import annotations

from s2slib.facts import Facts, Known, Unknown
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.runbook.model.finding import Finding, Level
from s2slib.runbook.phases.common import (
    accepted_realms,
    exchange_realm,
    exchange_thumbprints,
    judged_document,
    lync_realm,
    lync_thumbprints,
    server_time,
    ucs_gate,
    unknown_findings,
)
from s2slib.runbook.reading.catalogue import PEER_METADATA, REPLICA_CERTIFICATE
from s2slib.runbook.reading.derive import ours_in_exchange, ours_in_lync
from s2slib.runbook.reading.scope import Scope

NAME = "preflight"
LARGEST_SKEW_S = 300
STORAGE_TEST_GROUPS = ("RTC Local User Administrators", "RTCUniversalUserAdmins")
LYNC_WRITE_GROUP = "RTCUniversalServerAdmins"
EXCHANGE_WRITE_GROUP = "Organization Management"
SUPPORTED = ("Skype for Business Server SE", "Exchange Server SE")


def keys(d: Scope) -> list[str]:
    """The facts this phase wants."""
    return [
        lync.SIP_DOMAINS,
        lync.POOLS,
        lync.OAUTH_CONFIGURATION,
        lync.PARTNER_APPLICATIONS,
        exchange.SERVERS,
        exchange.ACCEPTED_DOMAINS,
        exchange.PARTNER_APPLICATIONS,
        *(on(server, "clock") for server in _all(d)),
        *(on(server, "groups") for server in _all(d)),
        *(exchange.mailbox_key(address) for address in d.test_addresses),
    ]


def _all(d: Scope) -> list[str]:
    return [*d.front_ends, *(server.fqdn for server in d.exchange_servers)]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """Every preflight finding, in the order an administrator would ask."""
    return [
        *unknown_findings(NAME, facts, keys(d)),
        *_excluded(d),
        *_support(d),
        *_clocks(d, facts),
        *_rights(d, facts),
        *_topology(d, facts),
        *_realms(facts),
        *_documents(d, facts),
        *_foreign(facts),
        *_test_users(d, facts),
        *ucs_gate(d, facts, NAME),
    ]


def _excluded(d: Scope) -> list[Finding]:
    return [
        Finding(
            "preflight.excluded",
            "warning",
            NAME,
            "This server is left out",
            seen=f"excluded: {server.reason}",
            expected="every server in scope; the result stays yellow",
            server=server.fqdn,
        )
        for server in d.excluded
    ]


def _support(d: Scope) -> list[Finding]:
    findings = []
    for product in (d.lync.product, d.exchange.product):
        if product not in SUPPORTED:
            findings.append(
                Finding(
                    "preflight.out_of_support",
                    "warning",
                    NAME,
                    f"{product} is out of Microsoft's support",
                    seen=product,
                    expected="Skype for Business Server SE with Exchange Server SE",
                    remedy="the procedure is the same; plan the move",
                )
            )
    return findings


def _clocks(d: Scope, facts: Facts) -> list[Finding]:
    offsets = {server: facts.value(on(server, "clock"), {}).get("offset_s") for server in _all(d)}
    known = {server: offset for server, offset in offsets.items() if offset is not None}
    if not known:
        return []
    spread = max(known.values()) - min(known.values())
    level: Level = "ok" if spread <= LARGEST_SKEW_S else "blocker"
    seen = f"at most {spread} s apart" if level == "ok" else ", ".join(f"{s}: {o:+} s" for s, o in known.items())
    return [
        Finding(
            "preflight.clocks",
            level,
            NAME,
            "The servers' clocks agree" if level == "ok" else "The servers' clocks differ; tokens will be refused",
            seen=seen,
            expected=f"within {LARGEST_SKEW_S} s",
            remedy="" if level == "ok" else "w32tm /query /status on the server that is off",
        )
    ]


def _rights(d: Scope, facts: Facts) -> list[Finding]:
    findings: list[Finding] = []
    for front_end in d.front_ends:
        held = facts[on(front_end, "groups")]
        if isinstance(held, Known):
            findings += _has_one(held.value, (LYNC_WRITE_GROUP,), front_end, "change Lync's configuration")
            findings += _has_one(held.value, STORAGE_TEST_GROUPS, front_end, "run Test-CsExStorageConnectivity")
    for server in d.exchange_servers:
        held = facts[on(server.fqdn, "groups")]
        if isinstance(held, Known):
            findings += _has_one(held.value, (EXCHANGE_WRITE_GROUP,), server.fqdn, "configure partner applications")
    if not findings:
        return [Finding("preflight.rights", "ok", NAME, "The sessions' tokens hold the groups that the phases need")]
    return findings


def _has_one(held: list[str], wanted: tuple[str, ...], server: str, purpose: str) -> list[Finding]:
    if {name.casefold() for name in held} & {name.casefold() for name in wanted}:
        return []
    return [
        Finding(
            "preflight.rights.missing",
            "blocker",
            NAME,
            f"This session may not {purpose}",
            seen=f"{len(held)} groups in the token, none of these",
            expected=" or ".join(wanted),
            remedy="add the account to the group, then open a new session: a token keeps the groups it was made with",
            server=server,
        )
    ]


def _topology(d: Scope, facts: Facts) -> list[Finding]:
    findings: list[Finding] = []
    pools = facts.value(lync.POOLS)
    for pool in d.lync.pools if pools is not None else ():
        real = next((row for row in pools if row["fqdn"] == pool.fqdn.lower()), None)
        if real is None:
            findings.append(_declared("pool", pool.fqdn, "Get-CsPool does not list it"))
            continue
        declared = {name.lower() for name in pool.front_ends}
        if undeclared := sorted(set(real["computers"]) - declared):
            findings.append(_declared("front ends", ", ".join(undeclared), f"in pool {pool.fqdn}, but not declared"))
        if missing := sorted(declared - set(real["computers"])):
            findings.append(_declared("front ends", ", ".join(missing), f"declared, but not in pool {pool.fqdn}"))
    servers = facts.value(exchange.SERVERS)
    if servers is not None:
        in_scope = {
            row["fqdn"] for row in servers if not row["is_edge"] and (row["is_mailbox"] or row["is_client_access"])
        }
        declared = {server.fqdn.lower() for server in d.exchange.servers}
        if undeclared := sorted(in_scope - declared):
            findings.append(
                _declared("Exchange servers", ", ".join(undeclared), "in the organisation, but not declared")
            )
        if missing := sorted(declared - in_scope):
            findings.append(_declared("Exchange servers", ", ".join(missing), "declared, but not in the organisation"))
    return findings


def _declared(what: str, names: str, seen: str) -> Finding:
    return Finding(
        "preflight.topology",
        "blocker",
        NAME,
        f"The declared {what} differ from what the product lists: {names}",
        seen=seen,
        expected="every server in scope declared, or excluded by name with a reason",
        remedy="correct the params file; a server that is left out keeps an old trust and answers 401",
    )


def _realms(facts: Facts) -> list[Finding]:
    theirs, accepted = lync_realm(facts), accepted_realms(facts)
    if not theirs or not facts.known(exchange.ACCEPTED_DOMAINS):
        return []
    if theirs in accepted:
        return [Finding("preflight.realm", "ok", NAME, "Exchange accepts Lync's realm", seen=theirs)]
    return [
        Finding(
            "preflight.realm",
            "blocker",
            NAME,
            "Exchange does not accept Lync's realm: every token would be refused (invalid_tenant)",
            seen=f"Lync's realm {theirs}; Exchange accepts {', '.join(accepted) or 'none'}",
            expected="the realm as an accepted domain of its own; a wildcard does not count",
            remedy=f"add the accepted domain {theirs}, or set the realm on one side (operators' decision, not this run's)",
        )
    ]


def _documents(d: Scope, facts: Facts) -> list[Finding]:
    """The peer's metadata document as every server gets it (O21); Lync's only once a certificate is assigned."""
    at = server_time(d, facts)
    findings: list[Finding] = []
    for front_end in d.front_ends:
        findings += judged_document(
            NAME,
            facts,
            on(front_end, PEER_METADATA),
            server=front_end,
            application_id=exchange.EXCHANGE_APPLICATION_ID,
            realm=exchange_realm(facts),
            thumbprints=exchange_thumbprints(facts),
            at=at,
        )
    assigned = lync_thumbprints(facts)
    held = [facts.value(on(front_end, REPLICA_CERTIFICATE), {}).get("thumbprint") for front_end in d.front_ends]
    arrived = bool(assigned) and all(thumbprint == assigned[0] for thumbprint in held)
    for server in d.exchange_servers if arrived else ():  # else it is the certificate phase's to assign, or to wait
        findings += judged_document(
            NAME,
            facts,
            on(server.fqdn, PEER_METADATA),
            server=server.fqdn,
            application_id=lync.LYNC_APPLICATION_ID,
            realm=lync_realm(facts),
            thumbprints=assigned,
            at=at,
        )
    return findings


def _foreign(facts: Facts) -> list[Finding]:
    """Entries of a hybrid or of other products: listed, not counted, not touched (O8)."""
    findings = []
    for key, ours, name in (
        (exchange.PARTNER_APPLICATIONS, ours_in_exchange, "name"),
        (lync.PARTNER_APPLICATIONS, ours_in_lync, "identity"),
    ):
        side = "Exchange" if key == exchange.PARTNER_APPLICATIONS else "Lync"
        others = [str(entry[name]) for entry in facts.value(key, []) if not ours(entry)]
        if others:
            findings.append(
                Finding(
                    "preflight.foreign_entries",
                    "ok",
                    NAME,
                    f"{side} has partner applications that are not this trust's; they are left alone",
                    seen=", ".join(others),
                )
            )
    return findings


def _test_users(d: Scope, facts: Facts) -> list[Finding]:
    findings = []
    for address in d.test_addresses:
        fact = facts[exchange.mailbox_key(address)]
        if isinstance(fact, Known):
            seen = fact.value["address"]
            same = seen == address.lower()
            findings.append(
                Finding(
                    "preflight.test_user",
                    "ok" if same else "blocker",
                    NAME,
                    f"Test user {address}" if same else "The SIP address is not the mailbox's primary SMTP address",
                    seen=f"mailbox {seen}",
                    expected=address,
                    remedy="" if same else "align proxyAddresses, or name another test user",
                )
            )
        elif not isinstance(fact, Unknown):
            findings.append(
                Finding(
                    "preflight.test_user.no_mailbox",
                    "blocker",
                    NAME,
                    f"The test user sip:{address} has no mailbox in this organisation",
                    seen="Get-Mailbox finds none",
                    expected="a user with a mailbox on Exchange 2013 or later",
                    remedy="name another user under test_users; Test-CsExStorageConnectivity would fail for this one",
                )
            )
    return findings
