"""Running the notebooks of a verb headless with papermill, in the order of the procedure."""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import Any

from s2slib import workspace
from s2slib.commands.report import Reporter
from s2slib.deployment import Deployment
from s2slib.deployment.saved import portable, save
from s2slib.records.redaction import Redactor
from s2slib.records.run_record import RunRecord

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
    report = report or Reporter(as_json)
    report.begin(deployment.deployment, verb, folder)
    parameters: dict[str, Any] = {
        **portable(deployment),
        "mode": MODES[verb],
        "run_folder": str(folder),
        "confirmed_restarts": list(confirmed_restarts),
    }
    limit_s = float(deployment.network.timeouts_s.run)
    failure = _run(SEQUENCES[verb], places.notebooks, folder, parameters, report, verb, limit_s)
    return report.end(RunRecord.load(folder), folder, failure)


def _run(
    names: tuple[str, ...],
    notebooks: Path,
    folder: Path,
    parameters: dict[str, Any],
    report: Reporter,
    verb: str,
    limit_s: float,
) -> str:
    """Execute notebooks in order; when one stops the run, only the change record still follows. The first failure."""
    from s2slib.notebook.engine import run_notebook

    failure = ""
    answer = Answers() if sys.stdin is not None and sys.stdin.isatty() else None
    redactor = Redactor()
    start = time.monotonic()
    for name in names:
        if failure and verb != "check" and name != RECORD_NOTEBOOK:
            continue
        if time.monotonic() - start > limit_s and name != RECORD_NOTEBOOK:
            failure = failure or f"the run's deadline is over ({limit_s:.0f} s, network.timeouts_s.run)"
            continue
        began = time.monotonic()
        with report.watching(folder):
            target = folder / "notebooks" / f"{name}.ipynb"
            done = run_notebook(notebooks / f"{name}.ipynb", target, parameters, answer=answer, redactor=redactor)
        report.notebook(name, done.error, time.monotonic() - began, RunRecord.load(folder))
        failure = failure or done.error
    return failure


class Answers:
    """What a person typed at this terminal, asked once for each prompt and kept in memory for the notebooks that follow."""

    def __init__(self) -> None:
        self._typed: dict[str, str] = {}

    def __call__(self, prompt: str, hidden: bool) -> str:
        if prompt not in self._typed:
            self._typed[prompt] = getpass.getpass(prompt) if hidden else input(prompt)
        return self._typed[prompt]
