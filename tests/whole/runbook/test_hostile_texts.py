"""What a server writes into its texts reaches a terminal, a notebook, --json and a log as something to read, never raw."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_run import world
from nbformat import NotebookNode

from s2slab import faults
from s2slab.winrm.launch import Engine
from s2slib.cli.main import _guarded
from s2slib.cli.report import Reporter
from s2slib.errors import S2SError
from s2slib.notebook.engine import redact_cell
from s2slib.records.display import is_hidden
from s2slib.records.redaction import RedactingFilter, Redactor
from s2slib.runbook.model.record import RunRecord
from s2slib.show.render import plainly

HOSTILE = "evil\x1b[2J\x9b1m\u202egnp\u200b\u2066.example"


@pytest.fixture
def record(tmp_path: Path, engine: Engine) -> Iterator[tuple[RunRecord, Path]]:
    """What a check leaves behind of an estate whose realms and names steer terminals."""
    with world(tmp_path, engine=engine) as made:
        faults.lync_realm(made.lab.estate, HOSTILE)
        faults.exchange_realm(made.lab.estate, HOSTILE)
        faults.accepted_domain_with_friendly_name(made.lab.estate, HOSTILE)
        with made.run("check") as run:
            run.inspect()
            run.phase("preflight")
            found = RunRecord.load(run.folder)
        assert found is not None
        yield found, run.folder


def raw(text: str) -> list[str]:
    return [f"U+{ord(character):04X}" for character in text if is_hidden(character) and character != "\n"]


def test_a_terminal_gets_nothing_raw(
    record: tuple[RunRecord, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    found, folder = record
    report = Reporter(as_json=False)
    report.notebook("10_preflight", HOSTILE, 1.0, found)
    report.end(found, folder, HOSTILE)
    shown = capsys.readouterr().out
    assert raw(shown) == []
    assert "evil<U+001B>[2j<U+009B>1m<U+202E>gnp" in shown


def test_the_json_object_is_the_same_data_with_nothing_raw(
    record: tuple[RunRecord, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    found, folder = record
    Reporter(as_json=True).end(found, folder, HOSTILE)
    shown = capsys.readouterr().out
    assert raw(shown) == []
    data = json.loads(shown)
    assert data["error"] == HOSTILE
    assert any("evil" in finding["seen"] for phase in data["phases"] for finding in phase["findings"])


def test_a_refusal_on_standard_error_holds_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> int:
        raise S2SError(HOSTILE)

    assert _guarded(refuse) == 1
    assert raw(capsys.readouterr().err) == []


def test_an_exception_of_a_notebook_holds_nothing_raw() -> None:
    assert raw(str(plainly(S2SError(HOSTILE)))) == []
    error = {"output_type": "error", "ename": "X", "evalue": HOSTILE, "traceback": [f"\x1b[0;31mX\x1b[0m: {HOSTILE}"]}
    stream = {"output_type": "stream", "name": "stdout", "text": HOSTILE}
    redact_cell(NotebookNode(outputs=[error, stream]), Redactor())
    assert raw(f"{error['evalue']}{stream['text']}") == []
    (line,) = error["traceback"]
    assert line.startswith("\x1b[0;31mX\x1b[0m: evil<U+001B>[2J")
    assert raw(line.removeprefix("\x1b[0;31mX\x1b[0m")) == []


def test_a_log_record_holds_nothing_raw() -> None:
    entry = logging.makeLogRecord(
        {"msg": "said %s", "args": (HOSTILE,), "server": HOSTILE, "reply": {HOSTILE: [HOSTILE]}}
    )
    RedactingFilter(Redactor()).filter(entry)
    fields = vars(entry)
    assert raw(json.dumps([entry.getMessage(), fields["server"], fields["reply"]], ensure_ascii=False)) == []
