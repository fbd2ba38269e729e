"""What keeps servers from being worked with is said once, on one screen, before anything else is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from helpers.change_world import ChangeWorld
from helpers.paths import PARAMS

from s2slib.cli.main import main
from s2slib.cli.report import _to_make
from s2slib.remoting.link import Link
from s2slib.runbook.model.record import PlannedRecord, RunRecord

SCREEN = 25


def check(file: Path, *options: str) -> tuple[int, list[str]]:
    said = CliRunner().invoke(main, ["check", str(file), *options])
    return said.exit_code, said.output.splitlines()


def declared(folder: Path, **changes: Any) -> Path:
    data = yaml.safe_load((PARAMS / "lab.yaml").read_text(encoding="utf-8"))
    for path, value in changes.items():
        at, *names = data, *path.split("__")
        for name in names[:-1]:
            at = at[int(name) if name.isdigit() else name]
        at[int(names[-1]) if names[-1].isdigit() else names[-1]] = value
    file = folder / "lab.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The server of every batch that was sent."""
    servers: list[str] = []
    batch = Link.run_batch

    def watched(self: Link, commands: Any, *, timeout_s: float = 60.0) -> Any:
        servers.append(self.target.server)
        return batch(self, commands, timeout_s=timeout_s)

    monkeypatch.setattr(Link, "run_batch", watched)
    return servers


def test_a_wrong_password_is_one_cause_on_one_screen(estate: ChangeWorld, asked: list[str]) -> None:
    accounts = estate.lab.estate.accounts
    for name in ("s2s-lync", "s2s-exchange"):
        accounts[name] = replace(accounts[name], password="changed since")
    code, lines = check(PARAMS / "lab.yaml")
    assert code == 2
    assert len(lines) <= SCREEN, "\n".join(lines)
    text = "\n".join(lines)
    assert text.count("was rejected (the server offers") + text.count("was rejected, status") == 2
    assert text.count("not tried with an account that was rejected") == 1
    assert len(asked) == len(set(asked)), "a server was asked twice"


def test_names_without_an_address_are_two_findings_and_nothing_else_is_asked(
    estate: ChangeWorld, asked: list[str], tmp_path: Path
) -> None:
    names = {"lync__pools__0__front_ends__1": "none-fe.litwareinc.com"}
    file = declared(tmp_path, **names, exchange__servers__1__fqdn="none-ex.litwareinc.com")
    code, lines = check(file)
    assert code == 2
    assert len(lines) <= SCREEN, "\n".join(lines)
    assert [name for name in ("none-fe", "none-ex") if not any(f"{name}:" in line for line in lines)] == []
    assert len(asked) == 4
    record = RunRecord.load(next(estate.runs.glob("*-lab-*")))
    assert record is not None
    assert (record.outcome, [phase.name for phase in record.phases]) == ("blocked", ["reach"])


def test_a_lab_that_does_not_run_is_one_sentence(
    estate: ChangeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2S_LAB_STATE", str(tmp_path / "none.json"))
    code, lines = check(PARAMS / "lab.yaml")
    assert code == 1
    assert len([line for line in lines if "no lab is running" in line]) == 1
    code, lines = check(PARAMS / "lab.yaml", "--json")
    assert code == 1
    assert yaml.safe_load(lines[-1])["error"].startswith("no lab is running")


def test_what_is_to_be_made_is_counted_by_side_and_by_what_users_notice() -> None:
    def planned(side: str, notice: bool = False) -> PlannedRecord:
        return PlannedRecord(title="t", side=side, users_notice=notice, lines=[])  # type: ignore[arg-type]

    changes = [planned("Lync"), planned("Lync"), planned("Exchange"), planned("Exchange", True)]
    assert _to_make(changes) == "4 to make: 2 on Lync, 1 on Exchange, 1 that users notice"
