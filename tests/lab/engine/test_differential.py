"""One contract, two engines: what the direct engine answered is asked of the real one, and every field agrees.

What may differ is in `recorded.FREE` (milliseconds, process id, version), in what each lab draws by itself, and in EXPECTED.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from change_world import ALL, ChangeWorld, change_world
from recorded import Recording, Renaming, Repetition

from s2slib.lab import faults
from s2slib.lab.clock import LabClock
from s2slib.lab.engine.direct import DirectEngine
from s2slib.lab.engine.real import RealEngine
from s2slib.lab.service import Lab

pytestmark = [pytest.mark.pwsh, pytest.mark.timeout(900)]

EXPECTED: tuple[str, ...] = ()


def whole_way(way: ChangeWorld, recording: Recording) -> None:
    """Check, apply, verify, apply again, back out."""
    way.apply(*ALL, mode="check")
    folder = way.folder()
    way.apply(*ALL, folder=folder)
    way.verify()
    way.apply(*ALL)
    way.back_out(folder)


def under(*names: str) -> Callable[[ChangeWorld, Recording], None]:
    """A check of the estate with these faults."""

    def way(world: ChangeWorld, recording: Recording) -> None:
        for name in names:
            recording.change(world.lab.estate, getattr(faults, name))
        world.apply("preflight", "certificates", mode="check")

    return way


@pytest.mark.parametrize("way", [pytest.param(whole_way, id="whole way")])
def test_both_engines_answer_alike(
    way: Callable[[ChangeWorld, Recording], None],
    pwsh: RealEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = Recording(DirectEngine())
    with change_world(tmp_path, monkeypatch, engine=recording, clock=LabClock(monotonic=lambda: 0.0)) as world:
        way(world, recording)
        accounts = {name: account.password for name, account in world.lab.estate.accounts.items()}
        begin = world.lab.estate.clock._start
    with Lab(clock=LabClock(begin, monotonic=lambda: 0.0), engine=pwsh) as lab:
        renaming = Renaming()
        for name, password in accounts.items():
            renaming.know(password, lab.estate.accounts[name].password)
        repetition = Repetition(pwsh, lab.estate, renaming)
        repetition.run(recording.steps)
    found = sorted({line[:500] for line in repetition.found})
    unexpected = [line for line in found if not any(re.search(known, line) for known in EXPECTED)]
    with capsys.disabled():
        print(f"\n{repetition.compared} requests and replies compared, {len(repetition.found)} differences")
    assert not unexpected, "\n".join(unexpected[:40])
