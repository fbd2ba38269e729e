"""Properties, methods, indexes and constructors: found in tables by type; what no table knows is refused."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import operators as ops
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.convert_scalars import to_integer
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.enums import ENUMS, enum_named
from s2slib.lab.powershell.errors import (
    KNOWN_EXCEPTIONS,
    DotNetError,
    ExceptionObject,
    PsError,
    Unsupported,
    exception_types,
    method_error,
    runtime_error,
)
from s2slib.lab.powershell.format import current_text, format_value
from s2slib.lab.powershell.tables import ORDERED, Table
from s2slib.lab.powershell.types import BASES, SMA, PsType, array_of, named, resolve_type, type_of

if TYPE_CHECKING:
    from s2slib.lab.powershell.interpreter import Engine
from s2slib.lab.powershell.typemembers import Method, TypeMembers

_FORMATTABLE = (int, float, Decimal, datetime, timedelta, uuid.UUID, v.PsEnum)
SHARED = ("gettype", "tostring", "equals", "gethashcode")


class Members:
    """Member access for one engine."""

    def __init__(self, engine: Engine) -> None:
        from s2slib.lab.powershell.dotnet import all_members

        self.engine = engine
        self.tables: dict[str, TypeMembers] = all_members()

    # -- finding

    def table(self, kind: PsType) -> TypeMembers | None:
        """The members of a type."""
        if kind.element is not None:
            return self.tables["System.Array"]
        found = self.tables.get(kind.name)
        if found is not None:
            return found
        if kind.is_enum:
            return self.tables["System.Enum"]
        if kind.name in KNOWN_EXCEPTIONS or kind.name.endswith("Exception"):
            return self.tables["System.Exception"]
        for base in BASES.get(kind.name, ()):
            if base in self.tables:
                return self.tables[base]
        return None

    def guard(self, kind: PsType) -> None:
        """Constrained Language Mode lets methods of core types be called only."""
        if self.engine.language_mode == "ConstrainedLanguage" and not self.engine.is_core(kind):
            raise runtime_error(
                "Cannot invoke method. Method invocation is supported only on core types in this language mode.",
                "MethodInvocationNotSupportedInConstrainedLanguage",
                "InvalidOperation",
            )

    # -- properties

    def get(self, f: Frame, target: Any, name: str) -> Any:
        """`target.name`."""
        if target is v.NOTHING:
            target = None
        low = name.lower()
        if low in ("psobject", "psbase", "pstypenames", "psadapted", "psextended"):
            return self._intrinsic(f, target, low)
        if target is None:
            return 0 if low in ("count", "length") else None
        if isinstance(target, v.PsObject):
            key = target.find(name)
            if key is not None:
                return target.properties[key]
            if target.base is None:
                if low in ("count", "length"):
                    raise Unsupported(f".{name} of a custom object, which PowerShell versions answer differently")
                return None
            target = target.base
        if isinstance(target, Table) and target.has(name):
            return target.get(name)
        if isinstance(target, v.Enumerated) and target.once and low in ("count", "length"):
            raise Unsupported(f".{name} of an enumerator")
        found, value = self._own(f, target, low)
        if found:
            return value
        table = self.table(type_of(target))
        items = ops.items_of(target)
        if items is not None and (table is None or low not in table.exists):
            return self._enumerate(f, items, name)
        if low in ("count", "length") and (table is None or low not in table.exists):
            return 1
        if table is None:
            raise Unsupported(f"the property {name} of a {type_of(target).display}")
        if low in table.methods:
            raise Unsupported(f"the method {name} without its parentheses")
        if low in table.exists or not table.closed:
            raise Unsupported(f"the property {name} of a {type_of(target).display}")
        return None

    def _own(self, f: Frame, target: Any, low: str) -> tuple[bool, Any]:
        own = getattr(target, "ps_get", None)
        if own is not None:
            found, value = own(f, low)
            if found:
                return True, value
        table = self.table(type_of(target))
        if table is None:
            return False, None
        getter = table.props.get(low)
        if getter is None:
            return False, None
        try:
            return True, getter(f, target)
        except DotNetError as e:
            raise runtime_error(
                f'Exception getting "{low}": "{e.message}"',
                "GetValueInvocationException",
                type_name=SMA + "GetValueInvocationException",
            ) from None

    def _enumerate(self, f: Frame, items: list[Any], name: str) -> Any:
        out: list[Any] = []
        low = name.lower()
        for item in items:
            if item is None:
                continue
            if isinstance(item, v.PsObject) and item.find(name) is None:
                continue
            if isinstance(item, Table) and not item.has(name) and not self._own(f, item, low)[0]:
                continue
            value = self.get(f, item, name)
            if value is None and not isinstance(item, (v.PsObject, Table)):
                continue
            inner = ops.items_of(value) if not isinstance(value, v.PsObject) else None
            out.extend(inner if inner is not None else [value])
        if not out:
            return None
        return out[0] if len(out) == 1 else out

    def _intrinsic(self, f: Frame, target: Any, low: str) -> Any:
        if target is None:
            return None
        from s2slib.lab.powershell.objectview import PsObjectView, type_name_list

        if low == "pstypenames":
            return type_name_list(target)
        if low == "psobject":
            return PsObjectView(target)
        raise Unsupported(f".{low}")

    def set(self, f: Frame, target: Any, name: str, value: Any) -> None:
        """`target.name = value`."""
        if self.engine.language_mode == "ConstrainedLanguage" and not isinstance(target, (v.PsObject, Table)):
            raise runtime_error(
                "Cannot set property. Property setting is supported only on core types in this language mode.",
                "PropertySetterNotSupportedInConstrainedLanguage",
                "InvalidOperation",
            )
        if isinstance(target, v.PsObject):
            key = target.find(name)
            if key is None:
                raise self._no_property(name)
            target.properties[key] = value
            return
        if isinstance(target, Table):
            target.set(name, value)
            return
        if target is None:
            raise self._no_property(name)
        table = self.table(type_of(target))
        setter = None if table is None else table.setters.get(name.lower())
        if setter is None:
            raise Unsupported(f"setting the property {name} of a {type_of(target).display}")
        try:
            setter(f, target, value)
        except DotNetError as e:
            raise self._setting(name, e) from None

    def _setting(self, name: str, e: DotNetError) -> PsError:
        inner = ExceptionObject(e.type_name, e.message)
        return runtime_error(
            f'Exception setting "{name}": "{e.message}"',
            "ExceptionWhenSetting",
            type_name=SMA + "SetValueInvocationException",
            inner=inner,
        )

    def _no_property(self, name: str) -> PsError:
        return runtime_error(
            f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set.",
            "PropertyNotFound",
            "InvalidOperation",
        )

    # -- methods

    def invoke(self, f: Frame, target: Any, name: str, args: list[Any]) -> Any:
        """`target.name(args)`."""
        low = name.lower()
        if low in ("where", "foreach") and not isinstance(target, Table):
            from s2slib.lab.powershell.dotnet_engine import where_foreach

            items = ops.items_of(target) if target is not v.NOTHING else []
            return where_foreach(f, low, [target] if items is None and target is not None else items or [], args)
        if target is v.NOTHING:
            target = None
        if target is None:
            raise runtime_error(
                "You cannot call a method on a null-valued expression.", "InvokeMethodOnNull", "InvalidOperation"
            )
        if isinstance(target, v.PsObject):
            if target.base is None:
                return self._bag_method(f, target, low, name, args)
            if low == "tostring" and not args:
                return target.text if target.text is not None else self.text(f, target.base)
            target = target.base
        kind = type_of(target)
        if low != "gettype":
            self.guard(kind)
        if isinstance(target, PsType) and low not in SHARED:
            raise Unsupported(f"the method {name} of a type")
        table = self.table(kind)
        method = None if table is None else table.methods.get(low)
        if method is not None:
            return self.call(method, f, args, target)
        if low in SHARED:
            return self._shared(f, target, low, args)
        items = ops.items_of(target)
        if table is None or low in table.exists or low in table.props or not table.closed:
            if items is not None and table is not None and low not in table.exists and table.closed:
                pass
            else:
                raise Unsupported(f"the method {name} of a {kind.display}")
        if items is not None:
            results = [self.invoke(f, i, name, args) for i in items if i is not None]
            kept = [r for r in results if r is not v.NOTHING]
            if not items:
                raise self._no_method(kind, name)
            return v.NOTHING if not kept else kept[0] if len(kept) == 1 else kept
        raise self._no_method(kind, name)

    def _no_method(self, kind: PsType, name: str) -> PsError:
        return runtime_error(
            f"Method invocation failed because [{kind.display}] does not contain a method named '{name}'.",
            "MethodNotFound",
            "InvalidOperation",
            target=name,
        )

    def call(self, method: Method, f: Frame, args: list[Any], *target: Any) -> Any:
        """Call a table's method; what it throws is wrapped as the engine does."""
        fitted = method.arguments(args)
        try:
            return method.function(f, *target, *fitted)
        except DotNetError as e:
            error = method_error(method.name, len(args), e.type_name, e.message)
            if e.inner is not None:
                error.record.exception.inner = e.inner
            raise error from None

    def _bag_method(self, f: Frame, bag: v.PsObject, low: str, name: str, args: list[Any]) -> Any:
        if low == "gettype" and not args:
            return type_of(bag)
        if low == "tostring" and not args and bag.text is not None:
            return bag.text
        if low in SHARED:
            raise Unsupported(f"the method {name} of a custom object")
        if bag.type_names[0] not in (v.CUSTOM_OBJECT[0],) and not bag.type_names[0].startswith(
            ("Selected.", "Deserialized.")
        ):
            raise Unsupported(f"the method {name} of a {bag.type_names[0]}")
        raise self._no_method(named(bag.type_names[0]), name)

    def text(self, f: Frame, target: Any) -> str:
        """ToString()."""
        return current_text(target, self.engine.culture)

    def _shared(self, f: Frame, target: Any, low: str, args: list[Any]) -> Any:
        if low == "gettype" and not args:
            return type_of(target)
        if low == "tostring":
            if not args:
                if isinstance(target, (list, bytes, v.Collection)):
                    return type_of(target).display
                return self.text(f, target)
            if len(args) in (1, 2) and isinstance(target, _FORMATTABLE):
                return self._formatted(target, args)
        simple = isinstance(target, (str, int, bool, uuid.UUID))
        if low == "equals" and simple and len(args) == 1 and type(args[0]) is type(target):
            return bool(target == args[0])
        raise Unsupported(f"the method {low} of a {type_of(target).display} with {len(args)} argument(s)")

    def _formatted(self, target: Any, args: list[Any]) -> str:
        from s2slib.lab.powershell.culture import Culture

        spec, culture = "", self.engine.culture
        for arg in args:
            if isinstance(arg, Culture):
                culture = arg
            elif isinstance(arg, str):
                spec = str(arg)
            elif arg is not None:
                raise Unsupported("ToString with this argument")
        return format_value(target, spec, culture)

    # -- static members

    def _type(self, target: Any) -> PsType:
        if isinstance(target, PsType):
            return target
        if target is None:
            raise runtime_error(
                "You cannot call a method on a null-valued expression.", "InvokeMethodOnNull", "InvalidOperation"
            )
        return type_of(target)

    def get_static(self, f: Frame, target: Any, name: str) -> Any:
        """`[type]::name`."""
        kind = self._type(target)
        if kind.name in ENUMS and kind.element is None:
            found = enum_named(kind.name, name)
            if found is None:
                raise Unsupported(f"[{kind.name}]::{name}")
            return found
        table = self.tables.get(kind.name) if kind.element is None else None
        getter = None if table is None else table.static_props.get(name.lower())
        if getter is None:
            raise Unsupported(f"[{kind.display}]::{name}")
        return getter(f)

    def set_static(self, f: Frame, target: Any, name: str, value: Any) -> None:
        """`[type]::name = value`."""
        kind = self._type(target)
        table = self.tables.get(kind.name)
        setter = None if table is None else table.setters.get("::" + name.lower())
        if setter is None:
            raise Unsupported(f"setting [{kind.display}]::{name}")
        self.guard(kind)
        setter(f, None, value)

    def invoke_static(self, f: Frame, target: Any, name: str, args: list[Any]) -> Any:
        """`[type]::name(args)`."""
        kind = self._type(target)
        low = name.lower()
        self.guard(kind)
        if low == "new":
            return self.construct(f, kind, args)
        table = self.tables.get("System.Array") if kind.element is not None else self.tables.get(kind.name)
        method = None if table is None else table.static_methods.get(low)
        if method is None and kind.name in ENUMS:
            raise Unsupported(f"[{kind.name}]::{name}()")
        if method is None:
            raise Unsupported(f"[{kind.display}]::{name}()")
        return self.call(method, f, args)

    def construct(self, f: Frame, kind: PsType, args: list[Any]) -> Any:
        """A new object of the type."""
        if kind.element is not None:
            if len(args) == 1 and isinstance(args[0], int):
                return self._new_array(kind, int(args[0]))
            raise Unsupported(f"a new [{kind.display}]")
        if kind.args:
            from s2slib.lab.powershell.dotnet_collections import new_generic

            return new_generic(kind, args)
        if kind.name in KNOWN_EXCEPTIONS:
            return self._new_exception(kind, args)
        table = self.tables.get(kind.name)
        if table is None or table.new is None:
            raise Unsupported(f"a new [{kind.display}]")
        fitted = table.new.arguments(args)
        try:
            return table.new.function(f, *fitted)
        except DotNetError as e:
            error = method_error(".ctor", len(args), e.type_name, e.message)
            error.record.error_id = e.type_name.rsplit(".", 1)[-1]
            raise error from None

    def _new_array(self, kind: PsType, size: int) -> Any:
        assert kind.element is not None
        if size < 0 or size > 1_000_000:
            raise Unsupported("an array of this size")
        element = kind.element.name
        if element == "System.Byte":
            return bytes(size)
        if element == "System.Object":
            return [None] * size
        if element in ("System.Int32", "System.Int64"):
            return v.PsArray(element, [to_integer(0, named(element))] * size)
        if element == "System.String":
            return v.PsArray(element, [None] * size)
        raise Unsupported(f"a new {array_of(element).name}")

    def _new_exception(self, kind: PsType, args: list[Any]) -> ExceptionObject:
        if any(t in exception_types(kind.name) for t in ("System.ArgumentException",)) and len(args) > 1:
            raise Unsupported(f"a new [{kind.name}] with {len(args)} arguments")
        if len(args) == 1 and isinstance(args[0], str):
            return ExceptionObject(kind.name, str(args[0]))
        if len(args) == 2 and isinstance(args[0], str) and isinstance(args[1], ExceptionObject):
            return ExceptionObject(kind.name, str(args[0]), inner=args[1])
        raise Unsupported(f"a new [{kind.name}] with these arguments")

    # -- elements

    def index(self, f: Frame, target: Any, index: Any) -> Any:
        """`target[index]`."""
        if isinstance(target, v.PsObject) and target.base is not None:
            target = target.base
        if target is None:
            raise runtime_error("Cannot index into a null array.", "NullArray", "InvalidOperation")
        if isinstance(target, Table):
            if index is None:
                raise runtime_error("Array index evaluated to null.", "NullArrayIndex", "InvalidOperation")
            if target.ordered and target.kind == ORDERED and isinstance(index, int) and not isinstance(index, bool):
                values = target.values()
                return values[index] if 0 <= index < len(values) else None
            many = index if type(index) is list else None
            if many is not None:
                return [target.get(i) for i in many]
            if target.kind == "System.Collections.Generic.Dictionary" and not target.has(index):
                raise Unsupported("a dictionary's element that is missing")
            return target.get(index)
        getter = getattr(target, "ps_index", None)
        if getter is not None:
            return getter(f, index)
        items: Any
        if isinstance(target, str):
            items = v.utf16(target)
        else:
            items = ops.items_of(target)
            if items is None:
                raise runtime_error(
                    f"Unable to index into an object of type {type_of(target).display}.",
                    "CannotIndex",
                    "InvalidOperation",
                )
        if isinstance(index, list):
            if isinstance(target, str):
                return [self._element(items, i, True) for i in index if self._in_range(items, i)]
            return [items[self._number(i)] for i in index if self._in_range(items, i)]
        if not self._in_range(items, index):
            return None
        return self._element(items, index, isinstance(target, str))

    def _number(self, index: Any) -> int:
        number = convert(index, named("System.Int32"))
        assert isinstance(number, int)
        return int(number)

    def _in_range(self, items: Any, index: Any) -> bool:
        if index is None:
            raise runtime_error("Array index evaluated to null.", "NullArrayIndex", "InvalidOperation")
        return -len(items) <= self._number(index) < len(items)

    def _element(self, items: Any, index: Any, text: bool) -> Any:
        item = items[self._number(index)]
        return v.Char(item) if text else item

    def set_index(self, f: Frame, target: Any, index: Any, value: Any) -> None:
        """`target[index] = value`."""
        if isinstance(target, Table):
            if target.ordered and target.kind == ORDERED and isinstance(index, int) and not isinstance(index, bool):
                raise Unsupported("an ordered table set by number")
            if index is None:
                raise runtime_error("Array index evaluated to null.", "NullArrayIndex", "InvalidOperation")
            target.set(index, value)
            return
        if isinstance(target, v.PsArray):
            value = convert(value, named(target.element))
        elif isinstance(target, v.Collection):
            value = convert(value, resolve_type(target.element))
        items = target.items if isinstance(target, v.Collection) else target
        if target is None:
            raise runtime_error("Cannot index into a null array.", "NullArray", "InvalidOperation")
        if not isinstance(items, list):
            raise Unsupported(f"setting an element of a {type_of(target).display}")
        if not self._in_range(items, index):
            raise runtime_error(
                "Index was outside the bounds of the array.",
                "System.IndexOutOfRangeException",
                "OperationStopped",
                type_name="System.IndexOutOfRangeException",
            )
        items[self._number(index)] = value
