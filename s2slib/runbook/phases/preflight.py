"""Everything that can be known before anything changes: rights, versions, clocks, reach, realms, foreign entries, UCS."""

from __future__ import annotations

from collections.abc import Sequence

from s2slib.facts import Absent, Facts, Unknown
from s2slib.products import exchange, lync
from s2slib.products.windows import CLOCK, GROUPS
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.phases.common import judged_document, ucs_gate, unknown_findings
from s2slib.runbook.reading.catalogue import PEER_METADATA, REPLICA_CERTIFICATE
from s2slib.runbook.reading.derive import WEB_HEALTHY, ours_in_lync
from s2slib.runbook.reading.sameness import (
    LARGEST_SKEW_S,
    accepted_realms,
    default_sip_domain,
    exchange_realm,
    exchange_thumbprints,
    lync_realm,
    lync_thumbprints,
    pools_left_out,
    server_time,
)
from s2slib.runbook.reading.scope import Scope

NAME = "preflight"
STORAGE_TEST_GROUPS = ("RTC Local User Administrators", "RTCUniversalUserAdmins")
LYNC_WRITE_GROUP = "RTCUniversalServerAdmins"
EXCHANGE_WRITE_GROUP = "Organization Management"
SUPPORTED = ("Skype for Business Server SE", "Exchange Server SE")
_F = Kinds(NAME)
EXCLUDED = _F.warning("preflight.excluded", "This server is left out", "every server in scope; the result stays yellow")
OUT_OF_SUPPORT = _F.warning(
    "preflight.out_of_support",
    "{product} is out of Microsoft's support",
    "Skype for Business Server SE with Exchange Server SE",
    "the procedure is the same; plan the move",
)
OLDER = _F.ok(
    "preflight.older",
    "An Exchange server of a generation before OAuth takes no part",
    "Exchange Server 2013 or later in scope",
)
OTHER_PRODUCT = _F.blocker(
    "preflight.product",
    "The declared product is not the one that is there",
    remedy="correct product (and roles) in the params file: commands, roles and support depend on it",
)
MIXED = _F.warning(
    "preflight.product.mixed",
    "Servers of several versions are declared under one product",
    remedy="none, while the organisation moves; the commands are those of the declared product",
)
POOL_LEFT_OUT = _F.warning(
    "preflight.pool_left_out",
    "A pool with users is not declared: its front ends are neither waited for nor proven",
    "every user pool under lync.pools",
    "declare it, or know that its users' trust is not proven by this run",
)
SIP_DOMAIN = _F.blocker(
    "preflight.sip_domain",
    "The declared default SIP domain is not Lync's",
    remedy="correct lync.default_sip_domain: Lync's realm is the default SIP domain unless it is set",
)
DECLARED_REALM = _F.blocker(
    "preflight.declared_realm",
    "The declared realm of {side} is not the one that it uses",
    remedy="correct realm in the params file, or take it out; this run changes no realm",
)
PAGES_UNREADABLE = _F.warning(
    "preflight.health_unreadable",
    "This server's health pages cannot be read, so they cannot prove that it is back after a restart",
    "health pages that can be read before anything changes",
    "put right what keeps them from being read (usually the server's own name in its certificate); without them a restart is "
    "proven by services, worker processes and component states",
)
CLOCKS = _F.ok("preflight.clocks", "The servers' clocks agree", f"within {LARGEST_SKEW_S} s")
CLOCKS_DIFFER = _F.blocker(
    "preflight.clocks",
    "The servers' clocks differ; tokens will be refused",
    f"within {LARGEST_SKEW_S} s",
    "w32tm /query /status on the server that is off",
)
RIGHTS = _F.ok("preflight.rights", "The sessions' tokens hold the groups that the phases need")
RIGHTS_MISSING = _F.blocker(
    "preflight.rights.missing",
    "This session may not {purpose}",
    remedy="add the account to the group, then open a new session: a token keeps the groups it was made with",
)
TOPOLOGY = _F.blocker(
    "preflight.topology",
    "The declared {what} differ from what the product lists: {names}",
    "every server in scope declared, or excluded by name with a reason",
    "correct the params file; a server that is left out keeps an old trust and answers 401",
)
REALM = _F.ok("preflight.realm", "Exchange accepts Lync's realm")
REALM_REFUSED = _F.blocker(
    "preflight.realm",
    "Exchange does not accept Lync's realm: every token would be refused (invalid_tenant)",
    "the realm as an accepted domain of its own; a wildcard does not count",
)
FOREIGN = _F.ok(
    "preflight.foreign_entries", "{side} has partner applications that are not this trust's; they are left alone"
)
TEST_USER = _F.ok("preflight.test_user", "Test user {address}")
OTHER_ADDRESS = _F.blocker(
    "preflight.test_user",
    "The SIP address is not the mailbox's primary SMTP address",
    remedy="align proxyAddresses, or name another test user",
)
NO_MAILBOX = _F.blocker(
    "preflight.test_user.no_mailbox",
    "The test user sip:{address} has no mailbox in this organisation",
    "a user with a mailbox on Exchange 2013 or later",
    "name another user under test_users; Test-CsExStorageConnectivity would fail for this one",
)


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
        *(CLOCK.on(server) for server in d.all_servers),
        *(GROUPS.on(server) for server in d.all_servers),
        *(exchange.mailbox_key(address) for address in d.test_addresses),
    ]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """Every preflight finding, in the order an administrator would ask."""
    return [
        *unknown_findings(NAME, facts, keys(d)),
        *_excluded(d, facts),
        *_products(d, facts),
        *(OUT_OF_SUPPORT(name, product=name) for name in _names(d, facts) if name not in SUPPORTED),
        *_clocks(d, facts),
        *_rights(d, facts),
        *_topology(d, facts),
        *_realms(facts),
        *_sip_domain(d, facts),
        *_declared_realms(d, facts),
        *_pages(d, facts),
        *_documents(d, facts),
        *_foreign(facts),
        *_test_users(d, facts),
        *ucs_gate(d, facts, NAME),
    ]


def _clocks(d: Scope, facts: Facts) -> list[Finding]:
    clocks = {server: facts.value(CLOCK.on(server)) for server in d.all_servers}
    offsets = {server: clock.offset_s for server, clock in clocks.items() if clock is not None}
    if not offsets:
        return []
    spread = max(offsets.values()) - min(offsets.values())
    if spread <= LARGEST_SKEW_S:
        return [CLOCKS(f"at most {spread} s apart")]
    return [CLOCKS_DIFFER(", ".join(f"{server}: {offset:+} s" for server, offset in offsets.items()))]


def _rights(d: Scope, facts: Facts) -> list[Finding]:
    needed: list[tuple[str, tuple[str, ...], str]] = []
    for front_end in d.front_ends:
        needed.append((front_end, (LYNC_WRITE_GROUP,), "change Lync's configuration"))
        needed.append((front_end, STORAGE_TEST_GROUPS, "run Test-CsExStorageConnectivity"))
    needed += [
        (server.fqdn, (EXCHANGE_WRITE_GROUP,), "configure partner applications") for server in d.exchange_servers
    ]
    findings = []
    for server, groups, purpose in needed:
        held = facts.value(GROUPS.on(server))
        if held is not None and not {name.casefold() for name in held} & {name.casefold() for name in groups}:
            seen = f"{len(held)} groups in the token, none of these"
            findings.append(RIGHTS_MISSING(seen, " or ".join(groups), server=server, purpose=purpose))
    return findings or [RIGHTS()]


def _topology(d: Scope, facts: Facts) -> list[Finding]:
    findings: list[Finding] = []
    pools = facts.value(lync.POOLS)
    for pool in d.lync.pools if pools is not None else ():
        real = next((row for row in pools or () if row.fqdn == pool.fqdn.lower()), None)
        if real is None:
            findings.append(TOPOLOGY("Get-CsPool does not list it", what="pool", names=pool.fqdn))
            continue
        findings += _differ("front ends", set(real.computers), pool.front_ends, f"in pool {pool.fqdn}")
    findings += [POOL_LEFT_OUT(name) for name in pools_left_out(d, facts)]
    servers = facts.value(exchange.SERVERS)
    if servers is not None:
        older = {row.fqdn for row in servers if row.is_older}
        findings += [OLDER(f"{row.fqdn}: {row.version}") for row in servers if row.is_older]
        in_scope = {row.fqdn for row in servers if not row.is_edge and (row.is_mailbox or row.is_client_access)} - older
        out = older & {server.fqdn for server in d.excluded}
        declared = [server.fqdn for server in d.exchange.servers if server.fqdn not in out]
        findings += _differ("Exchange servers", in_scope, declared, "in the organisation")
    return findings


def _excluded(d: Scope, facts: Facts) -> list[Finding]:
    """Those left out by name; one that takes no part anyway is no reason for a yellow result."""
    older = {row.fqdn for row in facts.value(exchange.SERVERS, []) if row.is_older}
    return [EXCLUDED(f"excluded: {s.reason}", server=s.fqdn) for s in d.excluded if s.fqdn not in older]


def _real_products(d: Scope, facts: Facts) -> dict[str, str]:
    """FQDN of each declared Exchange server -> its product by its version, as far as known."""
    declared = {server.fqdn for server in d.exchange_servers}
    return {row.fqdn: row.product for row in facts.value(exchange.SERVERS, []) if row.fqdn in declared and row.product}


def _names(d: Scope, facts: Facts) -> list[str]:
    """The products that are there, else those that are declared."""
    found = sorted(set(_real_products(d, facts).values()))
    return [d.lync.product, *(found or [d.exchange.product])]


def _products(d: Scope, facts: Facts) -> list[Finding]:
    findings = []
    real = _real_products(d, facts)
    if real and d.exchange.product not in real.values():
        seen = ", ".join(f"{server}: {product}" for server, product in sorted(real.items()))
        findings.append(OTHER_PRODUCT(seen, d.exchange.product))
    elif len(set(real.values())) > 1:
        findings.append(MIXED(", ".join(sorted(set(real.values()))), d.exchange.product))
    for front_end in d.front_ends:
        said = facts.value(lync.VERSION.on(front_end), "")
        other = [name for name in lync.VERSION_NAMES if name in said and name != d.lync.product]
        if other and d.lync.product not in said:
            findings.append(OTHER_PRODUCT(said, d.lync.product, server=front_end))
    return findings


def _sip_domain(d: Scope, facts: Facts) -> list[Finding]:
    real = default_sip_domain(facts)
    declared = d.lync.default_sip_domain.lower()
    return [SIP_DOMAIN(real, declared)] if real and real != declared else []


def _declared_realms(d: Scope, facts: Facts) -> list[Finding]:
    """Where the params file names one; without it, realms follow the domains, which are judged for themselves."""
    pairs = (
        ("Exchange", exchange_realm(facts), d.exchange.realm or ""),
        ("Lync", lync_realm(facts), d.lync.realm or ""),
    )
    return [
        DECLARED_REALM(real, declared, side=side)
        for side, real, declared in pairs
        if real and declared and real.casefold() != declared.casefold()
    ]


def _pages(d: Scope, facts: Facts) -> list[Finding]:
    findings = []
    for server in d.exchange_servers:
        fact = facts[WEB_HEALTHY.on(server.fqdn)]
        reached = not isinstance(facts[CLOCK.on(server.fqdn)], Unknown)
        if isinstance(fact, Unknown) and reached:
            findings.append(PAGES_UNREADABLE(fact.reason, server=server.fqdn))
    return findings


def _differ(what: str, real: set[str], declared: Sequence[str], where: str) -> list[Finding]:
    said = {name.lower() for name in declared}
    rows = ((real - said, f"{where}, but not declared"), (said - real, f"declared, but not {where}"))
    return [TOPOLOGY(seen, what=what, names=", ".join(sorted(names))) for names, seen in rows if names]


def _realms(facts: Facts) -> list[Finding]:
    theirs, accepted = lync_realm(facts), accepted_realms(facts)
    if not theirs or not facts.known(exchange.ACCEPTED_DOMAINS):
        return []
    if theirs in accepted:
        return [REALM(theirs)]
    return [
        REALM_REFUSED(
            f"Lync's realm {theirs}; Exchange accepts {', '.join(accepted) or 'none'}",
            remedy=f"add the accepted domain {theirs}, or set the realm on one side (operators' decision, not this run's)",
        )
    ]


def _documents(d: Scope, facts: Facts) -> list[Finding]:
    """The peer's metadata document as every server gets it (rule R35); Lync's only once a certificate is assigned."""
    at = server_time(d, facts)
    findings: list[Finding] = []
    for front_end in d.front_ends:
        findings += judged_document(
            NAME,
            facts,
            PEER_METADATA.on(front_end),
            server=front_end,
            application_id=exchange.EXCHANGE_APPLICATION_ID,
            realm=exchange_realm(facts),
            thumbprints=exchange_thumbprints(facts),
            at=at,
        )
    assigned = lync_thumbprints(d, facts) or []
    held = [facts.value(REPLICA_CERTIFICATE.on(front_end)) for front_end in d.front_ends]
    arrived = bool(assigned) and all(row is not None and row.thumbprint in assigned for row in held)
    for server in d.exchange_servers if arrived else ():  # else it is the certificate phase's to assign, or to wait
        findings += judged_document(
            NAME,
            facts,
            PEER_METADATA.on(server.fqdn),
            server=server.fqdn,
            application_id=lync.LYNC_APPLICATION_ID,
            realm=lync_realm(facts),
            thumbprints=assigned,
            at=at,
        )
    return findings


def _foreign(facts: Facts) -> list[Finding]:
    """Entries of a hybrid or of other products: listed, not counted, not touched (rule R22)."""
    theirs = [e.name for e in facts.value(exchange.PARTNER_APPLICATIONS, []) if not exchange.is_lync(e)]
    others = [e.identity for e in facts.value(lync.PARTNER_APPLICATIONS, []) if not ours_in_lync(e)]
    return [FOREIGN(", ".join(names), side=side) for side, names in (("Exchange", theirs), ("Lync", others)) if names]


def _test_users(d: Scope, facts: Facts) -> list[Finding]:
    findings = []
    for address in d.test_addresses:
        key = exchange.mailbox_key(address)
        mailbox = facts.value(key)
        if mailbox is not None:
            kind = TEST_USER if mailbox.address == address.lower() else OTHER_ADDRESS
            findings.append(kind(f"mailbox {mailbox.address}", address, address=address))
        elif isinstance(facts[key], Absent):
            findings.append(NO_MAILBOX("Get-Mailbox finds none", address=address))
    return findings
