"""Signing certificates: Lync's OAuthTokenIssuer assigned when there is none; Exchange's auth certificate judged.

Exchange's certificate is judged, never renewed here: Microsoft's MonitorExchangeAuthCertificate does that (O20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from s2slib.facts import Absent, Fact, Facts, Known
from s2slib.products import exchange, lync, windows
from s2slib.products.lync import on
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import ABSENT, contains
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.phases.common import judged, server_time, unknown_findings, waiting
from s2slib.runbook.reading.catalogue import OWN_METADATA, PEER_METADATA, REPLICA_CERTIFICATE
from s2slib.runbook.reading.scope import Scope
from s2slib.trust import certificate
from s2slib.trust.judgement import Judgement

NAME = "certificates"
REUSE_DEFAULT = "reuse_default"
REPLICATION_S = 1800


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [
        lync.OAUTH_CERTIFICATE,
        on(d.lync_session_server, "machine_certificates"),
        on(d.lync_session_server, "private_keys"),
        *([lync.DEFAULT_CERTIFICATE] if d.oauth_certificate_thumbprint == REUSE_DEFAULT else []),
        exchange.AUTH_CONFIG,
        *(
            on(server.fqdn, name)
            for server in d.exchange_servers
            for name in ("exchange_certificates", "machine_certificates", "private_keys")
        ),
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
            ),
            *_judged_lync(d, facts, candidate),
            *_second_hop(d, candidate),
        ]
    if not isinstance(assigned, Known):
        return []
    return [*_judged_lync(d, facts, str(assigned.value["thumbprint"])), *_rolling(assigned.value)]


def _second_hop(d: Scope, thumbprint: str) -> list[Finding]:
    """Certificates are assigned in the front end's own shell, which has to reach the management store as the operator."""
    if d.deployment.endpoint(d.lync_session_server).second_hop != "explicit":
        return []
    line = lync.set_certificate("OAuthTokenIssuer", thumbprint).render()
    return [
        Finding(
            "certificates.lync.second_hop",
            "blocker",
            NAME,
            "The certificate cannot be assigned over this connection",
            seen="second_hop: explicit reaches OcsPowershell only, which has no certificate commands",
            expected="second_hop credssp or delegation for the Lync side",
            remedy=f"change lync.endpoint, or type this at the front end's console: {line}",
            server=d.lync_session_server,
        )
    ]


def _judged_lync(d: Scope, facts: Facts, thumbprint: str) -> list[Finding]:
    at, title = server_time(d, facts), "Lync's OAuthTokenIssuer certificate"
    stored = facts.value(on(d.lync_session_server, "machine_certificates"), [])
    row = next((item for item in stored if item["thumbprint"] == thumbprint), None)
    if at is None:
        return []
    if row is None:
        seen = "not in the machine store of the front end that was asked"
        return [
            Finding("certificates.lync", "warning", NAME, title, seen, thumbprint, "look at it on the other front ends")
        ]
    rows = certificate.judge(
        certificate.from_base64(row["der"]),
        at,
        product="lync",
        sip_domains=_sip_domains(facts),
        private_key=windows.private_key(facts, d.lync_session_server, thumbprint),
    )
    return judged(NAME, "certificates.lync", title, map(_as_far_as_said, rows))


def _as_far_as_said(row: Judgement) -> Judgement:
    """What certutil says of a key it says in the server's language: not to understand it is no reason to block."""
    said_in_words = row.id in ("certificate.exportable", "certificate.provider")
    return replace(row, level="warning") if said_in_words and row.level == "unknown" else row


def _sip_domains(facts: Facts) -> list[str] | None:
    domains = facts.value(lync.SIP_DOMAINS)
    if domains is None:
        return None
    return [row["name"] for row in sorted(domains, key=lambda row: not row["is_default"])]


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
                    "warning",
                    NAME,
                    "This front end does not have the assigned OAuthTokenIssuer certificate",
                    seen=str(seen),
                    expected=str(assigned),
                    remedy="this phase waits for it; if it never arrives, look at the Lync Server replica service on it",
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
    findings: list[Finding] = []
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
        elif not findings:
            findings += _judged_exchange(d, facts, server.fqdn, current)
    return findings


def _judged_exchange(d: Scope, facts: Facts, server: str, current: Mapping[str, Any]) -> list[Finding]:
    at = server_time(d, facts)
    if at is None:
        return []
    key = windows.private_key(facts, server, current["thumbprint"])
    rows = certificate.judge(certificate.from_base64(current["der"]), at, product="exchange", private_key=key)
    return judged(NAME, "certificates.exchange", "Exchange's auth certificate", map(_as_far_as_said, rows))


def candidate_thumbprint(d: Scope, facts: Facts) -> str:
    """The certificate to assign: the declared thumbprint or the Default certificate's; empty when there is none."""
    if d.oauth_certificate_thumbprint == REUSE_DEFAULT:
        return str(facts.value(lync.DEFAULT_CERTIFICATE, {}).get("thumbprint", ""))
    return d.oauth_certificate_thumbprint.upper()


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Assign OAuthTokenIssuer globally when none is assigned; settled when every front end serves its key (O2)."""
    assigned = facts[lync.OAUTH_CERTIFICATE]
    if isinstance(assigned, Known):
        thumbprint = assigned.value["thumbprint"]
        waits = waiting(
            NAME,
            "lync.await_oauth_token_issuer",
            "Wait until every front end serves the assigned signing certificate",
            d.lync_session_server,
            facts,
            {lync.OAUTH_CERTIFICATE: {"thumbprint": thumbprint}},
            _everywhere(d, thumbprint),
        )
        return waits, "" if waits else f"OAuthTokenIssuer is assigned: {thumbprint}"
    if not isinstance(assigned, Absent):
        return [], "whether OAuthTokenIssuer is assigned is unknown"
    thumbprint = candidate_thumbprint(d, facts)
    if not thumbprint:
        return [], "there is no certificate to assign"
    rests_on: dict[str, Any] = {lync.OAUTH_CERTIFICATE: ABSENT}
    if d.oauth_certificate_thumbprint == REUSE_DEFAULT:
        rests_on[lync.DEFAULT_CERTIFICATE] = {"thumbprint": thumbprint}
    change = Change(
        id="lync.assign_oauth_token_issuer",
        phase=NAME,
        title="Assign the OAuthTokenIssuer certificate to the whole Lync deployment",
        target=d.lync_session_server,
        reason="no certificate signs Lync's tokens",
        steps=(Step(d.lync_session_server, lync.set_certificate("OAuthTokenIssuer", thumbprint)),),
        rests_on=rests_on,
        after={lync.OAUTH_CERTIFICATE: {"thumbprint": thumbprint}},
        effects=_served_later(d, thumbprint),
        irreversible="stays assigned: Lync services do not start without an OAuthTokenIssuer certificate",
        settled_when=_everywhere(d, thumbprint),
        proven_by="every front end's metadata document carries the key",
    )
    return [change], ""


def _served_later(d: Scope, thumbprint: str) -> dict[str, Fact]:
    """What the Exchange servers will get from Lync once there is a key to publish: until then the page has none."""
    document = {"problem": "", "application_id": lync.LYNC_APPLICATION_ID, "thumbprints": [thumbprint]}
    return {on(server.fqdn, PEER_METADATA): Known(document) for server in d.exchange_servers}


def _everywhere(d: Scope, thumbprint: str) -> Settle:
    served = {on(front_end, OWN_METADATA): {"thumbprints": contains(thumbprint)} for front_end in d.front_ends}
    held = {on(front_end, REPLICA_CERTIFICATE): {"thumbprint": thumbprint} for front_end in d.front_ends}
    return Settle({**held, **served}, REPLICATION_S, what="every front end serves the new key")
