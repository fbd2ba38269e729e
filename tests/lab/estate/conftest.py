"""Estates for the tests: fresh ones, and one with its network and web sites. Their keys come from a stock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from estate_links import Links

from s2slib.lab.clock import LabClock
from s2slib.lab.estate import Estate
from s2slib.lab.network import Network
from s2slib.lab.scenario import build_estate
from s2slib.lab.service import Lab
from s2slib.lab.web import WebSites


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
