"""Whether the trust stands, by the products' own answers: expectations come from the deployment alone (P13).

Nothing here knows plans, changes or what a run did. "Proven" means Lync -> Exchange: the storage test writes an item with
a token that Lync signed. Exchange -> Lync is configured and its keys compared, but no product offers a test of it (O24).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from s2slib.deployment.reach import NetworkPath
from s2slib.facts import Absent, Facts, Json, Known, Unknown
from s2slib.products import exchange, lync, windows
from s2slib.products.lync import on
from s2slib.remoting.values.errors import RemotingError
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.hints import hint_for
from s2slib.runbook.model.finding import Finding, Level
from s2slib.runbook.reading.catalogue import (
    OWN_METADATA,
    PEER_METADATA,
    REPLICA_CERTIFICATE,
    REPLICA_CONFIGURATION,
)
from s2slib.runbook.reading.derive import (
    DC_ENTRY,
    EXCHANGE_IN_LYNC,
    LYNC_IN_EXCHANGE,
    REPLICA_ENTRY,
    TRUST_LOADED,
)
from s2slib.runbook.reading.estates import Estates
from s2slib.runbook.reading.scope import Scope
from s2slib.trust.fetch import FetchError, fetch_metadata

NAME = "verification"
STORAGE_TEST_S = 120
TRACE_CHARACTERS = 2_000
Note = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Verification:
    """The findings, and whether they prove the trust: no blocker, no unknown, and a storage test that passed."""

    findings: tuple[Finding, ...]
    storage_tests: int
    storage_passed: int

    @property
    def proven(self) -> bool:
        """Lync -> Exchange proven by a passed storage test on every front end, and nothing against it."""
        against = any(finding.level in ("blocker", "unknown") for finding in self.findings)
        return not against and 0 < self.storage_tests == self.storage_passed


def verify(scope: Scope, facts: Facts, estates: Estates | None, path: NetworkPath, note: Note) -> Verification:
    """Judge fresh facts and, with `estates` (whose ceiling allows probes), run the storage test on each front end.

    `path` is this machine's way out for its own fetch of the documents.

    `note(event, data)` is called before and after every probe, for the journal.
    """
    findings = [
        *_front_ends(scope, facts),
        *_exchange_entry(scope, facts),
        *_exchange_servers(scope, facts),
        *_exchange_key(scope, facts),
        *_own_fetch(scope, facts, path),
        _other_direction(scope, facts),
    ]
    tests = passed = 0
    if estates is None:
        findings.append(
            Finding(
                "verification.storage.not_run",
                "unknown",
                NAME,
                "Test-CsExStorageConnectivity was not run: this mode only reads",
                remedy="run this in mode verify (s2s verify)",
            )
        )
        return Verification(tuple(findings), 0, 0)
    reached = [front_end for front_end in scope.front_ends if front_end in scope.reached]
    if not reached:
        findings.append(
            Finding(
                "verification.storage.out_of_scope",
                "unknown",
                NAME,
                "Test-CsExStorageConnectivity runs on the front ends, which this run does not log on to",
                seen=f"policy.scope: {scope.policy.scope}",
                expected="Test Passed on each front end",
                remedy="Lync's administrators run `s2s verify` with their scope",
            )
        )
        return Verification(tuple(findings), 0, 0)
    for front_end in reached:
        for sip_uri in scope.deployment.sip_uris_for(front_end):
            tests += 1
            finding = storage_test(estates, front_end, sip_uri, note)
            passed += finding.level == "ok"
            findings.append(finding)
    if not tests:
        remedy = "name a user with a mailbox under test_users"
        findings.append(
            Finding(
                "verification.storage.no_user",
                "unknown",
                NAME,
                "No test user is declared: nothing was proven",
                remedy=remedy,
            )
        )
    return Verification(tuple(findings), tests, passed)


def _check(finding_id: str, title: str, ok: bool, seen: str, expected: str, remedy: str, server: str = "") -> Finding:
    level: Level = "ok" if ok else "blocker"
    return Finding(f"verification.{finding_id}", level, NAME, title, seen, expected, "" if ok else remedy, server)


def _unknown(finding_id: str, title: str, fact: object, server: str = "") -> Finding:
    reason = fact.reason if isinstance(fact, Unknown) else "no answer"
    return Finding(f"verification.{finding_id}", "unknown", NAME, title, reason, "an answer", "run it again", server)


def _front_ends(scope: Scope, facts: Facts) -> list[Finding]:
    findings: list[Finding] = []
    assigned = facts[lync.OAUTH_CERTIFICATE]
    if isinstance(assigned, Unknown):
        return [_unknown("lync_key", "Lync's signing certificate", assigned)]
    thumbprint = assigned.value["thumbprint"] if isinstance(assigned, Known) else ""
    if not thumbprint:
        return [_check("lync_key", "Lync's signing certificate", False, "none assigned", "one", "run 20_certificates")]
    for front_end in scope.front_ends:
        findings.append(_front_end_key(facts, front_end, thumbprint))
        findings.append(_served_key(facts, front_end, thumbprint))
        findings.append(_replica_entry(scope, facts, front_end))
        findings.append(_replica_url(scope, facts, front_end))
        findings.append(_document(scope.exchange_metadata_url, facts, front_end, _exchange_keys(facts)))
    return findings


def _front_end_key(facts: Facts, front_end: str, thumbprint: str) -> Finding:
    fact = facts[on(front_end, REPLICA_CERTIFICATE)]
    title = "Signing certificate in this front end's replica"
    if isinstance(fact, Unknown):
        return _unknown("front_end_key", title, fact, front_end)
    seen = fact.value["thumbprint"] if isinstance(fact, Known) else "none"
    return _check("front_end_key", title, seen == thumbprint, seen, thumbprint, "wait for replication", front_end)


def _served_key(facts: Facts, front_end: str, thumbprint: str) -> Finding:
    fact = facts[on(front_end, OWN_METADATA)]
    title = "Signing key in this front end's own metadata document"
    if not isinstance(fact, Known):
        return _unknown("served_key", title, fact, front_end)
    seen = fact.value["problem"] or ", ".join(fact.value["thumbprints"])
    good = not fact.value["problem"] and thumbprint in fact.value["thumbprints"]
    return _check("served_key", title, good, seen, thumbprint, "wait for replication", front_end)


def _replica_entry(scope: Scope, facts: Facts, front_end: str) -> Finding:
    fact = facts[on(front_end, REPLICA_ENTRY)]
    title = "Entry for Exchange in this front end's replica"
    if isinstance(fact, Unknown):
        return _unknown("replica_partner", title, fact, front_end)
    entry: Json = fact.value if isinstance(fact, Known) else {}
    seen = (
        f"{entry.get('metadata_url')} {entry.get('trust_level')} enabled={entry.get('enabled')}" if entry else "absent"
    )
    good = (
        entry.get("metadata_url", "").casefold() == scope.exchange_metadata_url.casefold()
        and entry.get("trust_level", "").casefold() == "full"
        and entry.get("enabled") is True
    )
    expected = f"{scope.exchange_metadata_url} Full enabled=True"
    return _check("replica_partner", title, good, seen, expected, "run 60_lync_partner_application", front_end)


def _replica_url(scope: Scope, facts: Facts, front_end: str) -> Finding:
    fact = facts[on(front_end, REPLICA_CONFIGURATION)]
    title = "Exchange's Autodiscover URL in this front end's replica"
    if not isinstance(fact, Known):
        return _unknown("replica_autodiscover", title, fact, front_end)
    seen, expected = fact.value["exchange_autodiscover_url"], scope.autodiscover_svc_url
    good = seen.casefold() == expected.casefold()
    return _check("replica_autodiscover", title, good, seen or "(empty)", expected, "run 30_autodiscover", front_end)


def _exchange_keys(facts: Facts) -> list[str]:
    current = facts.value(exchange.AUTH_CONFIG, {}).get("current", "")
    return [current] if current else []


def _lync_keys(facts: Facts) -> list[str]:
    thumbprint = facts.value(lync.OAUTH_CERTIFICATE, {}).get("thumbprint", "")
    return [thumbprint] if thumbprint else []


def _document(url: str, facts: Facts, server: str, keys: list[str]) -> Finding:
    fact = facts[on(server, PEER_METADATA)]
    title = f"Signing key in {url}, as this server gets it"
    if not isinstance(fact, Known):
        return _unknown("metadata", title, fact, server)
    seen = fact.value["problem"] or ", ".join(fact.value["thumbprints"])
    good = not fact.value["problem"] and bool(keys) and set(keys) <= set(fact.value["thumbprints"])
    return _check("metadata", title, good, seen, ", ".join(keys) or "a key", "run 10_preflight", server)


def _exchange_entry(scope: Scope, facts: Facts) -> list[Finding]:
    fact = facts[LYNC_IN_EXCHANGE]
    title = "Exchange's entry for Lync"
    if isinstance(fact, Unknown):
        return [_unknown("exchange_partner", title, fact)]
    if isinstance(fact, Absent) or not isinstance(fact, Known) or "several" in fact.value:
        seen = ", ".join(fact.value["several"]) if isinstance(fact, Known) else "absent"
        return [
            _check(
                "exchange_partner", title, False, seen, scope.lync_metadata_url, "run 40_exchange_partner_application"
            )
        ]
    entry = fact.value
    stored, served = entry["thumbprints"], _lync_keys(facts)
    roles = [str(role) for role in facts.value(exchange.ROLE_ASSIGNMENTS, [])]
    missing = [role for role in exchange.ROLES if role not in roles]
    repair = "run 40_exchange_partner_application"
    return [
        _check(
            "exchange_partner",
            title,
            entry["enabled"] and entry["auth_metadata_url"].casefold() == scope.lync_metadata_url.casefold(),
            f"{entry['auth_metadata_url']} enabled={entry['enabled']}",
            f"{scope.lync_metadata_url} enabled=True",
            repair,
        ),
        _check(
            "exchange_stored_key",
            "Lync's signing key, as Exchange stored it",
            bool(served) and set(served) <= set(stored),
            ", ".join(stored) or "none",
            ", ".join(served) or "one",
            repair,
        ),
        _check(
            "exchange_realm",
            "Lync's realm, as Exchange stored it",
            entry["realm"].casefold() == scope.deployment.lync_realm.casefold(),
            entry["realm"],
            scope.deployment.lync_realm,
            "remove the entry by hand and run 40_exchange_partner_application: a refresh does not change a realm",
        ),
        _check(
            "exchange_linked_account",
            "Roles of the linked account",
            bool(entry["linked_account"]) and not missing,
            f"{entry['linked_account'] or 'no account'}; missing: {', '.join(missing) or 'none'}",
            ", ".join(exchange.ROLES),
            repair,
        ),
    ]


def _exchange_servers(scope: Scope, facts: Facts) -> list[Finding]:
    findings = []
    for server in scope.exchange_servers:
        findings.append(_document(scope.lync_metadata_url, facts, server.fqdn, _lync_keys(facts)))
        entry, loaded = facts[on(server.fqdn, DC_ENTRY)], facts[on(server.fqdn, TRUST_LOADED)]
        title = "Partner application in this server's running web services"
        if isinstance(entry, Unknown) or isinstance(loaded, Unknown):
            findings.append(_unknown("loaded", title, entry if isinstance(entry, Unknown) else loaded, server.fqdn))
            continue
        good = isinstance(entry, Known) and isinstance(loaded, Known) and loaded.value is True
        seen = "loaded" if good else "not on its domain controller" if not isinstance(entry, Known) else "older workers"
        findings.append(
            _check("loaded", title, good, seen, "workers started after the change", "run 50_restart_iis", server.fqdn)
        )
    return findings


def _exchange_key(scope: Scope, facts: Facts) -> list[Finding]:
    config = facts[exchange.AUTH_CONFIG]
    if not isinstance(config, Known):
        return [_unknown("exchange_key", "Exchange's auth certificate", config)]
    findings = []
    for server in scope.exchange_servers:
        held = facts[on(server.fqdn, "exchange_certificates")]
        title = "Exchange's auth certificate on this server"
        if not isinstance(held, Known):
            findings.append(_unknown("exchange_key", title, held, server.fqdn))
            continue
        thumbprints = [row["thumbprint"] for row in held.value]
        current = config.value["current"]
        seen = current if current in thumbprints else f"{len(thumbprints)} others"
        findings.append(_check("exchange_key", title, current in thumbprints, seen, current, "publish it", server.fqdn))
    return findings


def _own_fetch(scope: Scope, facts: Facts, path: NetworkPath) -> list[Finding]:
    """The second opinion: the same documents as this machine gets them (O21)."""
    deployment = scope.deployment
    if not deployment.network.own_fetch:
        return []
    findings = []
    for url, keys in (
        (scope.lync_metadata_url, _lync_keys(facts)),
        (scope.exchange_metadata_url, _exchange_keys(facts)),
    ):
        title = f"Signing key in {url}, as this machine gets it"
        try:
            fetched = fetch_metadata(
                url,
                ca_file=path.ca_file,
                proxy=path.proxy,
                deadline_s=float(deployment.network.timeouts_s.fetch),
            )
        except FetchError as error:
            finding = Finding(
                "verification.own_fetch", "warning", NAME, title, str(error), "the document", "a second opinion only"
            )
            findings.append(finding)
            continue
        document: dict[str, Any] = windows.metadata_fact(fetched.body, url)
        good = not document["problem"] and bool(keys) and set(keys) <= set(document["thumbprints"])
        seen = document["problem"] or ", ".join(document["thumbprints"])
        findings.append(
            _check("own_fetch", title, good, seen, ", ".join(keys) or "a key", "compare with what the servers get")
        )
    return findings


def _other_direction(scope: Scope, facts: Facts) -> Finding:
    known = isinstance(facts[EXCHANGE_IN_LYNC], Known)
    title = "Exchange -> Lync: configured and keys compared, not exercised (no product offers a test)"
    return Finding(
        "verification.other_direction",
        "ok" if known else "blocker",
        NAME,
        title,
        seen="Lync has the entry" if known else "Lync has no entry for Exchange",
        expected=scope.exchange_metadata_url,
        remedy="" if known else "run 60_lync_partner_application",
    )


def storage_test(estates: Estates, front_end: str, sip_uri: str, note: Note) -> Finding:
    """Run Test-CsExStorageConnectivity on a front end: the default binding, then NetTCP when access is denied (O22)."""
    finding = _storage_attempt(estates, front_end, sip_uri, None, note)
    if finding.id.endswith("access_denied"):
        finding = _storage_attempt(estates, front_end, sip_uri, front_end, note)
    return finding


def _storage_attempt(estates: Estates, front_end: str, sip_uri: str, net_tcp: str | None, note: Note) -> Finding:
    command = lync.storage_connectivity_test(sip_uri, net_tcp_host=net_tcp)
    line = command.render()
    note("probe", {"server": front_end, "line": line})
    try:
        reply = estates.run(front_end, command, timeout_s=STORAGE_TEST_S)
    except RemotingError as error:
        note("probe_reply", {"server": front_end, "line": line, "error": str(error)})
        remedy = "whether the item was written is not known: look into Conversation History; then run it again"
        return Finding(
            "verification.storage.no_reply",
            "unknown",
            NAME,
            _title(sip_uri),
            str(error),
            "Test passed",
            remedy,
            front_end,
        )
    text = _text(reply)
    note("probe_reply", {"server": front_end, "line": line, "state": reply.state, "text": text[-TRACE_CHARACTERS:]})
    return judge_storage_test(reply, front_end, sip_uri, line)


def judge_storage_test(reply: Reply, front_end: str, sip_uri: str, line: str) -> Finding:
    """The verdict on one storage test.

    | reply | verdict |
    | --- | --- |
    | completed, no error, output contains "passed" | ok |
    | an error that says access denied | blocker, kept apart from a trust that fails |
    | any other error | blocker, with the known cause of the symptom in the trace |
    | neither "passed" nor an error (a localised text?) | unknown |
    """
    text, title = _text(reply), _title(sip_uri)
    output = " ".join(str(item) for item in reply.output)
    if reply.state == "completed" and not reply.errors:
        if "passed" in output.casefold():
            return Finding("verification.storage", "ok", NAME, title, seen=output.strip(), server=front_end)
        remedy = f"run this line at the front end's console and read its answer: {line}"
        return Finding(
            "verification.storage.unclear", "unknown", NAME, title, output or "nothing", "passed", remedy, front_end
        )
    first = reply.errors[0].message.strip() if reply.errors else f"the command ended as {reply.state}"
    hint = hint_for(text)
    if hint is not None and hint.id == "access_denied":
        remedy = f"{hint.fix}: {line}"
        return Finding("verification.storage.access_denied", "blocker", NAME, title, first, "passed", remedy, front_end)
    if hint is None:
        remedy = "read the trace in the journal; the error text is not a known one"
        return Finding("verification.storage.failed", "blocker", NAME, title, first, "passed", remedy, front_end)
    remedy = f"{hint.cause}. Check: {hint.check}. Then: {hint.fix} ({hint.notebook})"
    return Finding(f"verification.storage.{hint.id}", "blocker", NAME, title, first, "passed", remedy, front_end)


def _title(sip_uri: str) -> str:
    return f"Test-CsExStorageConnectivity for {sip_uri}"


def _text(reply: Reply) -> str:
    parts = [
        *(error.message for error in reply.errors),
        *reply.verbose,
        *(str(item) for item in reply.output),
        *reply.warnings,
    ]
    return "\n".join(parts)
