"""One execution: reads, judges, plans and (in apply mode) changes, phase by phase, and keeps the run folder's record."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from s2slib.credentials.resolver import Resolver
from s2slib.deployment import Deployment
from s2slib.deployment.reach import NetworkPath, network_path, resolved_credentials
from s2slib.deployment.saved import FILE as DECLARATION
from s2slib.deployment.saved import save as save_declaration
from s2slib.facts import Facts, Known
from s2slib.records.files import write_json
from s2slib.records.instants import utc_text
from s2slib.records.journal import Journal, verify_end
from s2slib.records.redaction import Redactor
from s2slib.remoting.values.command import Effect
from s2slib.runbook import reach as reaching
from s2slib.runbook import verify as verification
from s2slib.runbook.control.acceptance import BACKED_OUT, NO_PLAN
from s2slib.runbook.control.control import ChangeControl
from s2slib.runbook.control.lock import Holder, Refused, account, writer_lock
from s2slib.runbook.model.change import Change, Verdict, rule
from s2slib.runbook.model.finding import Finding, blocking
from s2slib.runbook.model.outcome import Outcome, State
from s2slib.runbook.model.plan import Plan
from s2slib.runbook.model.record import (
    BACK_OUT,
    PLAN,
    Mode,
    Operator,
    PhaseRecord,
    PhaseState,
    PlannedRecord,
    RunRecord,
    VerificationRecord,
)
from s2slib.runbook.phases import judge_all
from s2slib.runbook.phases import phase as phase_named
from s2slib.runbook.reading.estates import Estates, Opener
from s2slib.runbook.reading.inspect import Inspector, handed_over
from s2slib.runbook.reading.links import opener
from s2slib.runbook.reading.scope import Scope, export_path
from s2slib.runbook.verify import Verification
from s2slib.runbook.writing.execute import Executor
from s2slib.runbook.writing.keeper import Keeper

CEILING: dict[Mode, Effect] = {"check": "read", "verify": "probe", "apply": "write"}
EVENTS = "progress.jsonl"
BEFORE = "before.json"  # every fact as it was before the run's first write (rule R47)
FRESH_S = 3.0  # facts older than this are read again before a phase writes; what a change rests on always is
RUN_ENDS = "S2S_RUN_ENDS"  # set by `s2s`: when a run of several notebooks has to be over, in seconds since 1970
STATES: dict[State, PhaseState] = {
    "done": "done",
    "already": "done",
    "not_needed": "done",
    "moved": "refused",
    "blocked": "blocked",
    "held": "held",
    "stopped": "held",
    "by_hand": "pending",
    "not_done": "failed",
    "failed": "failed",
    "uncertain": "uncertain",
    "unsettled": "failed",
}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PhaseResult:
    """What a phase came to. `waits_for` are the changes of earlier phases that a check has not made."""

    name: str
    title: str
    state: PhaseState
    detail: str
    findings: tuple[Finding, ...]
    planned: tuple[Change, ...]
    waits_for: tuple[Change, ...]
    reason: str
    outcomes: tuple[Outcome, ...]
    seconds: int


class Run:
    """A run folder and the way to the estates; a context manager that closes every link on every way out."""

    def __init__(
        self,
        deployment: Deployment,
        folder: Path,
        *,
        mode: Mode,
        redactor: Redactor,
        path: NetworkPath,
        open_channel: Opener,
        hold: Callable[[Change], bool] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.scope = Scope(deployment)
        self.folder = folder
        self.mode = mode
        self.redactor = redactor
        self.path = path
        by_hand = mode == "apply" and self.scope.policy.apply == "by_hand"
        self.estates = Estates(
            open_channel,
            ceiling="probe" if by_hand else CEILING[mode],
            command_s=float(deployment.network.timeouts_s.command),
        )
        self.inspector = Inspector(
            self.scope, self.estates, export_file=export_path(folder.name), other_side=handed_over(deployment)
        )
        self.journal = Journal(folder / "journal.jsonl", redact=redactor.json)
        self.person = Operator(account=account(), host=platform.node())
        known = RunRecord.load(folder)
        first = known or RunRecord(
            run=folder.name,
            deployment=self.scope.name,
            fingerprint=deployment.fingerprint(),
            mode=mode,
            approval=deployment.policy.approval,
            operator=self.person,
            started=utc_text(),
        )
        made_under = known.approval if known else ""
        self.control = ChangeControl(self.scope, folder, self.journal, self.person, made_under=made_under)
        self._began = 0.0  # of the first writing of this session
        self.facts: Facts | None = None
        self._hold = hold or (lambda _change: False)
        self._progress = progress or (lambda _text: None)
        self._entered = 0.0
        self._read_at = 0.0
        self.keeper = Keeper(
            folder,
            first,
            mode=mode,
            control=self.control,
            journal=self.journal,
            redactor=redactor,
            now=utc_text,
        )
        if not (folder / DECLARATION).exists():
            save_declaration(deployment, folder)

    @property
    def record(self) -> RunRecord:
        """run.json as this session shows it."""
        return self.keeper.record

    @classmethod
    def open(
        cls,
        deployment: Deployment,
        folder: Path,
        *,
        mode: Mode,
        resolver: Resolver | None = None,
        hold: Callable[[Change], bool] | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """A run that reaches the deployment's servers; CredentialError or LabStateError before anything is contacted."""
        redactor = Redactor()
        resolver = resolver or Resolver(redactor)
        path = network_path(deployment)
        credentials = resolved_credentials(deployment, resolver)
        for credential in credentials.values():
            if credential.secret is not None:
                redactor.add(credential.secret)
        channel = opener(deployment, path, credentials, redactor, folder)
        return cls(
            deployment,
            folder,
            mode=mode,
            redactor=redactor,
            path=path,
            open_channel=channel,
            hold=hold,
            progress=progress,
        )

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every link."""
        self.estates.close()

    def say(self, text: str) -> None:
        """Tell whoever watches: the caller's progress function, and the run folder's progress file."""
        safe = self.redactor.text(text)
        with (self.folder / EVENTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": utc_text(), "text": safe}, ensure_ascii=False) + "\n")
        self._progress(safe)

    def reach(self) -> list[Finding]:
        """What keeps servers from being worked with; where there is something, that is the run's record."""
        started, began = utc_text(), time.monotonic()
        self.say(f"reaching {len(self.scope.reached)} servers ...")
        findings = reaching.reach(self.scope, self.estates)
        against = blocking(findings)
        if against:
            took = round(time.monotonic() - began)
            detail = against[0].line()
            result = PhaseResult(
                reaching.NAME, reaching.TITLE, "blocked", detail, tuple(findings), (), (), "", (), took
            )
            self._keep(result, started)
        return findings

    def inspect(self) -> Facts:
        """Read every fact of the deployment: one batch per server, servers in parallel."""
        self._entered = time.monotonic()
        self.say(f"reading {len(self.scope.reached)} servers ...")
        self.facts = self.inspector.inspect()
        unknown = len(self.facts.unknowns(self.facts))
        write_json(self.folder / "facts.json", self.redactor.json(self.facts.to_json()))
        self._read_at = time.monotonic()
        self._journal_reads(self.facts)
        self.say(f"read {len(self.facts)} facts" + (f", {unknown} unknown" if unknown else ""))
        return self.facts

    def _journal_reads(self, facts: Facts) -> None:
        """One line for the servers that were read in parallel, in server order, once all of them have answered."""
        rows = []
        for server in self.scope.reached:
            keys = [key for key in facts if key.startswith(f"server/{server}/")]
            missing = facts.unknowns(keys)
            rows.append({"server": server, "facts": len(keys) - len(missing), "unknown": missing})
        digest = hashlib.sha256((self.folder / "facts.json").read_bytes()).hexdigest()
        self.journal.append("read", servers=rows, facts=len(facts), facts_sha256=digest)

    def plan(self) -> Plan:
        """The whole ordered plan by projection: in apply mode the one to carry out, else on the facts as they are."""
        facts = self._facts()
        return self.control.plan_to_apply(facts) if self.mode == "apply" else self.control.fresh_plan(facts)

    def keep_plan(self, plan: Plan, against: list[Finding]) -> bool:
        """Make a plan that was shown whole the run's, where that is still open; whether it was done."""
        if not self.control.keep_plan(plan):
            return False
        save_declaration(self.scope.deployment, self.folder)
        self.keeper.plan_hash(plan.hash)
        state: PhaseState = "blocked" if against else "pending" if plan.changes else "done"
        detail = against[0].line() if against else _to_make(plan.changes) if plan.changes else ""
        self._keep(PhaseResult(PLAN, "Plan", state, detail, tuple(against), plan.changes, (), "", (), 0), utc_text())
        return True

    def acceptance(self) -> list[Finding]:
        """What stands against carrying the run's plan out now. PlanError.

        Approval, window, people, what has moved, and what any phase would be blocked by.
        """
        plan = self.control.recorded_plan()
        if plan is None:
            return [NO_PLAN()]
        facts = self._facts()
        blocked = blocking(judge_all(self.scope, facts))
        return [*self.control.approved(plan), *self.control.moved(plan, facts), *blocked]

    def judge(self, name: str) -> list[Finding]:
        """The findings of one phase on the facts as they are."""
        return phase_named(name).judge(self.scope, self._facts())

    def phase(self, name: str) -> PhaseResult:
        """Judge a phase and, in apply mode, carry it out: what it could not do stands in the result, not in an exception.

        Raises JournalError when the record cannot be written; nothing was changed that is not in it.
        """
        step = phase_named(name)
        started, began = utc_text(), self._entered or time.monotonic()
        findings = self.judge(name)
        plan = self.plan()
        planned = plan.of(name)
        outcomes: list[Outcome] = []
        if self.mode == "apply":
            state, detail, outcomes, findings = self._carry_out(name, findings, planned)
        else:
            state, detail = self._pending(findings, planned)
        if any(outcome.state == "done" for outcome in outcomes):
            findings = self.judge(name)
        result = PhaseResult(
            name,
            step.title,
            state,
            detail,
            tuple(findings),
            planned,
            plan.before(name) if self.mode != "apply" else (),
            plan.reason(name),
            tuple(outcomes),
            round(time.monotonic() - began),
        )
        self._keep(result, started)
        self._entered = 0.0
        return result

    def verify(self) -> Verification:
        """Judge fresh facts against the deployment and, unless in check mode, run the storage test on each front end."""
        facts = self.inspect()
        estates = None if self.mode == "check" else self.estates
        found = verification.verify(self.scope, facts, estates, self.path, self._note)
        self.keeper.verification(
            VerificationRecord(
                proven=found.proven,
                storage_tests=found.storage_tests,
                storage_passed=found.storage_passed,
                findings=list(found.findings),
            )
        )
        self.say("trust proven" if found.proven else "trust not proven")
        return found

    def _facts(self) -> Facts:
        return self.facts if self.facts is not None else self.inspect()

    def _pending(self, findings: list[Finding], planned: tuple[Change, ...]) -> tuple[PhaseState, str]:
        against = blocking(findings)
        if against:
            return "blocked", against[0].line()
        todo = [change for change in planned if rule(change, self._facts()).verdict is not Verdict.DONE]
        return ("pending", _to_make(todo)) if todo else ("done", "")

    def _carry_out(
        self, name: str, findings: list[Finding], planned: tuple[Change, ...]
    ) -> tuple[PhaseState, str, list[Outcome], list[Finding]]:
        """Carry a phase out under the lock: everything that decides is read and asked again there, for others may write too."""
        if not planned and not self.control.history.open() and not self._refusals(self.plan(), moved=False):
            against = blocking(findings)
            return ("blocked", against[0].line(), [], findings) if against else ("done", "", [], findings)
        try:
            with self._writing():
                if time.monotonic() - self._read_at > FRESH_S:
                    self.inspect()
                settled = self._settle()
                if settled and settled[-1].state == "uncertain":
                    return STATES[settled[-1].state], settled[-1].detail, settled, findings
                if settled:  # what was read before is of an estate that was still on its way
                    self.inspect()
                plan, findings = self.plan(), self.judge(name)
                refusals = self._refusals(plan)
                if refusals:
                    return "refused", refusals[0].line(), settled, [*refusals, *findings]
                if blocking(findings):
                    return "blocked", blocking(findings)[0].line(), settled, findings
                outcomes = self._apply(name, plan.of(name), plan) if plan.of(name) else []
        except Refused as error:
            return "refused", str(error), [], findings
        last = outcomes[-1] if outcomes else None
        state, detail = (STATES[last.state], last.detail) if last else ("done", "")
        return state, detail, [*settled, *outcomes], findings

    def _refusals(self, plan: Plan, *, moved: bool = True) -> list[Finding]:
        """What keeps this plan from being carried out: approval, window, people and, with `moved`, a state that moved."""
        if self.control.history.backed_out:
            return [BACKED_OUT("a back-out in its journal")]
        found = self.control.approved(plan)
        if found or not moved or self.scope.policy.approval == "not_required":
            return found
        return blocking(self.control.moved(plan, self._facts()))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the deployment's lock, with the journal as the last writer left it."""
        dead: list[Holder] = []
        with writer_lock(self.folder.parent, self.scope.name, self.folder.name, taken_over=dead.append):
            self.control.refresh()
            if self.record.journal is not None:
                end = self.record.journal
                verify_end(self.journal.entries(), end.lines, end.head, self.journal.path.name)
            for holder in dead:
                self.control.note_dead_writer(holder)
            yield

    def _settle(self) -> list[Outcome]:
        if not self.control.history.open():
            return []
        outcomes, self.facts = self._executor().settle_open(self._facts())
        return outcomes

    def _apply(self, phase: str, changes: tuple[Change, ...], plan: Plan | None = None) -> list[Outcome]:
        before = self.folder / BEFORE
        if not self.control.history.begun or not before.exists():
            write_json(before, self.redactor.json(self._facts().to_json()))
        if plan is not None and self.scope.policy.approval == "not_required":
            save_declaration(self.scope.deployment, self.folder)
            if self.control.keep_plan(plan):
                self.keeper.plan_hash(plan.hash)
        self.keeper.verification(None)
        self.journal.append(
            "phase",
            before_sha256=hashlib.sha256(before.read_bytes()).hexdigest(),
            phase=phase,
            changes=[change.id for change in changes],
            account=self.person.account,
            host=self.person.host,
            process=os.getpid(),
        )
        outcomes, self.facts = self._executor(windowed=phase != BACK_OUT).apply(changes, self._facts())
        return outcomes

    def _executor(self, *, windowed: bool = False) -> Executor:
        timeouts = self.scope.deployment.network.timeouts_s
        now = time.monotonic()
        self._began = self._began or now
        left_s = float(os.environ.get(RUN_ENDS, "inf")) - time.time()  # of a run of several notebooks
        deadline = min(self._began + timeouts.run, now + timeouts.phase, now + left_s)
        return Executor(
            self.scope,
            self.estates,
            self.inspector,
            self.journal,
            self.control.history,
            hold=self._may_go_on,
            gate=self.control.gate(deadline, time.monotonic, windowed=windowed),
            known=self.control.known(),
            by_hand=self.scope.policy.apply == "by_hand",
            deadline=deadline,
            progress=self.say,
        )

    def back_out(self) -> PhaseResult:
        """Undo what this run did, newest first, by the one rule; what it could not do stands in the result.

        Raises JournalError when the record cannot be written; nothing was changed that is not in it.
        """
        started, began = utc_text(), time.monotonic()
        outcomes: list[Outcome] = []
        state: PhaseState = "done"
        detail, planned = "", ()  # type: tuple[str, tuple[Change, ...]]
        try:
            with self._writing():
                settled = self._settle()
                stuck = [outcome for outcome in settled if outcome.state == "uncertain"]
                planned = () if stuck else self.control.back_out()
                outcomes = self._apply(BACK_OUT, planned) if planned else []
                for last in (stuck or outcomes)[-1:]:
                    state, detail = STATES[last.state], last.detail
        except Refused as error:
            state, detail = "refused", str(error)
        result = PhaseResult(
            BACK_OUT,
            "Back out",
            state,
            detail,
            (),
            planned,
            (),
            "" if self.control.history.written() else "this run changed nothing",
            tuple(outcomes),
            round(time.monotonic() - began),
        )
        self._keep(result, started)
        return result

    def _may_go_on(self, change: Change) -> bool:
        return self.scope.policy.restart == "run_on" or self._hold(change)

    def _note(self, event: str, data: dict[str, Any]) -> None:
        self.journal.append(event, **data)
        self.say(f"{data['server']}: {data['line']}" if event == "probe" else f"{data['server']}: answered")

    def _planned(self, change: Change) -> PlannedRecord:
        on_lync = change.target in self.scope.front_ends
        return PlannedRecord(
            title=change.title,
            side="Lync" if on_lync else "Exchange",
            users_notice=bool(change.users_notice),
            lines=[self.redactor.text(step.render()) for step in change.steps],
        )

    def _keep(self, result: PhaseResult, started: str) -> None:
        facts = self.facts or Facts()
        self.keeper.phase(
            PhaseRecord(
                name=result.name,
                title=result.title,
                state=result.state,
                detail=self.redactor.text(result.detail),
                started=started,
                ended=utc_text(),
                seconds=result.seconds,
                servers_read=len(self.scope.reached),
                facts_read=sum(isinstance(fact, Known) for fact in facts.values()),
                findings=list(result.findings),
                planned=[self._planned(change) for change in result.planned] if result.state == "pending" else [],
            )
        )
        self.say(f"{result.title}: {result.state}" + (f" ({result.detail})" if result.detail else ""))


def _to_make(changes: Sequence[Change]) -> str:
    return f"{len(changes)} change{'s' if len(changes) != 1 else ''} to make"
