"""Autodiscover: the URL Lync uses, ending in .svc; the contact store staged first; the SCP judged (rules R15, R30 to R32)."""

from __future__ import annotations

from typing import Any

from s2slib.facts import Facts
from s2slib.products import exchange, lync
from s2slib.products.exchange import CLIENT_ACCESS
from s2slib.runbook.model.change import Change, Settle
from s2slib.runbook.model.expect import wanted
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.phases.common import ucs_policies, unknown_findings, waiting
from s2slib.runbook.phases.undo import reversible
from s2slib.runbook.reading.catalogue import REPLICA_CONFIGURATION
from s2slib.runbook.reading.sameness import same_url
from s2slib.runbook.reading.scope import Scope

NAME = "autodiscover"
REPLICATION_S = 1800
_F = Kinds(NAME)
URL = _F.ok("autodiscover.url", "Lync's ExchangeAutodiscoverUrl")
EMPTY = _F.warning("autodiscover.url.empty", "Lync has no ExchangeAutodiscoverUrl", remedy="this phase sets it")
REPLACED = _F.warning(
    "autodiscover.url.replaced",
    "Lync's ExchangeAutodiscoverUrl is another one; the params file says that it may be replaced",
    remedy="this phase sets it",
)
DIFFERS = _F.blocker(
    "autodiscover.url.differs",
    "Lync has another ExchangeAutodiscoverUrl: somebody chose it",
    remedy="correct exchange.autodiscover_url in the params file, or list the seen value under policy.overrides",
)
_SCP = "Service connection point (Outlook reads it, server-to-server authentication does not)"
_SUFFIX = "a URL that ends in /autodiscover/autodiscover.xml"
SCP = _F.ok("autodiscover.scp", _SCP, _SUFFIX)
SCP_SUFFIX = _F.warning(
    "autodiscover.scp.suffix", _SCP, _SUFFIX, "name the server under exchange.autodiscover_scp if it is to be changed"
)


def keys(_d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [lync.OAUTH_CONFIGURATION, CLIENT_ACCESS]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """The URL in Lync against the declared one, and every server's SCP."""
    return [*unknown_findings(NAME, facts, keys(d)), *_url(d, facts), *_scp(d, facts)]


def _url(d: Scope, facts: Facts) -> list[Finding]:
    configuration = facts.value(lync.OAUTH_CONFIGURATION)
    if configuration is None:
        return []
    seen, wanted = configuration.exchange_autodiscover_url, d.autodiscover_svc_url
    if same_url(seen, wanted):
        return [URL(seen)]
    if not seen:
        return [EMPTY("(empty)", wanted)]
    return [(REPLACED if d.may_replace("lync.ExchangeAutodiscoverUrl", seen) else DIFFERS)(seen, wanted)]


def _scp(d: Scope, facts: Facts) -> list[Finding]:
    return [
        (SCP if "/autodiscover/autodiscover.xml" in row.scp.casefold() else SCP_SUFFIX)(
            row.scp or "(empty)", _declared_scp(d, row.fqdn), server=row.fqdn
        )
        for row in facts.value(CLIENT_ACCESS, [])
    ]


def _declared_scp(d: Scope, fqdn: str) -> str:
    return next((item.url for item in d.exchange.autodiscover_scp if item.server.lower() == fqdn.lower()), "")


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Stage the contact store if asked, set the URL if empty or replaceable, set the SCP of servers named for it."""
    changes = [*_stage_ucs(d, facts), *_set_url(d, facts), *_set_scp(d, facts)]
    if changes:
        return changes, ""
    configuration = facts.value(lync.OAUTH_CONFIGURATION)
    if configuration is None:
        return [], "Lync's OAuth configuration is unknown"
    seen = configuration.exchange_autodiscover_url
    if same_url(seen, d.autodiscover_svc_url):
        conditions = {"exchange_autodiscover_url": seen}
        waits = waiting(
            NAME,
            "lync.await_exchange_autodiscover_url",
            "Wait until every front end's replica has the Autodiscover URL",
            d.lync_session_server,
            facts,
            {lync.OAUTH_CONFIGURATION: conditions},
            _on_every_replica(d, conditions),
        )
        return waits, "" if waits else f"ExchangeAutodiscoverUrl is {seen}"
    return [], f"ExchangeAutodiscoverUrl is {seen}, which this plan may not replace"


def _stage_ucs(d: Scope, facts: Facts) -> list[Change]:
    if d.policy.ucs != "staged":
        return []
    changes = []
    policies = [policy.model_dump() for policy in facts.value(lync.USER_POLICIES, [])]
    for identity in ucs_policies(facts):
        before = policies
        policies = [{**p, "ucs_allowed": False} if p["identity"] == identity else p for p in before]
        changes.append(
            reversible(
                f"lync.stage_unified_contact_store.{identity.replace(':', '-').lower()}",
                NAME,
                f"Keep users out of the unified contact store: policy {identity}",
                d.lync_session_server,
                lync.set_user_services_policy(identity, ucs_allowed=False),
                reason="contact lists would migrate by themselves as soon as Lync reaches Exchange",
                before={lync.USER_POLICIES: before},
                after={lync.USER_POLICIES: policies},
                back=(
                    f"Allow the unified contact store again: policy {identity}",
                    lync.set_user_services_policy(identity, ucs_allowed=True),
                ),
            )
        )
    return changes


def _set_url(d: Scope, facts: Facts) -> list[Change]:
    configuration = facts.value(lync.OAUTH_CONFIGURATION)
    wanted = d.autodiscover_svc_url
    if configuration is None:
        return []
    seen = configuration.exchange_autodiscover_url
    if same_url(seen, wanted) or (seen and not d.may_replace("lync.ExchangeAutodiscoverUrl", seen)):
        return []
    return [
        reversible(
            "lync.set_exchange_autodiscover_url",
            NAME,
            "Tell Lync where Exchange's Autodiscover service is",
            d.lync_session_server,
            lync.set_oauth_configuration(ExchangeAutodiscoverUrl=wanted),
            reason="Lync's storage service finds a user's mailbox through it",
            before={lync.OAUTH_CONFIGURATION: {"exchange_autodiscover_url": seen}},
            after={lync.OAUTH_CONFIGURATION: {"exchange_autodiscover_url": wanted}},
            back=(
                f"Give Lync its former ExchangeAutodiscoverUrl back: {seen or '(empty)'}",
                lync.set_oauth_configuration(ExchangeAutodiscoverUrl=seen or None),
            ),
            settle=lambda conditions: _on_every_replica(d, conditions),
            proven_by="Get-CsOAuthConfiguration -LocalStore on every front end",
        )
    ]


def _on_every_replica(d: Scope, conditions: Any) -> Settle:
    replicas: dict[str, Any] = {REPLICA_CONFIGURATION.on(front_end): conditions for front_end in d.front_ends}
    return Settle(wanted(replicas), REPLICATION_S, what="every front end's replica has it")


def _set_scp(d: Scope, facts: Facts) -> list[Change]:
    changes = []
    rows = [row.model_dump() for row in facts.value(CLIENT_ACCESS, [])]
    command_name, session = d.client_access_command("Set"), d.exchange_session_server
    for row in rows:
        name, wanted = row["name"], _declared_scp(d, row["fqdn"])
        if not wanted or same_url(row["scp"], wanted):
            continue
        before = rows
        rows = [{**r, "scp": wanted} if r["fqdn"] == row["fqdn"] else r for r in before]
        changes.append(
            reversible(
                f"exchange.set_scp.{name.lower()}",
                NAME,
                f"Service connection point of {name}",
                session,
                exchange.set_client_access(command_name, name, wanted),
                target=row["fqdn"],
                reason="declared under exchange.autodiscover_scp",
                before={CLIENT_ACCESS: before},
                after={CLIENT_ACCESS: rows},
                back=(
                    f"Give {name} its former service connection point back: {row['scp']}",
                    exchange.set_client_access(command_name, name, row["scp"]),
                ),
                undo_more={"users_notice": "every Outlook of the site reads the former URL again"},
                users_notice="every Outlook of the site reads the new URL",
            )
        )
    return changes
