"""What a notebook holds: a run with methods whose results draw themselves."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.display import display

from s2slib import workspace
from s2slib.deployment import PARAMETERS, Deployment, DeploymentError, from_parameters
from s2slib.errors import S2SError
from s2slib.notebook.approval_form import FIELDS, ApprovalForm
from s2slib.notebook.forms import DeploymentForm
from s2slib.records.files import write_text
from s2slib.records.journal import JournalError, told
from s2slib.runbook.control.approval import ApprovalError
from s2slib.runbook.control.lock import Refused, account
from s2slib.runbook.control.standing import Purpose, chosen, note_change, standing
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.finding import blocking
from s2slib.runbook.model.plan import PlanError
from s2slib.runbook.model.record import Mode, RecordError
from s2slib.runbook.phases import judge_all, phase
from s2slib.runbook.run import PhaseResult, Run
from s2slib.show.render import Fold, Lines, Table, View, plainly
from s2slib.show.ticket import back_out_view, page, plan_ticket
from s2slib.show.views import (
    acceptance_view,
    before_after,
    changes_view,
    declaration_view,
    facts_view,
    findings_view,
    plan_view,
    result_view,
    verification_view,
)

OWN = ("mode", "run_folder", "confirmed_restarts")  # parameters of the session, beside the declaration's
MODES: tuple[Mode, ...] = ("check", "verify", "apply")
SAID_IN_A_SENTENCE = (ApprovalError, JournalError, PlanError, RecordError, OSError)
NOT_WANTED = "This deployment wants no approval (policy.approval: not_required), and its records say so."


class PhaseNotDone(S2SError):
    """A phase in apply mode was blocked, refused, held, failed or is uncertain; the message says what to do next."""


class VerificationFailed(S2SError):
    """The trust is not proven."""


class ParametersChanged(S2SError):
    """The parameters cell says something else than it said when the run was opened."""


def open_run(parameters: dict[str, Any], to: Purpose = "work") -> NotebookRun:
    """The run that a notebook's parameters cell means: pass `globals()`. `to`: work on it, read its record, or back it out.

    `deployment` names a file in params/; a section given as a parameter replaces that section whole. `run_folder` is a
    run's name or path; "" the deployment's open run, else a new one. A run that an earlier call left under a name is closed
    and the name removed, so that no cell goes on with it when this call fails. DeploymentError, WorkspaceError, RunEnded,
    CredentialError or LabStateError say what is wrong before any server is contacted.
    """
    for name in [name for name, value in parameters.items() if isinstance(value, NotebookRun)]:
        parameters.pop(name).close()
    try:
        run, begins = _open(parameters, to)
        return NotebookRun(run, parameters.get("approval") or {}, begins=begins, parameters=parameters, to=to)
    except (ValueError, S2SError) as error:
        raise plainly(error)  # noqa: B904


def _open(parameters: dict[str, Any], to: Purpose) -> tuple[Run, str]:
    if "deployment" not in parameters:
        raise ValueError("the parameters cell was not run: run it, then this cell again")
    mode, named = parameters.get("mode", "check"), parameters.get("run_folder")
    if not isinstance(named, str | None):
        raise ValueError(f"run_folder came as the number {named!r}: give the run's whole name, or its end in quotes")
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; allowed are {', '.join(MODES)}")
    places = workspace.find()
    given = {name: parameters[name] for name in PARAMETERS if parameters.get(name) is not None}
    deployment = from_parameters(given, places.params)
    folder, begins = chosen(places, deployment.deployment, named or "", mode, to)
    if mode == "apply":
        note_change(folder, account())
    confirmed = _confirmed(parameters.get("confirmed_restarts"), deployment)
    run = Run.open(deployment, folder, mode=mode, hold=lambda change: change.target in confirmed)
    atexit.register(run.close)
    return run, begins


def _confirmed(given: Any, deployment: Deployment) -> tuple[str, ...]:
    """The servers that may be restarted now, as declared; ValueError for a name that is no Exchange server's."""
    names = [given] if isinstance(given, str) else list(given or ())
    known = [server.fqdn for server in deployment.active_servers("exchange")]
    strange = [name for name in names if str(name).casefold() not in known]
    if strange:
        raise ValueError(f"confirmed_restarts names {', '.join(map(str, strange))}; allowed are {', '.join(known)}")
    return tuple(str(name).casefold() for name in names)


class NotebookRun:
    """A run in a notebook. Reading and judging never raise for what they find; applying raises unless it is done."""

    def __init__(
        self,
        run: Run,
        approval: Mapping[str, str] | None = None,
        *,
        begins: str = "",
        parameters: Mapping[str, Any] | None = None,
        to: Purpose = "work",
    ) -> None:
        """`parameters`: the notebook's names, as they change; what they say at this moment is what the run is for."""
        self._opened = run
        self._approval = approval or {}
        self._begins = begins
        self._to = to
        self._names = parameters if parameters is not None else {}
        self._said = self._parameters()
        self._shown = ""  # hash of the plan that was shown last

    def _parameters(self) -> dict[str, Any]:
        return {name: deepcopy(self._names[name]) for name in (*PARAMETERS, *OWN) if name in self._names}

    @property
    def _run(self) -> Run:
        """The run, for a cell that goes on with it: ParametersChanged or RunEnded when it is not what the cell above says."""
        now = self._parameters()
        for name in now:
            if now[name] != self._said.get(name):
                raise plainly(
                    ParametersChanged(
                        f"{name} says {now[name]!r}, the open run has {self._said.get(name)!r}: run the cell with open_run again"
                    )
                )
        if self._to == "work":
            try:
                standing(self._opened.folder).refuse_ended()
            except S2SError as error:
                raise plainly(error)  # noqa: B904
        return self._opened

    @property
    def run(self) -> Run:
        """The run itself."""
        return self._opened

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._opened.folder

    @property
    def deployment(self) -> Deployment:
        """The deployment."""
        return self._opened.scope.deployment

    def __repr__(self) -> str:
        return repr(self._view())

    def _repr_html_(self) -> str:
        return self._view()._repr_html_()

    def _view(self) -> View:
        scope = self._opened.scope
        rows = (
            ("run", self._begins or self.folder.name),
            ("deployment", f"{scope.name}: {scope.lync.product} with {scope.exchange.product}"),
            ("mode", self._opened.mode),
            ("Lync servers", ", ".join(scope.front_ends)),
            ("Exchange servers", ", ".join(server.fqdn for server in scope.exchange_servers)),
            ("approval", scope.policy.approval),
        )
        return View("Run", self._opened.mode, (Table(("", ""), rows),))

    def inspect(self) -> View:
        """Read every server and show what they say."""
        began = time.monotonic()
        run = self._run
        facts = run.inspect()
        return facts_view(facts, run.scope.all_servers, round(time.monotonic() - began))

    def judge(self, name: str) -> View:
        """The findings of a phase."""
        return findings_view(phase(name).title, self._run.judge(name))

    def judge_all(self) -> View:
        """The findings of every phase."""
        run = self._run
        return findings_view("All phases", judge_all(run.scope, run.facts or run.inspector.inspect()))

    def plan(self, name: str = "") -> View:
        """The whole plan by projection, or one phase's slice of it with the changes it waits for."""
        plan = self._run.plan()
        if not name:
            return plan_view(plan)
        waits: tuple[Change, ...] = plan.before(name)
        return changes_view(f"Plan: {phase(name).title}", plan.of(name), waits, plan.reason(name))

    async def apply(self, name: str) -> View:
        """Carry a phase out in apply mode; in the other modes say what it would do.

        Raises PhaseNotDone in apply mode when the phase did not come to `done`; the run folder has everything by then.
        """
        return await self._carried_out(self._run.phase, name)

    async def _carried_out(self, work: Callable[..., PhaseResult], *arguments: str) -> View:
        """The result of a writer's work; what was seen, and one sentence, where apply did not come to `done`."""
        run = self._run
        try:
            result = await self._finished(work, *arguments)
        except SAID_IN_A_SENTENCE as error:
            raise plainly(error)  # noqa: B904
        view = result_view(result)
        if run.mode == "apply" and result.state != "done":
            display(view)  # type: ignore[no-untyped-call]
            raise plainly(PhaseNotDone(f"{result.title}: {result.state}. {result.detail}"))
        return view

    async def _finished(self, work: Callable[..., PhaseResult], *arguments: str) -> PhaseResult:
        """Run the writer in a thread. An interrupt asks it to stop before its next change, and waits until it has."""
        running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        try:
            return await asyncio.shield(running)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._opened.control.ask_to_stop()
            while not running.done():
                with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
                    await asyncio.wait([running])
            self._opened.control.clear_stop(own=True)  # so that running the cell again goes on
            raise

    def ticket(self) -> View:
        """The whole plan as a change board reads it; kept as plan.html and plan.txt in the run folder."""
        run = self._run
        facts = run.facts or run.inspect()
        findings = judge_all(run.scope, facts)
        plan = run.plan()
        shown = replace(plan, changes=tuple(change.bind(run.control.known()) for change in plan.changes))
        view = plan_ticket(run.scope, plan.hash, shown, facts, findings, run.control)
        self._shown = plan.hash
        if run.control.may_keep_plan:  # beside an approved plan another one is only shown
            write_text(self.folder / "plan.html", run.redactor.text(page(view, f"Change {run.scope.name}")))
            write_text(self.folder / "plan.txt", run.redactor.text(repr(view)) + "\n")
            run.keep_plan(plan, blocking(findings))
        return view

    def approval_form(self) -> ApprovalForm:
        """A form to approve the plan with; the parameter `approval` fills it headless. `approve` reads it."""
        return ApprovalForm(self._approval)

    def approve(self, form: ApprovalForm) -> View:
        """Record what the form says, if anything; what will not do is said, and nothing is recorded."""
        control = self._run.control
        before = control.approval
        typed = form.values()
        try:
            if typed:
                control.approve(**{name: typed.get(name, "") for name, _ in FIELDS}, shown=self._shown)
            approval = control.approval
        except (ApprovalError, PlanError) as error:
            return View("Approval", "refused", (str(error),))
        if approval is None:
            wanted = self._opened.scope.policy.approval == "required"
            return View(
                "Approval", "pending" if wanted else "", ("Nobody has approved this plan." if wanted else NOT_WANTED,)
            )
        replaced = (f"in place of: {before.line()}",) if before is not None and before != approval else ()
        return View("Approval", "ok", (approval.line(), f"plan {approval.plan_hash}", *replaced))

    def acceptance(self) -> View:
        """Whether apply would carry the run's plan out now, and what has moved since it was made."""
        return acceptance_view(self._run.acceptance())

    async def back_out(self) -> View:
        """Undo what this run did, in apply mode; otherwise show what would run. Raises PhaseNotDone unless it is done."""
        run = self._run
        return await self._carried_out(run.back_out) if run.mode == "apply" else self.back_out_plan()

    def back_out_plan(self) -> View:
        """The back-out of what this run did, as it would run now; reads nothing and writes nothing."""
        control = self._opened.control
        plan = control.recorded_plan()
        try:
            changes = control.back_out()
        except (Refused, PlanError) as error:
            return View("Back-out", "refused", (str(error),))
        changes = tuple(change.bind(control.history.bound) for change in changes)
        return back_out_view(changes, plan.cannot_undo if plan else (), control)

    def verdict(self, name: str) -> View:
        """Where the phase stands now."""
        record = next((item for item in self._opened.record.phases if item.name == name), None)
        if record is None:
            return View("Verdict", "unknown", ("This phase was not run.",))
        next_step = {"done": "Go on with the next notebook.", "pending": "Run it in mode apply to make the changes."}
        return View(
            "Verdict",
            record.state,
            (record.detail or record.title, next_step.get(record.state, "Put it right, then run it again.")),
        )

    async def verify(self) -> View:
        """Verify the trust; raises VerificationFailed in apply and verify mode when it is not proven."""
        run = self._run
        found = await asyncio.to_thread(run.verify)
        view = verification_view(found)
        if run.mode != "check" and not found.proven:
            display(view)  # type: ignore[no-untyped-call]
            against = "; ".join(dict.fromkeys(finding.title for finding in blocking(found.findings)))
            raise plainly(VerificationFailed(f"Trust not proven. Against it: {against}"))
        return view

    def form(self) -> DeploymentForm:
        """A form over the declaration. What it says is checked by `check_form`; nothing is saved by itself."""
        return DeploymentForm(self.deployment)

    def check_form(self, form: DeploymentForm) -> View:
        """What the form says: the deployment as YAML, or every mistake with field, value and what is allowed."""
        try:
            deployment = from_parameters(form.parameters(), workspace.find().params)
        except (DeploymentError, ValueError) as error:
            return View("Declaration", "blocked", (Lines(tuple(str(error).splitlines())),))
        return declaration_view(self.deployment, deployment)

    def reach(self) -> View:
        """Log on to every server and load its tools: who answered, and why the others did not."""
        return findings_view("Servers", self._run.reach())

    def changes(self) -> View:
        """What this run changed: before, after, the lines that ran."""
        written = self._opened.record.changed()
        parts = [
            View(c.title, c.state, (f"took {c.seconds} s", Lines(tuple(c.lines)), *before_after(c.before, c.after)))
            for c in written
        ]
        return View("Changes", f"{len(parts)}", (*parts,) or ("No change was made.",))

    def findings(self) -> View:
        """Every finding of every phase and of the verification."""
        record = self._opened.record
        rows = [finding for item in record.phases for finding in item.findings]
        rows += record.verification.findings if record.verification else []
        return findings_view("Findings", rows)

    def journal_view(self) -> View:
        """The journal, verified line by line."""
        entries = self._opened.journal.entries()
        rows = tuple((str(entry.number), entry.at, entry.event, told(entry)) for entry in entries)
        head = entries[-1].hash if entries else "(empty)"
        return View(
            "Journal",
            "ok",
            (f"{len(rows)} lines verified, head {head}", Fold("every line", (Table(("#", "at", "event", ""), rows),))),
        )

    def outcome(self) -> View:
        """What the run came to."""
        record = self._opened.record
        rows = tuple((phase.state, phase.title, f"{phase.seconds} s") for phase in record.phases)
        approval = self._opened.control.approval
        people = (
            f"operator {record.operator.account} on {record.operator.host}",
            approval.line() if approval else f"approval: {record.approval}",
            f"plan {record.plan_hash}",
        )
        return View("Outcome", record.outcome, (Table(("state", "phase", "took"), rows, 0), *people))

    def close(self) -> None:
        """Close every link."""
        self._opened.close()
