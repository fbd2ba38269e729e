"""Cmdlets that write: Write-Output, the record streams, Out-Null, Out-String, Read-Host."""

from __future__ import annotations

from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.arithmetic import items_of
from s2slib.lab.powershell.builtins import CORE, UTILITY, Builtin, declare
from s2slib.lab.powershell.engine import InformationRecord
from s2slib.lab.powershell.errors import ErrorRecord, ExceptionObject, Unsupported
from s2slib.lab.powershell.processors import Cmdlet
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA

WRITE_ERROR = "Microsoft.PowerShell.Commands.WriteErrorException"


class WriteOutput(Cmdlet):
    """Write-Output."""

    def record(self) -> None:
        value = self.p.get("InputObject")
        if self.switch("NoEnumerate"):
            self.out(value)
            return
        self.enumerate(value)


class WriteError(Cmdlet):
    """Write-Error: the record belongs to the function that calls it."""

    def record(self) -> None:
        if "ErrorRecord" in self.p:
            self.report(self._copy(self.p["ErrorRecord"]))
            return
        exc = self.p.get("Exception")
        message = self.p.get("Message")
        if exc is None:
            exc = ExceptionObject(WRITE_ERROR, message or "")
        id_ = self.p.get("ErrorId")
        if id_ is None:
            id_ = WRITE_ERROR if "Exception" not in self.p else exc.type_name
        category = self.p["Category"].name if "Category" in self.p else "NotSpecified"
        invocation = self.f.invocation
        direct = self.extent == (0, 0) and not invocation.source
        record = ErrorRecord(exc, id_, category, self.p.get("TargetObject"), activity="Write-Error")
        record.suffix = self.signature.suffix if direct else invocation.name
        if message is not None and "Exception" in self.p:
            record.details = message
        for key, attribute in (
            ("CategoryActivity", "activity"), ("CategoryReason", "reason"), ("CategoryTargetName", "target_name"),
            ("CategoryTargetType", "target_type"),
        ):  # fmt: skip
            if key in self.p:
                setattr(record, attribute, self.p[key])
        record.command = invocation.name or ("Write-Error" if direct else "")
        if not record.command:
            record.script_prefix = invocation.script_text.strip() + " : "
        record.invocation = invocation
        self.report(record)

    def _copy(self, record: ErrorRecord) -> ErrorRecord:
        made = ErrorRecord(
            record.exception, record.error_id, record.category, record.target, suffix=record.suffix,
            activity=record.activity, reason=record.reason,
        )  # fmt: skip
        made.details, made.command = record.details, record.command
        return made


class WriteWarning(Cmdlet):
    """Write-Warning."""

    def record(self) -> None:
        self.warning(self.p["Message"])


class WriteVerbose(Cmdlet):
    """Write-Verbose."""

    def record(self) -> None:
        self.verbose(self.p["Message"])


class WriteDebug(Cmdlet):
    """Write-Debug."""

    def record(self) -> None:
        self.debug(self.p["Message"])


class WriteInformation(Cmdlet):
    """Write-Information."""

    def record(self) -> None:
        tags = [to_text(t) for t in self.p.get("Tags") or []]
        self.information(
            InformationRecord(
                self.p.get("MessageData"), "Write-Information", tags, self.f.engine.machine.now(), to_host=False,
                no_newline=False,
            )
        )  # fmt: skip


class WriteHost(Cmdlet):
    """Write-Host."""

    def record(self) -> None:
        separator = to_text(self.p["Separator"]) if "Separator" in self.p else " "
        text = self._text(self.p.get("Object"), separator)
        self.information(
            InformationRecord(
                text, "Write-Host", ["PSHOST"], self.f.engine.machine.now(), to_host=True,
                no_newline=self.switch("NoNewline"),
            )
        )  # fmt: skip

    def _text(self, value: Any, separator: str) -> str:
        if isinstance(value, Table):
            raise Unsupported("Write-Host of a hashtable")
        items = items_of(value) if not isinstance(value, v.PsObject) else None
        if items is None:
            return to_text(value)
        return separator.join(self._text(i, separator) for i in items)


class WriteProgress(Cmdlet):
    """Write-Progress."""

    def record(self) -> None:
        self.progress(
            self.p["Activity"],
            self.p.get("Status", "Processing"),
            self.p.get("PercentComplete", -1),
            completed=self.switch("Completed"),
        )


class OutNull(Cmdlet):
    """Out-Null."""

    def record(self) -> None:
        return


class OutDefault(Cmdlet):
    """Out-Host and Out-Default: to the console."""

    def record(self) -> None:
        if "InputObject" in self.p:
            self._output().write(self.p["InputObject"])

    def _output(self) -> Any:
        from s2slib.lab.powershell.output import DefaultOutput

        if not hasattr(self, "_default"):
            self._default = DefaultOutput(self.f.engine.console, lambda: self.f.engine.culture)
        return self._default

    def finish(self) -> None:
        if hasattr(self, "_default"):
            self._default.finish()


class OutString(Cmdlet):
    """Out-String over plain values."""

    def start(self) -> None:
        self.lines: list[str] = []

    def record(self) -> None:
        from s2slib.lab.powershell.output import plain_text

        value = self.p.get("InputObject")
        if value is None:
            return
        if isinstance(value, (v.PsObject, list, bytes, v.Collection)):
            raise Unsupported("Out-String over objects")
        text = plain_text(value, self.f.engine.culture)
        if any(len(line) > 79 for line in text.split("\n")) and self.p.get("Width", 80) <= 80:
            raise Unsupported("Out-String over lines as long as the console is wide")
        self.lines.append(text)

    def finish(self) -> None:
        if self.switch("Stream"):
            for line in self.lines:
                self.out(line)
            return
        self.out("".join(line + "\r\n" for line in self.lines))


class ReadHost(Cmdlet):
    """Read-Host: nobody is there to answer."""

    def record(self) -> None:
        if not self.f.engine.console.non_interactive:
            raise Unsupported("Read-Host in an interactive process")
        exc = ExceptionObject(
            SMA + "PSInvalidOperationException",
            "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
        )
        self.fail(self.make_record(exc.message, "InvalidOperation", "InvalidOperation", None, exc))


def declarations() -> list[Builtin]:
    """Cmdlets of this file."""
    pipe = "InputObject psobject p e"
    text = "Message string 0 m p e as:Msg"
    return [
        declare("Write-Output", UTILITY, WriteOutput, "InputObject object 0 m p r e", "NoEnumerate switch"),
        declare(
            "Write-Error", UTILITY, WriteError, "Message string 0 m p e null as:Msg set:NoException",
            "Exception System.Exception m set:WithException", "ErrorRecord object m set:ErrorRecord",
            f"Category {SMA}ErrorCategory set:NoException|WithException", "ErrorId string set:NoException|WithException",
            "TargetObject object set:NoException|WithException", "RecommendedAction string",
            "CategoryActivity string as:Activity",
            "CategoryReason string as:Reason", "CategoryTargetName string as:TargetName",
            "CategoryTargetType string as:TargetType", default="NoException",
        ),
        declare("Write-Warning", UTILITY, WriteWarning, text),
        declare("Write-Verbose", UTILITY, WriteVerbose, text),
        declare("Write-Debug", UTILITY, WriteDebug, text),
        declare(
            "Write-Information", UTILITY, WriteInformation, "MessageData object 0 m p e as:Msg", "Tags string[] 1",
        ),
        declare(
            "Write-Host", UTILITY, WriteHost, "Object object 0 p r e", "NoNewline switch", "Separator object",
            "ForegroundColor System.ConsoleColor", "BackgroundColor System.ConsoleColor",
        ),
        declare(
            "Write-Progress", UTILITY, WriteProgress, "Activity string 0 m", "Status string 1", "Id int 2",
            "PercentComplete int", "SecondsRemaining int", "CurrentOperation string", "ParentId int", "Completed switch",
            "SourceId int",
        ),
        declare("Out-Null", CORE, OutNull, pipe),
        declare("Out-Default", CORE, OutDefault, pipe),
        declare("Out-Host", CORE, OutDefault, pipe),
        declare("Out-String", UTILITY, OutString, pipe, "Stream switch", "Width int"),
        declare("Read-Host", UTILITY, ReadHost, "Prompt object 0 r e", "AsSecureString switch"),
    ]  # fmt: skip
