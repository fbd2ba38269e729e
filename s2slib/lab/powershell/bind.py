"""Parameter binding: names, prefixes, aliases, positions, parameter sets, conversion, validation, pipeline input.

One binder serves cmdlets and script functions. Order, as the engine has it: names, positions, what is left over, sets,
mandatory parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.errors import ErrorRecord, ExceptionObject, PsError, Unsupported
from s2slib.lab.powershell.registry import BindError, Parameter
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType, is_instance, resolve_type

BINDING = SMA + "ParameterBindingException"
VALIDATION = SMA + "ParameterBindingValidationException"
TRANSFORMATION = SMA + "ParameterBindingArgumentTransformationException"
MISSING: Any = object()


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


# -- errors


def _error(
    signature: Signature,
    message: str,
    id: str,
    category: str,
    *,
    kind: str = BINDING,
    arg: RawArgument | None = None,
    inner: ExceptionObject | None = None,
) -> PsError:
    exc = ExceptionObject(kind, message, inner=inner)
    suffix = signature.suffix
    exc.record = ErrorRecord(
        exc, id, category, suffix=suffix, activity=signature.name, reason="ParentContainsErrorRecordException"
    )
    record = ErrorRecord(exc, id, category, suffix=suffix, activity=signature.name)
    record.command = signature.name
    error = PsError(record)
    if arg is not None:
        error.extent = (arg.pos, arg.end)
    return error


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


class Binder:
    """One binding: arguments in, `values` by canonical name and `parameter_set` out."""

    def __init__(self, signature: Signature, call: Any = None) -> None:
        self.signature, self.call = signature, call
        self.values: dict[str, Any] = {}
        self.args: list[Any] = []
        self.parameter_set = ""
        self.sets: list[str] = list(signature.set_names)
        self.pipeline_bound: list[str] = []

    def bind(self, raw: list[RawArgument], *, expects_input: bool) -> None:
        """Bind a command line. Raises PsError as the engine would."""
        signature = self.signature
        rest: list[RawArgument] = []
        named: list[tuple[Param, RawArgument, Any]] = []
        i = 0
        while i < len(raw):
            arg = raw[i]
            i += 1
            if arg.name is None:
                rest.append(arg)
                continue
            param = self.resolve(arg)
            if param is None:
                rest.append(arg)
                continue
            if arg.given:
                named.append((param, arg, arg.value))
            elif param.is_switch:
                named.append((param, arg, v.SwitchParameter(True)))
            elif i < len(raw) and raw[i].name is None:
                named.append((param, arg, raw[i].value))
                i += 1
            else:
                raise _error(
                    signature,
                    f"Missing an argument for parameter '{param.name}'. Specify a parameter of type "
                    f"'{param.type.display}' and try again.",
                    "MissingArgument",
                    "InvalidArgument",
                    arg=arg,
                )
        seen: set[str] = set()
        for param, arg, _ in named:
            if param.name in seen:
                raise _error(
                    signature,
                    f"Cannot bind parameter because parameter '{param.name}' is specified more than once. To provide "
                    "multiple values to parameters that can accept multiple values, use the array syntax. For example, "
                    '"-parameter value1,value2,value3".',
                    "ParameterAlreadyBound",
                    "InvalidArgument",
                    arg=arg,
                )
            seen.add(param.name)
        for param, arg, value in named:
            self.set_value(param, value, arg)
        self._positional(rest)
        self._choose_set(expects_input)

    def resolve(self, arg: RawArgument) -> Param | None:
        """The parameter a name means; None when there is none."""
        assert arg.name is not None
        low = arg.name.lower()
        exact = self.signature.by_name.get(low)
        if exact is not None:
            return exact
        found = [p for p in self.signature.params if p.name.lower().startswith(low)]
        for param in self.signature.params:
            if param not in found and any(a.lower().startswith(low) for a in param.aliases):
                found.append(param)
        if len(found) > 1 and not all(p.common for p in found):
            own = [p for p in found if not p.common]
            found = own if len(own) == 1 else found
        if len(found) > 1:
            matches = "".join(f" -{p.name}" for p in found)
            raise _error(
                self.signature,
                f"Parameter cannot be processed because the parameter name '{arg.name}' is ambiguous. Possible matches "
                f"include:{matches}.",
                "AmbiguousParameter",
                "InvalidArgument",
                arg=arg,
            )
        return found[0] if found else None

    def _narrow(self, param: Param) -> None:
        if "" not in param.sets:
            self.sets = [s for s in self.sets if s in param.sets]
            if not self.sets:
                raise self._ambiguous_set()

    def _ambiguous_set(self) -> PsError:
        return _error(
            self.signature,
            "Parameter set cannot be resolved using the specified named parameters.",
            "AmbiguousParameterSet",
            "InvalidArgument",
        )

    def set_value(self, param: Param, value: Any, arg: RawArgument | None) -> None:
        """Convert, validate and bind one value."""
        self.values[param.name] = self.coerce(param, value, arg)
        self._narrow(param)

    def coerce(self, param: Param, value: Any, arg: RawArgument | None) -> Any:
        """The value as the parameter takes it."""
        if value is v.NOTHING:
            value = None
        try:
            if param.type.name == "System.Collections.Hashtable" and isinstance(value, Table) and value.ordered:
                value = Table(items=value.written())
            else:
                value = convert(value, param.type, parameter=True)
        except PsError as e:
            raise self._conversion_error(param, e, value, arg) from None
        if param.canonical:
            value = self._canonical(param, value, arg)
        for check in param.validators:
            try:
                check(value)
            except ValidationFailed as e:
                inner = ExceptionObject(SMA + "ValidationMetadataException", e.message)
                inner.record = ErrorRecord(inner, e.id, "MetadataError", reason="ParentContainsErrorRecordException")
                raise _error(
                    self.signature,
                    f"Cannot validate argument on parameter '{param.name}'. {e.message}",
                    "ParameterArgumentValidationError",
                    "InvalidData",
                    kind=VALIDATION,
                    arg=arg,
                    inner=inner,
                ) from None
        if any(d.mandatory for d in param.sets.values()):
            self._not_empty(param, value, arg)
        if param.transform is not None:
            try:
                value = param.transform(self.call, value)
            except BindError as e:
                raise _error(
                    self.signature,
                    f'Cannot bind parameter \'{param.name}\' to the target. Exception setting "{param.name}": "{e}"',
                    "ParameterBindingFailed",
                    "WriteError",
                    arg=arg,
                    inner=ExceptionObject(
                        SMA + "SetValueInvocationException", f'Exception setting "{param.name}": "{e}"'
                    ),
                ) from None
        return value

    def _canonical(self, param: Param, value: Any, arg: RawArgument | None) -> Any:
        def one(item: Any) -> Any:
            if item is None:
                return None
            text = to_text(item)
            for name in param.canonical:
                if name.lower() == text.lower():
                    return name
            names = ", ".join(param.canonical)
            raise _error(
                self.signature,
                f"Cannot bind parameter '{param.name}'. Cannot convert value \"{text}\" to the type of the parameter. "
                f'Error: "Unable to match the identifier name {text} to a valid enumerator name. Specify one of the '
                f'following enumerator names and try again:\n{names}"',
                "CannotConvertArgumentNoMessage",
                "InvalidArgument",
                arg=arg,
            )

        if isinstance(value, list):
            made = [one(i) for i in value]
            return v.PsArray(value.element, made) if isinstance(value, v.PsArray) else made
        return one(value)

    def _conversion_error(self, param: Param, e: PsError, value: Any, arg: RawArgument | None) -> PsError:
        why = e.record.message
        found = e.record.exception.properties
        cast = ExceptionObject(SMA + "PSInvalidCastException", why, inner=found.get("cause"))
        cast.record = ErrorRecord(
            cast, e.record.error_id, e.record.category, reason="ParentContainsErrorRecordException"
        )
        cast.properties["unknown_inner"] = bool(found.get("unknown_inner")) and "cause" not in found
        if self.signature.compiled:
            return _error(
                self.signature,
                f"Cannot bind parameter '{param.name}'. {why}",
                "CannotConvertArgumentNoMessage",
                "InvalidArgument",
                arg=arg,
                inner=cast,
            )
        inner = ExceptionObject(SMA + "ArgumentTransformationMetadataException", why, inner=cast)
        inner.record = ErrorRecord(
            inner, "RuntimeException", "MetadataError", reason="ParentContainsErrorRecordException"
        )
        return _error(
            self.signature,
            f"Cannot process argument transformation on parameter '{param.name}'. {why}",
            "ParameterArgumentTransformationError",
            "InvalidData",
            kind=TRANSFORMATION,
            arg=arg,
            inner=inner,
        )

    def _not_empty(self, param: Param, value: Any, arg: RawArgument | None) -> None:
        what: tuple[str, str] | None = None
        if value is None and not param.allow_null:
            what = "is null", "NullNotAllowed"
        elif isinstance(value, str) and value == "" and not param.allow_empty and not isinstance(value, v.Char):
            what = "is an empty string", "EmptyStringNotAllowed"
        elif isinstance(value, (list, bytes)) and not param.allow_empty_collection:
            if len(value) == 0:
                what = "is an empty array", "EmptyArrayNotAllowed"
            elif any(i is None for i in value) and not param.allow_null:
                what = "is null", "NullNotAllowed"
            elif param.type.name == "System.String[]" and "" in value and not param.allow_empty:
                what = "is an empty string", "EmptyStringNotAllowed"
        if what:
            raise _error(
                self.signature,
                f"Cannot bind argument to parameter '{param.name}' because it {what[0]}.",
                "ParameterArgumentValidationError" + what[1],
                "InvalidData",
                kind=VALIDATION,
                arg=arg,
            )

    # -- positions

    def _positional(self, rest: list[RawArgument]) -> None:
        values = [a for a in rest if a.name is None]
        unknown = next((a for a in rest if a.name is not None), None)
        if self.signature.positional:
            values = self._place(values)
        if self.signature.advanced:
            if unknown is not None:
                raise _error(
                    self.signature,
                    f"A parameter cannot be found that matches parameter name '{unknown.name}'.",
                    "NamedParameterNotFound",
                    "InvalidArgument",
                    arg=unknown,
                )
            if values:
                raise _error(
                    self.signature,
                    f"A positional parameter cannot be found that accepts argument '{to_text(values[0].value)}'.",
                    "PositionalParameterNotFound",
                    "InvalidArgument",
                )
            return
        left = {id(a) for a in values}
        for arg in rest:
            if arg.name is not None:
                self.args.append(f"-{arg.name}" + (":" if arg.given else ""))
                if arg.given:
                    self.args.append(arg.value)
            elif id(arg) in left:
                self.args.append(arg.value)

    def _place(self, values: list[RawArgument]) -> list[RawArgument]:
        values = list(values)
        while values:
            candidates = self._next_position()
            if not candidates:
                break
            self._bind_position(candidates, values.pop(0))
        if values:
            for param in self.signature.params:
                if param.name not in self.values and any(d.remaining for d in param.sets.values()):
                    whole = values[0].value if len(values) == 1 else [arg.value for arg in values]
                    self.set_value(param, whole, values[0])
                    return []
        return values

    def _next_position(self) -> list[Param]:
        """Each valid set's next unbound position, the default set's first."""
        default = self.signature.default_set
        order = ([default] if default in self.sets else []) + [s for s in self.sets if s != default]
        found: list[Param] = []
        for name in order or [""]:
            best: tuple[int, Param] | None = None
            for param in self.signature.params:
                data = param.data(name)
                if data is None or data.position is None or data.remaining or param.name in self.values:
                    continue
                if best is None or data.position < best[0]:
                    best = (data.position, param)
            if best is not None and best[1] not in found:
                found.append(best[1])
        return found

    def _bind_position(self, candidates: list[Param], arg: RawArgument) -> None:
        """The candidate whose type the value has; else the first that it converts to."""
        if len(candidates) > 1:
            for param in candidates:
                if arg.value is not None and is_instance(arg.value, param.type) and param.type.name != "System.Object":
                    self.set_value(param, arg.value, arg)
                    return
        failure: PsError | None = None
        for param in candidates:
            try:
                self.set_value(param, arg.value, arg)
                return
            except PsError as e:
                failure = failure or e
        assert failure is not None
        raise failure

    # -- sets and mandatory parameters

    def _missing(self, chosen: str, expects_input: bool) -> list[str]:
        found = []
        for param in self.signature.params:
            data = param.data(chosen)
            if data is None or not data.mandatory or param.name in self.values:
                continue
            if expects_input and (data.from_pipeline or data.by_property_name):
                continue
            found.append(param.name)
        return found

    def _choose_set(self, expects_input: bool) -> None:
        default = self.signature.default_set
        if not self.signature.set_names:
            chosen = "__AllParameterSets"
            missing = self._missing("", expects_input)
        elif len(self.sets) == 1:
            chosen = self.sets[0]
            missing = self._missing(chosen, expects_input)
        elif default in self.sets:
            chosen = default
            missing = self._missing(chosen, expects_input)
        else:
            complete = [s for s in self.sets if not self._missing(s, expects_input)]
            if len(complete) != 1:
                raise self._ambiguous_set()
            chosen, missing = complete[0], []
        self.parameter_set = chosen
        if missing:
            raise _error(
                self.signature,
                f"Cannot process command because of one or more missing mandatory parameters: {' '.join(missing)}.",
                "MissingMandatoryParameter",
                "InvalidArgument",
            )

    # -- pipeline input

    def bind_input(self, item: Any) -> bool:
        """Bind one input object to what takes it; False when nothing does."""
        for name in self.pipeline_bound:
            self.values.pop(name, None)
        self.pipeline_bound = []
        chosen = self.parameter_set if self.signature.set_names else ""
        free = [(p, p.data(chosen)) for p in self.signature.params if p.name not in self.values]
        for exact in (True, False):
            for by_name in (False, True):
                for param, data in free:
                    if data is None or param.name in self.values:
                        continue
                    if self._try_input(param, data, item, exact=exact, by_name=by_name):
                        self.pipeline_bound.append(param.name)
            if self.pipeline_bound:
                return True
        return False

    def _try_input(self, param: Param, data: SetData, item: Any, *, exact: bool, by_name: bool) -> bool:
        if by_name:
            if not data.by_property_name:
                return False
            value = _property(item, (param.name, *param.aliases))
            if value is MISSING:
                return False
        else:
            if not data.from_pipeline:
                return False
            value = item
        if exact:
            if value is None or not (
                param.type.name in ("System.Object", SMA + "PSObject") or is_instance(value, param.type)
            ):
                return False
            self.values[param.name] = self.coerce(param, value, None)
            return True
        try:
            self.values[param.name] = self.coerce(param, value, None)
        except PsError:
            return False
        return True


def _property(item: Any, names: Sequence[str]) -> Any:
    if isinstance(item, v.PsObject):
        for name in names:
            key = item.find(name)
            if key is not None:
                return item.properties[key]
    return MISSING
