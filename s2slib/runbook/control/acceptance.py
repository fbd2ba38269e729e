"""Would a plan be carried out now? The approval, its window, the people, and every change against the facts of this moment.

| what is looked at | refused when |
| --- | --- |
| policy | an approval was wanted when the run was made, and now is not |
| approval | wanted and missing; for another plan hash; not, word for word, the one that the journal recorded |
| reach | servers would be reached otherwise, or as somebody else, than when it was approved |
| window | not open yet, or over, by this machine's clock or a server's; or those differ by more than five minutes |
| two persons | wanted, and the account that recorded the approval, or its approver's name, is the operator's |
| deployment | the params file declares something else than was planned for |
| each change, in order, on the facts that those before it leave | the one rule says moved, or blocked by an unknown |
| a plan made anew from these facts | holds a change that the approved one does not |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from s2slib.facts import Facts
from s2slib.products.windows import CLOCK
from s2slib.runbook.control.approval import Approval
from s2slib.runbook.control.history import History
from s2slib.runbook.control.lock import UNKNOWN
from s2slib.runbook.model.change import Verdict, rule
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.model.plan import Plan
from s2slib.runbook.model.record import Operator
from s2slib.runbook.phases import whole_plan
from s2slib.runbook.reading.sameness import LARGEST_SKEW_S
from s2slib.runbook.reading.scope import Scope
from s2slib.typed import to_json

PHASE = "plan"
_F = Kinds(PHASE)
NO_PLAN = _F.blocker("plan.missing", "There is no plan", "plan.json", "s2s plan PARAMS")
BACKED_OUT = _F.blocker("plan.backed_out", "This run was backed out", "a run that goes on", "make a new plan")
NOT_APPROVED = _F.blocker(
    "approval.missing", "This plan is not approved", remedy="s2s approve RUN, by somebody who may"
)
OTHER_PLAN = _F.blocker(
    "approval.other_plan", "The approval is for another plan", remedy="have this plan approved, or make a new run"
)
CHANGED = _F.blocker(
    "approval.changed",
    "The approval is not the one that was recorded",
    remedy="have this plan approved again (s2s approve RUN)",
)
WITHDRAWN = _F.blocker(
    "approval.withdrawn",
    "This run was made under policy.approval: required",
    "required, as when the run was made",
    "make a new run for the changed policy",
)
OTHER_DECLARATION = _F.blocker(
    "plan.declaration",
    "The params file declares something else than this plan was made for",
    remedy="make a new plan",
)
TOO_EARLY = _F.blocker("approval.too_early", "The window is not open yet", remedy="wait for the window")
OVER = _F.blocker("approval.over", "The window is over", remedy="have the plan approved for a new window")
ONE_PERSON = _F.blocker(
    "approval.one_person",
    "Two persons are wanted, and there is one",
    "an approver who is not the operator (policy.two_persons: true)",
    "let somebody else record the approval, or carry the plan out",
)
OTHER_REACH = _F.blocker(
    "approval.other_reach",
    "How the servers are reached, or as whom, is not what was approved",
    "the addresses, transports, proxy, CA file and credential references of the approval",
    "put the run's declaration back, or make a new plan and have it approved",
)
CLOCK_DIFFERS = _F.blocker(
    "approval.clock",
    "This machine's clock and a server's differ: which of them the window goes by is not known",
    f"within {LARGEST_SKEW_S} s",
    "w32tm /query /status on the server; set the clock of whichever is off",
)
MORE = _F.blocker(
    "plan.more.<change>",
    "A change is needed that this plan does not have: {title}",
    "nothing but what was planned",
    "make a new plan, and have it approved",
)
MOVED = _F.blocker("plan.moved.<change>", "{title}: {key} is not as planned", remedy="make a new plan")
NOT_KNOWN = _F.unknown(
    "plan.unknown.<change>",
    "{title}: {key} is not known",
    remedy="put right what kept the server from answering, then run this again",
)


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
        return [WITHDRAWN("policy.approval: not_required")] if wanted else []
    if plan.fingerprint != d.deployment.fingerprint():
        return [OTHER_DECLARATION(d.deployment.fingerprint()[:12], plan.fingerprint[:12])]
    if approval is None:
        expected = f"an approval of plan {plan.hash[:12]} (policy.approval: required)"
        return [NOT_APPROVED("no approval in the run folder", expected)]
    findings = []
    if approval.reach_hash != d.deployment.reach_fingerprint():
        seen = f"fingerprint {d.deployment.reach_fingerprint()[:12]}, approved {approval.reach_hash[:12]}"
        findings.append(OTHER_REACH(seen))
    journalled = str(recorded.get("plan_hash", ""))
    if approval.plan_hash != plan.hash or journalled != plan.hash:
        seen = f"approved {approval.plan_hash[:12]}, in the journal {journalled[:12] or 'none'}"
        findings.append(OTHER_PLAN(seen, f"plan {plan.hash[:12]}"))
    elif changed := _not_as_recorded(to_json(approval), recorded):
        seen = "; ".join(f"{name}: {now}" for name, now, _ in changed)
        said = "; ".join(f"{name}: {then}" for name, _, then in changed)
        findings.append(CHANGED(seen, f"{said}, as the journal has it"))
    return [*findings, *_window(approval, now), *_two_persons(d, approval, operator)]


def clocks(d: Scope, approval: Approval | None, facts: Facts, now: datetime) -> list[Finding]:
    """The window by the servers' clocks: this machine's alone could be set."""
    findings: list[Finding] = []
    if approval is None:
        return findings
    for server in d.reached:
        clock = facts.value(CLOCK.on(server))
        if clock is None:
            continue
        there = now + timedelta(seconds=clock.offset_s)
        if abs(clock.offset_s) > LARGEST_SKEW_S:
            seen = f"{there.isoformat(timespec='seconds')} there, {now.isoformat(timespec='seconds')} here"
            findings.append(CLOCK_DIFFERS(seen, server=server))
        else:
            findings += [replace(found, server=server) for found in _window(approval, there)]
    return findings


def _not_as_recorded(seen: Mapping[str, object], recorded: Mapping[str, object]) -> list[tuple[str, object, object]]:
    return [(name, seen.get(name), said) for name, said in recorded.items() if seen.get(name) != said]


def _window(approval: Approval, now: datetime) -> list[Finding]:
    window = f"{approval.not_before.isoformat()} to {approval.not_after.isoformat()}"
    seen = f"it is {now.isoformat(timespec='seconds')}"
    if now < approval.not_before:
        return [TOO_EARLY(seen, window)]
    return [OVER(seen, window)] if now >= approval.not_after else []


def _two_persons(d: Scope, approval: Approval, operator: Operator) -> list[Finding]:
    same = operator.account.casefold() in (approval.account.casefold(), approval.approver.casefold(), UNKNOWN)
    if not d.policy.two_persons or not same:
        return []
    said = f"approved by {approval.approver}, recorded by account {approval.account}"
    return [ONE_PERSON(f"{said}; the operator is {operator.account}")]


def moved(d: Scope, plan: Plan, facts: Facts, history: History, known: dict[str, object]) -> list[Finding]:
    """What has changed since the plan was made, change by change, on the facts that the changes before leave."""
    findings = []
    now = facts
    for change in plan.changes:
        bound = change.bind({**known, **history.bound})
        begun = history.begun.get(change.id)
        ruling = rule(bound, now, begun=begun is not None and begun.may_have_written)
        if ruling.verdict in (Verdict.MOVED, Verdict.BLOCKED):
            kind = MOVED if ruling.verdict is Verdict.MOVED else NOT_KNOWN
            findings += [
                kind(seen, expected, server=change.target, change=change.id, title=change.title, key=key)
                for key, seen, expected in ruling.against
            ]
        now = bound.project(now)
    planned = {change.id for change in plan.changes}
    return findings + [
        MORE(change.reason, server=change.target, change=change.id, title=change.title)
        for change in whole_plan(d, facts).changes
        if change.steps and change.id not in planned
    ]
