"""A record that cannot be written starts no change and harms nothing that was written before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.change_world import ROOT, ChangeWorld, Once, audit, carry_out, incarnation, mortal, states

from s2slib.cli.main import main
from s2slib.records.journal import JournalError, verify

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs resource limits")

# One process for all limits: each life is a fork of it, begun before any link is open, and may grow no file beyond
# the journal's present size and some bytes more. Prints one JSON object for each life.
LIVES = """
import json, os, resource, sys
from pathlib import Path
from s2slib.deployment import from_parameters
from s2slib.runbook.phases import PHASES
from s2slib.runbook.run import Run

folder, more = Path(sys.argv[1]), [int(word) for word in sys.argv[2:]]
journal = folder / "journal.jsonl"

def life(room):
    deployment = from_parameters({"deployment": "lab"}, Path("params"))
    with Run.open(deployment, folder, mode="apply") as run:
        run.inspect()
        limit = (journal.stat().st_size if journal.exists() else 0) + room
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return run.phase("certificates").state

for room in more:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = {"state": life(room)}
        except Exception as error:
            said = {"error": type(error).__name__, "text": str(error)}
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    print(os.read(read, 100_000).decode(), flush=True)
    os.waitpid(child, 0)
"""


def lives(folder: Path, *room: int) -> list[dict[str, str]]:
    """What each life came to, with so many bytes of room in the journal."""
    command = [sys.executable, "-c", LIVES, str(folder), *map(str, room)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=110, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_full_disk_starts_no_change_and_keeps_every_earlier_line(estate: ChangeWorld) -> None:
    """First nothing else than the journal is small enough to be written; then a run that was begun runs out of room in it."""
    folder = estate.folder()
    estate.apply("preflight", folder=folder)
    journal = folder / "journal.jsonl"
    kept: list[str] = []
    said = []
    for begun in (False, True):
        if begun:
            with_an_intent(estate, folder)
            (folder / "progress.jsonl").unlink()
        for found in lives(folder, *((0,) if not begun else (0, 900, 8_000))):
            rows = [line for line in journal.read_text(encoding="utf-8").splitlines(True) if line.endswith("\n")]
            assert rows[: len(kept)] == kept
            kept = rows
            verify(journal)
            assert "state" not in found
            said.append(found["error"])
    assert said[0] in ("OSError", "JournalError")
    assert "JournalError" in said, said
    with estate.open(folder) as run:
        assert set(states(carry_out(run, "certificates")).values()) == {"done"}
    audit(estate, folder)


def with_an_intent(estate: ChangeWorld, folder: Path) -> None:
    """The run was begun: its writer died right after its first intent."""
    run = estate.open(folder)
    mortal(run, Once(intent=("after",)))
    assert incarnation(run, lambda run: carry_out(run, "certificates")) is None
    run.close()


@pytest.mark.slow
def test_the_back_out_can_be_read_with_a_full_disk(estate: ChangeWorld) -> None:
    folder = estate.folder()
    estate.apply("certificates", "autodiscover", folder=folder)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
        "from s2slib.cli.main import main; main(['back-out', sys.argv[1], '--show'])"
    )
    done = subprocess.run([sys.executable, "-c", code, folder.name], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"Set-CsOAuthConfiguration" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 40_000])
def test_the_verb_ends_with_1_on_a_full_disk(limit: int, estate: ChangeWorld) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
        "from s2slib.cli.main import main; main(['apply', 'params/lab.yaml'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(limit)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=110,
    )
    assert done.returncode == 1, done.stdout.decode()
    assert b"Traceback" not in done.stdout
    for folder in estate.runs.glob("*-lab-*"):
        if (folder / "journal.jsonl").exists():
            verify(folder / "journal.jsonl")


@pytest.mark.parametrize("what", ["runs", "run"])
def test_a_file_where_the_record_belongs_is_said_before_anything_is_contacted(
    what: str, estate: ChangeWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if what == "runs":
        (tmp_path / "a file").write_text("", encoding="utf-8")
        monkeypatch.setenv("S2S_RUNS", str(tmp_path / "a file"))
        found = CliRunner().invoke(main, ["apply", str(ROOT / "params" / "lab.yaml")])
    else:
        name = "20261128T220000Z-lab-ab12"
        (estate.runs / name).write_text("", encoding="utf-8")
        found = CliRunner().invoke(main, ["apply", name])
    assert found.exit_code == 1, found.output
    assert "a file" in found.output or "20261128T220000Z-lab-ab12" in found.output
    assert "Traceback" not in found.output
    assert estate.rows() == []


def test_a_journal_whose_end_was_cut_off_is_not_gone_on_with(estate: ChangeWorld) -> None:
    folder = estate.folder()
    estate.apply("certificates", folder=folder)
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    found = CliRunner().invoke(main, ["journal", folder.name])
    assert found.exit_code == 1
    assert "its end was cut off" in found.output
    before = estate.rows()
    with estate.open(folder) as run:
        run.inspect()
        with pytest.raises(JournalError, match="seen"):
            run.phase("autodiscover")
    assert estate.rows() == before
