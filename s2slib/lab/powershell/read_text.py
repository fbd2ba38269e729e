"""Texts read as GUIDs, dates and time spans: the forms both PowerShells read alike, the rest refused."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta, timezone

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.errors import (
    Unsupported,
)

_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?(?: ?(Z|[+-]\d{2}:\d{2}))?)?"
)
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_SPAN = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")


def parse_guid(text: str) -> uuid.UUID | None:
    """A GUID in one of the forms D, N, B, P; None otherwise."""
    body = text.strip()
    if (body[:1] == "{" and body[-1:] == "}") or (body[:1] == "(" and body[-1:] == ")"):
        body = body[1:-1]
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}", body):
        return uuid.UUID(body)
    return None


def parse_datetime(text: str) -> datetime | None:
    """A date in ISO or US form; None when it certainly is no date, Unsupported when unsure."""
    body = text.strip()
    found = _ISO.fullmatch(body)
    if found is not None:
        year, month, day, hour, minute, second, fraction, zone = found.groups()
    else:
        us = _US.fullmatch(body)
        if us is None:
            if re.search(r"\d", body) or not body.isascii() or body == "" or _DATE_WORDS.search(body):
                raise Unsupported(f"the text {text!r} as a date")
            return None
        month, day, year, hour, minute, second = us.groups()
        fraction = zone = None
    if (fraction or "")[6:] not in ("", "0"):
        raise Unsupported("a date with tenths of microseconds")
    try:
        when = datetime(  # noqa: DTZ001 - kind Unspecified
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        )  # fmt: skip
    except ValueError:
        raise Unsupported(f"the text {text!r} as a date") from None
    if zone is None:
        return when
    if zone == "Z":
        return when.replace(tzinfo=v.LOCAL)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return when.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset)).astimezone(v.LOCAL)


_DATE_WORDS = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|am|pm|z)", re.I
)


def parse_timespan(text: str) -> timedelta | None:
    """[-][d.]hh:mm[:ss[.f]], or whole days; None when it is certainly no span."""
    body = text.strip()
    if re.fullmatch(r"-?\d{1,8}", body):
        return timedelta(days=int(body))
    found = _SPAN.fullmatch(body)
    if found is None:
        if re.search(r"\d", body) or not body:
            raise Unsupported(f"the text {text!r} as a time span")
        return None
    sign, days, hours, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59 or (fraction or "")[6:] not in ("", "0"):
        raise Unsupported(f"the text {text!r} as a time span")
    span = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(7, "0")) // 10,
    )
    return -span if sign else span


def utc(when: datetime) -> datetime:
    """ToUniversalTime(): an unspecified kind counts as local, and the lab's servers keep UTC."""
    return (when if when.tzinfo is not None else when.replace(tzinfo=v.LOCAL)).astimezone(UTC)
