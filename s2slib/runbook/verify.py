"""Whether the trust stands, by the products' own answers: expectations come from the deployment alone (rule R13).

Nothing here knows plans, changes or what a run did. "Proven" means Lync -> Exchange: the storage test writes an item with
a token that Lync signed. Exchange -> Lync is configured and its keys compared, but no product offers a test of it (rule R38).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from s2slib.deployment.reach import NetworkPath
from s2slib.facts import Facts, Known, Unknown
from s2slib.products import exchange, lync, windows
from s2slib.remoting.values.errors import RemotingError
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.hints import HINTS, hint_for
from s2slib.runbook.model.finding import Finding, Kinds
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
from s2slib.runbook.reading.sameness import pools_left_out, same_url, signing_thumbprint
from s2slib.runbook.reading.scope import Scope
from s2slib.trust.fetch import FetchError, fetch_metadata

NAME = "verification"
STORAGE_TEST_S = 120
TRACE_CHARACTERS = 2_000
Note = Callable[[str, dict[str, Any]], None]
_F = Kinds(NAME)
_PASSED = "Test passed"
_FINAL = re.compile(r"\bcode=Error(?!EwsAutodiscover|IncorrectExchangeServerVersion|EwsWebException)", re.IGNORECASE)
"""An error of Exchange's own by its response code: the request was authenticated, so no 401 of its trace is the cause."""
NOT_RUN = _F.unknown(
    "verification.storage.not_run",
    "Test-CsExStorageConnectivity was not run: this mode only reads",
    remedy="run this in mode verify (s2s verify)",
)
OUT_OF_SCOPE = _F.unknown(
    "verification.storage.out_of_scope",
    "Test-CsExStorageConnectivity runs on the front ends, which this run does not log on to",
    "Test Passed on each front end",
    "Lync's administrators run `s2s verify` with their scope",
)
NO_USER = _F.unknown(
    "verification.storage.no_user",
    "No test user is declared: nothing was proven",
    remedy="name a user with a mailbox under test_users",
)
_STORAGE = "Test-CsExStorageConnectivity for {sip_uri}"
STORAGE = _F.ok("verification.storage", _STORAGE)
NO_REPLY = _F.unknown(
    "verification.storage.no_reply",
    _STORAGE,
    _PASSED,
    "whether the item was written is not known: look into Conversation History; then run it again",
)
UNCLEAR = _F.unknown("verification.storage.unclear", _STORAGE, "passed")
ACCESS_DENIED = _F.blocker("verification.storage.access_denied", _STORAGE, "passed")
FAILED = _F.blocker(
    "verification.storage.failed",
    _STORAGE,
    "passed",
    "read the trace in the journal; the error text is not a known one",
)
SYMPTOMS = {hint.id: _F.blocker(f"verification.storage.{hint.id}", _STORAGE, "passed") for hint in HINTS}
LEFT_OUT = _F.warning(
    "verification.pools_left_out",
    "Pools with users that are not declared: nothing was proven of them",
    "every user pool under lync.pools",
    "declare them, and verify again",
)
OWN_FETCH_FAILED = _F.warning(
    "verification.own_fetch",
    "Signing key in {url}, as this machine gets it",
    "the document",
    "a second opinion only",
)
_BACK = "Exchange -> Lync: configured and keys compared, not exercised (no product offers a test)"
OTHER_DIRECTION = _F.ok("verification.other_direction", _BACK)
NO_OTHER_DIRECTION = _F.blocker("verification.other_direction", _BACK, remedy="run 60_lync_partner_application")


class Check:
    """A judgement of verification: in order, against the trust, or not known."""

    def __init__(self, name: str, title: str, remedy: str) -> None:
        id = f"verification.{name}"
        self._ok, self._against = _F.ok(id, title), _F.blocker(id, title, remedy=remedy)
        self._unknown = _F.unknown(id, title, "an answer", "run it again")

    def __call__(self, ok: bool, seen: str, expected: str, server: str = "", **words: str) -> Finding:
        """The finding on what was seen."""
        return (self._ok if ok else self._against)(seen, expected, server=server, **words)

    def unknown(self, fact: object, server: str = "", **words: str) -> Finding:
        """The finding on what was not answered."""
        return self._unknown(fact.reason if isinstance(fact, Unknown) else "no answer", server=server, **words)


_REPAIR = "run 40_exchange_partner_application"
LYNC_KEY = Check("lync_key", "Lync's signing certificate", "run 20_certificates")
FRONT_END_KEY = Check("front_end_key", "Signing certificate in this front end's replica", "wait for replication")
SERVED_KEY = Check("served_key", "Signing key in this front end's own metadata document", "wait for replication")
REPLICA_PARTNER = Check(
    "replica_partner", "Entry for Exchange in this front end's replica", "run 60_lync_partner_application"
)
REPLICA_AUTODISCOVER = Check(
    "replica_autodiscover", "Exchange's Autodiscover URL in this front end's replica", "run 30_autodiscover"
)
METADATA = Check("metadata", "Signing key in {url}, as this server gets it", "run 10_preflight")
EXCHANGE_PARTNER = Check("exchange_partner", "Exchange's entry for Lync", _REPAIR)
EXCHANGE_STORED_KEY = Check("exchange_stored_key", "Lync's signing key, as Exchange stored it", _REPAIR)
EXCHANGE_REALM = Check(
    "exchange_realm",
    "Lync's realm, as Exchange stored it",
    "remove the entry by hand and run 40_exchange_partner_application: a refresh does not change a realm",
)
EXCHANGE_ACCOUNT = Check("exchange_linked_account", "Roles of the linked account", _REPAIR)
IN_USE = Check("loaded", "Partner application in this server's running web services", "run 50_restart_iis")
EXCHANGE_KEY = Check("exchange_key", "Exchange's auth certificate", "publish it")
EXCHANGE_KEY_HERE = Check("exchange_key", "Exchange's auth certificate on this server", "publish it")
OWN_FETCH = Check("own_fetch", "Signing key in {url}, as this machine gets it", "compare with what the servers get")


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
        *_left_out(scope, facts),
        *_front_ends(scope, facts),
        *_exchange_entry(scope, facts),
        *_exchange_servers(scope, facts),
        *_exchange_key(scope, facts),
        *_own_fetch(scope, facts, path),
        _other_direction(scope, facts),
    ]
    if estates is None:
        return Verification((*findings, NOT_RUN()), 0, 0)
    reached = [front_end for front_end in scope.front_ends if front_end in scope.reached]
    if not reached:
        return Verification((*findings, OUT_OF_SCOPE(f"policy.scope: {scope.policy.scope}")), 0, 0)
    tests = [
        storage_test(estates, front_end, sip_uri, note)
        for front_end in reached
        for sip_uri in scope.deployment.sip_uris_for(front_end)
    ]
    passed = sum(finding.level == "ok" for finding in tests)
    return Verification((*findings, *(tests or [NO_USER()])), len(tests), passed)


def _left_out(scope: Scope, facts: Facts) -> list[Finding]:
    pools = pools_left_out(scope, facts)
    return [LEFT_OUT(", ".join(pools))] if pools else []


def _front_ends(scope: Scope, facts: Facts) -> list[Finding]:
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    if isinstance(facts[lync.OAUTH_CERTIFICATE], Unknown):
        return [LYNC_KEY.unknown(facts[lync.OAUTH_CERTIFICATE])]
    if assigned is None or not assigned.thumbprint:
        return [LYNC_KEY(False, "none assigned", "one")]
    findings: list[Finding] = []
    for front_end in scope.front_ends:
        findings += [
            _front_end_key(facts, front_end, assigned.thumbprint),
            _served_key(facts, front_end, assigned.thumbprint),
            _replica_entry(scope, facts, front_end),
            _replica_url(scope, facts, front_end),
            _document(scope.exchange_metadata_url, facts, front_end, _exchange_keys(facts)),
        ]
    return findings


def _front_end_key(facts: Facts, front_end: str, thumbprint: str) -> Finding:
    key = REPLICA_CERTIFICATE.on(front_end)
    if isinstance(facts[key], Unknown):
        return FRONT_END_KEY.unknown(facts[key], front_end)
    held = facts.value(key)
    seen = held.thumbprint if held else "none"
    return FRONT_END_KEY(seen == thumbprint, seen, thumbprint, front_end)


def _served_key(facts: Facts, front_end: str, thumbprint: str) -> Finding:
    document = facts.value(OWN_METADATA.on(front_end))
    if document is None:
        return SERVED_KEY.unknown(facts[OWN_METADATA.on(front_end)], front_end)
    return SERVED_KEY(_carries(document, [thumbprint]), _keys_in(document), thumbprint, front_end)


def _replica_entry(scope: Scope, facts: Facts, front_end: str) -> Finding:
    key, url = REPLICA_ENTRY.on(front_end), scope.exchange_metadata_url
    if isinstance(facts[key], Unknown):
        return REPLICA_PARTNER.unknown(facts[key], front_end)
    entry, expected = facts.value(key), f"{url} Full enabled=True"
    if entry is None or entry.several:
        return REPLICA_PARTNER(False, ", ".join(entry.several) if entry else "absent", expected, front_end)
    good = same_url(entry.metadata_url, url) and entry.trust_level.casefold() == "full" and entry.enabled
    seen = f"{entry.metadata_url} {entry.trust_level} enabled={entry.enabled}"
    return REPLICA_PARTNER(good, seen, expected, front_end)


def _replica_url(scope: Scope, facts: Facts, front_end: str) -> Finding:
    key, expected = REPLICA_CONFIGURATION.on(front_end), scope.autodiscover_svc_url
    configuration = facts.value(key)
    if configuration is None:
        return REPLICA_AUTODISCOVER.unknown(facts[key], front_end)
    seen = configuration.exchange_autodiscover_url
    return REPLICA_AUTODISCOVER(same_url(seen, expected), seen or "(empty)", expected, front_end)


def _exchange_keys(facts: Facts) -> list[str]:
    config = facts.value(exchange.AUTH_CONFIG)
    return [config.current] if config and config.current else []


def _lync_keys(scope: Scope, facts: Facts) -> list[str]:
    signing = signing_thumbprint(scope, facts)
    return [signing] if signing else []


def _carries(document: windows.Document, keys: list[str]) -> bool:
    return not document.problem and bool(keys) and set(keys) <= set(document.thumbprints)


def _keys_in(document: windows.Document) -> str:
    return document.problem or ", ".join(document.thumbprints)


def _document(url: str, facts: Facts, server: str, keys: list[str]) -> Finding:
    document = facts.value(PEER_METADATA.on(server))
    if document is None:
        return METADATA.unknown(facts[PEER_METADATA.on(server)], server, url=url)
    return METADATA(_carries(document, keys), _keys_in(document), ", ".join(keys) or "a key", server, url=url)


def _exchange_entry(scope: Scope, facts: Facts) -> list[Finding]:
    if isinstance(facts[LYNC_IN_EXCHANGE], Unknown):
        return [EXCHANGE_PARTNER.unknown(facts[LYNC_IN_EXCHANGE])]
    entry, url, realm = facts.value(LYNC_IN_EXCHANGE), scope.lync_metadata_url, scope.deployment.lync_realm
    if entry is None or entry.several:
        return [EXCHANGE_PARTNER(False, ", ".join(entry.several) if entry else "absent", url)]
    stored, served = entry.thumbprints, _lync_keys(scope, facts)
    held = facts.value(exchange.ROLE_ASSIGNMENTS, [])
    missing = [role for role in exchange.ROLES if role not in held]
    return [
        EXCHANGE_PARTNER(
            entry.enabled and same_url(entry.auth_metadata_url, url),
            f"{entry.auth_metadata_url} enabled={entry.enabled}",
            f"{url} enabled=True",
        ),
        EXCHANGE_STORED_KEY(
            bool(served) and set(served) <= set(stored), ", ".join(stored) or "none", ", ".join(served) or "one"
        ),
        EXCHANGE_REALM(entry.realm.casefold() == realm.casefold(), entry.realm, realm),
        EXCHANGE_ACCOUNT(
            bool(entry.linked_account) and not missing,
            f"{entry.linked_account or 'no account'}; missing: {', '.join(missing) or 'none'}",
            ", ".join(exchange.ROLES),
        ),
    ]


def _exchange_servers(scope: Scope, facts: Facts) -> list[Finding]:
    findings = []
    for server in scope.exchange_servers:
        findings.append(_document(scope.lync_metadata_url, facts, server.fqdn, _lync_keys(scope, facts)))
        entry, loaded = facts[DC_ENTRY.on(server.fqdn)], facts[TRUST_LOADED.on(server.fqdn)]
        if isinstance(entry, Unknown) or isinstance(loaded, Unknown):
            findings.append(IN_USE.unknown(entry if isinstance(entry, Unknown) else loaded, server.fqdn))
            continue
        good = isinstance(entry, Known) and isinstance(loaded, Known) and loaded.value is True
        seen = "loaded" if good else "not on its domain controller" if not isinstance(entry, Known) else "older workers"
        findings.append(IN_USE(good, seen, "workers started after the change", server.fqdn))
    return findings


def _exchange_key(scope: Scope, facts: Facts) -> list[Finding]:
    config = facts.value(exchange.AUTH_CONFIG)
    if config is None:
        return [EXCHANGE_KEY.unknown(facts[exchange.AUTH_CONFIG])]
    findings = []
    for server in scope.exchange_servers:
        key = exchange.CERTIFICATES.on(server.fqdn)
        held = facts.value(key)
        if held is None:
            findings.append(EXCHANGE_KEY_HERE.unknown(facts[key], server.fqdn))
            continue
        there = config.current in [row.thumbprint for row in held]
        seen = config.current if there else f"{len(held)} others"
        findings.append(EXCHANGE_KEY_HERE(there, seen, config.current, server.fqdn))
    return findings


def _own_fetch(scope: Scope, facts: Facts, path: NetworkPath) -> list[Finding]:
    """The second opinion: the same documents as this machine gets them (rule R35)."""
    deployment = scope.deployment
    if not deployment.network.own_fetch:
        return []
    findings = []
    for url, keys in (
        (scope.lync_metadata_url, _lync_keys(scope, facts)),
        (scope.exchange_metadata_url, _exchange_keys(facts)),
    ):
        try:
            fetched = fetch_metadata(
                url,
                ca_file=path.ca_file,
                proxy=path.proxy,
                deadline_s=float(deployment.network.timeouts_s.fetch),
            )
        except FetchError as error:
            findings.append(OWN_FETCH_FAILED(str(error), url=url))
            continue
        document = windows.document_of(fetched.body, url)
        expected = ", ".join(keys) or "a key"
        findings.append(OWN_FETCH(_carries(document, keys), _keys_in(document), expected, url=url))
    return findings


def _other_direction(scope: Scope, facts: Facts) -> Finding:
    url = scope.exchange_metadata_url
    if isinstance(facts[EXCHANGE_IN_LYNC], Known):
        return OTHER_DIRECTION("Lync has the entry", url)
    return NO_OTHER_DIRECTION("Lync has no entry for Exchange", url)


def storage_test(estates: Estates, front_end: str, sip_uri: str, note: Note) -> Finding:
    """Run Test-CsExStorageConnectivity on a front end: the default binding, then NetTCP when access is denied (rule R36)."""
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
        return NO_REPLY(str(error), server=front_end, sip_uri=sip_uri)
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
    text, told = _text(reply), {"server": front_end, "sip_uri": sip_uri}
    output = " ".join(str(item) for item in reply.output)
    if reply.state == "completed" and not reply.errors:
        if "passed" in output.casefold():
            return STORAGE(output.strip(), **told)
        return UNCLEAR(
            output or "nothing", remedy=f"run this line at the front end's console and read its answer: {line}", **told
        )
    first = reply.errors[0].message.strip() if reply.errors else f"the command ended as {reply.state}"
    # what failed says why; the trace before it only where the failure itself is not a known one, and never by a mere challenge
    hint = hint_for(first) or (None if _FINAL.search(first) else hint_for(text))
    if hint is None:
        return FAILED(first, **told)
    if hint.id == "access_denied":
        return ACCESS_DENIED(first, remedy=f"{hint.fix}: {line}", **told)
    remedy = f"{hint.cause}. Check: {hint.check}. Then: {hint.fix} ({hint.notebook})"
    return SYMPTOMS[hint.id](first, remedy=remedy, **told)


def _text(reply: Reply) -> str:
    parts = [
        *(error.message for error in reply.errors),
        *reply.verbose,
        *(str(item) for item in reply.output),
        *reply.warnings,
    ]
    return "\n".join(parts)
