"""What several phases judge alike: unknown facts, the gate of the unified contact store, realms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from s2slib.facts import Facts, Json, Known, Unknown
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.products.read import parse_instant
from s2slib.runbook.model.change import Change, Settle
from s2slib.runbook.model.expect import all_hold
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.reading.scope import Scope
from s2slib.trust import metadata
from s2slib.trust.judgement import Judgement


def unknown_findings(phase: str, facts: Facts, keys: Iterable[str]) -> list[Finding]:
    """A finding for every reason why facts could not be read: it blocks the writes that rest on them (P4).

    A server that does not answer gives one finding that lists what is missing, not one for each fact.
    """
    by_reason: dict[str, list[str]] = {}
    for key, reason in facts.unknowns(keys).items():
        by_reason.setdefault(reason, []).append(key)
    findings = []
    for reason, missing in by_reason.items():
        seen, _, step = reason.partition(". Next: ")
        server = missing[0].split("/")[1] if missing[0].startswith("server/") else ""
        findings.append(
            Finding(
                f"{phase}.unknown",
                "unknown",
                phase,
                f"Not known: {', '.join(_short(key) for key in missing)}",
                seen=seen,
                expected="an answer, whatever it says; nothing was assumed",
                remedy=step or "put right what kept the server from answering, then run this again",
                server=server,
            )
        )
    return findings


def _short(key: str) -> str:
    parts = key.split("/")
    return f"{parts[2]} of {parts[1].split('.')[0]}" if parts[0] == "server" and len(parts) > 2 else key


def ucs_gate(d: Scope, facts: Facts, phase: str) -> list[Finding]:
    """The gate of O1: contact lists move to Exchange by themselves as soon as Lync reaches it, and nothing brings them back.

    | policies with UcsAllowed=True | params `policy.ucs` | finding |
    | --- | --- | --- |
    | none | any | ok |
    | some | block | blocker |
    | some | staged | ok: the first change of the Autodiscover phase sets them to False |
    | some | migrate_now | warning |
    | unknown | any but migrate_now | unknown |
    """
    fact = facts[lync.USER_POLICIES]
    title = "Unified contact store: users' contact lists migrate by themselves once Lync reaches Exchange"
    if d.policy.ucs == "migrate_now":
        return [
            Finding("ucs.migrate_now", "warning", phase, title, seen="policy.ucs: migrate_now", expected="a decision")
        ]
    if not isinstance(fact, Known):
        reason = fact.reason if isinstance(fact, Unknown) else "no policy was listed"
        return [
            Finding("ucs.unknown", "unknown", phase, title, seen=reason, expected="Get-CsUserServicesPolicy to answer")
        ]
    allowed = ucs_policies(facts)
    if not allowed:
        return [Finding("ucs.gate", "ok", phase, "No user services policy allows the unified contact store")]
    seen = f"UcsAllowed=True in {', '.join(allowed)}"
    if d.policy.ucs == "staged":
        return [Finding("ucs.staged", "ok", phase, title, seen=seen, expected="set to False first, by this plan")]
    return [
        Finding(
            "ucs.gate",
            "blocker",
            phase,
            title,
            seen=seen,
            expected="UcsAllowed=False in every policy, or a decision in the params file",
            remedy="set policy.ucs to `staged` (this plan sets the policies to False first) or to `migrate_now`",
        )
    ]


def ucs_policies(facts: Facts) -> list[str]:
    """The user services policies that allow the unified contact store."""
    return [str(policy["identity"]) for policy in facts.value(lync.USER_POLICIES, []) if policy["ucs_allowed"]]


def waiting(
    phase: str, change_id: str, title: str, target: str, facts: Facts, in_place: Mapping[str, Json], settle: Settle
) -> list[Change]:
    """A change without commands, for what is in place but has not arrived everywhere: it only waits.

    Empty when everything has arrived. An earlier run that was stopped while it waited is taken up again like this.
    """
    if all_hold(facts, settle.conditions) is True:
        return []
    return [
        Change(
            id=change_id,
            phase=phase,
            title=title,
            target=target,
            reason="it is configured, but has not arrived everywhere yet",
            steps=(),
            rests_on=in_place,
            after=in_place,
            settled_when=settle,
            irreversible="nothing to undo: it only waits",
        )
    ]


def lync_realm(facts: Facts) -> str:
    """The realm Lync puts into its tokens: set, else the default SIP domain; empty while unknown (domain.md 3.5)."""
    configured = str(facts.value(lync.OAUTH_CONFIGURATION, {}).get("realm", ""))
    if configured:
        return configured.lower()
    domains = facts.value(lync.SIP_DOMAINS, [])
    return next((str(domain["name"]) for domain in domains if domain["is_default"]), "")


def accepted_realms(facts: Facts) -> list[str]:
    """The realms Exchange accepts: its own when set, and every accepted domain that is no wildcard (domain.md 3.4)."""
    own = str(facts.value(exchange.AUTH_CONFIG, {}).get("realm", "")).lower()
    names = [str(domain["domain_name"]) for domain in facts.value(exchange.ACCEPTED_DOMAINS, [])]
    return [name for name in [own, *names] if name and "*" not in name]


def exchange_realm(facts: Facts) -> str:
    """The realm Exchange puts into its tokens: set, else the default accepted domain."""
    own = str(facts.value(exchange.AUTH_CONFIG, {}).get("realm", "")).lower()
    domains = facts.value(exchange.ACCEPTED_DOMAINS, [])
    return own or next((str(domain["domain_name"]) for domain in domains if domain["default"]), "")


def server_time(d: Scope, facts: Facts) -> datetime | None:
    """The estate's time as a server gave it; certificates are judged by it, never by this machine's clock."""
    for server in d.reached:
        clock = facts.value(on(server, "clock"))
        if clock:
            return parse_instant(clock["utc"])
    return None


def judged(phase: str, prefix: str, title: str, judgements: Iterable[Judgement], server: str = "") -> list[Finding]:
    """Judgements of `trust` as findings: those that are in order as one, every other one for itself."""
    rows = list(judgements)
    found = [
        Finding(
            f"{prefix}.{row.id}",
            row.level,
            phase,
            f"{title}: {row.id.split('.')[-1]}",
            row.seen,
            row.expected,
            row.remedy,
            server,
        )
        for row in rows
        if row.level != "ok"
    ]
    fine = [row.seen for row in rows if row.id in ("metadata.assigned_key", "certificate.validity")]
    return found or [Finding(prefix, "ok", phase, title, "; ".join(fine), server=server)]


def judged_document(
    phase: str,
    facts: Facts,
    key: str,
    *,
    server: str,
    application_id: str,
    realm: str,
    thumbprints: Sequence[str],
    at: datetime | None,
) -> list[Finding]:
    """What is to be said of one metadata document as one server got it (domain.md 3.3)."""
    fact, prefix = facts[key], f"{phase}.metadata"
    if isinstance(fact, Unknown):
        remedy = "check name resolution, port 443, the certificate chain and proxies from that server to the URL"
        return [
            Finding(
                f"{prefix}.unreachable",
                "unknown",
                phase,
                "A metadata document",
                fact.reason,
                "a document",
                remedy,
                server,
            )
        ]
    if not isinstance(fact, Known) or at is None:
        return []
    title = f"The document {fact.value['url']}"
    if fact.value["problem"]:
        remedy = "open the URL in a browser on that server: something else than the product answers"
        return [
            Finding(
                f"{prefix}.not_one",
                "blocker",
                phase,
                title,
                fact.value["problem"],
                "a metadata document",
                remedy,
                server,
            )
        ]
    document = metadata.parse(fact.value["document"], source=fact.value["url"])
    rows = metadata.judge(
        document,
        application_id=application_id,
        realm=realm or None,
        expected_thumbprints=list(thumbprints),
        host=urlsplit(fact.value["url"]).hostname or "",
        at=at,
    )
    return judged(phase, prefix, title, rows, server)


def exchange_thumbprints(facts: Facts) -> list[str]:
    """The keys Exchange may publish: the current one, then the previous one."""
    config = facts.value(exchange.AUTH_CONFIG, {})
    return [thumbprint for thumbprint in (config.get("current"), config.get("previous")) if thumbprint]


def lync_thumbprints(facts: Facts) -> list[str]:
    """The keys Lync may publish: the assigned one, then the previous one."""
    assigned = facts.value(lync.OAUTH_CERTIFICATE, {})
    return [value for value in (assigned.get("thumbprint"), assigned.get("previous_thumbprint")) if value]
