"""The root of what keeps the lab from doing what it was asked for."""

from __future__ import annotations


class LabError(RuntimeError):
    """Its text says why, and what to do."""
