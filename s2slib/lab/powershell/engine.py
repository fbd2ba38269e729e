"""The state scripts run in: scopes and variables, frames, streams with their records, and the signal that stops them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.errors import ErrorRecord, PsError, Unsupported, runtime_error
from s2slib.lab.powershell.syntax import ScriptBlockAst
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType

if TYPE_CHECKING:
    from s2slib.lab.powershell.interpreter import Engine

Out = Callable[[Any], None]


class StopSignal(threading.Event):
    """Set when a pipeline shall stop; stops those that run inside it too."""

    def __init__(self, parent: StopSignal | None = None) -> None:
        super().__init__()
        self._inner: list[StopSignal] = []
        if parent is not None:
            parent._inner.append(self)
            if parent.is_set():
                self.set()

    def set(self) -> None:
        """Stop this pipeline and every one inside."""
        super().set()
        for inner in list(self._inner):
            inner.set()

    def release(self, inner: StopSignal) -> None:
        """Forget a pipeline that ended."""
        if inner in self._inner:
            self._inner.remove(inner)


class ScriptBlock:
    """A `{ }` as a value. `scope` is where it was written; PowerShell runs it in the scope it is called from."""

    __slots__ = ("ast", "engine")
    ps_type = SMA + "ScriptBlock"

    def __init__(self, ast: ScriptBlockAst, engine: Engine) -> None:
        self.ast, self.engine = ast, engine

    def ps_text(self) -> str:
        """The text between the braces."""
        return self.ast.text


# -- records


class InformationalRecord:
    """A warning, verbose or debug record."""

    __slots__ = ("message", "ps_type")

    def __init__(self, kind: str, message: str) -> None:
        self.ps_type, self.message = f"{SMA}{kind}Record", message

    def ps_text(self) -> str:
        """The message."""
        return self.message


class InformationRecord:
    """What Write-Information and Write-Host write. `no_newline` and `to_host` are Write-Host's; `shown`: on the host."""

    __slots__ = ("data", "no_newline", "shown", "source", "tags", "time", "to_host")
    ps_type = SMA + "InformationRecord"

    def __init__(
        self, data: Any, source: str, tags: list[str], time: datetime, *, to_host: bool, no_newline: bool
    ) -> None:
        self.data, self.source, self.tags, self.time = data, source, tags, time
        self.to_host, self.no_newline = to_host, no_newline
        self.shown = to_host

    def ps_text(self) -> str:
        """The message data as text."""
        return to_text(self.data)


class ProgressRecord:
    """A progress record."""

    __slots__ = ("activity", "activity_id", "completed", "percent", "status")

    def __init__(self, activity: str, status: str, percent: int, completed: bool, activity_id: int = 0) -> None:
        self.activity, self.status, self.percent, self.completed = activity, status, percent, completed
        self.activity_id = activity_id


class Streams:
    """Where records go, by stream number: 2 error, 3 warning, 4 verbose, 5 debug, 6 information; `progress` beside them.

    `variables` collect copies (-ErrorVariable and its like).
    """

    __slots__ = ("progress", "sinks")

    def __init__(self, sinks: Mapping[int, Out], progress: Callable[[ProgressRecord], None]) -> None:
        self.sinks, self.progress = dict(sinks), progress

    def redirected(self, changes: Mapping[int, Out]) -> Streams:
        """The same streams with some led elsewhere."""
        return Streams({**self.sinks, **changes}, self.progress)

    def write(self, number: int, record: Any) -> None:
        """Write a record to a stream."""
        self.sinks[number](record)


# -- variables


class Variable:
    """A variable with its type constraint."""

    __slots__ = ("checks", "constant", "kind", "name", "value")

    def __init__(self, name: str, value: Any, kind: PsType | None = None, *, constant: bool = False) -> None:
        self.name, self.value, self.kind, self.constant = name, value, kind, constant
        self.checks: tuple[Callable[[Any], None], ...] = ()  # a parameter's validation holds for later assignments too


class Scope:
    """Variables and functions of one scope; a name that is not here is looked up in the caller's scope."""

    __slots__ = ("functions", "is_script", "parent", "variables")

    def __init__(self, parent: Scope | None, *, is_script: bool = False) -> None:
        self.parent = parent
        self.variables: dict[str, Variable] = {}
        self.functions: dict[str, Any] = {}
        self.is_script = is_script or parent is None

    def find(self, low: str) -> Variable | None:
        """The variable of that lower-case name, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.variables.get(low)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def script(self) -> Scope:
        """The script's scope."""
        scope = self
        while not scope.is_script:
            assert scope.parent is not None
            scope = scope.parent
        return scope

    def top(self) -> Scope:
        """The global scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def named(self, name: str) -> Scope:
        """The scope of a modifier or number."""
        low = name.lower()
        if low in ("", "local", "private", "0"):
            return self
        if low == "global":
            return self.top()
        if low == "script":
            return self.script()
        if low.isdigit():
            scope = self
            for _ in range(int(low)):
                if scope.parent is None:
                    raise runtime_error(
                        f"The scope number '{name}' exceeds the number of active scopes.",
                        "ArgumentOutOfRange",
                        "InvalidArgument",
                    )
                scope = scope.parent
            return scope
        raise Unsupported(f"the scope {name}")

    def set(self, name: str, value: Any, kind: PsType | None = None) -> None:
        """Set a variable of this scope."""
        low = name.lower()
        found = self.variables.get(low)
        if found is None:
            self.variables[low] = Variable(name, value, kind)
            return
        if found.constant:
            raise runtime_error(
                f"Cannot overwrite variable {name} because it is read-only or constant.",
                "VariableNotWritable",
                "WriteError",
                type_name=SMA + "SessionStateUnauthorizedAccessException",
            )
        if kind is not None:
            found.kind = kind
        if found.kind is not None:
            try:
                value = convert(value, found.kind)
            except PsError as e:
                raise _metadata_error(e) from None
        for check in found.checks:
            try:
                check(value)
            except Exception:
                raise Unsupported(f"assigning what its validation refuses to ${name}") from None
        found.value = value


def _metadata_error(e: PsError) -> PsError:
    return runtime_error(
        e.record.message, "RuntimeException", "MetadataError", type_name=SMA + "ArgumentTransformationMetadataException"
    )


class Invocation:
    """The command a frame belongs to: $MyInvocation, $PSCmdlet and the suffix of error ids."""

    __slots__ = (
        "bound",
        "command_type",
        "end",
        "invocation_name",
        "is_advanced",
        "line",
        "name",
        "parameter_set",
        "path",
        "pos",
        "script_text",
        "should_process",
        "source",
        "what_if",
    )
    ps_type = SMA + "InvocationInfo"

    def __init__(self, name: str = "", command_type: str = "Script", invocation_name: str = "") -> None:
        self.name, self.command_type, self.invocation_name = name, command_type, invocation_name
        self.source, self.pos, self.end = "", 0, 0
        self.bound: Any = None
        self.parameter_set = ""
        self.is_advanced = False
        self.should_process = False
        self.what_if = False
        self.script_text = ""
        self.path = ""
        self.line = 0


class Frame:
    """Where a statement runs: its scope, streams, command, arguments and input."""

    __slots__ = ("args", "engine", "input", "invocation", "scope", "stop", "streams", "trying")

    def __init__(
        self,
        engine: Engine,
        scope: Scope,
        streams: Streams,
        invocation: Invocation,
        stop: StopSignal,
        *,
        trying: bool = False,
        args: list[Any] | None = None,
        input: list[Any] | None = None,
    ) -> None:
        self.engine, self.scope, self.streams, self.invocation, self.stop = engine, scope, streams, invocation, stop
        self.trying, self.args, self.input = trying, args or [], input

    def with_(self, *, scope: Scope | None = None, streams: Streams | None = None, trying: bool | None = None) -> Frame:
        """The same frame with something changed."""
        made = Frame(
            self.engine, scope or self.scope, streams or self.streams, self.invocation, self.stop,
            trying=self.trying if trying is None else trying,
        )  # fmt: skip
        made.args, made.input = self.args, self.input
        return made

    def preference(self, name: str) -> str:
        """A preference variable's value as an ActionPreference name."""
        found = self.scope.find(name.lower())
        value = None if found is None else found.value
        if isinstance(value, v.PsEnum):
            return value.name
        if isinstance(value, str):
            from s2slib.lab.powershell.enums import enum_named

            known = enum_named(SMA + "ActionPreference", value)
            if known is not None:
                return known.name
        if value is None:
            return "Continue"
        raise Unsupported(f"${name} = {to_text(value)}")

    def check(self) -> None:
        """Raise StopFlow when the pipeline shall stop."""
        if self.stop.is_set():
            from s2slib.lab.powershell.errors import StopFlow

            raise StopFlow


def stop_exception(record: ErrorRecord) -> Any:
    """ActionPreferenceStopException around a record."""
    from s2slib.lab.powershell.errors import ExceptionObject

    return ExceptionObject(
        SMA + "ActionPreferenceStopException",
        'The running command stopped because the preference variable "ErrorActionPreference" or common parameter is set '
        f"to Stop: {record.message}",
        record=record,
    )
