"""How setting up can end short of its goal."""

from __future__ import annotations


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do. Nothing was handed over."""


class UsageError(Exception):
    """run.py was asked for something that it does not know."""
