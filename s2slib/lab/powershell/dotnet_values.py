"""Members of numbers, dates, spans, GUIDs, URIs, versions, enums, types, secrets."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote, unquote

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert, parse_datetime, parse_guid, parse_timespan, to_enum, utc
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.enums import ENUMS, enum_value
from s2slib.lab.powershell.errors import DotNetError, PsError, Unsupported
from s2slib.lab.powershell.format import format_datetime, format_guid
from s2slib.lab.powershell.members import Method, TypeMembers
from s2slib.lab.powershell.operators import order
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType, derives_from, is_instance, named

NUMBERS = ("Int32", "Int64", "Int16", "UInt16", "UInt32", "UInt64", "Byte", "SByte")
_LIMITS = {
    "Int32": (v.INT32_MIN, v.INT32_MAX), "Int64": (v.INT64_MIN, v.INT64_MAX), "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1), "UInt32": (0, 2**32 - 1), "UInt64": (0, 2**64 - 1), "Byte": (0, 255), "SByte": (-128, 127),
}  # fmt: skip
_NUMBER_REST = "compareto gettypecode"


def _parse_integer(name: str) -> Any:
    kind = named("System." + name)

    def run(f: Frame, text: str) -> Any:
        try:
            if not text.strip().lstrip("+-").isdecimal():
                raise DotNetError("System.FormatException", "Input string was not in a correct format.")
            return convert(text, kind)
        except PsError:
            raise DotNetError(
                "System.OverflowException", f"Value was either too large or too small for an {name}."
            ) from None

    return run


def _rank(name: str) -> TypeMembers:
    kind = named("System." + name)
    low, high = _LIMITS[name]
    return TypeMembers(
        methods=[Method("CompareTo", lambda f, a, b: order(a, b), f"=System.{name}")],
        static_props={"MaxValue": lambda f: convert(high, kind), "MinValue": lambda f: convert(low, kind)},
        static_methods=[Method("Parse", _parse_integer(name), "string")],
        exists=_NUMBER_REST,
        closed=True,
    )


# -- dates


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


def _dates() -> TypeMembers:
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


# -- spans


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


def _spans() -> TypeMembers:
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


# -- the rest


def _new_guid(f: Frame, text: str = "") -> uuid.UUID:
    found = parse_guid(text)
    if found is None:
        raise DotNetError(
            "System.FormatException",
            "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).",
        )
    return found


def _uri_part(which: str) -> Any:
    def run(f: Frame, u: v.PsUri) -> Any:
        if which == "OriginalString":
            return u.text
        if which == "IsAbsoluteUri":
            return u.absolute
        if not u.absolute:
            raise DotNetError("System.InvalidOperationException", "This operation is not supported for a relative URI.")
        parts = u.split()
        if (
            not u.text.isascii()
            or "%" in u.text
            or " " in u.text
            or "\\" in u.text
            or "/." in parts.path
            or parts.username
        ):
            raise Unsupported(f"the parts of the URI {u.text!r}")
        scheme = parts.scheme.lower()
        if scheme not in ("http", "https"):
            raise Unsupported(f"the parts of a {scheme} URI")
        default = 443 if scheme == "https" else 80
        port = parts.port or default
        host = (parts.hostname or "").lower()
        path = parts.path or "/"
        query = "?" + parts.query if parts.query else ""
        fragment = "#" + parts.fragment if parts.fragment else ""
        authority = host if port == default else f"{host}:{port}"
        return {
            "Host": host, "DnsSafeHost": host, "Port": port, "Scheme": scheme, "AbsolutePath": path, "LocalPath": path,
            "Query": query, "Fragment": fragment, "PathAndQuery": path + query, "Authority": authority,
            "AbsoluteUri": f"{scheme}://{authority}{path}{query}{fragment}", "IsDefaultPort": port == default,
        }[which]  # fmt: skip

    return run


def _new_uri(f: Frame, text: str) -> v.PsUri:
    made = v.PsUri(text)
    if not made.absolute:
        raise DotNetError("System.UriFormatException", "Invalid URI: The format of the URI could not be determined.")
    return made


def _escape_data(f: Frame, text: str) -> str:
    if any(c in text for c in "!*'()"):
        raise Unsupported("EscapeDataString over ! * ' ( )")
    return quote(text, safe="-_.~")


def _round(f: Frame, number: Any, *rest: Any) -> Any:
    digits = next((int(x) for x in rest if isinstance(x, int)), 0)
    away = any(isinstance(x, v.PsEnum) and x.name == "AwayFromZero" for x in rest)
    quantum = Decimal(1).scaleb(-digits)
    mode = ROUND_HALF_UP if away else ROUND_HALF_EVEN
    if isinstance(number, Decimal):
        return number.quantize(quantum, mode)
    near = Decimal(repr(float(number))).quantize(quantum, mode)
    if near != Decimal(float(number)).quantize(quantum, mode):
        raise Unsupported("a rounding that .NET versions do differently")
    return float(near)


def _numeric(fn: Any) -> Any:
    def run(f: Frame, *a: Any) -> Any:
        if any(isinstance(x, str) or not isinstance(x, (int, float, Decimal)) for x in a):
            a = tuple(convert(x, named("System.Double")) for x in a)
        return fn(*a)

    return run


def _ceiling(name: str) -> Any:
    def run(f: Frame, x: Any) -> Any:
        if isinstance(x, Decimal):
            raise Unsupported(f"Math.{name} of a Decimal")
        return float(getattr(math, name)(float(x)))

    return run


def _enum_names(f: Frame, kind: PsType) -> v.PsArray:
    if kind.name not in ENUMS:
        raise Unsupported(f"the names of [{kind.name}]")
    pairs = sorted(ENUMS[kind.name].items(), key=lambda kv: kv[1])
    return v.PsArray("System.String", [n for n, _ in pairs])


def _enum_parse(f: Frame, kind: PsType, text: str, ignore: bool = False) -> v.PsEnum:
    if text not in ENUMS[kind.name] and not ignore:
        raise DotNetError("System.ArgumentException", f"Requested value '{text}' was not found.")
    return to_enum(text, kind)


def _secure_append(f: Frame, s: v.SecureString, c: v.Char) -> Any:
    if s.read_only:
        raise DotNetError("System.InvalidOperationException", "Instance is read-only.")
    s.append(c)
    return v.NOTHING


def _read_only(f: Frame, s: v.SecureString) -> Any:
    s.read_only = True
    return v.NOTHING


def _credential(f: Frame, user: str, password: v.SecureString) -> v.PSCredential:
    if not user:
        raise DotNetError(
            "System.Management.Automation.PSArgumentException",
            'Cannot process argument because the value of argument "userName" is not valid. Change the value of the '
            '"userName" argument and run the operation again.',
        )
    return v.PSCredential(user, password)


class NetworkCredential:
    """System.Net.NetworkCredential as PSCredential.GetNetworkCredential() gives it."""

    ps_type = "System.Net.NetworkCredential"

    def __init__(self, credential: v.PSCredential) -> None:
        domain, _, user = credential.user_name.rpartition("\\")
        self.user, self.domain, self.secret = user, domain, credential.password

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type


def _version_part(index: int) -> Any:
    return lambda f, x: x.parts[index] if index < len(x.parts) else -1


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    tables = {f"System.{n}": _rank(n) for n in NUMBERS}
    tables.update(
        {
            "System.Boolean": TypeMembers(
                static_props={"TrueString": lambda f: "True", "FalseString": lambda f: "False"},
                static_methods=[Method("Parse", _parse_bool, "string")],
                exists="compareto gettypecode",
                closed=True,
            ),
            "System.Double": TypeMembers(
                static_props={
                    "NaN": lambda f: math.nan, "PositiveInfinity": lambda f: math.inf,
                    "NegativeInfinity": lambda f: -math.inf, "MaxValue": lambda f: 1.7976931348623157e308,
                },
                static_methods=[Method("IsNaN", lambda f, x: math.isnan(x), "double")],
                exists=_NUMBER_REST, closed=True,
            ),
            "System.Decimal": TypeMembers(exists=_NUMBER_REST + " scale", closed=True),
            "System.DateTime": _dates(),
            "System.TimeSpan": _spans(),
            "System.Guid": TypeMembers(
                methods=[
                    Method("ToString", lambda f, g, s="": format_guid(g, s), "", "=string"),
                    Method("ToByteArray", lambda f, g: g.bytes_le, ""),
                    Method("Equals", lambda f, a, b: a == b, "=guid"),
                ],
                static_props={"Empty": lambda f: uuid.UUID(int=0)},
                static_methods=[
                    Method("NewGuid", lambda f: uuid.uuid4(), ""), Method("Parse", _new_guid, "string"),
                ],
                new=Method("new", _new_guid, "string"), exists="compareto", closed=True,
            ),
            "System.Uri": TypeMembers(
                props={n: _uri_part(n) for n in (
                    v.words(
        "Host DnsSafeHost Port Scheme AbsolutePath LocalPath Query Fragment PathAndQuery Authority AbsoluteUri "
        "IsDefaultPort OriginalString IsAbsoluteUri"
    )
                )},
                methods=[Method("ToString", lambda f, u: u.text, "")],
                static_methods=[
                    Method("EscapeDataString", _escape_data, "string"),
                    Method("UnescapeDataString", lambda f, t: unquote(t), "string"),
                ],
                new=Method("new", _new_uri, "=string"),
            ),
            "System.Version": TypeMembers(
                props={n: _version_part(i) for i, n in enumerate(("Major", "Minor", "Build", "Revision"))},
                methods=[
                    Method("ToString", lambda f, x, n=None: ".".join(map(str, x.parts[:n])), "", "int"),
                    Method("CompareTo", lambda f, a, b: order(a, b), "version"),
                ],
                static_methods=[Method("Parse", lambda f, t: convert(t, named("System.Version")), "string")],
                new=Method("new", lambda f, *a: v.PsVersion(".".join(map(str, a))), "=string", "int int", "int int int",
                           "int int int int"),
                exists="MajorRevision MinorRevision Clone Equals", closed=True,
            ),
            "System.Math": TypeMembers(
                static_props={"PI": lambda f: math.pi, "E": lambda f: math.e},
                static_methods=[
                    Method("Max", _numeric(max), "=int =int", "=double =double", "=long =long", "double double"),
                    Method("Min", _numeric(min), "=int =int", "=double =double", "=long =long", "double double"),
                    Method("Abs", _numeric(abs), "=int", "=long", "=double", "=decimal"),
                    Method("Round", _round, "=decimal", "double", "=decimal int", "double int",
                           "double System.MidpointRounding", "double int System.MidpointRounding"),
                    Method("Floor", _ceiling("floor"), "double"), Method("Ceiling", _ceiling("ceil"), "double"),
                    Method("Truncate", _ceiling("trunc"), "double"),
                    Method("Pow", lambda f, a, b: float(a) ** float(b), "double double"),
                    Method("Sqrt", lambda f, a: math.sqrt(a), "double"),
                    Method("Sign", lambda f, a: (a > 0) - (a < 0), "double"),
                ],
            ),
            "System.Enum": TypeMembers(
                props={"value__": lambda f, e: e.value},
                methods=[
                    Method("HasFlag", lambda f, e, o: e.value & o.value == o.value, "*"),
                ],
                static_methods=[
                    Method("GetNames", _enum_names, "type"), Method("Parse", _enum_parse, "type string", "type string bool"),
                    Method("GetValues", lambda f, k: [to_enum(n, k) for n in _enum_names(f, k)], "type"),
                    Method("IsDefined", lambda f, k, x: to_text(x) in ENUMS[k.name], "type =string"),
                ],
                exists="compareto gettypecode", closed=True,
            ),
            "System.RuntimeType": TypeMembers(
                props={
                    "Name": lambda f, t: t.short_name, "FullName": lambda f, t: t.full_name,
                    "Namespace": lambda f, t: (t.element or t).name.rpartition(".")[0],
                    "IsArray": lambda f, t: t.element is not None, "IsEnum": lambda f, t: t.name in ENUMS,
                    "IsPrimitive": lambda f, t: t.element is None and t.name in _PRIMITIVES,
                    "IsValueType": lambda f, t: t.element is None and derives_from(t, "System.ValueType"),
                    "BaseType": _base_type,
                },
                methods=[
                    Method("ToString", lambda f, t: t.display, ""),
                    Method("IsAssignableFrom", lambda f, t, o: derives_from(o, t.name), "type"),
                    Method("IsInstanceOfType", lambda f, t, o: is_instance(o, t), "*"),
                ],
            ),
            SMA + "SwitchParameter": TypeMembers(
                props={"IsPresent": lambda f, s: s.present},
                methods=[Method("ToBool", lambda f, s: s.present, ""),
                         Method("ToString", lambda f, s: "True" if s.present else "False", "")],
                new=Method("new", lambda f, p: v.SwitchParameter(p), "bool"), closed=True,
            ),
            "System.Security.SecureString": TypeMembers(
                props={"Length": lambda f, s: len(s)},
                methods=[
                    Method("AppendChar", _secure_append, "char"), Method("MakeReadOnly", _read_only, ""),
                    Method("IsReadOnly", lambda f, s: s.read_only, ""), Method("Dispose", lambda f, s: v.NOTHING, ""),
                    Method("Copy", lambda f, s: v.SecureString(s.reveal()), ""),
                ],
                new=Method("new", lambda f: v.SecureString(), ""), exists="Clear InsertAt RemoveAt SetAt", closed=True,
            ),
            SMA + "PSCredential": TypeMembers(
                props={"UserName": lambda f, c: c.user_name, "Password": lambda f, c: c.password},
                methods=[Method("GetNetworkCredential", lambda f, c: NetworkCredential(c), "")],
                new=Method("new", _credential, "string securestring"),
                static_props={"Empty": lambda f: v.PSCredential("", v.SecureString())},
            ),
            "System.Net.NetworkCredential": TypeMembers(
                props={"UserName": lambda f, c: c.user, "Domain": lambda f, c: c.domain,
                       "Password": lambda f, c: c.secret.reveal(), "SecurePassword": lambda f, c: c.secret},
            ),
        }
    )  # fmt: skip
    return tables


_PRIMITIVES = frozenset(f"System.{n}" for n in (*NUMBERS, "Boolean", "Char", "Double", "Single"))


def _parse_bool(f: Frame, text: str) -> bool:
    low = text.strip().lower()
    if low not in ("true", "false"):
        raise DotNetError("System.FormatException", "String was not recognized as a valid Boolean.")
    return low == "true"


def _base_type(f: Frame, t: PsType) -> Any:
    if t.element is not None:
        return named("System.Array")
    if t.name in ENUMS:
        return named("System.Enum")
    if t.name in _PRIMITIVES or t.name in ("System.DateTime", "System.Guid", "System.TimeSpan", "System.Decimal"):
        return named("System.ValueType")
    if t.name in ("System.String", "System.Collections.Hashtable"):
        return named("System.Object")
    raise Unsupported(f"the base type of {t.display}")
