"""`s2s apply` killed from outside in the middle of a phase, while its kernel lives on, and taken up by `s2s resume`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.change_world import IN_THE_SCRIPT, ROOT
from helpers.engines import BOTH

from s2slab.service import read_log
from s2slib.records.journal import Entry, verify

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"),
    pytest.mark.timeout(1800),
]
S2S = (sys.executable, "-m", "s2slib")
RESTART = "exchange.restart_iis.atl-exchange-001"
ASSIGN = "lync.assign_oauth_token_issuer"


@pytest.fixture(params=BOTH)
def shell(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of a shell beside a running lab, of either engine."""
    if request.param == "pwsh":
        request.getfixturevalue("pwsh")
    state = tmp_path / "lab.json"
    command = [sys.executable, "-m", "s2slab", "--state", str(state), "--engine", request.param]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "lab ready"
        runs = tmp_path / "runs"
        yield {**os.environ, "S2S_LAB_STATE": str(state), "S2S_RUNS": str(runs), "S2S_WORKSPACE": str(ROOT)}
    finally:
        child.terminate()
        child.wait(20)


def s2s(shell: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON object of a verb."""
    done = subprocess.run(
        [*S2S, *arguments, "--json"], env=shell, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=900
    )
    return done.returncode, json.loads(done.stdout)


def until(journal: Path, event: str, change: str, *, within_s: float = 400) -> None:
    """Wait until a line of this event and change stands in a journal."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        text = journal.read_text(encoding="utf-8") if journal.exists() else ""
        for line in text.splitlines():
            if f'"event": "{event}"' in line and f'"{change}"' in line:
                return
        time.sleep(0.005)
    raise AssertionError(f"no {event} of {change} within {within_s} s")


def killed(shell: dict[str, str], journal: Path, change: str, *arguments: str) -> None:
    """Run a verb and kill its process, not its kernel, once the journal has the intent of a change."""
    with subprocess.Popen([*S2S, *arguments], env=shell, cwd=ROOT, stdout=subprocess.DEVNULL) as victim:
        try:
            until(journal, "intent", change)
        finally:
            victim.send_signal(signal.SIGKILL)


def test_an_apply_and_its_resume_are_killed_and_nothing_is_written_twice(shell: dict[str, str]) -> None:
    code, planned = s2s(shell, "plan", "params/lab.yaml")
    assert code == 2
    run = planned["run"]
    journal = Path(shell["S2S_RUNS"]) / run / "journal.jsonl"
    killed(shell, journal, ASSIGN, "apply", run)
    killed(shell, journal, RESTART, "resume", run)
    code, resumed = s2s(shell, "resume", run)
    assert (code, resumed["outcome"]) == (0, "trusted"), resumed.get("error")
    entries = verify(journal)
    rows = [row for row in read_log(Path(shell["S2S_LAB_STATE"])) if is_write(row)]
    assert rows
    intended(rows, entries)
    assert twice(rows) == []
    again, second = s2s(shell, "apply", run)
    assert (again, second["outcome"]) == (0, "trusted")
    assert [row for row in read_log(Path(shell["S2S_LAB_STATE"])) if is_write(row)] == rows


def is_write(row: dict[str, Any]) -> bool:
    return row["cause"]["kind"] == "command" and row["kind"] in ("configuration", "service", "file")


def intended(rows: list[dict[str, Any]], entries: list[Entry]) -> None:
    """Every write is a line of an intent, or comes out of the script that one runs."""
    lines = [line for entry in entries if entry.event == "intent" for line in entry.data["lines"]]
    names = {word.casefold() for line in lines for word in (line.split()[0], *line.replace("\\", " ").split())}
    names = {word.strip("'") for word in names} | {name.casefold() for name in IN_THE_SCRIPT}
    assert [row for row in rows if row["cause"]["command"].split()[0].casefold() not in names] == []


def twice(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Subjects that two commands brought to the same state."""
    seen: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if ":MSExchange" not in row["subject"]:  # a worker's state is its start, never the same
            seen.setdefault((row["subject"], json.dumps(row["after"])), set()).add(row["cause"]["id"])
    return [key for key, causes in seen.items() if len(causes) > 1]
