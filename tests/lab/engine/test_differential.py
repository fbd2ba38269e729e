"""One contract, two engines: what the real engine answered is asked of the direct one, and every field agrees.

What may differ is in `recorded.FREE` (milliseconds, process id, version), in what each lab draws by itself, and in EXPECTED.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.change_world import ALL, STAYS, ChangeWorld, change_world, states
from helpers.recorded import Recording, Renaming, Repetition
from helpers.snapshot import difference, state

from s2slab import faults
from s2slab.engine.direct import DirectEngine
from s2slab.engine.real import RealEngine
from s2slab.estate.clock import LabClock
from s2slab.service import Lab

pytestmark = [pytest.mark.pwsh, pytest.mark.timeout(900)]

EXPECTED = (
    # 5.1 words it in its own way
    r"\.errors\[\d+\]\.message: .The term '",
    # a far process of this machine is called so, and its link notices an end only when it is used
    r"\.object\[1\]\[0\]\[1\]: 'localhost' \|",
    # an answer that did not fit is cut while the command runs, or after it: a matter of moments
    r"\.state: 'c(ompleted|ut)' \| 'c(ompleted|ut)'",
)
Way = Callable[[ChangeWorld, Recording], None]


def whole_way(way: ChangeWorld, recording: Recording) -> None:
    """Check, apply, verify, apply again, back out: each is what it should be, too."""
    recording.change(way.lab.estate, lambda estate: estate.clock.advance(3600))  # whatever was on its way arrives
    before = state(way.lab.estate)
    way.apply(*ALL, mode="check")
    assert way.rows() == []
    folder = way.folder()
    done = way.apply(*ALL, folder=folder)
    assert {name: result.state for name, result in done.items()} == dict.fromkeys(ALL, "done"), states(done)
    assert not [finding for finding in way.verify().findings if finding.level in ("blocker", "unknown")]
    written = len(way.rows())
    way.apply(*ALL)
    assert len(way.rows()) == written
    assert way.back_out(folder).state == "done"
    left = difference(before, way.settled_state())
    assert not [path for path in left if not any(part in path for part in STAYS)]


def odd_estate(way: ChangeWorld, recording: Recording) -> None:
    """What other administrators left: duplicates, a hybrid, another realm, a friendly name; the script fails half-way."""
    for name in ("hybrid_entries", "duplicate_partner_applications", "user_without_mailbox", "clock_skewed"):
        recording.change(way.lab.estate, getattr(faults, name))
    way.apply(*ALL, mode="check")
    recording.change(way.lab.estate, faults.accepted_domain_with_friendly_name)
    way.apply(*ALL)


def broken_servers(way: ChangeWorld, recording: Recording) -> None:
    """An IIS that does not come back, a server without trust in the authority, one that is down."""
    recording.change(way.lab.estate, faults.restart_fails)
    way.apply(*ALL)
    recording.change(way.lab.estate, faults.authority_not_trusted)
    recording.change(way.lab.estate, faults.server_down)
    way.apply("preflight", mode="check")
    way.verify()


def explicit_second_hop(way: ChangeWorld, recording: Recording) -> None:
    """Lync by its endpoint: what works there, and what a network logon may not do."""
    explicit = {"endpoint": {"scheme": "https", "transport": "ntlm", "second_hop": "explicit"}}
    way.apply(*ALL, lync=explicit)
    way.apply("preflight", "autodiscover", "lync_partner_application", mode="check", lync=explicit)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(whole_way, marks=pytest.mark.slow),
        odd_estate,
        pytest.param(broken_servers, marks=pytest.mark.slow),
        pytest.param(explicit_second_hop, marks=pytest.mark.slow),
    ],
)
def test_both_engines_answer_alike(
    way: Way,
    pwsh: RealEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = Recording(pwsh)
    with change_world(tmp_path, monkeypatch, engine=recording, clock=LabClock(monotonic=lambda: 0.0)) as world:
        begin = world.lab.estate.now()
        way(world, recording)
        accounts = {name: account.password for name, account in world.lab.estate.accounts.items()}
    direct = DirectEngine()
    with Lab(clock=LabClock(begin, monotonic=lambda: 0.0), engine=direct) as lab:
        renaming = Renaming()
        for name, password in accounts.items():
            renaming.know(password, lab.estate.accounts[name].password)
        repetition = Repetition(direct, lab.estate, lab.network, renaming)
        repetition.run(recording.steps)
    found = sorted({line[:500] for line in repetition.found})
    unexpected = [line for line in found if not any(re.search(known, line) for known in EXPECTED)]
    assert repetition.compared > 50
    with capsys.disabled():
        print(
            f"\n{way.__name__}: {repetition.compared} requests and replies compared, {len(found)} differ in a listed way"
        )
    assert not unexpected, "\n".join(unexpected[:40])
