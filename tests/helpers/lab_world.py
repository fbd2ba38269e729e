"""An estate with its network and web sites, and the steps that make the two products trust each other."""

from __future__ import annotations

import base64

from s2slab.estate import iis
from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, Estate, Server
from s2slab.estate.pki import KeyPair
from s2slab.estate.transitions import Cause
from s2slab.network.network import HttpAnswer, Network, WebFailure
from s2slab.scenario import Scenario, build_estate
from s2slab.web import storage
from s2slab.web.storage import StorageTest
from s2slab.web.web import WebSites

USER = "sip:kenmyer@litwareinc.com"
ACCOUNT = "LyncEnterprise-ApplicationAccount"


class World:
    """One estate behind real sockets, and shortcuts for what an administrator would do to it."""

    def __init__(self, scenario: Scenario) -> None:
        self.estate: Estate = build_estate(scenario=scenario)
        self.network = Network(self.estate)
        self.sites = WebSites(self.estate, self.network)

    def server(self, name: str) -> Server:
        return self.estate.server(name)

    @property
    def signing_pair(self) -> KeyPair:
        pair = self.estate.signing_key(self.estate.front_ends()[0])
        assert pair is not None
        return pair

    def trust_lync(self, **changes: object) -> None:
        """Make Lync a partner application of Exchange, on both domain controllers, without restarting anything."""
        row = {
            "Name": "LyncEnterprise-0123456789abcdef0123456789abcdef",
            "Enabled": True,
            "ApplicationIdentifier": LYNC_APP,
            "CertificateStrings": [base64.b64encode(self.signing_pair.der).decode()],
            "AuthMetadataUrl": "https://atl-cs-001.litwareinc.com/metadata/json/1",
            "Realm": self.estate.lync_realm(),
            "UseAuthServer": False,
            "LinkedAccount": f"litwareinc.com/Users/{ACCOUNT}",
            **changes,
        }
        directory = self.estate.directory
        directory.seed(f"Recipient/{ACCOUNT}", {"Name": ACCOUNT, "RecipientType": "MailUser"})
        for role in ("UserApplication", "ArchiveApplication"):
            directory.seed(f"RoleAssignment/{role}", {"Name": role, "Role": role, "RoleAssigneeName": ACCOUNT})
        directory.seed(f"PartnerApplication/{row['Name']}", row)

    def restart(self, *names: str) -> None:
        """Restart IIS on the named servers."""
        for name in names:
            with self.estate.acting(Cause("command", id="restart")):
                iis.stop(self.estate, self.server(name))
                iis.start(self.estate, self.server(name))

    def trust_exchange(self, **changes: object) -> None:
        """Make Exchange a partner application of Lync and tell Lync where Autodiscover is, in every replica."""
        row = {
            "Identity": "Exchange",
            "ApplicationIdentifier": EXCHANGE_APP,
            "Realm": "litwareinc.com",
            "Enabled": True,
        }
        self.estate.cms.seed("PartnerApplication/Exchange", {**row, **changes})
        self.autodiscover_at("https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc")

    def autodiscover_at(self, url: str) -> None:
        item = self.estate.cms.read("OAuthConfiguration") or {}
        self.estate.cms.seed("OAuthConfiguration", {**item, "ExchangeAutodiscoverUrl": url})

    def configure(self) -> None:
        """Everything that the procedure does, restarts included."""
        self.trust_lync()
        self.restart("atl-exchange-001", "atl-exchange-002")
        self.trust_exchange()

    def storage_test(self, user: str = USER, *, delete_item: bool = True, **options: str) -> StorageTest:
        return storage.test_connectivity(
            self.estate,
            self.network,
            self.server(options.get("front_end", "atl-fe-001")),
            sip_uri=user,
            folder=options.get("folder", "ConversationHistory"),
            delete_item=delete_item,
            binding=options.get("binding", "NetNamedPipe"),
            host=options.get("host"),
        )

    def get(self, url: str, *, of: str = "atl-fe-001", **headers: str) -> HttpAnswer:
        """A GET by the named server; an error status is returned like any other."""
        return self.send("GET", url, of=of, body=b"", **headers)

    def send(self, method: str, url: str, *, of: str = "atl-fe-001", body: bytes = b"", **headers: str) -> HttpAnswer:
        try:
            return self.network.request(self.server(of), method, url, headers=headers, body=body or None)
        except WebFailure as failure:
            if failure.answer is None:
                raise
            return failure.answer
