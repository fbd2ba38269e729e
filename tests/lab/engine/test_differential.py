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

EXPECTED = (
    # 5.1 words it in its own way
    r"\.errors\[\d+\]\.message: \"The term '",
    # an answer that did not fit is cut while the command runs, or after it: a matter of moments
    r"\.state: 'c(ompleted|ut)' \| 'c(ompleted|ut)'",
)
Way = Callable[[ChangeWorld, Recording], None]


def whole_way(way: ChangeWorld, recording: Recording) -> None:
    """Check, apply, verify, apply again, back out."""
    way.apply(*ALL, mode="check")
    folder = way.folder()
    way.apply(*ALL, folder=folder)
    way.verify()
    way.apply(*ALL)
    way.back_out(folder)


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


@pytest.mark.parametrize("way", [whole_way, odd_estate, broken_servers, explicit_second_hop])
def test_both_engines_answer_alike(
    way: Way,
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
    assert repetition.compared > 50
    with capsys.disabled():
        print(
            f"\n{way.__name__}: {repetition.compared} requests and replies compared, {len(found)} differ in a listed way"
        )
    assert not unexpected, "\n".join(unexpected[:40])
