"""Cmdlets that make or convert data: JSON, dates, spans, random numbers, GUIDs, cultures, secrets, path texts."""

from __future__ import annotations

import ntpath
import random
import uuid
from datetime import datetime, timedelta
from typing import Any

from s2slib.lab.powershell import json51
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.builtins import MANAGEMENT, SECURITY, UTILITY, Builtin, declare
from s2slib.lab.powershell.culture import EN_US
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.format import format_datetime
from s2slib.lab.powershell.processors import Cmdlet
from s2slib.lab.powershell.text import to_text


class ConvertToJson(Cmdlet):
    """ConvertTo-Json."""

    def start(self) -> None:
        self.items: list[Any] = []

    def record(self) -> None:
        self.items.append(self.p.get("InputObject"))

    def finish(self) -> None:
        if not self.items:
            return
        value = self.items[0] if len(self.items) == 1 else list(self.items)
        if value is None:
            raise Unsupported("ConvertTo-Json of $null, which 5.1 puts out as nothing")
        depth = self.p.get("Depth", 2)
        if not 1 <= depth <= 100:
            raise Unsupported(f"ConvertTo-Json -Depth {depth}")
        self.out(json51.write(value, depth, compress=self.switch("Compress")))


class ConvertFromJson(Cmdlet):
    """ConvertFrom-Json: an array comes out whole."""

    def start(self) -> None:
        self.texts: list[str] = []

    def record(self) -> None:
        self.texts.append(self.p["InputObject"])

    def finish(self) -> None:
        if not self.texts:
            return
        if len(self.texts) > 1:
            try:
                json51.read(self.texts[0])
            except (json51.NotJson, Unsupported):
                self.texts = ["\n".join(self.texts)]
        for text in self.texts:
            self._convert(text)

    def _convert(self, text: str) -> None:
        try:
            self.out(json51.read(text))
        except json51.NotJson as e:
            self.throw(e.message, "System.ArgumentException", "NotSpecified", None, "System.ArgumentException")
        except json51.DuplicateKeys as e:
            self.throw(
                "Cannot convert the JSON string because a dictionary that was converted from the string contains the "
                f"duplicated keys '{e.first}' and '{e.second}'.",
                "DuplicateKeysInJsonString", "InvalidOperation", None, "System.InvalidOperationException",
            )  # fmt: skip


class GetDate(Cmdlet):
    """Get-Date."""

    def record(self) -> None:
        when = self.p.get("Date")
        if when is None:
            when = self.f.engine.machine.now().astimezone(v.LOCAL)
        names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
        if any(n in self.p for n in names):
            try:
                year, month, day, hour, minute, second = (int(self.p.get(n, getattr(when, n.lower()))) for n in names)
                when = when.replace(year, month, day, hour, minute, second)
            except ValueError:
                raise Unsupported("Get-Date with parts that make no date") from None
        if "Millisecond" in self.p:
            when = when.replace(microsecond=int(self.p["Millisecond"]) * 1000)
        if "Format" in self.p:
            spec = self.p["Format"]
            if spec.lower() in ("filedate", "filedateuniversal", "filedatetime", "filedatetimeuniversal"):
                raise Unsupported(f"Get-Date -Format {spec}")
            self.out(format_datetime(when, spec, self.f.engine.culture))
            return
        if "UFormat" in self.p or "DisplayHint" in self.p:
            raise Unsupported("Get-Date -UFormat and -DisplayHint")
        self.out(when)


class NewTimeSpan(Cmdlet):
    """New-TimeSpan."""

    def record(self) -> None:
        if "Start" in self.p or "End" in self.p:
            now = self.f.engine.machine.now().astimezone(v.LOCAL)
            start: datetime = self.p.get("Start", now)
            end: datetime = self.p.get("End", now)
            self.out(end.replace(tzinfo=None) - start.replace(tzinfo=None))
            return
        self.out(
            timedelta(**{n.lower(): int(self.p[n]) for n in ("Days", "Hours", "Minutes", "Seconds") if n in self.p})
        )


class GetRandom(Cmdlet):
    """Get-Random over whole numbers."""

    def record(self) -> None:
        if "InputObject" in self.p or "SetSeed" in self.p:
            raise Unsupported("Get-Random over objects or with a seed")
        low, high = self.p.get("Minimum", 0), self.p.get("Maximum", v.INT32_MAX)
        if not isinstance(low, int) or not isinstance(high, int):
            raise Unsupported("Get-Random over numbers that are not whole")
        if low >= high:
            self.throw(
                f"The Minimum value ({to_text(low)}) cannot be greater than or equal to the Maximum value ({to_text(high)}).",
                "MinGreaterThanOrEqualMax", "InvalidArgument", None, "System.ArgumentException",
            )  # fmt: skip
        self.out(random.SystemRandom().randrange(int(low), int(high)))


class NewGuid(Cmdlet):
    """New-Guid."""

    def record(self) -> None:
        self.out(uuid.uuid4())


class GetCulture(Cmdlet):
    """Get-Culture."""

    def record(self) -> None:
        self.out(self.f.engine.culture)


class GetUiCulture(Cmdlet):
    """Get-UICulture."""

    def record(self) -> None:
        self.out(EN_US)


class ConvertToSecureString(Cmdlet):
    """ConvertTo-SecureString from plain text."""

    def record(self) -> None:
        if not self.switch("AsPlainText"):
            raise Unsupported("ConvertTo-SecureString of an encrypted text")
        if not self.switch("Force"):
            self.throw(
                "The system cannot protect plain text input. To suppress this warning and convert the plain text to a "
                "SecureString, reissue the command specifying the Force parameter. For more information ,type: get-help "
                "ConvertTo-SecureString.",
                "ImportSecureString_ForceRequired", "InvalidArgument", None, "System.ArgumentException",
            )  # fmt: skip
        self.out(v.SecureString(self.p["String"]))


class JoinPath(Cmdlet):
    """Join-Path, without looking at the disk."""

    def record(self) -> None:
        if self.switch("Resolve") or len(self.p["Path"]) != 1:
            raise Unsupported("Join-Path -Resolve, or with several paths")
        path, child = to_text(self.p["Path"][0]), self.p["ChildPath"]
        self.out(path.rstrip("\\/").replace("/", "\\") + "\\" + child.lstrip("\\/").replace("/", "\\"))


class SplitPath(Cmdlet):
    """Split-Path, without looking at the disk."""

    def record(self) -> None:
        for item in self.p["Path"]:
            path = to_text(item).replace("/", "\\").rstrip("\\")
            if self.switch("Leaf"):
                self.out(ntpath.basename(path))
            elif (
                self.switch("Qualifier")
                or self.switch("NoQualifier")
                or self.switch("IsAbsolute")
                or self.switch("Resolve")
            ):
                raise Unsupported("Split-Path with this switch")
            else:
                self.out(path.rpartition("\\")[0])


def declarations() -> list[Builtin]:
    """Cmdlets of this file."""
    return [
        declare(
            "ConvertTo-Json", UTILITY, ConvertToJson, "InputObject object 0 m p e", "Depth int", "Compress switch",
            class_name="ConvertToJsonCommand",
        ),
        declare(
            "ConvertFrom-Json", UTILITY, ConvertFromJson, "InputObject string 0 m p e", class_name="ConvertFromJsonCommand"
        ),
        declare(
            "Get-Date", UTILITY, GetDate, "Date datetime 0 p n as:LastWriteTime", "Year int", "Month int", "Day int",
            "Hour int", "Minute int", "Second int", "Millisecond int", "DisplayHint string", "Format string",
            "UFormat string",
        ),
        declare(
            "New-TimeSpan", UTILITY, NewTimeSpan, "Start datetime 0 p set:Date as:LastWriteTime", "End datetime 1 set:Date",
            "Days int set:Time", "Hours int set:Time", "Minutes int set:Time", "Seconds int set:Time", default="Date",
        ),
        declare(
            "Get-Random", UTILITY, GetRandom, "Maximum object 0", "Minimum object", "SetSeed int", "Count int",
            "InputObject object[] p",
        ),
        declare("New-Guid", UTILITY, NewGuid),
        declare("Get-Culture", UTILITY, GetCulture),
        declare("Get-UICulture", UTILITY, GetUiCulture),
        declare(
            "ConvertTo-SecureString", SECURITY, ConvertToSecureString, "String string 0 m p", "AsPlainText switch 1",
            "Force switch 2", "Key byte[]", "SecureKey securestring", class_name="ConvertToSecureStringCommand",
        ),
        declare(
            "Join-Path", MANAGEMENT, JoinPath, "Path string[] 0 m p n as:PSPath", "ChildPath string 1 m e null", "Resolve switch"
        ),
        declare(
            "Split-Path", MANAGEMENT, SplitPath, "Path string[] 0 m p n", "Parent switch", "Leaf switch", "Qualifier switch",
            "NoQualifier switch", "IsAbsolute switch", "Resolve switch",
        ),
    ]  # fmt: skip
