"""The verbs around a planned change: approve, would it be accepted, carry out, resume, back out, journal, stop, unlock."""

from __future__ import annotations

import platform
from pathlib import Path

from s2slib import workspace
from s2slib.cli.execute import run_notebooks
from s2slib.cli.report import Reporter
from s2slib.credentials.resolver import Resolver
from s2slib.deployment import Deployment, load
from s2slib.deployment.saved import of_run
from s2slib.records.journal import Journal, told, torn, verify, verify_end
from s2slib.records.redaction import Redactor
from s2slib.runbook.control.approval import ApprovalError
from s2slib.runbook.control.control import ChangeControl
from s2slib.runbook.control.lock import Holder, Refused, account, unlock, writer_lock
from s2slib.runbook.model.finding import blocking, ordered
from s2slib.runbook.model.plan import Plan, PlanError
from s2slib.runbook.model.record import EXIT_CODES, Operator, RunRecord
from s2slib.runbook.reading.scope import Scope
from s2slib.runbook.run import Run
from s2slib.typed import to_json

REFUSED = EXIT_CODES["refused"]


def plan(params: Path, as_json: bool) -> int:
    """Plan the whole run in a new run folder, which notebooks then open too, and show it as a change board reads it."""
    deployment = load(params)
    places = workspace.find()
    folder = places.new_run(deployment.deployment)
    places.set_open_run(deployment.deployment, folder)
    report = Reporter(as_json)
    code = run_notebooks("plan", deployment, as_json=as_json, folder=folder, report=report)
    text = folder / "plan.txt"
    if text.is_file():
        report.line("")
        for line in text.read_text(encoding="utf-8").splitlines():
            report.line(line)
        report.line("")
        report.line(f"for the ticket: {folder / 'plan.html'}")
        if code == EXIT_CODES["pending"]:
            report.line(f"next: {_next(deployment, folder)}", "bold")
    return code


def _next(deployment: Deployment, folder: Path) -> str:
    if deployment.policy.approval == "required":
        return f"s2s approve {folder.name} --approver NAME --ticket ID --not-before T --not-after T"
    return f"s2s apply {folder.name}"


def approve(run: str, values: dict[str, str], as_json: bool) -> int:
    """Record an approval of a run's plan; ApprovalError or PlanError when it cannot be taken."""
    control, folder = _control(run)
    given = control.approve(**values)
    report = Reporter(as_json)
    report.line(f"plan {given.plan_hash}")
    report.line(given.line())
    report.line(f"in the window: s2s apply {folder.name}")
    report.object(run=folder.name, outcome="approved", plan_hash=given.plan_hash, approval=to_json(given))
    return 0


def check_plan(run: str, as_json: bool) -> int:
    """Read both estates and say whether apply would carry the run's plan out now; 3 when it would not."""
    folder = workspace.find().find_run(run)
    deployment = of_run(folder)
    report = Reporter(as_json)
    recorded = _recorded(_control_of(folder, deployment))
    with Run.open(deployment, folder, mode="check", resolver=Resolver(Redactor()), progress=report.dim) as opened:
        opened.inspect()
        findings = opened.acceptance()
    against = blocking(findings)
    report.findings(ordered(findings))
    report.line(
        f"apply would be refused now: {len(against)} against it" if against else "apply would be accepted now",
        "bold red" if against else "bold green",
    )
    report.object(
        run=folder.name,
        outcome="refused" if against else "accepted",
        plan_hash=recorded.hash if recorded else "",
        findings=[to_json(finding) for finding in findings],
    )
    return REFUSED if against else 0


def apply(target: str, confirmed: tuple[str, ...], as_json: bool) -> int:
    """Carry out a params file's procedure in a new run, or the plan of a run that exists."""
    if Path(target).is_file():
        deployment = load(target)
        if deployment.policy.approval == "required":
            raise Refused(
                f"{deployment.deployment} wants an approved plan (policy.approval: required): "
                f"s2s plan {target}, then s2s approve RUN, then s2s apply RUN. Nothing was contacted"
            )
        return run_notebooks("apply", deployment, as_json=as_json, confirmed_restarts=confirmed)
    folder = workspace.find().find_run(target)
    return _carry_on(folder, confirmed, as_json)


def resume(run: str, confirmed: tuple[str, ...], as_json: bool) -> int:
    """Go on with a run that was stopped, killed or held: the same code as apply, by the one rule."""
    control, folder = _control(run)
    _take_stop_back(control, folder)
    return _carry_on(folder, confirmed, as_json, backing_out=control.history.backed_out)


def _take_stop_back(control: ChangeControl, folder: Path) -> None:
    """Only while nobody writes: a writer that has not seen the request yet would go on. Refused names that writer."""
    name = of_run(folder).deployment
    with writer_lock(folder.parent, name, folder.name, taken_over=control.note_dead_writer):
        control.clear_stop()


def _carry_on(folder: Path, confirmed: tuple[str, ...], as_json: bool, *, backing_out: bool = False) -> int:
    deployment = of_run(folder)
    control = _control_of(folder, deployment)
    if not backing_out:
        if control.history.backed_out:
            raise Refused(f"{folder.name} was backed out; make a new plan. Nothing was contacted")
        recorded = _recorded(control)
        try:
            refusals = control.approved(recorded)
        except ApprovalError as error:
            raise Refused(f"{error}. Nothing was contacted") from None
        if recorded is None and deployment.policy.approval == "required":
            raise Refused(f"{folder.name} has no plan: s2s plan PARAMS makes one. Nothing was contacted")
        if refusals:
            raise Refused("; ".join(finding.line() for finding in refusals) + ". Nothing was contacted")
    if control.stop_request():
        raise Refused(f"{control.stop_request()}: s2s resume {folder.name} goes on. Nothing was contacted")
    verb = "back-out" if backing_out else "apply"
    return run_notebooks(verb, deployment, as_json=as_json, folder=folder, confirmed_restarts=confirmed)


def _recorded(control: ChangeControl) -> Plan | None:
    """The run's plan; Refused when it was changed after it was made."""
    try:
        return control.recorded_plan()
    except PlanError as error:
        raise Refused(f"{error}. Make a new plan. Nothing was contacted") from None


def back_out(run: str, confirmed: tuple[str, ...], show: bool, as_json: bool) -> int:
    """Undo what a run did, newest first; with `show` only print what that would be, from the run folder alone."""
    control, folder = _control(run)
    if not show:
        control.back_out()  # refuses before anything is contacted
        _take_stop_back(control, folder)
        deployment = of_run(folder)
        return run_notebooks("back-out", deployment, as_json=as_json, folder=folder, confirmed_restarts=confirmed)
    from s2slib.show.ticket import back_out_view

    recorded = control.recorded_plan()
    changes = tuple(change.bind(control.history.bound) for change in control.back_out())
    view = back_out_view(changes, recorded.cannot_undo if recorded else (), control)
    report = Reporter(as_json)
    for line in repr(view).splitlines():
        report.line(line)
    lines = [step.render() for change in changes for step in change.steps]
    report.object(run=folder.name, outcome="shown", plan_hash=recorded.hash if recorded else "", lines=lines)
    return 0


def journal(run: str, as_json: bool) -> int:
    """Show a run's journal, verified line by line; JournalError names what was changed, dropped or moved."""
    folder = workspace.find().find_run(run)
    file = folder / "journal.jsonl"
    entries = verify(file)
    record = RunRecord.load(folder)
    if record is not None and record.journal is not None:
        verify_end(entries, record.journal.lines, record.journal.head, file.name)
    report = Reporter(as_json)
    for entry in entries:
        report.line(f"{entry.number:>4}  {entry.at}  {entry.event:<9} {told(entry)}")
    if torn(file):
        report.line("the last line is torn: a writer was killed while it wrote it; nothing rests on it", "yellow")
    head = entries[-1].hash if entries else ""
    report.line(f"{len(entries)} lines verified, head {head or '(empty)'}")
    rows = [{"number": e.number, "at": e.at, "event": e.event, "data": dict(e.data), "hash": e.hash} for e in entries]
    report.object(run=folder.name, outcome="verified", plan_hash="", torn=torn(file), head=head, entries=rows)
    return 0


def stop(run: str, as_json: bool) -> int:
    """Ask the writer of a run to stop before its next change."""
    control, folder = _control(run)
    control.ask_to_stop()
    report = Reporter(as_json)
    report.line(f"asked: the writer of {folder.name} stops before its next change; s2s resume {folder.name} goes on")
    report.object(run=folder.name, outcome="asked", plan_hash="")
    return 0


def release(run: str, as_json: bool) -> int:
    """Remove the lock record that a writer left behind; Refused while one is alive on this machine."""
    control, folder = _control(run)
    deployment = of_run(folder)
    holder: Holder | None = unlock(folder.parent, deployment.deployment)
    if holder is not None:
        control.record_unlock(holder)
    report = Reporter(as_json)
    report.line(f"removed the record of {holder}" if holder else "there is no record of a writer")
    report.object(run=folder.name, outcome="unlocked", plan_hash="", holder=str(holder) if holder else "")
    return 0


def _control(run: str) -> tuple[ChangeControl, Path]:
    folder = workspace.find().find_run(run)
    return _control_of(folder, of_run(folder)), folder


def _control_of(folder: Path, deployment: Deployment) -> ChangeControl:
    operator = Operator(account=account(), host=platform.node())
    record = RunRecord.load(folder)
    made_under = record.approval if record else ""
    return ChangeControl(Scope(deployment), folder, Journal(folder / "journal.jsonl"), operator, made_under=made_under)
