"""The journal: a chain that names what was done to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2slib.records.journal import Journal, JournalError, verify


def journal(folder: Path) -> Journal:
    made = Journal(folder / "journal.jsonl")
    for number in range(4):
        made.append("note", text=f"line {number} ü")
    return made


def test_every_line_carries_the_hash_of_the_one_before(tmp_path: Path) -> None:
    entries = journal(tmp_path).entries()
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert [entry.data["text"] for entry in entries][-1] == "line 3 ü"


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda lines: [lines[0], lines[1].replace("line 1", "line 9"), *lines[2:]], "line 2"),
        (lambda lines: [lines[0], *lines[2:]], "line 2"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1"),
        (lambda lines: [*lines[:2], "no json", *lines[3:]], "line 3"),
        (lambda lines: [*lines, lines[0]], "line 5"),
    ],
)
def test_a_line_that_was_changed_dropped_moved_or_added_is_named(tmp_path: Path, harm: object, named: str) -> None:
    file = journal(tmp_path).path
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(harm(lines)) + "\n", encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(JournalError, match=named):
        verify(file)


def test_a_torn_last_line_is_left_out_and_the_next_append_goes_on_behind_the_last_whole_one(tmp_path: Path) -> None:
    made = journal(tmp_path)
    whole = made.path.read_bytes()
    made.path.write_bytes(whole + b'{"number": 5, "at": "2026-')
    assert len(made.entries()) == 4
    made.append("note", text="after the kill")
    assert [entry.number for entry in made.entries()] == [1, 2, 3, 4, 5]


def test_a_journal_that_cannot_be_written_says_that_no_change_is_started(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(JournalError, match="no change is started"):
        Journal(tmp_path / "journal.jsonl").append("note")


def test_what_is_redacted_never_reaches_the_file(tmp_path: Path) -> None:
    made = Journal(
        tmp_path / "journal.jsonl", redact=lambda value: json.loads(json.dumps(value).replace("hush", "***"))
    )
    made.append("note", text="hush")
    assert "hush" not in made.path.read_text(encoding="utf-8")
