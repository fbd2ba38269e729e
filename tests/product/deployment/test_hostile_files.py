"""Files of a run and of a deployment that no hand of ours wrote: a sentence each, and in seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from helpers.paths import PARAMS

from s2slib.deployment import DeploymentError, load
from s2slib.deployment.saved import of_run
from s2slib.errors import S2SError
from s2slib.products.read import parse_instant
from s2slib.records.journal import verify
from s2slib.runbook.control import approval
from s2slib.runbook.control.lock import read_holder
from s2slib.runbook.model.record import RunRecord

LAB = (PARAMS / "lab.yaml").read_text(encoding="utf-8")
NESTED = "[" * 200_000
GENEROUS_S = 60.0  # minutes and more before, a few seconds now


@pytest.mark.parametrize("content", ["[]", "1", "null", '"x"', "{}", "{", NESTED, '{"schema_version": 1e999}'])
def test_a_run_folder_with_odd_files_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    for name in ("run.json", "approval.json", "deployment.json"):
        (tmp_path / name).write_text(content, encoding="utf-8")
    for read in (RunRecord.load, approval.load, of_run):
        with pytest.raises(S2SError):
            read(tmp_path)
    (tmp_path / "journal.jsonl").write_text(content + "\n", encoding="utf-8")
    with pytest.raises(S2SError):
        verify(tmp_path / "journal.jsonl")
    assert read_holder(tmp_path / "run.json") is None


def test_an_instant_before_year_one_or_after_the_last_is_refused_in_a_sentence() -> None:
    for text in ("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"):
        with pytest.raises(approval.ApprovalError, match="years 1 to 9999"):
            approval.instant(text, "not_before")
        with pytest.raises(ValueError, match="years 1 to 9999"):
            parse_instant(text)


def mistakes(folder: Path, text: str) -> DeploymentError:
    """What is wrong with a params file, found in seconds."""
    file = folder / "lab.yaml"
    file.write_text(text, encoding="utf-8")
    begun = time.monotonic()
    with pytest.raises(DeploymentError) as failed:
        load(file)
    assert time.monotonic() - begun < GENEROUS_S
    return failed.value


def test_very_many_servers_load_in_seconds(tmp_path: Path) -> None:
    names = "".join(f"        - fe{number}.litwareinc.com\n" for number in range(5_000))
    file = tmp_path / "lab.yaml"
    file.write_text(LAB.replace("        - atl-fe-001.litwareinc.com\n", names), encoding="utf-8")
    begun = time.monotonic()
    deployment = load(file)
    assert all(deployment.account(server.fqdn) for server in deployment.servers())
    assert time.monotonic() - begun < GENEROUS_S


@pytest.mark.slow
@pytest.mark.parametrize("line", ["bad{}: 1\n", "{}: 1\n", "same: 1\n", "bad{}: !tag 1\n"])
def test_very_many_mistakes_are_told_in_seconds_the_first_by_name(tmp_path: Path, line: str) -> None:
    found = mistakes(tmp_path, LAB + "".join(line.format(number) for number in range(60_000)))
    assert 100 <= len(found.problems) < 400
    assert "more such problems" in str(found)


def test_very_many_names_that_are_not_declared_are_told_in_seconds(tmp_path: Path) -> None:
    rows = "".join(f"    - {{server: ey{number}.litwareinc.com, url: 'https://x/'}}\n" for number in range(2_000))
    found = mistakes(tmp_path, LAB.replace("network:\n", f"network:\n  winrm_urls:\n{rows}"))
    assert len(str(found)) < 200_000


@pytest.mark.parametrize("nested", ["[" * 41 + "]" * 41, "[" * 500_000])
def test_what_is_nested_too_deeply_is_told_before_it_is_built(tmp_path: Path, nested: str) -> None:
    assert "nested too deeply" in str(mistakes(tmp_path, f"{LAB}x: {nested}\n"))
