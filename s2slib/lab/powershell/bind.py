"""Parameter binding: names, prefixes, aliases, positions, parameter sets, conversion, validation, pipeline input.

One binder serves cmdlets and script functions. Order, as the engine has it: names, positions, what is left over, sets,
mandatory parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.enums import ENUMS
from s2slib.lab.powershell.errors import ErrorRecord, ExceptionObject, PsError, Unsupported
from s2slib.lab.powershell.parameters import Param, RawArgument, SetData, Signature, ValidationFailed
from s2slib.lab.powershell.registry import BindError
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, is_instance, type_name_of

BINDING = SMA + "ParameterBindingException"
VALIDATION = SMA + "ParameterBindingValidationException"
TRANSFORMATION = SMA + "ParameterBindingArgumentTransformationException"
MISSING: Any = object()
LISTS = ("System.Collections.ArrayList", "System.Collections.Generic.List")
TAKES_LISTS = ("System.Object", SMA + "PSObject", "System.Array", "System.Collections.ArrayList")


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
        if self.signature.compiled:
            if value is None:
                return self._nothing(param, arg)
            self._refuse_list(param, value, arg)
        elif param.type.name == "System.String" and _is_list(value) and not self.signature.advanced:
            value = to_text(value)  # simple functions still do what version 1 did
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

    def _nothing(self, param: Param, arg: RawArgument | None) -> Any:
        """$null for a cmdlet's parameter.

        | parameter | what becomes of it |
        | --- | --- |
        | a switch | it is present |
        | [bool], or mandatory without AllowNull | "because it is null" |
        | text of PowerShell's own cmdlets, or an object | stays $null |
        | text of other cmdlets | empty: what they make of $null is their own |
        | a number, a date and the like | refused |
        """
        if param.is_switch:
            return v.SwitchParameter(True)
        if param.type.name == "System.Boolean":
            raise _error(
                self.signature,
                f"Cannot bind argument to parameter '{param.name}' because it is null.",
                "ParameterArgumentValidationErrorNullNotAllowed",
                "InvalidArgument",
                arg=arg,
            )
        if any(d.mandatory for d in param.sets.values()):
            self._not_empty(param, None, arg)
        own = self.signature.suffix.startswith("Microsoft.PowerShell.Commands.")
        try:
            empty = convert(None, param.type, parameter=True)
        except PsError:
            raise Unsupported(f"$null for -{param.name}") from None
        if empty is None or empty == "":
            return None if own else empty
        if own:
            raise Unsupported(f"$null for -{param.name}")
        return empty

    def _refuse_list(self, param: Param, value: Any, arg: RawArgument | None) -> None:
        """Cmdlets take no list, not even of one item, for a parameter that takes one value."""
        kind = param.type
        lists = [value] if kind.element is None else value if _is_list(value) else []
        wanted = kind.element or kind
        if wanted.name in ENUMS or wanted.args or wanted.name in TAKES_LISTS or not any(map(_is_list, lists)):
            return
        given = next(item for item in lists if _is_list(item))
        raise _error(
            self.signature,
            f"Cannot convert '{type_name_of(given)}' to the type '{wanted.display}' required by parameter '{param.name}'. "
            "Specified method is not supported.",
            "CannotConvertArgument",
            "InvalidArgument",
            arg=arg,
            inner=ExceptionObject("System.NotSupportedException", "Specified method is not supported."),
        )

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
                valid = [d for name, d in param.sets.items() if not name or name in self.sets]
                if param.name not in self.values and any(d.remaining for d in valid):
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


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, bytes)) or (isinstance(value, v.Collection) and value.kind in LISTS)


def _property(item: Any, names: Sequence[str]) -> Any:
    if isinstance(item, v.PsObject):
        for name in names:
            key = item.find(name)
            if key is not None:
                return item.properties[key]
    return MISSING
