"""A command of a registry at work, whoever asked for it: cmdlets with bound parameters, and native programs.

Both engines bind parameters before this; what is here happens on the lab's side of either.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from s2slab.engine.records import SMA, ErrorRecord, Failed, Stopped
from s2slab.engine.registry import (
    BindError,
    Call,
    CmdletSpec,
    Machine,
    Parameter,
    ProgramCall,
    ProgramSpec,
    Put,
)
from s2slab.engine.values import to_text

REMOTE_EXCEPTION = SMA + "RemoteException"


class Place(NamedTuple):
    """Where a command runs, and on whose behalf."""

    machine: Machine
    session: object


def run_cmdlet(
    spec: CmdletSpec, bound: Mapping[str, Any], parameter_set: str, at: Place, put: Put, stopping: threading.Event
) -> None:
    """Run a cmdlet with bound parameters; what it writes goes to `put` as it comes.

    Raises Failed for a terminating error and Stopped once `stopping` is set.
    """
    given = dict(bound)
    risk = {"what_if": bool(given.pop("WhatIf", False)), "confirm": bool(given.pop("Confirm", False))}
    known = {parameter.name: parameter for parameter in spec.parameters}
    call = Call(spec, parameter_set, machine=at.machine, session=at.session, stopping=stopping, put=put, **risk)
    for name, value in given.items():
        call.parameters[name] = _taken(spec, known[name], call, value)
    for item in spec.run(call) or ():
        if stopping.is_set():
            raise Stopped
        put("out", item)
    if stopping.is_set():
        raise Stopped


def _taken(spec: CmdletSpec, parameter: Parameter, call: Call, value: Any) -> Any:
    """The value as the cmdlet is handed it: in its canonical spelling, and transformed."""
    if parameter.values:
        spelled = {known.lower(): known for known in parameter.values}

        def canonical(item: Any) -> Any:
            return item if item is None else spelled.get(to_text(item).lower(), item)

        value = [canonical(item) for item in value] if isinstance(value, list) else canonical(value)
    if parameter.transform is None:
        return value
    try:
        return parameter.transform(call, value)
    except BindError as refusal:
        name = parameter.name
        text = f'Cannot bind parameter \'{name}\' to the target. Exception setting "{name}": "{refusal}"'
        kind = SMA + "ParameterBindingException"
        raise Failed(ErrorRecord(text, f"ParameterBindingFailed,{spec.suffix}", "WriteError", kind)) from None


def run_program(program: ProgramSpec, argv: list[str], at: Place, put: Put, stopping: threading.Event) -> int:
    """Run a native program; its lines go out, its complaints become error records. Its exit code.

    Raises Stopped once `stopping` is set.
    """
    out = _Lines(lambda line: put("out", line))
    err = _Lines(lambda line: put("error", ErrorRecord(line, "NativeCommandError", exception=REMOTE_EXCEPTION)))
    call = ProgramCall(argv, out.write, err.write, at.machine, at.session, uuid.uuid4().hex, stopping)
    code = program.run(call)
    out.end()
    err.end()
    if stopping.is_set():
        raise Stopped
    return code


class _Lines:
    """Text in pieces as lines."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line, self._rest = line, ""

    def write(self, text: str) -> None:
        """Take a piece."""
        *lines, self._rest = (self._rest + text.replace("\r\n", "\n")).split("\n")
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Hand on what is left."""
        if self._rest:
            self._line(self._rest)
