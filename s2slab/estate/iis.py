"""Internet Information Services of a server: services, worker processes, and what a worker loads when it starts.

A worker reads partner applications, auth configuration and accepted domains from the domain controller of its server's
site once, when it starts. Later changes of the directory mean nothing to it until it is started again.
"""

from __future__ import annotations

from s2slab.estate.estate import Estate, Iis, Server, WorkerProcess

EWS_POOL = "MSExchangeServicesAppPool"
AUTODISCOVER_POOL = "MSExchangeAutodiscoverAppPool"
CLIENT_ACCESS_POOLS = (
    AUTODISCOVER_POOL,
    EWS_POOL,
    "MSExchangeOWAAppPool",
    "MSExchangeECPAppPool",
    "MSExchangePowerShellFrontEndAppPool",
)
MAILBOX_POOLS = (
    AUTODISCOVER_POOL,
    EWS_POOL,
    "MSExchangeOWAAppPool",
    "MSExchangeECPAppPool",
    "MSExchangePowerShellAppPool",
)
LYNC_POOLS = ("LyncIntFeature", "LyncExtFeature")
SERVICES = ("IISADMIN", "WAS", "W3SVC")
STOP_S = 4.0
START_S = 3.0


def pools_of(server: Server) -> tuple[str, ...]:
    """The application pools that a server of these roles has."""
    found: dict[str, None] = {}
    for role, pools in (("ClientAccess", CLIENT_ACCESS_POOLS), ("Mailbox", MAILBOX_POOLS), ("FrontEnd", LYNC_POOLS)):
        if server.has_role(role):
            found.update(dict.fromkeys(pools))
    return tuple(found)


def deliver(estate: Estate, server: Server) -> None:
    """Give a server its running IIS without a transition: it was delivered that way."""
    server.iis = Iis(dict.fromkeys(SERVICES, "Running"), dict.fromkeys(pools_of(server), "Started"))
    spawn(estate, server)


def stop(estate: Estate, server: Server) -> None:
    """Stop the services; every worker and every session through this IIS ends."""
    iis = _iis(server)
    for name in reversed(SERVICES):
        _set(estate, server, iis, name, "Stopped")
    iis.workers.clear()
    iis.generation += 1


def start(estate: Estate, server: Server) -> None:
    """Start the services that are stopped, and the workers of the started pools."""
    iis = _iis(server)
    for name in SERVICES:
        _set(estate, server, iis, name, "Running")
    start_workers(estate, server)


def start_workers(estate: Estate, server: Server) -> None:
    """Start a worker for every started pool that has none; each loads what its domain controller says now."""
    iis = _iis(server)
    missing = [pool for pool, state in iis.pools.items() if state == "Started" and pool not in iis.workers]
    spawn(estate, server)
    for pool in missing:
        worker = iis.workers[pool]
        estate.record("service", f"worker@{server.fqdn}:{pool}", None, {"pid": worker.pid, "started": worker.started})


def recycle(estate: Estate, server: Server, pool: str) -> None:
    """Restart one application pool: its worker starts anew, the others and the services go on."""
    iis = _iis(server)
    before = iis.workers.pop(pool, None)
    estate.record("service", f"pool@{server.fqdn}:{pool}", None if before is None else before.pid, "recycled")
    if "PowerShell" in pool:
        iis.generation += 1
    iis.pools[pool] = "Started"
    if iis.running:
        start_workers(estate, server)


def set_service(estate: Estate, server: Server, name: str, state: str) -> bool:
    """Start ("Running") or stop ("Stopped") one Windows service; False when the server has none of that name."""
    if server.iis is not None and name in server.iis.services:
        iis = server.iis
        stops = {"WAS": ("W3SVC", "WAS")}.get(name, (name,)) if state == "Stopped" else (name,)
        if state == "Running" and name == "W3SVC":
            stops = ("WAS", "W3SVC")  # it depends on WAS
        for one in stops:
            _set(estate, server, iis, one, state)
        if not iis.running:
            iis.workers.clear()
            iis.generation += 1
        else:
            start_workers(estate, server)
        return True
    if name in server.services:
        before = server.services[name]
        server.services[name] = state
        if before != state:
            estate.record("service", f"service@{server.fqdn}:{name}", before, state)
        return True
    return False


def _iis(server: Server) -> Iis:
    if server.iis is None:
        raise ValueError(f"{server.fqdn} has no IIS")
    return server.iis


def _set(estate: Estate, server: Server, iis: Iis, name: str, state: str) -> None:
    before = iis.services.get(name)
    if before != state:
        iis.services[name] = state
        estate.record("service", f"service@{server.fqdn}:{name}", before, state)


def spawn(estate: Estate, server: Server) -> None:
    """Give every started pool without a worker one, without a transition; it loads what the directory says now."""
    iis = _iis(server)
    dc = server.domain_controller
    applications = tuple(estate.directory.list("PartnerApplication", dc=dc))
    config = estate.directory.read("AuthConfig/Auth Configuration", dc=dc) or {}
    domains = tuple(str(row["DomainName"]) for row in estate.directory.list("AcceptedDomain", dc=dc))
    for pool, state in iis.pools.items():
        if state == "Started" and pool not in iis.workers:
            pid = estate.random.randrange(500, 8000) * 4
            iis.workers[pool] = WorkerProcess(pool, pid, estate.now(), applications, config, domains)
