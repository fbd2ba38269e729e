"""What a simulated machine offers to its engine: cmdlets, programs, scripts, endpoints; and what a running one is handed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, NotRequired, Protocol, TypedDict, Unpack

from s2slab.engine.records import ErrorRecord, Failed, not_recognized, not_simulated

Put = Callable[[str, Any], None]


class BindError(Exception):
    """Raised by a parameter's `transform`: 'Cannot bind parameter ... Exception setting "X": "message"'."""


class EndpointError(Exception):
    """An inner remote session cannot be opened or is gone; `id` is the FullyQualifiedErrorId without its suffix."""

    def __init__(self, message: str, id: str = "PSSessionOpenFailed", category: str = "OpenError") -> None:
        super().__init__(message)
        self.message, self.id, self.category = message, id, category


@dataclass(frozen=True)
class Parameter:
    """One parameter of a cmdlet. `type` is a PowerShell type name ("string", "string[]", "switch", "guid", ...)."""

    name: str
    type: str = "object"
    mandatory: bool = False
    position: int | None = None
    sets: tuple[str, ...] = ()  # () = every parameter set
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] | None = None  # ValidateSet or enum names; the canonical spelling is handed on
    from_pipeline: bool = False
    from_pipeline_by_property_name: bool = False
    transform: Callable[[Call, object], object] | None = None  # runs at binding; raise BindError(message) to refuse
    allow_null: bool = False  # a mandatory parameter takes $null and ''
    remaining: bool = False  # takes every positional argument that is left
    not_empty: bool = False  # ValidateNotNullOrEmpty


@dataclass(frozen=True)
class CmdletSpec:
    """A cmdlet: `run` is called once, or once per input object when a parameter takes pipeline input.

    `type_name` is the implementing class, the suffix of FullyQualifiedErrorId (default: the cmdlet's name).
    """

    name: str
    run: Callable[[Call], Iterable[object] | None]
    parameters: tuple[Parameter, ...] = ()
    module: str = ""
    default_set: str = ""
    should_process: bool = False  # adds -WhatIf and -Confirm
    aliases: tuple[str, ...] = ()
    type_name: str = ""
    synopsis: str = ""

    @property
    def suffix(self) -> str:
        """The last part of FullyQualifiedErrorId."""
        return self.type_name or self.name


@dataclass(frozen=True)
class ScriptSpec:
    """A script file by its full Windows path, and what it does.

    `digest` is the SHA-256 of the text that `run` is true to: another text under that path is not this script.
    `run` returns the exit code, None for a script that ends without `exit`.
    """

    path: str
    digest: str
    run: Callable[[ScriptCall], int | None]
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class ProgramSpec:
    """A native program, by file name and folder. `run` returns the exit code."""

    name: str
    run: Callable[[ProgramCall], int]
    folder: str = "C:\\Windows\\System32"

    @property
    def path(self) -> str:
        """Its full path."""
        return f"{self.folder}\\{self.name}"


class ErrorKind(TypedDict):
    """What an error record says beside its message; `exception` is the full name of a type."""

    id: str
    category: str
    exception: NotRequired[str]


class Call:
    """One invocation of a cmdlet: bound parameters by canonical name (only those given), where it runs, and its streams.

    Common parameters (-ErrorAction, -Verbose, -WarningVariable ...) are the engine's business. `put` takes what is written:
    ("out" | "error" | "warning" | "verbose" | "debug" | "host", the value, ErrorRecord or text).
    """

    def __init__(
        self,
        spec: CmdletSpec,
        parameter_set: str,
        *,
        machine: Machine,
        session: object,
        stopping: threading.Event,
        put: Put,
        what_if: bool = False,
        confirm: bool = False,
    ) -> None:
        self.name, self.parameter_set = spec.name, parameter_set
        self.parameters: dict[str, Any] = {}
        self.machine, self.session, self.stopping = machine, session, stopping
        self.command_id = uuid.uuid4().hex
        self._suffix, self._put, self._what_if, self._confirm = spec.suffix, put, what_if, confirm

    def warning(self, text: str) -> None:
        """Write a warning record."""
        self._put("warning", text)

    def verbose(self, text: str) -> None:
        """Write a verbose record (shown with -Verbose)."""
        self._put("verbose", text)

    def debug(self, text: str) -> None:
        """Write a debug record."""
        self._put("debug", text)

    def host(self, text: str) -> None:
        """Write a line on the host, as Write-Host does."""
        self._put("host", text)

    def report(self, record: ErrorRecord) -> None:
        """Write an error record as it is; raises only where the caller asked to stop at errors."""
        self._put("error", record)

    def write_error(self, message: str, **kind: Unpack[ErrorKind]) -> None:
        """Write a non-terminating error of this cmdlet."""
        self.report(self._record(message, **kind))

    def throw(self, message: str, **kind: Unpack[ErrorKind]) -> NoReturn:
        """End the cmdlet with a terminating error."""
        raise Failed(self._record(message, **kind))

    def should_process(self, target: str, action: str | None = None) -> bool:
        """False under -WhatIf, after its 'What if' line was printed. -Confirm cannot be answered and is an error."""
        if self._what_if:
            self.host(f'What if: Performing the operation "{action or self.name}" on target "{target}".')
        elif self._confirm:
            self.throw(
                "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
                id="InvalidOperation",
                category="InvalidOperation",
                exception="System.Management.Automation.PSInvalidOperationException",
            )
        return not self._what_if

    def _record(self, message: str, **kind: Unpack[ErrorKind]) -> ErrorRecord:
        exception = kind.get("exception", "System.InvalidOperationException")
        return ErrorRecord(message, f"{kind['id']},{self._suffix}", kind["category"], exception)


@dataclass(frozen=True)
class ProgramCall:
    """One run of a native program. `argv` excludes the program's own name."""

    argv: list[str]
    write_stdout: Callable[[str], None]
    write_stderr: Callable[[str], None]
    machine: Machine
    session: object
    command_id: str
    stopping: threading.Event


class ScriptCall(Protocol):
    """A running script: its parameters by name, the commands of its runspace, its host."""

    parameters: dict[str, Any]

    def command(self, name: str, *, soft: bool = False, **parameters: object) -> list[Any]:
        """Run a command; its output. Ends the script at an error, unless `soft` hides it."""

    def put(self, value: object) -> None:
        """Put out a value."""

    def say(self, text: str) -> None:
        """Write a line on the host."""


@dataclass
class Module:
    """A module of a registry: its commands are found at first use, or after Import-Module."""

    name: str
    commands: dict[str, CmdletSpec] = field(default_factory=dict)
    version: str = "1.0"


class Registry:
    """The commands of one machine or one endpoint, by name without case."""

    def __init__(self) -> None:
        self._cmdlets: dict[str, CmdletSpec] = {}
        self._programs: dict[str, ProgramSpec] = {}
        self._modules: dict[str, Module] = {}
        self._scripts: dict[str, ScriptSpec] = {}
        self.not_simulated: frozenset[str] = frozenset()  # the products' other commands

    def add(self, spec: CmdletSpec | ProgramSpec | ScriptSpec) -> None:
        """Add a command; one of the same name is replaced. A cmdlet with a module belongs to that module."""
        if isinstance(spec, ScriptSpec):
            self._scripts[spec.path.lower()] = spec
            return
        if isinstance(spec, ProgramSpec):
            self._programs[spec.name.lower()] = spec
            return
        table = self._cmdlets if not spec.module else self._module(spec.module).commands
        table[spec.name.lower()] = spec
        for alias in spec.aliases:
            table[alias.lower()] = spec

    def _module(self, name: str) -> Module:
        return self._modules.setdefault(name.lower(), Module(name))

    def find(self, name: str) -> CmdletSpec:
        """The cmdlet of that name, in a module or not. Raises Failed: not simulated, or not recognized."""
        inside = self.in_modules(name)
        spec = self.cmdlet(name) or (None if inside is None else inside[1])
        if spec is not None:
            return spec
        other = next((known for known in self.not_simulated if known.lower() == name.lower()), None)
        raise not_recognized(name) if other is None else Failed(not_simulated(other))

    def module(self, name: str) -> Module | None:
        """The module of that name (case aside), or None."""
        return self._modules.get(name.lower())

    def modules(self) -> list[Module]:
        """Every module, in the order they were added."""
        return list(self._modules.values())

    def declare_module(self, name: str, *, version: str = "1.0") -> None:
        """Say a module's version."""
        self._module(name).version = version

    def cmdlet(self, name: str) -> CmdletSpec | None:
        """A cmdlet that needs no module."""
        return self._cmdlets.get(name.lower())

    def loose(self) -> list[CmdletSpec]:
        """The cmdlets that need no module, each once."""
        return list({id(spec): spec for spec in self._cmdlets.values()}.values())

    def programs(self) -> list[ProgramSpec]:
        """The native programs."""
        return list(self._programs.values())

    def scripts(self) -> list[ScriptSpec]:
        """The scripts whose doings are known."""
        return list(self._scripts.values())

    def script(self, path: str) -> ScriptSpec | None:
        """The script of that path, case aside."""
        return self._scripts.get(path.lower())

    def cmdlets(self) -> Iterator[CmdletSpec]:
        """Every cmdlet that needs no module, then those of modules; aliases are not repeated."""
        seen: set[int] = set()
        for table in [self._cmdlets, *(m.commands for m in self._modules.values())]:
            for spec in table.values():
                if id(spec) not in seen:
                    seen.add(id(spec))
                    yield spec

    def in_modules(self, name: str) -> tuple[Module, CmdletSpec] | None:
        """The first module that has the command, with it."""
        low = name.lower()
        return next(((m, m.commands[low]) for m in self._modules.values() if low in m.commands), None)

    def program(self, name: str) -> ProgramSpec | None:
        """A native program, its `.exe` optional, a folder in front ignored."""
        low = name.lower().replace("/", "\\").rsplit("\\", 1)[-1]
        return self._programs.get(low) or self._programs.get(low + ".exe")


@dataclass(frozen=True)
class CommandLine:
    """What a powershell.exe is to run.

    `how` is command, encodedcommand, file or stdin; `text` what stands behind it; `options` what stands in front.
    """

    options: tuple[str, ...]
    how: str
    text: str
    rest: tuple[str, ...] = ()

    @property
    def xml_errors(self) -> bool:
        """Whether the error stream is CLIXML, as Windows has it for encoded commands."""
        return self.how == "encodedcommand"


class Machine(Protocol):
    """A simulated server as its engine sees it."""

    name: str
    fqdn: str
    registry: Registry
    language_mode: str  # "FullLanguage" | "ConstrainedLanguage"
    powershell_version: str  # "5.1.14393.4530"

    def environment(self, session: Any) -> dict[str, str]: ...
    def read_file(self, path: str) -> str | None: ...
    def script_files(self) -> list[str]: ...
    def exists(self, path: str) -> bool: ...
    def open_endpoint(self, session: Any, wanted: Opening) -> Endpoint: ...


@dataclass(frozen=True)
class Opening:
    """What New-PSSession was given: a URI or a computer (this one, if neither), and how to log on there."""

    uri: str | None = None
    computer: str | None = None
    configuration: str = "Microsoft.PowerShell"
    authentication: str = "Default"
    credential: tuple[str, str] | None = None


class Endpoint(Protocol):
    """The far side of an inner remote session (Microsoft.Exchange, OcsPowershell)."""

    registry: Registry
    machine: Any
    session: Any
    computer_name: str
    language_mode: str  # "NoLanguage"

    def alive(self) -> bool: ...
    def close(self) -> None: ...
