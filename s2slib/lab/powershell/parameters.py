"""Parameters as the binder sees them: sets, aliases, validation; and the common ones every command has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.registry import Parameter
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType, resolve_type


@dataclass(slots=True)
class RawArgument:
    """One element of a command line, evaluated. `name` is None for a positional value; `given` says a value came along."""

    name: str | None
    value: Any = None
    given: bool = False
    pos: int = 0
    end: int = 0
    written: str = ""


@dataclass(slots=True)
class SetData:
    """What a parameter is in one parameter set."""

    mandatory: bool = False
    position: int | None = None
    from_pipeline: bool = False
    by_property_name: bool = False
    remaining: bool = False


@dataclass(slots=True)
class Param:
    """One parameter as the binder sees it; `sets` by name, '' for all of them."""

    name: str
    type: PsType
    sets: dict[str, SetData]
    aliases: tuple[str, ...] = ()
    validators: tuple[Callable[[Any], None], ...] = ()
    transform: Callable[[Any, Any], Any] | None = None
    allow_null: bool = False
    allow_empty: bool = False
    allow_empty_collection: bool = False
    canonical: tuple[str, ...] = ()  # enum-like names of a compiled cmdlet: handed on as spelt here
    common: bool = False

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value of its own."""
        return self.type.name == SMA + "SwitchParameter"

    def data(self, chosen: str) -> SetData | None:
        """What it is in a set, or None when it is not part of it."""
        return self.sets.get(chosen) or self.sets.get("")


@dataclass(slots=True)
class Signature:
    """The parameters of a command. `advanced` commands refuse arguments they cannot place; others leave them in $args."""

    name: str
    suffix: str
    params: list[Param]
    default_set: str = ""
    advanced: bool = True
    compiled: bool = True  # a cmdlet, not a script function: messages differ
    positional: bool = True
    by_name: dict[str, Param] = field(default_factory=dict)
    set_names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for param in self.params:
            self.by_name.setdefault(param.name.lower(), param)
            for alias in param.aliases:
                self.by_name.setdefault(alias.lower(), param)
            self.set_names.extend(s for s in param.sets if s and s not in self.set_names)
        if self.default_set and self.default_set not in self.set_names:
            self.set_names.append(self.default_set)

    @property
    def takes_pipeline(self) -> bool:
        """Whether any parameter takes pipeline input."""
        return any(d.from_pipeline or d.by_property_name for p in self.params for d in p.sets.values())


def _common(name: str, alias: str, type_name: str) -> Param:
    return Param(name, resolve_type(type_name), {"": SetData()}, (alias,), common=True)


def common_parameters(should_process: bool) -> list[Param]:
    """The parameters every advanced command has."""
    action = SMA + "ActionPreference"
    found = [
        _common("Verbose", "vb", "switch"),
        _common("Debug", "db", "switch"),
        _common("ErrorAction", "ea", action),
        _common("WarningAction", "wa", action),
        _common("InformationAction", "infa", action),
        _common("ErrorVariable", "ev", "string"),
        _common("WarningVariable", "wv", "string"),
        _common("InformationVariable", "iv", "string"),
        _common("OutVariable", "ov", "string"),
        _common("OutBuffer", "ob", "int"),
        _common("PipelineVariable", "pv", "string"),
    ]
    if should_process:
        found += [_common("WhatIf", "wi", "switch"), _common("Confirm", "cf", "switch")]
    return found


def from_registry(parameter: Parameter) -> Param:
    """A registry's parameter as the binder sees it."""
    data = SetData(
        parameter.mandatory,
        parameter.position,
        parameter.from_pipeline,
        parameter.from_pipeline_by_property_name,
        parameter.remaining,
    )
    names = parameter.sets or ("",)
    validators: tuple[Callable[[Any], None], ...] = ()
    if parameter.not_empty:
        validators = (validate_not_empty(null_too=True),)
    return Param(
        parameter.name,
        resolve_type(parameter.type),
        dict.fromkeys(names, data),
        parameter.aliases,
        validators,
        parameter.transform,
        allow_null=parameter.allow_null,
        allow_empty=parameter.allow_null,
        allow_empty_collection=parameter.allow_null,
        canonical=parameter.values or (),
    )


class ValidationFailed(Exception):
    """A validator refused the value."""

    def __init__(self, message: str, id: str) -> None:
        self.message, self.id = message, id


def validate_set(names: Sequence[str], ignore_case: bool = True) -> Callable[[Any], None]:
    """ValidateSet."""

    def check(value: Any) -> None:
        for item in value if isinstance(value, list) else [value]:
            text = to_text(item)
            if not any(text == n or (ignore_case and text.lower() == n.lower()) for n in names):
                raise ValidationFailed(
                    f'The argument "{text}" does not belong to the set "{",".join(names)}" specified by the ValidateSet '
                    "attribute. Supply an argument that is in the set and then try the command again.",
                    "ValidateSetFailure",
                )

    return check


def validate_not_empty(*, null_too: bool) -> Callable[[Any], None]:
    """ValidateNotNullOrEmpty, ValidateNotNull."""

    def check(value: Any) -> None:
        empty = value is None
        if null_too:
            empty = empty or value == "" or (isinstance(value, (list, bytes, v.Collection, Table)) and len(value) == 0)
            empty = empty or (isinstance(value, list) and any(i is None or i == "" for i in value))
        elif isinstance(value, list):
            empty = any(i is None for i in value)
        if empty:
            raise ValidationFailed(
                "The argument is null or empty. Provide an argument that is not null or empty, and then try the command "
                "again."
                if null_too
                else "The argument is null. Provide a valid value for the argument, and then try running the command again.",
                "ArgumentIsEmpty" if null_too else "ArgumentIsNull",
            )

    return check


def validate_range(low: Any, high: Any) -> Callable[[Any], None]:
    """ValidateRange over numbers."""

    def check(value: Any) -> None:
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, (int, float)) or isinstance(item, bool):
                raise Unsupported("ValidateRange on something that is no number")
            if item > high:
                raise ValidationFailed(
                    f"The {to_text(item)} argument is greater than the maximum allowed range of {to_text(high)}. Supply an "
                    f"argument that is less than or equal to {to_text(high)} and then try the command again.",
                    "ValidateRangeTooBig",
                )
            if item < low:
                raise ValidationFailed(
                    f"The {to_text(item)} argument is less than the minimum allowed range of {to_text(low)}. Supply an "
                    f"argument that is greater than or equal to {to_text(low)} and then try the command again.",
                    "ValidateRangeTooSmall",
                )

    return check
