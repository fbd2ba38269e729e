"""The runspaces of one process: the local one with its module, the products' endpoints, one for each script.

| wanted | where it runs |
| --- | --- |
| a runspace that the target declares an endpoint for | that endpoint, opened from the server with `New-PSSession` |
| `lync` without an endpoint, logon delegated | the local runspace: its module reaches the directory by itself |
| `local` | the local runspace; before its first cmdlet the first module of the candidates that is there is imported |
| a script | a runspace of its own: error preference Stop, the wanted commands of endpoint `exchange` imported |

With `second_hop: explicit` an endpoint gets a credential of its own, else the connection's. A wrong one is tried once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from s2slib.remoting.shell.frames import SessionRef, encoded, typed
from s2slib.remoting.shell.process import Interrupted, RemoteProcess
from s2slib.remoting.values import errors
from s2slib.remoting.values.command import Cmdlet, Command, Program, Script
from s2slib.remoting.values.quoting import CredentialRef, Later, Value
from s2slib.remoting.values.reply import RemoteError
from s2slib.remoting.values.target import Endpoint, Limits, Secret, Target
from s2slib.remoting.winrm.deadline import Deadline
from s2slib.remoting.winrm.ledger import AttemptLedger

DEFAULT_LIMITS = Limits()
_LOCAL = "local"
_OPENER = "opener"
_INNER = "inner"
_CLOSE_S = 8.0
_LOOK_S = 10.0  # a session that does not answer for this long is taken for gone
_STOP_S = 5.0  # and so is one whose look cannot even be stopped in this time
# What New-PSSession says when the other side does not accept who is asking. Ids and texts UNCONFIRMED for Exchange and Lync.
_WRONG_LOGON = ("logonfailure", "user name or password is incorrect")
_DENIED = (
    "accessdenied",
    "access is denied",
    "logon session does not exist",
    "0x8009030e",
    "kerberos",
    "anonymous logon",
)


class Answer(NamedTuple):
    """The parts of an answer that preparing needs."""

    errors: tuple[RemoteError, ...]
    has_output: bool


class Runspaces:
    """Opens what commands need, once each. Raises NotSent errors and the process's Interrupted."""

    def __init__(self, process: RemoteProcess, target: Target, ledger: AttemptLedger) -> None:
        self._process = process
        self._target = target
        self._ledger = ledger
        self._open: list[str] = []
        self._sessions: list[str] = []
        self._scripts = 0
        self._module_tried = False
        self.module: str | None = None

    @property
    def opened(self) -> tuple[str, ...]:
        """Names of the runspaces that are open, in the order they were opened."""
        return tuple(self._open)

    def ready_for(self, command: Command, deadline: Deadline) -> str:
        """The name of an open runspace for a command."""
        if isinstance(command, Script):
            return self._for_script(command, deadline)
        wanted = command.runspace
        if wanted in self._target.endpoints:
            self._session(wanted, deadline)
            return wanted
        if (wanted == "lync" and self._target.second_hop == "explicit") or wanted == "exchange":
            raise errors.NoEndpoint(
                self._target.server,
                f"{command.name} needs the endpoint {wanted!r}, which is not declared for this server",
                f"declare the endpoint {wanted!r}, or let the logon be delegated (second_hop) where the tools are local",
            )
        self._local(_LOCAL, deadline)
        if isinstance(command, Cmdlet):
            self._import_module(deadline)
        return _LOCAL

    def session_of(self, command: Command) -> str | None:
        """The session that a command's outcome hangs on, if any."""
        if isinstance(command, Script):
            return "exchange" if command.imports else None
        return command.runspace if command.runspace in self._sessions else None

    def lives(self, name: str, deadline: Deadline) -> bool:
        """Whether an open session still answers: a look in it, at a command that every endpoint shows.

        After False the process is to be closed: the look may still hang in it, on a session that ended under it. Raises
        Interrupted when the process itself is gone.
        """
        wait_s = max(1, int(deadline.sooner(_LOOK_S).left()))
        looking = {"Name": "Get-Command"}
        request = run_request("Get-Command", name, wait_s, parameters=looking, properties=("Name",))
        try:
            (answer,) = self._process.ask([request], deadline.sooner(wait_s + _STOP_S))
        except Interrupted as lost:
            if isinstance(lost.error, errors.Stalled):
                return False
            raise
        return answer.get("state") == "completed"

    def close(self) -> None:
        """Close the sessions on their servers, whose number is limited. Best effort, bounded, never raises."""
        for name in self._sessions:
            with contextlib.suppress(Exception):
                self._run("Remove-PSSession", {"Session": SessionRef(name)}, Deadline.after(_CLOSE_S), _OPENER)
        self._sessions.clear()

    def _for_script(self, script: Script, deadline: Deadline) -> str:
        self._scripts += 1
        name = f"script{self._scripts}"
        if script.imports:
            self._session("exchange", deadline)
        self._local(name, deadline)
        if script.imports:
            parameters: dict[str, Value | SessionRef] = {
                "Session": SessionRef("exchange"),
                "CommandName": script.imports,
                "AllowClobber": True,
                "DisableNameChecking": True,
            }
            answer = self._run("Import-PSSession", parameters, deadline, name)
            if answer.errors or not answer.has_output:
                raise self._failed("the endpoint's commands could not be imported for the script", answer)
        # Imported commands live in a module of their own: only the global preference reaches them.
        stop: dict[str, Value | SessionRef] = {"Name": "ErrorActionPreference", "Value": "Stop", "Scope": "Global"}
        answer = self._run("Set-Variable", stop, deadline, name)
        if answer.errors:
            raise self._failed("the script's runspace could not be made to stop at errors", answer)
        return name

    def _local(self, name: str, deadline: Deadline) -> None:
        if name in self._open:
            return
        (answer,) = self._process.ask([{"op": "open", "runspace": name}], deadline)
        if answer.get("state") != "completed":
            found = self._process.decoder.errors(answer.get("errors"))
            raise self._failed("a local runspace could not be opened", Answer(found, False))
        self._open.append(name)

    def _import_module(self, deadline: Deadline) -> None:
        """The first candidate that the server has. One that is there and fails to load ends the search: its commands
        then fail by themselves and say so."""
        if self._module_tried:
            return
        for name in self._target.modules:
            answer = self._run("Import-Module", {"Name": name, "DisableNameChecking": True}, deadline, _LOCAL)
            if not answer.errors:
                self.module = name
            if not any(error.id.startswith("Modules_ModuleNotFound") for error in answer.errors):
                break
        self._module_tried = True

    def _session(self, name: str, deadline: Deadline) -> None:
        if name in self._sessions:
            return
        endpoint = self._target.endpoints.get(name)
        if endpoint is None:
            raise errors.NoEndpoint(
                self._target.server,
                f"the endpoint {name!r} is not declared for this server",
                f"declare the endpoint {name!r}",
            )
        self._local(_OPENER, deadline)
        parameters: dict[str, Value | SessionRef] = {
            "ConfigurationName": endpoint.configuration,
            "Authentication": endpoint.authentication,
        }
        if endpoint.uri is not None:
            parameters["ConnectionUri"] = endpoint.uri
        else:
            parameters["ComputerName"] = endpoint.computer
        user, secret = self._inner_credential(name, endpoint)
        given: dict[str, Secret] = {}
        if user is not None and secret is not None:
            parameters["Credential"] = CredentialRef(user, _INNER)
            given[_INNER] = secret
        with self._attempt(endpoint, user, secret, deadline):
            answer = self._run("New-PSSession", parameters, deadline, _OPENER, given, keep=name)
            if answer.errors or not answer.has_output:
                raise self._not_opened(name, endpoint, user, answer)
        self._sessions.append(name)
        self._open.append(name)

    def _inner_credential(self, name: str, endpoint: Endpoint) -> tuple[str | None, Secret | None]:
        own = endpoint.credential
        if own is not None and own.secret is not None:
            return own.user, own.secret
        if self._target.second_hop != "explicit":
            return None, None
        if self._target.user is None or self._target.secret is None:
            raise errors.SecondHopMissing(
                self._target.server,
                f"the endpoint {name!r} is to be opened with an explicit credential, and there is none",
                f"give endpoint {name!r} a credential with a password, or choose second_hop credssp or delegation",
            )
        return self._target.user, self._target.secret

    @contextlib.contextmanager
    def _attempt(
        self, endpoint: Endpoint, user: str | None, secret: Secret | None, deadline: Deadline
    ) -> Iterator[None]:
        if user is None:
            yield
            return
        server = endpoint.computer or self._target.server
        with self._ledger.attempt(server, user, timeout_s=deadline.left(), secret=secret):
            yield

    def _not_opened(self, name: str, endpoint: Endpoint, user: str | None, answer: Answer) -> errors.NotSent:
        first = answer.errors[0] if answer.errors else None
        said = f"{first.id} {first.message}" if first is not None else "no session came back"
        where = endpoint.uri or endpoint.computer
        seen = f"the endpoint {name!r} ({where}) could not be opened: {first.message if first is not None else said}"
        lowered = said.lower()
        wrong = any(mark in lowered for mark in _WRONG_LOGON)
        if user is None and (wrong or any(mark in lowered for mark in _DENIED)):
            return errors.SecondHopMissing(
                self._target.server,
                seen,
                "choose second_hop explicit with a credential for the endpoint, or CredSSP or Kerberos delegation",
                first.id if first is not None else "",
            )
        if wrong:
            return errors.AuthenticationFailed(
                self._target.server,
                f"the logon of {user} was rejected; {seen}",
                "check the endpoint's user and password",
            )
        return errors.EndpointFailed(
            self._target.server,
            seen,
            "check the endpoint's address and authentication, and that the account may use remote PowerShell there",
            first.id if first is not None else "",
        )

    def _failed(self, what: str, answer: Answer) -> errors.EndpointFailed:
        first = answer.errors[0] if answer.errors else None
        said = f": {first.message}" if first is not None else ""
        return errors.EndpointFailed(
            self._target.server, what + said, "read the message; nothing was run", first.id if first is not None else ""
        )

    def _run(
        self,
        name: str,
        parameters: Mapping[str, Value | SessionRef],
        deadline: Deadline,
        runspace: str,
        given: Mapping[str, Secret] | None = None,
        keep: str | None = None,
    ) -> Answer:
        wait_s = max(1, int(deadline.left() - self._target.timeouts.grace_s))
        request = run_request(name, runspace, wait_s, parameters=parameters, keep=keep)
        (answer,) = self._process.ask([request], deadline, given)
        found = self._process.decoder.errors(answer.get("errors"))
        if answer.get("state") == "timedout":
            raise errors.StartFailed(
                self._target.server, f"{name} did not end in {wait_s} s", "look at the server's load, or raise load_s"
            )
        return Answer(found, bool(answer.get("output")))


def run_request(
    name: str,
    runspace: str,
    deadline_s: int,
    *,
    parameters: Mapping[str, Value | SessionRef] | None = None,
    arguments: tuple[str | Later, ...] = (),
    properties: tuple[str, ...] | None = None,
    depth: int = 1,
    exit_code: bool = False,
    keep: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Any]:
    """A `run` as the constant script reads it."""
    return {
        "op": "run",
        "runspace": runspace,
        "command": encoded(name),
        "parameters": [{"n": key, **typed(value)} for key, value in (parameters or {}).items()],
        "arguments": [typed(argument) for argument in arguments],
        "properties": None if properties is None else list(properties),
        "depth": depth,
        "deadline_s": deadline_s,
        "limit": limits.objects,
        "room": limits.characters,
        "exit": exit_code,
        "keep": keep,
    }


def command_request(command: Command, runspace: str, deadline_s: int, limits: Limits) -> dict[str, Any]:
    """A command as the constant script reads it."""
    match command:
        case Program():
            arguments = command.arguments
            return run_request(command.path, runspace, deadline_s, arguments=arguments, exit_code=True, limits=limits)
        case Script():
            return run_request(
                command.path,
                runspace,
                deadline_s,
                parameters=command.parameters,
                depth=4,
                exit_code=True,
                limits=limits,
            )
        case Cmdlet():
            return run_request(
                command.name,
                runspace,
                deadline_s,
                parameters=command.parameters,
                properties=command.properties,
                depth=command.depth,
                limits=limits,
            )
