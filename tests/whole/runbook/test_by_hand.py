"""`policy.apply: by_hand`: the product shows the line, a person types it, the product journals it and reads back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_run import ALL, FE1, World, world
from helpers.typed import type_lines

from s2slab.engine.real import RealEngine
from s2slab.winrm.launch import Engine

BY_HAND = {"apply": "by_hand"}


@pytest.fixture
def estate(tmp_path: Path, engine: Engine) -> Iterator[World]:
    with world(tmp_path, engine=engine) as made:
        yield made


@pytest.fixture
def by_direct(tmp_path: Path) -> Iterator[World]:
    """A lab that answers the runbook directly; what a person types runs in a real PowerShell all the same."""
    with world(tmp_path) as made:
        yield made


def test_nothing_is_sent_and_the_line_is_shown_until_it_was_typed(estate: World) -> None:
    with estate.run("apply", policy=BY_HAND) as run:
        run.inspect()
        first = run.phase("certificates")
        again = run.phase("certificates")
        intents = [entry for entry in run.journal.entries() if entry.event == "intent"]
    assert first.state == again.state == "pending"
    assert f"on {FE1}: Export-CsConfiguration -FileName" in first.detail
    assert estate.lab.estate.log.rows(caused_by="command") == []
    assert [entry.data["by_hand"] for entry in intents] == [True]


@pytest.mark.pwsh
def test_a_line_typed_by_hand_is_found_by_reading_and_journalled_as_done_by_hand(
    by_direct: World, pwsh: RealEngine
) -> None:
    estate = by_direct
    with estate.run("apply", policy=BY_HAND) as run:
        run.inspect()
        shown = run.phase("certificates").outcomes[-1]
        type_lines(pwsh, estate.lab, FE1, shown.lines)
        after = run.phase("certificates")
        done = [e.data for e in run.journal.entries() if e.event == "outcome" and e.data["state"] == "done"]
    assert after.outcomes[-1].change == "lync.restrict_configuration_export"
    assert [(row["change"], row["detail"]) for row in done] == [(shown.change, "done by hand; found by reading")]
    assert len(done[0]["bound"]["export.sha256"]) == 64


@pytest.mark.pwsh
def test_a_whole_trust_can_be_typed_line_by_line(by_direct: World, pwsh: RealEngine) -> None:
    estate = by_direct
    typed: list[str] = []
    with estate.run("apply", policy=BY_HAND) as run:
        for name in ALL:
            for _ in range(10):
                run.inspect()
                result = run.phase(name)
                if result.state == "done":
                    break
                assert result.state == "pending", result.detail
                shown = result.outcomes[-1]
                change = run.control.history.begun[shown.change].change
                typed += shown.lines
                type_lines(pwsh, estate.lab, change.steps[0].server, shown.lines)
            else:
                pytest.fail(f"{name}: {result.detail}")
    assert estate.verify().proven
    assert len(typed) == len(set(typed)) + 1  # iisreset is the same line on both servers
