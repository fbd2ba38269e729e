"""run.json: what a run found, changed and proved, typed; written anew, whole, after every phase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from s2slib.errors import EXIT_DONE, EXIT_ERROR, EXIT_PENDING, EXIT_REFUSED, EXIT_UNCERTAIN, S2SError
from s2slib.records.files import read_json, write_text
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.model.outcome import WRITTEN, Outcome

Mode = Literal["check", "verify", "apply"]
PhaseState = Literal["done", "pending", "blocked", "refused", "held", "failed", "uncertain"]
RunOutcome = Literal[
    "trusted",
    "nothing_pending",
    "pending",
    "held",
    "blocked",
    "refused",
    "failed",
    "uncertain",
    "not_proven",
    "backed_out",
]
PLAN = "plan"  # the name under which the whole plan stands among the phases
BACK_OUT = "back_out"  # the name of the phase that takes a run back

EXIT_CODES: dict[RunOutcome, int] = {
    "trusted": EXIT_DONE,
    "nothing_pending": EXIT_DONE,
    "backed_out": EXIT_DONE,
    "failed": EXIT_ERROR,
    "not_proven": EXIT_PENDING,
    "pending": EXIT_PENDING,
    "held": EXIT_PENDING,
    "blocked": EXIT_PENDING,
    "refused": EXIT_REFUSED,
    "uncertain": EXIT_UNCERTAIN,
}


class RecordError(S2SError):
    """run.json is damaged, or another version's."""


class Record(BaseModel):
    """Base: unknown keys are refused, so a record of another version is not misread."""

    model_config = ConfigDict(extra="forbid")


class PlannedRecord(Record):
    """A change that a look found to be made: what, where, by which lines, and whether users notice."""

    title: str
    side: Literal["Lync", "Exchange"]
    users_notice: bool
    lines: list[str]


class PhaseRecord(Record):
    """One phase as it was run last."""

    name: str
    title: str
    state: PhaseState
    detail: str = ""
    started: str
    ended: str
    seconds: int
    servers_read: int = 0
    facts_read: int = 0
    findings: list[Finding] = Field(default_factory=list)
    changes: list[Outcome] = Field(default_factory=list)
    planned: list[PlannedRecord] = Field(default_factory=list)


class VerificationRecord(Record):
    """The verification: its findings and the storage tests that passed."""

    proven: bool
    storage_tests: int
    storage_passed: int
    findings: list[Finding] = Field(default_factory=list)


class Operator(Record):
    """Who ran it, as the operating system names them."""

    account: str
    host: str


class JournalEnd(Record):
    """How far the journal went when this was written: a journal that ends before was cut off."""

    lines: int
    head: str


class RunRecord(Record):
    """The whole run."""

    schema_version: Literal[1] = 1
    run: str
    deployment: str
    fingerprint: str
    mode: Mode
    approval: str  # what the deployment wants: required or not_required
    approved: dict[str, str] | None = None  # whose word the plan has, for which ticket and window
    operator: Operator
    started: str
    ended: str = ""
    plan_hash: str = ""
    phases: list[PhaseRecord] = Field(default_factory=list)
    verification: VerificationRecord | None = None
    journal: JournalEnd | None = None

    @property
    def outcome(self) -> RunOutcome:
        """What the run comes to.

        A back-out, once there is one, alone decides; the plan counts only while no phase was run.

        | phases | verification | outcome |
        | --- | --- | --- |
        | one uncertain | any | uncertain |
        | one refused | any | refused |
        | one failed | any | failed |
        | one held or stopped before a change | any | held |
        | one blocked | any | blocked |
        | one pending | any | pending |
        | back-out done | any | backed_out |
        | all done | proven | trusted |
        | all done | not proven | not_proven |
        | all done | none | nothing_pending |
        """
        back = [phase for phase in self.phases if phase.name == BACK_OUT]
        made = [phase for phase in self.phases if phase.name != PLAN]
        states = {phase.state for phase in back or made or self.phases}
        table: tuple[tuple[set[PhaseState], RunOutcome], ...] = (
            ({"uncertain"}, "uncertain"),
            ({"refused"}, "refused"),
            ({"failed"}, "failed"),
            ({"held"}, "held"),
            ({"blocked"}, "blocked"),
            ({"pending"}, "pending"),
        )
        for wanted, outcome in table:
            if states & wanted:
                return outcome
        if back:
            return "backed_out"
        if self.verification is None:
            return "nothing_pending"
        return "trusted" if self.verification.proven else "not_proven"

    @property
    def exit_code(self) -> int:
        """What `s2s` ends with for this outcome."""
        return EXIT_CODES[self.outcome]

    def set_phase(self, phase: PhaseRecord) -> None:
        """Put a phase in, in place of an earlier run of it."""
        for index, old in enumerate(self.phases):
            if old.name == phase.name:
                self.phases[index] = phase
                return
        self.phases.append(phase)

    def changed(self) -> list[Outcome]:
        """What was really written, in order."""
        return [change for phase in self.phases for change in phase.changes if change.state in WRITTEN]

    def save(self, folder: Path) -> None:
        """Write run.json into the run folder."""
        data = {**self.model_dump(mode="json"), "outcome": self.outcome}
        write_text(folder / "run.json", json.dumps(data, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> RunRecord | None:
        """The record of a run folder; None when it has none yet. RecordError when it cannot be read as one."""
        file = folder / "run.json"
        if not file.is_file():
            return None
        try:
            data = read_json(file)
            if not isinstance(data, dict):
                raise ValueError("not an object")
            data.pop("outcome", None)
            return cls.model_validate(data)
        except (OSError, ValueError) as error:
            raise RecordError(f"run.json of {folder.name} cannot be read as a record: {type(error).__name__}") from None
