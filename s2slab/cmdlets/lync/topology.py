"""Lync's topology and its replication: pools, computers, services, SIP domains, versions, replicas."""

from __future__ import annotations

from collections.abc import Iterator

from s2slab.cmdlets.lync.common import (
    LOCAL_STORE,
    READERS,
    SERVER_ADMINS,
    identity,
    not_found,
    reach_store,
    replica_to_read,
    require,
)
from s2slab.cmdlets.shared.base import changing, flag, like, place, reading, service_state, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate.estate import Estate

SITE = "Site:Atlanta"
# product -> version, the name Get-CsServerVersion prints, patch level; the names but SfB 2019's are UNCONFIRMED
VERSIONS = {
    "2013": ("5.0.8308.0", "Microsoft Lync Server 2013", "5.0.8308.1001"),
    "2015": ("6.0.9319.0", "Skype for Business Server 2015", "6.0.9319.881"),
    "2019": ("7.0.2046.0", "Skype for Business Server 2019", "7.0.2046.553"),
    "SE": ("7.0.2046.0", "Skype for Business Server Subscription Edition", "7.0.2046.820"),
}
SERVICE_ROLES = ("Registrar", "UserServer", "WebServer", "CentralManagement", "ManagementServer")


def specs() -> list[CmdletSpec]:
    """Topology cmdlets, for the local shell and the remote endpoint."""
    return [
        CmdletSpec("Get-CsPool", _pools, (identity(), Parameter("Site", "string"), LOCAL_STORE)),
        CmdletSpec(
            "Get-CsComputer",
            _computers,
            (identity(), Parameter("Pool", "string"), Parameter("Local", "switch"), LOCAL_STORE),
        ),
        CmdletSpec(
            "Get-CsService",
            _services,
            (
                identity(),
                Parameter("PoolFqdn", "string"),
                LOCAL_STORE,
                *(Parameter(role, "switch") for role in SERVICE_ROLES),
            ),
        ),
        CmdletSpec("Get-CsSipDomain", _sip_domains, (identity(), LOCAL_STORE)),
        CmdletSpec(
            "Get-CsManagementStoreReplicationStatus",
            _replication,
            (Parameter("ReplicaFqdn", "string", position=0), Parameter("CentralManagementStoreStatus", "switch")),
        ),
        CmdletSpec(
            "Invoke-CsManagementStoreReplication", _replicate, (Parameter("ReplicaFqdn", "string", position=0),)
        ),
        CmdletSpec("Get-CsManagementConnection", _connection),
    ]


def local_specs(product: str) -> list[CmdletSpec]:
    """Those that look at this computer only, of a product ("2013", "2015", "2019", "SE")."""
    found = [
        CmdletSpec("Get-CsServerVersion", _server_version),
        CmdletSpec("Get-CsWindowsService", _windows_services, (Parameter("Name", "string", position=0),)),
    ]
    if product != "2013":
        found.append(CmdletSpec("Get-CsServerPatchVersion", _patch_version))
    return found


def _pools(call: Call) -> Iterator[PsObject]:
    replica_to_read(call)
    wanted = text(call.parameters.get("Identity")).lower()
    with reading(call) as at:
        rows = [_front_end_pool(at.estate), _database_pool(at.estate)]
    found = [row for row in rows if wanted in ("", str(row.get("Identity")).lower())]
    if wanted and not found:
        not_found(call, wanted)
    return iter(found)


def _front_end_pool(estate: Estate) -> PsObject:
    pool = estate.pool_fqdn
    services = [f"{role}:{pool}" for role in ("UserServer", "Registrar", "WebServer", "ManagementServer")]
    return _pool(pool, [s.fqdn for s in estate.front_ends()], services)


def _database_pool(estate: Estate) -> PsObject:
    fqdn = estate.database_fqdn
    return _pool(fqdn, [fqdn], [f"CentralManagementDatabase:{fqdn}", f"UserDatabase:{fqdn}"])


def _pool(fqdn: str, computers: list[str], services: list[str]) -> PsObject:
    type_name = "Microsoft.Rtc.Management.Deploy.Internal.Cluster"
    return ps_object(type_name, Identity=fqdn, Services=services, Computers=computers, Fqdn=fqdn, Site=SITE)


def _computers(call: Call) -> Iterator[PsObject]:
    replica_to_read(call)
    with reading(call) as at:
        rows = [(s.fqdn, at.estate.pool_fqdn) for s in at.estate.front_ends()]
        rows.append((at.estate.database_fqdn, at.estate.database_fqdn))
        here = at.server.fqdn
    wanted, pool = text(call.parameters.get("Identity")).lower(), text(call.parameters.get("Pool")).lower()
    for fqdn, member_of in rows:
        if wanted not in ("", fqdn) or pool not in ("", member_of) or (flag(call, "Local") and fqdn != here):
            continue
        yield ps_object("Microsoft.Rtc.Management.Deploy.Internal.Machine", Identity=fqdn, Pool=member_of, Fqdn=fqdn)


def _services(call: Call) -> Iterator[PsObject]:
    replica_to_read(call)
    with reading(call) as at:
        pool, version = at.estate.pool_fqdn, VERSIONS[at.estate.lync_product][0]
        domain = at.estate.domain
    roles = [role for role in SERVICE_ROLES if flag(call, role)] or list(SERVICE_ROLES)
    if text(call.parameters.get("PoolFqdn")).lower() not in ("", pool):
        return
    for number, role in enumerate(SERVICE_ROLES, 1):
        identity_ = f"{role}:{pool}"
        if role not in roles or text(call.parameters.get("Identity")).lower() not in ("", identity_.lower()):
            continue
        row = {
            "Identity": identity_,
            "ServiceId": f"1-{role}-{number}",
            "SiteId": SITE,
            "PoolFqdn": pool,
            "Version": version.split(".")[0],
            "Role": role,
            "DependentServiceList": [],
        }
        if role == "WebServer":
            row |= {"InternalFqdn": pool, "ExternalFqdn": f"lyncweb.{domain}"}
        yield ps_object(f"Microsoft.Rtc.Management.Xds.Display{role}", row)


def _sip_domains(call: Call) -> Iterator[PsObject]:
    replica = replica_to_read(call)
    wanted = text(call.parameters.get("Identity")).lower()
    with reading(call) as at:
        rows = at.estate.cms.list("SipDomain", replica=replica)
    for row in rows:
        if wanted in ("", str(row["Name"]).lower()):
            yield ps_object(
                "Microsoft.Rtc.Management.Xds.SipDomain",
                Identity=row["Name"],
                Name=row["Name"],
                IsDefault=row["IsDefault"],
            )


def _replication(call: Call) -> Iterator[PsObject]:
    require(call, READERS)
    reach_store(call)
    with reading(call) as at:
        rows = {name: dict(status) for name, status in at.estate.cms.status.items()}
        version = VERSIONS[at.estate.lync_product][0]
        master = at.estate.front_ends()[0].fqdn
        now = at.estate.now()
    if flag(call, "CentralManagementStoreStatus"):
        yield ps_object(
            "Microsoft.Rtc.Management.Xds.CentralManagementStoreState",
            ActiveMasterFqdn=master,
            ActiveMasterLastHeartbeat=now,
        )
        return
    wanted = text(call.parameters.get("ReplicaFqdn")).lower()
    if wanted and wanted not in rows:
        not_found(call, wanted)
    for name, row in rows.items():
        if wanted in ("", name):
            yield ps_object(
                "Microsoft.Rtc.Management.Xds.ReplicaState",
                UpToDate=row["UpToDate"],
                ReplicaFqdn=name,
                LastStatusReport=row["LastStatusReport"],
                LastUpdateCreation=row["LastUpdateCreation"],
                ProductVersion=version,
            )


def _replicate(call: Call) -> None:
    require(call, SERVER_ADMINS)
    reach_store(call)
    wanted = text(call.parameters.get("ReplicaFqdn")).lower()
    with changing(call) as at:
        if wanted and wanted not in at.estate.cms.replicas:
            not_found(call, wanted)
        at.estate.cms.replicate_now(wanted or None)


def _connection(call: Call) -> Iterator[PsObject]:
    require(call, READERS)
    at = place(call)
    yield ps_object(
        "Microsoft.Rtc.Management.Xds.ManagementConnection",
        StoreProvider="Sql",
        Connection=f"Data Source={at.estate.database_fqdn}\\rtc;Initial Catalog=xds;Integrated Security=True",
        ReadOnly=False,
        SqlServer=at.estate.database_fqdn,
        SqlInstance="rtc",
    )


def _server_version(call: Call) -> Iterator[str]:
    version, name, _ = VERSIONS[place(call).estate.lync_product]
    yield f"{name} ({version}): Volume license key installed."


def _patch_version(call: Call) -> Iterator[PsObject]:
    _, name, patch = VERSIONS[place(call).estate.lync_product]
    for component in ("Core Components", "Front End Server", "Web Components Server"):
        # the type name is UNCONFIRMED
        yield ps_object(
            "System.Management.Automation.PSCustomObject", ComponentName=f"{name}, {component}", Version=patch
        )


def _windows_services(call: Call) -> Iterator[PsObject]:
    require(call, READERS)
    pattern = text(call.parameters.get("Name")) or "*"
    with reading(call) as at:
        rows = {name: state for name, state in at.server.services.items() if name != "WinRM"}
        if at.server.iis is not None:
            rows["W3SVC"] = at.server.iis.services["W3SVC"]
    for name, state in rows.items():
        if like(pattern, name):
            yield ps_object(
                "Microsoft.Rtc.Management.Deployment.Core.NTService",
                Status=service_state(state),
                Name=name,
                ActivityLevel="",
                RoleName=[name],
            )
