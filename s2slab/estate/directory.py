"""Active Directory: one store per domain controller; a write lands on one and reaches the others after a lag.

Keys are `<kind>/<name>`, looked up without case; attributes are named as the products print them:

    AuthConfig/Auth Configuration   CurrentCertificateThumbprint PreviousCertificateThumbprint NextCertificateThumbprint
                                    NextCertificateEffectiveDate (datetime|None) ServiceName Realm
    PartnerApplication/<Name>       Name Enabled ApplicationIdentifier CertificateStrings (base64 DER) AuthMetadataUrl
                                    Realm UseAuthServer AcceptSecurityIdentifierInformation LinkedAccount
                                    IssuerIdentifier AccountType AppOnlyPermissions ActAsPermissions
    AcceptedDomain/<Name>           Name DomainName DomainType Default
    Recipient/<Name>                Name RecipientType (MailUser, UserMailbox, User...) PrimarySmtpAddress
                                    ExternalEmailAddress HiddenFromAddressListsEnabled UserPrincipalName SamAccountName
    RoleAssignment/<Role>-<user>    Name Role RoleAssigneeName RoleAssigneeType
    ExchangeServer/<Name>           Name Fqdn ServerRole IsMailboxServer IsClientAccessServer AdminDisplayVersion Site
                                    AutoDiscoverServiceInternalUri AutoDiscoverSiteScope

Every object also has Guid, WhenCreatedUTC and WhenChangedUTC. As in a real directory the last is each controller's own, in
whole seconds: when the change was made or arrived there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from s2slab.estate.world import World

Attributes = dict[str, Any]


class Directory:
    """The directory of the forest. While `replicating` is False, writes stay on the controller they were made on."""

    def __init__(self, world: World, controllers: tuple[str, ...], lag_s: float) -> None:
        self._world = world
        self.controllers = controllers
        self.lag_s = lag_s
        self.replicating = True
        self._stores: dict[str, dict[str, Attributes]] = {dc: {} for dc in controllers}
        self._written: dict[tuple[str, str], datetime] = {}  # (controller, key) -> when what it holds was written

    def controller(self, name: str) -> str | None:
        """The domain controller of that name (FQDN or host name, case aside), or None."""
        low = name.lower()
        return next((dc for dc in self.controllers if low in (dc, dc.split(".", 1)[0])), None)

    def read(self, key: str, *, dc: str) -> Attributes | None:
        """A copy of the object as `dc` has it, or None."""
        found = self._stores[dc].get(_spelled(self._stores[dc], key))
        return None if found is None else dict(found)

    def list(self, kind: str, *, dc: str) -> list[Attributes]:
        """Copies of all objects of a kind on `dc`, oldest first."""
        return [dict(v) for k, v in self._stores[dc].items() if k.split("/", 1)[0] == kind]

    def items(self, *, dc: str) -> Iterator[tuple[str, Attributes]]:
        """Every key with a copy of its object as `dc` has it, oldest first."""
        return ((key, dict(held)) for key, held in self._stores[dc].items())

    def find(self, kind: str, test: Callable[[Attributes], bool], *, dc: str) -> Attributes | None:
        """The first object of a kind on `dc` that satisfies `test`, or None."""
        return next((row for row in self.list(kind, dc=dc) if test(row)), None)

    def write(self, key: str, attributes: Mapping[str, Any] | None, *, dc: str) -> None:
        """Create, replace or (None) delete an object on `dc`; the other controllers follow after the lag."""
        key = _spelled(self._stores[dc], key)
        before = self._stores[dc].get(key)
        now = self._world.now()
        after: Attributes | None = None
        if attributes is not None:
            after = {**attributes, "WhenChangedUTC": now.replace(microsecond=0)}
            after.setdefault("WhenCreatedUTC", now.replace(microsecond=0))
            after.setdefault("Guid", str(uuid.UUID(int=self._world.random.getrandbits(128), version=4)))
        self._apply(dc, key, after, now)
        self._world.record("configuration", f"directory:{key}", before, after)
        for other in self.controllers:
            if other != dc:
                self._world.later(self.lag_s, self._arrival(other, key, after, now))

    def seed(self, key: str, attributes: Mapping[str, Any]) -> None:
        """Put an object on every controller without a transition: the estate as it was delivered."""
        then = self._world.now().replace(microsecond=0) - timedelta(days=90)
        row = {"WhenChangedUTC": then, "WhenCreatedUTC": then, "Guid": str(uuid.uuid5(uuid.NAMESPACE_URL, key))}
        for dc in self.controllers:
            self._stores[dc][key] = {**row, **attributes}

    def unseed(self, key: str) -> None:
        """Take an object away from every controller without a transition: the estate was delivered without it."""
        for dc in self.controllers:
            self._stores[dc].pop(_spelled(self._stores[dc], key), None)

    def _arrival(self, dc: str, key: str, after: Attributes | None, written: datetime) -> Callable[[], None]:
        def arrive() -> None:
            if not self.replicating:
                self._world.later(max(self.lag_s, 1.0), arrive)
                return
            before = self._stores[dc].get(key)
            if self._written.get((dc, key), written) > written:
                return  # a later write of the same object was made there: it wins
            now = self._world.now().replace(microsecond=0)
            arrived = None if after is None else {**after, "WhenChangedUTC": now}
            self._apply(dc, key, arrived, written)
            self._world.record("configuration", f"directory@{dc}:{key}", before, arrived)

        return arrive

    def _apply(self, dc: str, key: str, after: Attributes | None, written: datetime) -> None:
        self._written[dc, key] = written
        if after is None:
            self._stores[dc].pop(key, None)
        else:
            self._stores[dc][key] = dict(after)


def _spelled(store: Mapping[str, Attributes], key: str) -> str:
    """The key as the store spells it."""
    if key in store:
        return key
    low = key.lower()
    return next((held for held in store if held.lower() == low), key)
