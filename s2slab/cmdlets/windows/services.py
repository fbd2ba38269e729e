"""Windows services and processes of a server, the IIS worker processes among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from s2slab.cmdlets.shared.base import Place, changing, flag, like, reading, service_state, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import LOCAL, PsEnum, PsObject, ps_object
from s2slab.estate import iis

DISPLAY_NAMES = {
    "W3SVC": "World Wide Web Publishing Service",
    "WAS": "Windows Process Activation Service",
    "IISADMIN": "IIS Admin Service",
    "WinRM": "Windows Remote Management (WS-Management)",
    "MSExchangeServiceHost": "Microsoft Exchange Service Host",
    "RtcSrv": "Lync Server Front-End",
    "REPLICA": "Lync Server Replica Replicator Agent",
    "FTA": "Lync Server File Transfer Agent",
}
_CONDITION = re.compile(
    r"""\s*(?P<name>\w+)\s*(?P<operator>=|LIKE)\s*(?P<quote>['"])(?P<value>[^'"]*)(?P=quote)\s*""", re.I
)
_BOOTED_AGO = timedelta(days=40)


@dataclass(frozen=True)
class _Process:
    pid: int
    name: str
    started: datetime
    command_line: str


def specs() -> list[CmdletSpec]:
    """Service and process cmdlets."""
    names = Parameter("Name", "string[]", position=0, aliases=("ServiceName",), from_pipeline_by_property_name=True)
    needed = Parameter(
        "Name", "string[]", mandatory=True, position=0, aliases=("ServiceName",), from_pipeline_by_property_name=True
    )
    force = Parameter("Force", "switch")
    pass_through = Parameter("PassThru", "switch")
    return [
        _spec("Get-Service", _get_services, (names,), "Microsoft.PowerShell.Commands.GetServiceCommand"),
        _spec(
            "Start-Service",
            _change("Running"),
            (needed, pass_through),
            "Microsoft.PowerShell.Commands.StartServiceCommand",
            writes=True,
        ),
        _spec(
            "Stop-Service",
            _change("Stopped"),
            (needed, force, pass_through),
            "Microsoft.PowerShell.Commands.StopServiceCommand",
            writes=True,
        ),
        _spec(
            "Restart-Service",
            _change("Stopped", "Running"),
            (needed, force, pass_through),
            "Microsoft.PowerShell.Commands.RestartServiceCommand",
            writes=True,
        ),
        _spec(
            "Get-Process",
            _get_processes,
            (Parameter("Name", "string[]", position=0, aliases=("ProcessName",)), Parameter("Id", "int[]")),
            "Microsoft.PowerShell.Commands.GetProcessCommand",
        ),
        _spec(
            "Get-CimInstance",
            _get_cim,
            (
                Parameter("ClassName", "string", mandatory=True, position=0),
                Parameter("Filter", "string"),
                Parameter("Property", "string[]"),
                Parameter("Namespace", "string"),
            ),
            "Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand",
        ),
    ]


def _spec(
    name: str, run: Any, parameters: tuple[Parameter, ...], type_name: str, *, writes: bool = False
) -> CmdletSpec:
    return CmdletSpec(name, run, parameters, should_process=writes, type_name=type_name)


def _states(at: Place) -> dict[str, str]:
    web = {} if at.server.iis is None else at.server.iis.services
    return {**at.server.services, **web}


def _named_services(call: Call, at: Place) -> list[str]:
    """The services that -Name names, in order; one that does not exist is an error, a pattern may match none."""
    held = _states(at)
    found: list[str] = []
    for pattern in call.parameters.get("Name") or ["*"]:
        matching = [name for name in held if like(text(pattern), name)]
        if not matching and not set(text(pattern)) & set("*?["):
            call.write_error(
                f"Cannot find any service with service name '{pattern}'.",
                id="NoServiceFoundForGivenName",
                category="ObjectNotFound",
                exception="Microsoft.PowerShell.Commands.ServiceCommandException",
            )
        found += [name for name in matching if name not in found]
    return sorted(found, key=str.lower)


def _get_services(call: Call) -> Iterator[PsObject]:
    with reading(call) as at:
        names, states = _named_services(call, at), _states(at)
    return (_service(name, states[name]) for name in names)


def _service(name: str, state: str) -> PsObject:
    shown = ps_object(
        "System.ServiceProcess.ServiceController",
        Name=name,
        CanStop=state == "Running",
        DisplayName=DISPLAY_NAMES.get(name, name),
        MachineName=".",
        ServiceName=name,
        Status=service_state(state),
        StartType=PsEnum("System.ServiceProcess.ServiceStartMode", "Automatic", 2),
    )
    shown.text = name
    return shown


def _change(*states: str) -> Any:
    def run(call: Call) -> Iterator[PsObject]:
        with reading(call) as at:
            names = _named_services(call, at)
        for name in names:
            if not at.session.may_administer(at.server.fqdn):
                _cannot(call, states[0], name, "Access is denied.")
            if states[0] == "Stopped" and name == "WAS" and not flag(call, "Force"):
                _cannot(
                    call, "Stopped", name, "It has dependent services. It can only be stopped if the Force flag is set."
                )
            if not call.should_process(f"{DISPLAY_NAMES.get(name, name)} ({name})"):
                continue
            with changing(call) as at:
                for state in states:
                    iis.set_service(at.estate, at.server, name, state)
            if flag(call, "PassThru"):
                yield _service(name, states[-1])

    return run


def _cannot(call: Call, state: str, name: str, why: str) -> None:
    verb = "start" if state == "Running" else "stop"
    call.write_error(
        f"Service '{DISPLAY_NAMES.get(name, name)} ({name})' cannot be {'started' if verb == 'start' else 'stopped'} due to "
        f"the following error: {why}",
        id=f"CouldNot{verb.capitalize()}Service",
        category="PermissionDenied" if "denied" in why else "CloseError",
        exception="Microsoft.PowerShell.Commands.ServiceCommandException",
    )


def _processes(at: Place) -> list[_Process]:
    skew = timedelta(seconds=at.server.clock_skew_s)
    booted = at.estate.now().replace(microsecond=0) - _BOOTED_AGO + skew
    found = [
        _Process(4, "System", booted, ""),
        _Process(812, "svchost.exe", booted, "C:\\Windows\\system32\\svchost.exe -k netsvcs"),
    ]
    for worker in at.server.iis.workers.values() if at.server.iis is not None else ():
        line = (
            f'c:\\windows\\system32\\inetsrv\\w3wp.exe -ap "{worker.pool}" -v "v4.0" -l "webengine4.dll" '
            f'-a \\\\.\\pipe\\iisipm{worker.pid:08x} -w "" -m 0'
        )
        found.append(_Process(worker.pid, "w3wp.exe", worker.started + skew, line))
    return found


def _get_processes(call: Call) -> Iterator[PsObject]:
    with reading(call) as at:
        processes = _processes(at)
    patterns = [text(one) for one in call.parameters.get("Name") or ()]
    ids = list(call.parameters.get("Id") or ())
    for process in processes:
        name = process.name.removesuffix(".exe")
        if patterns and not any(like(pattern, name) for pattern in patterns):
            continue
        if ids and process.pid not in ids:
            continue
        yield ps_object(
            "System.Diagnostics.Process",
            Name=name,
            ProcessName=name,
            Id=process.pid,
            StartTime=process.started.astimezone(LOCAL),
        )


def _get_cim(call: Call) -> Iterator[PsObject]:
    class_name = text(call.parameters["ClassName"])
    for row in _instances(call, class_name):
        yield ps_object(
            (f"Microsoft.Management.Infrastructure.CimInstance#root/cimv2/{class_name}", "System.Object"), row
        )


def _instances(call: Call, class_name: str) -> list[dict[str, Any]]:
    """The instances of a class that satisfy -Filter: one comparison of one property with a text."""
    with reading(call) as at:
        rows = _class(at, class_name.lower())
    if rows is None:
        call.throw(
            "Invalid class ",
            id="HRESULT 0x80041010",
            category="MetadataError",
            exception="Microsoft.Management.Infrastructure.CimException",
        )
    condition = text(call.parameters.get("Filter"))
    if not condition:
        return rows
    match = _CONDITION.fullmatch(condition)
    if match is None or not any(match["name"].lower() == key.lower() for key in (rows[0] if rows else {})):
        _invalid_query(call)
    wanted = match["value"].replace("%", "*") if match["operator"].upper() == "LIKE" else match["value"]
    key = next(key for key in rows[0] if key.lower() == match["name"].lower())
    return [row for row in rows if like(wanted, text(row[key]))]


def _class(at: Place, name: str) -> list[dict[str, Any]] | None:
    if name == "win32_process":
        return [
            {
                "ProcessId": process.pid,
                "Name": process.name,
                "CreationDate": process.started.astimezone(LOCAL),
                "CommandLine": process.command_line or None,
            }
            for process in _processes(at)
        ]
    if name == "win32_service":
        return [
            {
                "Name": service,
                "DisplayName": DISPLAY_NAMES.get(service, service),
                "State": state,
                "StartMode": "Auto",
                "Started": state == "Running",
            }
            for service, state in _states(at).items()
        ]
    if name == "win32_operatingsystem":
        return [
            {
                "Caption": "Microsoft Windows Server 2016 Standard",
                "Version": "10.0.14393",
                "BuildNumber": "14393",
                "CSName": at.server.name.upper(),
                "LocalDateTime": at.now.astimezone(LOCAL),
                "LastBootUpTime": (at.now.replace(microsecond=0) - _BOOTED_AGO).astimezone(LOCAL),
                "OSArchitecture": "64-bit",
            }
        ]
    if name == "win32_computersystem":
        return [{"Name": at.server.name.upper(), "Domain": at.estate.domain, "PartOfDomain": True}]
    return None


def _invalid_query(call: Call) -> NoReturn:
    call.throw(
        "Invalid query ",
        id="HRESULT 0x80041017",
        category="InvalidArgument",
        exception="Microsoft.Management.Infrastructure.CimException",
    )
