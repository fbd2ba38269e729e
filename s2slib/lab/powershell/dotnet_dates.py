"""Members of DateTime and TimeSpan."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.comparison import order
from s2slib.lab.powershell.convert import to_enum
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.enums import enum_value
from s2slib.lab.powershell.errors import DotNetError, Unsupported
from s2slib.lab.powershell.format import format_datetime
from s2slib.lab.powershell.read_text import parse_datetime, parse_timespan, utc
from s2slib.lab.powershell.typemembers import Method, TypeMembers
from s2slib.lab.powershell.types import named


def _make_date(f: Frame, *a: Any) -> datetime:
    kind = a[-1].name if a and isinstance(a[-1], v.PsEnum) else "Unspecified"
    numbers = [int(x) for x in a if not isinstance(x, v.PsEnum)]
    if len(numbers) == 1:
        return datetime(1, 1, 1) + timedelta(microseconds=numbers[0] // 10)  # noqa: DTZ001
    if len(numbers) == 7:
        numbers[6] *= 1000
    try:
        return _kind(datetime(*numbers), kind)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        raise DotNetError(
            "System.ArgumentOutOfRangeException",
            "Year, Month, and Day parameters describe an un-representable DateTime.",
        ) from None


def _kind(when: datetime, kind: str) -> datetime:
    zone = {"Utc": UTC, "Local": v.LOCAL, "Unspecified": None}[kind]
    return when.replace(tzinfo=zone)


def kind_of(when: datetime) -> str:
    """DateTimeKind's name."""
    if when.tzinfo is None:
        return "Unspecified"
    return "Local" if when.tzinfo is v.LOCAL else "Utc"


def _add(unit: str) -> Any:
    def run(f: Frame, when: datetime, count: float) -> datetime:
        if isinstance(count, float) and not count.is_integer():
            milliseconds = count * {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000}.get(
                unit, 1
            )
            rounded = math.floor(abs(milliseconds) + 0.5) * (1 if milliseconds >= 0 else -1)
            if abs(milliseconds - rounded) > 1e-6:
                raise Unsupported("a date moved by fractions of a millisecond, which .NET versions round differently")
            return when + timedelta(milliseconds=rounded)
        return when + timedelta(**{unit: int(count)})

    return run


def _add_months(f: Frame, when: datetime, count: int) -> datetime:
    total = when.year * 12 + when.month - 1 + count
    year, month = divmod(total, 12)
    month += 1
    last = (datetime(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001
    return when.replace(year=year, month=month, day=min(when.day, last))


def _date_text(f: Frame, when: datetime, *a: Any) -> str:
    from s2slib.lab.powershell.culture import Culture

    culture = next((x for x in a if isinstance(x, Culture)), f.engine.culture)
    spec = next((str(x) for x in a if isinstance(x, str)), "G")
    return format_datetime(when, spec or "G", culture)


def _parse_date(f: Frame, text: str, culture: Any = None, styles: Any = None) -> datetime:
    found = parse_datetime(text)
    if found is None:
        raise DotNetError("System.FormatException", "String was not recognized as a valid DateTime.")
    style = 0 if styles is None else styles.value
    if style & 128:  # RoundtripKind
        body = text.strip()
        return found.astimezone(UTC) if body.endswith("Z") else found
    if style & 16:
        if found.tzinfo is None:
            if not style & 64:
                raise Unsupported("these DateTimeStyles")
            return found.replace(tzinfo=UTC)
        return found.astimezone(UTC)
    if style & 64:
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(v.LOCAL)
    if style:
        raise Unsupported("these DateTimeStyles")
    return found


def _parse_exact(f: Frame, text: str, spec: str, culture: Any) -> datetime:
    if spec in ("yyyy-MM-dd", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-dd HH:mm:ss"):
        found = parse_datetime(text)
        if found is not None and format_datetime(found, spec, f.engine.culture) == text:
            return found
        raise DotNetError("System.FormatException", "String was not recognized as a valid DateTime.")
    raise Unsupported(f"ParseExact with {spec!r}")


def _ticks(when: datetime) -> int:
    delta = when.replace(tzinfo=None) - datetime(1, 1, 1)  # noqa: DTZ001
    return (delta.days * 86400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


def _subtract(f: Frame, when: datetime, other: Any) -> Any:
    if isinstance(other, timedelta):
        return when - other
    return when.replace(tzinfo=None) - other.replace(tzinfo=None)


def _whole(name: str) -> Any:
    return lambda f, w: getattr(w, name)


def dates() -> TypeMembers:
    return TypeMembers(
        props={
            **{n: _whole(n.lower()) for n in ("Year", "Month", "Day", "Hour", "Minute", "Second")},
            "Millisecond": lambda f, w: w.microsecond // 1000,
            "Ticks": lambda f, w: _ticks(w),
            "Kind": lambda f, w: enum_value("System.DateTimeKind", kind_of(w)),
            "Date": lambda f, w: w.replace(hour=0, minute=0, second=0, microsecond=0),
            "DayOfYear": lambda f, w: w.timetuple().tm_yday,
            "DayOfWeek": lambda f, w: to_enum((w.weekday() + 1) % 7, named("System.DayOfWeek")),
            "TimeOfDay": lambda f, w: timedelta(
                hours=w.hour, minutes=w.minute, seconds=w.second, microseconds=w.microsecond
            ),
        },
        methods=[
            Method("ToString", _date_text, "", "=string", "=string *", "* =string", "=System.Globalization.CultureInfo"),
            Method("ToUniversalTime", lambda f, w: utc(w), ""),
            Method(
                "ToLocalTime",
                lambda f, w: (w if w.tzinfo is not None else w.replace(tzinfo=UTC)).astimezone(v.LOCAL),
                "",
            ),
            Method("AddDays", _add("days"), "double"),
            Method("AddHours", _add("hours"), "double"),
            Method("AddMinutes", _add("minutes"), "double"),
            Method("AddSeconds", _add("seconds"), "double"),
            Method("AddMilliseconds", _add("milliseconds"), "double"),
            Method("AddMonths", _add_months, "int"),
            Method("AddYears", lambda f, w, n: _add_months(f, w, n * 12), "int"),
            Method("Add", lambda f, w, s: w + s, "timespan"),
            Method("Subtract", _subtract, "=timespan", "=datetime"),
            Method("CompareTo", lambda f, a, b: order(a, b), "datetime"),
            Method("Equals", lambda f, a, b: a.replace(tzinfo=None) == b.replace(tzinfo=None), "=datetime"),
        ],
        static_props={
            "Now": lambda f: f.engine.machine.now().astimezone(v.LOCAL),
            "UtcNow": lambda f: f.engine.machine.now().astimezone(UTC),
            "Today": lambda f: f.engine.machine.now().astimezone(v.LOCAL).replace(hour=0, minute=0, second=0, microsecond=0),
            "MinValue": lambda f: datetime(1, 1, 1),  # noqa: DTZ001
            "MaxValue": lambda f: datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
        },
        static_methods=[
            Method("SpecifyKind", lambda f, w, k: _kind(w, k.name), "datetime System.DateTimeKind"),
            Method(
                "Parse", _parse_date, "string", "string cultureinfo",
                "string cultureinfo System.Globalization.DateTimeStyles",
            ),
            Method("ParseExact", _parse_exact, "string string *"),
            Method("FromFileTimeUtc", _from_file_time, "long"),
        ],
        new=Method(
            "new", _make_date, "", "=int =int =int", "int int int int int int", "int int int int int int System.DateTimeKind",
            "int int int int int int int System.DateTimeKind", "long", "int int int",
        ),
        exists="compareto getdatetimeformats gettypecode isdaylightsavingtime tobinary tofiletime tofiletimeutc "
        "tolongdatestring tolongtimestring tooadate toshortdatestring toshorttimestring datetime",
        closed=True,
    )  # fmt: skip


def _from_file_time(f: Frame, ticks: int) -> datetime:
    return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(ticks) // 10)


def _total(unit: float) -> Any:
    return lambda f, s: s.total_seconds() / unit


def _from(unit: str) -> Any:
    def run(f: Frame, count: float) -> timedelta:
        return timedelta(**{unit: float(count)})

    return run


def _new_span(f: Frame, *a: Any) -> timedelta:
    n = [int(x) for x in a]
    if len(n) == 1:
        return timedelta(microseconds=n[0] // 10)
    if len(n) == 3:
        return timedelta(hours=n[0], minutes=n[1], seconds=n[2])
    return timedelta(days=n[0], hours=n[1], minutes=n[2], seconds=n[3])


def _parse_span(f: Frame, text: str) -> timedelta:
    found = parse_timespan(text)
    if found is None:
        raise DotNetError("System.FormatException", "String was not recognized as a valid TimeSpan.")
    return found


def _part(which: str) -> Any:
    def run(f: Frame, s: timedelta) -> int:
        sign, body = (-1, -s) if s < timedelta(0) else (1, s)
        numbers = {
            "Days": body.days, "Hours": body.seconds // 3600, "Minutes": body.seconds // 60 % 60,
            "Seconds": body.seconds % 60, "Milliseconds": body.microseconds // 1000,
        }  # fmt: skip
        return sign * numbers[which]

    return run


def spans() -> TypeMembers:
    return TypeMembers(
        props={
            **{n: _part(n) for n in ("Days", "Hours", "Minutes", "Seconds", "Milliseconds")},
            "TotalDays": _total(86400), "TotalHours": _total(3600), "TotalMinutes": _total(60), "TotalSeconds": _total(1),
            "TotalMilliseconds": _total(0.001),
            "Ticks": lambda f, s: v.Int64((s.days * 86400 + s.seconds) * 10_000_000 + s.microseconds * 10),
        },
        methods=[
            Method("Add", lambda f, a, b: a + b, "timespan"),
            Method("Subtract", lambda f, a, b: a - b, "timespan"),
            Method("Negate", lambda f, a: -a, ""),
            Method("Duration", lambda f, a: abs(a), ""),
            Method("CompareTo", lambda f, a, b: order(a, b), "timespan"),
        ],
        static_props={"Zero": lambda f: timedelta(0)},
        static_methods=[
            Method("FromDays", _from("days"), "double"), Method("FromHours", _from("hours"), "double"),
            Method("FromMinutes", _from("minutes"), "double"), Method("FromSeconds", _from("seconds"), "double"),
            Method("FromMilliseconds", _from("milliseconds"), "double"), Method("Parse", _parse_span, "string"),
        ],
        new=Method("new", _new_span, "int int int", "int int int int", "long"),
        closed=True,
    )  # fmt: skip
