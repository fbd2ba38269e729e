"""What a person at a terminal sees of a run, and the one JSON object of `--json`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from s2slib.records.display import safe_json, safe_text
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.model.record import EXIT_CODES, PLAN, PlannedRecord, RunOutcome, RunRecord

LINE_LIMIT = 50_000
STYLES = {"ok": "green", "done": "green", "warning": "yellow", "blocker": "red", "unknown": "magenta", "already": "dim"}


class Reporter:
    """Progress and results on the terminal; with --json nothing but one object at the end."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(stderr=False, highlight=False, soft_wrap=True, emoji=False)

    def line(self, text: str, style: str = "") -> None:
        """One line, as text: nothing in it is markup, nothing steers the terminal (rule R9)."""
        if not self._json:
            self._console.print(safe_text(text, LINE_LIMIT), style=style or None, markup=False)

    def dim(self, text: str) -> None:
        """A line of progress."""
        self.line(f"    {text}", "dim")

    def object(self, **data: Any) -> None:
        """With --json, the one object; otherwise nothing."""
        if self._json:
            print(safe_json(data))

    def findings(self, findings: Iterable[Finding], indent: str = "") -> None:
        """Findings one by one: what was seen, expected, and what to do."""
        for finding in findings:
            where = f"{finding.server}: " if finding.server else ""
            self.line(f"{indent}{finding.level}: {where}{finding.title}", STYLES.get(finding.level, ""))
            self.line(f"{indent}    seen: {finding.seen}")
            self.line(f"{indent}    expected: {finding.expected}")
            if finding.remedy:
                self.line(f"{indent}    next: {finding.remedy}")

    def begin(self, deployment: str, verb: str, folder: Path) -> None:
        """Say what is about to run, and where its record will be."""
        self.line(f"{verb} {deployment}: run {folder.name}", "bold")

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
            self.findings((row for row in phase.findings if row.level in ("blocker", "unknown")), indent="    ")
        if error and (phase is None or state == "done"):
            self.line(f"    {error}", "red")

    def end(
        self,
        record: RunRecord | None,
        folder: Path,
        failure: str,
        *,
        told: bool = True,
        is_open: bool = False,
        tables: bool = True,
    ) -> int:
        """The table of findings and changes, the verdict and the run folder; the exit code.

        `told`: whether run.json was written by this invocation; without that it says nothing of a failure. `is_open`:
        whether of a change in the journal it is not known what became of it. `tables`: whether findings and changes are listed.
        """
        outcome: RunOutcome = record.outcome if record else "failed"
        if failure and (not told or outcome in ("trusted", "nothing_pending", "backed_out")):
            outcome = "failed"
        if failure and is_open:
            outcome = "uncertain"
        code = EXIT_CODES[outcome]
        if self._json:
            print(safe_json(_summary(record, folder, outcome, failure)))
            return code
        if record and tables:
            self._tables(record)
        self.line(_verdict(outcome, record), "bold green" if code == 0 else "bold red")
        if failure and (record is None or not told):
            self.line(failure, "red")
        self.line(f"run folder: {folder}")
        return code

    def _tables(self, record: RunRecord) -> None:
        rows = [finding for phase in record.phases for finding in phase.findings]
        rows += record.verification.findings if record.verification else []
        told = [finding for finding in rows if finding.level != "ok"]
        self._table("Findings", ("level", "phase", "server", "finding", "seen"), [_finding_row(row) for row in told])
        self.line(f"{len(rows) - len(told)} findings in order" + (f", {len(told)} not" if told else ""))
        if record.verification:
            found = record.verification
            self.line(f"Test-CsExStorageConnectivity passed {found.storage_passed} of {found.storage_tests}")
        changes = [(c.state, phase.name, c.title, f"{c.seconds} s") for phase in record.phases for c in phase.changes]
        self._table("Changes", ("state", "phase", "change", "took"), changes)
        if not changes and record.mode == "apply":
            self.line("0 changed: no change was needed.")
        planned = [change for phase in record.phases if phase.name != PLAN for change in phase.planned]
        if planned:
            self.line("")
            for change in planned:
                self.line(f"  + {change.title}")
                for line in change.lines:
                    self.line(f"      {line}", "dim")
            self.line(_to_make(planned), "bold")

    def _table(self, title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        if not rows:
            return
        table = Table(title=title, title_justify="left", show_edge=False)
        for name in header:
            table.add_column(name, overflow="fold", no_wrap=name in ("level", "state", "took", "server", "phase"))
        for row in rows:
            table.add_row(*(Text(safe_text(cell, LINE_LIMIT)) for cell in row))
        self._console.print(table)


def _to_make(planned: Sequence[PlannedRecord]) -> str:
    """How many changes, where, and how many of them users notice."""
    restarts = sum(change.users_notice for change in planned)
    parts = [f"{restarts} that users notice"] if restarts else []
    for side in ("Exchange", "Lync"):
        number = sum(change.side == side and not change.users_notice for change in planned)
        parts[:0] = [f"{number} on {side}"] if number else []
    return f"{len(planned)} to make: {', '.join(parts)}"


def _finding_row(finding: Finding) -> tuple[str, ...]:
    return (finding.level, finding.phase, finding.server.split(".")[0], finding.title, finding.seen[:160])


VERDICTS: dict[RunOutcome, str] = {
    "trusted": "Trust proven: Lync -> Exchange, by Test-CsExStorageConnectivity on every front end.",
    "nothing_pending": "Nothing is left to change. (Proving the trust is `s2s verify`.)",
    "pending": "Changes are pending.",
    "held": "Held before a change: see above. s2s resume goes on.",
    "blocked": "Blocked: see the findings above.",
    "refused": "Refused: see above.",
    "failed": "Failed: see above.",
    "uncertain": "Uncertain: a change may or may not have taken effect. Read it back before anything else.",
    "not_proven": "The trust is not proven: see the findings above.",
    "backed_out": "Backed out: what this run did is undone, as far as its plan said it can be.",
}


def _verdict(outcome: RunOutcome, record: RunRecord | None) -> str:
    """The verdict, and how much was changed where that is the next question."""
    if outcome not in ("pending", "held", "blocked", "refused", "failed"):
        return VERDICTS[outcome]
    number = len(record.changed()) if record else 0
    made = (
        "Nothing was changed."
        if not number
        else f"{number} change{'s were' if number > 1 else ' was'} made in this run."
    )
    return f"{VERDICTS[outcome]} {made}"


def _summary(record: RunRecord | None, folder: Path, outcome: RunOutcome, failure: str) -> dict[str, Any]:
    data: dict[str, Any] = {"run": folder.name, "outcome": outcome, "plan_hash": record.plan_hash if record else ""}
    data["folder"] = str(folder)
    if record:
        data["phases"] = [phase.model_dump(mode="json") for phase in record.phases]
        data["verification"] = record.verification.model_dump(mode="json") if record.verification else None
        data["changes"] = [change.change for change in record.changed()]
    if failure:
        data["error"] = failure
    return data
