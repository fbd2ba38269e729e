"""Search-AdminAuditLog: who changed what through Exchange, as the organisation itself recorded it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from s2slab.cmdlets.exchange.tasks import task
from s2slab.cmdlets.shared.base import reading, text, utc
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate.transitions import Transition

MOST = 1000
_PARAMETER = re.compile(r"(?:^| )-([A-Za-z]+)(?= )")


def specs() -> list[CmdletSpec]:
    """Search-AdminAuditLog."""
    parameters = (
        Parameter("Cmdlets", "string[]"),
        Parameter("StartDate", "datetime"),
        Parameter("EndDate", "datetime"),
        Parameter("ResultSize", "int"),
    )
    return [task("Search-AdminAuditLog", _search, parameters)]


def _search(call: Call, dc: str) -> Iterator[PsObject]:
    wanted = {text(name).lower() for name in call.parameters.get("Cmdlets") or ()}
    with reading(call) as at:
        begin, end = call.parameters.get("StartDate"), call.parameters.get("EndDate")
        servers = {server.fqdn for server in at.estate.exchange_servers()}
        rows = [
            row
            for row in at.estate.log.rows(kind="configuration", caused_by="command")
            if row.cause.server in servers
            and row.subject.startswith("directory:")
            and (begin is None or row.at >= utc(begin))
            and (end is None or row.at <= utc(end))
        ]
        netbios = at.estate.netbios
    found = [_entry(row, netbios) for row in rows]
    chosen = [entry for entry in found if not wanted or str(entry.get("CmdletName")).lower() in wanted]
    return iter(list(reversed(chosen))[: call.parameters.get("ResultSize") or MOST])


def _entry(row: Transition, netbios: str) -> PsObject:
    name, _, rest = row.cause.command.partition(" ")
    return ps_object(
        "Microsoft.Exchange.Management.SystemConfigurationTasks.AdminAuditLogEvent",
        ObjectModified=row.subject.partition("/")[2],
        CmdletName=name,
        CmdletParameters=_PARAMETER.findall(rest),
        Caller=f"{netbios}\\{row.cause.account}",
        Succeeded=True,
        Error="None",
        RunDate=row.at,
        OriginatingServer=row.cause.server,
    )
