"""Whose word a plan has, for which change ticket, and in which window (rule R43): bound to one plan hash.

The approver's name is a claim and is recorded as one, beside the operating-system account that typed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo
from pydantic.dataclasses import dataclass

from s2slib.errors import EXIT_USAGE, S2SError
from s2slib.records.files import read_json, write_json
from s2slib.records.instants import utc_text
from s2slib.typed import RECORDED, STRICT, from_json, to_json

FILE = "approval.json"
LONGEST_TEXT = 200


class ApprovalError(S2SError):
    """An approval cannot be taken as it was given; says which part, and what is allowed."""

    exit_code = EXIT_USAGE


def _recorded(value: Any, info: ValidationInfo) -> Any:
    return instant(str(value), str(info.field_name)) if info.context == RECORDED else value


Instant = Annotated[datetime, BeforeValidator(_recorded), PlainSerializer(utc_text)]
"""Aware and in UTC; recorded in whole seconds."""


@dataclass(frozen=True, config=STRICT)
class Approval:
    """An approval as recorded."""

    plan_hash: str
    reach_hash: str  # of how the servers are reached, and as whom
    approver: str  # as claimed
    ticket: str
    not_before: Instant
    not_after: Instant
    account: str  # the operating-system account that recorded it
    host: str
    at: Instant

    def says_the_same_as(self, other: Approval) -> bool:
        """Whether the other is for the same plan, ticket and window, by the same person and account."""
        return replace(self, at=other.at, host=other.host) == other

    def line(self) -> str:
        """The approval in one sentence."""
        return (
            f"approved by {self.approver} (as claimed; recorded by account {self.account} on {self.host}), "
            f"ticket {self.ticket}, from {utc_text(self.not_before)} to {utc_text(self.not_after)}"
        )


def given(
    plan_hash: str,
    reach_hash: str,
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
    begin, end = instant(not_before, "not_before"), instant(not_after, "not_after")
    if end <= begin:
        raise ApprovalError(f"not_after = {not_after}: allowed is an instant after not_before ({not_before})")
    if end <= now:
        raise ApprovalError(f"not_after = {not_after}: the window is over; it is {utc_text(now)} now")
    return Approval(plan_hash, reach_hash, names["approver"], names["ticket"], begin, end, account, host, now)


def load(folder: Path) -> Approval | None:
    """The approval in a run folder; None when there is none. ApprovalError when the file cannot be read as one."""
    file = folder / FILE
    if not file.exists():
        return None
    try:
        data = read_json(file)
    except (OSError, ValueError) as error:
        raise ApprovalError(f"{FILE} cannot be read: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise ApprovalError(f"{FILE} is not an approval of this version of the product")
    return recorded(data)


def recorded(data: Mapping[str, Any]) -> Approval:
    """The approval that a record holds; ApprovalError when it is none."""
    try:
        return from_json(Approval, data)
    except ValueError as error:
        raise ApprovalError(f"{FILE} is not an approval of this version of the product: {error}") from None


def save(folder: Path, approval: Approval) -> None:
    """Put an approval into a run folder."""
    write_json(folder / FILE, to_json(approval))


def instant(text: str, name: str) -> datetime:
    """The aware UTC instant of an ISO text with a time zone; ApprovalError names the field."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ApprovalError(
            f"{name} = {text[:40]!r}: allowed is a date and time such as 2026-11-28T22:00+01:00"
        ) from None
    if parsed.utcoffset() is None:
        raise ApprovalError(f"{name} = {text}: has no time zone; write 2026-11-28T22:00+01:00 or 2026-11-28T21:00Z")
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise ApprovalError(f"{name} = {text[:40]!r}: allowed are the years 1 to 9999 in UTC") from None
