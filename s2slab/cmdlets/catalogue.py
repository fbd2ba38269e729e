"""Which commands there are where: the local shell of a server, and the products' remote endpoints."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from s2slab.cmdlets.exchange import (
    audit as exchange_audit,
)
from s2slab.cmdlets.exchange import (
    organization as exchange_organization,
)
from s2slab.cmdlets.exchange import (
    partner as exchange_partner,
)
from s2slab.cmdlets.exchange import (
    recipients as exchange_recipients,
)
from s2slab.cmdlets.exchange import (
    script as exchange_script,
)
from s2slab.cmdlets.exchange import (
    servers as exchange_servers,
)
from s2slab.cmdlets.lync import (
    certificates as lync_certificates,
)
from s2slab.cmdlets.lync import (
    export as lync_export,
)
from s2slab.cmdlets.lync import (
    oauth as lync_oauth,
)
from s2slab.cmdlets.lync import (
    policies as lync_policies,
)
from s2slab.cmdlets.lync import (
    roles as lync_roles,
)
from s2slab.cmdlets.lync import (
    tests as lync_tests,
)
from s2slab.cmdlets.lync import (
    topology as lync_topology,
)
from s2slab.cmdlets.windows import (
    certutil as windows_certutil,
)
from s2slab.cmdlets.windows import (
    files as windows_files,
)
from s2slab.cmdlets.windows import (
    icacls as windows_icacls,
)
from s2slab.cmdlets.windows import (
    items as windows_items,
)
from s2slab.cmdlets.windows import (
    programs as windows_programs,
)
from s2slab.cmdlets.windows import (
    services as windows_services,
)
from s2slab.cmdlets.windows import (
    time as windows_time,
)
from s2slab.cmdlets.windows import (
    web as windows_web,
)
from s2slab.engine.registry import CmdletSpec, Registry
from s2slab.estate import rbac
from s2slab.estate.estate import Estate, Server
from s2slab.estate.session import LabSession

MODULES = {
    "2013": "Lync",
    "2015": "SkypeForBusiness",
    "2019": "SkypeForBusiness",
    "SE": "SkypeForBusiness",  # UNCONFIRMED
}


def local_registry(estate: Estate, server: Server) -> Registry:
    """The commands of a server's own PowerShell: Windows, and Lync's module on a front end. Exchange's are not there."""
    registry = Registry()
    windows = (windows_services, windows_web, windows_items, windows_files, windows_time)
    for spec in (spec for module in windows for spec in module.specs()):
        registry.add(spec)
    for program in (*windows_programs.specs(), *windows_icacls.specs(), *windows_certutil.specs()):
        registry.add(program)
    if server.has_role("FrontEnd"):
        product = estate.lync_product
        module = MODULES[product]
        registry.declare_module(module, version=lync_topology.VERSIONS[product][0])
        local = (
            *lync_certificates.specs(),
            *lync_export.specs(),
            *lync_topology.local_specs(product),
            *lync_tests.local_specs(),
        )
        for cmdlet in (*_lync(), *local):
            registry.add(replace(cmdlet, module=module))
        registry.not_simulated = _others(lync=True)
    if server.is_exchange:
        for script in exchange_script.specs():
            registry.add(script)
    return registry


def endpoint_registry(estate: Estate, session: LabSession, configuration: str) -> Registry:
    """The commands that an account's roles show it in a product's endpoint."""
    registry = Registry()
    offered = _exchange(estate.exchange_product) if configuration == rbac.EXCHANGE else _lync()
    for spec in offered:
        if rbac.sees(session, configuration, spec.name):
            registry.add(spec)
    others = _others(lync=configuration != rbac.EXCHANGE)
    registry.not_simulated = frozenset(name for name in others if rbac.sees(session, configuration, name))
    return registry


@cache
def _others(*, lync: bool) -> frozenset[str]:
    """The commands of a product that the lab does not simulate."""
    lines = files(__package__).joinpath("known_commands.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and line[0] != "#" and ("-Cs" in line) is lync)


def _lync() -> list[CmdletSpec]:
    offered = [*lync_oauth.specs(), *lync_topology.specs(), *lync_policies.specs()]
    return [*offered, *lync_roles.specs(offered)]


def _exchange(product: str) -> list[CmdletSpec]:
    return [
        *exchange_audit.specs(),
        *exchange_organization.specs(),
        *exchange_partner.specs(),
        *exchange_recipients.specs(),
        *exchange_servers.specs(product),
    ]
