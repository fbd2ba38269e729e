"""Estates for the tests: fresh ones, and one with its network and web sites. Their keys come from a stock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.estate_direct import NETWORKS
from helpers.estate_links import Links
from helpers.estate_steps import trust

from s2slab.estate.clock import LabClock
from s2slab.estate.estate import Estate
from s2slab.network.network import Network
from s2slab.scenario import build_estate
from s2slab.service import Lab
from s2slab.web.web import WebSites


@pytest.fixture
def estate() -> Estate:
    """A fresh estate whose clock moves only when a test says so."""
    return build_estate(clock=LabClock(monotonic=lambda: 0.0))


@pytest.fixture
def web(estate: Estate) -> Iterator[Estate]:
    """The estate with its web sites behind real sockets."""
    network = NETWORKS[estate] = Network(estate)
    sites = WebSites(estate, network)
    yield estate
    sites.close()


@pytest.fixture
def trusted(web: Estate) -> Estate:
    """`web`, with both products trusting each other."""
    trust(web)
    return web


@pytest.fixture
def links(tmp_path: Path) -> Iterator[Links]:
    """A running lab, reached as the runbook reaches it."""
    with Lab() as lab:
        made = Links(lab, tmp_path)
        yield made
        made.close()
