r"""Commands as values: what a server is asked to do, and how a person would type it.

A command is never text that is put together. It travels as a name and typed values, and `render` is only for people
(plans, records, a by-hand change); a property test holds that PowerShell reads the same values back from it.

| kind | what runs | rendered |
| --- | --- | --- |
| `Cmdlet` | a cmdlet in the server's local runspace or in a product's endpoint | `Get-CsPool -Identity 'x'` |
| `Program` | an executable on the server, its exit code reported | `& 'C:\Windows\System32\iisreset.exe' '/start'` |
| `Script` | a .ps1 on the server with parameters, an endpoint's commands imported for it | `& 'C:\...\x.ps1' -A 'b'` |
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from s2slib.remoting.values.quoting import (
    CredentialRef,
    InvalidCommand,
    Later,
    SecretRef,
    Value,
    check_text,
    check_value,
    mapping_key,
    quoted,
    rendered,
    value_from_json,
    value_to_json,
)

__all__ = [
    "Cmdlet",
    "Command",
    "CredentialRef",
    "Effect",
    "InvalidCommand",
    "Later",
    "Program",
    "Runspace",
    "Script",
    "SecretRef",
    "Value",
    "bind",
    "command_from_json",
    "command_to_json",
    "permits",
]

Effect: TypeAlias = Literal["read", "probe", "write"]
Runspace: TypeAlias = Literal["local", "lync", "exchange"]

_EFFECTS: tuple[Effect, ...] = get_args(Effect)  # in rising order
_RUNSPACES: tuple[Runspace, ...] = get_args(Runspace)
_NAME = re.compile(r"[A-Za-z]+-[A-Za-z]+")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"[A-Za-z]:(?:\\[^\\/:*?\"<>|\[\]\x00-\x1f]+)+", re.ASCII)
_MAX_DEPTH = 8
# These change where a command's records go: an error that is silenced would look like success.
_RESERVED = frozenset(
    f"{stream}{suffix}"
    for stream in ("error", "warning", "information", "out", "pipeline", "progress")
    for suffix in ("action", "variable", "buffer")
) | {"ea", "ev", "wa", "wv", "infa", "iv", "ov", "ob", "pv", "proga"}


def permits(ceiling: Effect, effect: Effect) -> bool:
    """Whether a connection opened for `ceiling` takes a command of this effect: read < probe < write."""
    return _EFFECTS.index(effect) <= _EFFECTS.index(ceiling)


@dataclass(frozen=True)
class Cmdlet:
    """A cmdlet and its parameters, in the order they are shown.

    `properties` are the properties wanted of each object put out (None: as many as the object shows at `depth`).
    A bool value serves switches and booleans alike. Raises InvalidCommand.
    """

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    effect: Effect = "read"
    runspace: Runspace = "local"
    properties: tuple[str, ...] | None = None
    depth: int = 4

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidCommand(f"not the name of a cmdlet: {self.name!r}")
        _settle_parameters(self)
        _check_effect(self.effect, self.runspace)
        if self.properties is not None:
            object.__setattr__(self, "properties", tuple(self.properties))
            for name in self.properties:
                if not _PROPERTY.fullmatch(name):
                    raise InvalidCommand(f"not the name of a property: {name!r}")
        if not 1 <= self.depth <= _MAX_DEPTH:
            raise InvalidCommand(f"depth is 1 to {_MAX_DEPTH}")

    def __hash__(self) -> int:
        return hash(self.digest())

    def render(self) -> str:
        """The line as a person would type it; the wanted properties are not part of it."""
        return " ".join((self.name, *_rendered_parameters(self.parameters)))

    def to_json(self) -> dict[str, Any]:
        """The command as JSON; parameters as pairs, so that sorted keys keep their order."""
        return {
            "kind": "cmdlet",
            "name": self.name,
            "parameters": _parameters_to_json(self.parameters),
            "effect": self.effect,
            "runspace": self.runspace,
            "properties": None if self.properties is None else list(self.properties),
            "depth": self.depth,
        }

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, lower-case hexadecimal."""
        return _digest(self.to_json())


@dataclass(frozen=True)
class Program:
    """An executable by its full Windows path. Its exit code is in the reply, its error output among the errors.

    Windows PowerShell 5.1 drops empty arguments and mangles double quotes, so both are refused. Raises InvalidCommand.
    """

    path: str
    arguments: tuple[str | Later, ...] = ()
    effect: Effect = "read"
    runspace: Literal["local"] = "local"

    def __post_init__(self) -> None:
        _check_path(self.path, ".exe")
        object.__setattr__(self, "arguments", tuple(self.arguments))
        for argument in self.arguments:
            if isinstance(argument, Later):
                continue
            if not argument or '"' in argument or (argument.endswith("\\") and " " in argument):
                raise InvalidCommand(f"Windows PowerShell cannot pass this argument unchanged: {argument!r}")
            check_text(argument, f"an argument of {self.name}")
        _check_effect(self.effect, self.runspace)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rsplit("\\", 1)[-1]

    def render(self) -> str:
        """The line as a person would type it in PowerShell."""
        return " ".join(("&", quoted(self.path), *(rendered(argument) for argument in self.arguments)))

    def to_json(self) -> dict[str, Any]:
        """The command as JSON."""
        arguments = [value_to_json(argument) for argument in self.arguments]
        return {"kind": "program", "path": self.path, "arguments": arguments, "effect": self.effect}

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, lower-case hexadecimal."""
        return _digest(self.to_json())


@dataclass(frozen=True)
class Script:
    """A .ps1 on the server by its full Windows path. Raises InvalidCommand.

    It runs in a runspace of its own whose error preference is Stop; `imports` are the commands of endpoint `exchange`
    that are imported there first. A script may still swallow errors: believe the read-back only.
    """

    path: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    effect: Effect = "read"
    runspace: Literal["local"] = "local"
    imports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_path(self.path, ".ps1")
        _settle_parameters(self)
        object.__setattr__(self, "imports", tuple(self.imports))
        for name in self.imports:
            if not _NAME.fullmatch(name):
                raise InvalidCommand(f"not the name of a cmdlet: {name!r}")
        _check_effect(self.effect, self.runspace)

    def __hash__(self) -> int:
        return hash(self.digest())

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rsplit("\\", 1)[-1]

    def render(self) -> str:
        """The line as a person would type it in the Exchange Management Shell."""
        return " ".join(("&", quoted(self.path), *_rendered_parameters(self.parameters)))

    def to_json(self) -> dict[str, Any]:
        """The command as JSON; parameters as pairs, so that sorted keys keep their order."""
        return {
            "kind": "script",
            "path": self.path,
            "parameters": _parameters_to_json(self.parameters),
            "effect": self.effect,
            "imports": list(self.imports),
        }

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, lower-case hexadecimal."""
        return _digest(self.to_json())


Command: TypeAlias = Cmdlet | Program | Script


def command_to_json(command: Command) -> dict[str, Any]:
    """The command as one JSON object, the form that plans and journals keep."""
    return command.to_json()


def command_from_json(data: Mapping[str, Any]) -> Command:
    """The command that `command_to_json` wrote; InvalidCommand for anything else, unknown fields included."""
    fields = dict(data)
    kind = fields.pop("kind", None)
    try:
        if "parameters" in fields:
            fields["parameters"] = _parameters_from_json(fields["parameters"])
        if isinstance(fields.get("arguments"), list):
            fields["arguments"] = tuple(value_from_json(item) for item in fields["arguments"])
        for name in ("imports", "properties"):
            if isinstance(fields.get(name), list):
                fields[name] = tuple(fields[name])
        if kind == "cmdlet":
            return Cmdlet(**fields)
        if kind == "program":
            return Program(**fields)
        if kind == "script":
            return Script(**fields)
    except (TypeError, ValueError) as error:
        raise InvalidCommand(f"not a recorded command: {error}") from None
    raise InvalidCommand(f"not a recorded command: kind {kind!r}")


def bind(command: Command, known: Mapping[str, Value]) -> Command:
    """The command with every `Later` that `known` names put in; the others stay."""

    def bound(value: Any) -> Any:
        return known.get(value.name, value) if isinstance(value, Later) else value

    if isinstance(command, Program):
        return replace(command, arguments=tuple(bound(argument) for argument in command.arguments))
    return replace(command, parameters={name: bound(value) for name, value in command.parameters.items()})


def _settle_parameters(command: Cmdlet | Script) -> None:
    """Checks the parameters and freezes them."""
    parameters = dict(command.parameters)
    mapping_key(parameters)
    for name, value in parameters.items():
        if not _PARAMETER.fullmatch(name):
            raise InvalidCommand(f"not the name of a parameter: {name!r}")
        if name.lower() in _RESERVED:
            raise InvalidCommand(f"{command.name} may not steer its own records with -{name}")
        if isinstance(value, list):
            parameters[name] = value = tuple(value)
        check_value(value, f"-{name} of {command.name}")
    object.__setattr__(command, "parameters", MappingProxyType(parameters))


def _rendered_parameters(parameters: Mapping[str, Value]) -> list[str]:
    """Switches and booleans as -Name:$true, which binds to both."""
    return [
        f"-{name}:{rendered(value)}" if isinstance(value, bool) else f"-{name} {rendered(value)}"
        for name, value in parameters.items()
    ]


def _parameters_to_json(parameters: Mapping[str, Value]) -> list[list[Any]]:
    return [[name, value_to_json(value)] for name, value in parameters.items()]


def _parameters_from_json(pairs: object) -> dict[str, Value]:
    if not isinstance(pairs, list):
        raise InvalidCommand("parameters are a list of pairs")
    parameters: dict[str, Value] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str) or pair[0] in parameters:
            raise InvalidCommand("parameters are a list of pairs, each name once")
        parameters[pair[0]] = value_from_json(pair[1])
    return parameters


def _check_effect(effect: object, runspace: object) -> None:
    if effect not in _EFFECTS:
        raise InvalidCommand(f"not an effect: {effect!r}")
    if runspace not in _RUNSPACES:
        raise InvalidCommand(f"not a runspace: {runspace!r}")


def _check_path(path: str, suffix: str) -> None:
    check_text(path, "a path")
    if not _PATH.fullmatch(path) or not path.lower().endswith(suffix) or "\\..\\" in path:
        raise InvalidCommand(f"not the full path of a {suffix} file on a local drive: {path!r}")


def _digest(data: Mapping[str, Any]) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
