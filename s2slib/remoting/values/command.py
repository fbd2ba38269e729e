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

import re
from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Discriminator, PlainSerializer, PlainValidator, ValidationInfo
from pydantic.dataclasses import dataclass

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
from s2slib.typed import RECORDED, STRICT

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
    "permits",
]

Effect: TypeAlias = Literal["read", "probe", "write"]
Runspace: TypeAlias = Literal["local", "lync", "exchange"]

_EFFECTS: tuple[Effect, ...] = get_args(Effect)  # in rising order
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


def _parameters(given: Any, info: ValidationInfo) -> Mapping[str, Value]:
    """Parameters checked and frozen. In a record they are pairs, so that sorted keys keep their order."""
    if info.context == RECORDED:
        given = _from_pairs(given)
    parameters = dict(given)
    mapping_key(parameters)
    for name, value in parameters.items():
        if not _PARAMETER.fullmatch(name):
            raise InvalidCommand(f"not the name of a parameter: {name!r}")
        if name.lower() in _RESERVED:
            raise InvalidCommand(f"a command may not steer its own records with -{name}")
        if isinstance(value, list):
            parameters[name] = value = tuple(value)
        check_value(value, f"-{name}")
    return MappingProxyType(parameters)


def _from_pairs(pairs: object) -> dict[str, Value]:
    if not isinstance(pairs, list):
        raise InvalidCommand("parameters are a list of pairs")
    parameters: dict[str, Value] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str) or pair[0] in parameters:
            raise InvalidCommand("parameters are a list of pairs, each name once")
        parameters[pair[0]] = value_from_json(pair[1])
    return parameters


def _arguments(given: Any) -> tuple[str | Later, ...]:
    return tuple(value_from_json(item) if isinstance(item, dict) else item for item in given)  # type: ignore[misc]


Parameters = Annotated[
    Mapping[str, Value],
    PlainValidator(_parameters),
    PlainSerializer(lambda given: [[name, value_to_json(value)] for name, value in given.items()]),
]
Arguments = Annotated[
    tuple[str | Later, ...],
    PlainValidator(_arguments),
    PlainSerializer(lambda given: [value_to_json(value) for value in given]),
]


@dataclass(frozen=True, config=STRICT)
class Cmdlet:
    """A cmdlet and its parameters, in the order they are shown.

    `properties` are the properties wanted of each object put out (None: as many as the object shows at `depth`).
    A bool value serves switches and booleans alike. Raises InvalidCommand.
    """

    name: str
    parameters: Parameters = field(default_factory=lambda: MappingProxyType({}))
    effect: Effect = "read"
    runspace: Runspace = "local"
    properties: tuple[str, ...] | None = None
    depth: int = 4
    kind: Literal["cmdlet"] = field(default="cmdlet", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidCommand(f"not the name of a cmdlet: {self.name!r}")
        for name in self.properties or ():
            if not _PROPERTY.fullmatch(name):
                raise InvalidCommand(f"not the name of a property: {name!r}")
        if not 1 <= self.depth <= _MAX_DEPTH:
            raise InvalidCommand(f"depth is 1 to {_MAX_DEPTH}")

    def __hash__(self) -> int:
        return hash(self.render())

    def render(self) -> str:
        """The line as a person would type it; the wanted properties are not part of it."""
        return " ".join((self.name, *_rendered_parameters(self.parameters)))


@dataclass(frozen=True, config=STRICT)
class Program:
    """An executable by its full Windows path. Its exit code is in the reply, its error output among the errors.

    Windows PowerShell 5.1 drops empty arguments and mangles double quotes, so both are refused. Raises InvalidCommand.
    """

    path: str
    arguments: Arguments = ()
    effect: Effect = "read"
    runspace: Literal["local"] = "local"
    kind: Literal["program"] = field(default="program", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        _check_path(self.path, ".exe")
        for argument in self.arguments:
            if isinstance(argument, Later):
                continue
            if not argument or '"' in argument or (argument.endswith("\\") and " " in argument):
                raise InvalidCommand(f"Windows PowerShell cannot pass this argument unchanged: {argument!r}")
            check_text(argument, f"an argument of {self.name}")

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rsplit("\\", 1)[-1]

    def render(self) -> str:
        """The line as a person would type it in PowerShell."""
        return " ".join(("&", quoted(self.path), *(rendered(argument) for argument in self.arguments)))


@dataclass(frozen=True, config=STRICT)
class Script:
    """A .ps1 on the server by its full Windows path. Raises InvalidCommand.

    It runs in a runspace of its own whose error preference is Stop; `imports` are the commands of endpoint `exchange`
    that are imported there first. A script may still swallow errors: believe the read-back only.
    """

    path: str
    parameters: Parameters = field(default_factory=lambda: MappingProxyType({}))
    effect: Effect = "read"
    runspace: Literal["local"] = "local"
    imports: tuple[str, ...] = ()
    kind: Literal["script"] = field(default="script", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        _check_path(self.path, ".ps1")
        for name in self.imports:
            if not _NAME.fullmatch(name):
                raise InvalidCommand(f"not the name of a cmdlet: {name!r}")

    def __hash__(self) -> int:
        return hash(self.render())

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rsplit("\\", 1)[-1]

    def render(self) -> str:
        """The line as a person would type it in the Exchange Management Shell."""
        return " ".join(("&", quoted(self.path), *_rendered_parameters(self.parameters)))


Command: TypeAlias = Annotated[Cmdlet | Program | Script, Discriminator("kind")]


def bind(command: Command, known: Mapping[str, Value]) -> Command:
    """The command with every `Later` that `known` names put in; the others stay."""

    def bound(value: Any) -> Any:
        return known.get(value.name, value) if isinstance(value, Later) else value

    if isinstance(command, Program):
        return replace(command, arguments=tuple(bound(argument) for argument in command.arguments))
    return replace(command, parameters={name: bound(value) for name, value in command.parameters.items()})


def _rendered_parameters(parameters: Mapping[str, Value]) -> list[str]:
    """Switches and booleans as -Name:$true, which binds to both."""
    return [
        f"-{name}:{rendered(value)}" if isinstance(value, bool) else f"-{name} {rendered(value)}"
        for name, value in parameters.items()
    ]


def _check_path(path: str, suffix: str) -> None:
    check_text(path, "a path")
    if not _PATH.fullmatch(path) or not path.lower().endswith(suffix) or "\\..\\" in path:
        raise InvalidCommand(f"not the full path of a {suffix} file on a local drive: {path!r}")
