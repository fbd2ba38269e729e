"""The Central Management Store of Lync: a master document and, on every computer, a replica that follows after a lag.

Keys are `<kind>` or `<kind>/<name>`, looked up without case:

    OAuthTokenIssuer             Thumbprint EffectiveDate PreviousThumbprint; the key pairs themselves are
                                 `Estate.key_pairs`, and land in a front end's own store when its replica follows
    OAuthConfiguration           Realm ServiceName ExchangeAutodiscoverUrl ExchangeAutodiscoverAllowedDomains
    PartnerApplication/<Name>    Identity Name MetadataUrl ApplicationIdentifier Realm ApplicationTrustLevel
                                 AcceptSecurityIdentifierInformation Enabled UseOAuthServer CertificateStrings
    SipDomain/<Name>             Name IsDefault
    UserServicesPolicy/<Name>    Identity UcsAllowed MigrationDelayInDays
    ArchivingConfiguration/<N>   Identity EnableArchiving EnableExchangeArchiving
    ArchivingPolicy/<Name>       Identity ArchiveInternal ArchiveExternal
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from s2slab.estate.world import World

Item = dict[str, Any]
FIRST_REPORT_S = 5.0  # a replica's status turns False only with the report after a write: it is stale at first


class ConfigurationStore:
    """Master and replicas. `replicating[fqdn]` False: that replica does not follow. Times in seconds of lab time."""

    def __init__(self, world: World, replicas: tuple[str, ...], lag_s: float, report_s: float) -> None:
        self._world = world
        self.lag_s = lag_s
        self.report_s = report_s  # a status report is this much later than the content
        self.replicating: dict[str, bool] = dict.fromkeys(replicas, True)
        self.master: dict[str, Item] = {}
        self.replicas: dict[str, dict[str, Item]] = {name: {} for name in replicas}
        self.status: dict[str, Item] = {}
        self._held: set[str] = set()  # replicas that do not follow and are tried again after the lag
        self.changed_at: datetime = world.now()
        self.on_arrival: Callable[[str, str, Item | None], None] | None = None  # (replica, key, item)
        for name in replicas:
            self.status[name] = {"UpToDate": True, "LastStatusReport": world.now(), "LastUpdateCreation": world.now()}

    def read(self, key: str, *, replica: str | None = None) -> Item | None:
        """A copy of an item from the master or, by FQDN, from a replica; None when there is none."""
        store = self._of(replica)
        found = store.get(_spelled(store, key))
        return None if found is None else dict(found)

    def list(self, kind: str, *, replica: str | None = None) -> list[Item]:
        """Copies of all items of a kind, oldest first."""
        return [dict(v) for k, v in self._of(replica).items() if k.split("/", 1)[0] == kind]

    def write(self, key: str, item: Mapping[str, Any] | None, *, at_once_on: str | None = None) -> None:
        """Create, replace or (None) remove an item in the master; replicas follow after the lag.

        `at_once_on` names a replica whose computer applies the change itself.
        """
        key = _spelled(self.master, key)
        before = self.master.get(key)
        after = None if item is None else dict(item)
        if after is None:
            self.master.pop(key, None)
        else:
            self.master[key] = after
        self.changed_at = self._world.now()
        self._world.record("configuration", f"cms:{key}", before, after)
        if at_once_on in self.replicas:
            self._arrive(str(at_once_on), key, after)
        for name in self.replicas:
            self._world.later(self.lag_s, self._follow(name))
            self._world.later(min(FIRST_REPORT_S, self.lag_s / 2), partial(self._report, name))

    def seed(self, key: str, item: Mapping[str, Any]) -> None:
        """Put an item into master and replicas without a transition."""
        self.master[key] = dict(item)
        for store in self.replicas.values():
            store[key] = dict(item)

    def replicate_now(self, replica: str | None = None) -> None:
        """Invoke-CsManagementStoreReplication: replicas that can follow do so within seconds."""
        for name in self.replicas:
            if replica in (None, name):
                self._world.later(2.0, self._follow(name))

    def up_to_date(self, name: str) -> bool:
        """Whether a replica's content equals the master's."""
        return self.replicas[name] == self.master

    def _of(self, replica: str | None) -> dict[str, Item]:
        return self.master if replica is None else self.replicas[replica]

    def _follow(self, name: str) -> Callable[[], None]:
        """The event in which a replica takes over whatever the master has at that time."""

        def follow() -> None:
            if not self.replicating[name]:
                if name not in self._held:
                    self._held.add(name)
                    self._world.later(max(self.lag_s, 1.0), again)
                return
            for key in dict.fromkeys([*self.master, *self.replicas[name]]):
                self._arrive(name, key, self.master.get(key))

        def again() -> None:
            self._held.discard(name)
            follow()

        return follow

    def _arrive(self, name: str, key: str, after: Item | None) -> None:
        before = self.replicas[name].get(key)
        if before == after:
            return
        if after is None:
            self.replicas[name].pop(key, None)
        else:
            self.replicas[name][key] = dict(after)
        self._world.record("configuration", f"cms@{name}:{key}", before, after)
        if self.on_arrival is not None:
            self.on_arrival(name, key, after)
        self._world.later(self.report_s, partial(self._report, name))

    def _report(self, name: str) -> None:
        now = self._world.now()
        heard = now if self.replicating[name] else self.status[name]["LastStatusReport"]
        self.status[name] = {
            "UpToDate": self.up_to_date(name),
            "LastStatusReport": heard,
            "LastUpdateCreation": self.changed_at,
        }


def _spelled(store: Mapping[str, Item], key: str) -> str:
    """The key as the store spells it."""
    if key in store:
        return key
    low = key.lower()
    return next((held for held in store if held.lower() == low), key)
