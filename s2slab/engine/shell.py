"""A local runspace of a simulated process: which command a name means there, and what carries it out.

a name                                      what runs
imported from a session                     the endpoint's command
New-PSSession, Import-Module and the like   this file
a cmdlet of the machine or of a module      `running.run_cmdlet`
a program's path or name                    the registry's program
a script's path                             the registry's script, if the file still is the one that is known
another of the products' or PowerShell's    "not simulated"
anything else                               "not recognized"
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from s2slab.engine.binder import Binder, Named
from s2slab.engine.records import (
    NESTED,
    SMA,
    ErrorRecord,
    Failed,
    StoppedAtError,
    not_recognized,
    not_simulated,
)
from s2slab.engine.registry import (
    Call,
    CmdletSpec,
    EndpointError,
    Machine,
    Opening,
    Parameter,
    ProgramSpec,
    Put,
)
from s2slab.engine.remote import RemoteSession, bind_and_run, preferences
from s2slab.engine.running import Place, run_program
from s2slab.engine.values import PsObject, to_text

TRANSPORT = SMA + "Remoting.PSRemotingTransportException"
USE_PWSH = "Start the lab with a real PowerShell for that: s2s lab --engine pwsh"


@cache
def _core_names() -> frozenset[str]:
    """The commands of PowerShell itself, in lower case."""
    text = files("s2slab.engine").joinpath("core_commands.txt").read_text(encoding="utf-8")
    return frozenset(line.lower() for line in text.splitlines() if not line.startswith("#"))


class Runspace:
    """A local runspace. One command at a time."""

    def __init__(self, machine: Machine, session: object) -> None:
        self._at = Place(machine, session)
        self.exit_code: int | None = None
        self._imported: dict[str, RemoteSession] = {}
        self._stop_at_errors = False
        self._own = {spec.name.lower(): spec for spec in self._session_cmdlets()}

    def sessions(self) -> list[RemoteSession]:
        """The sessions that commands of this runspace go to."""
        return list(dict.fromkeys(self._imported.values()))

    def run(self, name: str, named: Named, positional: Sequence[Any], put: Put, stopping: threading.Event) -> None:
        """Run a command to its end. Raises Failed for a terminating error and Stopped."""
        try:
            self._run(name, named, positional, put, stopping)
        except StoppedAtError:
            raise
        except Failed as failure:
            if failure.record.reason == NESTED:
                raise
            # around a cmdlet's own exception the engine puts one of its own
            record = replace(failure.record, exception=SMA + "CmdletInvocationException", reason=failure.record.reason)
            raise Failed(record) from None

    def _run(self, name: str, named: Named, positional: Sequence[Any], put: Put, stopping: threading.Event) -> None:
        low = name.lower()
        if low in self._imported:
            self._proxied(name, named, positional, put, stopping)
        elif (program := self._program(name)) is not None:
            argv = [to_text(argument) for argument in positional]
            self.exit_code = run_program(program, argv, self._at, put, stopping)
        elif low.endswith(".ps1") and "\\" in name:
            self._script(name, named, put, stopping)
        elif low in _core_names() and low not in self._own and self._at.machine.registry.cmdlet(name) is None:
            raise Failed(not_simulated(name, USE_PWSH))
        else:
            spec = self._own.get(low) or self._at.machine.registry.find(name)
            bind_and_run(spec, named, positional, self._at, put, stopping, stop_at_errors=self._stop_at_errors)

    def _proxied(self, name: str, named: Named, positional: Sequence[Any], put: Put, stopping: threading.Event) -> None:
        """An imported command: a terminating error over there is a written one here, unless errors stop."""
        session = self._imported[name.lower()]
        streams = preferences(dict(named), put, stop_at_errors=self._stop_at_errors)
        own = [(key, value) for key, value in named if key.lower() != "erroraction"]

        def near(kind: str, what: Any) -> None:
            if kind in ("out", "error"):  # the other records end at the host of the importing side
                streams(kind, session.marked(what) if kind == "out" else what)

        try:
            session.run(name, own, positional, near, stopping)
        except StoppedAtError:
            raise
        except Failed as failure:
            streams("error", failure.record)

    # -- programs and scripts

    def _program(self, name: str) -> ProgramSpec | None:
        found = self._at.machine.registry.program(name)
        if found is None:
            return None
        return found if "\\" not in name or name.lower() == found.path.lower() else None

    def _script(self, path: str, named: Named, put: Put, stopping: threading.Event) -> None:
        text = self._at.machine.read_file(path)
        if text is None:
            raise not_recognized(path)
        script = self._at.machine.registry.script(path)
        if script is None or hashlib.sha256(text.encode()).hexdigest() != script.digest:
            raise Failed(script_not_known(path, text))
        binder = Binder(CmdletSpec(path.rsplit("\\", 1)[-1], lambda call: (), script.parameters))
        binder.bind(named)
        self.exit_code = script.run(_Script(self, binder.values, put, stopping))

    # -- cmdlets over sessions, modules and variables

    def _session_cmdlets(self) -> Iterable[CmdletSpec]:
        uri, computer = ("Uri",), ("ComputerName",)
        session = Parameter("Session", "object", mandatory=True, position=0)
        unchecked, clobber = Parameter("DisableNameChecking", "switch"), Parameter("AllowClobber", "switch")
        names = Parameter("Name", "string[]", mandatory=True, position=0)
        opening = (
            Parameter("ComputerName", "string", position=0, sets=computer, aliases=("Cn",)),
            Parameter("ConnectionUri", "uri", mandatory=True, position=0, sets=uri, aliases=("URI", "CU")),
            Parameter("Credential", "pscredential"),
            Parameter("AllowRedirection", "switch", sets=uri),
            *(Parameter(name, "string") for name in ("ConfigurationName", "Authentication", "SessionOption")),
        )
        commands = Parameter("CommandName", "string[]", aliases=("Name",))
        variable = (names, Parameter("Value", "object", position=1), Parameter("Scope", "string"))
        for name, run, parameters, chosen in (
            ("New-PSSession", self._open, opening, "ComputerName"),
            ("Remove-PSSession", self._close, (session,), ""),
            ("Import-PSSession", self._import_session, (session, commands, clobber, unchecked), ""),
            ("Import-Module", self._import_module, (names, unchecked, Parameter("Force", "switch")), ""),
            ("Set-Variable", self._set_variable, variable, ""),
        ):
            kind = f"Microsoft.PowerShell.Commands.{name.replace('-', '')}Command"
            yield CmdletSpec(name, run, parameters, default_set=chosen, type_name=kind)

    def _open(self, call: Call) -> Iterable[object]:
        given = call.parameters
        credential, uri = given.get("Credential"), given.get("ConnectionUri")
        wanted = Opening(
            None if uri is None else str(uri),
            given.get("ComputerName"),
            given.get("ConfigurationName") or "Microsoft.PowerShell",
            given.get("Authentication") or "Default",
            None if credential is None else (credential.user_name, credential.password.reveal()),
        )
        try:
            endpoint = self._at.machine.open_endpoint(self._at.session, wanted)
        except EndpointError as refusal:
            call.report(ErrorRecord(refusal.message, refusal.id, refusal.category, TRANSPORT))
            return []
        return [RemoteSession(endpoint)]

    def _close(self, call: Call) -> None:
        session = call.parameters["Session"]
        if isinstance(session, RemoteSession):
            session.close()

    def _import_session(self, call: Call) -> Iterable[object]:
        session = call.parameters["Session"]
        if not isinstance(session, RemoteSession):
            raise TypeError("the direct engine imports from sessions only")
        names = call.parameters.get("CommandName") or [spec.name for spec in session.endpoint.registry.cmdlets()]
        taken = []
        for name in names:
            try:
                taken.append(session.endpoint.registry.find(name).name)
            except Failed as failure:
                call.report(failure.record)
        self._imported |= {name.lower(): session for name in taken}
        return [f"tmp_{uuid.uuid4().hex[:8]}.{uuid.uuid4().hex[:3]}"] if taken else []  # the module, as text

    def _import_module(self, call: Call) -> None:
        for name in call.parameters["Name"]:
            if self._at.machine.registry.module(name) is None:
                call.write_error(
                    f"The specified module '{name}' was not loaded because no valid module file was found in any module "
                    "directory.",
                    id="Modules_ModuleNotFound",
                    category="ResourceUnavailable",
                    exception="System.IO.FileNotFoundException",
                )

    def _set_variable(self, call: Call) -> None:
        if [name.lower() for name in call.parameters["Name"]] == ["erroractionpreference"]:
            self._stop_at_errors = to_text(call.parameters.get("Value")).lower() == "stop"


def script_not_known(what: str, text: str) -> ErrorRecord:
    """A text that the direct engine does not answer for."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return ErrorRecord(
        f"The lab answers s2slib's own script directly and runs no other text. {what} ({len(text)} characters, SHA-256 "
        f"{digest}) is not it. {USE_PWSH}",
        "LabScriptNotKnown",
        "NotImplemented",
        "System.NotSupportedException",
    )


class _Script:
    """A simulated script at work in a runspace."""

    def __init__(self, runspace: Runspace, given: dict[str, Any], put: Put, stopping: threading.Event) -> None:
        self._runspace, self._put, self._stopping = runspace, put, stopping
        self.parameters = given

    def command(self, name: str, *, soft: bool = False, **parameters: object) -> list[PsObject]:
        found: list[PsObject] = []

        def collect(kind: str, what: Any) -> None:
            if kind == "out":
                found.append(what)
            else:
                self._put(kind, what)

        named = [(key, value) for key, value in parameters.items() if value is not None]
        if soft:
            named.append(("ErrorAction", "SilentlyContinue"))
        self._runspace.run(name, named, (), collect, self._stopping)
        return found

    def put(self, value: object) -> None:
        self._put("out", value)

    def say(self, text: str) -> None:
        self._put("host", text)
