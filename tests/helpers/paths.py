"""Where the checkout's own files are, for tests in any room."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARAMS = ROOT / "params"
NOTEBOOKS = ROOT / "notebooks"
CASES = ROOT / "tests" / "cases"
