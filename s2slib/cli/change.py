"""The verbs around a planned change: approve, would it be accepted, carry out, resume, back out, journal, stop, unlock."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from s2slib import workspace
from s2slib.cli.execute import run_notebooks
from s2slib.cli.report import Reporter
from s2slib.credentials.resolver import Resolver
from s2slib.deployment import Deployment, load
from s2slib.deployment.saved import of_run
from s2slib.records.journal import Journal, told, torn, verify, verify_end
from s2slib.records.logons import RejectedLogons
from s2slib.records.redaction import Redactor
from s2slib.runbook.control.acceptance import OTHER_REACH
from s2slib.runbook.control.approval import ApprovalError
from s2slib.runbook.control.control import ChangeControl
from s2slib.runbook.control.lock import Holder, Refused, account, unlock, writer_lock
from s2slib.runbook.control.standing import Standing, close, standing
from s2slib.runbook.model.finding import Finding, blocking, ordered
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
    before = control.approval
    given = control.approve(**values)
    report = Reporter(as_json)
    report.line(f"plan {given.plan_hash}")
    if before is not None and before != given:
        report.line(f"in place of: {before.line()}")
    report.line(given.line())
    report.line(f"in the window: s2s apply {folder.name}")
    report.object(run=folder.name, outcome="approved", plan_hash=given.plan_hash, approval=to_json(given))
    return 0


def check_plan(run: str, as_json: bool) -> int:
    """Read both estates and say whether apply would carry the run's plan out now; 3 when it would not."""
    folder = workspace.find().find_run(run)
    where = standing(folder)
    where.refuse_looks()
    where.refuse_ended()
    deployment = of_run(folder)
    report = Reporter(as_json)
    control = _control_of(folder, deployment)
    recorded = _recorded(control)
    against = blocking(control.approved(recorded))
    if recorded and any(finding.id == OTHER_REACH.id for finding in against):
        return _not_accepted(report, folder, recorded, against)
    with Run.open(deployment, folder, mode="check", resolver=Resolver(Redactor()), progress=report.dim) as opened:
        opened.inspect()
        findings = opened.acceptance()
    return _not_accepted(report, folder, recorded, findings)


def _not_accepted(report: Reporter, folder: Path, recorded: Plan | None, findings: list[Finding]) -> int:
    """Say whether anything stands against a plan, and what."""
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
    ended = _ended_well(folder, as_json)
    return _carry_on(folder, confirmed, as_json) if ended is None else ended


def resume(run: str, confirmed: tuple[str, ...], as_json: bool) -> int:
    """Go on with a run that was stopped, killed or held: the same code as apply, by the one rule."""
    control, folder = _control(run)
    ended = _ended_well(folder, as_json)
    if ended is not None:
        return ended
    _take_stop_back(control, folder)
    return _carry_on(folder, confirmed, as_json, backing_out=control.history.backed_out)


def _ended_well(folder: Path, as_json: bool) -> int | None:
    """0 where the run has proven its trust: nothing is left to do, nothing is written. RunEnded for a look or another end."""
    where = standing(folder)
    where.refuse_looks()
    if where.outcome != "trusted" or not where.ended:
        where.refuse_ended()
        return None
    report = Reporter(as_json)
    report.line(f"{where.name} has ended: {where.ended}. 0 changed; nothing was contacted", "bold green")
    report.object(run=where.name, outcome="trusted", plan_hash="", changes=[], ended=where.ended)
    return 0


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
        where = standing(folder)
        where.refuse_looks()
        if where.kind == "back-out":
            where.refuse_ended()
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
    standing(folder).refuse_ended()
    control.ask_to_stop()
    report = Reporter(as_json)
    report.line(f"asked: the writer of {folder.name} stops before its next change; s2s resume {folder.name} goes on")
    report.object(run=folder.name, outcome="asked", plan_hash="")
    return 0


def status(run: str, as_json: bool) -> int:
    """Where a run stands: what it made, what is open, what can be typed next."""
    where = standing(workspace.find().find_run(run))
    report = Reporter(as_json)
    report.line(where.line(), "bold")
    for title in where.made:
        report.line(f"    made: {title}")
    for title in where.open:
        report.line(f"    open, settled by reading when the run goes on: {title}", "yellow")
    for command in where.next_commands():
        report.line(f"next: {command}")
    report.object(**_row(where))
    return 0


def runs(params: Path | None, as_json: bool) -> int:
    """Every run, newest first; those of one deployment where its params file is given."""
    wanted = load(params).deployment if params else ""
    places = workspace.find()
    folders = places.runs_of(wanted) if wanted else places.all_runs()
    found = [standing(folder) for folder in reversed(folders)]
    report = Reporter(as_json)
    for where in found:
        report.line(where.line())
    if not found:
        report.line(f"no runs{' of ' + wanted if wanted else ''} in {places.runs}")
    report.object(runs=[_row(where) for where in found])
    return 0


def _row(where: Standing) -> dict[str, Any]:
    return {
        "run": where.name,
        "kind": where.kind,
        "outcome": where.outcome or "",
        "ended": where.ended,
        "made": list(where.made),
        "open": list(where.open),
        "next": list(where.next_commands()),
    }


def close_run(run: str, reason: str, as_json: bool) -> int:
    """End a run by hand; Refused while a change of it is open, or somebody writes."""
    control, folder = _control(run)
    where = standing(folder)
    where.refuse_ended()
    if where.open:
        raise Refused(
            f"{where.open[0]}: it is not known what became of it; s2s resume {where.name} settles it by reading"
        )
    with writer_lock(folder.parent, of_run(folder).deployment, folder.name, taken_over=control.note_dead_writer):
        close(folder, account(), reason)
    where, report = standing(folder), Reporter(as_json)
    report.line(where.line())
    report.object(**_row(where))
    return 0


def forget_logons(run: str, as_json: bool) -> int:
    """Let the accounts that were rejected in a run be tried again."""
    folder = workspace.find().find_run(run)
    accounts = RejectedLogons(folder).forget()
    report = Reporter(as_json)
    report.line(f"may be tried again: {', '.join(accounts)}" if accounts else "no account was rejected in this run")
    report.object(run=folder.name, outcome="unlocked", plan_hash="", accounts=list(accounts))
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
