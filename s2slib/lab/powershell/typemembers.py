"""Tables of members: what the evaluator knows of one type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.convert_scalars import unwrap
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import (
    PsError,
    Unsupported,
)
from s2slib.lab.powershell.types import is_instance, resolve_type

if TYPE_CHECKING:
    pass

Getter = Callable[[Frame, Any], Any]


class Method:
    """A method: `overloads` are blank-separated type names, '' for no argument; the first that fits is taken.

    A type written with a leading '=' must be the argument's own type; '*' takes anything; a trailing '...' takes the rest.
    """

    __slots__ = ("function", "name", "overloads")

    def __init__(self, name: str, function: Callable[..., Any], *overloads: str) -> None:
        self.name, self.function = name, function
        self.overloads = [tuple(o.split()) for o in (overloads or ("",))]

    def arguments(self, args: list[Any]) -> list[Any]:
        """The arguments as the fitting overload takes them."""
        for exact in (True, False):
            for overload in self.overloads:
                fitted = _fit(overload, args, exact)
                if fitted is not None:
                    return fitted
        raise Unsupported(f"the method {self.name} with these {len(args)} argument(s)")


def _fit(overload: tuple[str, ...], args: list[Any], exact: bool) -> list[Any] | None:
    if overload and overload[-1].endswith("..."):
        head = overload[:-1]
        if len(args) < len(head):
            return None
        overload = head + (overload[-1][:-3],) * (len(args) - len(head))
    if len(overload) != len(args):
        return None
    made: list[Any] = []
    for wanted, arg in zip(overload, args, strict=True):
        if wanted == "*":
            made.append(arg)
            continue
        strict = wanted.startswith("=")
        kind = resolve_type(wanted.lstrip("="))
        if exact or strict:
            if arg is None or not is_instance(unwrap(arg), kind):
                return None
            made.append(unwrap(arg))
            continue
        try:
            made.append(convert(arg, kind))
        except PsError:
            return None
    return made


class TypeMembers:
    """What the evaluator knows of one type. `exists` names real members it lacks; others count as absent if `closed`."""

    __slots__ = ("closed", "exists", "methods", "new", "props", "setters", "static_methods", "static_props")

    def __init__(
        self,
        *,
        props: dict[str, Getter] | None = None,
        methods: Iterable[Method] = (),
        static_props: dict[str, Callable[[Frame], Any]] | None = None,
        static_methods: Iterable[Method] = (),
        setters: dict[str, Callable[[Frame, Any, Any], None]] | None = None,
        new: Method | None = None,
        exists: str = "",
        closed: bool = False,
    ) -> None:
        self.props = {k.lower(): g for k, g in (props or {}).items()}
        self.methods = {m.name.lower(): m for m in methods}
        self.static_props = {k.lower(): g for k, g in (static_props or {}).items()}
        self.static_methods = {m.name.lower(): m for m in static_methods}
        self.setters = {k.lower(): s for k, s in (setters or {}).items()}
        self.new = new
        self.exists = frozenset(exists.lower().split())
        self.closed = closed
