"""A writer that dies at any journalled step leaves a journal that is true and a run that goes on, or back, to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.change_world import (
    ALL,
    DEAD_PROCESS,
    WRITING,
    AtLine,
    ChangeWorld,
    Decision,
    Killed,
    Once,
    audit,
    carry_out,
    incarnation,
    left_behind,
    mortal,
    states,
    wrap_run,
)

from s2slib.facts import Facts
from s2slib.records.journal import verify
from s2slib.remoting.values.command import Command
from s2slib.remoting.values.errors import RemotingError
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.reading.estates import Channel
from s2slib.runbook.run import Run

Action = Callable[[Run], Any]
MOST_LIVES = 80


class Kept:
    """What a test hands from life to life so as not to read an estate forty times: links, and the facts of a phase.

    A real new process has neither. Facts that are old make it harder: the one rule has to read for itself.
    """

    def __init__(self) -> None:
        self._links: dict[str, Channel] = {}
        self.facts: Facts | None = None

    def give(self, run: Run, *, facts: bool) -> None:
        fresh = run.estates._opener
        run.estates._opener = lambda server, ceiling: self._links.setdefault(server, fresh(server, ceiling))
        run.facts = self.facts if facts else None


def lives(world: ChangeWorld, folder: Path, dies: Decision, action: Action, kept: Kept | None = None) -> list[Any]:
    """Take the run up until the writer survives; what each life came to, None for those that it did not survive."""
    found: list[Any] = []
    for _ in range(MOST_LIVES):
        run = world.open(folder)
        if kept is not None:
            kept.give(run, facts=isinstance(dies, Once) and dies.is_fast and bool(found))
        mortal(run, dies)
        found.append(incarnation(run, action))
        if kept is not None:
            kept.facts = run.facts
        if found[-1] is not None:
            return found
    raise AssertionError(f"still dying after {MOST_LIVES} lives")


def phase(name: str) -> Action:
    """Carry one phase out."""
    return lambda run: run.phase(name)


def whole(last: str) -> Action:
    """Carry every phase out, up to one."""
    return lambda run: carry_out(run, *ALL[: ALL.index(last) + 1])


@pytest.mark.parametrize(
    "dies",
    [
        pytest.param(Once(True, intent=("after",), reply=("before",)), marks=pytest.mark.slow),
        pytest.param(Once(any=("before", "after")), marks=pytest.mark.slow),
        pytest.param(Once(intent=("torn",), outcome=("torn",)), marks=pytest.mark.slow),
    ],
    ids=["around the command", "before and after", "torn"],
)
def test_a_run_whose_writer_dies_at_every_line_goes_on_one_step_further_each_time(
    dies: Once, estate: ChangeWorld
) -> None:
    folder, kept = estate.folder(), Kept()
    for name in WRITING:
        found = lives(estate, folder, dies, phase(name), kept)
        assert (found[-1].state, found[-1].detail) == ("done", "")
        assert len(found) > 1
    audit(estate, folder)
    notes = [str(entry.data["note"]) for entry in verify(folder / "journal.jsonl") if entry.event == "note"]
    assert any("taken over from a writer that ended" in note and f"process {DEAD_PROCESS}" in note for note in notes)
    assert not (estate.runs / "lab.writer.json").exists()
    with estate.open(folder) as run:
        assert run.control.fresh_plan(run.inspect()).changes == ()
    assert estate.verify().proven


@pytest.mark.slow
@pytest.mark.parametrize("line", [4])
def test_a_run_killed_once_in_every_phase_is_taken_up_by_a_new_process(line: int, estate: ChangeWorld) -> None:
    folder = estate.folder()
    died = []
    for name in WRITING:
        dies = AtLine(line, "before")
        found = lives(estate, folder, dies, whole(name))
        assert set(states(found[-1]).values()) == {"done"}
        died += [dies.died] if len(found) > 1 else []
    assert died
    audit(estate, folder)
    assert estate.verify().proven


@pytest.mark.slow
@pytest.mark.parametrize(
    "dies",
    [
        Once(True, reply=("before",)),
        Once(any=("before", "after")),
    ],
    ids=["behind the command", "before and after"],
)
def test_a_back_out_whose_writer_dies_at_every_line_ends_where_the_run_began(dies: Once, estate: ChangeWorld) -> None:
    before, folder = estate.settled_state(), estate.folder()
    assert set(states(estate.apply(folder=folder)).values()) == {"done"}
    found = lives(estate, folder, dies, Run.back_out, Kept())
    assert (found[-1].state, found[-1].detail) == ("done", "")
    assert len(found) > 9
    audit(estate, folder)
    assert left_behind(before, estate) == {}


def test_a_command_that_the_dead_writer_left_running_is_waited_for(estate: ChangeWorld) -> None:
    """Its effect comes while the next writer looks: repeating it then would write twice."""
    folder = estate.folder()
    estate.apply("certificates", folder=folder)
    left: list[Callable[[], Reply]] = []

    def dying(server: str, command: Command, send: Callable[[], Reply]) -> Reply:
        if command.effect == "write":
            left.append(send)
            raise Killed
        return send()

    def looking(server: str, command: Command, send: Callable[[], Reply]) -> Reply:
        while left and command.render().startswith("Start-Sleep"):
            left.pop()()
        return send()

    run = estate.open(folder)
    wrap_run(run, dying)
    assert incarnation(run, phase("autodiscover")) is None
    with estate.open(folder) as again:
        wrap_run(again, looking)
        assert again.phase("autodiscover").state == "done"
    assert left == []
    said = [e.data["detail"] for e in verify(folder / "journal.jsonl") if e.event == "outcome"]
    assert "took effect before the interruption" in said[-1]
    audit(estate, folder)


@pytest.mark.slow
def test_the_audit_finds_a_write_that_no_journal_intended(estate: ChangeWorld) -> None:
    folder = estate.folder()
    estate.apply("certificates", folder=folder)
    audit(estate, folder)
    with estate.open(estate.folder()) as run:
        change = next(c for c in run.plan().changes if c.id == "lync.set_exchange_autodiscover_url")
        run.estates.run(change.steps[0].server, change.steps[0].command)
    with pytest.raises(AssertionError, match="was not intended"):
        audit(estate, folder)


def test_a_lost_link_is_no_reason_to_die(estate: ChangeWorld) -> None:
    """The executor turns every remote error into an outcome; only what is none of its business goes through it."""
    folder = estate.folder()
    with estate.open(folder) as run:
        run.inspect()

        def broken(server: str, command: object, *, timeout_s: float | None = None) -> object:
            raise RemotingError(server, "broken for good", "nothing")

        run.estates.run = broken  # type: ignore[assignment,method-assign]
        result = run.phase("certificates")
    assert result.state == "failed"
    assert "broken for good" in result.detail
    audit(estate, folder)
