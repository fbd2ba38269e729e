"""One writer per deployment: the other operator is told who it is, and afterwards has nothing left to do."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.change_world import DEAD_PROCESS, ChangeWorld, audit, carry_out, states, wrap_run

from s2slab.estate.transitions import Transition
from s2slib.cli.main import main
from s2slib.records.journal import verify
from s2slib.remoting.values.command import Command
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.control.lock import account, writer_lock
from s2slib.runbook.model.record import EXIT_CODES
from s2slib.runbook.run import PhaseResult


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a dying kernel is not what these tests are about."""
    monkeypatch.setitem(writer_lock.__wrapped__.__kwdefaults__, "patience_s", 0.2)  # type: ignore[attr-defined]


@contextmanager
def writing(estate: ChangeWorld, folder: Path) -> Iterator[list[PhaseResult]]:
    """An operator in the middle of the first write of a phase; leaving lets it go on to the end."""
    begun, go_on = threading.Event(), threading.Event()
    results: list[PhaseResult] = []

    def pausing(server: str, command: Command, send: Callable[[], Reply]) -> Reply:
        if command.effect == "write":
            begun.set()
            assert go_on.wait(60)
        return send()

    def work() -> None:
        with estate.open(folder) as run:
            wrap_run(run, pausing)
            results.extend(carry_out(run, "certificates").values())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert begun.wait(60)
        yield results
    finally:
        go_on.set()
        thread.join(60)


def settings(estate: ChangeWorld) -> list[Transition]:
    """The writes of settings: an archive of a run's own is none."""
    return [row for row in estate.rows() if row.kind == "configuration"]


def notes(folder: Path) -> list[str]:
    """The notes in a run's journal."""
    return [str(entry.data["note"]) for entry in verify(folder / "journal.jsonl") if entry.event == "note"]


@pytest.mark.parametrize("shared", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["two runs", "one run"])
def test_one_wins_and_the_other_is_told_who_and_then_writes_nothing(shared: bool, estate: ChangeWorld) -> None:
    winner = estate.folder()
    loser = winner if shared else estate.folder()
    with estate.open(loser) as second:
        second.inspect()  # before the winner's write: the loser plans the same changes
        with writing(estate, winner) as results:
            refused = second.phase("certificates")
            assert refused.state == "refused"
            assert EXIT_CODES[second.record.outcome] == 3
            for said in (account(), socket.gethostname(), f"process {os.getpid()}", "since 20", winner.name):
                assert said in refused.detail
            unlock = CliRunner().invoke(main, ["unlock", loser.name])
            assert unlock.exit_code == 3
            assert "is being written to right now" in unlock.output
        assert [result.state for result in results] == ["done"]
        before = settings(estate)
        assert (
            second.phase("certificates").state == "done"
        )  # on facts that are old by now: the one rule reads for itself
        assert settings(estate) == before
        rows = estate.rows()
        assert states(carry_out(second, "certificates")) == {"certificates": "done"}
        assert estate.rows() == rows
    if shared:
        audit(estate, winner)


@pytest.mark.parametrize("host", ["here", "elsewhere"])
def test_a_record_left_behind_is_taken_over_on_this_machine_only(host: str, estate: ChangeWorld) -> None:
    folder = estate.folder()
    left = {
        "holder": "contoso\\kim",
        "host": socket.gethostname() if host == "here" else "jump-2",
        "process": DEAD_PROCESS,
        "started": "2026-11-28T22:04:00+00:00",
        "run": "20261128T220000Z-lab-ab12",
    }
    record = estate.runs / "lab.writer.json"
    record.write_text(json.dumps(left), encoding="utf-8")
    with estate.open(folder) as run:
        result = carry_out(run, "certificates")["certificates"]
        if host == "here":
            assert result.state == "done"
            assert any("contoso\\kim" in note and str(DEAD_PROCESS) in note for note in notes(folder))
            return
        assert result.state == "refused"
        assert "contoso\\kim on jump-2" in result.detail
        assert f"s2s unlock {folder.name}" in result.detail
        assert estate.rows() == []
        unlock = CliRunner().invoke(main, ["unlock", folder.name])
        assert unlock.exit_code == 0
        assert "contoso\\kim" in unlock.output
        assert not record.exists()
        assert any("unlocked by" in note and "jump-2" in note for note in notes(folder))
        assert run.phase("certificates").state == "done"
