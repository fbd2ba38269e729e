"""Fixtures of the lab's network tests: worlds that are taken down again, and keys that are made once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from lab_world import World

from s2slib.lab import pki
from s2slib.lab.scenario import Scenario

KEYS = 16  # more than any one test makes


@pytest.fixture(scope="session")
def keys() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(KEYS)]


@pytest.fixture(autouse=True, scope="module")
def _quick_keys(keys: list[rsa.RSAPrivateKey]) -> Iterator[None]:
    """2048 bit keys come from a stock in turn: an estate has eight and making them is most of its start."""
    generate, turn, lock = pki._new_key, itertools.cycle(keys), threading.Lock()

    def take(bits: int) -> rsa.RSAPrivateKey:
        if bits != 2048:
            return generate(bits)
        with lock:
            return next(turn)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pki, "_new_key", take)
        yield


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(**scenario: object) -> World:
        made.append(World(Scenario(**{"lync_certificate_assigned": True, **scenario})))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for world in made:
        world.sites.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture(scope="module")
def steady_world() -> Iterator[World]:
    """A world for the tests of one module that change nothing in it."""
    steady = World(Scenario(lync_certificate_assigned=True))
    yield steady
    steady.sites.close()
