"""[powershell], [runspacefactory] and PSSession objects: commands as objects, run in a runspace of one's own or a session's."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.engine import Frame, ScriptBlock, StopSignal, Streams
from s2slib.lab.powershell.errors import (
    DotNetError,
    ExceptionObject,
    ExitFlow,
    PsError,
    PsParseError,
    ReturnFlow,
    StopFlow,
    Unsupported,
)
from s2slib.lab.powershell.parameters import RawArgument
from s2slib.lab.powershell.parse import parse_script
from s2slib.lab.powershell.remote import RemoteStreams, Session, run_remote, scripts_not_allowed
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
STREAM_PROPERTY = {"Error": 2, "Warning": 3, "Verbose": 4, "Debug": 5, "Information": 6, "Progress": 0}


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
