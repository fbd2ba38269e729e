"""A lab of its own in another process, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from helpers.paths import ROOT


@pytest.fixture(scope="module")
def lab_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a shell in which `s2s lab` runs: its state file, and a runs folder of its own."""
    folder = tmp_path_factory.mktemp("lab")
    state = folder / "lab.json"
    command = [sys.executable, "-m", "s2slab", "--state", str(state)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "lab ready"
        yield {**os.environ, "S2S_LAB_STATE": str(state), "S2S_RUNS": str(folder / "runs"), "S2S_WORKSPACE": str(ROOT)}
    finally:
        child.terminate()
        child.wait(20)
