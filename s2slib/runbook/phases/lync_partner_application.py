"""Exchange as partner application of Lync Server: New-CsPartnerApplication, or the repair of what differs.

| entry with Exchange's id and a metadata URL | what happens |
| --- | --- |
| none | New-CsPartnerApplication -Identity Exchange -ApplicationTrustLevel Full -MetadataUrl ... |
| one, the declared URL, Full and enabled | nothing |
| one, the declared URL, not Full or disabled | Set-CsPartnerApplication |
| one, another URL; several; the identity taken by another application | blocker |
"""

from __future__ import annotations

from typing import Any

from s2slib.facts import Absent, Facts, Json, Known
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import ABSENT
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.phases.common import ucs_gate, unknown_findings, waiting
from s2slib.runbook.phases.undo import undo
from s2slib.runbook.reading.catalogue import PEER_METADATA
from s2slib.runbook.reading.derive import EXCHANGE_IN_LYNC, REPLICA_ENTRY
from s2slib.runbook.reading.scope import Scope

NAME = "lync_partner_application"
REPLICATION_S = 1800


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [EXCHANGE_IN_LYNC, lync.PARTNER_APPLICATIONS, *(on(front_end, PEER_METADATA) for front_end in d.front_ends)]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """The entry, its trust level and URL, and whether every replica has it."""
    return [
        *unknown_findings(NAME, facts, keys(d)),
        *ucs_gate(d, facts, NAME),
        *_entry(d, facts),
        *_replicas(d, facts),
    ]


def _entry(d: Scope, facts: Facts) -> list[Finding]:
    fact = facts[EXCHANGE_IN_LYNC]
    wanted = d.exchange_metadata_url
    if isinstance(fact, Absent):
        taken = _identity_taken(d, facts)
        if taken:
            return [
                Finding(
                    f"{NAME}.identity_taken",
                    "blocker",
                    NAME,
                    f"The identity {d.lync.partner_application_identity} belongs to another application",
                    seen=taken,
                    expected=f"{exchange.EXCHANGE_APPLICATION_ID} at {wanted}",
                    remedy="choose another lync.partner_application_identity in the params file",
                )
            ]
        return [
            Finding(
                f"{NAME}.absent",
                "warning",
                NAME,
                "Lync does not know Exchange",
                "no entry",
                wanted,
                "this phase creates it",
            )
        ]
    if not isinstance(fact, Known):
        return []
    entry = fact.value
    if "several" in entry:
        return [
            Finding(
                f"{NAME}.several",
                "blocker",
                NAME,
                "Lync has several partner applications for Exchange",
                seen=", ".join(entry["several"]),
                expected="one",
                remedy="the article's command and the documented script were both run; remove one by hand",
            )
        ]
    if not _same_url(entry["metadata_url"], wanted):
        return [
            Finding(
                f"{NAME}.other_url",
                "blocker",
                NAME,
                f"Lync's partner application {entry['identity']} has another metadata URL",
                seen=entry["metadata_url"],
                expected=wanted,
                remedy="correct exchange.metadata_url in the params file, or move the entry by hand (Set-CsPartnerApplication)",
            )
        ]
    findings = [
        Finding(
            f"{NAME}.incomplete",
            "warning",
            NAME,
            f"{entry['identity']}: {name}",
            str(seen),
            str(expected),
            "this phase sets it",
        )
        for name, seen, expected in _wrong(entry)
    ]
    return findings or [
        Finding(NAME, "ok", NAME, "Lync trusts Exchange", seen=f"{entry['identity']}: {entry['metadata_url']}")
    ]


def _replicas(d: Scope, facts: Facts) -> list[Finding]:
    if not isinstance(facts[EXCHANGE_IN_LYNC], Known):
        return []
    return [
        Finding(
            f"{NAME}.replica_behind",
            "warning",
            NAME,
            "This front end's replica does not have the partner application yet",
            seen="absent with -LocalStore",
            expected="present",
            remedy="wait for replication, or Invoke-CsManagementStoreReplication",
            server=front_end,
        )
        for front_end in d.front_ends
        if isinstance(facts[on(front_end, REPLICA_ENTRY)], Absent)
    ]


def _identity_taken(d: Scope, facts: Facts) -> str:
    wanted = d.lync.partner_application_identity.casefold()
    for entry in facts.value(lync.PARTNER_APPLICATIONS, []):
        if entry["identity"].casefold() == wanted:
            return f"{entry['application_identifier']} {entry['trusted_source']}"
    return ""


def _wrong(entry: dict[str, Json]) -> list[tuple[str, Json, Json]]:
    wanted: list[tuple[str, str, Json]] = [
        ("ApplicationTrustLevel", "trust_level", "Full"),
        ("Enabled", "enabled", True),
    ]
    return [
        (name, entry[key], value) for name, key, value in wanted if str(entry[key]).casefold() != str(value).casefold()
    ]


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Create the entry, or set what differs; see the module's table."""
    fact = facts[EXCHANGE_IN_LYNC]
    if isinstance(fact, Absent):
        if _identity_taken(d, facts):
            return [], "the identity belongs to another application; it is not touched"
        return [_create(d)], ""
    if not isinstance(fact, Known):
        return [], "Lync's partner applications are unknown"
    entry = fact.value
    if "several" in entry:
        return [], "several entries; none is touched"
    if not _same_url(entry["metadata_url"], d.exchange_metadata_url):
        return [], f"{entry['identity']} points to {entry['metadata_url']}; it is not touched"
    changes = [_set(d, entry, name, seen, wanted) for name, seen, wanted in _wrong(entry)]
    shape = {"metadata_url": entry["metadata_url"], "trust_level": "Full", "enabled": True}
    changes = changes or waiting(
        NAME,
        "lync.await_partner_application",
        "Wait until every front end's replica has the partner application",
        d.lync_session_server,
        facts,
        {EXCHANGE_IN_LYNC: shape},
        _on_every_replica(d, shape),
    )
    return changes, "" if changes else f"{entry['identity']} is complete"


def _create(d: Scope) -> Change:
    server, identity = d.lync_session_server, d.lync.partner_application_identity
    entry: dict[str, Json] = {
        "identity": identity,
        "metadata_url": d.exchange_metadata_url,
        "application_identifier": exchange.EXCHANGE_APPLICATION_ID,
        "trust_level": "Full",
        "enabled": True,
    }
    documents: dict[str, Json] = {
        on(front_end, PEER_METADATA): {"problem": "", "application_id": exchange.EXCHANGE_APPLICATION_ID}
        for front_end in d.front_ends
    }
    return Change(
        id="lync.create_exchange_partner_application",
        phase=NAME,
        title="Make Exchange a partner application of Lync Server",
        target=server,
        reason="Lync does not know Exchange",
        steps=(Step(server, lync.new_partner_application(identity, d.exchange_metadata_url)),),
        rests_on={EXCHANGE_IN_LYNC: ABSENT, **documents},
        after={EXCHANGE_IN_LYNC: entry},
        undo=(
            undo(
                "lync.create_exchange_partner_application",
                NAME,
                f"Remove the partner application {identity} from Lync Server",
                server,
                lync.remove_partner_application(identity),
                {
                    EXCHANGE_IN_LYNC: {
                        "identity": identity,
                        "metadata_url": d.exchange_metadata_url,
                        "application_identifier": exchange.EXCHANGE_APPLICATION_ID,
                    }
                },
                {EXCHANGE_IN_LYNC: ABSENT},
                _on_every_replica(d, ABSENT),
            ),
        ),
        settled_when=_on_every_replica(d, entry),
        proven_by="Get-CsPartnerApplication -LocalStore on every front end",
    )


def _set(d: Scope, entry: dict[str, Json], name: str, seen: Any, wanted: Any) -> Change:
    key = {"ApplicationTrustLevel": "trust_level", "Enabled": "enabled"}[name]
    server, identity = d.lync_session_server, entry["identity"]
    change_id = f"lync.set_exchange_{key}"
    return Change(
        id=change_id,
        phase=NAME,
        title=f"Partner application {identity}: {name}",
        target=server,
        reason=f"it is {seen}",
        steps=(Step(server, lync.set_partner_application(identity, **{name: wanted})),),
        rests_on={EXCHANGE_IN_LYNC: {"identity": identity, key: seen}},
        after={EXCHANGE_IN_LYNC: {key: wanted}},
        undo=(
            undo(
                change_id,
                NAME,
                f"Partner application {identity}: {name} as it was, {seen}",
                server,
                lync.set_partner_application(identity, **{name: seen}),
                {EXCHANGE_IN_LYNC: {"identity": identity, key: wanted}},
                {EXCHANGE_IN_LYNC: {key: seen}},
                _on_every_replica(d, {key: seen}),
            ),
        ),
        settled_when=_on_every_replica(d, {key: wanted}),
    )


def _on_every_replica(d: Scope, entry: Json) -> Settle:
    conditions = {on(front_end, REPLICA_ENTRY): entry for front_end in d.front_ends}
    return Settle(conditions, REPLICATION_S, what="every front end's replica has the entry")


def _same_url(a: str, b: str) -> bool:
    return a.rstrip("/").casefold() == b.rstrip("/").casefold()
