"""The lab's declaration."""

from __future__ import annotations

import pytest
from helpers.paths import PARAMS

from s2slib.deployment import Deployment, load


@pytest.fixture
def lab_deployment() -> Deployment:
    """params/lab.yaml."""
    return load(PARAMS / "lab.yaml")
