"""What every command of the estate needs: where it runs, on whose behalf it changes things, and how it refuses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NoReturn, Protocol, runtime_checkable

from s2slab.engine.registry import Call, ProgramCall
from s2slab.engine.values import PSCredential, PsEnum, SecureString
from s2slab.estate.estate import Estate, Server
from s2slab.estate.session import LabSession
from s2slab.estate.transitions import Cause
from s2slab.network.network import Network


@runtime_checkable
class OnServer(Protocol):
    """A machine that says which server of which estate it is."""

    @property
    def estate(self) -> Estate: ...
    @property
    def server(self) -> Server: ...
    @property
    def network(self) -> Network | None: ...


@dataclass(frozen=True)
class Place:
    """Where a command runs, and with which token."""

    estate: Estate
    server: Server
    session: LabSession
    network: Network | None = None

    @property
    def now(self) -> datetime:
        """The time by this server's clock."""
        return server_time(self.estate, self.server)


def place(call: Call | ProgramCall) -> Place:
    """The estate's side of a call; TypeError when it does not come from a machine of an estate."""
    machine, session = call.machine, call.session
    if not isinstance(machine, OnServer) or not isinstance(session, LabSession):
        raise TypeError("this command runs on a server of the lab only")
    return Place(machine.estate, machine.server, session, machine.network)


def server_time(estate: Estate, server: Server) -> datetime:
    """The time by a server's own clock, aware UTC."""
    return estate.now() + timedelta(seconds=server.clock_skew_s)


def cause_of(call: Call) -> Cause:
    """The running command as the cause of what it changes."""
    at = place(call)
    return Cause(
        "command", call.command_id, rendered(call.name, call.parameters), at.server.fqdn, at.session.account.name
    )


@contextmanager
def changing(call: Call) -> Iterator[Place]:
    """Hold the estate and change it on behalf of this command."""
    at = place(call)
    with at.estate.acting(cause_of(call)):
        yield at


@contextmanager
def reading(call: Call) -> Iterator[Place]:
    """Hold the estate, brought up to now, to read it."""
    at = place(call)
    with at.estate.reading():
        yield at


def rendered(name: str, parameters: Mapping[str, Any]) -> str:
    """The command for the log, on one line; secrets are hidden."""
    parts = [name]
    for key, value in parameters.items():
        parts.append(f"-{key} {_shown(value)}")
    return " ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, SecureString | PSCredential):
        return "********"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, list | tuple):
        return ",".join(_shown(item) for item in value)
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    text = "$null" if value is None else str(value)
    return f"'{text}'" if " " in text else text


def text(value: Any) -> str:
    """A bound value as text; None is empty."""
    if value is None:
        return ""
    if isinstance(value, PsEnum):
        return value.name
    return str(value)


def flag(call: Call, name: str, default: bool = False) -> bool:
    """A switch or boolean parameter."""
    return bool(call.parameters.get(name, default))


def utc(value: datetime) -> datetime:
    """A bound date as aware UTC; without a zone it is the servers' local time, which the lab keeps at UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def like(pattern: str, value: str) -> bool:
    """Whether a name matches a pattern with `*` and `?`, case aside."""
    return fnmatchcase(value.lower(), pattern.lower().replace("[", "[[]"))


def enum(type_name: str, names: tuple[str, ...], name: str) -> PsEnum:
    """A value of an enumeration whose members are numbered from zero in this order."""
    return PsEnum(type_name, name, names.index(name))


def service_state(state: str) -> PsEnum:
    """A Windows service's state as the enumeration of System.ServiceProcess."""
    numbers = {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4}
    return PsEnum("System.ServiceProcess.ServiceControllerStatus", state, numbers[state])


def denied(call: Call, detail: str) -> NoReturn:
    """Refuse for missing rights. The products' wording is UNCONFIRMED except where a caller passes a documented one."""
    call.throw(
        f"Access is denied. {detail}",
        id="AccessDenied",
        category="PermissionDenied",
        exception="System.UnauthorizedAccessException",
    )


def request_stamp(server: str, at: datetime, failure: str) -> str:
    """The first part of an Exchange FullyQualifiedErrorId: `[Server=...,RequestId=...] [FailureCategory=...] hash`."""
    request = uuid.uuid4()
    moment = at.strftime("%m/%d/%Y %I:%M:%S %p")
    number = f"{request.int & 0xFFFFFFFF:X}"
    return f"[Server={server.upper()},RequestId={request},TimeStamp={moment}] [FailureCategory={failure}] {number}"
