"""Running the notebooks of a verb headless with papermill, in the order of the procedure."""

from __future__ import annotations

import getpass
import os
import sys
import time
from pathlib import Path
from typing import Any

from s2slib import workspace
from s2slib.cli.report import Reporter
from s2slib.credentials import lab_state
from s2slib.credentials.resolver import Resolver
from s2slib.credentials.sources import Asker, ask_person
from s2slib.deployment import Deployment
from s2slib.deployment.network import Timeouts
from s2slib.deployment.saved import portable, save
from s2slib.records.journal import JournalError, verify
from s2slib.records.redaction import Redactor
from s2slib.runbook.control.history import History
from s2slib.runbook.control.lock import account
from s2slib.runbook.control.standing import note_change
from s2slib.runbook.model.finding import blocking
from s2slib.runbook.model.record import RunRecord
from s2slib.runbook.run import RUN_ENDS, Run

PHASE_NOTEBOOKS = (
    "10_preflight",
    "20_certificates",
    "30_autodiscover",
    "40_exchange_partner_application",
    "50_restart_iis",
    "60_lync_partner_application",
)
PLAN_NOTEBOOK = "15_plan"
VERIFY_NOTEBOOK = "70_verify"
RECORD_NOTEBOOK = "90_change_record"
BACK_OUT_NOTEBOOK = "95_back_out"
SEQUENCES: dict[str, tuple[str, ...]] = {
    "check": (*PHASE_NOTEBOOKS, RECORD_NOTEBOOK),
    "plan": (PLAN_NOTEBOOK,),
    "apply": (*PHASE_NOTEBOOKS, VERIFY_NOTEBOOK, RECORD_NOTEBOOK),
    "verify": (VERIFY_NOTEBOOK, RECORD_NOTEBOOK),
    "back-out": (BACK_OUT_NOTEBOOK, RECORD_NOTEBOOK),
}
CELL_MARGIN_S = 900  # reading, and what is under way when a phase's deadline comes
MODES = {"check": "check", "plan": "check", "apply": "apply", "verify": "verify", "back-out": "apply"}


def run_notebooks(
    verb: str,
    deployment: Deployment,
    *,
    as_json: bool,
    folder: Path | None = None,
    confirmed_restarts: tuple[str, ...] = (),
    report: Reporter | None = None,
) -> int:
    """Run a verb's notebooks against a deployment, in a new run folder or an existing one; the outcome's exit code."""
    places = workspace.find()
    if folder is None:
        folder = places.new_run(deployment.deployment)
        save(deployment, folder)
    if verb == "apply":
        note_change(folder, account())
    report = report or Reporter(as_json)
    report.begin(deployment.deployment, verb, folder)
    parameters: dict[str, Any] = {
        **portable(deployment),
        "mode": MODES[verb],
        "run_folder": str(folder),
        "confirmed_restarts": list(confirmed_restarts),
    }
    timeouts = deployment.network.timeouts_s
    answers = Answers() if sys.stdin is not None and sys.stdin.isatty() else None
    if not _reached(deployment, folder, answers, report):
        return report.end(RunRecord.load(folder), folder, "", is_open=_has_open_change(folder), tables=False)
    from s2slib.notebook.engine import inherited  # papermill takes its time to load

    started = RunRecord.load(folder)
    ended_before = started.ended if started else ""
    with inherited(**_places(places, timeouts)):
        failure = _run(SEQUENCES[verb], places, folder, parameters, report, verb, timeouts, answers)
    record = RunRecord.load(folder)
    told = record is not None and record.ended != ended_before
    return report.end(record, folder, failure, told=told, is_open=_has_open_change(folder))


def _reached(deployment: Deployment, folder: Path, answers: Answers | None, report: Reporter) -> bool:
    """Whether every server can be worked with; each cause why not is shown once, and nothing else is asked then."""
    resolver = Resolver(Redactor(), asker=answers or ask_person)
    report.dim("reaching every server ...")
    with Run.open(deployment, folder, mode="check", resolver=resolver) as run:
        against = blocking(run.reach())
    if against:
        report.findings(against)
        report.line(
            "a server that is known to be dead is left out by name and reason: lync.excluded, exchange.excluded"
        )
    return not against


def _has_open_change(folder: Path) -> bool:
    """Whether the journal has an intent of which nobody knows yet what became of it."""
    try:
        return any(not begun.by_hand for begun in History.of(verify(folder / "journal.jsonl")).open())
    except JournalError:
        return False


def _places(places: workspace.Workspace, timeouts: Timeouts) -> dict[str, str]:
    """What the kernels have to be told, which start in the run folder: where things are, and when the run has to be over."""
    known = {
        RUN_ENDS: f"{time.time() + timeouts.run:.0f}",
        workspace.WORKSPACE_VARIABLE: str(places.root),
        workspace.RUNS_VARIABLE: str(places.runs),
    }
    if lab_state.VARIABLE in os.environ:
        known[lab_state.VARIABLE] = str(Path(os.environ[lab_state.VARIABLE]).resolve())
    return known


def _run(
    names: tuple[str, ...],
    places: workspace.Workspace,
    folder: Path,
    parameters: dict[str, Any],
    report: Reporter,
    verb: str,
    timeouts: Timeouts,
    answers: Answers | None,
) -> str:
    """Execute notebooks in order; when one stops the run, only the change record still follows. The first failure."""
    from s2slib.notebook.engine import run_notebook

    failure = ""
    redactor = Redactor()
    ends = time.monotonic() + timeouts.run
    for name in names:
        if failure and verb != "check" and name != RECORD_NOTEBOOK:
            continue
        if time.monotonic() > ends and name != RECORD_NOTEBOOK:
            failure = failure or f"the run's deadline is over ({timeouts.run} s, network.timeouts_s.run)"
            continue
        began = time.monotonic()
        with report.watching(folder):
            done = run_notebook(
                places.notebooks / f"{name}.ipynb",
                folder / "notebooks" / f"{name}.ipynb",
                parameters,
                answer=answers,
                redactor=redactor,
                cell_timeout_s=timeouts.phase + CELL_MARGIN_S,
            )
        report.notebook(name, done.error, time.monotonic() - began, RunRecord.load(folder))
        failure = failure or done.error
    return failure


class Answers(Asker):
    """What a person typed at this terminal, asked once for each prompt and kept in memory for the notebooks that follow."""

    def __init__(self) -> None:
        self._typed: dict[str, str] = {}

    def __call__(self, prompt: str, hidden: bool = True) -> str:
        if prompt not in self._typed:
            self._typed[prompt] = getpass.getpass(prompt) if hidden else input(prompt)
        return self._typed[prompt]
