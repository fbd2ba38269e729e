"""One rejected logon is one rejected logon: for a whole run, in whatever process its notebooks are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.change_world import ChangeWorld

from s2slab.service import ServerAccounts
from s2slib.cli.main import main
from s2slib.credentials.secret import Secret
from s2slib.records.logons import FILE, RejectedLogons

NAMES = ("s2s-lync", "s2s-exchange")


@pytest.fixture
def logons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The accounts of every logon that the lab judged."""
    found: list[str] = []
    password = ServerAccounts.password

    def watched(self: ServerAccounts, domain: str, user: str) -> str | None:
        found.append(user)
        return password(self, domain, user)

    monkeypatch.setattr(ServerAccounts, "password", watched)
    return found


def change_passwords(estate: ChangeWorld) -> None:
    accounts = estate.lab.estate.accounts
    for name in NAMES:
        accounts[name] = replace(accounts[name], password="changed since")


def test_a_wrong_password_is_tried_once_by_all_sessions_of_a_run(estate: ChangeWorld, logons: list[str]) -> None:
    folder = estate.folder()
    before = {name: account.password for name, account in estate.lab.estate.accounts.items()}
    change_passwords(estate)
    with estate.open(folder, "check") as run:
        run.inspect()
    once = list(logons)
    assert set(once) == set(NAMES)
    for _ in range(3):
        with estate.open(folder, "check") as run:
            run.inspect()
    assert logons == once
    text = (folder / FILE).read_text(encoding="utf-8")
    assert not [name for name in before if before[name] in text]
    said = CliRunner().invoke(main, ["unlock", folder.name, "--logons"])
    assert "s2s-lync" in said.output
    with estate.open(folder, "check") as run:
        run.inspect()
    assert sorted(logons) == sorted([*once, *once])


@pytest.mark.slow
def test_a_check_with_wrong_passwords_makes_one_attempt_for_each_account(
    estate: ChangeWorld, logons: list[str]
) -> None:
    change_passwords(estate)
    said = CliRunner().invoke(main, ["check", str(Path("params/lab.yaml"))])
    assert said.exit_code == 2, said.output
    by_all = list(logons)
    logons.clear()
    with estate.open(estate.folder(), "check") as run:
        run.inspect()
    assert sorted(by_all) == sorted(logons), "seven kernels made more attempts than one session"


def test_a_changed_password_is_tried_at_once(tmp_path: Path) -> None:
    memory = RejectedLogons(tmp_path)
    memory.note("d\\kenmyer", "atl-fe-001", Secret("the old one"))
    assert "atl-fe-001" in memory.rejected("d\\kenmyer", Secret("the old one"))
    assert memory.rejected("d\\kenmyer", Secret("the new one")) == ""
    assert memory.rejected("d\\other", Secret("the old one")) == ""


@pytest.mark.parametrize("text", ["", "[]", '{"salt": 5, "rejected": {}}', '{"salt": "00", "rejected": []}'])
def test_a_damaged_memory_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    assert RejectedLogons(tmp_path).rejected("d\\kenmyer", Secret("x")) == ""


def test_rejections_on_several_servers_at_once_are_all_remembered(tmp_path: Path) -> None:
    names = [f"d\\user{number}" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda name: RejectedLogons(tmp_path).note(name, "server", Secret("x")), names))
    assert all(RejectedLogons(tmp_path).rejected(name, Secret("x")) for name in names)
