"""Members of Convert, BitConverter, hashes, stopwatches, threads, cultures, paths."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ntpath
import threading
import time
from datetime import timedelta
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.culture import EN_US, INVARIANT, Culture, culture_named
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import DotNetError, PsError, StopFlow, Unsupported
from s2slib.lab.powershell.format import current_text, format_value
from s2slib.lab.powershell.typemembers import Method, TypeMembers
from s2slib.lab.powershell.types import named

BAD_BASE64 = (
    "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an "
    "illegal character among the padding characters. "
)


def _from_base64(f: Frame, text: str) -> bytes:
    body = "".join(c for c in text if c not in " \t\r\n")
    try:
        if not body.isascii():
            raise binascii.Error
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        valid = all(c.isascii() and (c.isalnum() or c in "+/=") for c in body)
        if valid and len(body) % 4:
            raise DotNetError("System.FormatException", "Invalid length for a Base-64 char array or string.") from None
        raise DotNetError("System.FormatException", BAD_BASE64) from None


def _to_base64(f: Frame, data: bytes, options: Any = None) -> str:
    if options is not None and options.name != "None":
        raise Unsupported("Base64 with line breaks")
    return base64.b64encode(data).decode("ascii")


def _to(kind: str) -> Any:
    target = named("System." + kind)

    def run(f: Frame, value: Any, radix: Any = None) -> Any:
        if radix is not None:
            if int(radix) not in (2, 8, 10, 16) or not isinstance(value, str):
                raise Unsupported("Convert with this base")
            try:
                return convert(int(value, int(radix)), target)
            except ValueError:
                raise DotNetError("System.FormatException", "Could not find any recognizable digits.") from None
        try:
            return convert(value, target)
        except PsError:
            raise DotNetError("System.FormatException", "Input string was not in a correct format.") from None

    return run


def _convert_string(f: Frame, value: Any, how: Any = None) -> str:
    if isinstance(how, Culture):
        return format_value(value, "", how) if value is not None else ""
    if how is not None:
        if int(how) == 16 and isinstance(value, int) and value >= 0:
            return f"{value:x}"
        if int(how) == 2 and isinstance(value, int) and value >= 0:
            return f"{value:b}"
        raise Unsupported("Convert.ToString with this argument")
    return current_text(value, f.engine.culture) if value is not None else ""


def _hex(f: Frame, data: bytes, start: int = 0, count: int | None = None) -> str:
    part = data[start : None if count is None else start + count]
    return "-".join(f"{b:02X}" for b in part)


def _from_bytes(size: int, signed: bool, kind: str) -> Any:
    def run(f: Frame, data: bytes, start: int) -> Any:
        return convert(int.from_bytes(data[start : start + size], "little", signed=signed), named("System." + kind))

    return run


class Hasher:
    """A hash algorithm."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ps_type = f"System.Security.Cryptography.{name}"

    def ps_text(self) -> str:
        """Its type."""
        return f"{self.ps_type}Managed"


def _compute(f: Frame, h: Hasher, data: bytes, start: int = 0, count: int | None = None) -> bytes:
    part = data[start : None if count is None else start + count]
    return hashlib.new(h.name.lower(), part, usedforsecurity=False).digest()


class Stopwatch:
    """System.Diagnostics.Stopwatch, on the monotonic clock."""

    ps_type = "System.Diagnostics.Stopwatch"

    def __init__(self) -> None:
        self._spent, self._since = 0.0, None  # type: float, float | None

    def start(self) -> None:
        """Run."""
        if self._since is None:
            self._since = time.monotonic()

    def stop(self) -> None:
        """Pause."""
        self._spent, self._since = self.seconds, None

    def reset(self) -> None:
        """Back to zero."""
        self._spent, self._since = 0.0, None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """Time spent running."""
        return self._spent + (0.0 if self._since is None else time.monotonic() - self._since)


def _watch(action: str) -> Any:
    def run(f: Frame, w: Stopwatch) -> Any:
        if action == "restart":
            w.reset()
            w.start()
        else:
            getattr(w, action)()
        return v.NOTHING

    return run


def _start_new(f: Frame) -> Stopwatch:
    watch = Stopwatch()
    watch.start()
    return watch


class WaitHandle:
    """A wait handle over a Python event."""

    ps_type = "System.Threading.ManualResetEvent"

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type


def wait(f: Frame, event: threading.Event, timeout_s: float | None) -> bool:
    """Wait for an event; the pipeline's own stop ends the wait."""
    end = None if timeout_s is None else time.monotonic() + timeout_s
    while not event.is_set():
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return event.is_set()
        event.wait(0.05 if left is None else min(left, 0.05))
        if f.stop.is_set():
            raise StopFlow
    return True


def _wait_one(f: Frame, h: WaitHandle, *a: Any) -> bool:
    if not a:
        return wait(f, h.event, None)
    value = a[0]
    if isinstance(value, timedelta):
        return wait(f, h.event, value.total_seconds())
    return wait(f, h.event, None if int(value) < 0 else int(value) / 1000)


def sleep(f: Frame, seconds: float) -> None:
    """Sleep until the time is over or the pipeline is stopped; a machine with a clock of its own lets that one jump."""
    if not f.engine.machine.sleep(seconds, f.stop):
        f.stop.wait(seconds)
    f.check()


def _sleep(f: Frame, milliseconds: Any) -> Any:
    sleep(f, milliseconds.total_seconds() if isinstance(milliseconds, timedelta) else int(milliseconds) / 1000)
    return v.NOTHING


class CurrentThread:
    """[Threading.Thread]::CurrentThread: cultures are those of the runspace."""

    ps_type = "System.Threading.Thread"

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type


def _set_culture(f: Frame, _: Any, value: Any) -> None:
    if isinstance(value, str):
        value = culture_named(value)
    if not isinstance(value, Culture):
        raise Unsupported("this culture")
    f.engine.culture = value


def _set_ui_culture(f: Frame, _: Any, value: Any) -> None:
    name = value.name if isinstance(value, Culture) else str(value)
    if name not in ("", "en-US"):
        raise Unsupported(f"the user interface culture {name!r}")


def _path(fn: Any) -> Any:
    return lambda f, *a: fn(*a)


def _number_format(f: Frame, c: Culture) -> Any:
    raise Unsupported("a culture's NumberFormat")


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    hashes = {}
    for name in ("SHA256", "SHA1", "SHA512", "MD5"):
        hashes[f"System.Security.Cryptography.{name}"] = TypeMembers(
            methods=[
                Method("ComputeHash", _compute, "byte[]", "byte[] int int"), Method("Dispose", lambda f, h: v.NOTHING, ""),
                Method("Clear", lambda f, h: v.NOTHING, ""),
            ],
            static_methods=[Method("Create", (lambda n: lambda f: Hasher(n))(name), "")],
        )  # fmt: skip
    culture = TypeMembers(
        props={
            "Name": lambda f, c: c.name, "DisplayName": lambda f, c: c.display_name, "EnglishName": lambda f, c: c.display_name,
            "NumberFormat": _number_format,
        },
        methods=[Method("ToString", lambda f, c: c.name, "")],
        static_props={
            "InvariantCulture": lambda f: INVARIANT, "CurrentCulture": lambda f: f.engine.culture,
            "CurrentUICulture": lambda f: EN_US,
        },
        static_methods=[Method("GetCultureInfo", lambda f, n: culture_named(n), "string")],
        setters={"::currentculture": _set_culture, "::defaultthreadcurrentculture": lambda f, _, x: None},
        new=Method("new", lambda f, n, *_: culture_named(n), "string", "string bool"),
    )  # fmt: skip
    handle = TypeMembers(
        methods=[
            Method("WaitOne", _wait_one, "", "=timespan", "int", "int bool"), Method("Close", lambda f, h: v.NOTHING, ""),
            Method("Dispose", lambda f, h: v.NOTHING, ""),
        ]
    )  # fmt: skip
    return {
        **hashes,
        "System.Convert": TypeMembers(
            static_methods=[
                Method("ToBase64String", _to_base64, "byte[]", "byte[] System.Base64FormattingOptions"),
                Method("FromBase64String", _from_base64, "string"),
                *[Method("To" + n, _to(n), "*", "* int") for n in ("Int32", "Int64", "Int16", "Byte", "UInt32", "UInt16")],
                *[Method("To" + n, _to(n), "*") for n in ("Boolean", "Double", "DateTime", "Decimal", "Char")],
                Method("ToString", _convert_string, "*", "* =System.Globalization.CultureInfo", "* int"),
            ]
        ),
        "System.BitConverter": TypeMembers(
            static_methods=[
                Method("ToString", _hex, "byte[]", "byte[] int", "byte[] int int"),
                Method("ToInt32", _from_bytes(4, True, "Int32"), "byte[] int"),
                Method("ToUInt16", _from_bytes(2, False, "UInt16"), "byte[] int"),
                Method("ToInt64", _from_bytes(8, True, "Int64"), "byte[] int"),
                Method("GetBytes", lambda f, n: int(n).to_bytes(4, "little", signed=True), "=int"),
            ],
            static_props={"IsLittleEndian": lambda f: True},
        ),
        "System.Diagnostics.Stopwatch": TypeMembers(
            props={
                "Elapsed": lambda f, w: timedelta(seconds=w.seconds), "IsRunning": lambda f, w: w.running,
                "ElapsedMilliseconds": lambda f, w: v.Int64(int(w.seconds * 1000)),
                "ElapsedTicks": lambda f, w: v.Int64(int(w.seconds * 10_000_000)),
            },
            methods=[Method(n, _watch(n.lower()), "") for n in ("Start", "Stop", "Reset", "Restart")],
            static_methods=[Method("StartNew", _start_new, "")],
            new=Method("new", lambda f: Stopwatch(), ""),
        ),
        "System.Threading.WaitHandle": handle,
        "System.Threading.ManualResetEvent": handle,
        "System.Threading.Thread": TypeMembers(
            props={
                "CurrentCulture": lambda f, t: f.engine.culture, "CurrentUICulture": lambda f, t: EN_US,
                "ManagedThreadId": lambda f, t: threading.get_ident() % 10_000,
            },
            setters={"CurrentCulture": _set_culture, "CurrentUICulture": _set_ui_culture},
            static_props={"CurrentThread": lambda f: CurrentThread()},
            static_methods=[Method("Sleep", _sleep, "=timespan", "int")],
        ),
        "System.Globalization.CultureInfo": culture,
        "System.GC": TypeMembers(static_methods=[Method("Collect", lambda f: v.NOTHING, "")]),
        "System.IO.Path": TypeMembers(
            static_methods=[
                Method("Combine", _path(ntpath.join), "string string", "string string string"),
                Method("GetFileName", _path(ntpath.basename), "string"),
                Method("GetExtension", _path(lambda p: ntpath.splitext(p)[1]), "string"),
                Method("GetFileNameWithoutExtension", _path(lambda p: ntpath.splitext(ntpath.basename(p))[0]), "string"),
                Method("GetDirectoryName", _path(ntpath.dirname), "string"),
            ]
        ),
        "System.IO.File": TypeMembers(
            static_methods=[Method("Exists", lambda f, p: f.engine.machine.exists(p), "string")]
        ),
    }  # fmt: skip
