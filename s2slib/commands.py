"""What the verbs of `s2s` do: run the notebooks headless with papermill, show progress, report, serve the lab."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from s2slib import workspace
from s2slib.deployment import Deployment, load
from s2slib.deployment.reach import LAB
from s2slib.records.redaction import Redactor
from s2slib.records.run_record import EXIT_CODES, Outcome, RunRecord

PHASE_NOTEBOOKS = (
    "10_preflight",
    "20_certificates",
    "30_autodiscover",
    "40_exchange_partner_application",
    "50_restart_iis",
    "60_lync_partner_application",
)
VERIFY_NOTEBOOK = "70_verify"
RECORD_NOTEBOOK = "90_change_record"
STYLES = {"ok": "green", "done": "green", "warning": "yellow", "blocker": "red", "unknown": "magenta", "already": "dim"}


def execute(params: Path, mode: str, as_json: bool) -> int:
    """Run the notebooks of a mode against a deployment; the exit code of the run's outcome."""
    deployment = load(params)
    places = workspace.find()
    folder = places.new_run(deployment.deployment)
    names = {"check": (*PHASE_NOTEBOOKS,), "verify": ()}.get(mode, PHASE_NOTEBOOKS)
    sequence = [*names, VERIFY_NOTEBOOK, RECORD_NOTEBOOK] if mode != "check" else [*names, RECORD_NOTEBOOK]
    report = Reporter(as_json)
    report.begin(deployment.deployment, mode, folder)
    parameters = {**_parameters(deployment), "mode": mode, "run_folder": folder.name}
    failure = _run(sequence, places.notebooks, folder, parameters, report, stop_on_error=mode != "check")
    record = RunRecord.load(folder)
    return report.end(record, folder, failure)


def _parameters(deployment: Deployment) -> dict[str, Any]:
    """The declaration as the notebooks' parameters, so that a params file may lie anywhere."""
    parameters: dict[str, Any] = deployment.parameters()
    ca_file = deployment.network.ca_file
    if ca_file and ca_file != LAB:
        parameters["network"]["ca_file"] = str((deployment.folder / ca_file).resolve())
    return parameters


def _run(
    names: list[str],
    notebooks: Path,
    folder: Path,
    parameters: dict[str, Any],
    report: Reporter,
    *,
    stop_on_error: bool,
) -> str:
    """Execute notebooks in order; when one stops the run, only the change record still follows. The first failure."""
    from s2slib.notebook.engine import run_notebook

    failure = ""
    answer = Answers() if sys.stdin is not None and sys.stdin.isatty() else None
    redactor = Redactor()
    for name in names:
        if failure and stop_on_error and name != RECORD_NOTEBOOK:
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


class Reporter:
    """Progress and results on the terminal; with --json nothing but one object at the end."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """One line, as text: nothing in it is markup."""
        if not self._json:
            self._console.print(text, style=style or None, markup=False)

    def begin(self, deployment: str, mode: str, folder: Path) -> None:
        """Say what is about to run, and where its record will be."""
        self.line(f"{mode} {deployment}: run {folder.name}", "bold")

    @contextmanager
    def watching(self, folder: Path) -> Iterator[None]:
        """Show the run folder's progress lines as they come."""
        stop = threading.Event()
        thread = threading.Thread(target=self._follow, args=(folder / "progress.jsonl", stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _follow(self, file: Path, stop: threading.Event) -> None:
        position = file.stat().st_size if file.exists() else 0
        while True:
            last = stop.wait(0.2)
            if file.exists():
                with file.open("rb") as stream:
                    stream.seek(position)
                    for raw in stream:
                        if raw.endswith(b"\n"):
                            position += len(raw)
                            self.line(f"    {json.loads(raw)['text']}", "dim")
            if last:
                return

    def notebook(self, name: str, error: str, seconds: float, record: RunRecord | None) -> None:
        """One phase: its state, seconds, facts, findings and changes."""
        phase = next((item for item in record.phases if name.endswith(item.name)), None) if record else None
        state = phase.state if phase else ("failed" if error else "done")
        self.line(f"{name}  {state}  {seconds:.1f} s", STYLES.get(state, "red" if error else "cyan"))
        if phase:
            levels = [finding.level for finding in phase.findings]
            counts = ", ".join(
                f"{levels.count(level)} {level}" for level in ("blocker", "unknown", "warning", "ok") if level in levels
            )
            self.line(
                f"    read {phase.facts_read} facts from {phase.servers_read} servers; findings: {counts or 'none'}"
            )
            for change in phase.changes:
                self.line(f"    {change.state}: {change.title} ({change.seconds} s)")
            for finding in phase.findings:
                if finding.level in ("blocker", "unknown"):
                    where = f"{finding.server}: " if finding.server else ""
                    self.line(f"    {finding.level}: {where}{finding.title}", "red")
                    self.line(f"        seen: {finding.seen}")
                    self.line(f"        expected: {finding.expected}")
                    self.line(f"        next: {finding.remedy}")
        if error and (phase is None or state == "done"):
            self.line(f"    {error}", "red")

    def end(self, record: RunRecord | None, folder: Path, failure: str) -> int:
        """The table of findings and changes, the verdict and the run folder; the exit code."""
        outcome: Outcome = record.outcome if record else "failed"
        if failure and outcome in ("trusted", "nothing_pending"):
            outcome = "failed"
        code = EXIT_CODES[outcome]
        if self._json:
            print(json.dumps(_summary(record, folder, outcome, failure), ensure_ascii=False, sort_keys=True))
            return code
        if record:
            self._tables(record)
        self.line(VERDICTS[outcome], "bold green" if code == 0 else "bold red")
        if failure and record is None:
            self.line(failure, "red")
        self.line(f"run folder: {folder}")
        return code

    def _tables(self, record: RunRecord) -> None:
        changes = Table(title="Changes", title_justify="left", show_edge=False)
        for name in ("state", "phase", "change", "took"):
            changes.add_column(name, overflow="fold")
        for phase in record.phases:
            for change in phase.changes:
                changes.add_row(change.state, phase.name, change.title, f"{change.seconds} s")
        findings = Table(title="Findings", title_justify="left", show_edge=False)
        for name in ("level", "phase", "server", "finding", "seen"):
            findings.add_column(name, overflow="fold")
        rows = [finding for phase in record.phases for finding in phase.findings]
        rows += record.verification.findings if record.verification else []
        fine = 0
        for finding in rows:
            if finding.level == "ok" and finding.phase != "verification":
                fine += 1
                continue
            server = finding.server.split(".")[0]
            findings.add_row(finding.level, finding.phase, server, finding.title, finding.seen[:160])
        self._console.print(findings, markup=False)
        self.line(f"and {fine} more in order")
        if changes.row_count:
            self._console.print(changes, markup=False)
        else:
            self.line("No change was needed.")


VERDICTS: dict[Outcome, str] = {
    "trusted": "Trust proven: Lync -> Exchange, by Test-CsExStorageConnectivity on every front end.",
    "nothing_pending": "Nothing is left to change. (Proving the trust is `s2s verify`.)",
    "pending": "Changes are pending; nothing was changed.",
    "blocked": "Blocked: see the findings above. Nothing that they forbid was changed.",
    "refused": "Refused: nothing was changed in the phase that refused.",
    "failed": "Failed: see above; what was changed until then stands in the run folder.",
    "uncertain": "Uncertain: a change may or may not have taken effect. Read it back before anything else.",
    "not_proven": "The trust is not proven: see the findings above.",
}


def _summary(record: RunRecord | None, folder: Path, outcome: Outcome, failure: str) -> dict[str, Any]:
    data: dict[str, Any] = {"run": folder.name, "outcome": outcome, "plan_hash": record.plan_hash if record else ""}
    data["folder"] = str(folder)
    if record:
        data["phases"] = [phase.model_dump(mode="json") for phase in record.phases]
        data["verification"] = record.verification.model_dump(mode="json") if record.verification else None
        data["changes"] = [change.change for change in record.changed()]
    if failure:
        data["error"] = failure
    return data


def serve_lab(state: Path | None) -> int:
    """Serve the lab until Ctrl-C."""
    from s2slib.lab.service import serve

    return int(serve(_lab_state(state)) or 0)


def print_lab_log(state: Path | None) -> int:
    """Print the transitions of the running (or last) lab."""
    from s2slib.lab.service import read_log

    for row in read_log(_lab_state(state)):
        print(json.dumps(row, ensure_ascii=False, sort_keys=True))
    return 0


def _lab_state(state: Path | None) -> Path:
    if state is not None:
        return state
    named = os.environ.get("S2S_LAB_STATE")
    return Path(named) if named else workspace.find().runs_dir() / "lab.json"


def run_demo(as_json: bool) -> int:
    """Start a lab of its own in a child process, run the whole runbook against it, end the lab again."""
    places = workspace.find()
    report = Reporter(as_json)
    state = places.runs_dir() / f"demo-{os.getpid()}.json"
    report.line("starting the embedded lab ...", "dim")
    began = time.monotonic()
    with _lab(state):
        report.line(f"lab ready ({time.monotonic() - began:.1f} s)", "dim")
        os.environ["S2S_LAB_STATE"] = str(state)
        return execute(places.params_file("lab"), "apply", as_json)


@contextmanager
def _lab(state: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "s2slib.lab", "--state", str(state)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "lab ready":
                break
        else:
            raise RuntimeError(f"the lab did not start: exit code {child.wait()}")
        yield
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
