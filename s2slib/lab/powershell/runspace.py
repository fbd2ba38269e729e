"""[powershell], [runspacefactory] and PSSession objects: commands as objects, run in a runspace of one's own or a session's."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.bind import RawArgument
from s2slib.lab.powershell.engine import Frame, ScriptBlock, StopSignal, Streams
from s2slib.lab.powershell.enums import enum_value
from s2slib.lab.powershell.errors import (
    DotNetError,
    ErrorRecord,
    ExceptionObject,
    ExitFlow,
    PsError,
    PsParseError,
    ReturnFlow,
    StopFlow,
    Unsupported,
)
from s2slib.lab.powershell.members import Method, TypeMembers
from s2slib.lab.powershell.operators import items_of
from s2slib.lab.powershell.parse import parse_script
from s2slib.lab.powershell.remote import RemoteStreams, Session, run_remote, scripts_not_allowed
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA

if TYPE_CHECKING:
    from s2slib.lab.powershell.interpreter import Engine
    from s2slib.lab.powershell.processors import Processor

RUNSPACES = SMA + "Runspaces."
BAD_STATE = RUNSPACES + "InvalidRunspaceStateException"


class Runspace:
    """A runspace: local, with an engine; or a session's, with an endpoint."""

    ps_type = RUNSPACES + "Runspace"

    def __init__(self, parent: Engine, *, session: Session | None = None, initial: InitialState | None = None) -> None:
        self.parent, self.session, self.initial = parent, session, initial
        self.engine: Engine | None = None
        self._state = "BeforeOpen"
        self.busy = threading.Lock()
        self.instance_id = uuid.uuid4() if session is None else session.instance_id
        self.name = f"Runspace{parent.console.next_runspace()}"

    def ps_text(self) -> str:
        """Its type."""
        return RUNSPACES + ("RemoteRunspace" if self.session is not None else "LocalRunspace")

    @property
    def state(self) -> str:
        """RunspaceState's name."""
        return self._state if self.session is None else self.session.state

    @property
    def availability(self) -> str:
        """RunspaceAvailability's name."""
        if self.state != "Opened":
            return "None"
        lock = self.busy if self.session is None else self.session.busy
        return "Busy" if lock.locked() else "Available"

    def open(self) -> None:
        """Open a local runspace."""
        if self._state != "BeforeOpen" or self.session is not None:
            raise DotNetError(
                BAD_STATE,
                f"Cannot open the runspace because the runspace is not in the BeforeOpen state. Current state of runspace is "
                f"'{self.state}'.",
            )
        self.engine = self.parent.child()
        self._state = "Opened"
        for name in self.initial.modules if self.initial is not None else []:
            self.engine.import_module(name)
        for name, value in self.initial.variables if self.initial is not None else []:
            self.engine.global_scope.set(name, value)

    def close(self) -> None:
        """Close it."""
        if self.session is not None:
            self.session.close()
        self._state = "Closed"

    def require_open(self) -> None:
        """Raise unless it is open."""
        if self.state != "Opened":
            raise DotNetError(
                BAD_STATE,
                "Cannot perform the operation because the runspace is not in the 'Opened' state. Current state of runspace "
                f"is '{self.state}'.",
            )


class InitialState:
    """[initialsessionstate]."""

    ps_type = RUNSPACES + "InitialSessionState"

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.variables: list[tuple[str, Any]] = []

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type


class Wrapper:
    """A small object with a type and an owner: state infos, proxies, stream collections, wait results."""

    def __init__(self, ps_type: str, owner: Any, text: str = "") -> None:
        self.ps_type, self.owner, self._text = ps_type, owner, text

    def ps_text(self) -> str:
        """Its text."""
        return self._text or self.ps_type


@dataclass
class CommandEntry:
    """One command of a PowerShell object."""

    text: str
    is_script: bool
    local_scope: bool = False
    parameters: list[tuple[str | None, Any, bool]] = field(default_factory=list)


class PowerShell:
    """[powershell]: commands, parameters, streams, and the pipeline that runs them."""

    ps_type = SMA + "PowerShell"

    def __init__(self, creator: Engine) -> None:
        self.creator = creator
        self.runspace: Runspace | None = None
        self.statements: list[list[CommandEntry]] = [[]]
        self.state = "NotStarted"
        self.reason: ExceptionObject | None = None
        self.had_errors = False
        self.streams = {n: _collection(kind) for n, kind in _STREAM_TYPES.items()}
        self.stop_signal = StopSignal()
        self.finished = threading.Event()
        self.failure: PsError | DotNetError | None = None
        self.refusal: BaseException | None = None
        self.output: v.Collection | None = None
        self.own_output = True
        self.instance_id = uuid.uuid4()

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type

    # -- building

    def last(self, what: str) -> CommandEntry:
        """The command that parameters go to."""
        if not self.statements[-1]:
            raise DotNetError(
                SMA + "PSInvalidOperationException",
                "A command is required to add a parameter. A command must be added to the PowerShell instance before adding a "
                "parameter.",
            )
        return self.statements[-1][-1]

    # -- running

    def prepare(self, frame: Frame) -> Runspace:
        """The runspace to run in, opened."""
        if self.state == "Running":
            raise DotNetError(
                SMA + "InvalidPowerShellStateException",
                "The state of the current PowerShell instance is not valid for this operation.",
            )
        if not any(self.statements):
            raise DotNetError(SMA + "PSInvalidOperationException", "No commands are specified.")
        runspace = self.runspace
        if runspace is None:
            runspace = Runspace(self.creator)
            runspace.open()
            self.runspace = runspace
        runspace.require_open()
        return runspace

    def execute(self, runspace: Runspace, items: list[Any] | None, output: v.Collection) -> None:
        """Run to the end in the calling thread; the outcome is in `state`, `failure` and `refusal`."""
        out = output.items.append
        lock = runspace.busy
        if not lock.acquire(blocking=False):
            self.state = "Failed"
            self.failure = DotNetError(
                SMA + "PSInvalidOperationException",
                "The pipeline was not run because a pipeline is already running. Pipelines cannot be run concurrently.",
            )
            self.finished.set()
            return
        try:
            if runspace.session is not None:
                self._remote(runspace.session, items, out)
            else:
                assert runspace.engine is not None
                before = runspace.engine.error_count
                try:
                    self._local(runspace.engine, self._streams(), items, out)
                finally:
                    self._note(runspace.engine.error_count > before)
            self.state = "Completed"
        except StopFlow:
            self.state = "Stopped"
        except PsError as e:
            self.had_errors = True
            self.failure, self.state, self.reason = e, "Failed", e.exception
            if runspace.engine is not None:
                runspace.engine.remember(e.record)
        except ExitFlow:
            self.refusal, self.state = Unsupported("exit in a runspace"), "Failed"
        except BaseException as e:  # a refusal ends the whole process, in its main thread
            self.refusal, self.state = e, "Failed"
        finally:
            if self.stop_signal.is_set() and self.state == "Completed":
                self.state = "Stopped"
            lock.release()
            self.finished.set()

    def _streams(self) -> Streams:
        def error(record: Any) -> None:
            self.had_errors = True
            self.streams[2].items.append(record)

        sinks: dict[int, Callable[[Any], None]] = {n: self.streams[n].items.append for n in (3, 4, 5, 6)}
        return Streams({2: error, **sinks}, self.streams[0].items.append)

    def _local(self, engine: Engine, streams: Streams, items: list[Any] | None, out: Callable[[Any], None]) -> None:
        for statement in self.statements:
            if statement:
                frame = engine.frame(streams, self.stop_signal)
                run_commands(engine, frame, statement, items, out, self._note)

    def _note(self, failed: bool) -> None:
        self.had_errors = self.had_errors or failed

    def _remote(self, session: Session, items: list[Any] | None, out: Callable[[Any], None]) -> None:
        streams = RemoteStreams(session, self._streams().sinks, self.creator.console).streams
        for statement in self.statements:
            if not statement:
                continue
            if any(c.is_script for c in statement) and session.engine.language_mode != "FullLanguage":
                raise scripts_not_allowed()

            def body(
                engine: Engine, frame: Frame, put: Callable[[Any], None], s: list[CommandEntry] = statement
            ) -> None:
                run_commands(engine, frame, s, items, put, self._note)

            run_remote(session, body, streams, out, self.stop_signal)

    def start(self, runspace: Runspace, items: list[Any] | None, output: v.Collection) -> None:
        """Run in a thread of its own."""
        self.state = "Running"
        self.finished.clear()
        thread = threading.Thread(
            target=self.execute, args=(runspace, items, output), name="powershell-pipeline", daemon=True
        )
        thread.start()

    def result(self) -> None:
        """Raise what the pipeline failed with."""
        if self.refusal is not None:
            raise self.refusal
        if self.failure is not None:
            failure = self.failure
            if isinstance(failure, DotNetError):
                raise failure
            error = DotNetError(failure.exception.type_name, failure.exception.message)
            error.inner = failure.exception
            raise error
        if self.state == "Stopped":
            raise DotNetError(SMA + "PipelineStoppedException", "The pipeline has been stopped.")


_STREAM_TYPES = {0: "Progress", 2: "Error", 3: "Warning", 4: "Verbose", 5: "Debug", 6: "Information"}
_STREAM_PROPERTY = {"Error": 2, "Warning": 3, "Verbose": 4, "Debug": 5, "Information": 6, "Progress": 0}


def _collection(kind: str) -> v.Collection:
    made = v.Collection(SMA + "PSDataCollection", [], SMA + ("ErrorRecord" if kind == "Error" else "PSObject"))
    return made


def run_commands(
    engine: Engine,
    frame: Frame,
    commands: list[CommandEntry],
    items: list[Any] | None,
    out: Callable[[Any], None],
    note: Callable[[bool], None],
) -> None:
    """Run a pipeline that was put together from objects."""
    from s2slib.lab.powershell.pipelines import NO_SOURCE

    stages: list[Processor] = []
    placed: list[list[Callable[[Any], None]]] = [[out] for _ in commands]
    for i, command in enumerate(commands):
        slot = placed[i]
        raw = [RawArgument(n, x, given) for n, x, given in command.parameters]
        sink = _relay(slot)
        if command.is_script:
            try:
                block = ScriptBlock(parse_script(command.text), engine)
            except PsParseError as e:
                raise Unsupported(
                    f"text that does not parse, in a script that could catch the error ({e.message})"
                ) from None
            if len(commands) == 1:
                frame.invocation.source = command.text
            stages.append(engine.block_stage(block, frame, sink, raw, (0, 0), dotted=not command.local_scope))
        else:
            found = engine.require_command(command.text, frame)
            stages.append(found.make(frame, sink, raw, (0, 0)))
    for i in range(len(commands) - 1):
        placed[i][0] = stages[i + 1].process
    with contextlib.suppress(ReturnFlow):
        engine.feed(stages, NO_SOURCE if items is None or not items else items)
    note(any(s.failed for s in stages))


def _relay(slot: list[Callable[[Any], None]]) -> Callable[[Any], None]:
    return lambda item: slot[0](item)


# -- methods


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


def _failure_record(e: PsError) -> ErrorRecord:
    return e.record


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
            props={n: _stream(k) for n, k in _STREAM_PROPERTY.items()},
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
