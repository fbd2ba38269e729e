"""Members of numbers, dates, spans, GUIDs, URIs, versions, enums, types, secrets."""

from __future__ import annotations

import math
import uuid
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote, unquote

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.comparison import order
from s2slib.lab.powershell.convert import convert, to_enum
from s2slib.lab.powershell.convert_scalars import too_large
from s2slib.lab.powershell.dotnet_dates import dates, spans
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.enums import ENUMS
from s2slib.lab.powershell.errors import DotNetError, PsError, Unsupported
from s2slib.lab.powershell.format import format_guid
from s2slib.lab.powershell.read_text import parse_guid
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers
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
            raise DotNetError("System.OverflowException", too_large(name)) from None

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
            "System.DateTime": dates(),
            "System.TimeSpan": spans(),
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
