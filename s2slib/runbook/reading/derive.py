"""Facts that follow from other facts: which entry is ours, whether a server has loaded the trust, whether it is healthy."""

from __future__ import annotations

from pydantic import Field

from s2slib.facts import Absent, Fact, Facts, Generated, Key, Known, PerServer, Unknown
from s2slib.products import exchange, lync
from s2slib.products.read import parse_instant
from s2slib.products.windows import IIS_SERVICES, WORKERS
from s2slib.runbook.reading.catalogue import DC_PARTNERS, HEALTH_BACK_END, HEALTH_PAGES, REPLICA_PARTNERS
from s2slib.runbook.reading.scope import Scope
from s2slib.trust.certificate import thumbprint_of


class LyncInExchange(exchange.PartnerApplication):
    """Exchange's entry for Lync. `several`: the names of all of them where there is more than one, and nothing else."""

    several: list[str] = Field(default_factory=list)
    thumbprints: list[str] = Field(default_factory=list)


class ExchangeInLync(lync.PartnerApplication):
    """Lync's entry for Exchange. `several`: the names of all of them where there is more than one, and nothing else."""

    several: list[str] = Field(default_factory=list)


LYNC_IN_EXCHANGE = Key.one("exchange/lync_partner_application", LyncInExchange)
EXCHANGE_IN_LYNC = Key.one("lync/exchange_partner_application", ExchangeInLync)
DC_ENTRY = PerServer(Key.one("dc_lync_partner_application", LyncInExchange))
REPLICA_ENTRY = PerServer(Key.one("replica_exchange_partner_application", ExchangeInLync))
TRUST_LOADED = PerServer(Key.plain("trust_loaded", bool))
TRUST_HELD = PerServer(Key.plain("trust_held", bool))
OLDEST_WORKER = PerServer(Key.plain("oldest_worker", str))
WEB_HEALTHY = PerServer(Key.plain("web_healthy", bool))


def derive(d: Scope, facts: Facts) -> Facts:
    """The snapshot with every derived fact added; what rests on an Unknown is Unknown, with its reason."""
    derived: dict[str, Fact] = {
        LYNC_IN_EXCHANGE: _lync_entry(facts, exchange.PARTNER_APPLICATIONS),
        EXCHANGE_IN_LYNC: _exchange_entry(facts, lync.PARTNER_APPLICATIONS),
    }
    for front_end in d.front_ends:
        derived[REPLICA_ENTRY.on(front_end)] = _exchange_entry(facts, REPLICA_PARTNERS.on(front_end))
    for server in d.exchange_servers:
        fqdn = server.fqdn
        entry, workers = _lync_entry(facts, DC_PARTNERS.on(fqdn)), facts[WORKERS.on(fqdn)]
        derived[DC_ENTRY.on(fqdn)] = entry
        derived[TRUST_LOADED.on(fqdn)] = trust_loaded(entry, workers, facts[IIS_SERVICES.on(fqdn)])
        derived[TRUST_HELD.on(fqdn)] = trust_held(entry, workers)
        derived[OLDEST_WORKER.on(fqdn)] = oldest_worker(workers)
        derived[WEB_HEALTHY.on(fqdn)] = web_healthy(facts, fqdn, server.is_client_access, server.is_mailbox)
    return facts.updated(derived)


def ours_in_lync(entry: lync.PartnerApplication) -> bool:
    """Whether a Lync entry is an on-premises Exchange: by id and metadata URL (fact F7)."""
    return entry.application_identifier == exchange.EXCHANGE_APPLICATION_ID and bool(entry.metadata_url)


def _lync_entry(facts: Facts, key: Key[list[exchange.PartnerApplication]]) -> Fact:
    rows = facts.value(key)
    if rows is None:
        return facts[key]
    ours = [row for row in rows if exchange.is_lync(row)]
    if len(ours) != 1:
        return _none_or_several(sorted(row.name for row in ours))
    held = ours[0].model_dump(exclude={"certificate_strings"})
    return Known({**held, "thumbprints": [thumbprint_of(item) for item in ours[0].certificate_strings]})


def _exchange_entry(facts: Facts, key: Key[list[lync.PartnerApplication]]) -> Fact:
    rows = facts.value(key)
    if rows is None:
        return facts[key]
    ours = [row for row in rows if ours_in_lync(row)]
    return Known(ours[0].model_dump()) if len(ours) == 1 else _none_or_several(sorted(row.identity for row in ours))


def _none_or_several(names: list[str]) -> Fact:
    return Known({"several": names}) if names else Absent()


def trust_loaded(entry: Fact, workers: Fact, services: Fact) -> Fact:
    """Whether every EWS and Autodiscover worker of a server started after its domain controller had the entry (rule R24).

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
    """Whether the web services of a server's roles are back (rule R26).

    W3SVC and WAS run; on a Client Access server the health pages of EWS, Autodiscover and OWA are 200; on a Mailbox
    server the back-end site answers, with any status below 500 (without a token EWS says 401).
    """
    services = facts[IIS_SERVICES.on(server)]
    if not isinstance(services, Known):
        return services if isinstance(services, Unknown) else Unknown("W3SVC and WAS were not found")
    if {services.value.get("W3SVC"), services.value.get("WAS")} != {"Running"}:
        return Known(False)
    pages = [facts[page.on(server)] for _, page in HEALTH_PAGES] if is_client_access else []
    back_end = [facts[HEALTH_BACK_END.on(server)]] if is_mailbox else []
    for page in (*pages, *back_end):
        if not isinstance(page, Known):
            return page if isinstance(page, Unknown) else Unknown("a health page was not asked for")
    front = all(isinstance(page, Known) and page.value == 200 for page in pages)
    return Known(front and all(isinstance(page, Known) and page.value < 500 for page in back_end))
