"""The whole way through either engine: check, apply, verify, a second apply, back-out; the lab's own state says what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from change_world import ALL, ChangeWorld, change_world, states
from snapshot import difference

from s2slib.lab.winrm.launch import Engine

STAYS = (
    "/OAuthTokenIssuer/",
    "/certificate/",
    "/file",
    "/folder",
)  # what the plan says that stays: the key, the export


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Iterator[ChangeWorld]:
    with change_world(tmp_path, monkeypatch, engine=engine) as made:
        yield made


def test_check_apply_verify_apply_again_and_back_out(way: ChangeWorld) -> None:
    before = way.settled_state()
    looked = way.apply(*ALL, mode="check")
    assert way.rows() == [], states(looked)
    folder = way.folder()
    done = way.apply(*ALL, folder=folder)
    assert {name: result.state for name, result in done.items()} == dict.fromkeys(ALL, "done"), states(done)
    assert not [finding for finding in way.verify().findings if finding.level in ("blocker", "unknown")]
    written = len(way.rows())
    again = way.apply(*ALL)
    assert {name: result.state for name, result in again.items()} == dict.fromkeys(ALL, "done"), states(again)
    assert len(way.rows()) == written
    assert way.back_out(folder).state == "done"
    left = difference(before, way.settled_state())
    assert not [path for path in left if not any(part in path for part in STAYS)]
