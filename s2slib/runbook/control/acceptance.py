"""Would a plan be carried out now? The approval, its window, the people, and every change against the facts of this moment.

| what is looked at | refused when |
| --- | --- |
| policy | an approval was wanted when the run was made, and now is not |
| approval | wanted and missing; for another plan hash; not, word for word, the one that the journal recorded |
| window | not open yet, or over |
| two persons | wanted, and the account that recorded the approval, or its approver's name, is the operator's |
| deployment | the params file declares something else than was planned for |
| each change, in order, on the facts that those before it leave | the one rule says moved, or blocked by an unknown |
| a plan made anew from these facts | holds a change that the approved one does not |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from s2slib.facts import Facts
from s2slib.runbook.control.approval import Approval
from s2slib.runbook.control.history import History
from s2slib.runbook.control.lock import UNKNOWN
from s2slib.runbook.model.change import Change, Verdict, rule
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.model.plan import Plan
from s2slib.runbook.model.record import Operator
from s2slib.runbook.phases import whole_plan
from s2slib.runbook.reading.scope import Scope
from s2slib.typed import to_json

PHASE = "plan"


def approved(
    d: Scope,
    plan: Plan,
    approval: Approval | None,
    recorded: Mapping[str, object],
    operator: Operator,
    now: datetime,
    *,
    made_under: str,
) -> list[Finding]:
    """What stands against the approval, without contacting a server.

    `recorded`: the approval as the journal has it. `made_under`: the policy that the run was made with; a parameter or
    an edited file cannot take back that it wants an approval.
    """
    wanted = made_under == "required" or approval is not None or bool(recorded)
    if d.policy.approval == "not_required":
        return [_withdrawn()] if wanted else []
    if plan.fingerprint != d.deployment.fingerprint():
        return [_other_declaration(d, plan)]
    if approval is None:
        return [
            _refusal(
                "approval.missing",
                "This plan is not approved",
                "no approval in the run folder",
                f"an approval of plan {plan.hash[:12]} (policy.approval: required)",
                "s2s approve RUN, by somebody who may",
            )
        ]
    findings = []
    journalled = str(recorded.get("plan_hash", ""))
    if approval.plan_hash != plan.hash or journalled != plan.hash:
        findings.append(
            _refusal(
                "approval.other_plan",
                "The approval is for another plan",
                f"approved {approval.plan_hash[:12]}, in the journal {journalled[:12] or 'none'}",
                f"plan {plan.hash[:12]}",
                "have this plan approved, or make a new run",
            )
        )
    elif changed := _not_as_recorded(to_json(approval), recorded):
        findings.append(
            _refusal(
                "approval.changed",
                "The approval is not the one that was recorded",
                "; ".join(f"{name}: {seen}" for name, seen, _ in changed),
                "; ".join(f"{name}: {said}" for name, _, said in changed) + ", as the journal has it",
                "have this plan approved again (s2s approve RUN)",
            )
        )
    findings += _window(approval, now)
    findings += _two_persons(d, approval, operator)
    return findings


def _withdrawn() -> Finding:
    return _refusal(
        "approval.withdrawn",
        "This run was made under policy.approval: required",
        "policy.approval: not_required",
        "required, as when the run was made",
        "make a new run for the changed policy",
    )


def _other_declaration(d: Scope, plan: Plan) -> Finding:
    return _refusal(
        "plan.declaration",
        "The params file declares something else than this plan was made for",
        d.deployment.fingerprint()[:12],
        plan.fingerprint[:12],
        "make a new plan",
    )


def _not_as_recorded(seen: Mapping[str, object], recorded: Mapping[str, object]) -> list[tuple[str, object, object]]:
    return [(name, seen.get(name), said) for name, said in recorded.items() if seen.get(name) != said]


def _window(approval: Approval, now: datetime) -> list[Finding]:
    window = f"{approval.not_before.isoformat()} to {approval.not_after.isoformat()}"
    seen = f"it is {now.isoformat(timespec='seconds')}"
    if now < approval.not_before:
        return [_refusal("approval.too_early", "The window is not open yet", seen, window, "wait for the window")]
    if now >= approval.not_after:
        return [
            _refusal("approval.over", "The window is over", seen, window, "have the plan approved for a new window")
        ]
    return []


def _two_persons(d: Scope, approval: Approval, operator: Operator) -> list[Finding]:
    same = operator.account.casefold() in (approval.account.casefold(), approval.approver.casefold(), UNKNOWN)
    if not d.policy.two_persons or not same:
        return []
    return [
        _refusal(
            "approval.one_person",
            "Two persons are wanted, and there is one",
            f"approved by {approval.approver}, recorded by account {approval.account}; the operator is {operator.account}",
            "an approver who is not the operator (policy.two_persons: true)",
            "let somebody else record the approval, or carry the plan out",
        )
    ]


def moved(d: Scope, plan: Plan, facts: Facts, history: History, known: dict[str, object]) -> list[Finding]:
    """What has changed since the plan was made, change by change, on the facts that the changes before leave."""
    findings = []
    now = facts
    for change in plan.changes:
        bound = change.bind({**known, **history.bound})
        begun = history.begun.get(change.id)
        ruling = rule(bound, now, begun=begun is not None and begun.may_have_written)
        if ruling.verdict in (Verdict.MOVED, Verdict.BLOCKED):
            findings += [_moved(change, ruling.verdict, row) for row in ruling.against]
        now = bound.project(now)
    planned = {change.id for change in plan.changes}
    findings += [
        _refusal(
            f"plan.more.{change.id}",
            f"A change is needed that this plan does not have: {change.title}",
            change.reason,
            "nothing but what was planned",
            "make a new plan, and have it approved",
            change.target,
        )
        for change in _writes(whole_plan(d, facts).changes)
        if change.id not in planned
    ]
    return findings


def _writes(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.steps]


def _moved(change: Change, verdict: Verdict, row: tuple[str, str, str]) -> Finding:
    key, seen, expected = row
    is_moved = verdict is Verdict.MOVED
    return Finding(
        f"plan.{'moved' if is_moved else 'unknown'}.{change.id}",
        "blocker" if is_moved else "unknown",
        PHASE,
        f"{change.title}: {key} {'is not as planned' if is_moved else 'is not known'}",
        seen,
        expected,
        "make a new plan" if is_moved else "put right what kept the server from answering, then run this again",
        change.target,
    )


def _refusal(finding_id: str, title: str, seen: str, expected: str, remedy: str, server: str = "") -> Finding:
    return Finding(finding_id, "blocker", PHASE, title, seen, expected, remedy, server)
