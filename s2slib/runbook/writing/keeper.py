"""run.json of one run: several sessions may have it open, so each puts in its own part and leaves the others' as they are.

What was changed stands in it as the journal says, whoever wrote it. A check of a run that has been begun is only looked
at: it does not replace what the run did.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from s2slib.records.journal import Journal
from s2slib.records.redaction import Redactor
from s2slib.runbook.control.approval import ApprovalError
from s2slib.runbook.control.control import ChangeControl
from s2slib.runbook.control.history import UNDO
from s2slib.runbook.model.outcome import SAYS_NOTHING, Outcome
from s2slib.runbook.model.record import (
    BACK_OUT,
    JournalEnd,
    Mode,
    PhaseRecord,
    RunRecord,
    VerificationRecord,
)
from s2slib.typed import from_json, to_json

LOCK_TIMEOUT_S = 30


class Keeper:
    """Keeps run.json. `record` is what this session shows; the file is what all of them have put in."""

    def __init__(
        self,
        folder: Path,
        first: RunRecord,
        *,
        mode: Mode,
        control: ChangeControl,
        journal: Journal,
        redactor: Redactor,
        now: Callable[[], str],
    ) -> None:
        self._folder = folder
        self._mode = mode
        self._control = control
        self._journal = journal
        self._redactor = redactor
        self._now = now
        self.record = first

    def phase(self, phase: PhaseRecord) -> None:
        """Put one phase in, with its changes as the journal has them."""
        phase.changes = self._changes_of(phase.name)
        self._put(lambda record: record.set_phase(phase))

    def verification(self, found: VerificationRecord | None) -> None:
        """Put the verification in; None when a change makes the last one old."""

        def put(record: RunRecord) -> None:
            record.verification = found

        self._put(put)

    def plan_hash(self, plan_hash: str) -> None:
        """Note which plan the run has. It is saved with what comes next."""
        self.record.plan_hash = plan_hash

    def _put(self, change: Callable[[RunRecord], None]) -> None:
        change(self.record)
        if self._mode == "check" and self._control.history.begun:
            return
        with FileLock(str(self._folder / "run.json.lock"), timeout=LOCK_TIMEOUT_S):
            record = RunRecord.load(self._folder) or self.record
            change(record)
            if self._mode == "apply" or not self._control.history.begun:
                record.mode = self._mode
            record.plan_hash = self.record.plan_hash or record.plan_hash
            record.ended = self._now()
            record.approved = self._approved()
            entries = self._journal.entries()
            record.journal = JournalEnd(lines=len(entries), head=entries[-1].hash) if entries else None
            self.record = RunRecord.model_validate(self._redactor.json(record.model_dump(mode="json")))
            self.record.save(self._folder)

    def _approved(self) -> dict[str, str] | None:
        try:
            given = self._control.approval
        except ApprovalError:
            return None  # what is wrong with it is said where it is needed
        return to_json(given) if given else None

    def _changes_of(self, phase: str) -> list[Outcome]:
        """What the journal says of a phase's changes, the last word on each; a record that a kill cannot shorten."""
        last: dict[str, Outcome] = {}
        for entry in self._journal.entries():
            data = {key: value for key, value in entry.data.items() if key != "bound"}
            if entry.event != "outcome" or (BACK_OUT if data["change"].startswith(UNDO) else data["phase"]) != phase:
                continue
            known = last.get(data["change"])
            if known is None or data["state"] not in SAYS_NOTHING or known.state in SAYS_NOTHING:
                last.pop(data["change"], None)
                last[data["change"]] = from_json(Outcome, data)
        return list(last.values())
