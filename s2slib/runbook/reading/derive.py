"""Facts that follow from other facts: which entry is ours, whether a server has loaded the trust, whether it is healthy."""

from __future__ import annotations

from collections.abc import Callable

from s2slib.facts import Absent, Fact, Facts, Generated, Json, Known, Unknown
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.products.read import parse_instant
from s2slib.runbook.reading.catalogue import DC_PARTNERS, HEALTH_PAGES, REPLICA_PARTNERS
from s2slib.runbook.reading.scope import Scope
from s2slib.trust.certificate import from_base64

LYNC_IN_EXCHANGE = "exchange/lync_partner_application"
EXCHANGE_IN_LYNC = "lync/exchange_partner_application"
DC_ENTRY = "dc_lync_partner_application"
REPLICA_ENTRY = "replica_exchange_partner_application"
TRUST_LOADED = "trust_loaded"
TRUST_HELD = "trust_held"
OLDEST_WORKER = "oldest_worker"
WEB_HEALTHY = "web_healthy"


def derive(d: Scope, facts: Facts) -> Facts:
    """The snapshot with every derived fact added; what rests on an Unknown is Unknown, with its reason."""
    derived: dict[str, Fact] = {
        LYNC_IN_EXCHANGE: _chosen(facts[exchange.PARTNER_APPLICATIONS], ours_in_exchange),
        EXCHANGE_IN_LYNC: _chosen(facts[lync.PARTNER_APPLICATIONS], ours_in_lync),
    }
    for front_end in d.front_ends:
        derived[on(front_end, REPLICA_ENTRY)] = _chosen(facts[on(front_end, REPLICA_PARTNERS)], ours_in_lync)
    for server in d.exchange_servers:
        entry = _chosen(facts[on(server.fqdn, DC_PARTNERS)], ours_in_exchange)
        derived[on(server.fqdn, DC_ENTRY)] = entry
        derived[on(server.fqdn, TRUST_LOADED)] = trust_loaded(
            entry, facts[on(server.fqdn, "workers")], facts[on(server.fqdn, "iis_services")]
        )
        derived[on(server.fqdn, TRUST_HELD)] = trust_held(entry, facts[on(server.fqdn, "workers")])
        derived[on(server.fqdn, OLDEST_WORKER)] = oldest_worker(facts[on(server.fqdn, "workers")])
        derived[on(server.fqdn, WEB_HEALTHY)] = web_healthy(
            facts, server.fqdn, server.is_client_access, server.is_mailbox
        )
    return facts.updated(derived)


def ours_in_exchange(entry: dict[str, Json]) -> bool:
    """Whether an Exchange entry is an on-premises Lync: by id and metadata URL, never by name (domain.md facts 6, 7)."""
    return (
        entry["application_identifier"] == lync.LYNC_APPLICATION_ID
        and not entry["use_auth_server"]
        and bool(entry["auth_metadata_url"])
    )


def ours_in_lync(entry: dict[str, Json]) -> bool:
    """Whether a Lync entry is an on-premises Exchange: by id and metadata URL (domain.md 1(d))."""
    return entry["application_identifier"] == exchange.EXCHANGE_APPLICATION_ID and bool(entry["metadata_url"])


def _chosen(fact: Fact, ours: Callable[[dict[str, Json]], bool]) -> Fact:
    if not isinstance(fact, Known):
        return fact
    found = [entry for entry in fact.value if ours(entry)]
    if not found:
        return Absent()
    if len(found) > 1:
        names = sorted(str(entry.get("name") or entry.get("identity")) for entry in found)
        return Known({"several": names})
    entry = dict(found[0])
    if "certificate_strings" in entry:
        entry["thumbprints"] = [from_base64(item).thumbprint for item in entry.pop("certificate_strings")]
    return Known(entry)


def trust_loaded(entry: Fact, workers: Fact, services: Fact) -> Fact:
    """Whether every EWS and Autodiscover worker of a server started after its domain controller had the entry (O10).

    | entry on its DC | workers | answer |
    | --- | --- | --- |
    | absent | any | absent: nothing to load |
    | known | none running | true: they will load it when they start (false while IIS is stopped) |
    | known | all started after the entry changed | true |
    | known | one started before or at that instant | false |
    """
    for fact in (entry, workers, services):
        if isinstance(fact, Unknown | Generated):
            return fact if isinstance(fact, Unknown) else Known(False)
    if not isinstance(entry, Known):
        return Absent()
    if "several" in entry.value:
        return Unknown("several partner applications claim to be Lync")
    if not isinstance(workers, Known) or not isinstance(services, Known):
        return Unknown("the worker processes were not read")
    if any(state != "Running" for state in services.value.values()):
        return Known(False)
    changed = parse_instant(entry.value["when_changed_utc"])
    return Known(all(parse_instant(worker["started"]) > changed for worker in workers.value))


def trust_held(entry: Fact, workers: Fact) -> Fact:
    """Whether any EWS or Autodiscover worker of a server works with the entry as it is now; absent without an entry.

    One is enough to go on honouring what is taken back. False when none runs: it will read the directory when it starts.
    """
    if not isinstance(entry, Known):
        return entry
    if not isinstance(workers, Known):
        return workers
    if "several" in entry.value:
        return Unknown("several partner applications claim to be Lync")
    changed = parse_instant(entry.value["when_changed_utc"])
    return Known(any(parse_instant(worker["started"]) > changed for worker in workers.value))


def oldest_worker(workers: Fact) -> Fact:
    """The earliest start among a server's EWS and Autodiscover workers (UTC text); empty when none runs."""
    if not isinstance(workers, Known):
        return workers
    return Known(min((str(worker["started"]) for worker in workers.value), key=parse_instant, default=""))


def web_healthy(facts: Facts, server: str, is_client_access: bool, is_mailbox: bool) -> Fact:
    """Whether the web services of a server's roles are back (O12).

    W3SVC and WAS run; on a Client Access server the health pages of EWS, Autodiscover and OWA are 200; on a Mailbox
    server the back-end site answers, with any status below 500 (without a token EWS says 401).
    """
    services = facts[on(server, "iis_services")]
    if not isinstance(services, Known):
        return services if isinstance(services, Unknown) else Unknown("W3SVC and WAS were not found")
    if {services.value.get("W3SVC"), services.value.get("WAS")} != {"Running"}:
        return Known(False)
    pages = [facts[on(server, name)] for _, name in HEALTH_PAGES] if is_client_access else []
    back_end = [facts[on(server, "health_back_end")]] if is_mailbox else []
    for page in (*pages, *back_end):
        if not isinstance(page, Known):
            return page if isinstance(page, Unknown) else Unknown("a health page was not asked for")
    front = all(isinstance(page, Known) and page.value == 200 for page in pages)
    return Known(front and all(isinstance(page, Known) and page.value < 500 for page in back_end))
