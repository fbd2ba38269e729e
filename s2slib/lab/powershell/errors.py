"""Everything that can end an evaluation: PowerShell's own errors and jumps, and the evaluator's refusal.

Unsupported        the evaluator does not know: no script can catch it, the process ends loudly
PsParseError       the text is not PowerShell 5.1
PsError            a terminating error; try/catch sees `record` as $_
BreakFlow, ContinueFlow, ReturnFlow, ExitFlow      jumps
StopFlow           the pipeline is being stopped from outside
EnoughFlow         a command downstream wants no more input (Select-Object -First)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RUNTIME_EXCEPTION = "System.Management.Automation.RuntimeException"

_BASES = {
    "System.SystemException": "System.Exception",
    RUNTIME_EXCEPTION: "System.SystemException",
    "System.Management.Automation.ParameterBindingException": RUNTIME_EXCEPTION,
    "System.Management.Automation.ParameterBindingValidationException": (
        "System.Management.Automation.ParameterBindingException"
    ),
    "System.Management.Automation.ParameterBindingArgumentTransformationException": (
        "System.Management.Automation.ParameterBindingException"
    ),
    "System.Management.Automation.MetadataException": RUNTIME_EXCEPTION,
    "System.Management.Automation.ValidationMetadataException": "System.Management.Automation.MetadataException",
    "System.Management.Automation.ArgumentTransformationMetadataException": (
        "System.Management.Automation.MetadataException"
    ),
    "System.Management.Automation.CommandNotFoundException": RUNTIME_EXCEPTION,
    "System.Management.Automation.ActionPreferenceStopException": RUNTIME_EXCEPTION,
    "System.Management.Automation.CmdletInvocationException": RUNTIME_EXCEPTION,
    "System.Management.Automation.ParseException": RUNTIME_EXCEPTION,
    "System.Management.Automation.MethodException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.MethodInvocationException": "System.Management.Automation.MethodException",
    "System.Management.Automation.SetValueException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.SetValueInvocationException": "System.Management.Automation.SetValueException",
    "System.Management.Automation.ExtendedTypeSystemException": RUNTIME_EXCEPTION,
    "System.Management.Automation.RemoteException": RUNTIME_EXCEPTION,
    "System.Management.Automation.PSInvalidCastException": "System.InvalidCastException",
    "System.Management.Automation.PSArgumentException": "System.ArgumentException",
    "System.Management.Automation.PSArgumentNullException": "System.ArgumentNullException",
    "System.Management.Automation.PSInvalidOperationException": "System.InvalidOperationException",
    "System.Management.Automation.PSNotSupportedException": "System.NotSupportedException",
    "System.Management.Automation.ItemNotFoundException": ("System.Management.Automation.SessionStateException"),
    "System.Management.Automation.SessionStateException": RUNTIME_EXCEPTION,
    "System.Management.Automation.DriveNotFoundException": "System.Management.Automation.SessionStateException",
    "System.Management.Automation.PipelineStoppedException": RUNTIME_EXCEPTION,
    "System.Management.Automation.PropertyNotFoundException": (
        "System.Management.Automation.ExtendedTypeSystemException"
    ),
    "System.Management.Automation.Runspaces.InvalidRunspaceStateException": "System.SystemException",
    "System.Management.Automation.Runspaces.InvalidPipelineStateException": "System.SystemException",
    "System.Management.Automation.InvalidPowerShellStateException": "System.SystemException",
    "System.Management.Automation.Remoting.PSRemotingDataStructureException": RUNTIME_EXCEPTION,
    "System.Management.Automation.Remoting.PSRemotingTransportException": RUNTIME_EXCEPTION,
    "Microsoft.PowerShell.Commands.WriteErrorException": "System.SystemException",
    "Microsoft.PowerShell.Commands.ServiceCommandException": "System.SystemException",
    "System.ArgumentException": "System.SystemException",
    "System.ArgumentNullException": "System.ArgumentException",
    "System.ArgumentOutOfRangeException": "System.ArgumentException",
    "System.InvalidCastException": "System.SystemException",
    "System.InvalidOperationException": "System.SystemException",
    "System.ObjectDisposedException": "System.InvalidOperationException",
    "System.NotSupportedException": "System.SystemException",
    "System.NotImplementedException": "System.SystemException",
    "System.FormatException": "System.SystemException",
    "System.UriFormatException": "System.FormatException",
    "System.ArithmeticException": "System.SystemException",
    "System.DivideByZeroException": "System.ArithmeticException",
    "System.OverflowException": "System.ArithmeticException",
    "System.IndexOutOfRangeException": "System.SystemException",
    "System.NullReferenceException": "System.SystemException",
    "System.UnauthorizedAccessException": "System.SystemException",
    "System.TimeoutException": "System.SystemException",
    "System.Security.SecurityException": "System.SystemException",
    "System.IO.IOException": "System.SystemException",
    "System.IO.FileNotFoundException": "System.IO.IOException",
    "System.IO.DirectoryNotFoundException": "System.IO.IOException",
    "System.Security.Cryptography.CryptographicException": "System.SystemException",
    "System.Collections.Generic.KeyNotFoundException": "System.SystemException",
    "System.Net.WebException": "System.InvalidOperationException",
    "System.Xml.XmlException": "System.SystemException",
}

KNOWN_EXCEPTIONS = frozenset(_BASES) | {"System.Exception", "System.ApplicationException"}


def exception_types(type_name: str) -> list[str]:
    """The type and its bases, most derived first. A type not known here is taken for a direct System.Exception."""
    found = [type_name]
    while (base := _BASES.get(found[-1])) is not None:
        found.append(base)
    if found[-1] != "System.Exception":
        found.append("System.Exception")
    return [*found, "System.Object"]


class Unsupported(BaseException):
    """The evaluator refuses: what it met is not implemented, so any answer would be a guess."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class PsParseError(Exception):
    """The script does not parse in PowerShell 5.1."""

    def __init__(self, message: str, id: str, pos: int = 0, end: int | None = None) -> None:
        super().__init__(message)
        self.message, self.id, self.pos = message, id, pos
        self.end = pos + 1 if end is None else end


@dataclass(slots=True)
class Position:
    """Where an error happened: a piece of a script's text."""

    source: str
    start: int
    end: int
    file: str = ""

    @property
    def line(self) -> int:
        """1-based line."""
        return self.source.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """1-based column."""
        return self.start - (self.source.rfind("\n", 0, self.start) + 1) + 1

    @property
    def text(self) -> str:
        """The line it starts on."""
        begin = self.source.rfind("\n", 0, self.start) + 1
        stop = self.source.find("\n", self.start)
        return self.source[begin : None if stop < 0 else stop].rstrip("\r")


class ExceptionObject:
    """A .NET exception. `record` is its ErrorRecord property, where the type has one."""

    __slots__ = ("inner", "message", "properties", "record", "type_name")

    def __init__(
        self,
        type_name: str,
        message: str,
        *,
        inner: ExceptionObject | None = None,
        record: ErrorRecord | None = None,
    ) -> None:
        self.type_name, self.message, self.inner, self.record = type_name, message, inner, record
        self.properties: dict[str, Any] = {}

    @property
    def short_name(self) -> str:
        """The type's name without its namespace."""
        return self.type_name.rsplit(".", 1)[-1]


class ErrorRecord:
    """System.Management.Automation.ErrorRecord; `suffix` is the part of FullyQualifiedErrorId after the comma."""

    __slots__ = (
        "activity",
        "category",
        "command",
        "details",
        "error_id",
        "exception",
        "invocation",
        "position",
        "reason",
        "remote",
        "script_prefix",
        "suffix",
        "target",
        "target_name",
        "target_type",
    )

    def __init__(
        self,
        exception: ExceptionObject,
        error_id: str,
        category: str = "NotSpecified",
        target: Any = None,
        *,
        suffix: str = "",
        activity: str = "",
        reason: str | None = None,
        position: Position | None = None,
    ) -> None:
        self.exception, self.error_id, self.category, self.target = exception, error_id, category, target
        self.suffix, self.activity, self.position = suffix, activity, position
        self.reason = exception.short_name if reason is None else reason
        self.target_name: str | None = None
        self.target_type: str | None = None
        self.command = ""  # what stands before ' : ' in the message's text form
        self.script_prefix = ""
        self.details: str | None = None
        self.invocation: Any = None
        self.remote = ""  # the computer a remote error came from

    @property
    def id(self) -> str:
        """FullyQualifiedErrorId."""
        return f"{self.error_id},{self.suffix}" if self.suffix else self.error_id

    @property
    def message(self) -> str:
        """What the record's text form says first."""
        return self.exception.message if self.details is None else self.details


class PsError(Exception):
    """A terminating error on its way. `thrown`: `throw` or ErrorAction Stop, which end the script, not the statement."""

    def __init__(self, record: ErrorRecord, *, thrown: bool = False, exception: ExceptionObject | None = None) -> None:
        super().__init__(record.exception.message)
        self.record, self.thrown = record, thrown
        self.exception = exception or record.exception  # what a caller of PowerShell.Invoke() gets to see
        self.recorded = False  # already in $Error
        self.from_throw = False
        self.extent: tuple[int, int] | None = None  # the part of the script the error points at


def runtime_error(
    message: str,
    id: str = "RuntimeException",
    category: str = "NotSpecified",
    *,
    type_name: str = RUNTIME_EXCEPTION,
    target: Any = None,
    inner: ExceptionObject | None = None,
) -> PsError:
    """A statement-terminating error as the engine raises it: an exception that knows its own record."""
    exc = ExceptionObject(type_name, message, inner=inner)
    exc.record = ErrorRecord(exc, id, category, target, reason="ParentContainsErrorRecordException")
    return PsError(ErrorRecord(exc, id, category, target))


def method_error(method: str, count: int, type_name: str, message: str) -> PsError:
    """A .NET method threw: MethodInvocationException around the exception of that type."""
    inner = ExceptionObject(type_name, message)
    text = f'Exception calling "{method}" with "{count}" argument(s): "{message}"'
    return runtime_error(
        text,
        inner.short_name,
        type_name="System.Management.Automation.MethodInvocationException",
        inner=inner,
    )


class DotNetError(Exception):
    """A .NET member threw an exception of this type; the caller wraps it as PowerShell would."""

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(message)
        self.type_name, self.message = type_name, message
        self.inner: ExceptionObject | None = None


class BreakFlow(Exception):
    """break, with its label or ''."""

    def __init__(self, label: str) -> None:
        self.label = label


class ContinueFlow(Exception):
    """continue, with its label or ''."""

    def __init__(self, label: str) -> None:
        self.label = label


class ReturnFlow(Exception):
    """return: its value was already put out."""


class ExitFlow(Exception):
    """exit: ends the script file or the process."""

    def __init__(self, code: int) -> None:
        self.code = code


class StopFlow(BaseException):
    """The pipeline is being stopped; no script can catch it, `finally` runs."""


class EnoughFlow(Exception):
    """A command downstream needs no more input; ends the pipeline that `owner` belongs to."""

    def __init__(self, owner: object) -> None:
        self.owner = owner


class ExitProcess(ExitFlow):
    """[Environment]::Exit: ends the process wherever it is called."""


class TerminatingInFunction(PsError):
    """ThrowTerminatingError of an advanced function: passes through the function's own statements."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(record, thrown=True)
