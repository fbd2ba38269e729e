"""Estates for the tests: fresh ones, and one with its network and web sites. Their keys come from a stock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from estate_links import Links

from s2slib.lab.clock import LabClock
from s2slib.lab.estate import Estate
from s2slib.lab.network import Network
from s2slib.lab.scenario import build_estate
from s2slib.lab.service import Lab
from s2slib.lab.web import WebSites

KEYS = 16  # more than any one test makes


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
        patch.setattr("s2slib.lab.pki.rsa.generate_private_key", take)
        yield


@pytest.fixture
def estate() -> Estate:
    """A fresh estate whose clock moves only when a test says so."""
    return build_estate(clock=LabClock(monotonic=lambda: 0.0))


@pytest.fixture
def web(estate: Estate) -> Iterator[Estate]:
    """The estate with its web sites behind real sockets."""
    estate.network = Network(estate)
    sites = WebSites(estate, estate.network)
    yield estate
    sites.close()


@pytest.fixture
def links(tmp_path: Path) -> Iterator[Links]:
    """A running lab, reached as the runbook reaches it."""
    with Lab() as lab:
        made = Links(lab, tmp_path)
        yield made
        made.close()
