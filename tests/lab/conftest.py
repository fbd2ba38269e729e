"""The lab's two engines, for tests that hold both to the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engines import BOTH

from s2slib.lab.engine.direct import DirectEngine
from s2slib.lab.engine.real import EngineUnavailable, RealEngine
from s2slib.lab.winrm.launch import Engine


@pytest.fixture(scope="session")
def pwsh() -> Iterator[RealEngine]:
    """The real engine; skipped with the reason where there is none."""
    try:
        engine = RealEngine()
    except EngineUnavailable as missing:
        pytest.skip(str(missing))
    yield engine
    engine.close()


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn: the direct one always, the real one under the marker `pwsh`."""
    if request.param == "direct":
        return DirectEngine()
    found: Engine = request.getfixturevalue("pwsh")
    return found
