"""What a simulated machine offers to the evaluator: cmdlets, programs, files, remote endpoints; and what a cmdlet is handed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, Protocol


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


@dataclass(frozen=True)
class ProgramSpec:
    """A native program, by file name: "iisreset.exe". `run` returns the exit code."""

    name: str
    run: Callable[[ProgramCall], int]


class CallHost(Protocol):
    """The evaluator's side of a running cmdlet: where its records go."""

    def warning(self, text: str) -> None: ...
    def verbose(self, text: str) -> None: ...
    def debug(self, text: str) -> None: ...
    def host(self, text: str) -> None: ...
    def progress(self, activity: str, status: str, percent: int) -> None: ...
    def write_error(self, message: str, id: str, category: str, target: object, exception: str) -> None: ...
    def throw(self, message: str, id: str, category: str, target: object, exception: str) -> NoReturn: ...
    def should_process(self, target: str, action: str | None) -> bool: ...


class Call:
    """One invocation of a cmdlet: bound parameters by canonical name (only those given), where it runs, and its streams.

    Common parameters (-ErrorAction, -Verbose, -WarningVariable ...) are the evaluator's business.
    """

    def __init__(
        self,
        name: str,
        parameters: dict[str, Any],
        parameter_set: str,
        *,
        machine: Machine,
        session: object,
        stopping: threading.Event,
        host: CallHost,
        command_id: str | None = None,
    ) -> None:
        self.name, self.parameters, self.parameter_set = name, parameters, parameter_set
        self.machine, self.session, self.stopping = machine, session, stopping
        self.command_id = command_id or uuid.uuid4().hex
        self._host = host

    def warning(self, text: str) -> None:
        """Write a warning record."""
        self._host.warning(text)

    def verbose(self, text: str) -> None:
        """Write a verbose record (shown with -Verbose)."""
        self._host.verbose(text)

    def debug(self, text: str) -> None:
        """Write a debug record."""
        self._host.debug(text)

    def host(self, text: str) -> None:
        """Write a line on the host, as Write-Host does."""
        self._host.host(text)

    def progress(self, activity: str, status: str = " ", percent: int = -1) -> None:
        """Write a progress record."""
        self._host.progress(activity, status, percent)

    def write_error(
        self,
        message: str,
        *,
        id: str,
        category: str,
        target: object = None,
        exception: str = "System.InvalidOperationException",
    ) -> None:
        """Write a non-terminating error; raises only where the caller asked to stop at errors."""
        self._host.write_error(message, id, category, target, exception)

    def throw(
        self,
        message: str,
        *,
        id: str,
        category: str,
        target: object = None,
        exception: str = "System.InvalidOperationException",
    ) -> NoReturn:
        """End the cmdlet with a terminating error."""
        self._host.throw(message, id, category, target, exception)

    def should_process(self, target: str, action: str | None = None) -> bool:
        """False under -WhatIf, after its 'What if' line was printed."""
        return self._host.should_process(target, action)


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


@dataclass
class Module:
    """A module of a registry: its commands are seen after Import-Module, or found at first use when listed."""

    name: str
    commands: dict[str, CmdletSpec] = field(default_factory=dict)
    version: str = "1.0"
    auto_load: bool = True
    path: str = ""


class Registry:
    """The commands of one machine or one endpoint, by name without case."""

    def __init__(self) -> None:
        self._cmdlets: dict[str, CmdletSpec] = {}
        self._programs: dict[str, ProgramSpec] = {}
        self._modules: dict[str, Module] = {}

    def add(self, spec: CmdletSpec | ProgramSpec) -> None:
        """Add a command; one of the same name is replaced. A cmdlet with a module belongs to that module."""
        if isinstance(spec, ProgramSpec):
            self._programs[spec.name.lower()] = spec
            return
        table = self._cmdlets if not spec.module else self._module(spec.module).commands
        table[spec.name.lower()] = spec
        for alias in spec.aliases:
            table[alias.lower()] = spec

    def _module(self, name: str) -> Module:
        return self._modules.setdefault(name.lower(), Module(name))

    def module(self, name: str) -> Module | None:
        """The module of that name (case aside), or None."""
        return self._modules.get(name.lower())

    def modules(self) -> Iterator[Module]:
        """Every module, in the order they were added."""
        return iter(list(self._modules.values()))

    def declare_module(self, name: str, *, version: str = "1.0", auto_load: bool = True, path: str = "") -> None:
        """Say a module's version and whether its commands are found without Import-Module."""
        module = self._module(name)
        module.version, module.auto_load, module.path = version, auto_load, path

    def cmdlet(self, name: str) -> CmdletSpec | None:
        """A cmdlet that needs no module."""
        return self._cmdlets.get(name.lower())

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
        for module in self._modules.values():
            if low in module.commands:
                return module, module.commands[low]
        return None

    def program(self, name: str) -> ProgramSpec | None:
        """A native program, its `.exe` optional, a folder in front ignored."""
        low = name.lower().replace("/", "\\").rsplit("\\", 1)[-1]
        return self._programs.get(low) or self._programs.get(low + ".exe")


class Machine(Protocol):
    """A simulated server as the evaluator sees it."""

    name: str
    fqdn: str
    registry: Registry
    language_mode: str  # "FullLanguage" | "ConstrainedLanguage"
    powershell_version: str  # "5.1.14393.4530"

    def environment(self, session: Any) -> dict[str, str]: ...
    def read_file(self, path: str) -> str | None: ...
    def exists(self, path: str) -> bool: ...
    def now(self) -> datetime: ...
    def sleep(self, seconds: float, stopping: threading.Event) -> bool: ...  # False: the evaluator waits for real
    def open_endpoint(
        self,
        session: Any,
        *,
        uri: str | None,
        computer: str | None,
        configuration: str,
        authentication: str,
        credential: tuple[str, str] | None,
    ) -> Endpoint: ...


class Endpoint(Protocol):
    """The far side of an inner remote session (Microsoft.Exchange, OcsPowershell)."""

    registry: Registry
    machine: Any
    session: Any
    computer_name: str
    language_mode: str  # "NoLanguage"

    def alive(self) -> bool: ...
    def close(self) -> None: ...
