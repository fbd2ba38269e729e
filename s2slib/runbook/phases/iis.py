"""An IIS restart as a change, whatever for: its line, its recovery, and when the server counts as back (rules R25 and R26)."""

from __future__ import annotations

from typing import Any

from s2slib.facts import Facts, Unknown
from s2slib.products import windows
from s2slib.products.exchange import COMPONENTS
from s2slib.products.windows import IIS_SERVICES
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import wanted
from s2slib.runbook.reading.derive import WEB_HEALTHY
from s2slib.runbook.reading.scope import ExchangeHost, Scope

HEALTH_S = 600


def restart(
    d: Scope,
    facts: Facts,
    server: ExchangeHost,
    *,
    rests_on: dict[str, Any],
    after: dict[str, Any],
    settled: dict[str, Any],
    **more: Any,
) -> Change:
    """`iisreset` on a server, held before where the deployment says so, started again if it fails, proven back.

    `after` and `settled` hold besides services that run, health pages that answer and components in the states of
    `facts`. A server in maintenance stays in it, and its pages say so. Pages that cannot be read now (the server's own name is
    not in its certificate, say) would prove nothing afterwards: they are not asked for then, and preflight says so.
    """
    timeout_s = d.deployment.network.timeouts_s.iis_restart
    before = facts.value(COMPONENTS.on(server.fqdn), {})
    if before.get("ServerWideOffline") != "Inactive" and not isinstance(facts[WEB_HEALTHY.on(server.fqdn)], Unknown):
        settled = {**settled, WEB_HEALTHY.on(server.fqdn): True}
    if before:
        settled = {**settled, COMPONENTS.on(server.fqdn): before}
    return Change(
        target=server.fqdn,
        steps=(Step(server.fqdn, windows.iisreset("/noforce", f"/timeout:{timeout_s}")),),
        rests_on=wanted(rests_on),
        after=wanted({**after, IIS_SERVICES.on(server.fqdn): {"W3SVC": "Running", "WAS": "Running"}}),
        settled_when=Settle(
            wanted(settled),
            HEALTH_S,
            poll_s=5,
            what="services run, health pages answer 200, component states as before",
        ),
        users_notice="every HTTP client of this server (Outlook, OWA, ActiveSync, PowerShell) while IIS cycles",
        recovery=(Step(server.fqdn, windows.iisreset("/start")),),
        hold_before=d.policy.restart == "hold",
        **more,
    )


def loaded_name(server: ExchangeHost) -> str:
    """The name of the value that says whether a server's web services work with the partner application of this run."""
    return f"loaded/{server.fqdn}"
