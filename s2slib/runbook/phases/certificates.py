"""Signing certificates: Lync's OAuthTokenIssuer assigned when there is none; Exchange's auth certificate judged.

Exchange's certificate is judged, never renewed here: Microsoft's MonitorExchangeAuthCertificate does that (O20).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from s2slib.facts import Absent, Facts, Known
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.products.read import parse_instant
from s2slib.runbook.catalogue import OWN_METADATA, REPLICA_CERTIFICATE
from s2slib.runbook.change import Change, Settle, Step
from s2slib.runbook.expect import ABSENT, contains
from s2slib.runbook.finding import Finding, Level
from s2slib.runbook.phases.common import lync_realm, unknown_findings
from s2slib.runbook.scope import Scope

NAME = "certificates"
EXPIRY_WARNING_DAYS = 60
SMALLEST_KEY = 2048
REUSE_DEFAULT = "reuse_default"
REPLICATION_S = 1800


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [
        lync.OAUTH_CERTIFICATE,
        *([lync.DEFAULT_CERTIFICATE] if d.oauth_certificate_thumbprint == REUSE_DEFAULT else []),
        exchange.AUTH_CONFIG,
        *(on(server.fqdn, "exchange_certificates") for server in d.exchange_servers),
        *(on(front_end, REPLICA_CERTIFICATE) for front_end in d.front_ends),
    ]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """Validity, key length and names of both signing certificates, and that every server has them."""
    return [
        *unknown_findings(NAME, facts, keys(d)),
        *_lync(d, facts),
        *_front_ends(d, facts),
        *_exchange(d, facts),
    ]


def _lync(d: Scope, facts: Facts) -> list[Finding]:
    assigned = facts[lync.OAUTH_CERTIFICATE]
    if isinstance(assigned, Absent):
        candidate = candidate_thumbprint(d, facts)
        if not candidate:
            return [
                Finding(
                    "certificates.lync.no_candidate",
                    "blocker",
                    NAME,
                    "No OAuthTokenIssuer certificate is assigned, and there is none to assign",
                    seen="lync.oauth_certificate.thumbprint names none",
                    expected="a certificate with at least 2048 bit whose subject names the SIP domain",
                    remedy="set lync.oauth_certificate.thumbprint: a certificate in a front end's store, or reuse_default",
                )
            ]
        return [
            Finding(
                "certificates.lync.unassigned",
                "warning",
                NAME,
                "No OAuthTokenIssuer certificate is assigned; on a running pool that is itself suspicious",
                seen="nothing from Get-CsCertificate -Type OAuthTokenIssuer",
                expected="one certificate for the whole deployment",
                remedy=f"this phase assigns {candidate}",
            )
        ]
    if not isinstance(assigned, Known):
        return []
    return [
        *_dates(assigned.value, "certificates.lync", "Lync OAuthTokenIssuer certificate", _now(d, facts)),
        *_subject(assigned.value, facts),
        *_rolling(assigned.value),
    ]


def _subject(certificate: Mapping[str, Any], facts: Facts) -> list[Finding]:
    realm = lync_realm(facts)
    names = [str(certificate["subject"]), *(str(name) for name in certificate["alternative_names"])]
    if not realm or any(realm in name.casefold() for name in names):
        return []
    return [
        Finding(
            "certificates.lync.subject",
            "warning",
            NAME,
            "The OAuthTokenIssuer certificate does not name the SIP domain",
            seen=", ".join(names),
            expected=realm,
            remedy="documented requirement; replace it with one that does at the next roll",
        )
    ]


def _rolling(certificate: Mapping[str, Any]) -> list[Finding]:
    if not certificate["previous_thumbprint"]:
        return []
    return [
        Finding(
            "certificates.lync.rolling",
            "warning",
            NAME,
            "The OAuthTokenIssuer certificate has a predecessor: a roll is under way or was not cleaned up",
            seen=f"previous {certificate['previous_thumbprint']}",
            expected="Exchange holds the current key",
        )
    ]


def _front_ends(d: Scope, facts: Facts) -> list[Finding]:
    assigned = facts.value(lync.OAUTH_CERTIFICATE, {}).get("thumbprint")
    findings = []
    for front_end in d.front_ends if assigned else ():
        held = facts[on(front_end, REPLICA_CERTIFICATE)]
        seen = held.value["thumbprint"] if isinstance(held, Known) else "absent" if isinstance(held, Absent) else ""
        if seen and seen != assigned:
            findings.append(
                Finding(
                    "certificates.lync.front_end_differs",
                    "blocker",
                    NAME,
                    "This front end does not have the assigned OAuthTokenIssuer certificate",
                    seen=str(seen),
                    expected=str(assigned),
                    remedy="wait for replication, or look at the Lync Server replica service on it",
                    server=front_end,
                )
            )
    return findings


def _exchange(d: Scope, facts: Facts) -> list[Finding]:
    config = facts[exchange.AUTH_CONFIG]
    if isinstance(config, Absent) or (isinstance(config, Known) and not config.value["current"]):
        return [
            Finding(
                "certificates.exchange.none",
                "blocker",
                NAME,
                "Exchange has no auth certificate",
                seen="empty CurrentCertificateThumbprint",
                expected="the Microsoft Exchange Server Auth Certificate",
                remedy="run Microsoft's MonitorExchangeAuthCertificate.ps1 on a Mailbox server",
            )
        ]
    if not isinstance(config, Known):
        return []
    findings = []
    judged = False
    for server in d.exchange_servers:
        held = facts.value(on(server.fqdn, "exchange_certificates"))
        if held is None:
            continue
        current = next((row for row in held if row["thumbprint"] == config.value["current"]), None)
        if current is None:
            findings.append(
                Finding(
                    "certificates.exchange.missing_on_server",
                    "blocker",
                    NAME,
                    "This Exchange server does not have the current auth certificate",
                    seen=f"{len(held)} other certificates",
                    expected=str(config.value["current"]),
                    remedy="publish it (Set-AuthConfig -PublishCertificate), then restart MSExchangeServiceHost",
                    server=server.fqdn,
                )
            )
        elif not judged:
            judged = True
            findings += _dates(current, "certificates.exchange", "Exchange auth certificate", _now(d, facts))
    return findings


def _dates(certificate: Mapping[str, Any], finding_id: str, what: str, now: datetime | None) -> list[Finding]:
    if now is None:
        return []
    days = (parse_instant(certificate["not_after"]) - now).days
    level: Level = "ok"
    seen = f"{certificate['thumbprint']}, {days} days left"
    remedy = ""
    if parse_instant(certificate["not_before"]) > now:
        level, seen, remedy = (
            "blocker",
            f"not valid before {certificate['not_before']}",
            "check the clocks and the certificate",
        )
    elif days < 0:
        level, seen, remedy = (
            "blocker",
            f"expired {certificate['not_after']}",
            "replace it first; nothing works with it",
        )
    elif certificate.get("key_size") is not None and certificate["key_size"] < SMALLEST_KEY:
        level, seen, remedy = "blocker", f"{certificate['key_size']} bit", "replace it with one of at least 2048 bit"
    elif days < EXPIRY_WARNING_DAYS:
        level, remedy = "warning", "plan its roll before it expires"
    return [Finding(f"{finding_id}.validity", level, NAME, what, seen, f"valid, >= {SMALLEST_KEY} bit", remedy)]


def _now(d: Scope, facts: Facts) -> datetime | None:
    for server in [*d.front_ends, *(s.fqdn for s in d.exchange_servers)]:
        clock = facts.value(on(server, "clock"))
        if clock:
            return parse_instant(clock["utc"])
    return None


def candidate_thumbprint(d: Scope, facts: Facts) -> str:
    """The certificate to assign: the declared thumbprint or the Default certificate's; empty when there is none."""
    if d.oauth_certificate_thumbprint == REUSE_DEFAULT:
        return str(facts.value(lync.DEFAULT_CERTIFICATE, {}).get("thumbprint", ""))
    return d.oauth_certificate_thumbprint.upper()


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Assign OAuthTokenIssuer globally when none is assigned; settled when every front end serves its key (O2)."""
    assigned = facts[lync.OAUTH_CERTIFICATE]
    if isinstance(assigned, Known):
        return [], f"OAuthTokenIssuer is assigned: {assigned.value['thumbprint']}"
    if not isinstance(assigned, Absent):
        return [], "whether OAuthTokenIssuer is assigned is unknown"
    thumbprint = candidate_thumbprint(d, facts)
    if not thumbprint:
        return [], "there is no certificate to assign"
    rests_on: dict[str, Any] = {lync.OAUTH_CERTIFICATE: ABSENT}
    if d.oauth_certificate_thumbprint == REUSE_DEFAULT:
        rests_on[lync.DEFAULT_CERTIFICATE] = {"thumbprint": thumbprint}
    served = {on(front_end, OWN_METADATA): {"thumbprints": contains(thumbprint)} for front_end in d.front_ends}
    held = {on(front_end, REPLICA_CERTIFICATE): {"thumbprint": thumbprint} for front_end in d.front_ends}
    change = Change(
        id="lync.assign_oauth_token_issuer",
        phase=NAME,
        title="Assign the OAuthTokenIssuer certificate to the whole Lync deployment",
        target=d.lync_session_server,
        reason="no certificate signs Lync's tokens",
        steps=(Step(d.lync_session_server, lync.set_certificate("OAuthTokenIssuer", thumbprint)),),
        rests_on=rests_on,
        after={lync.OAUTH_CERTIFICATE: {"thumbprint": thumbprint}},
        irreversible="stays assigned: Lync services do not start without an OAuthTokenIssuer certificate",
        settled_when=Settle({**held, **served}, REPLICATION_S, what="every front end serves the new key"),
        proven_by="every front end's metadata document carries the key",
    )
    return [change], ""
