"""The lab's declaration."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2slib.deployment import Deployment, load


@pytest.fixture
def lab_deployment() -> Deployment:
    """params/lab.yaml."""
    return load(Path(__file__).resolve().parents[3] / "params" / "lab.yaml")
