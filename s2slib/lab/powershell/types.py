"""The types scripts can name: what [name] resolves to, which type a value has, what it derives from."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.enums import ENUMS
from s2slib.lab.powershell.errors import KNOWN_EXCEPTIONS, ErrorRecord, ExceptionObject, Unsupported, exception_types
from s2slib.lab.powershell.tables import Entry, Table

SMA = "System.Management.Automation."


@dataclass(frozen=True, slots=True)
class PsType:
    """A .NET type as a value. Arrays have `element`, closed generic types `args`."""

    name: str
    element: PsType | None = None
    args: tuple[PsType, ...] = ()
    foreign_enum: bool = field(default=False, compare=False)  # an enumeration of a product, known by its values only

    @property
    def is_enum(self) -> bool:
        """Whether it is an enumeration."""
        return self.element is None and (self.foreign_enum or self.name in ENUMS)

    @property
    def full_name(self) -> str:
        """FullName; only for types whose FullName needs no assembly names."""
        if self.args:
            raise Unsupported(f"the full name of the generic type {self.name}")
        return self.name

    @property
    def short_name(self) -> str:
        """Name."""
        if self.element is not None:
            return self.element.short_name + "[]"
        short = self.name.rsplit(".", 1)[-1].rsplit("+", 1)[-1]
        return f"{short}`{len(self.args)}" if self.args else short

    @property
    def display(self) -> str:
        """ToString(): generic arguments in brackets."""
        if self.args:
            return f"{self.name}`{len(self.args)}[{','.join(a.display for a in self.args)}]"
        return self.name


ALIASES = {
    "string": "System.String", "char": "System.Char", "bool": "System.Boolean", "byte": "System.Byte",
    "sbyte": "System.SByte", "int": "System.Int32", "int32": "System.Int32", "long": "System.Int64",
    "int64": "System.Int64", "int16": "System.Int16", "uint16": "System.UInt16", "uint32": "System.UInt32",
    "uint64": "System.UInt64", "float": "System.Single", "single": "System.Single", "double": "System.Double",
    "decimal": "System.Decimal", "datetime": "System.DateTime", "timespan": "System.TimeSpan", "guid": "System.Guid",
    "uri": "System.Uri", "version": "System.Version", "object": "System.Object", "array": "System.Array",
    "hashtable": "System.Collections.Hashtable", "void": "System.Void", "type": "System.Type", "math": "System.Math",
    "regex": "System.Text.RegularExpressions.Regex", "xml": "System.Xml.XmlDocument", "enum": "System.Enum",
    "scriptblock": SMA + "ScriptBlock", "switch": SMA + "SwitchParameter", "psobject": SMA + "PSObject",
    "pscustomobject": SMA + "PSObject", "pscredential": SMA + "PSCredential", "powershell": SMA + "PowerShell",
    "securestring": "System.Security.SecureString", "cultureinfo": "System.Globalization.CultureInfo",
    "runspace": SMA + "Runspaces.Runspace", "runspacefactory": SMA + "Runspaces.RunspaceFactory",
    "initialsessionstate": SMA + "Runspaces.InitialSessionState", "ordered": "ordered",
    "ref": SMA + "PSReference", "convert": "System.Convert", "valuetype": "System.ValueType",
    "psvariable": SMA + "PSVariable", "ipaddress": "System.Net.IPAddress", "datetimeoffset": "System.DateTimeOffset",
    "ciminstance": "Microsoft.Management.Infrastructure.CimInstance",
    "x509certificate2": "System.Security.Cryptography.X509Certificates.X509Certificate2",
    "psmoduleinfo": SMA + "PSModuleInfo", "mailaddress": "System.Net.Mail.MailAddress",
    "wmi": "System.Management.ManagementObject", "adsi": "System.DirectoryServices.DirectoryEntry",
}  # fmt: skip

_VALUE = ("System.ValueType", "System.Object", "System.IComparable", "System.IFormattable", "System.IConvertible")
_LIST = (
    "System.Object",
    "System.Collections.IList",
    "System.Collections.ICollection",
    "System.Collections.IEnumerable",
)
_DICT = (
    "System.Object", "System.Collections.IDictionary", "System.Collections.ICollection", "System.Collections.IEnumerable",
)  # fmt: skip
_PLAIN = ("System.Object",)
_INTERFACES = (
    "System.IDisposable", "System.IComparable", "System.IFormattable", "System.IConvertible", "System.Collections.IList",
    "System.Collections.ICollection", "System.Collections.IEnumerable", "System.Collections.IDictionary",
)  # fmt: skip

BASES: dict[str, tuple[str, ...]] = {
    **{f"System.{n}": _VALUE for n in (
        v.words("Int32 Int64 Int16 UInt16 UInt32 UInt64 Byte SByte Double Single Decimal DateTime")
    )},
    "System.Boolean": ("System.ValueType", "System.Object", "System.IComparable", "System.IConvertible"),
    "System.Char": ("System.ValueType", "System.Object", "System.IComparable", "System.IConvertible"),
    "System.TimeSpan": ("System.ValueType", "System.Object", "System.IComparable", "System.IFormattable"),
    "System.Guid": ("System.ValueType", "System.Object", "System.IComparable", "System.IFormattable"),
    "System.String": (
        "System.Object", "System.IComparable", "System.IConvertible", "System.Collections.IEnumerable",
    ),
    "System.Object": (), "System.ValueType": _PLAIN, "System.Enum": ("System.ValueType", *_PLAIN), "System.Void": _PLAIN,
    "System.Uri": _PLAIN, "System.Version": ("System.Object", "System.IComparable"), "System.Type": _PLAIN,
    "System.RuntimeType": ("System.Type", "System.Reflection.MemberInfo", "System.Object"),
    "System.Array": _LIST, "System.Collections.ArrayList": _LIST,
    "System.Collections.Hashtable": _DICT, "System.Collections.Specialized.OrderedDictionary": _DICT,
    "System.Collections.Queue": ("System.Object", "System.Collections.ICollection", "System.Collections.IEnumerable"),
    "System.Collections.Stack": ("System.Object", "System.Collections.ICollection", "System.Collections.IEnumerable"),
    "System.Collections.DictionaryEntry": ("System.ValueType", *_PLAIN),
    "System.Collections.Generic.List": _LIST, "System.Collections.Generic.Dictionary": _DICT,
    "System.Collections.Generic.HashSet": ("System.Object", "System.Collections.IEnumerable"),
    "System.Collections.Generic.KeyValuePair": ("System.ValueType", *_PLAIN),
    SMA + "PSObject": _PLAIN, SMA + "PSCustomObject": _PLAIN, SMA + "SwitchParameter": ("System.ValueType", *_PLAIN),
    SMA + "ScriptBlock": _PLAIN, SMA + "PSCredential": _PLAIN, SMA + "PSReference": _PLAIN, SMA + "ErrorRecord": _PLAIN,
    SMA + "PowerShell": ("System.Object", "System.IDisposable"), SMA + "PSDataCollection": _LIST,
    SMA + "Runspaces.Runspace": ("System.Object", "System.IDisposable"), SMA + "Runspaces.RunspaceFactory": _PLAIN,
    SMA + "Runspaces.InitialSessionState": _PLAIN, SMA + "Runspaces.PSSession": _PLAIN,
    SMA + "PSSerializer": _PLAIN, SMA + "PSVariable": _PLAIN, SMA + "LanguagePrimitives": _PLAIN,
    SMA + "CommandInfo": _PLAIN, SMA + "PSModuleInfo": _PLAIN, SMA + "InvocationInfo": _PLAIN,
    SMA + "WarningRecord": (SMA + "InformationalRecord", "System.Object"),
    SMA + "VerboseRecord": (SMA + "InformationalRecord", "System.Object"),
    SMA + "DebugRecord": (SMA + "InformationalRecord", "System.Object"),
    SMA + "InformationRecord": _PLAIN, SMA + "PSArgumentException": _PLAIN, SMA + "ErrorCategoryInfo": _PLAIN,
    SMA + "Remoting.PSSessionOption": _PLAIN,
    "System.Security.SecureString": ("System.Object", "System.IDisposable"),
    "System.Text.Encoding": _PLAIN, "System.Text.UTF8Encoding": ("System.Text.Encoding", *_PLAIN),
    "System.Text.UnicodeEncoding": ("System.Text.Encoding", *_PLAIN),
    "System.Text.ASCIIEncoding": ("System.Text.Encoding", *_PLAIN),
    "System.Text.StringBuilder": _PLAIN, "System.Text.RegularExpressions.Regex": _PLAIN,
    "System.Text.RegularExpressions.Match": _PLAIN,
    "System.IO.Stream": ("System.Object", "System.IDisposable"),
    "System.IO.MemoryStream": ("System.IO.Stream", "System.Object", "System.IDisposable"),
    "System.IO.StreamReader": ("System.IO.TextReader", "System.Object", "System.IDisposable"),
    "System.IO.StreamWriter": ("System.IO.TextWriter", "System.Object", "System.IDisposable"),
    "System.IO.StringReader": ("System.IO.TextReader", "System.Object", "System.IDisposable"),
    "System.IO.TextReader": _PLAIN, "System.IO.TextWriter": _PLAIN, "System.IO.Path": _PLAIN, "System.IO.File": _PLAIN,
    "System.Console": _PLAIN, "System.Convert": _PLAIN, "System.BitConverter": _PLAIN, "System.Math": _PLAIN,
    "System.Environment": _PLAIN, "System.GC": _PLAIN, "System.Random": _PLAIN, "System.DBNull": _PLAIN,
    "System.Globalization.CultureInfo": _PLAIN, "System.Threading.Thread": _PLAIN, "System.Threading.WaitHandle": _PLAIN,
    "System.Threading.Monitor": _PLAIN, "System.Threading.ManualResetEvent": ("System.Threading.WaitHandle", *_PLAIN),
    "System.Diagnostics.Stopwatch": _PLAIN, "System.IAsyncResult": (),
    "System.Security.Cryptography.SHA256": ("System.Security.Cryptography.HashAlgorithm", "System.Object"),
    "System.Security.Cryptography.SHA1": ("System.Security.Cryptography.HashAlgorithm", "System.Object"),
    "System.Security.Cryptography.MD5": ("System.Security.Cryptography.HashAlgorithm", "System.Object"),
    "System.Security.Cryptography.SHA512": ("System.Security.Cryptography.HashAlgorithm", "System.Object"),
    "System.Security.Principal.WindowsIdentity": _PLAIN,
    "System.Xml.XmlDocument": _PLAIN, "System.Management.Automation.Host.PSHost": _PLAIN,
    **dict.fromkeys(_INTERFACES, ()),
}  # fmt: skip

_BY_LOWER = {n.lower(): n for n in (*BASES, *ENUMS, *KNOWN_EXCEPTIONS)}


@functools.lru_cache(maxsize=512)
def resolve_type(name: str) -> PsType:
    """The type `[name]` stands for. Unsupported when the evaluator has no such type."""
    if name.endswith("[]"):
        element = resolve_type(name[:-2])
        return PsType(element.name + "[]", element)
    if name.endswith("]"):
        outer, _, inner = name[:-1].partition("[")
        base = _plain(outer.split("`")[0])
        if base not in (
            "System.Collections.Generic.List",
            "System.Collections.Generic.Dictionary",
            SMA + "PSDataCollection",
            "System.Collections.Generic.HashSet",
        ):
            raise Unsupported(f"the generic type [{name}]")
        return PsType(base, None, tuple(resolve_type(i) for i in _split(inner)))
    return PsType(_plain(name))


def _split(text: str) -> list[str]:
    parts, depth, last = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "[") - (c == "]")
        if c == "," and depth == 0:
            parts.append(text[last:i])
            last = i + 1
    return [*parts, text[last:]]


def _plain(name: str) -> str:
    low = name.lower()
    found = ALIASES.get(low) or _BY_LOWER.get(low) or _BY_LOWER.get("system." + low)
    if found is None:
        raise Unsupported(f"the type [{name}]")
    return found


def named(name: str) -> PsType:
    """A type by its exact full name."""
    return PsType(name)


def array_of(element: str) -> PsType:
    """The array type of an element type."""
    return PsType(element + "[]", PsType(element))


OBJECT_ARRAY = array_of("System.Object")
_EXACT: dict[type, PsType] = {
    str: named("System.String"), bool: named("System.Boolean"), float: named("System.Double"),
    Decimal: named("System.Decimal"), list: OBJECT_ARRAY, bytes: array_of("System.Byte"),
    datetime: named("System.DateTime"), timedelta: named("System.TimeSpan"), uuid.UUID: named("System.Guid"),
    v.PsUri: named("System.Uri"), v.PsVersion: named("System.Version"), v.Char: named("System.Char"),
    v.Single: named("System.Single"), v.SecureString: named("System.Security.SecureString"),
    v.PSCredential: named(SMA + "PSCredential"), v.SwitchParameter: named(SMA + "SwitchParameter"),
    ErrorRecord: named(SMA + "ErrorRecord"), PsType: named("System.RuntimeType"),
    **{c: named(c.type_name) for c in (v.Byte, v.SByte, v.Int16, v.UInt16, v.UInt32, v.Int64, v.UInt64)},
}  # fmt: skip
_INT32, _INT64 = named("System.Int32"), named("System.Int64")


def type_of(value: Any) -> PsType:
    """GetType() of a value that is not null."""
    found = _EXACT.get(type(value))
    if found is not None:
        return found
    if isinstance(value, v.JsonDecimal):
        raise Unsupported("the type of a fraction read from JSON, which PowerShell versions see differently")
    if isinstance(value, int):
        return _INT32 if v.INT32_MIN <= value <= v.INT32_MAX else _INT64
    if isinstance(value, v.RealToken):
        return _EXACT[float]
    if isinstance(value, v.PsObject):
        return named(SMA + "PSCustomObject") if value.base is None else type_of(value.base)
    if isinstance(value, v.PsEnum):
        return PsType(value.type_name, foreign_enum=True)
    if isinstance(value, v.PsArray):
        return array_of(value.element)
    if isinstance(value, Table):
        return PsType(value.kind, None, tuple(resolve_type(a) for a in value.type_arguments))
    if isinstance(value, v.Collection):
        if value.kind in (
            "System.Collections.Generic.List",
            SMA + "PSDataCollection",
            "System.Collections.Generic.HashSet",
        ):
            return PsType(value.kind, None, (resolve_type(value.element),))
        return named(value.kind)
    if isinstance(value, ExceptionObject):
        return named(value.type_name)
    if isinstance(value, (v.Enumerated, Entry)):
        return named(value.type_name)
    own = getattr(value, "ps_type", None)
    if own is not None:
        return named(own)
    if value is None or value is v.NOTHING:
        raise Unsupported("the type of nothing")
    raise Unsupported(f"the type of a {type(value).__name__}")


def derives_from(kind: PsType, target: str) -> bool:
    """Whether the type is, derives from or implements `target`."""
    if kind.name == target or target == "System.Object":
        return True
    if kind.element is not None:
        return target in ("System.Array", *BASES["System.Array"])
    if kind.is_enum:
        return target in ("System.Enum", *_VALUE)
    bases = BASES.get(kind.name)
    if bases is not None:
        return target in bases
    if kind.name in KNOWN_EXCEPTIONS or kind.name.endswith("Exception"):
        return target in exception_types(kind.name)
    return False


def is_instance(value: Any, kind: PsType) -> bool:
    """`value -is [kind]`."""
    if value is None or value is v.NOTHING:
        return False
    if kind.name == SMA + "PSObject":
        return isinstance(value, v.PsObject)
    if kind.name == "System.Object":
        return True
    if kind.name == SMA + "PSCustomObject":
        return isinstance(value, v.PsObject) and value.base is None
    if isinstance(value, v.PsObject) and value.base is None:
        if kind.name in ("System.Collections.IDictionary", "System.Collections.IEnumerable", "System.Enum"):
            return False
        return kind.name in value.type_names
    own = type_of(value)
    if kind.args or own.args:
        if own == kind:
            return True
        if kind.args:
            return own.name == kind.name and own.args == kind.args
    if kind.element is not None:
        return own == kind or (kind == OBJECT_ARRAY and own.element is not None and not _is_value_type(own.element))
    return derives_from(own, kind.name)


def _is_value_type(kind: PsType) -> bool:
    return derives_from(kind, "System.ValueType")


def type_names(value: Any) -> list[str]:
    """PSObject.TypeNames, most derived first."""
    if isinstance(value, v.PsObject):
        return value.type_names
    own = type_of(value)
    if own.element is not None:
        return [own.name, "System.Array", "System.Object"]
    if own.is_enum:
        return [own.name, "System.Enum", "System.ValueType", "System.Object"]
    if own.args:
        raise Unsupported(f"the type names of a {own.display}")
    bases = BASES.get(own.name)
    if bases is None:
        if isinstance(value, ExceptionObject):
            return exception_types(own.name)
        raise Unsupported(f"the type names of a {own.name}")
    return [own.name, *[b for b in bases if b not in _INTERFACES and not b.startswith("System.I")]]


def type_name_of(value: Any) -> str:
    """The full name for messages."""
    return "" if value is None else type_of(value).display
