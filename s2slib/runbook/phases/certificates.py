"""Signing certificates: Lync's OAuthTokenIssuer assigned when there is none; Exchange's auth certificate judged.

Exchange's certificate is judged, never renewed here: Microsoft's MonitorExchangeAuthCertificate does that (rule R34).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from s2slib.facts import Absent, Fact, Facts, Known
from s2slib.products import exchange, lync, windows
from s2slib.products.exchange import CERTIFICATES
from s2slib.products.windows import MACHINE_CERTIFICATES, PRIVATE_KEYS
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import ABSENT, contains, wanted
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.phases.common import judged, unknown_findings, waiting
from s2slib.runbook.reading.catalogue import OWN_METADATA, PEER_METADATA, REPLICA_CERTIFICATE
from s2slib.runbook.reading.sameness import server_time, signing_thumbprint
from s2slib.runbook.reading.scope import Scope
from s2slib.trust import certificate
from s2slib.trust.errors import CertificateError
from s2slib.trust.judgement import Judgement

NAME = "certificates"
REPLICATION_S = 1800
LYNC_TITLE = "Lync's OAuthTokenIssuer certificate"
_F = Kinds(NAME)
NO_CANDIDATE = _F.blocker(
    "certificates.lync.no_candidate",
    "No OAuthTokenIssuer certificate is assigned, and there is none to assign",
    "a certificate with at least 2048 bit whose subject names the SIP domain",
    "set lync.oauth_certificate.thumbprint: a certificate in a front end's store, or reuse_default",
)
UNASSIGNED = _F.warning(
    "certificates.lync.unassigned",
    "No OAuthTokenIssuer certificate is assigned; on a running pool that is itself suspicious",
    "one certificate for the whole deployment",
)
SECOND_HOP = _F.blocker(
    "certificates.lync.second_hop",
    "The certificate cannot be assigned over this connection",
    "second_hop credssp or delegation for the Lync side",
)
NOT_STORED = _F.warning("certificates.lync", LYNC_TITLE, remedy="look at it on the other front ends")
ROLLING = _F.warning(
    "certificates.lync.rolling",
    "The OAuthTokenIssuer certificate has a predecessor: a roll is under way or was not cleaned up",
    "Exchange holds the current key",
)
OTHER_CERTIFICATE = _F.blocker(
    "certificates.lync.other_certificate",
    "Another OAuthTokenIssuer certificate is assigned than the params file names",
    remedy="correct lync.oauth_certificate.thumbprint (null keeps what is assigned); this run replaces no assigned certificate",
)
STAGED = _F.warning(
    "certificates.lync.staged",
    "A new OAuthTokenIssuer certificate is staged; the present one signs until its date",
    remedy="after that date run this again: Exchange then has to read the new key (phase 40)",
)
UNREADABLE = _F.warning(
    "certificates.exchange.unreadable",
    "A certificate in this server's store cannot be read here; it is left out",
    "a readable certificate, or one of another purpose",
    "nothing, unless it is the auth certificate",
)
AUTH_UNREADABLE = _F.unknown(
    "certificates.unreadable",
    "A signing certificate cannot be read here",
    "a readable X.509 certificate",
    "look at it on the server (certutil -store my), and assign another one",
)
FRONT_END_DIFFERS = _F.warning(
    "certificates.lync.front_end_differs",
    "This front end does not have the assigned OAuthTokenIssuer certificate",
    remedy="this phase waits for it; if it never arrives, look at the Lync Server replica service on it",
)
EXCHANGE_NONE = _F.blocker(
    "certificates.exchange.none",
    "Exchange has no auth certificate",
    "the Microsoft Exchange Server Auth Certificate",
    "run Microsoft's MonitorExchangeAuthCertificate.ps1 on a Mailbox server",
)
MISSING_ON_SERVER = _F.blocker(
    "certificates.exchange.missing_on_server",
    "This Exchange server does not have the current auth certificate",
    remedy="publish it (Set-AuthConfig -PublishCertificate), then restart MSExchangeServiceHost",
)


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [
        lync.OAUTH_CERTIFICATE,
        MACHINE_CERTIFICATES.on(d.lync_session_server),
        PRIVATE_KEYS.on(d.lync_session_server),
        *([lync.DEFAULT_CERTIFICATE] if d.reuses_default_certificate else []),
        exchange.AUTH_CONFIG,
        *(
            key.on(server.fqdn)
            for server in d.exchange_servers
            for key in (CERTIFICATES, MACHINE_CERTIFICATES, PRIVATE_KEYS)
        ),
        *(REPLICA_CERTIFICATE.on(front_end) for front_end in d.front_ends),
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
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    if assigned is not None:
        previous = assigned.previous_thumbprint
        if assigned.is_staged(server_time(d, facts)):
            rolling = [STAGED(f"{assigned.thumbprint} from {assigned.effective_date} on", previous)]
        else:
            rolling = [ROLLING(f"previous {previous}")] if previous else []
        wanted_one = "" if d.reuses_default_certificate else d.oauth_certificate_thumbprint.upper()
        if wanted_one and wanted_one not in (assigned.thumbprint, previous):
            rolling.append(OTHER_CERTIFICATE(assigned.thumbprint, wanted_one))
        return [*_judged_lync(d, facts, signing_thumbprint(d, facts)), *rolling]
    if not isinstance(facts[lync.OAUTH_CERTIFICATE], Absent):
        return []
    candidate = candidate_thumbprint(d, facts)
    if not candidate:
        return [NO_CANDIDATE("lync.oauth_certificate.thumbprint names none")]
    return [
        UNASSIGNED("nothing from Get-CsCertificate -Type OAuthTokenIssuer", remedy=f"this phase assigns {candidate}"),
        *_judged_lync(d, facts, candidate),
        *_second_hop(d, candidate),
    ]


def _second_hop(d: Scope, thumbprint: str) -> list[Finding]:
    """Certificates are assigned in the front end's own shell, which has to reach the management store as the operator."""
    server = d.lync_session_server
    if d.deployment.endpoint(server).second_hop != "explicit":
        return []
    line = lync.set_certificate("OAuthTokenIssuer", thumbprint).render()
    return [
        SECOND_HOP(
            "second_hop: explicit reaches OcsPowershell only, which has no certificate commands",
            remedy=f"change lync.endpoint, or type this at the front end's console: {line}",
            server=server,
        )
    ]


def _judged_lync(d: Scope, facts: Facts, thumbprint: str) -> list[Finding]:
    at, server = server_time(d, facts), d.lync_session_server
    row = next(
        (item for item in facts.value(MACHINE_CERTIFICATES.on(server), []) if item.thumbprint == thumbprint), None
    )
    if at is None:
        return []
    if row is None:
        return [NOT_STORED("not in the machine store of the front end that was asked", thumbprint)]
    domains = facts.value(lync.SIP_DOMAINS)
    try:
        found = certificate.from_base64(row.der)
    except CertificateError as error:
        return [AUTH_UNREADABLE(f"{thumbprint}: {error}", server=server)]
    rows = certificate.judge(
        found,
        at,
        product="lync",
        sip_domains=None if domains is None else [r.name for r in sorted(domains, key=lambda r: not r.is_default)],
        private_key=windows.private_key(facts, server, thumbprint),
    )
    return judged(NAME, "certificates.lync", LYNC_TITLE, map(_as_far_as_said, rows))


def _as_far_as_said(row: Judgement) -> Judgement:
    """What certutil says of a key it says in the server's language: not to understand it is no reason to block."""
    said_in_words = row.id in ("certificate.exportable", "certificate.provider")
    return replace(row, level="warning") if said_in_words and row.level == "unknown" else row


def _front_ends(d: Scope, facts: Facts) -> list[Finding]:
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    if assigned is None:
        return []
    findings = []
    for front_end in d.front_ends:
        key = REPLICA_CERTIFICATE.on(front_end)
        held = facts.value(key)
        seen = held.thumbprint if held else "absent" if isinstance(facts[key], Absent) else ""
        if seen and seen != assigned.thumbprint:
            findings.append(FRONT_END_DIFFERS(seen, assigned.thumbprint, server=front_end))
    return findings


def _exchange(d: Scope, facts: Facts) -> list[Finding]:
    config = facts.value(exchange.AUTH_CONFIG)
    if config is None and not isinstance(facts[exchange.AUTH_CONFIG], Absent):
        return []
    if config is None or not config.current:
        return [EXCHANGE_NONE("empty CurrentCertificateThumbprint")]
    findings: list[Finding] = []
    judged_one = False
    for server in d.exchange_servers:
        held = facts.value(CERTIFICATES.on(server.fqdn))
        if held is None:
            continue
        odd = [f"{row.thumbprint}: {row.unreadable}" for row in held if row.unreadable]
        if odd:
            findings.append(UNREADABLE("; ".join(odd), server=server.fqdn))
        current = next((row for row in held if row.thumbprint == config.current), None)
        if current is None:
            findings.append(MISSING_ON_SERVER(f"{len(held)} other certificates", config.current, server=server.fqdn))
        elif not judged_one:
            judged_one = True
            findings += _judged_exchange(d, facts, server.fqdn, current)
    return findings


def _judged_exchange(d: Scope, facts: Facts, server: str, current: exchange.Certificate) -> list[Finding]:
    at = server_time(d, facts)
    if at is None:
        return []
    if current.unreadable:
        return [AUTH_UNREADABLE(f"{current.thumbprint}: {current.unreadable}", server=server)]
    key = windows.private_key(facts, server, current.thumbprint)
    rows = certificate.judge(certificate.from_base64(current.der), at, product="exchange", private_key=key)
    return judged(NAME, "certificates.exchange", "Exchange's auth certificate", map(_as_far_as_said, rows))


def candidate_thumbprint(d: Scope, facts: Facts) -> str:
    """The certificate to assign: the declared thumbprint or the Default certificate's; empty when there is none."""
    if d.reuses_default_certificate:
        default = facts.value(lync.DEFAULT_CERTIFICATE)
        return default.thumbprint if default else ""
    return d.oauth_certificate_thumbprint.upper()


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Assign OAuthTokenIssuer globally when none is assigned; settled when every front end serves its key (rule R16)."""
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    if assigned is not None:
        waits = waiting(
            NAME,
            "lync.await_oauth_token_issuer",
            "Wait until every front end serves the assigned signing certificate",
            d.lync_session_server,
            facts,
            {lync.OAUTH_CERTIFICATE: {"thumbprint": assigned.thumbprint}},
            _everywhere(d, assigned.thumbprint),
        )
        return waits, "" if waits else f"OAuthTokenIssuer is assigned: {assigned.thumbprint}"
    if not isinstance(facts[lync.OAUTH_CERTIFICATE], Absent):
        return [], "whether OAuthTokenIssuer is assigned is unknown"
    thumbprint = candidate_thumbprint(d, facts)
    if not thumbprint:
        return [], "there is no certificate to assign"
    rests_on: dict[str, Any] = {lync.OAUTH_CERTIFICATE: ABSENT}
    if d.reuses_default_certificate:
        rests_on[lync.DEFAULT_CERTIFICATE] = {"thumbprint": thumbprint}
    change = Change(
        id="lync.assign_oauth_token_issuer",
        phase=NAME,
        title="Assign the OAuthTokenIssuer certificate to the whole Lync deployment",
        target=d.lync_session_server,
        reason="no certificate signs Lync's tokens",
        steps=(Step(d.lync_session_server, lync.set_certificate("OAuthTokenIssuer", thumbprint)),),
        rests_on=wanted(rests_on),
        after=wanted({lync.OAUTH_CERTIFICATE: {"thumbprint": thumbprint}}),
        effects=_served_later(d, thumbprint),
        irreversible="stays assigned: Lync services do not start without an OAuthTokenIssuer certificate",
        settled_when=_everywhere(d, thumbprint),
        proven_by="every front end's metadata document carries the key",
    )
    return [change], ""


def _served_later(d: Scope, thumbprint: str) -> dict[str, Fact]:
    """What the Exchange servers will get from Lync once there is a key to publish: until then the page has none."""
    document = {"problem": "", "application_id": lync.LYNC_APPLICATION_ID, "thumbprints": [thumbprint]}
    return {PEER_METADATA.on(server.fqdn): Known(document) for server in d.exchange_servers}


def _everywhere(d: Scope, thumbprint: str) -> Settle:
    served: dict[str, Any] = {
        OWN_METADATA.on(front_end): {"thumbprints": contains(thumbprint)} for front_end in d.front_ends
    }
    held: dict[str, Any] = {REPLICA_CERTIFICATE.on(front_end): {"thumbprint": thumbprint} for front_end in d.front_ends}
    return Settle(wanted({**held, **served}), REPLICATION_S, what="every front end serves the new key")
