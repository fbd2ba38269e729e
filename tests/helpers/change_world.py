"""A lab and runs against it that can be killed: what the journal said at the instant of every write is noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers.paths import PARAMS, ROOT
from helpers.snapshot import difference, state
from s2slab.estate.clock import LabClock
from s2slab.estate.transitions import Transition
from s2slab.scenario import Scenario
from s2slab.service import Lab
from s2slab.winrm.launch import Engine
from s2slib import workspace
from s2slib.deployment import Deployment, from_parameters
from s2slib.records.journal import Entry, verify
from s2slib.remoting.values.command import Command
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.model.record import Mode
from s2slib.runbook.phases import PHASES
from s2slib.runbook.reading.estates import Opener
from s2slib.runbook.run import PhaseResult, Run
from s2slib.runbook.verify import Verification

ALL = tuple(step.name for step in PHASES)
WRITING = ALL[1:]
FE1, FE2 = "atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"
EX1, EX2 = "atl-exchange-001.litwareinc.com", "atl-exchange-002.litwareinc.com"
APPROVAL_REQUIRED = {"policy": {"approval": "required"}}
DEAD_PROCESS = 2**22 + 1  # above the largest process id that Linux gives
KINDS = ("configuration", "service", "file")
IN_THE_SCRIPT = {
    "New-MailUser",
    "Set-MailUser",
    "New-ManagementRoleAssignment",
    "New-PartnerApplication",
    "Set-PartnerApplication",
}

STAYS = (
    "/OAuthTokenIssuer/",
    "/certificate/",
    "/file",
    "/folder",
)  # what the plan says that stays: the key, the export

Decision = Callable[[str, str, str], bool]
"""(moment, event, change or phase) -> whether the writer dies there. A moment is before, torn or after a line."""


class Killed(BaseException):
    """The writer died at this instant."""


@dataclass
class Write:
    """A transition that a command caused, and how many lines each journal had by then."""

    row: Transition
    lines: dict[Path, int]


@dataclass
class ChangeWorld:
    """A lab that other processes can find too, its runs folder, and every write with what the journals said by then."""

    lab: Lab
    runs: Path
    writes: list[Write] = field(default_factory=list)

    def deployment(self, **sections: Any) -> Deployment:
        """params/lab.yaml with single keys of its sections replaced."""
        data: dict[str, Any] = from_parameters({"deployment": "lab"}, PARAMS).parameters()
        for name, changes in sections.items():
            data[name] = {**data[name], **changes} if isinstance(data[name], dict) else changes
        return from_parameters(data, PARAMS)

    def folder(self) -> Path:
        """A new run folder."""
        return workspace.find().new_run("lab")

    def open(self, folder: Path, mode: Mode = "apply", opener: Opener | None = None, **sections: Any) -> Run:
        """A run on a folder, new or taken up again, as a notebook opens it. `opener`: links in place of fresh ones."""
        made = Run.open(self.deployment(**sections), folder, mode=mode)
        made.inspector._now = made.control._now = self.lab.estate.now  # the operator's machine keeps the estate's time
        if opener is not None:
            made.estates._opener = opener
        return made

    def apply(
        self, *names: str, folder: Path | None = None, mode: Mode = "apply", **sections: Any
    ) -> dict[str, PhaseResult]:
        """Carry phases out, each on fresh facts; stops behind the first that is not done."""
        with self.open(folder or self.folder(), mode, **sections) as run:
            return carry_out(run, *names)

    def back_out(self, folder: Path, **sections: Any) -> PhaseResult:
        """Take a run back."""
        with self.open(folder, **sections) as run:
            run.inspect()
            return run.back_out()

    def verify(self, **sections: Any) -> Verification:
        """Verify the trust with the storage test, in a run of its own."""
        with self.open(self.folder(), "verify", **sections) as run:
            return run.verify()

    def rows(self) -> list[Transition]:
        """Transitions of configuration, services and files that commands caused."""
        return [row for row in self.lab.estate.log.rows(caused_by="command") if row.kind in KINDS]

    def settled_state(self) -> dict[str, Any]:
        """The lab's whole state once everything on its way has arrived."""
        self.lab.estate.clock.advance(3600)
        return state(self.lab.estate)

    def approved(self, **sections: Any) -> Path:
        """A run folder with a plan that is approved from an hour ago to four hours from now."""
        sections = {**sections, "policy": {**APPROVAL_REQUIRED["policy"], **sections.get("policy", {})}}
        folder = self.folder()
        with self.open(folder, "check", **sections) as run:
            keep_plan(run)
            run.control.approve(**approval())
        return folder


@contextmanager
def change_world(
    folder: Path,
    patch: pytest.MonkeyPatch,
    scenario: Scenario | None = None,
    engine: Engine | None = None,
    clock: LabClock | None = None,
) -> Iterator[ChangeWorld]:
    """A fresh lab with a state file and a runs folder of its own."""
    runs = folder / "runs"
    runs.mkdir()
    patch.setenv("S2S_LAB_STATE", str(folder / "lab.json"))
    patch.setenv("S2S_RUNS", str(runs))
    patch.setenv("S2S_WORKSPACE", str(ROOT))
    with Lab(state=folder / "lab.json", scenario=scenario, engine=engine, clock=clock) as lab:
        made = ChangeWorld(lab, runs)
        _watch(made)
        yield made


def _watch(made: ChangeWorld) -> None:
    log = made.lab.estate.log
    add = log.add

    def noting(at: datetime, kind: Any, subject: str, before: Any, after: Any) -> Transition:
        row = add(at, kind, subject, before, after)
        if row.cause.kind == "command" and kind in KINDS:
            journals = made.runs.glob("*/journal.jsonl")
            made.writes.append(Write(row, {file: file.read_bytes().count(b"\n") for file in journals}))
        return row

    log.add = noting  # type: ignore[method-assign]


def carry_out(run: Run, *names: str) -> dict[str, PhaseResult]:
    """Phases of an open run, each on fresh facts; stops behind the first that is not done."""
    results: dict[str, PhaseResult] = {}
    for name in names or ALL:
        run.inspect()
        results[name] = run.phase(name)
        if results[name].state != "done":
            break
    return results


def keep_plan(run: Run) -> None:
    """Plan on fresh facts, and make that the run's plan as the planning notebook does."""
    run.inspect()
    run.keep_plan(run.plan(), [])


def states(results: dict[str, PhaseResult]) -> dict[str, str]:
    """Phase -> state, with what went wrong."""
    return {name: result.state + (f": {result.detail}" if result.detail else "") for name, result in results.items()}


def approval(before_h: float = -1, after_h: float = 4, approver: str = "Change board") -> dict[str, str]:
    """What a person types to approve a plan, hours from now."""
    now = datetime.now(UTC)
    begin, end = (now + timedelta(hours=hours) for hours in (before_h, after_h))
    return {
        "approver": approver,
        "ticket": "CHG0042",
        "not_before": begin.isoformat(),
        "not_after": end.isoformat(),
    }


def left_behind(before: dict[str, Any], world: ChangeWorld) -> dict[str, Any]:
    """What differs from `before` now, field by field, but for what the plan said that stays: signing key and archive."""
    now = world.settled_state()
    key = now.get("cms/master/OAuthTokenIssuer/Thumbprint")
    stays = ("/OAuthTokenIssuer/", f"/certificate/{key}/", "/file", "/folder")
    return {path: pair for path, pair in difference(before, now).items() if not any(name in path for name in stays)}


# -- dying ---------------------------------------------------------------------------------------------------------------


def mortal(run: Run, dies: Decision) -> None:
    """Let the writer die where `dies` says: before a journal line, in the middle of it, or right after it."""
    append = run.journal.append

    def killing(event: str, **data: Any) -> Entry:
        change = data.get("change", data.get("phase", ""))
        name = change["id"] if isinstance(change, dict) else str(change)
        if dies("before", event, name):
            raise Killed(f"before {event} {name}")
        entry = append(event, **data)
        if dies("torn", event, name):
            _tear(run.journal.path)
            raise Killed(f"in the middle of {event} {name}")
        if dies("after", event, name):
            raise Killed(f"after {event} {name}")
        return entry

    run.journal.append = killing  # type: ignore[method-assign]


def _tear(journal: Path) -> None:
    whole = journal.read_bytes()
    begin = whole[:-1].rfind(b"\n") + 1
    journal.write_bytes(whole[: (begin + len(whole)) // 2])


def incarnation(run: Run, action: Callable[[Run], Any]) -> Any:
    """What `action` comes to, or None when the writer died: its lock's record and its open links stay behind."""
    record = run.folder.parent / "lab.writer.json"
    kept: dict[str, Any] = {}
    append = run.journal.append

    def remembering(event: str, **data: Any) -> Entry:
        if record.exists():
            kept.update(json.loads(record.read_text(encoding="utf-8")))
        return append(event, **data)

    run.journal.append = remembering  # type: ignore[method-assign]
    try:
        found = action(run)
    except Killed:
        if kept:
            record.write_text(json.dumps({**kept, "process": DEAD_PROCESS}), encoding="utf-8")
        return None
    run.close()
    return found


class Once:
    """Dies once at every place that it has not seen yet: event by event, at these moments. `any` stands for every event."""

    def __init__(self, is_fast: bool = False, **moments: tuple[str, ...]) -> None:
        self.is_fast = is_fast
        self._moments = moments
        self.seen: set[tuple[str, str, str]] = set()

    def __call__(self, moment: str, event: str, name: str) -> bool:
        wanted = self._moments.get(event, self._moments.get("any", ()))
        if moment not in wanted or (moment, event, name) in self.seen:
            return False
        self.seen.add((moment, event, name))
        return True


@dataclass
class AtLine:
    """Dies at the n-th line that this writer appends."""

    number: int
    moment: str
    lines: int = 0
    died: str = ""

    def __call__(self, moment: str, event: str, name: str) -> bool:
        self.lines += moment == "before"
        if moment != self.moment or self.lines != self.number or self.died:
            return False
        self.died = f"{moment} {event} {name}"
        return True


# -- the journal against what happened -----------------------------------------------------------------------------------


def audit(world: ChangeWorld, folder: Path) -> None:
    """Every write of a command has its intent, nothing stands as done that did not happen, and nothing was written twice."""
    file = folder / "journal.jsonl"
    entries = verify(file)
    by_change: dict[str, list[Write]] = {}
    for write in world.writes:
        owner, lines = _intended(entries[: write.lines.get(file, 0)])
        command = write.row.cause.command
        assert owner, f"{command} was not intended: {write.row.subject}"
        assert any(_is_of(line, command) for line in lines), f"{command} is not what {owner} intended: {lines}"
        by_change.setdefault(owner, []).append(write)
    for owner, writes in by_change.items():
        effects = [(w.row.subject, json.dumps(w.row.after, sort_keys=True)) for w in writes if w.row.kind != "service"]
        assert len(effects) == len(set(effects)), f"{owner} was written twice: {effects}"
        stops = [w.row.subject for w in writes if w.row.kind == "service" and w.row.after == "Stopped"]
        assert len(stops) == len(set(stops)), f"{owner} was restarted twice: {stops}"
    for entry in entries:
        if entry.event == "outcome" and entry.data["state"] == "done" and entry.data["lines"]:
            owner = entry.data["change"]
            made = [w for w in by_change.get(owner, ()) if w.lines[file] < entry.number]
            assert made, f"line {entry.number} says that {owner} was done, and it was not"
    held = {e.data["change"]["id"] for e in entries if e.event == "intent"}
    said = {e.data["change"] for e in entries if e.event == "outcome"}
    assert held <= said, f"what became of these is not said: {held - said}"


def _intended(entries: Sequence[Entry]) -> tuple[str, list[str]]:
    """The change under way at the end of some entries, with its lines; nothing when none is."""
    for entry in reversed(entries):
        if entry.event == "intent":
            return str(entry.data["change"]["id"]), list(entry.data["lines"])
        if entry.event == "recovery":
            return str(entry.data["change"]), list(entry.data["lines"])
        if entry.event == "outcome":
            return "", []
    return "", []


def _is_of(line: str, command: str) -> bool:
    """Whether a command as the lab logged it is the journal's line, or comes out of the script that the line runs."""
    name = command.split()[0]
    if ".ps1" in line:
        return name in IN_THE_SCRIPT
    if ".exe" in line:
        return name.casefold() in line.casefold()
    return line.split()[0] == name


def wrap_run(run: Run, around: Callable[[str, Command, Callable[[], Reply]], Reply]) -> None:
    """Put something around every single command that a run hands to a server."""
    inner = run.estates.run

    def wrapped(server: str, command: Command, *, timeout_s: float | None = None) -> Reply:
        return around(server, command, lambda: inner(server, command, timeout_s=timeout_s))

    run.estates.run = wrapped  # type: ignore[method-assign]
