"""Change control of one run: which plan counts, whose word it has, what the journal says was done, when to stop.

| approval | check | apply | back-out of what the journal says this run did |
| --- | --- | --- | --- |
| required | planned anew; kept until one is approved | exactly the approved plan | as approved with the plan |
| not required | planned anew; kept until one is begun | planned anew on the facts of the moment | as planned with each change |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from s2slib.facts import Facts, Json
from s2slib.records.files import write_json
from s2slib.records.journal import Journal, verify
from s2slib.runbook import acceptance, approval
from s2slib.runbook.acceptance import Operator
from s2slib.runbook.approval import Approval, ApprovalError
from s2slib.runbook.change import Change
from s2slib.runbook.execute import restarts
from s2slib.runbook.finding import Finding
from s2slib.runbook.history import History
from s2slib.runbook.lock import Holder, Refused
from s2slib.runbook.phases import whole_plan
from s2slib.runbook.plan import Plan, PlanError, back_out_of
from s2slib.runbook.scope import EXPORT_FILE, Scope, export_path

PLAN = "plan.json"
STOP = "stop.json"


class ChangeControl:
    """The plan, approval, history and stop request of one run folder."""

    def __init__(
        self,
        scope: Scope,
        folder: Path,
        journal: Journal,
        operator: Operator,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._scope = scope
        self._folder = folder
        self._journal = journal
        self._operator = operator
        self._now = now
        self.history = History()
        self._approved: Mapping[str, Json] = {}  # the approval that the journal recorded last
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again: another process may have gone on with this run. JournalError when it does not verify."""
        entries = self._journal.entries()
        self.history = History.of(entries)
        words = [entry.data for entry in entries if entry.event == "approved"]
        self._approved = words[-1] if words else {}

    def recorded_plan(self) -> Plan | None:
        """The plan in the run folder; None when there is none. PlanError when it was changed or is another version's."""
        file = self._folder / PLAN
        if not file.exists():
            return None
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PlanError(f"{PLAN} cannot be read: {type(error).__name__}") from None
        if not isinstance(data, dict):
            raise PlanError(f"{PLAN} is not a plan")
        return Plan.from_json(data)

    @property
    def approval(self) -> Approval | None:
        """The approval in the run folder."""
        return approval.load(self._folder)

    def fresh_plan(self, facts: Facts) -> Plan:
        """The whole plan on these facts; kept as the run's plan unless one is approved or has been begun."""
        plan = whole_plan(self._scope, facts)
        if self.approval is None and not self.history.begun:
            write_json(self._folder / PLAN, {**plan.to_json(), "hash": plan.hash})
        return plan

    def plan_to_apply(self, facts: Facts) -> Plan:
        """The plan that apply carries out: the approved one where approval is required, else one of this moment."""
        if self._scope.policy.approval == "required":
            recorded = self.recorded_plan()
            if recorded is not None:
                return recorded
        return self.fresh_plan(facts)

    def approve(self, *, approver: str, ticket: str, not_before: str, not_after: str) -> Approval:
        """Record an approval of the run's plan; ApprovalError or PlanError when that cannot be, and nothing is recorded."""
        plan = self.recorded_plan()
        if plan is None:
            raise ApprovalError("this run has no plan yet: make one first (s2s plan)")
        if not plan.changes:
            raise ApprovalError("this plan changes nothing: there is nothing to approve")
        if self.history.begun:
            raise ApprovalError(
                'this run has been begun, and an approval comes before that: make a new plan (s2s plan, or run_folder = "new")'
            )
        given = approval.given(
            plan.hash,
            approver=approver,
            ticket=ticket,
            not_before=not_before,
            not_after=not_after,
            account=self._operator.account,
            host=self._operator.host,
            now=self._now(),
        )
        kept = self.approval
        if kept is not None and given.says_the_same_as(kept) and self._approved == kept.to_json():
            return kept
        self._approved = self._journal.append("approved", **given.to_json()).data
        given = Approval.from_json(self._approved)
        approval.save(self._folder, given)
        return given

    def approved(self, plan: Plan | None) -> list[Finding]:
        """What stands against the approval; no server is contacted."""
        if plan is None:
            return []
        return acceptance.approved(self._scope, plan, self.approval, self._approved, self._operator, self._now())

    def moved(self, plan: Plan, facts: Facts) -> list[Finding]:
        """What has changed since the plan was made."""
        return acceptance.moved(self._scope, plan, facts, self.history, self.known())

    def known(self) -> dict[str, Json]:
        """Values that depend on the run and stand in commands as `Later`."""
        return {EXPORT_FILE: export_path(self._folder.name)}

    def back_out(self) -> tuple[Change, ...]:
        """The changes that undo what this run did, newest first, those already done left out; Refused when they may not run."""
        written = self.history.written()
        if self._scope.policy.approval == "required" and written:
            plan = self.recorded_plan()
            approved = {change.id: change.to_json() for change in plan.changes} if plan else {}
            strange = [change.id for change in written if approved.get(change.id) != change.to_json()]
            if strange or plan is None or self._approved.get("plan_hash") != plan.hash:
                raise Refused(
                    "the journal holds changes that are not in the approved plan "
                    f"({', '.join(strange) or 'no approved plan'}): their back-out was not approved"
                )
        later = self._later_runs()
        if later:
            raise Refused(f"{later[0]} changed this deployment after this run: back that run out first")
        return tuple(change for change in back_out_of(written) if not self.history.is_done(change.id))

    def _later_runs(self) -> list[str]:
        """Runs of this deployment that began changes after this run's first one and were not backed out, newest first."""
        mine = min((item.at for item in self.history.begun.values()), default=None)
        found = []
        for folder in self._folder.parent.iterdir() if mine else ():
            file = folder / "journal.jsonl"
            if folder.name == self._folder.name or not file.is_file() or f"-{self._scope.name}-" not in folder.name:
                continue
            other = History.of(verify(file))
            began = min((item.at for item in other.begun.values()), default=None)
            left = [c for c in other.written() if any(step.id not in other.over for step in c.undo)]
            if began is not None and mine is not None and began > mine and left:
                found.append((began, folder.name))
        return [name for _, name in sorted(found, reverse=True)]

    def gate(self, deadline: float, clock: Callable[[], float]) -> Callable[[Change], str]:
        """A reason not to start a change now: a stop request, a deadline, or no time left in the window (O15)."""
        limit = self.approval if self._scope.policy.approval == "required" else None

        def reason(change: Change) -> str:
            if self.stop_request():
                return f"{self.stop_request()}; s2s resume {self._folder.name} goes on"
            if clock() >= deadline:
                return "the deadline of this phase or run is over (network.timeouts_s)"
            if limit is None or change.id.startswith("undo."):
                return ""
            left_s = (limit.not_after - self._now()).total_seconds()
            if left_s <= 0:
                return f"the window is over ({limit.not_after.isoformat()})"
            need_s = self.longest_s(change) + sum(self.longest_s(step) for step in self._restarts_back(change))
            if change.users_notice and left_s < need_s:
                return f"{round(left_s / 60)} minutes are left in the window; this and its back-out may take {need_s // 60}"
            return ""

        return reason

    def _restarts_back(self, change: Change) -> list[Change]:
        """The restarts that backing out would take, once this one has been made."""
        touched = {change.target, *(c.target for c in self.history.written() if c.users_notice)}
        undone = back_out_of(self.history.written())
        return [step for step in undone if step.users_notice and step.target in touched]

    def longest_s(self, change: Change) -> int:
        """Seconds that a change may take by its deadlines, waiting included."""
        timeouts = self._scope.deployment.network.timeouts_s
        steps = sum(timeouts.iis_restart if restarts(s) else timeouts.command for s in change.steps)
        return steps + self.waits_s(change)

    def waits_s(self, change: Change) -> int:
        """Seconds that a change is waited for at most: replication, health."""
        settle = self._scope.deployment.network.timeouts_s.settle
        return min(change.settled_when.within_s, settle) if change.settled_when else 0

    def record_unlock(self, holder: Holder) -> None:
        """Journal that a dead writer's record was removed by hand."""
        self._journal.append("note", note=f"unlocked by {self._operator.account}: the record of {holder} was removed")

    def stop_request(self) -> str:
        """Who asked to stop, and when; empty when nobody did."""
        try:
            data = json.loads((self._folder / STOP).read_text(encoding="utf-8"))
            return f"a stop was asked for by {data['account']} at {data['at']}"
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError):
            return "a stop was asked for"

    def ask_to_stop(self) -> None:
        """Ask the writer to stop before its next change."""
        at = self._now().isoformat(timespec="seconds")
        write_json(self._folder / STOP, {"account": self._operator.account, "host": self._operator.host, "at": at})

    def clear_stop(self) -> None:
        """Take a stop request back."""
        (self._folder / STOP).unlink(missing_ok=True)
