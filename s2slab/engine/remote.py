"""Inner remote sessions: an endpoint's far side, and values as PowerShell's remoting rebuilds them on the near one.

UNCONFIRMED (never recorded against real servers): the text and id of a link that is cut while a command runs.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from s2slab.engine import values as v
from s2slab.engine.binder import Binder, Named
from s2slab.engine.records import NESTED, SMA, ErrorRecord, Failed, StoppedAtError
from s2slab.engine.registry import CmdletSpec, Endpoint, Put
from s2slab.engine.running import REMOTE_EXCEPTION, Place, run_cmdlet

_COMMON = ("Verbose", "Debug", "ErrorAction", "WarningAction", "InformationAction", "ProgressAction")


class RemoteSession:
    """A PSSession: its endpoint, opened or closed. That its far side is gone shows when it is used, as with a real one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.id = uuid.uuid4()
        self.computer = endpoint.computer_name
        self._closed = self._broken = False

    @property
    def state(self) -> str:
        """RunspaceState's name."""
        return "Closed" if self._closed else "Broken" if self._broken else "Opened"

    def lost(self) -> bool:
        """Whether its far side turns out to be gone, now that it is used."""
        self._broken = self._broken or not self.endpoint.alive()
        return self._broken

    def close(self) -> None:
        """Close the far side."""
        if not self._closed:
            self._closed = True
            self.endpoint.close()

    def run(self, name: str, named: Named, positional: Sequence[Any], put: Put, stopping: threading.Event) -> None:
        """Run a command over there; objects come back rebuilt, errors as RemoteException. Raises Failed and Stopped."""

        def back(kind: str, what: Any) -> None:
            put(kind, rebuild(what) if kind == "out" else over_the_wire(what) if kind == "error" else what)

        if self.lost():
            raise Failed(self.cut())
        if name.lower() == "get-command":  # what every endpoint shows, and clients look at
            put("out", v.ps_object(f"Deserialized.{SMA}CmdletInfo", Name=v.to_text(dict(named).get("Name"))))
            return
        named = [(key, rebuild(value)) for key, value in named]
        at = Place(self.endpoint.machine, self.endpoint.session)
        try:
            spec = self.endpoint.registry.find(name)
            bind_and_run(spec, named, [rebuild(value) for value in positional], at, back, stopping)
        except Failed as failure:
            raise Failed(over_the_wire(failure.outer)) from None

    def cut(self) -> ErrorRecord:
        """The link was cut while a command ran."""
        return ErrorRecord(
            f"Processing data from remote server {self.computer} failed with the following error message: The I/O operation "
            "has been aborted because of either a thread exit or an application request. For more information, see the "
            "about_Remote_Troubleshooting Help topic.",
            "PSSessionStateBroken",
            "OpenError",
            SMA + "Remoting.PSRemotingTransportException",
        )

    def marked(self, value: Any) -> Any:
        """An object as an imported command puts it out: with where it came from."""
        if isinstance(value, v.PsObject) and not value.enumeration:
            value.set("PSComputerName", self.computer)
            value.set("RunspaceId", self.id)
            value.set("PSShowComputerName", False)
        return value


def bind_and_run(
    spec: CmdletSpec,
    named: Named,
    positional: Sequence[Any],
    at: Place,
    put: Put,
    stopping: threading.Event,
    *,
    stop_at_errors: bool = False,
) -> None:
    """Bind a call and run it, its common parameters heeded. Raises Failed and Stopped."""
    binder = Binder(spec)
    binder.bind(named, positional)
    own = {name: value for name, value in binder.values.items() if name not in _COMMON}
    streams = preferences(binder.values, put, stop_at_errors=stop_at_errors)
    run_cmdlet(spec, own, binder.parameter_set, at, streams, stopping)


def preferences(bound: Mapping[str, Any], put: Put, *, stop_at_errors: bool = False) -> Put:
    """`put` behind what -Verbose, -Debug and the action parameters of a call make of its records."""
    actions = {name.lower(): str(value).lower() for name, value in bound.items() if name.lower().endswith("action")}
    errors = actions.get("erroraction", "stop" if stop_at_errors else "continue")
    silent = ("silentlycontinue", "ignore")
    hidden = {kind for kind in ("verbose", "debug") if not bound.get(kind.capitalize())}
    hidden |= {"warning"} if actions.get("warningaction") in silent else set()
    hidden |= {"error"} if errors in silent else set()

    def heeding(kind: str, what: Any) -> None:
        if kind == "error" and errors == "stop":
            raise StoppedAtError(what)
        if kind not in hidden:
            put(kind, what)

    return heeding


def over_the_wire(record: ErrorRecord) -> ErrorRecord:
    """An error record as the near side has it: its exception is gone, and what it was is the reason."""
    reason = record.exception.rsplit(".", 1)[-1] if record.reason == NESTED else record.reason
    return ErrorRecord(record.message, record.id, record.category, REMOTE_EXCEPTION, reason)


def rebuild(value: Any, depth: int = 1) -> Any:
    """A value as it arrives from another process: properties of the first level, below it type and text only."""
    if isinstance(value, v.PsEnum):
        names = ["Deserialized." + value.type_name, "Deserialized.System.Enum"]
        return v.PsObject(names, {"Value": value.name}, text=value.name, enumeration=True)
    if isinstance(value, v.PsObject):
        names = [name if name.startswith("Deserialized.") else "Deserialized." + name for name in value.type_names]
        inside = {key: rebuild(held, depth - 1) for key, held in value.properties.items()} if depth > 0 else {}
        return v.PsObject(names, inside, text=v.to_text(value) if depth <= 0 else value.text)
    if isinstance(value, list):
        return v.ArrayList(rebuild(item, depth) for item in value)
    if isinstance(value, v.Table):
        return v.Table([(key, rebuild(held, depth)) for key, held in value.items()])
    return value
