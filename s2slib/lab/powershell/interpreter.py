"""The engine: one local runspace with its variables, functions, modules and machine."""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import syntax as ast
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.culture import Culture
from s2slib.lab.powershell.engine import (
    Frame,
    Invocation,
    Out,
    Scope,
    ScriptBlock,
    StopSignal,
    Streams,
    Variable,
)
from s2slib.lab.powershell.enums import enum_value
from s2slib.lab.powershell.errors import (
    BreakFlow,
    ContinueFlow,
    ErrorRecord,
    ExceptionObject,
    PsError,
    PsParseError,
    ReturnFlow,
    Unsupported,
    runtime_error,
)
from s2slib.lab.powershell.members import Members
from s2slib.lab.powershell.parse import parse_script
from s2slib.lab.powershell.pipelines import Pipelines
from s2slib.lab.powershell.registry import Machine, Module
from s2slib.lab.powershell.signatures import FunctionInfo
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.types import SMA, PsType
from s2slib.lab.powershell.values import Collection

if TYPE_CHECKING:
    from s2slib.lab.powershell.console import Console
    from s2slib.lab.powershell.functions import FunctionCall

_CORE = frozenset(
    v.words(
        "System.String System.Char System.Boolean System.Byte System.SByte System.Int16 System.Int32 System.Int64 "
        "System.UInt16 System.UInt32 System.UInt64 System.Single System.Double System.Decimal System.DateTime "
        "System.TimeSpan System.Guid System.Uri System.Version System.Object System.Object[] "
        "System.Collections.Hashtable System.Array System.Void System.Text.RegularExpressions.Regex "
        "System.Security.SecureString System.Management.Automation.PSCredential "
        "System.Management.Automation.SwitchParameter System.Xml.XmlDocument System.Globalization.CultureInfo "
        "System.Collections.Specialized.OrderedDictionary System.Management.Automation.PSObject "
        "System.Management.Automation.PSCustomObject"
    )
)


class Engine(Pipelines):
    """A local runspace. One thread runs in it at a time."""

    def __init__(self, machine: Machine, session: Any, console: Console, culture: Culture) -> None:
        Pipelines.__init__(self)
        self.machine, self.session, self.console, self.culture = machine, session, console, culture
        self.instance_id = uuid.uuid4()
        self.success = True
        self.doubtful = False  # $? after a failure inside lone parentheses, which PowerShell versions set differently
        self.pipelines_run = 0
        self.depth = 0
        self.error_count = 0
        self.caught: list[PsError] = []
        self.aliases: dict[str, str] = {}
        self.modules: dict[str, Module] = {}
        self.language_mode = machine.language_mode
        self.lock = threading.Lock()
        self.global_scope = Scope(None)
        self.errors = Collection("System.Collections.ArrayList")
        self.members = Members(self)
        self._globals()

    # -- set-up

    def _globals(self) -> None:
        scope = self.global_scope
        for name, value in (
            ("true", True),
            ("false", False),
            ("null", None),
            ("Error", self.errors),
            ("PID", self.console.pid),
            ("Host", self.console.host),
            ("PSVersionTable", self._version_table()),
            ("ExecutionContext", EngineIntrinsics(self)),
            ("ErrorActionPreference", self.action("Continue")),
            ("WarningPreference", self.action("Continue")),
            ("VerbosePreference", self.action("SilentlyContinue")),
            ("DebugPreference", self.action("SilentlyContinue")),
            ("InformationPreference", self.action("SilentlyContinue")),
            ("ProgressPreference", self.action("Continue")),
            ("ConfirmPreference", enum_value(SMA + "ConfirmImpact", "High")),
            ("WhatIfPreference", False),
            ("ErrorView", "NormalView"),
            ("MaximumHistoryCount", 4096),
            ("FormatEnumerationLimit", 4),
            ("PSModuleAutoLoadingPreference", None),
            ("PSCulture", self.culture.name),
            ("PSUICulture", "en-US"),
            ("PSHOME", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0"),
            ("HOME", "C:\\Users\\" + self.console.user),
            ("NestedPromptLevel", 0),
            ("ShellId", "Microsoft.PowerShell"),
            ("PSEmailServer", ""),
            ("args", []),
            ("MyInvocation", Invocation()),
        ):
            scope.variables[name.lower()] = Variable(name, value)
        for constant in ("true", "false", "pid", "host", "psversiontable", "executioncontext", "error"):
            scope.variables[constant].constant = True

    def _version_table(self) -> Table:
        version = self.machine.powershell_version
        build = ".".join(version.split(".")[:2])
        items = [
            ("PSVersion", v.PsVersion(version)),
            ("PSEdition", "Desktop"),
            ("PSCompatibleVersions", PSVERSIONS(build)),
            ("BuildVersion", v.PsVersion(version.replace("5.1", "10.0", 1))),
            ("CLRVersion", v.PsVersion("4.0.30319.42000")),
            ("WSManStackVersion", v.PsVersion("3.0")),
            ("PSRemotingProtocolVersion", v.PsVersion("2.3")),
            ("SerializationVersion", v.PsVersion("1.1.0.1")),
        ]
        return Table("System.Collections.Hashtable", items=items)

    def action(self, name: str) -> v.PsEnum:
        """An ActionPreference."""
        return enum_value(SMA + "ActionPreference", name)

    def child(self) -> Engine:
        """A new runspace of the same process; its threads take the culture of the one that makes it."""
        return Engine(self.machine, self.session, self.console, self.culture)

    def succeeded(self) -> bool:
        """$?; refused where versions differ."""
        if self.doubtful:
            raise Unsupported("$? after a failure inside parentheses")
        return self.success

    def import_module(self, name: str) -> Module | None:
        """Make a module's commands known; None when there is no such module."""
        module = self.machine.registry.module(name)
        if module is not None:
            self.modules[module.name.lower()] = module
        return module

    # -- services for the halves

    def remember(self, record: ErrorRecord) -> None:
        """Put a record into $Error, newest first."""
        self.error_count += 1
        self.errors.items.insert(0, record)
        del self.errors.items[256:]

    def auto_loading_off(self) -> bool:
        """$PSModuleAutoLoadingPreference is None."""
        found = self.global_scope.variables.get("psmoduleautoloadingpreference")
        return found is not None and found.value is not None and str(found.value).lower() == "none"

    def define_function(self, n: ast.FunctionDefinition, f: Frame) -> None:
        """Make a function known in the scope its name says."""
        name, scope = n.name, f.scope
        if ":" in name:
            prefix, name = name.split(":", 1)
            scope = scope.named(prefix)
        scope.functions[name.lower()] = FunctionInfo.of(name, ScriptBlock(n.block, self), "Function")

    def make_block(self, text: str) -> ScriptBlock:
        """[scriptblock]::Create."""
        try:
            return ScriptBlock(parse_script(text), self)
        except PsParseError as e:
            raise Unsupported(
                f"text that does not parse, in a script that could catch the error ({e.message})"
            ) from None

    def check_cast(self, kind: PsType) -> None:
        """Conversions that Constrained Language Mode forbids."""
        if self.language_mode == "ConstrainedLanguage" and not self.is_core(kind):
            raise runtime_error(
                f'Cannot convert to "{kind.display}". Only core types are supported in this language mode.',
                "ConversionSupportedOnlyToCoreTypes",
                "InvalidArgument",
            )

    def is_core(self, kind: PsType) -> bool:
        """Whether Constrained Language Mode allows the type."""
        return (kind.element.name if kind.element is not None else kind.name) in _CORE and not kind.args

    def native_error(self, f: Frame, program: str, text: str) -> None:
        """A line a native program wrote to its standard error."""
        sink = f.streams.sinks[2]
        if sink is self.console.streams.sinks[2]:
            self.console.write_native_error(text)
            return
        exc = ExceptionObject(SMA + "RemoteException", text)
        record = ErrorRecord(exc, "NativeCommandError", "NotSpecified", text)
        record.command = program
        self.remember(record)
        sink(record)

    def script_cmdlet(self, call: FunctionCall) -> Any:
        """$PSCmdlet of an advanced function."""
        from s2slib.lab.powershell.dotnet_engine import ScriptCmdlet

        return ScriptCmdlet(call)

    # -- running

    def frame(self, streams: Streams, stop: StopSignal, source: str = "") -> Frame:
        """A frame at the top of this runspace."""
        invocation = Invocation()
        invocation.source = invocation.script_text = source
        return Frame(self, self.global_scope, streams, invocation, stop)

    def run_script(self, block: ast.ScriptBlockAst, f: Frame, out: Out) -> None:
        """Run a whole script in the frame's own scope."""
        f.invocation.source = f.invocation.script_text = block.source
        if block.begin is not None or block.process is not None:
            raise Unsupported("begin and process blocks of a whole script")
        with contextlib.suppress(ReturnFlow, BreakFlow, ContinueFlow):
            self.run_statements(block.finish if block.finish is not None else block.body, f, out)


def parse_failure(e: PsParseError) -> PsError:
    """A parser error raised by a running script."""
    exc = ExceptionObject(SMA + "ParseException", e.message)
    exc.record = ErrorRecord(exc, e.id, "ParserError", reason="ParentContainsErrorRecordException")
    return PsError(ErrorRecord(exc, e.id, "ParserError"))


def PSVERSIONS(build: str) -> list[Any]:
    """PSCompatibleVersions."""
    return v.PsArray("System.Version", [v.PsVersion(t) for t in ("1.0", "2.0", "3.0", "4.0", "5.0", build)])


class EngineIntrinsics:
    """$ExecutionContext."""

    __slots__ = ("engine",)
    ps_type = SMA + "EngineIntrinsics"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type
