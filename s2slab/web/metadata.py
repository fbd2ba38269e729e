"""The authentication metadata documents that Lync and Exchange publish about themselves."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, Estate, Server, WorkerProcess
from s2slab.estate.pki import KeyPair
from s2slab.web.oauth import x5t

LYNC_PATH = "/metadata/json/1"
EXCHANGE_PATH = "/autodiscover/metadata/json/1"
REBUILT_AFTER = timedelta(hours=12)


def lync_document(estate: Estate, front_end: Server, url: str) -> bytes | None:
    """What a front end publishes by its own replica: the key it signs with, then the previous or staged one.

    None while no OAuthTokenIssuer certificate has arrived there. No real document was ever seen: the shape follows
    Exchange's and is UNCONFIRMED, its realm and issuer included.
    """
    signing = estate.signing_key(front_end)
    if signing is None:
        return None
    item = estate.cms.read("OAuthTokenIssuer", replica=front_end.fqdn) or {}
    named = [front_end.certificates.get(str(item.get(name) or "")) for name in ("Thumbprint", "PreviousThumbprint")]
    keys = {pair.thumbprint: pair for pair in (signing, *named) if pair is not None}
    realm = estate.lync_realm(replica=front_end.fqdn)
    service = str((estate.cms.read("OAuthConfiguration", replica=front_end.fqdn) or {}).get("ServiceName") or LYNC_APP)
    return _document("Lync", service, realm, keys.values(), url, estate.now())


def exchange_realm(estate: Estate, server: Server) -> str:
    """Exchange's realm as `server` sees it: AuthConfig.Realm, else the default accepted domain (without a wildcard)."""
    configured = _auth_config(estate, server).get("Realm")
    domains = estate.directory.list("AcceptedDomain", dc=server.domain_controller)
    default = next((str(row["DomainName"]) for row in domains if row.get("Default")), "")
    return str(configured or default.removeprefix("*."))


def exchange_document(estate: Estate, server: Server, url: str) -> bytes | None:
    """What an Exchange server publishes: the current and the previous key, unless expired; never the next one.

    None when the server has neither certificate.
    """
    config = _auth_config(estate, server)
    now = estate.now()
    names = ("CurrentCertificateThumbprint", "PreviousCertificateThumbprint")
    pairs = [server.certificates.get(str(config.get(name) or "")) for name in names]
    keys = {pair.thumbprint: pair for pair in pairs if pair is not None and pair.not_after > now}
    if not keys:
        return None
    service = str(config.get("ServiceName") or EXCHANGE_APP)
    return _document("Exchange", service, exchange_realm(estate, server), keys.values(), url, now)


class ExchangeMetadata:
    """One Exchange server's documents: built per requested URL, kept for twelve hours or until the worker is new."""

    def __init__(self, estate: Estate, server: Server) -> None:
        self._estate = estate
        self._server = server
        self._kept: dict[str, tuple[WorkerProcess, datetime, bytes]] = {}
        self._lock = threading.Lock()

    def document(self, url: str, worker: WorkerProcess) -> bytes | None:
        """The document that `worker` serves at `url` now; None when there is no certificate to publish."""
        with self._estate.reading(), self._lock:
            now = self._estate.now()
            kept = self._kept.get(url)
            if kept is not None and kept[0] is worker and now - kept[1] < REBUILT_AFTER:
                return kept[2]
            built = exchange_document(self._estate, self._server, url)
            self._kept = {key: value for key, value in self._kept.items() if key != url and value[0] is worker}
            if built is not None:
                self._kept[url] = (worker, now, built)
            return built


def _auth_config(estate: Estate, server: Server) -> dict[str, Any]:
    return estate.directory.read("AuthConfig/Auth Configuration", dc=server.domain_controller) or {}


def _document(name: str, service: str, realm: str, keys: Iterable[KeyPair], url: str, now: datetime) -> bytes:
    issuer = f"{service}@{realm}"
    document = {
        "id": f"_{uuid.uuid5(uuid.NAMESPACE_URL, f'{url} {now.isoformat()}')}",
        "version": "1.0",
        "name": name,
        "realm": realm,
        "serviceName": service,
        "issuer": issuer,
        "allowedAudiences": [issuer],
        "keys": [
            {
                "usage": "signing",
                "keyinfo": {"x5t": x5t(pair.der)},
                "keyvalue": {"type": "x509Certificate", "value": base64.b64encode(pair.der).decode("ascii")},
            }
            for pair in keys
        ],
        "endpoints": [{"location": url, "protocol": "OAuth2", "usage": "metadata"}],
    }
    return json.dumps(document, separators=(",", ":")).encode("utf-8")
