"""Instants as records write them: UTC in whole seconds, with Z."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_text(at: datetime | None = None) -> str:
    """The text of an aware instant; of this moment without one."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
