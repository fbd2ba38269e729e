"""What was done to a journal is named, line by line, by `verify` and by `s2s journal`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2slib.cli.main import main
from s2slib.records.journal import Journal, JournalError, torn, verify
from s2slib.runbook.control.history import History

RUN = "20261128T220000Z-lab-ab12"
LINES = 6
Harm = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def folder(workspace_root: Path) -> Path:
    """A run folder with a journal of six lines."""
    folder = workspace_root / "runs" / RUN
    folder.mkdir(parents=True)
    journal = Journal(folder / "journal.jsonl")
    for number in range(1, LINES + 1):
        journal.append("note", note=f"this is note {number} – with a dash")
    return folder


def s2s_journal(*more: str) -> Result:
    """What `s2s journal` says."""
    return CliRunner().invoke(main, ["journal", RUN, *more])


def harmed(folder: Path, harm: Harm) -> Path:
    """The journal after somebody was at its lines."""
    file = folder / "journal.jsonl"
    file.write_bytes(b"".join(harm(file.read_bytes().splitlines(keepends=True))))
    return file


def with_its_own_hash(line: bytes) -> bytes:
    """A line whose text was changed and whose hash was made anew: only the chain betrays it."""
    from s2slib.records.journal import _digest

    row = json.loads(line)
    row["data"]["note"] = "nothing happened"
    row.pop("hash")
    return (json.dumps({**row, "hash": _digest(row)}, ensure_ascii=False, sort_keys=True) + "\n").encode()


HARMS: dict[str, tuple[Harm, int]] = {
    "a changed line": (lambda rows: [*rows[:2], rows[2].replace(b"note 3", b"note 8"), *rows[3:]], 3),
    "a changed line with a new hash": (lambda rows: [*rows[:2], with_its_own_hash(rows[2]), *rows[3:]], 4),
    "a changed instant": (lambda rows: [rows[0].replace(b'"at": "2', b'"at": "3'), *rows[1:]], 1),
    "a dropped line": (lambda rows: [*rows[:3], *rows[4:]], 4),
    "the first line dropped": (lambda rows: rows[1:], 1),
    "two lines swapped": (lambda rows: [rows[0], rows[2], rows[1], *rows[3:]], 2),
    "a line twice": (lambda rows: [*rows[:3], rows[2], *rows[3:]], 4),
    "a line that is none": (lambda rows: [*rows[:4], b"hello\n", *rows[5:]], 5),
    "an empty line": (lambda rows: [rows[0], b"\n", *rows[1:]], 2),
    "a line that is no text": (lambda rows: [*rows[:5], b"\xff\xfe\x00\n"], 6),
}


@pytest.mark.parametrize("name", HARMS)
def test_tampering_is_named_by_its_line(name: str, folder: Path) -> None:
    harm, line = HARMS[name]
    file = harmed(folder, harm)
    with pytest.raises(JournalError, match=rf"line {line} "):
        verify(file)
    found = s2s_journal()
    assert found.exit_code == 1
    assert f"line {line} " in found.output
    with pytest.raises(JournalError):
        Journal(file).append("note", note="on top of it")


def test_a_torn_last_line_is_said_and_is_no_error(folder: Path) -> None:
    file = harmed(folder, lambda rows: [*rows[:-1], rows[-1][:40]])
    assert torn(file)
    assert len(verify(file)) == LINES - 1
    found = s2s_journal()
    assert found.exit_code == 0
    assert "the last line is torn" in found.output
    assert f"{LINES - 1} lines verified" in found.output
    assert json.loads(s2s_journal("--json").output)["torn"] is True


def test_a_whole_journal_is_shown_with_its_head(folder: Path) -> None:
    found = json.loads(s2s_journal("--json").output)
    assert (found["outcome"], found["torn"], len(found["entries"])) == ("verified", False, LINES)
    assert found["head"] == verify(folder / "journal.jsonl")[-1].hash


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_of_a_whole_line_goes_unnoticed(data: st.DataObject, folder: Path) -> None:
    file = folder / "journal.jsonl"
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 2))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    changed = whole[:at] + bytes([new]) + whole[at + 1 :]
    other = folder / "other.jsonl"
    other.write_bytes(changed)
    if same_entries(changed, whole):  # a space that JSON does not mind is no other record
        return
    with pytest.raises(JournalError):
        verify(other)


def same_entries(one: bytes, other: bytes) -> bool:
    """Whether two journals say the same, whatever their spaces."""
    try:
        return [json.loads(row) for row in one.splitlines()] == [json.loads(row) for row in other.splitlines()]
    except ValueError:
        return False


@given(cut=st.integers(0, 4000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_journal_cut_anywhere_keeps_every_whole_line(cut: int, folder: Path) -> None:
    whole = (folder / "journal.jsonl").read_bytes()
    cut = min(cut, len(whole))
    other = folder / "other.jsonl"
    other.write_bytes(whole[:cut])
    entries = verify(other)
    assert len(entries) == whole[:cut].count(b"\n")
    assert [entry.data for entry in entries] == [entry.data for entry in verify(folder / "journal.jsonl")][
        : len(entries)
    ]
    made = Journal(other).append("note", note="and on")
    assert made.number == len(entries) + 1
    assert [entry.number for entry in verify(other)] == list(range(1, made.number + 1))
    assert History.of(verify(other)).begun == {}
