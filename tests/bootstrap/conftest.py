"""A checkout in a folder with a space in its name, not set up yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.bootstrap_host import Starter, make_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "my checkout")


@pytest.fixture
def run_py(checkout: Path) -> Starter:
    return Starter(checkout)
