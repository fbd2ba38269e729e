"""Parameter binding for commands that come as objects: names, positions, sets, mandatory ones, validation.

The order is the engine's: names (whole, by alias, by an unambiguous beginning), positions, what is left over, the parameter
set, mandatory parameters. What does not bind is a terminating error before the command runs; its ids and texts are those of a
function, which is what the real engine's modules are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2slab.engine import values as v
from s2slab.engine.convert import CannotConvert, convert
from s2slab.engine.records import NESTED, SMA, ErrorRecord, Failed
from s2slab.engine.registry import CmdletSpec, Parameter

COMMON = (
    Parameter("Verbose", "switch", aliases=("vb",)),
    Parameter("Debug", "switch", aliases=("db",)),
    Parameter("ErrorAction", "string", aliases=("ea",)),
    Parameter("WarningAction", "string", aliases=("wa",)),
    Parameter("InformationAction", "string", aliases=("infa",)),
    Parameter("ProgressAction", "string", aliases=("proga",)),
    Parameter("ErrorVariable", "string", aliases=("ev",)),
    Parameter("WarningVariable", "string", aliases=("wv",)),
    Parameter("InformationVariable", "string", aliases=("iv",)),
    Parameter("OutVariable", "string", aliases=("ov",)),
    Parameter("OutBuffer", "int", aliases=("ob",)),
    Parameter("PipelineVariable", "string", aliases=("pv",)),
)
RISK = (Parameter("WhatIf", "switch", aliases=("wi",)), Parameter("Confirm", "switch", aliases=("cf",)))
ALL_SETS = "__AllParameterSets"
Named = Sequence[tuple[str, Any]]


class Binder:
    """One binding: `values` by canonical name and `parameter_set` are there once `bind` returned."""

    def __init__(self, spec: CmdletSpec) -> None:
        self._name = spec.name
        self._parameters: tuple[Parameter, ...] = (*spec.parameters, *COMMON, *(RISK if spec.should_process else ()))
        self._default = spec.default_set
        self._sets = list(dict.fromkeys(one for p in spec.parameters for one in p.sets))
        if self._default and self._default not in self._sets:
            self._sets.append(self._default)
        self._known_sets = bool(self._sets)
        self.values: dict[str, Any] = {}
        self.parameter_set = ALL_SETS

    def bind(self, named: Named, positional: Sequence[Any] = ()) -> None:
        """Bind named and positional arguments. Raises Failed as the engine would."""
        found = [(self._resolve(name), name, value) for name, value in named]
        unknown = next((name for parameter, name, _ in found if parameter is None), None)
        seen: set[str] = set()
        for parameter, _, _ in found:
            if parameter is not None and parameter.name in seen:
                raise self._error(
                    f"Cannot bind parameter because parameter '{parameter.name}' is specified more than once. To provide "
                    "multiple values to parameters that can accept multiple values, use the array syntax. For example, "
                    '"-parameter value1,value2,value3".',
                    "ParameterAlreadyBound",
                )
            if parameter is not None:
                seen.add(parameter.name)
        for parameter, _, value in found:
            if parameter is not None:
                self._set(parameter, value)
        left = self._place(list(positional))
        if unknown is not None:
            message = f"A parameter cannot be found that matches parameter name '{unknown}'."
            raise self._error(message, "NamedParameterNotFound")
        if left:
            message = f"A positional parameter cannot be found that accepts argument '{v.to_text(left[0])}'."
            raise self._error(message, "PositionalParameterNotFound")
        self._choose()

    def _error(self, message: str, id: str) -> Failed:
        kind = SMA + "ParameterBindingException"
        return Failed(ErrorRecord(message, f"{id},{self._name}", "InvalidArgument", kind, NESTED))

    def _resolve(self, name: str) -> Parameter | None:
        low = name.lower()
        for parameter in self._parameters:
            if low == parameter.name.lower() or low in (alias.lower() for alias in parameter.aliases):
                return parameter
        found: list[Parameter] = [
            p for p in self._parameters if any(known.lower().startswith(low) for known in (p.name, *p.aliases))
        ]
        own = [parameter for parameter in found if parameter not in COMMON]
        found = own if len(own) == 1 else found
        if len(found) > 1:
            matches = "".join(f" -{parameter.name}" for parameter in found)
            raise self._error(
                f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. Possible matches "
                f"include:{matches}.",
                "AmbiguousParameter",
            )
        return found[0] if found else None

    def _set(self, parameter: Parameter, value: Any) -> None:
        try:
            value = convert(value, parameter.type)
        except CannotConvert as failure:
            text = f"Cannot process argument transformation on parameter '{parameter.name}'. {failure.message}"
            raise Failed(
                ErrorRecord(failure.message, failure.id, "InvalidArgument", SMA + "PSInvalidCastException", NESTED),
                self._outer(text, "ParameterArgumentTransformationError", "ArgumentTransformation"),
            ) from None
        self._validate(parameter, value)
        self.values[parameter.name] = value
        if parameter.sets:
            self._sets = [one for one in self._sets if one in parameter.sets]
            if not self._sets:
                raise self._ambiguous()

    def _validate(self, parameter: Parameter, value: Any) -> None:
        allowed = parameter.values or ()
        for item in value if isinstance(value, list) else [value]:
            if allowed and v.to_text(item).lower() not in [known.lower() for known in allowed]:
                text = f'The argument "{v.to_text(item)}" does not belong to the set "{",".join(allowed)}" specified by the '
                text += "ValidateSet attribute. Supply an argument that is in the set and then try the command again."
                raise self._invalid(parameter, text, "ValidateSetFailure")
        if parameter.mandatory and not parameter.allow_null and not (parameter.not_empty and value is None):
            self._require(parameter, value)
        if parameter.not_empty and (value is None or (isinstance(value, str | bytes) and not value)):
            text = "The argument is null or empty. Provide an argument that is not null or empty, and then try the command again."
            raise self._invalid(parameter, text, "ArgumentIsEmpty")
        if parameter.not_empty and isinstance(value, list) and (not value or None in value or "" in value):
            text = (
                "The argument is null, empty, or an element of the argument collection contains a null value. Supply a "
            )
            text += "collection that does not contain any null values and then try the command again."
            raise self._invalid(parameter, text, "ArgumentIsEmpty")

    def _require(self, parameter: Parameter, value: Any) -> None:
        typed = parameter.type.lower() != "object"
        what: tuple[str, str] | None = None
        if value is None:
            what = "is null", "NullNotAllowed"
        elif typed and (value == "" or (isinstance(value, list) and "" in value)) and not isinstance(value, v.PsUri):
            what = "is an empty string", "EmptyStringNotAllowed"
        elif typed and isinstance(value, list | bytes) and len(value) == 0:
            what = "is an empty array", "EmptyArrayNotAllowed"
        if what is not None:
            text = f"Cannot bind argument to parameter '{parameter.name}' because it {what[0]}."
            raise Failed(self._outer(text, f"ParameterArgumentValidationError{what[1]}", "Validation"))

    def _invalid(self, parameter: Parameter, text: str, id: str) -> Failed:
        return Failed(
            ErrorRecord(text, id, "MetadataError", SMA + "ValidationMetadataException", NESTED),
            self._outer(
                f"Cannot validate argument on parameter '{parameter.name}'. {text}",
                "ParameterArgumentValidationError",
                "Validation",
            ),
        )

    def _outer(self, text: str, id: str, kind: str) -> ErrorRecord:
        exception = f"{SMA}ParameterBinding{kind}Exception"
        return ErrorRecord(text, f"{id},{self._name}", "InvalidData", exception, NESTED)

    def _place(self, values: list[Any]) -> list[Any]:
        """Bind by position, one value after the other; what no parameter takes."""
        while values:
            candidates = self._next()
            if not candidates:
                break
            value = values.pop(0)
            failure: Failed | None = None
            for parameter in candidates:
                try:
                    self._set(parameter, value)
                    break
                except Failed as error:
                    failure = failure or error
            else:
                assert failure is not None
                raise failure
        return values

    def _next(self) -> list[Parameter]:
        """The next unbound position of each set that is still possible, the default set's first."""
        order = sorted(self._sets, key=lambda one: one != self._default) or [ALL_SETS]
        found: list[Parameter] = []
        for chosen in order:
            free = [
                p
                for p in self._parameters
                if p.position is not None and p.name not in self.values and (not p.sets or chosen in p.sets)
            ]
            if free and (first := min(free, key=lambda p: p.position or 0)) not in found:
                found.append(first)
        return found

    def _missing(self, chosen: str) -> list[str]:
        return [
            p.name
            for p in self._parameters
            if p.mandatory and p.name not in self.values and (not p.sets or chosen in p.sets)
        ]

    def _choose(self) -> None:
        if not self._known_sets:
            chosen = ALL_SETS
        elif len(self._sets) == 1:
            chosen = self._sets[0]
        elif self._default in self._sets:
            chosen = self._default
        else:
            complete = [one for one in self._sets if not self._missing(one)]
            if len(complete) != 1:
                raise self._ambiguous()
            chosen = complete[0]
        missing = self._missing(chosen)
        if missing:
            text = f"Cannot process command because of one or more missing mandatory parameters: {' '.join(missing)}."
            raise self._error(text, "MissingMandatoryParameter")
        self.parameter_set = chosen

    def _ambiguous(self) -> Failed:
        return self._error(
            "Parameter set cannot be resolved using the specified named parameters. One or more parameters issued cannot be "
            "used together or an insufficient number of parameters were provided.",
            "AmbiguousParameterSet",
        )
