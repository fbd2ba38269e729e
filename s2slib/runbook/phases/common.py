"""What several phases judge alike: unknown facts, the gate of the unified contact store, metadata documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from s2slib.facts import Facts, Key, Known, Unknown
from s2slib.products import lync
from s2slib.products.windows import Document
from s2slib.runbook.model.change import Change, Settle
from s2slib.runbook.model.expect import all_hold, wanted
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.reading.scope import Scope
from s2slib.trust import metadata
from s2slib.trust.judgement import Judgement

_F = Kinds("<phase>")
UNKNOWN = _F.unknown(
    "<phase>.unknown",
    "Not known: {missing}",
    "an answer, whatever it says; nothing was assumed",
    "put right what kept the server from answering, then run this again",
)
_MIGRATE = "Unified contact store: users' contact lists migrate by themselves once Lync reaches Exchange"
UCS_NOW = _F.warning("ucs.migrate_now", _MIGRATE, "a decision")
UCS_UNKNOWN = _F.unknown("ucs.unknown", _MIGRATE, "Get-CsUserServicesPolicy to answer")
UCS_NONE = _F.ok("ucs.gate", "No user services policy allows the unified contact store")
UCS_STAGED = _F.ok("ucs.staged", _MIGRATE, "set to False first, by this plan")
UCS_BLOCKED = _F.blocker(
    "ucs.gate",
    _MIGRATE,
    "UcsAllowed=False in every policy, or a decision in the params file",
    "set policy.ucs to `staged` (this plan sets the policies to False first) or to `migrate_now`",
)
UNREACHABLE = _F.unknown(
    "<phase>.metadata.unreachable",
    "A metadata document",
    "a document",
    "check name resolution, port 443, the certificate chain and proxies from that server to the URL",
)
NOT_ONE = _F.blocker(
    "<phase>.metadata.not_one",
    "The document {url}",
    "a metadata document",
    "open the URL in a browser on that server: something else than the product answers",
)


def unknown_findings(phase: str, facts: Facts, keys: Iterable[str]) -> list[Finding]:
    """A finding for every reason why facts could not be read: it blocks the writes that rest on them (rule R4).

    A server that does not answer gives one finding that lists what is missing, not one for each fact.
    """
    by_reason: dict[str, list[str]] = {}
    for key, reason in facts.unknowns(keys).items():
        by_reason.setdefault(reason, []).append(key)
    findings = []
    for reason, missing in by_reason.items():
        seen, _, step = reason.partition(". Next: ")
        server = missing[0].split("/")[1] if missing[0].startswith("server/") else ""
        names = ", ".join(_short(key) for key in missing)
        findings.append(UNKNOWN(seen, remedy=step, server=server, phase=phase, missing=names))
    return findings


def _short(key: str) -> str:
    parts = key.split("/")
    return f"{parts[2]} of {parts[1].split('.')[0]}" if parts[0] == "server" and len(parts) > 2 else key


def ucs_gate(d: Scope, facts: Facts, phase: str) -> list[Finding]:
    """The gate of rule R15: contact lists move to Exchange by themselves once Lync reaches it, and nothing brings them back.

    | policies with UcsAllowed=True | params `policy.ucs` | finding |
    | --- | --- | --- |
    | none | any | ok |
    | some | block | blocker |
    | some | staged | ok: the first change of the Autodiscover phase sets them to False |
    | some | migrate_now | warning |
    | unknown | any but migrate_now | unknown |
    """
    fact = facts[lync.USER_POLICIES]
    if d.policy.ucs == "migrate_now":
        return [UCS_NOW("policy.ucs: migrate_now", phase=phase)]
    if not isinstance(fact, Known):
        return [UCS_UNKNOWN(fact.reason if isinstance(fact, Unknown) else "no policy was listed", phase=phase)]
    allowed = ucs_policies(facts)
    if not allowed:
        return [UCS_NONE(phase=phase)]
    kind = UCS_STAGED if d.policy.ucs == "staged" else UCS_BLOCKED
    return [kind(f"UcsAllowed=True in {', '.join(allowed)}", phase=phase)]


def ucs_policies(facts: Facts) -> list[str]:
    """The user services policies that allow the unified contact store."""
    return [policy.identity for policy in facts.value(lync.USER_POLICIES, []) if policy.ucs_allowed]


def waiting(
    phase: str, change_id: str, title: str, target: str, facts: Facts, in_place: Mapping[str, Any], settle: Settle
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
            rests_on=wanted(in_place),
            after=wanted(in_place),
            settled_when=settle,
            irreversible="nothing to undo: it only waits",
        )
    ]


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
    key: Key[Document],
    *,
    server: str,
    application_id: str,
    realm: str,
    thumbprints: Sequence[str] | None,
    at: datetime | None,
) -> list[Finding]:
    """What is to be said of one metadata document as one server got it (fact F13)."""
    fact, got = facts[key], facts.value(key)
    if isinstance(fact, Unknown):
        return [UNREACHABLE(fact.reason, server=server, phase=phase)]
    if got is None or at is None:
        return []
    if got.problem:
        return [NOT_ONE(got.problem, server=server, phase=phase, url=got.url)]
    rows = metadata.judge(
        metadata.parse(got.document, source=got.url),
        application_id=application_id,
        realm=realm or None,
        expected_thumbprints=thumbprints,
        host=urlsplit(got.url).hostname or "",
        at=at,
    )
    return judged(phase, f"{phase}.metadata", f"The document {got.url}", rows, server)
