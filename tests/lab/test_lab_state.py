"""The state file: private, whole, owned by one live lab, gone when the lab ends."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from s2slab.state import LabInUse, StateFile, log_file, read_log


def test_state_and_certificate_are_for_their_owner_only(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "runs" / "lab.json")
    state.claim()
    state.write({"proxy": "http://127.0.0.1:1"}, b"pem")
    assert json.loads(state.path.read_text()) == {"proxy": "http://127.0.0.1:1"}
    assert state.ca_file.read_bytes() == b"pem"
    assert state.path.is_absolute()
    if os.name == "posix":
        assert [stat.S_IMODE(path.stat().st_mode) for path in (state.path, state.ca_file)] == [0o600, 0o600]
    state.release()


def test_a_second_lab_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = StateFile(tmp_path / "lab.json"), StateFile(tmp_path / "lab.json")
    first.claim()
    first.write({"pid": 1}, b"")
    with pytest.raises(LabInUse, match=r"already running with lab\.json"):
        second.claim()
    assert json.loads(first.path.read_text()) == {"pid": 1}
    first.release()
    second.claim()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_lab_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    program = (
        "import os, sys, pathlib\nfrom s2slab.state import StateFile\n"
        "file = StateFile(pathlib.Path(sys.argv[1]))\nfile.claim()\nfile.write({'pid': os.getpid()}, b'old')\n"
        "print('claimed', flush=True)\nsys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "claimed\n"
    state = StateFile(path)
    with pytest.raises(LabInUse):
        state.claim()
    child.kill()
    child.communicate()
    assert path.exists()
    state.claim()
    state.write({"pid": os.getpid()}, b"new")
    assert json.loads(path.read_text()) == {"pid": os.getpid()}
    state.release()


def test_a_failed_write_leaves_the_old_state_and_no_other_file(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "lab.json")
    state.claim()
    state.write({"pid": 1}, b"")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(TypeError):
        state.write({"pid": object()}, b"")
    assert json.loads(state.path.read_text()) == {"pid": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    state.release()


def test_the_log_is_read_up_to_the_line_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    log_file(path).write_text('{"number": 1}\n{"number": 2}\n{"num', encoding="utf-8")
    assert list(read_log(path)) == [{"number": 1}, {"number": 2}]
    with pytest.raises(FileNotFoundError):
        list(read_log(tmp_path / "other.json"))
