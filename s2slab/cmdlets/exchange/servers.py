"""What runs on the Exchange servers: Autodiscover's SCP, virtual directories, component states, copies, moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from s2slab.cmdlets.exchange.common import MANAGEMENT, TASKS, Refused, identity, missing, selected, stamps
from s2slab.cmdlets.exchange.tasks import task
from s2slab.cmdlets.shared.base import changing, reading, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate.estate import Estate, Server

COMPONENT_STATES = ("Active", "Inactive", "Draining")
REQUESTERS = ("HealthAPI", "Maintenance", "Sidelined", "Functional", "Deployment")


def specs(product: str) -> list[CmdletSpec]:
    """Per-server cmdlets of a product version ("2013", "2016", "2019", "SE")."""
    uri = Parameter("AutoDiscoverServiceInternalUri", "uri", allow_null=True)
    scope = Parameter("AutoDiscoverSiteScope", "string[]")
    # 2016 and later have the names with Service, and keep the older ones, deprecated
    nouns = ("ClientAccessServer",) if product == "2013" else ("ClientAccessService", "ClientAccessServer")
    server = Parameter("Server", "string")
    found: list[CmdletSpec] = []
    for noun in nouns:
        found.append(task(f"Get-{noun}", _get_client_access, (identity(),)))
        found.append(task(f"Set-{noun}", _set_client_access, (identity(mandatory=True), uri, scope), writes=True))
    return [
        *found,
        task("Get-WebServicesVirtualDirectory", _directories("EWS", "EWS/Exchange.asmx"), (identity(), server)),
        task("Get-AutodiscoverVirtualDirectory", _directories("Autodiscover", ""), (identity(), server)),
        task(
            "Get-ServerComponentState", _component_states, (identity(mandatory=True), Parameter("Component", "string"))
        ),
        task(
            "Set-ServerComponentState",
            _set_component_state,
            (
                identity(mandatory=True),
                Parameter("Component", "string", mandatory=True),
                Parameter("State", "string", mandatory=True, values=COMPONENT_STATES),
                Parameter("Requester", "string", mandatory=True, values=REQUESTERS),
            ),
            writes=True,
        ),
        task("Get-MailboxDatabaseCopyStatus", _copies, (identity(), server)),
        task("Get-MoveRequest", _moves, (identity(), Parameter("MoveStatus", "string"))),
    ]


def _client_access_rows(call: Call, dc: str) -> list[dict[str, Any]]:
    with reading(call) as at:
        rows = [r for r in at.estate.directory.list("ExchangeServer", dc=dc) if r["IsClientAccessServer"]]
    wanted = text(call.parameters.get("Identity")).lower()
    return [row for row in rows if wanted == row["Fqdn"]] or selected(call, rows, dc)


def _get_client_access(call: Call, dc: str) -> Iterator[PsObject]:
    for row in _client_access_rows(call, dc):
        yield ps_object(
            MANAGEMENT + "ClientAccessServer",
            {
                "Name": row["Name"],
                "Fqdn": row["Fqdn"],
                "AutoDiscoverServiceCN": row["Name"],
                "AutoDiscoverServiceInternalUri": row["AutoDiscoverServiceInternalUri"],
                "AutoDiscoverSiteScope": list(row["AutoDiscoverSiteScope"]),
                "Identity": row["Name"],
                **stamps(row),
            },
        )


def _set_client_access(call: Call, dc: str) -> None:
    before = _client_access_rows(call, dc)[0]
    row = dict(before)
    if "AutoDiscoverServiceInternalUri" in call.parameters:
        row["AutoDiscoverServiceInternalUri"] = text(call.parameters["AutoDiscoverServiceInternalUri"])
    if "AutoDiscoverSiteScope" in call.parameters:
        row["AutoDiscoverSiteScope"] = tuple(call.parameters["AutoDiscoverSiteScope"] or ())
    if call.should_process(before["Name"]):
        with changing(call) as at:
            at.estate.directory.write(f"ExchangeServer/{before['Name']}", row, dc=dc)


def _directories(name: str, path: str) -> Any:
    def read(call: Call, dc: str) -> Iterator[PsObject]:
        with reading(call) as at:
            wanted = text(call.parameters.get("Server"))
            servers = [_server(at.estate, wanted, dc)] if wanted else at.estate.exchange_servers()
            domain = at.estate.domain
        for server in servers:
            if not server.has_role("ClientAccess"):
                continue
            url = f"https://mail.{domain}/{path}" if path else ""
            yield ps_object(
                MANAGEMENT + f"AD{name}VirtualDirectory",
                Name=f"{name} (Default Web Site)",
                Server=server.name.upper(),
                InternalUrl=url,
                ExternalUrl=url,
                WindowsAuthentication=True,
                OAuthAuthentication=True,
                BasicAuthentication=False,
                Identity=f"{server.name.upper()}\\{name} (Default Web Site)",
            )

    return read


def _server(estate: Estate, name: str, dc: str) -> Server:
    try:
        server = estate.server(name)
    except KeyError:
        raise missing(name, dc) from None
    if not server.is_exchange:
        raise missing(name, dc)
    return server


def _component_states(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        server = _server(at.estate, text(call.parameters["Identity"]), dc)
        if not server.reachable:
            raise _offline(server)
        states = dict(server.components)
    wanted = text(call.parameters.get("Component")).lower()
    for component, state in states.items():
        if wanted in ("", component.lower()):
            yield ps_object(
                "Microsoft.Exchange.Data.ServerComponentStatePresentationObject",
                Server=server.fqdn,
                Component=component,
                State=state,
                Identity=component,
            )


def _set_component_state(call: Call, dc: str) -> None:
    with reading(call) as at:
        server = _server(at.estate, text(call.parameters["Identity"]), dc)
    wanted = text(call.parameters["Component"]).lower()
    component = next((name for name in server.components if name.lower() == wanted), None)
    if component is None:
        raise Refused(f"'{wanted}' isn't a component of this server.", TASKS + "TaskException", "InvalidArgument")
    if not server.reachable:
        raise _offline(server)
    if call.should_process(f"{server.name} {component}"):
        with changing(call) as at:
            before, after = server.components[component], text(call.parameters["State"])
            server.components[component] = after
            at.estate.record("service", f"component@{server.fqdn}:{component}", before, after)


def _offline(server: Server) -> Refused:
    return Refused(
        f"The registry of server {server.fqdn} can't be accessed. The network path was not found.",
        "System.IO.IOException",
        "ResourceUnavailable",
    )


def _copies(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        wanted = text(call.parameters.get("Server"))
        servers = [_server(at.estate, wanted, dc)] if wanted else at.estate.exchange_servers()
        up = [server for server in servers if server.has_role("Mailbox")]
    for server in up:
        yield ps_object(
            MANAGEMENT + "DatabaseCopyStatusEntry",
            Name=f"DB01\\{server.name.upper()}",
            DatabaseName="DB01",
            MailboxServer=server.name.upper(),
            Status="Mounted" if server.services.get("MSExchangeIS") == "Running" else "ServiceDown",
            CopyQueueLength=0,
            ReplayQueueLength=0,
            ContentIndexState="Healthy",
            ActivationSuspended=False,
        )


def _moves(call: Call, dc: str) -> Iterator[PsObject]:
    if "Identity" in call.parameters:
        raise missing(text(call.parameters["Identity"]), dc)
    return iter(())
