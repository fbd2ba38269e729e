"""What several phases judge alike: unknown facts, the gate of the unified contact store, realms."""

from __future__ import annotations

from collections.abc import Iterable

from s2slib.facts import Facts, Known, Unknown
from s2slib.products import exchange, lync
from s2slib.runbook.finding import Finding
from s2slib.runbook.scope import Scope


def unknown_findings(phase: str, facts: Facts, keys: Iterable[str]) -> list[Finding]:
    """One finding for every key that could not be read: it blocks the writes that rest on it (P4)."""
    return [
        Finding(
            f"{phase}.unknown",
            "unknown",
            phase,
            f"{key} could not be read",
            seen=reason,
            expected="an answer, whatever it says",
            remedy="put right what kept the server from answering, then run the notebook again; nothing was assumed",
        )
        for key, reason in facts.unknowns(keys).items()
    ]


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
