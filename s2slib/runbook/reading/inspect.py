"""Reading facts: one batch of reads per server, servers in parallel, in rounds until nothing new can be asked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from s2slib.deployment import Deployment, DeploymentError, Problem
from s2slib.facts import Fact, Facts, Unknown
from s2slib.products import exchange, lync
from s2slib.products.read import Read
from s2slib.products.windows import IIS_SERVICES, WORKERS
from s2slib.records.files import read_json
from s2slib.remoting.values.errors import RemotingError
from s2slib.runbook.reading.catalogue import (
    DC_PARTNERS,
    HEALTH_BACK_END,
    HEALTH_PAGES,
    REPLICA_PARTNERS,
    catalogue,
)
from s2slib.runbook.reading.derive import (
    DC_ENTRY,
    EXCHANGE_IN_LYNC,
    LYNC_IN_EXCHANGE,
    OLDEST_WORKER,
    REPLICA_ENTRY,
    TRUST_HELD,
    TRUST_LOADED,
    WEB_HEALTHY,
    derive,
)
from s2slib.runbook.reading.estates import Estates
from s2slib.runbook.reading.scope import Scope

ROUNDS = 4  # servers, their controllers' entries, the account that the entry links to, and one to spare


def operator_now() -> datetime:
    """The operator's machine's time, aware UTC."""
    return datetime.now(UTC)


class Inspector:
    """Reads the facts of a deployment, all of them or those that given keys need."""

    def __init__(
        self,
        scope: Scope,
        estates: Estates,
        *,
        now: Callable[[], datetime] = operator_now,
        export_file: str = "",
        other_side: Facts | None = None,
    ) -> None:
        self._scope = scope
        self._estates = estates
        self._now = now
        self._export_file = export_file
        self._other_side = other_side or Facts()

    def inspect(self, keys: Collection[str] | None = None, *, known: Facts | None = None) -> Facts:
        """A fresh snapshot. With `keys`: `known`, in which what those keys rest on was read again.

        A server that cannot be reached makes its facts Unknown, with the reason; the other servers are read all the same.
        """
        facts = known if known is not None and keys is not None else Facts()
        wanted = None if keys is None else sources(keys)
        if wanted is not None and not facts.value(exchange.SERVERS):
            wanted.add(exchange.SERVERS)  # names the domain controllers that other reads go to
        asked: set[tuple[str, tuple[str, ...]]] = set()
        for _ in range(ROUNDS):
            reads = [
                read
                for read in catalogue(self._scope, facts, self._now, self._export_file)
                if (read.server, read.provides) not in asked
                and (wanted is None or not wanted.isdisjoint(read.provides))
            ]
            if not reads:
                break
            asked |= {(read.server, read.provides) for read in reads}
            facts = facts.updated(self._ask(reads))
        return derive(self._scope, facts)

    def _ask(self, reads: list[Read]) -> dict[str, Fact]:
        by_server: dict[str, list[Read]] = {}
        facts: dict[str, Fact] = {}
        for read in reads:
            if read.server in self._scope.reached:
                by_server.setdefault(read.server, []).append(read)
            else:
                facts.update(self._handed_over(read))
        commands = {server: [read.command for read in items] for server, items in by_server.items()}
        answers = self._estates.batches(commands)
        for server, items in by_server.items():
            answer = answers[server]
            for index, read in enumerate(items):
                if isinstance(answer, RemotingError):
                    facts.update(read.unknown(str(answer)))
                else:
                    facts.update(read.facts(answer[index]))
        return facts

    def _handed_over(self, read: Read) -> dict[str, Fact]:
        """What the other side's administrators handed over of a server that this run does not log on to."""
        missing = Unknown(
            f"{read.server} is not in this run's scope (policy.scope: {self._scope.policy.scope}) and network.other_side "
            "does not hold it. Next: ask its administrators for facts.json of a run of theirs"
        )
        given = dict(self._other_side)  # Facts itself answers every key
        return {key: given.get(key, missing) for key in read.provides}


def handed_over(deployment: Deployment) -> Facts | None:
    """What the other side's administrators handed over; DeploymentError when the file cannot be used."""
    named = deployment.network.other_side
    if named is None:
        return None
    try:
        data = read_json(deployment.folder / named)
        return Facts.from_json(data)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        problem = Problem(
            "network.other_side", f"cannot be used ({type(error).__name__})", named, "facts.json of a run"
        )
        raise DeploymentError([problem], f"the deployment {deployment.deployment}") from None


def sources(keys: Collection[str]) -> set[str]:
    """The read keys that given keys rest on: a derived fact stands for what it is derived from."""
    wanted: set[str] = set()
    for key in keys:
        head, _, name = key.rpartition("/")
        wanted |= {f"{head}/{source}" for source in DERIVED_FROM.get(name, ())} or {ENTRIES.get(key, key)}
    return wanted


ENTRIES: dict[str, str] = {
    LYNC_IN_EXCHANGE: exchange.PARTNER_APPLICATIONS,
    EXCHANGE_IN_LYNC: lync.PARTNER_APPLICATIONS,
}
DERIVED_FROM: dict[str, tuple[str, ...]] = {
    str(derived): tuple(map(str, read))
    for derived, read in (
        (DC_ENTRY, (DC_PARTNERS,)),
        (REPLICA_ENTRY, (REPLICA_PARTNERS,)),
        (TRUST_LOADED, (DC_PARTNERS, WORKERS, IIS_SERVICES)),
        (TRUST_HELD, (DC_PARTNERS, WORKERS)),
        (OLDEST_WORKER, (WORKERS,)),
        (WEB_HEALTHY, (IIS_SERVICES, *(page for _, page in HEALTH_PAGES), HEALTH_BACK_END)),
    )
}
