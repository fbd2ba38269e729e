"""The whole way: check, apply, verify, a second apply, back-out; the lab's own state says what happened.

`tests/lab/engine/test_differential.py` goes it with the real engine and holds every answer against the direct one's.
"""

from __future__ import annotations

import pytest
from helpers.change_world import ALL, STAYS, ChangeWorld, states
from helpers.snapshot import difference


@pytest.mark.slow
def test_check_apply_verify_apply_again_and_back_out(estate: ChangeWorld) -> None:
    before = estate.settled_state()
    looked = estate.apply(*ALL, mode="check")
    assert estate.rows() == [], states(looked)
    folder = estate.folder()
    done = estate.apply(*ALL, folder=folder)
    assert {name: result.state for name, result in done.items()} == dict.fromkeys(ALL, "done"), states(done)
    assert not [finding for finding in estate.verify().findings if finding.level in ("blocker", "unknown")]
    written = len(estate.rows())
    again = estate.apply(*ALL)
    assert {name: result.state for name, result in again.items()} == dict.fromkeys(ALL, "done"), states(again)
    assert len(estate.rows()) == written
    assert estate.back_out(folder).state == "done"
    left = difference(before, estate.settled_state())
    assert not [path for path in left if not any(part in path for part in STAYS)]
