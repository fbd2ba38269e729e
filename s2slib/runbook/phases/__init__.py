"""The phases of the procedure, in the order they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from s2slib.facts import Facts
from s2slib.products import lync
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.expect import lacks
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.model.plan import Plan
from s2slib.runbook.phases import (
    autodiscover,
    certificates,
    exchange_partner_application,
    lync_partner_application,
    preflight,
    restart_iis,
)
from s2slib.runbook.phases.common import ucs_policies
from s2slib.runbook.phases.export import with_export
from s2slib.runbook.reading.scope import Scope

Planned = tuple[list[Change], str]


@dataclass(frozen=True)
class Phase:
    """One step of the procedure: `judge` and `plan` are pure. `plan` gives changes, or none and the reason why."""

    name: str
    title: str
    notebook: str
    judge: Callable[[Scope, Facts], list[Finding]]
    plan: Callable[[Scope, Facts], Planned]


def _nothing(_d: Scope, _facts: Facts) -> Planned:
    return [], "this phase only reads"


PHASES: tuple[Phase, ...] = (
    Phase("preflight", "Check names, rights, versions, clocks and policies", "10_preflight", preflight.judge, _nothing),
    Phase("certificates", "Signing certificates", "20_certificates", certificates.judge, certificates.plan),
    Phase("autodiscover", "Autodiscover", "30_autodiscover", autodiscover.judge, autodiscover.plan),
    Phase(
        "exchange_partner_application",
        "Lync Server as partner application of Exchange",
        "40_exchange_partner_application",
        exchange_partner_application.judge,
        exchange_partner_application.plan,
    ),
    Phase(
        "restart_iis",
        "Restart IIS on the Exchange servers that need it",
        "50_restart_iis",
        restart_iis.judge,
        restart_iis.plan,
    ),
    Phase(
        "lync_partner_application",
        "Exchange as partner application of Lync Server",
        "60_lync_partner_application",
        lync_partner_application.judge,
        lync_partner_application.plan,
    ),
)


GATED = (exchange_partner_application.NAME, restart_iis.NAME, lync_partner_application.NAME)


def phase(name: str) -> Phase:
    """A phase by name; KeyError names the ones there are."""
    for candidate in PHASES:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no phase {name!r}; phases are {', '.join(p.name for p in PHASES)}")


def whole_plan(d: Scope, facts: Facts) -> Plan:
    """One ordered plan over all phases by projection: each is planned on the state that the earlier ones will leave."""
    changes: list[Change] = []
    reasons: list[tuple[str, str]] = []
    read = facts
    for step in PHASES:
        planned, reason = step.plan(d, facts)
        others = [change for change in planned if not _in_reach(d, change)]
        planned = [_gated(d, change) for change in planned if _in_reach(d, change)]
        for change in planned:
            facts = change.project(facts)
        changes += planned
        if others:
            reason = f"the other side's administrators make it: {'; '.join(change.title for change in others)}"
        if not planned or others:
            reasons.append((step.name, reason))
    changes = with_export(d, read, changes)
    return Plan(d.name, tuple(changes), tuple(reasons), d.deployment.fingerprint(), _cannot_undo(d, facts, changes))


def _gated(d: Scope, change: Change) -> Change:
    """The change, resting on it that no policy lets contact lists migrate, where it would let Lync reach Exchange (rule R15)."""
    if d.policy.ucs == "migrate_now" or change.phase not in GATED or not change.steps:
        return change
    return replace(change, rests_on={**change.rests_on, lync.USER_POLICIES: lacks({"ucs_allowed": True})})


def _in_reach(d: Scope, change: Change) -> bool:
    """Whether this run may log on to every server that a change, or its waiting, goes to (`policy.scope`)."""
    return {step.server for step in change.steps} | {change.target} <= set(d.reached)


def _cannot_undo(d: Scope, facts: Facts, changes: list[Change]) -> tuple[str, ...]:
    """What no back-out restores, in words for the people who approve the plan."""
    rows = [f"{change.title}: {change.irreversible}" for change in changes if change.irreversible and change.steps]
    if changes and d.policy.ucs == "migrate_now" and ucs_policies(facts):
        rows.append(
            "Contact lists that have moved into the unified contact store stay there: "
            "Invoke-CsUcsRollback brings them back user by user, this back-out does not"
        )
    return tuple(rows)


def judge_all(d: Scope, facts: Facts) -> list[Finding]:
    """The findings of every phase on the facts as they are, in phase order."""
    return [finding for step in PHASES for finding in step.judge(d, facts)]
