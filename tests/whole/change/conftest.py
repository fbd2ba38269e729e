"""A fresh lab for each test, with a runs folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.change_world import ChangeWorld, change_world


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangeWorld]:
    with change_world(tmp_path, monkeypatch) as made:
        yield made
