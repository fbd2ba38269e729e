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

from s2slib.facts import Absent, Facts
from s2slib.products import exchange, lync
from s2slib.runbook.model.change import Change, Settle
from s2slib.runbook.model.expect import ABSENT, wanted
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.phases.common import ucs_gate, unknown_findings, waiting
from s2slib.runbook.phases.undo import reversible
from s2slib.runbook.reading.catalogue import PEER_METADATA
from s2slib.runbook.reading.derive import EXCHANGE_IN_LYNC, REPLICA_ENTRY, ExchangeInLync
from s2slib.runbook.reading.sameness import same_url
from s2slib.runbook.reading.scope import Scope

NAME = "lync_partner_application"
REPLICATION_S = 1800
RIGHT: tuple[tuple[str, str, str | bool], ...] = (
    ("ApplicationTrustLevel", "trust_level", "Full"),
    ("Enabled", "enabled", True),
)
_F = Kinds(NAME)
IDENTITY_TAKEN = _F.blocker(
    f"{NAME}.identity_taken",
    "The identity {identity} belongs to another application",
    remedy="choose another lync.partner_application_identity in the params file",
)
MISSING = _F.warning(f"{NAME}.absent", "Lync does not know Exchange", remedy="this phase creates it")
SEVERAL = _F.blocker(
    f"{NAME}.several",
    "Lync has several partner applications for Exchange",
    "one",
    "the article's command and the documented script were both run; remove one by hand",
)
OTHER_URL = _F.blocker(
    f"{NAME}.other_url",
    "Lync's partner application {identity} has another metadata URL",
    remedy="correct exchange.metadata_url in the params file, or move the entry by hand (Set-CsPartnerApplication)",
)
INCOMPLETE = _F.warning(f"{NAME}.incomplete", "{identity}: {name}", remedy="this phase sets it")
TRUSTED = _F.ok(NAME, "Lync trusts Exchange")
REPLICA_BEHIND = _F.warning(
    f"{NAME}.replica_behind",
    "This front end's replica does not have the partner application yet",
    "present",
    "wait for replication, or Invoke-CsManagementStoreReplication",
)


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [EXCHANGE_IN_LYNC, lync.PARTNER_APPLICATIONS, *(PEER_METADATA.on(front_end) for front_end in d.front_ends)]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """The entry, its trust level and URL, and whether every replica has it."""
    return [
        *unknown_findings(NAME, facts, keys(d)),
        *ucs_gate(d, facts, NAME),
        *_entry(d, facts),
        *_replicas(d, facts),
    ]


def _entry(d: Scope, facts: Facts) -> list[Finding]:
    entry, url = facts.value(EXCHANGE_IN_LYNC), d.exchange_metadata_url
    if entry is None:
        if not isinstance(facts[EXCHANGE_IN_LYNC], Absent):
            return []
        taken = _identity_taken(d, facts)
        if taken:
            expected = f"{exchange.EXCHANGE_APPLICATION_ID} at {url}"
            return [IDENTITY_TAKEN(taken, expected, identity=d.lync.partner_application_identity)]
        return [MISSING("no entry", url)]
    if entry.several:
        return [SEVERAL(", ".join(entry.several))]
    if not same_url(entry.metadata_url, url):
        return [OTHER_URL(entry.metadata_url, url, identity=entry.identity)]
    return [
        INCOMPLETE(str(seen), str(right), identity=entry.identity, name=name) for name, _, seen, right in _wrong(entry)
    ] or [TRUSTED(f"{entry.identity}: {entry.metadata_url}")]


def _replicas(d: Scope, facts: Facts) -> list[Finding]:
    if facts.value(EXCHANGE_IN_LYNC) is None:
        return []
    behind = [name for name in d.front_ends if isinstance(facts[REPLICA_ENTRY.on(name)], Absent)]
    return [REPLICA_BEHIND("absent with -LocalStore", server=front_end) for front_end in behind]


def _identity_taken(d: Scope, facts: Facts) -> str:
    identity = d.lync.partner_application_identity.casefold()
    for entry in facts.value(lync.PARTNER_APPLICATIONS, []):
        if entry.identity.casefold() == identity:
            return f"{entry.application_identifier} {entry.trusted_source}"
    return ""


def _wrong(entry: ExchangeInLync) -> list[tuple[str, str, str | bool, str | bool]]:
    """(parameter, field, seen, wanted) of what differs."""
    return [
        (name, field, getattr(entry, field), right)
        for name, field, right in RIGHT
        if str(getattr(entry, field)).casefold() != str(right).casefold()
    ]


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Create the entry, or set what differs; see the module's table."""
    entry = facts.value(EXCHANGE_IN_LYNC)
    if entry is None:
        if not isinstance(facts[EXCHANGE_IN_LYNC], Absent):
            return [], "Lync's partner applications are unknown"
        if _identity_taken(d, facts):
            return [], "the identity belongs to another application; it is not touched"
        return [_create(d)], ""
    if entry.several:
        return [], "several entries; none is touched"
    if not same_url(entry.metadata_url, d.exchange_metadata_url):
        return [], f"{entry.identity} points to {entry.metadata_url}; it is not touched"
    changes = [_set(d, entry.identity, *row) for row in _wrong(entry)]
    shape = {"metadata_url": entry.metadata_url, "trust_level": "Full", "enabled": True}
    changes = changes or waiting(
        NAME,
        "lync.await_partner_application",
        "Wait until every front end's replica has the partner application",
        d.lync_session_server,
        facts,
        {EXCHANGE_IN_LYNC: shape},
        _on_every_replica(d, shape),
    )
    return changes, "" if changes else f"{entry.identity} is complete"


def _create(d: Scope) -> Change:
    identity = d.lync.partner_application_identity
    ours = {
        "identity": identity,
        "metadata_url": d.exchange_metadata_url,
        "application_identifier": exchange.EXCHANGE_APPLICATION_ID,
    }
    document = {"problem": "", "application_id": exchange.EXCHANGE_APPLICATION_ID}
    return reversible(
        "lync.create_exchange_partner_application",
        NAME,
        "Make Exchange a partner application of Lync Server",
        d.lync_session_server,
        lync.new_partner_application(identity, d.exchange_metadata_url),
        reason="Lync does not know Exchange",
        before={EXCHANGE_IN_LYNC: ABSENT},
        after={EXCHANGE_IN_LYNC: {**ours, "trust_level": "Full", "enabled": True}},
        left={EXCHANGE_IN_LYNC: ours},
        also={PEER_METADATA.on(front_end): document for front_end in d.front_ends},
        back=(
            f"Remove the partner application {identity} from Lync Server",
            lync.remove_partner_application(identity),
        ),
        settle=lambda entry: _on_every_replica(d, entry),
        proven_by="Get-CsPartnerApplication -LocalStore on every front end",
    )


def _set(d: Scope, identity: str, name: str, field: str, seen: str | bool, right: str | bool) -> Change:
    return reversible(
        f"lync.set_exchange_{field}",
        NAME,
        f"Partner application {identity}: {name}",
        d.lync_session_server,
        lync.set_partner_application(identity, **{name: right}),
        reason=f"it is {seen}",
        where={EXCHANGE_IN_LYNC: {"identity": identity}},
        before={EXCHANGE_IN_LYNC: {field: seen}},
        after={EXCHANGE_IN_LYNC: {field: right}},
        back=(
            f"Partner application {identity}: {name} as it was, {seen}",
            lync.set_partner_application(identity, **{name: seen}),
        ),
        settle=lambda entry: _on_every_replica(d, entry),
    )


def _on_every_replica(d: Scope, entry: Any) -> Settle:
    conditions = wanted({REPLICA_ENTRY.on(front_end): entry for front_end in d.front_ends})
    return Settle(conditions, REPLICATION_S, what="every front end's replica has the entry")
