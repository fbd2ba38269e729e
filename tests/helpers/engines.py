"""The lab's engines as parameters of tests: the direct one always, the real one under the marker `pwsh`."""

from __future__ import annotations

import pytest

BOTH = ["direct", pytest.param("pwsh", marks=pytest.mark.pwsh)]
