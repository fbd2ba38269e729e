"""Native programs of a server: iisreset.exe, whoami.exe, hostname.exe.

`iisreset [computer] [/restart|/start|/stop|/status] [/noforce] [/timeout:<s>]`

    what happens                          text                                                     exit code
    ------------------------------------  -------------------------------------------------------  ---------
    restarted                             Internet services successfully restarted                 0
    not an administrator there            Access denied                                            5
    another computer, no second hop       Restart attempt failed. Access Denied                    5
    the services do not come back         Restart attempt failed. (they are down now)              1

The first line of a restart is documented; the other texts and every exit code are UNCONFIRMED.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from s2slab.cmdlets.shared.base import Place, place
from s2slab.engine.registry import ProgramCall, ProgramSpec
from s2slab.estate import iis
from s2slab.estate.estate import Server
from s2slab.estate.session import ADMINISTRATORS, BUILTIN_GROUPS, NETWORK
from s2slab.estate.transitions import Cause

MEMBER = "Mandatory group, Enabled by default, Enabled group"
LOCAL_MEMBER = "Mandatory group, Enabled by default, Enabled group, Local Group"


def specs() -> list[ProgramSpec]:
    """The programs every server has."""
    return [
        ProgramSpec("iisreset.exe", _iisreset),
        ProgramSpec("whoami.exe", _whoami),
        ProgramSpec("hostname.exe", _hostname),
    ]


def _hostname(call: ProgramCall) -> int:
    call.write_stdout(f"{place(call).server.name}\r\n")
    return 0


def _iisreset(call: ProgramCall) -> int:
    at = place(call)
    switches = [one.lower() for one in call.argv if one[:1] in "/-"]
    computers = [one for one in call.argv if one[:1] not in "/-"]
    actions = [one.lstrip("/-") for one in switches if one.lstrip("/-") in _ACTIONS]
    known = [one for one in switches if one.lstrip("/-") in ("noforce", *_ACTIONS) or one[1:].startswith("timeout:")]
    if len(computers) > 1 or len(actions) > 1 or len(known) != len(switches):
        call.write_stdout("\r\nIISRESET.EXE (c) Microsoft Corp.\r\n\r\nUsage:\r\niisreset [computername]\r\n")
        return 1
    target = _computer(call, at, computers[0]) if computers else at.server
    if target is None:
        return 5
    if not at.session.may_administer(target.fqdn):
        call.write_stdout("\r\nAccess denied, you must be an administrator of the computer to use this command.\r\n")
        return 5
    if target.iis is None:
        call.write_stdout("\r\nThe specified service does not exist as an installed service.\r\n")
        return 1
    return _ACTIONS[actions[0] if actions else "restart"](call, at, target)


def _computer(call: ProgramCall, at: Place, name: str) -> Server | None:
    """The server that a name means, as long as the token may be shown to it over DCOM."""
    try:
        target = at.estate.server(name)
    except KeyError:
        call.write_stdout("\r\nRestart attempt failed.\r\nThe RPC server is unavailable. (2147944122, 800706ba)\r\n")
        return None
    if target is at.server:
        return target
    if not target.reachable:
        call.write_stdout("\r\nRestart attempt failed.\r\nThe RPC server is unavailable. (2147944122, 800706ba)\r\n")
        return None
    if (at.session.network_logon and not at.session.delegated) or not at.session.may_administer(target.fqdn):
        call.write_stdout("\r\nRestart attempt failed.\r\nAccess Denied\r\n")
        return None
    return target


def _cause(call: ProgramCall, at: Place) -> Cause:
    line = " ".join(["iisreset.exe", *call.argv])
    return Cause("command", call.command_id, line, at.server.fqdn, at.session.account.name)


def _restart(call: ProgramCall, at: Place, target: Server) -> int:
    call.write_stdout("\r\nAttempting stop...\r\n")
    _down(call, at, target)
    call.write_stdout("Internet services successfully stopped\r\nAttempting start...\r\n")
    if not _up(call, at, target):
        call.write_stdout(
            "Restart attempt failed.\r\nThe service did not respond to the start or control request in a timely fashion. "
            "(2147943453, 8007041d)\r\n"
        )
        return 1
    call.write_stdout("Internet services successfully restarted\r\n")
    return 0


def _stop(call: ProgramCall, at: Place, target: Server) -> int:
    call.write_stdout("\r\nAttempting stop...\r\n")
    _down(call, at, target)
    call.write_stdout("Internet services successfully stopped\r\n")
    return 0


def _start(call: ProgramCall, at: Place, target: Server) -> int:
    call.write_stdout("\r\nAttempting start...\r\n")
    if not _up(call, at, target):
        call.write_stdout("Start attempt failed.\r\n")
        return 1
    call.write_stdout("Internet services successfully started\r\n")
    return 0


def _status(call: ProgramCall, at: Place, target: Server) -> int:
    with at.estate.reading():
        states = {} if target.iis is None else dict(target.iis.services)
    titles = {"IISADMIN": "IIS Admin Service", "WAS": "Windows Process Activation Service"}
    for name, state in states.items():
        title = titles.get(name, "World Wide Web Publishing Service")
        call.write_stdout(f"Status for {title} ( {name} ) : {state}\r\n")
    return 0


def _down(call: ProgramCall, at: Place, target: Server) -> None:
    with at.estate.acting(_cause(call, at)):
        iis.stop(at.estate, target)
    at.estate.clock.advance(iis.STOP_S)


def _up(call: ProgramCall, at: Place, target: Server) -> bool:
    at.estate.clock.advance(iis.START_S)
    with at.estate.acting(_cause(call, at)):
        if target.iis_restart_fails:
            target.iis_restart_fails = False
            return False
        iis.start(at.estate, target)
    return True


_ACTIONS: dict[str, Callable[[ProgramCall, Place, Server], int]] = {
    "restart": _restart,
    "stop": _stop,
    "start": _start,
    "status": _status,
}


def _whoami(call: ProgramCall) -> int:
    at = place(call)
    switches = [one.lower() for one in call.argv]
    user = f"{at.estate.netbios}\\{at.session.account.name}".lower()
    if not switches:
        call.write_stdout(f"{user}\r\n")
        return 0
    header, rows = _table(at, user, switches[0])
    form, headless = _form(switches[1:])
    if not rows or not form:
        call.write_stderr(
            "ERROR: Invalid argument/option - " + " ".join(call.argv) + '.\r\nType "WHOAMI /?" for usage.\r\n'
        )
        return 1
    lines = rows if headless else [header, *rows]
    if form == "csv":
        for line in lines:
            call.write_stdout(",".join(f'"{value}"' for value in line) + "\r\n")
        return 0
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    if not headless:
        lines = [header, tuple("=" * width for width in widths), *rows]
    for line in lines:
        cells = (value.ljust(width) for value, width in zip(line, widths, strict=True))
        call.write_stdout(" ".join(cells).rstrip() + "\r\n")
    return 0


def _table(at: Place, user: str, what: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    if what == "/user":
        return ("User Name", "SID"), [(user, _sid(at, at.session.account.name))]
    if what == "/groups":
        return ("Group Name", "Type", "SID", "Attributes"), _groups(at)
    return (), []


def _form(switches: list[str]) -> tuple[str, bool]:
    """The output format ('' for one that is not known) and whether the header is left out."""
    headless = "/nh" in switches
    rest = [one for one in switches if one != "/nh"]
    if not rest:
        return "table", headless
    if len(rest) == 2 and rest[0] == "/fo" and rest[1] in ("csv", "table"):
        return rest[1], headless
    return "", headless


def _groups(at: Place) -> list[tuple[str, ...]]:
    account = at.session.account
    found: list[tuple[str, ...]] = [BUILTIN_GROUPS[0]]
    if at.session.may_administer(at.server.fqdn):
        found.append(ADMINISTRATORS)
    found += BUILTIN_GROUPS[1:]
    if at.session.network_logon:
        found.append(NETWORK)
    found += [(f"{at.estate.netbios}\\{name}", "Group", _sid(at, name), MEMBER) for name in account.groups]
    if at.server.has_role("FrontEnd"):
        here = at.server.name.upper()
        found += [(f"{here}\\{name}", "Alias", _sid(at, name), LOCAL_MEMBER) for name in account.local_groups]
    level = ("High", "12288") if at.session.elevated else ("Medium", "8192")
    found.append((f"Mandatory Label\\{level[0]} Mandatory Level", "Label", f"S-1-16-{level[1]}", ""))
    return found


def _sid(at: Place, name: str) -> str:
    domain = zlib.crc32(at.estate.domain.encode())
    return f"S-1-5-21-{domain}-{domain >> 3}-{domain >> 7}-{1000 + zlib.crc32(name.lower().encode()) % 100000}"
