"""Change control of one run: which plan counts, whose word it has, what the journal says was done, when to stop.

| approval | check | apply | back-out of what the journal says this run did |
| --- | --- | --- | --- |
| required | planned anew | exactly the approved plan | as approved with the plan |
| not required | planned anew | planned anew on the facts of the moment | as planned with each change |

A plan becomes the run's (plan.json) where it is shown whole, until one is approved or begun; not by looking at a phase.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from s2slib.facts import Facts, Json
from s2slib.records.files import read_json, write_json
from s2slib.records.journal import Journal, JournalError, verify
from s2slib.runbook.control import acceptance, approval
from s2slib.runbook.control.approval import Approval, ApprovalError
from s2slib.runbook.control.history import History
from s2slib.runbook.control.lock import Holder, Refused
from s2slib.runbook.control.standing import PLAN_FILE as PLAN
from s2slib.runbook.control.standing import standing
from s2slib.runbook.model import limits
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.model.plan import Plan, PlanError, back_out_of
from s2slib.runbook.model.record import Operator
from s2slib.runbook.phases import whole_plan
from s2slib.runbook.reading.scope import EXPORT_FILE, Scope, export_path
from s2slib.typed import to_json
from s2slib.workspace import RunName

SHOWN = (PLAN, "plan.txt", "plan.html")
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
        made_under: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`made_under`: the approval policy that run.json says the run was made with; empty for a new run."""
        self._scope = scope
        self._made_under = made_under
        self._folder = folder
        self._journal = journal
        self._operator = operator
        self._now = now
        self.history = History()
        self._approved: Mapping[str, Json] = {}  # the approval that the journal recorded last
        self._planned: dict[str, Json] = {}  # SHA-256 of the files that show the plan
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again: another process may have gone on with this run. JournalError when it does not verify."""
        entries = self._journal.entries()
        self.history = History.of(entries)
        words = [entry.data for entry in entries if entry.event == "approved"]
        self._approved = words[-1] if words else {}
        plans = [entry.data for entry in entries if entry.event == "plan"]
        self._planned = dict(plans[-1]["files"]) if plans else {}

    def recorded_plan(self) -> Plan | None:
        """The plan in the run folder; None when there is none. PlanError when it was changed or is another version's."""
        file = self._folder / PLAN
        if not file.exists():
            return None
        try:
            data = read_json(file)
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
        """The whole plan on these facts."""
        return whole_plan(self._scope, facts)

    @property
    def may_keep_plan(self) -> bool:
        """Whether another plan may still become the run's: none is approved, and none was begun."""
        return not (self._folder / approval.FILE).exists() and not self._approved and not self.history.begun

    def keep_plan(self, plan: Plan) -> bool:
        """Make a plan the run's, where that is still open; whether it was done. Only who shows it whole does this.

        What the run folder shows of it (plan.json, plan.txt, plan.html) stands in the journal by its SHA-256.
        """
        if not self.may_keep_plan:
            return False
        write_json(self._folder / PLAN, {**plan.to_json(), "hash": plan.hash})
        shown = self._shown()
        if shown != self._planned:
            self._planned = dict(self._journal.append("plan", plan_hash=plan.hash, files=shown).data["files"])
        return True

    def _shown(self) -> dict[str, str]:
        files = [self._folder / name for name in SHOWN if (self._folder / name).exists()]
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def _refuse_edited(self, plan: Plan) -> None:
        """ApprovalError when what a person reads is not what was planned."""
        shown = self._shown()
        edited = sorted(name for name in {*shown, *self._planned} if shown.get(name) != self._planned.get(name))
        if edited:
            raise ApprovalError(
                f"{', '.join(edited)} is not as it was when plan {plan.hash[:12]} was made: make the plan again before "
                "approving it"
            )

    def plan_to_apply(self, facts: Facts) -> Plan:
        """The plan that apply carries out: the approved one where approval is required, else one of this moment."""
        if self._scope.policy.approval == "required":
            recorded = self.recorded_plan()
            if recorded is not None:
                return recorded
        return self.fresh_plan(facts)

    def approve(
        self, *, approver: str, ticket: str, not_before: str, not_after: str, shown: str | None = None
    ) -> Approval:
        """Record an approval of the run's plan; ApprovalError or PlanError when that cannot be, and nothing is recorded.

        `shown`: the hash of the plan that the approver has before their eyes, where that is known; no other is approved. A
        run that was begun under an approval may get another window for the same plan.
        """
        standing(self._folder).refuse_ended()
        if self._scope.policy.approval == "not_required":
            raise ApprovalError(
                f"{self._scope.name} wants no approval (policy.approval: not_required), so none would have an effect: "
                "declare approval: required and make a new plan"
            )
        plan = self.recorded_plan()
        if shown is not None and (plan is None or plan.hash != shown):
            mine = plan.hash[:12] if plan else "none"
            raise ApprovalError(
                f"the plan shown is {shown[:12]}, the run's is {mine}: show the run's plan before approving it"
            )
        if plan is None:
            raise ApprovalError("this run has no plan yet: make one first (s2s plan)")
        if not plan.changes:
            raise ApprovalError("this plan changes nothing: there is nothing to approve")
        if self.history.begun and self._approved.get("plan_hash") != plan.hash:
            raise ApprovalError(
                'this run has been begun without an approval of this plan: make a new one (s2s plan, or run_folder = "new")'
            )
        self._refuse_edited(plan)
        given = approval.given(
            plan.hash,
            self._scope.deployment.reach_fingerprint(),
            approver=approver,
            ticket=ticket,
            not_before=not_before,
            not_after=not_after,
            account=self._operator.account,
            host=self._operator.host,
            now=self._now(),
        )
        kept = self.approval
        if kept is not None and given.says_the_same_as(kept) and self._approved == to_json(kept):
            return kept
        self._approved = self._journal.append("approved", **to_json(given)).data
        given = approval.recorded(self._approved)
        approval.save(self._folder, given)
        return given

    def approved(self, plan: Plan | None) -> list[Finding]:
        """What stands against the approval; no server is contacted."""
        if plan is None:
            return []
        return acceptance.approved(
            self._scope,
            plan,
            self.approval,
            self._approved,
            self._operator,
            self._now(),
            made_under=self._made_under,
        )

    def moved(self, plan: Plan, facts: Facts) -> list[Finding]:
        """What has changed since the plan was made, and what the servers' clocks say of its window."""
        late = acceptance.clocks(self._scope, self.approval, facts, self._now())
        return [*late, *acceptance.moved(self._scope, plan, facts, self.history, self.known())]

    def known(self) -> dict[str, Json]:
        """Values that depend on the run and stand in commands as `Later`."""
        return {EXPORT_FILE: export_path(self._folder.name)}

    def back_out(self) -> tuple[Change, ...]:
        """The changes that undo what this run did, newest first, those already done left out; Refused when they may not run."""
        written = self.history.written()
        self._refuse_other_reach()
        if self._scope.policy.approval == "required" and written:
            plan = self.recorded_plan()
            approved = {change.id: to_json(change) for change in plan.changes} if plan else {}
            strange = [change.id for change in written if approved.get(change.id) != to_json(change)]
            if strange or plan is None or self._approved.get("plan_hash") != plan.hash:
                raise Refused(
                    "the journal holds changes that are not in the approved plan "
                    f"({', '.join(strange) or 'no approved plan'}): their back-out was not approved"
                )
        later = self._later_runs()
        if later:
            raise Refused(f"{later[0]} changed this deployment after this run: back that run out first")
        return tuple(step for step in back_out_of(written) if step.id not in self.history.over)

    def _refuse_other_reach(self) -> None:
        """Refused when a run that was approved would reach its servers otherwise, or as somebody else."""
        reach = self._scope.deployment.reach_fingerprint()
        if self._approved and self._approved.get("reach_hash") != reach:
            raise Refused(
                "how the servers are reached, or as whom, is not what was approved (deployment.json or the parameters were "
                "changed). Nothing was contacted"
            )

    def _later_runs(self) -> list[str]:
        """Runs of this deployment that began changes after this run's first one and were not backed out, newest first."""
        mine = min((item.at for item in self.history.begun.values()), default=None)
        found = []
        for folder in self._folder.parent.iterdir() if mine else ():
            file = folder / "journal.jsonl"
            name = RunName.parse(folder.name)
            if folder.name == self._folder.name or name is None or name.deployment != self._scope.name:
                continue
            try:
                other = History.of(verify(file))
            except JournalError as error:
                raise Refused(f"whether {folder.name} changed this deployment later is not known: {error}") from None
            began = min((item.at for item in other.begun.values()), default=None)
            left = [c for c in other.written() if any(step.id not in other.over for step in c.undo)]
            if began is not None and mine is not None and began > mine and left:
                found.append((began, folder.name))
        return [name for _, name in sorted(found, reverse=True)]

    def gate(self, deadline: float, clock: Callable[[], float], *, windowed: bool = True) -> Callable[[Change], str]:
        """A reason not to start a change now: a stop request, a deadline, or no time left in the window (rule R29).

        A back-out is not `windowed`: it stays approved past the window.
        """
        limit = self.approval if windowed and self._scope.policy.approval == "required" else None

        def reason(change: Change) -> str:
            if self.stop_request():
                return f"{self.stop_request()}; s2s resume {self._folder.name} goes on"
            if clock() >= deadline:
                return "the deadline of this phase or run is over (network.timeouts_s)"
            if limit is None:
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
        """Seconds that a change may take by its deadlines: its commands, its recovery, and waiting for it."""
        return limits.commands_s(self._scope.deployment.network.timeouts_s, change) + self.waits_s(change)

    def waits_s(self, change: Change) -> int:
        """Seconds that a change is waited for at most: replication, health."""
        settle = change.settled_when
        return limits.waits_s(self._scope.deployment.network.timeouts_s, settle) if settle else 0

    def note_dead_writer(self, holder: Holder) -> None:
        """Journal that a dead writer's lock was taken over."""
        self._journal.append("note", note=f"taken over from a writer that ended: {holder}")

    def record_unlock(self, holder: Holder) -> None:
        """Journal that a dead writer's record was removed by hand."""
        self._journal.append("note", note=f"unlocked by {self._operator.account}: the record of {holder} was removed")

    def stop_request(self) -> str:
        """Who asked to stop, and when; empty when nobody did."""
        try:
            data = read_json(self._folder / STOP)
            return f"a stop was asked for by {data['account']} at {data['at']}"
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError):
            return "a stop was asked for"

    def ask_to_stop(self) -> None:
        """Ask the writer to stop before its next change. A request that stands already stays as it is."""
        if self.stop_request():
            return
        at = self._now().isoformat(timespec="seconds")
        asker = {"account": self._operator.account, "host": self._operator.host, "process": os.getpid()}
        write_json(self._folder / STOP, {**asker, "at": at})

    def clear_stop(self, *, own: bool = False) -> None:
        """Take a stop request back; with `own` only if this process made it."""
        file = self._folder / STOP
        try:
            data = read_json(file)
            mine = data.get("process") == os.getpid() and data.get("host") == self._operator.host
        except (OSError, ValueError, AttributeError):
            mine = False
        if mine or not own:
            file.unlink(missing_ok=True)
