"""Facts, findings, plans, outcomes and verdicts as views."""

from __future__ import annotations

from collections.abc import Iterable

from s2slib.facts import Facts, Unknown
from s2slib.notebook.render import Fold, Lines, Part, Table, View
from s2slib.runbook.change import Change
from s2slib.runbook.execute import Outcome
from s2slib.runbook.expect import show, show_fact
from s2slib.runbook.finding import Finding, ordered, worst
from s2slib.runbook.plan import Plan
from s2slib.runbook.run import PhaseResult
from s2slib.runbook.verify import Verification


def facts_view(facts: Facts, servers: Iterable[str], seconds: int) -> View:
    """What was read, by server; unknown facts with their reasons, the rest folded."""
    unknown = [(key, fact.reason) for key, fact in sorted(facts.items()) if isinstance(fact, Unknown)]
    known = [(key, show_fact(fact)) for key, fact in sorted(facts.items()) if not isinstance(fact, Unknown)]
    parts: list[Part] = [f"{len(known)} facts from {', '.join(servers)}"]
    if unknown:
        parts += [f"{len(unknown)} could not be read:", Table(("fact", "reason"), tuple(unknown))]
    parts.append(Fold("every fact", (Table(("fact", "value"), tuple(known)),)))
    return View("What the servers say", "unknown" if unknown else "", tuple(parts))


def findings_view(title: str, findings: Iterable[Finding]) -> View:
    """Findings, gravest first; those that are in order folded."""
    rows = ordered(findings)
    open_rows = [_finding_row(finding) for finding in rows if finding.level != "ok"]
    fine = [_finding_row(finding) for finding in rows if finding.level == "ok"]
    header = ("level", "server", "finding", "seen", "expected", "what to do")
    parts: list[Part] = [Table(header, tuple(open_rows), 0)] if open_rows else ["Nothing against it."]
    if fine:
        parts.append(Fold(f"{len(fine)} in order", (Table(header, tuple(fine), 0),)))
    return View(title, worst(rows), tuple(parts))


def _finding_row(finding: Finding) -> tuple[str, ...]:
    server = finding.server.split(".")[0]
    return (finding.level, server, finding.title, finding.seen, finding.expected, finding.remedy)


def changes_view(title: str, changes: Iterable[Change], waits_for: Iterable[Change], reason: str) -> View:
    """Planned changes: target, reason, lines as one would type them, before and after, back-out."""
    changes, waits_for = tuple(changes), tuple(waits_for)
    parts: list[Part] = []
    if waits_for:
        parts.append(f"Waits for: {'; '.join(change.title for change in waits_for)}")
    if not changes:
        return View(title, "", (*parts, f"Nothing to do: {reason}"))
    for change in changes:
        parts += [
            f"{change.title} ({change.target.split('.')[0]})",
            Lines(tuple(step.render() for step in change.steps)),
        ]
        parts.append(Table(("", ""), _change_rows(change)))
    return View(title, counted(len(changes), "change"), tuple(parts))


def _change_rows(change: Change) -> tuple[tuple[str, str], ...]:
    rows = [("reason", change.reason), ("afterwards", "; ".join(f"{k}: {show(v)}" for k, v in change.after.items()))]
    if change.settled_when:
        rows.append(("settled when", f"{change.settled_when.what} (within {change.settled_when.within_s} s)"))
    if change.users_notice:
        rows.append(("users notice", change.users_notice))
    back = [step.render() for undo in change.undo for step in undo.steps]
    rows.append(("back-out", "\n".join([*back, *([change.irreversible] if change.irreversible else [])]) or "none"))
    return tuple(rows)


def plan_view(plan: Plan) -> View:
    """The whole plan, one row a change, and why the other phases have nothing to do."""
    rows = tuple((str(n), c.phase, c.target.split(".")[0], c.title) for n, c in enumerate(plan.changes, 1))
    reasons = tuple((phase, reason) for phase, reason in plan.reasons if reason)
    parts: list[Part] = [Table(("#", "phase", "server", "change"), rows)]
    parts.append(Fold("phases with nothing to do", (Table(("phase", "why"), reasons),)))
    return View(f"Plan {plan.hash[:12]}", counted(len(plan.changes), "change"), tuple(parts))


def result_view(result: PhaseResult) -> View:
    """What a phase did, or would do."""
    if result.outcomes:
        return View(result.title, result.state, (outcomes_table(result.outcomes), *_detail(result.detail)))
    shown = changes_view(result.title, result.planned, result.waits_for, result.reason)
    return View(result.title, result.state, (*_detail(result.detail), *shown.parts))


def _detail(detail: str) -> tuple[str, ...]:
    return (detail,) if detail else ()


def outcomes_table(outcomes: Iterable[Outcome]) -> Table:
    """Changes that ran: state, what was typed, seconds, how long users noticed."""
    rows = tuple(
        (
            outcome.state,
            outcome.title,
            "\n".join(outcome.lines),
            f"{outcome.seconds} s",
            "" if outcome.outage_s is None else f"{outcome.outage_s} s",
            outcome.detail,
        )
        for outcome in outcomes
    )
    return Table(("state", "change", "commands", "took", "outage", "detail"), rows, 0)


def verification_view(found: Verification) -> View:
    """The verdict on the trust and what it rests on."""
    title = "Trust proven: Lync -> Exchange" if found.proven else "Trust not proven"
    rows = findings_view(title, found.findings)
    tests = f"Test-CsExStorageConnectivity passed {found.storage_passed} of {found.storage_tests}"
    return View(title, "ok" if found.proven else rows.state, (tests, *rows.parts))


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
