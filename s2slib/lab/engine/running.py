"""A cmdlet of a registry at work, whoever asked for it: canonical spellings, transformations, records, -WhatIf.

Both engines bind parameters before this; what is here happens on the lab's side of either.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from s2slib.lab.engine.records import SMA, ErrorRecord, Failed, Stopped
from s2slib.lab.engine.registry import BindError, Call, CmdletSpec, Machine, Parameter, Put
from s2slib.lab.engine.values import to_text


def run_cmdlet(
    spec: CmdletSpec,
    bound: Mapping[str, Any],
    parameter_set: str,
    *,
    machine: Machine,
    session: object,
    stopping: threading.Event,
    put: Put,
) -> None:
    """Run a cmdlet with bound parameters; what it writes goes to `put` as it comes.

    Raises Failed for a terminating error and Stopped once `stopping` is set.
    """
    given = dict(bound)
    known = {parameter.name: parameter for parameter in spec.parameters}
    call = Call(
        spec,
        parameter_set,
        machine=machine,
        session=session,
        stopping=stopping,
        put=put,
        what_if=bool(given.pop("WhatIf", False)),
        confirm=bool(given.pop("Confirm", False)),
    )
    for name, value in given.items():
        call.parameters[name] = _taken(spec, known[name], call, value)
    for item in spec.run(call) or ():
        if stopping.is_set():
            raise Stopped
        put("out", item)
    if stopping.is_set():
        raise Stopped


def _taken(spec: CmdletSpec, parameter: Parameter, call: Call, value: Any) -> Any:
    """The value as the cmdlet is handed it."""
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
        raise Failed(
            ErrorRecord(
                f'Cannot bind parameter \'{name}\' to the target. Exception setting "{name}": "{refusal}"',
                f"ParameterBindingFailed,{spec.suffix}",
                "WriteError",
                SMA + "ParameterBindingException",
            )
        ) from None
