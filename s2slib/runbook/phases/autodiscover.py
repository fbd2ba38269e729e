"""Autodiscover: the URL Lync uses, ending in .svc; the unified contact store staged first; the SCP judged (O1, O16-O18)."""

from __future__ import annotations

from typing import Any

from s2slib.facts import Facts, Json, Known
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.phases.common import ucs_policies, unknown_findings, waiting
from s2slib.runbook.phases.undo import undo
from s2slib.runbook.reading.catalogue import REPLICA_CONFIGURATION
from s2slib.runbook.reading.scope import Scope

NAME = "autodiscover"
REPLICATION_S = 1800
CLIENT_ACCESS = "exchange/client_access"


def keys(_d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [lync.OAUTH_CONFIGURATION, CLIENT_ACCESS]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """The URL in Lync against the declared one, and every server's SCP."""
    return [*unknown_findings(NAME, facts, keys(d)), *_url(d, facts), *_scp(d, facts)]


def _url(d: Scope, facts: Facts) -> list[Finding]:
    configuration = facts[lync.OAUTH_CONFIGURATION]
    if not isinstance(configuration, Known):
        return []
    seen, wanted = configuration.value["exchange_autodiscover_url"], d.autodiscover_svc_url
    if _same(seen, wanted):
        return [Finding("autodiscover.url", "ok", NAME, "Lync's ExchangeAutodiscoverUrl", seen=seen)]
    if not seen:
        return [
            Finding(
                "autodiscover.url.empty",
                "warning",
                NAME,
                "Lync has no ExchangeAutodiscoverUrl",
                seen="(empty)",
                expected=wanted,
                remedy="this phase sets it",
            )
        ]
    if d.may_replace("lync.ExchangeAutodiscoverUrl", seen):
        title = "Lync's ExchangeAutodiscoverUrl is another one; the params file says that it may be replaced"
        return [Finding("autodiscover.url.replaced", "warning", NAME, title, seen, wanted, "this phase sets it")]
    return [
        Finding(
            "autodiscover.url.differs",
            "blocker",
            NAME,
            "Lync has another ExchangeAutodiscoverUrl: somebody chose it",
            seen=seen,
            expected=wanted,
            remedy="correct exchange.autodiscover_url in the params file, or list the seen value under policy.overrides",
        )
    ]


def _scp(d: Scope, facts: Facts) -> list[Finding]:
    findings = []
    for row in facts.value(CLIENT_ACCESS, []):
        seen = str(row["scp"])
        good = "/autodiscover/autodiscover.xml" in seen.casefold()
        declared = _declared_scp(d, row["fqdn"])
        findings.append(
            Finding(
                "autodiscover.scp" if good else "autodiscover.scp.suffix",
                "ok" if good else "warning",
                NAME,
                "Service connection point (Outlook reads it, server-to-server authentication does not)",
                seen=seen or "(empty)",
                expected=declared or "a URL that ends in /autodiscover/autodiscover.xml",
                remedy="" if good else "name the server under exchange.autodiscover_scp if it is to be changed",
                server=row["fqdn"],
            )
        )
    return findings


def _declared_scp(d: Scope, fqdn: str) -> str:
    return next((item.url for item in d.exchange.autodiscover_scp if item.server.lower() == fqdn.lower()), "")


def _same(a: str, b: str) -> bool:
    return a.rstrip("/").casefold() == b.rstrip("/").casefold()


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Stage the contact store if asked, set the URL if empty or replaceable, set the SCP of servers named for it."""
    changes = [*_stage_ucs(d, facts), *_set_url(d, facts), *_set_scp(d, facts)]
    if changes:
        return changes, ""
    configuration = facts[lync.OAUTH_CONFIGURATION]
    if not isinstance(configuration, Known):
        return [], "Lync's OAuth configuration is unknown"
    seen = configuration.value["exchange_autodiscover_url"]
    if _same(seen, d.autodiscover_svc_url):
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
    policies = facts.value(lync.USER_POLICIES, [])
    for identity in ucs_policies(facts):
        after = [{**p, "ucs_allowed": False} if p["identity"] == identity else p for p in policies]
        before = policies
        policies = after
        change_id = f"lync.stage_unified_contact_store.{identity.replace(':', '-').lower()}"
        changes.append(
            Change(
                id=change_id,
                phase=NAME,
                title=f"Keep users out of the unified contact store: policy {identity}",
                target=d.lync_session_server,
                reason="contact lists would migrate by themselves as soon as Lync reaches Exchange",
                steps=(Step(d.lync_session_server, lync.set_user_services_policy(identity, ucs_allowed=False)),),
                rests_on={lync.USER_POLICIES: before},
                after={lync.USER_POLICIES: after},
                undo=(
                    undo(
                        change_id,
                        NAME,
                        f"Allow the unified contact store again: policy {identity}",
                        d.lync_session_server,
                        lync.set_user_services_policy(identity, ucs_allowed=True),
                        {lync.USER_POLICIES: after},
                        {lync.USER_POLICIES: before},
                    ),
                ),
            )
        )
    return changes


def _set_url(d: Scope, facts: Facts) -> list[Change]:
    configuration = facts[lync.OAUTH_CONFIGURATION]
    wanted = d.autodiscover_svc_url
    if not isinstance(configuration, Known):
        return []
    seen = configuration.value["exchange_autodiscover_url"]
    if _same(seen, wanted) or (seen and not d.may_replace("lync.ExchangeAutodiscoverUrl", seen)):
        return []
    conditions: dict[str, Any] = {"exchange_autodiscover_url": wanted}
    old: dict[str, Any] = {"exchange_autodiscover_url": seen}
    change_id = "lync.set_exchange_autodiscover_url"
    return [
        Change(
            id=change_id,
            phase=NAME,
            title="Tell Lync where Exchange's Autodiscover service is",
            target=d.lync_session_server,
            reason="Lync's storage service finds a user's mailbox through it",
            steps=(Step(d.lync_session_server, lync.set_oauth_configuration(ExchangeAutodiscoverUrl=wanted)),),
            rests_on={lync.OAUTH_CONFIGURATION: old},
            after={lync.OAUTH_CONFIGURATION: conditions},
            undo=(
                undo(
                    change_id,
                    NAME,
                    f"Give Lync its former ExchangeAutodiscoverUrl back: {seen or '(empty)'}",
                    d.lync_session_server,
                    lync.set_oauth_configuration(ExchangeAutodiscoverUrl=seen or None),
                    {lync.OAUTH_CONFIGURATION: conditions},
                    {lync.OAUTH_CONFIGURATION: old},
                    _on_every_replica(d, old),
                ),
            ),
            settled_when=_on_every_replica(d, conditions),
            proven_by="Get-CsOAuthConfiguration -LocalStore on every front end",
        )
    ]


def _on_every_replica(d: Scope, conditions: Json) -> Settle:
    replicas = {on(front_end, REPLICA_CONFIGURATION): conditions for front_end in d.front_ends}
    return Settle(replicas, REPLICATION_S, what="every front end's replica has it")


def _set_scp(d: Scope, facts: Facts) -> list[Change]:
    changes = []
    rows = facts.value(CLIENT_ACCESS, [])
    for row in rows:
        wanted = _declared_scp(d, row["fqdn"])
        if not wanted or _same(row["scp"], wanted):
            continue
        after = [{**r, "scp": wanted} if r["fqdn"] == row["fqdn"] else r for r in rows]
        change_id = f"exchange.set_scp.{row['name'].lower()}"
        command_name = d.client_access_command("Set")
        session = d.exchange_session_server
        changes.append(
            Change(
                id=change_id,
                phase=NAME,
                title=f"Service connection point of {row['name']}",
                target=row["fqdn"],
                reason="declared under exchange.autodiscover_scp",
                steps=(Step(session, exchange.set_client_access(command_name, row["name"], wanted)),),
                rests_on={CLIENT_ACCESS: rows},
                after={CLIENT_ACCESS: after},
                undo=(
                    undo(
                        change_id,
                        NAME,
                        f"Give {row['name']} its former service connection point back: {row['scp']}",
                        session,
                        exchange.set_client_access(command_name, row["name"], row["scp"]),
                        {CLIENT_ACCESS: after},
                        {CLIENT_ACCESS: rows},
                        users_notice="every Outlook of the site reads the former URL again",
                    ),
                ),
                users_notice="every Outlook of the site reads the new URL",
            )
        )
        rows = after
    return changes
