"""What a run folder is: a look, a change or a back-out; whether it goes on or has ended; what to type next.

| kind | it holds |
| --- | --- |
| check | nothing but looks: no verb makes a change out of it |
| change | a plan, or an apply that was begun |
| back-out | a change that is being taken back, or was |

A run has ended when its trust was proven, when it was backed out, or when somebody closed it. Nothing is written into the folder
of one that has ended, but by the back-out of what it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from s2slib.errors import EXIT_REFUSED, S2SError
from s2slib.records.files import read_object, write_json
from s2slib.records.instants import utc_text
from s2slib.records.journal import verify
from s2slib.runbook.control.history import History
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.record import Mode, RunOutcome, RunRecord
from s2slib.workspace import NEW_RUN, RunName, Workspace

Kind = Literal["check", "change", "back-out"]
Purpose = Literal["work", "record", "back out"]
CHANGE_MARK = "change.json"  # put down when an apply session opens the run, before anything is contacted
CLOSED = "closed.json"  # somebody closed the run by hand: who, when, why
PLAN_FILE = "plan.json"


class RunEnded(S2SError):
    """A run has ended, or is no change, and what was asked would write into it."""

    exit_code = EXIT_REFUSED


@dataclass(frozen=True)
class Standing:
    """Where a run stands, from what lies in its folder. `ended` says why it has ended; empty while it goes on."""

    folder: Path
    kind: Kind
    outcome: RunOutcome | None
    ended: str
    begun: str  # instant of its first record, or of its name
    account: str
    made: tuple[str, ...]  # titles of changes that may be there
    open: tuple[str, ...]  # titles of changes of which it is not known what became of them

    @property
    def name(self) -> str:
        """The run folder's name."""
        return self.folder.name

    def line(self) -> str:
        """The run in one sentence."""
        who = f" by {self.account}" if self.account else ""
        state = f"ended: {self.ended}" if self.ended else (self.outcome or "nothing recorded yet").replace("_", " ")
        return f"{self.name}: {self.kind}, begun {self.begun}{who}; {state}"

    def next_commands(self) -> Iterator[str]:
        """What can be typed next, as it stands."""
        if self.kind == "check":
            yield "s2s plan PARAMS"
        elif not self.ended:
            yield f"s2s resume {self.name}"
        if self.kind == "change" and self.made:
            yield f"s2s back-out {self.name}"

    def refuse_looks(self) -> None:
        """RunEnded when this run is a look, which nothing carries out."""
        if self.kind == "check":
            raise RunEnded(
                f"{self.name} was a look (check) and holds no plan: s2s plan PARAMS makes one, s2s apply PARAMS carries a "
                "declaration out that wants no approval. Nothing was contacted"
            )

    def refuse_ended(self) -> None:
        """RunEnded when this run has ended."""
        if self.ended:
            raise RunEnded(
                f"{self.name} has ended: {self.ended}. Nothing is written into its folder any more; a new run is "
                's2s check PARAMS, s2s plan PARAMS, or run_folder = "new". Nothing was contacted'
            )


def standing(folder: Path) -> Standing:
    """The standing of a run folder. RecordError or JournalError when its files cannot be read as a run's."""
    record = RunRecord.load(folder)
    history = History.of(verify(folder / "journal.jsonl"))
    marks = (PLAN_FILE, CHANGE_MARK)
    kind: Kind = "check"
    if history.backed_out:
        kind = "back-out"
    elif history.begun or any((folder / mark).exists() for mark in marks):
        kind = "change"
    name = RunName.parse(folder.name)
    begun = record.started if record else utc_text(name.started) if name else ""
    return Standing(
        folder,
        kind,
        record.outcome if record else None,
        _ended(folder, kind, record, history),
        begun,
        record.operator.account if record else "",
        tuple(change.title for change in _left(history)),
        tuple(item.change.title for item in history.open()),
    )


def chosen(places: Workspace, deployment: str, given: str, mode: Mode, to: Purpose) -> tuple[Path, str]:
    """The run that a session means, and in words whether it goes on with one or begins one. WorkspaceError, RunEnded.

    | `given` | to work | to read the record, to back out |
    | --- | --- | --- |
    | "" | the open run, unless it has ended, or is a look and the mode is apply; else a new one | the open run, ended or not |
    | "new" | a new one | a new one |
    | a run | that one, unless it has ended, or is a look and the mode is apply | that one |
    """
    where = None
    if given and given != NEW_RUN:
        where = standing(places.find_run(given, deployment))
        if to == "work":
            where.refuse_ended()
        if mode == "apply" and where.outcome is not None:
            where.refuse_looks()
    elif not given and (opened := places.open_run(deployment)) is not None:
        where = standing(opened)
        is_look = mode == "apply" and where.kind == "check" and where.outcome is not None
        if to == "work" and (where.ended or is_look):
            where = None
    if where is not None:
        by = f" by {where.account}" if where.account else ""
        return where.folder, f"continuing {where.name}, begun {where.begun}{by}"
    folder = places.new_run(deployment)
    places.set_open_run(deployment, folder)
    return folder, f"new run {folder.name}"


def note_change(folder: Path, account: str) -> None:
    """Note that a run is a change from now on; done before anything is contacted."""
    if not (folder / CHANGE_MARK).exists():
        write_json(folder / CHANGE_MARK, {"account": account, "at": utc_text()})


def close(folder: Path, account: str, reason: str) -> None:
    """End a run by hand."""
    write_json(folder / CLOSED, {"account": account, "at": utc_text(), "reason": reason})


def _ended(folder: Path, kind: Kind, record: RunRecord | None, history: History) -> str:
    closed = read_object(folder / CLOSED)
    if closed is not None:
        return f"closed by {closed.get('account')} at {closed.get('at')}: {closed.get('reason')}"
    if record is None or history.open():
        return ""
    if kind == "change" and record.mode == "apply" and record.outcome == "trusted":
        return f"trust proven at {record.ended}"
    if kind == "back-out" and record.outcome == "backed_out":
        return f"backed out at {record.ended}"
    return ""


def _left(history: History) -> tuple[Change, ...]:
    return tuple(c for c in history.written() if not c.undo or any(step.id not in history.over for step in c.undo))
