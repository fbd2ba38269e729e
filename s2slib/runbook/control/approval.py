"""Whose word a plan has, for which change ticket, and in which window (O32): bound to one plan hash.

The approver's name is a claim and is recorded as one, beside the operating-system account that typed it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2slib.errors import EXIT_USAGE, S2SError
from s2slib.records.files import write_json

FILE = "approval.json"
LONGEST_TEXT = 200


class ApprovalError(S2SError):
    """An approval cannot be taken as it was given; says which part, and what is allowed."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Approval:
    """An approval as recorded. Instants are aware and in UTC."""

    plan_hash: str
    approver: str  # as claimed
    ticket: str
    not_before: datetime
    not_after: datetime
    account: str  # the operating-system account that recorded it
    host: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """The approval as one JSON object; instants as ISO 8601 in UTC."""
        return {key: _text(value) if isinstance(value, datetime) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Approval:
        """The approval that `to_json` wrote; ApprovalError when it is none."""
        try:
            instants = {key: _instant(str(data[key]), key) for key in ("not_before", "not_after", "at")}
            return cls(**{**data, **instants})
        except (KeyError, TypeError, ValueError) as error:
            raise ApprovalError(f"{FILE} is not an approval of this version of the product: {error}") from None

    def says_the_same_as(self, other: Approval) -> bool:
        """Whether the other is for the same plan, ticket and window, by the same person and account."""
        return replace(self, at=other.at, host=other.host) == other

    def line(self) -> str:
        """The approval in one sentence."""
        return (
            f"approved by {self.approver} (as claimed; recorded by account {self.account} on {self.host}), "
            f"ticket {self.ticket}, from {_text(self.not_before)} to {_text(self.not_after)}"
        )


def given(
    plan_hash: str,
    *,
    approver: str,
    ticket: str,
    not_before: str,
    not_after: str,
    account: str,
    host: str,
    now: datetime,
) -> Approval:
    """An approval from what a person typed; ApprovalError names the part that will not do."""
    names = {"approver": approver.strip(), "ticket": ticket.strip()}
    for name, value in names.items():
        if not value or len(value) > LONGEST_TEXT or not value.isprintable():
            raise ApprovalError(f"{name} = {value[:40]!r}: allowed is one line of 1 to {LONGEST_TEXT} characters")
    begin, end = _instant(not_before, "not_before"), _instant(not_after, "not_after")
    if end <= begin:
        raise ApprovalError(f"not_after = {not_after}: allowed is an instant after not_before ({not_before})")
    if end <= now:
        raise ApprovalError(f"not_after = {not_after}: the window is over; it is {_text(now)} now")
    return Approval(plan_hash, names["approver"], names["ticket"], begin, end, account, host, now)


def load(folder: Path) -> Approval | None:
    """The approval in a run folder; None when there is none. ApprovalError when the file cannot be read as one."""
    file = folder / FILE
    if not file.exists():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ApprovalError(f"{FILE} cannot be read: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise ApprovalError(f"{FILE} is not an approval of this version of the product")
    return Approval.from_json(data)


def save(folder: Path, approval: Approval) -> None:
    """Put an approval into a run folder."""
    write_json(folder / FILE, approval.to_json())


def _instant(text: str, name: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ApprovalError(
            f"{name} = {text[:40]!r}: allowed is a date and time such as 2026-11-28T22:00+01:00"
        ) from None
    if parsed.utcoffset() is None:
        raise ApprovalError(f"{name} = {text}: has no time zone; write 2026-11-28T22:00+01:00 or 2026-11-28T21:00Z")
    return parsed.astimezone(UTC)


def _text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
