"""An interrupt in a notebook: the writer stops before its next change, the cell waits until it has, and a resume goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_run import World, world

from s2slab.winrm.launch import Engine
from s2slib.notebook.session import NotebookRun
from s2slib.runbook.run import Run

FIRST, SECOND = "lync.export_configuration", "lync.restrict_configuration_export"


@pytest.fixture
def estate(tmp_path: Path, engine: Engine) -> Iterator[World]:
    with world(tmp_path, engine=engine) as made:
        yield made


def outcomes(run: Run) -> list[tuple[str, str]]:
    """(change, state) of every outcome in the journal."""
    entries = run.journal.entries()
    return [(entry.data["change"], entry.data["state"]) for entry in entries if entry.event == "outcome"]


async def interrupted(notebook: NotebookRun) -> None:
    """Apply the certificates phase, and interrupt the cell as soon as its first change is under way."""
    cell = asyncio.ensure_future(notebook.apply("certificates"))
    while not any(entry.event == "intent" for entry in notebook.run.journal.entries()):
        await asyncio.sleep(0.002)
    cell.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cell


async def again(notebook: NotebookRun) -> None:
    """Run the cell again."""
    await notebook.apply("certificates")


def test_an_interrupted_cell_ends_between_two_changes_and_running_it_again_goes_on(estate: World) -> None:
    with estate.run("apply") as run:
        run.inspect()
        asyncio.run(interrupted(NotebookRun(run)))
        at_the_end_of_the_cell = outcomes(run)
        assert at_the_end_of_the_cell == [(FIRST, "done"), (SECOND, "stopped")]
        assert "s2s resume" in run.record.phases[-1].detail
        asyncio.run(again(NotebookRun(run)))
        assert (SECOND, "done") in outcomes(run)
        assert outcomes(run).count((FIRST, "done")) == 1


def test_a_request_to_stop_ends_the_run_before_its_next_change(estate: World) -> None:
    with estate.run("apply") as run:
        run.inspect()
        run.control.ask_to_stop()
        result = run.phase("certificates")
    assert result.state == "held"
    assert "a stop was asked for by" in result.detail
    assert estate.lab.estate.log.rows(caused_by="command") == []
