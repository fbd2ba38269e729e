"""Members of PowerShell objects, runspaces and sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.arithmetic import items_of
from s2slib.lab.powershell.engine import Frame, StopSignal
from s2slib.lab.powershell.enums import enum_value
from s2slib.lab.powershell.errors import (
    DotNetError,
    Unsupported,
)
from s2slib.lab.powershell.remote import Session
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers
from s2slib.lab.powershell.types import SMA

if TYPE_CHECKING:
    pass
from s2slib.lab.powershell.runspace import (
    RUNSPACES,
    STREAM_PROPERTY,
    CommandEntry,
    InitialState,
    PowerShell,
    Runspace,
    Wrapper,
)


def _add_command(f: Frame, p: PowerShell, name: Any, local: bool = False) -> PowerShell:
    if name is None:
        raise DotNetError(
            SMA + "PSArgumentNullException",
            'Cannot process argument because the value of argument "cmdlet" is null. Change the value of argument "cmdlet" '
            "to a non-null value.",
        )
    p.statements[-1].append(CommandEntry(to_text(name), False, bool(local)))
    return p


def _add_script(f: Frame, p: PowerShell, text: Any, local: bool = False) -> PowerShell:
    if text is None:
        raise DotNetError(
            SMA + "PSArgumentNullException",
            'Cannot process argument because the value of argument "script" is null. Change the value of argument "script" '
            "to a non-null value.",
        )
    p.statements[-1].append(CommandEntry(to_text(text), True, bool(local)))
    return p


def _add_parameter(f: Frame, p: PowerShell, name: str, *value: Any) -> PowerShell:
    p.last("parameter").parameters.append((name, value[0] if value else None, bool(value)))
    return p


def _add_parameters(f: Frame, p: PowerShell, table: Any) -> PowerShell:
    command = p.last("parameters")
    if isinstance(table, Table):
        for key, value in table.items():
            command.parameters.append((to_text(key), value, True))
        return p
    items = items_of(table)
    if items is None:
        raise Unsupported("AddParameters with this")
    command.parameters.extend((None, x, True) for x in items)
    return p


def _add_argument(f: Frame, p: PowerShell, value: Any) -> PowerShell:
    p.last("argument").parameters.append((None, value, True))
    return p


def _add_statement(f: Frame, p: PowerShell) -> PowerShell:
    p.statements.append([])
    return p


def _input(value: Any) -> list[Any] | None:
    if value is None:
        return None
    if isinstance(value, v.Collection) and value.kind.endswith("PSDataCollection") and not value.completed:
        raise Unsupported("an input collection that was not completed")
    items = items_of(value)
    if items is None:
        raise Unsupported("this as pipeline input")
    return items


def _invoke(f: Frame, p: PowerShell, *a: Any) -> Any:
    runspace = p.prepare(f)
    output = a[1] if len(a) > 1 else v.Collection("System.Collections.ObjectModel.Collection")
    if not isinstance(output, v.Collection):
        raise Unsupported("Invoke with this output")
    inner = StopSignal(f.stop)
    p.stop_signal = inner
    p.state = "Running"
    try:
        if runspace.session is None:
            p.execute(runspace, _input(a[0]) if a else None, output)
        else:
            p.start(runspace, _input(a[0]) if a else None, output)
            _await(f, p)
    finally:
        f.stop.release(inner)
    f.check()
    p.result()
    return v.NOTHING if len(a) > 1 else output


def _await(f: Frame, p: PowerShell) -> None:
    while not p.finished.wait(0.05):
        pass


def _begin(f: Frame, p: PowerShell, *a: Any) -> Wrapper:
    runspace = p.prepare(f)
    p.own_output = len(a) < 2
    output = v.Collection(SMA + "PSDataCollection") if len(a) < 2 else a[1]
    if not isinstance(output, v.Collection):
        raise Unsupported("BeginInvoke with this output")
    p.output = output
    p.stop_signal = StopSignal(f.stop)
    p.start(runspace, _input(a[0]) if a else None, output)
    return Wrapper(SMA + "PowerShellAsyncResult", p)


def _end(f: Frame, p: PowerShell, result: Any) -> Any:
    from s2slib.lab.powershell.dotnet_system import wait

    if not isinstance(result, Wrapper) or result.owner is not p:
        raise Unsupported("EndInvoke with this")
    wait(f, p.finished, None)
    p.result()
    if p.own_output and p.output is not None:
        return p.output
    return v.Collection(SMA + "PSDataCollection")


def _stop(f: Frame, p: PowerShell) -> Any:
    if p.state == "Running":
        p.stop_signal.set()
        p.finished.wait(10.0)
        if not p.finished.is_set():
            p.state = "Stopping"
    elif p.state == "NotStarted":
        p.state = "Stopped"
    return v.NOTHING


def _dispose(f: Frame, p: PowerShell) -> Any:
    if p.state == "Running":
        _stop(f, p)
    return v.NOTHING


def _state_info(f: Frame, p: PowerShell) -> Wrapper:
    return Wrapper(SMA + "PSInvocationStateInfo", p)


def _set_runspace(f: Frame, p: PowerShell, value: Any) -> None:
    if value is not None and not isinstance(value, Runspace):
        raise Unsupported("this as a runspace")
    p.runspace = value


def _streams_of(f: Frame, p: PowerShell) -> Wrapper:
    return Wrapper(SMA + "PSDataStreams", p)


def _clear(f: Frame, w: Wrapper) -> Any:
    for collection in w.owner.streams.values():
        collection.items.clear()
    return v.NOTHING


def _clear_commands(f: Frame, w: Wrapper) -> Any:
    w.owner.statements = [[]]
    return v.NOTHING


def _create_runspace(f: Frame, *a: Any) -> Runspace:
    initial = next((x for x in a if isinstance(x, InitialState)), None)
    return Runspace(f.engine, initial=initial)


def _open(f: Frame, r: Runspace) -> Any:
    r.open()
    return v.NOTHING


def _close(f: Frame, r: Runspace) -> Any:
    r.close()
    return v.NOTHING


def _import_modules(f: Frame, i: InitialState, names: Any) -> Any:
    i.modules.extend(to_text(n) for n in (items_of(names) or [names]))
    return v.NOTHING


def _get_variable(f: Frame, w: Wrapper, name: str) -> Any:
    runspace: Runspace = w.owner
    runspace.require_open()
    if runspace.engine is None:
        raise Unsupported("variables of a remote runspace")
    found = runspace.engine.global_scope.variables.get(name.lower())
    return None if found is None else found.value


def _set_variable(f: Frame, w: Wrapper, name: str, value: Any) -> Any:
    runspace: Runspace = w.owner
    runspace.require_open()
    if runspace.engine is None:
        raise Unsupported("variables of a remote runspace")
    runspace.engine.global_scope.set(name, value)
    return v.NOTHING


def _proxy_mode(f: Frame, w: Wrapper) -> v.PsEnum:
    runspace: Runspace = w.owner
    mode = runspace.session.engine.language_mode if runspace.session is not None else runspace.parent.language_mode
    return enum_value(SMA + "PSLanguageMode", mode)


def _state_enum(name: str) -> v.PsEnum:
    return enum_value(RUNSPACES + "RunspaceState", name)


def _wait_handle(f: Frame, w: Wrapper) -> Any:
    from s2slib.lab.powershell.dotnet_system import WaitHandle

    return WaitHandle(w.owner.finished)


def _create(f: Frame, *a: Any) -> PowerShell:
    return PowerShell(f.engine)


def _stream(number: int) -> Callable[[Frame, Wrapper], Any]:
    return lambda f, w: w.owner.streams[number]


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    powershell = TypeMembers(
        props={
            "Runspace": lambda f, p: p.runspace, "Streams": _streams_of, "HadErrors": lambda f, p: p.had_errors,
            "InvocationStateInfo": _state_info, "InstanceId": lambda f, p: p.instance_id,
            "Commands": lambda f, p: Wrapper(SMA + "PSCommand", p),
        },
        setters={"Runspace": _set_runspace},
        methods=[
            Method("AddCommand", _add_command, "*", "* bool"), Method("AddScript", _add_script, "*", "* bool"),
            Method("AddParameter", _add_parameter, "string", "string *"), Method("AddParameters", _add_parameters, "*"),
            Method("AddArgument", _add_argument, "*"), Method("AddStatement", _add_statement, ""),
            Method("Invoke", _invoke, "", "*", "* *"), Method("BeginInvoke", _begin, "", "*", "* *"),
            Method("EndInvoke", _end, "*"), Method("Stop", _stop, ""), Method("Dispose", _dispose, ""),
        ],
        static_methods=[Method("Create", _create, "")],
    )  # fmt: skip
    runspace = TypeMembers(
        props={
            "RunspaceStateInfo": lambda f, r: Wrapper(RUNSPACES + "RunspaceStateInfo", r, r.state),
            "RunspaceAvailability": lambda f, r: enum_value(RUNSPACES + "RunspaceAvailability", r.availability),
            "SessionStateProxy": lambda f, r: Wrapper(RUNSPACES + "SessionStateProxy", r),
            "InstanceId": lambda f, r: r.instance_id, "Name": lambda f, r: r.name,
            "ConnectionInfo": _connection,
        },
        setters={
            "ThreadOptions": lambda f, r, x: None, "ApartmentState": lambda f, r, x: None,
            "Name": lambda f, r, x: setattr(r, "name", to_text(x)),
        },
        methods=[
            Method("Open", _open, ""), Method("Close", _close, ""), Method("Dispose", _close, ""),
            Method("CloseAsync", _close, ""),
        ],
    )  # fmt: skip
    return {
        SMA + "PowerShell": powershell,
        RUNSPACES + "Runspace": runspace,
        RUNSPACES + "RunspaceFactory": TypeMembers(
            static_methods=[
                Method("CreateRunspace", _create_runspace, "", f"={RUNSPACES}InitialSessionState", "* *", "*")
            ]
        ),
        RUNSPACES + "InitialSessionState": TypeMembers(
            methods=[Method("ImportPSModule", _import_modules, "*")],
            static_methods=[
                Method("CreateDefault", lambda f: InitialState(), ""), Method("CreateDefault2", lambda f: InitialState(), "")
            ],
            setters={"ThrowOnRunspaceOpenError": lambda f, i, x: None},
        ),
        RUNSPACES + "RunspaceStateInfo": TypeMembers(
            props={"State": lambda f, w: _state_enum(w._text), "Reason": lambda f, w: None},
            methods=[Method("ToString", lambda f, w: w._text, "")],
        ),
        RUNSPACES + "SessionStateProxy": TypeMembers(
            props={"LanguageMode": _proxy_mode},
            methods=[Method("GetVariable", _get_variable, "string"), Method("SetVariable", _set_variable, "string *")],
        ),
        RUNSPACES + "PSSession": TypeMembers(
            props={
                "Id": lambda f, s: s.number, "Name": lambda f, s: s.name, "ComputerName": lambda f, s: s.computer,
                "State": lambda f, s: _state_enum(s.state), "InstanceId": lambda f, s: s.instance_id,
                "ConfigurationName": lambda f, s: s.configuration, "Runspace": _session_runspace,
                "Availability": lambda f, s: enum_value(
                    RUNSPACES + "RunspaceAvailability", "Available" if s.state == "Opened" else "None"
                ),
            }
        ),
        RUNSPACES + "RemoteConnection": TypeMembers(props={"ComputerName": lambda f, w: w.owner.computer}),
        SMA + "PSInvocationStateInfo": TypeMembers(
            props={
                "State": lambda f, w: enum_value(SMA + "PSInvocationState", w.owner.state),
                "Reason": lambda f, w: w.owner.reason,
            }
        ),
        SMA + "PSDataStreams": TypeMembers(
            props={n: _stream(k) for n, k in STREAM_PROPERTY.items()},
            methods=[Method("ClearStreams", _clear, "")],
        ),
        SMA + "PSCommand": TypeMembers(methods=[Method("Clear", _clear_commands, "")]),
        SMA + "PowerShellAsyncResult": TypeMembers(
            props={
                "AsyncWaitHandle": _wait_handle, "IsCompleted": lambda f, w: w.owner.finished.is_set(),
                "CompletedSynchronously": lambda f, w: False, "AsyncState": lambda f, w: None,
            }
        ),
    }  # fmt: skip


def _connection(f: Frame, r: Runspace) -> Any:
    return None if r.session is None else Wrapper(RUNSPACES + "RemoteConnection", r.session)


def _session_runspace(f: Frame, s: Session) -> Runspace:
    found = getattr(s, "runspace", None)
    if found is None:
        found = Runspace(f.engine, session=s)
        s.runspace = found  # type: ignore[attr-defined]
    assert isinstance(found, Runspace)
    return found
