"""A plan as a change board reads it: affected systems, implementation, test and back-out plan, each line as one would type it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from s2slib.facts import Facts, Json, Known
from s2slib.products import lync
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.expect import show, show_fact
from s2slib.runbook.model.finding import Finding, blocking
from s2slib.runbook.model.plan import Plan
from s2slib.runbook.phases import PHASES
from s2slib.runbook.reading.scope import Scope
from s2slib.show.render import Heading, Lines, Part, Table, View
from s2slib.show.views import counted


class Limits(Protocol):
    """How long a change may take by its deadlines, in seconds: waiting for it, and all of it."""

    def waits_s(self, change: Change) -> int: ...

    def longest_s(self, change: Change) -> int: ...


def plan_ticket(
    d: Scope, plan_hash: str, plan: Plan, facts: Facts, findings: Iterable[Finding], limits: Limits
) -> View:
    """The whole plan for a change ticket; what blocks it stands on top.

    `plan` may have the run's own values put in for reading; `plan_hash` is that of the plan as approved. `facts` are
    those it was planned on.
    """
    against = blocking(findings)
    parts: list[Part] = [
        f"{d.lync.product} and {d.exchange.product} trust each other with OAuth (server to server).",
        f"Plan {plan_hash}",
    ]
    if against:
        parts += [Heading("Blocks this plan"), _against(against)]
    if not plan.changes:
        parts += [Heading("Nothing to change"), _reasons(plan)]
        return View(f"Change {d.name}", "nothing to do", tuple(parts))
    parts += [Heading("Affected systems"), _systems(d, plan, limits)]
    parts += [Heading("Implementation plan"), *_steps(plan.changes, facts, limits)]
    parts += [Heading("Test plan"), *_tests(d)]
    parts += [Heading("Back-out plan"), *_back_out(plan, limits)]
    parts += [Heading("Nothing to do in"), _reasons(plan)]
    state = "blocked" if against else counted(len(plan.changes), "change")
    return View(f"Change {d.name}", state, tuple(parts))


def back_out_view(changes: tuple[Change, ...], cannot_undo: Iterable[str], limits: Limits) -> View:
    """The back-out as it would run now, newest first."""
    if not changes:
        return View("Back-out", "nothing to do", ("This run left nothing that its back-out would take back.",))
    return View("Back-out", counted(len(changes), "step"), tuple(_undo_parts(changes, tuple(cannot_undo), limits)))


def page(view: View, title: str) -> str:
    """A view as a whole HTML page that needs nothing else."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{title}</title></head><body style="max-width:70em;margin:2em auto;padding:0 1em">'
        f"{view._repr_html_()}</body></html>\n"
    )


def _against(findings: list[Finding]) -> Table:
    rows = tuple((f.level, f.server.split(".")[0], f.title, f.seen, f.expected, f.remedy) for f in findings)
    return Table(("level", "server", "finding", "seen", "expected", "what to do"), rows, 0)


def _systems(d: Scope, plan: Plan, limits: Limits) -> Table:
    rows = []
    for server in d.all_servers:
        here = [change for change in plan.changes if server in {step.server for step in change.steps}]
        notice = [f"{c.users_notice} (at most {_minutes(limits.longest_s(c))})" for c in here if c.users_notice]
        what = "; ".join(change.title for change in here) or "read only"
        rows.append((server, what, "; ".join(notice) or "nothing"))
    return Table(("server", "what happens on it", "what users notice"), tuple(rows))


def _steps(changes: tuple[Change, ...], facts: Facts, limits: Limits) -> list[Part]:
    parts: list[Part] = []
    for number, change in enumerate(changes, 1):
        parts += _step(number, change, facts, limits)
        facts = change.project(facts)
    return parts


def _step(number: int, change: Change, facts: Facts, limits: Limits) -> list[Part]:
    rows = [("on", change.target), ("why", change.reason)]
    rows += _before_after(change, facts)
    if change.settled_when:
        rows.append(("waits until", f"{change.settled_when.what}, at most {_minutes(limits.waits_s(change))}"))
    rows.append(("users notice", change.users_notice or "nothing"))
    if change.hold_before:
        rows.append(("holds before", "until a person confirms: drained, monitoring in maintenance, copies healthy"))
    rows.append(("takes", f"at most {_minutes(limits.longest_s(change))}"))
    rows.append(("proven by", change.proven_by))
    rows.append(("undone by", _undone_by(change)))
    lines = tuple(step.render() for step in change.steps)
    return [
        Heading(f"{number}. {change.title}"),
        Lines(lines) if lines else "(no command: it only waits)",
        Table(("", ""), tuple(rows)),
    ]


def _before_after(change: Change, facts: Facts) -> list[tuple[str, str]]:
    rows = []
    for key, expected in change.after.items():
        before, after = _before(facts, key, expected), show(expected)
        if before != after:
            rows.append((key, f"{_short(before)} -> {after}" if before else after))
    return rows


def _before(facts: Facts, key: str, expected: Json) -> str:
    """What is there before, as far as the change is about it."""
    if key not in facts:
        return ""
    fact = facts[key]
    if isinstance(fact, Known) and isinstance(fact.value, Mapping) and isinstance(expected, Mapping):
        told = {name: fact.value[name] for name in expected if name in fact.value}
        return show(told) if told else show_fact(fact)
    return show_fact(fact)


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]} ... [cut: 300 of {len(text)} characters shown]"


def _undone_by(change: Change) -> str:
    steps = "; ".join(undo.title for undo in change.undo)
    return "; ".join(text for text in (steps, change.irreversible) if text) or "nothing to undo"


def _tests(d: Scope) -> list[Part]:
    users = ", ".join(user.sip_uri for user in d.deployment.test_users)
    return [
        "Keys: both metadata documents, fetched from every server, carry the keys that the other side has stored.",
        f"Replicas: Get-CsPartnerApplication -LocalStore on {', '.join(d.front_ends)}.",
        f"Test-CsExStorageConnectivity on each front end for {users}. It writes one item into the mailbox and deletes it.",
        Lines(
            tuple(
                f"{lync.storage_connectivity_test(sip_uri).render()}   # on {front_end}"
                for front_end in d.front_ends
                for sip_uri in d.deployment.sip_uris_for(front_end)
            )
        ),
        "Exchange to Lync is configured and its keys are compared; no product test exercises that direction.",
    ]


def _back_out(plan: Plan, limits: Limits) -> list[Part]:
    undo = plan.back_out()
    rule = "Newest first; each step only where this run made the change, and only if nobody changed it since."
    return [rule, *(_undo_parts(undo, plan.cannot_undo, limits) or ["There is nothing that a back-out would run."])]


def _undo_parts(changes: tuple[Change, ...], cannot_undo: tuple[str, ...], limits: Limits) -> list[Part]:
    parts: list[Part] = []
    for number, change in enumerate(changes, 1):
        condition = ", only if it works with what is taken back" if change.only_if else ""
        notice = f"; users notice: {change.users_notice}" if change.users_notice else ""
        where = f"on {change.target}, at most {_minutes(limits.longest_s(change))}{condition}{notice}"
        parts += [f"{number}. {change.title} ({where})", Lines(tuple(step.render() for step in change.steps))]
    if cannot_undo:
        parts += ["Cannot be undone:", Lines(cannot_undo)]
    return parts


def _reasons(plan: Plan) -> Table:
    titles = {phase.name: phase.title for phase in PHASES}
    return Table(("phase", "why"), tuple((titles.get(name, name), reason) for name, reason in plan.reasons))


def _minutes(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"
