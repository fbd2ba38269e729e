"""Inner remote sessions: commands run at an endpoint, what comes back is rebuilt as PowerShell's remoting rebuilds it.

UNCONFIRMED here (never recorded against real servers): the wording and ids of a session that breaks while a command runs, and
that nested objects arrive with their type names and text but without properties (depth 1).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.engine import InformationRecord, ScriptBlock, StopSignal, Streams
from s2slib.lab.powershell.errors import (
    ErrorRecord,
    ExceptionObject,
    PsError,
    StopFlow,
    Unsupported,
)
from s2slib.lab.powershell.interpreter import Engine
from s2slib.lab.powershell.pipelines import Found, command_not_found
from s2slib.lab.powershell.registry import Endpoint
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA

if TYPE_CHECKING:
    from s2slib.lab.powershell.engine import Frame

REMOTE = SMA + "RemoteException"
TRANSPORT = SMA + "Remoting.PSRemotingTransportException"
_AS_IS = (
    str,
    bool,
    int,
    float,
    Decimal,
    datetime,
    timedelta,
    uuid.UUID,
    v.PsUri,
    v.PsVersion,
    bytes,
    v.SecureString,
    v.PSCredential,
)
_RESTRICTED = (
    "get-command",
    "select-object",
    "measure-object",
    "out-default",
    "get-help",
    "exit-pssession",
    "get-formatdata",
)


def rebuild(value: Any, depth: int = 1) -> Any:
    """A value as it arrives from another process."""
    if value is None or value is v.NOTHING:
        return None
    if isinstance(value, (v.NumberToken, v.RealToken)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, _AS_IS):
        return value
    if isinstance(value, v.PsEnum):
        names = [value.type_name, "System.Enum", "System.ValueType", "System.Object"]
        return v.PsObject(_deserialized(names), {"Value": value.name}, text=value.name, base=value.value)
    if isinstance(value, v.PsObject):
        return _rebuild_bag(value, depth)
    if isinstance(value, (list, v.Collection, v.Enumerated)):
        return v.Collection("System.Collections.ArrayList", [rebuild(i, depth) for i in value])
    if isinstance(value, Table):
        return Table(items=[(k, rebuild(x, depth)) for k, x in value.written()], ordered=value.ordered)
    if isinstance(value, v.SwitchParameter):
        return value.present
    if isinstance(value, ScriptBlock):
        return value.ast.text
    raise Unsupported(f"a {type(value).__name__} from a remote session")


def _deserialized(names: list[str]) -> list[str]:
    return [n if n.startswith("Deserialized.") else "Deserialized." + n for n in names]


def _rebuild_bag(bag: v.PsObject, depth: int) -> v.PsObject:
    if bag.base is not None:
        return bag
    text = bag.text
    if text is None and not _is_custom(bag):
        text = to_text(bag)
    properties = {k: rebuild(x, depth - 1) for k, x in bag.properties.items()} if depth > 0 else {}
    if depth <= 0 and text is None:
        text = to_text(bag)
    return v.PsObject(_deserialized(bag.type_names), properties, text=text)


def _is_custom(bag: v.PsObject) -> bool:
    return any(n.endswith("System.Management.Automation.PSCustomObject") for n in bag.type_names)


def remote_record(record: ErrorRecord, computer: str) -> ErrorRecord:
    """An error record as the calling side sees it."""
    from s2slib.lab.powershell.errorview import Category

    exc = ExceptionObject(REMOTE, record.message)
    made = ErrorRecord(
        exc,
        record.error_id,
        record.category,
        None,
        suffix=record.suffix,
        activity=record.activity,
        reason=record.reason,
    )
    exc.record = made
    category = Category(record)
    made.target_name, made.target_type = category.target_name, category.target_type
    made.target = None if record.target is None else to_text(record.target)
    made.command, made.remote = record.command, computer
    return made


class RemoteEngine(Engine):
    """The engine on an endpoint's far side: only the endpoint's commands, and script text only if its mode allows."""

    def __init__(self, endpoint: Endpoint, caller: Engine) -> None:
        super().__init__(endpoint.machine, endpoint.session, caller.console, caller.culture)
        self.endpoint = endpoint
        self.language_mode = endpoint.language_mode

    def find_command(self, name: str, f: Frame, *, load: bool = True) -> Found | None:
        """The endpoint's cmdlets; a full-language endpoint has its machine's too."""
        spec = self.endpoint.registry.cmdlet(name)
        if spec is None:
            module = self.endpoint.registry.in_modules(name)
            spec = module[1] if module is not None else None
        if spec is not None:
            return self._spec(spec)
        if self.language_mode == "FullLanguage" or name.lower() in _RESTRICTED:
            return super().find_command(name, f, load=load)
        return None

    def require_command(self, name: str, f: Frame) -> Found:
        """What the endpoint does not offer does not exist there."""
        if self.language_mode == "FullLanguage":
            return super().require_command(name, f)
        found = self.find_command(name, f)
        if found is None:
            raise command_not_found(name)
        return found


class Session:
    """A PSSession: its endpoint, how it was opened, and the engine behind it."""

    ps_type = SMA + "Runspaces.PSSession"

    def __init__(self, caller: Engine, endpoint: Endpoint, opened_with: dict[str, Any], number: int) -> None:
        self.endpoint, self.opened_with, self.number = endpoint, opened_with, number
        self.instance_id = uuid.uuid4()
        self.name = opened_with.get("name") or f"Session{number}"
        self.computer = endpoint.computer_name
        self.configuration = str(opened_with.get("configuration", ""))
        self.engine = RemoteEngine(endpoint, caller)
        self.closed = False
        self._broken = False
        self.busy = threading.Lock()

    def ps_text(self) -> str:
        """[PSSession]name."""
        return f"[PSSession]{self.name}"

    @property
    def state(self) -> str:
        """RunspaceState's name."""
        if self.closed:
            return "Closed"
        if self._broken or not self.endpoint.alive():
            self._broken = True
            return "Broken"
        return "Opened"

    def close(self) -> None:
        """Close the endpoint's side."""
        if not self.closed:
            self.closed = True
            self.endpoint.close()


def broken_error(computer: str) -> PsError:
    """The link was cut while a command ran. UNCONFIRMED wording and id."""
    exc = ExceptionObject(
        TRANSPORT,
        f"Processing data from remote server {computer} failed with the following error message: The I/O operation has been "
        "aborted because of either a thread exit or an application request. For more information, see the "
        "about_Remote_Troubleshooting Help topic.",
    )
    exc.record = ErrorRecord(
        exc, "PSSessionStateBroken", "OpenError", computer, reason="ParentContainsErrorRecordException"
    )
    error = PsError(ErrorRecord(exc, "PSSessionStateBroken", "OpenError", computer))
    error.thrown = True
    return error


class RemoteStreams:
    """The streams of a remote pipeline, led to the caller's collections or host."""

    def __init__(self, session: Session, sinks: dict[int, Callable[[Any], None]], console: Any) -> None:
        computer = session.computer

        def error(record: Any) -> None:
            sinks[2](remote_record(record, computer))

        def information(record: InformationRecord) -> None:
            if record.to_host and record.shown:
                console.write_host(record)
            sinks[6](record)

        self.streams = Streams({2: error, 3: sinks[3], 4: sinks[4], 5: sinks[5], 6: information}, lambda record: None)


def run_remote(
    session: Session,
    body: Callable[[Engine, Any, Callable[[Any], None]], None],
    streams: Streams,
    out: Callable[[Any], None],
    stop: StopSignal,
) -> None:
    """Run `body(engine, frame, out)` at the endpoint. Raises PsError as the calling side sees it.

    Ends at once when the endpoint dies or the caller is stopped, whatever the remote command does.
    """
    engine, done, abandoned = session.engine, threading.Event(), threading.Event()
    signal = StopSignal(stop)
    failure: list[BaseException] = []

    def put(value: Any) -> None:
        if not abandoned.is_set():
            out(_from_session(value, session))

    def work() -> None:
        try:
            body(engine, engine.frame(streams, signal), put)
        except BaseException as e:  # handed to the caller's thread
            failure.append(e)
        finally:
            done.set()

    with session.busy:
        thread = threading.Thread(target=work, name="remote-pipeline", daemon=True)
        thread.start()
        try:
            while not done.wait(0.02):
                if not session.endpoint.alive():
                    abandoned.set()
                    signal.set()
                    session._broken = True
                    raise broken_error(session.computer)
                if stop.is_set():
                    signal.set()
                    done.wait(2.0)
                    abandoned.set()
                    raise StopFlow
        finally:
            stop.release(signal)
    if not session.endpoint.alive():
        session._broken = True
        raise broken_error(session.computer)
    if failure:
        _raise(failure[0], session)


def _raise(e: BaseException, session: Session) -> None:
    if isinstance(e, PsError):
        record = remote_record(e.record, session.computer)
        if e.exception.type_name.endswith("ActionPreferenceStopException"):
            record.exception.message = e.exception.message
            record.details = None
        error = PsError(record)
        error.thrown = True
        raise error
    raise e


def _from_session(value: Any, session: Session) -> Any:
    made = rebuild(value)
    if isinstance(made, v.PsObject) and made.base is None:
        made.set("PSComputerName", session.computer)
        made.set("RunspaceId", session.instance_id)
        made.set("PSShowComputerName", True)
    return made


def scripts_not_allowed() -> PsError:
    """Script text for an endpoint in NoLanguage mode."""
    exc = ExceptionObject(
        REMOTE,
        "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
    )
    record = ErrorRecord(exc, "ScriptsNotAllowed", "ParserError", reason="RemoteException")
    exc.record = record
    error = PsError(record)
    error.thrown = True
    return error
