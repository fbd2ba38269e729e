"""What the tests of the lab share: keys from a stock, and the two engines."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from engines import BOTH

from s2slab.engine.direct import DirectEngine
from s2slab.engine.real import EngineUnavailable, RealEngine
from s2slab.winrm.launch import Engine

KEYS = 24  # more than any one test makes


@pytest.fixture(scope="session")
def key_stock() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(KEYS)]


@pytest.fixture(autouse=True, scope="module")
def _keys_from_stock(key_stock: list[rsa.RSAPrivateKey]) -> Iterator[None]:
    """Making 2048 bit keys is most of what a fresh estate costs: they are taken from a stock in turn."""
    generate, turn, lock = rsa.generate_private_key, itertools.cycle(key_stock), threading.Lock()

    def take(
        *, public_exponent: int, key_size: int, backend: object = None
    ) -> rsa.RSAPrivateKey:  # as pyspnego calls it
        if key_size != 2048:
            return generate(public_exponent=public_exponent, key_size=key_size)
        with lock:
            return next(turn)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s2slab.estate.pki.rsa.generate_private_key", take)
        yield


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
