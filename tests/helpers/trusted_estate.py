"""Facts of a deployment whose trust is complete, for tests that break one of them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from helpers.paths import PARAMS
from s2slib.deployment import Deployment, from_parameters
from s2slib.facts import Fact, Facts, Known, on
from s2slib.products import exchange, lync
from s2slib.products.windows import document_of
from s2slib.runbook.reading.derive import derive
from s2slib.runbook.reading.scope import Scope
from s2slib.trust.certificate import from_der

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FE1, FE2 = "atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"
EX1, EX2 = "atl-exchange-001.litwareinc.com", "atl-exchange-002.litwareinc.com"
DC1, DC2 = "atl-dc-001.litwareinc.com", "atl-dc-002.litwareinc.com"
CHANGED = "2026-11-23T10:00:00.000000Z"
STARTED = "2026-11-23T11:00:00.000000Z"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def der(common_name: str, *, days_left: int = 700) -> bytes:
    """A self-signed certificate, valid at NOW for `days_left` days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    end = NOW + timedelta(days=days_left)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_key().public_key())
    builder = builder.serial_number(abs(hash(common_name)) % 2**60 + 1)
    builder = builder.not_valid_before(min(NOW, end) - timedelta(days=100)).not_valid_after(end)
    made = builder.sign(_key(), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


CSP_KEY = {
    "provider": "Microsoft Enhanced RSA and AES Cryptographic Provider",
    "exportable": True,
    "present": True,
}


def thumbprint(data: bytes) -> str:
    """The Windows thumbprint."""
    return from_der(data).thumbprint


def document(application_id: str, realm: str, url: str, *keys: bytes) -> dict[str, Any]:
    """The metadata fact of a document with these signing keys."""
    body = {
        "serviceName": application_id,
        "realm": realm,
        "issuer": f"{application_id}@{realm}",
        "keys": [
            {"usage": "signing", "keyvalue": {"type": "x509Certificate", "value": base64.b64encode(key).decode()}}
            for key in keys
        ],
    }
    return document_of(json.dumps(body).encode(), url).model_dump()


LYNC_KEY, EXCHANGE_KEY = der("litwareinc.com"), der("Microsoft Exchange Server Auth Certificate")
LYNC_URL = "https://atl-cs-001.litwareinc.com/metadata/json/1"
EXCHANGE_URL = "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
SVC_URL = "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc"


def lync_entry() -> dict[str, Any]:
    """Exchange's partner application for Lync, complete."""
    return {
        "name": "LyncEnterprise-0f",
        "identity": "LyncEnterprise-0f",
        "enabled": True,
        "application_identifier": lync.LYNC_APPLICATION_ID,
        "certificate_strings": [base64.b64encode(LYNC_KEY).decode()],
        "auth_metadata_url": LYNC_URL,
        "realm": "litwareinc.com",
        "use_auth_server": False,
        "accept_security_identifier_information": True,
        "linked_account": "litwareinc.com/Users/LyncEnterprise-ApplicationAccount",
        "when_changed_utc": CHANGED,
    }


def exchange_entry() -> dict[str, Any]:
    """Lync's partner application for Exchange, complete."""
    return {
        "identity": "Exchange",
        "trusted_source": f"Value={EXCHANGE_URL}",
        "metadata_url": EXCHANGE_URL,
        "application_identifier": exchange.EXCHANGE_APPLICATION_ID,
        "realm": "litwareinc.com",
        "trust_level": "Full",
        "accept_security_identifier_information": False,
        "enabled": True,
    }


@cache
def _lab() -> Deployment:
    return from_parameters({"deployment": "lab"}, PARAMS)


def scope(**sections: Any) -> Scope:
    """The lab's deployment; sections given replace the file's keys one by one."""
    base = _lab()
    if not sections:
        return Scope(base)
    data = base.parameters()
    for name, changes in sections.items():
        section = data[name]
        data[name] = {**section, **changes} if isinstance(section, dict) else changes
    return Scope(from_parameters(data, PARAMS))


def certificate_row(data: bytes) -> dict[str, Any]:
    """What Get-CsCertificate says."""
    return {
        "thumbprint": thumbprint(data),
        "subject": "CN=litwareinc.com",
        "issuer": "CN=litwareinc.com",
        "not_before": "2026-08-15T12:00:00.000000Z",
        "not_after": "2028-10-23T12:00:00.000000Z",
        "previous_thumbprint": "",
        "alternative_names": [],
    }


def facts(scope_: Scope | None = None) -> Facts:
    """Every fact of the trusted estate."""
    own, peer = (
        document(lync.LYNC_APPLICATION_ID, "litwareinc.com", LYNC_URL, LYNC_KEY),
        document(exchange.EXCHANGE_APPLICATION_ID, "litwareinc.com", EXCHANGE_URL, EXCHANGE_KEY),
    )
    found: dict[str, Any] = {
        lync.OAUTH_CERTIFICATE: certificate_row(LYNC_KEY),
        lync.DEFAULT_CERTIFICATE: certificate_row(LYNC_KEY),
        lync.OAUTH_CONFIGURATION: {
            "realm": "",
            "service_name": lync.LYNC_APPLICATION_ID,
            "exchange_autodiscover_url": SVC_URL,
            "exchange_autodiscover_allowed_domains": "",
        },
        lync.PARTNER_APPLICATIONS: [exchange_entry()],
        lync.POOLS: [{"fqdn": "atl-cs-001.litwareinc.com", "computers": [FE1, FE2], "services": []}],
        lync.SIP_DOMAINS: [{"name": "litwareinc.com", "is_default": True}],
        lync.USER_POLICIES: [{"identity": "Global", "ucs_allowed": False}],
        on(FE1, "machine_certificates"): [
            {"thumbprint": thumbprint(LYNC_KEY), "has_private_key": True, "der": base64.b64encode(LYNC_KEY).decode()}
        ],
        on(FE1, "private_keys"): {thumbprint(LYNC_KEY): CSP_KEY},
        exchange.SERVERS: [
            {
                "name": name.split(".")[0],
                "fqdn": name,
                "is_mailbox": name == EX1,
                "is_client_access": name == EX2,
                "is_edge": False,
                "version": "Version 15.0 (Build 1497.2)",
                "domain_controller": controller,
            }
            for name, controller in ((EX1, DC1), (EX2, DC2))
        ],
        exchange.AUTH_CONFIG: {
            "current": thumbprint(EXCHANGE_KEY),
            "previous": "",
            "next": "",
            "next_effective": "",
            "realm": "",
            "service_name": exchange.EXCHANGE_APPLICATION_ID,
        },
        exchange.ACCEPTED_DOMAINS: [{"name": "litwareinc.com", "domain_name": "litwareinc.com", "default": True}],
        exchange.PARTNER_APPLICATIONS: [lync_entry()],
        exchange.APPLICATION_USER: {"name": exchange.APPLICATION_ACCOUNT, "kind": "MailUser"},
        exchange.MAIL_USER: {"name": exchange.APPLICATION_ACCOUNT, "recipient_type": "MailUser", "hidden": True},
        exchange.ROLE_ASSIGNMENTS: sorted(exchange.ROLES),
        "exchange/client_access": [
            {
                "name": "atl-exchange-002",
                "fqdn": EX2,
                "scp": "https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml",
            }
        ],
        exchange.mailbox_key("kenmyer@litwareinc.com"): {
            "address": "kenmyer@litwareinc.com",
            "server": "atl-exchange-001",
        },
    }
    for server in (FE1, FE2):
        found |= {
            on(server, "clock"): {"utc": "2026-11-23T12:00:00.000000Z", "offset_s": 0},
            on(server, "groups"): ["RTCUniversalServerAdmins", "RTC Local User Administrators"],
            on(server, "version"): "Lync Server 2013 (5.0.8308.0): Volume license key installed.",
            on(server, "oauth_certificate"): certificate_row(LYNC_KEY),
            on(server, "replica_oauth_configuration"): found[lync.OAUTH_CONFIGURATION],
            on(server, "replica_partner_applications"): [exchange_entry()],
            on(server, "peer_metadata"): peer,
            on(server, "lync_metadata"): own,
        }
    for server in (EX1, EX2):
        found |= {
            on(server, "clock"): {"utc": "2026-11-23T12:00:00.000000Z", "offset_s": 1},
            on(server, "groups"): ["Organization Management"],
            on(server, "iis_services"): {"W3SVC": "Running", "WAS": "Running"},
            on(server, "workers"): [{"pool": "MSExchangeServicesAppPool", "started": STARTED}],
            on(server, "peer_metadata"): own,
            on(server, "exchange_certificates"): [
                {"thumbprint": thumbprint(EXCHANGE_KEY), "der": base64.b64encode(EXCHANGE_KEY).decode()}
            ],
            on(server, "machine_certificates"): [
                {
                    "thumbprint": thumbprint(EXCHANGE_KEY),
                    "has_private_key": True,
                    "der": base64.b64encode(EXCHANGE_KEY).decode(),
                }
            ],
            on(server, "private_keys"): {thumbprint(EXCHANGE_KEY): CSP_KEY},
            on(server, "components"): {"ServerWideOffline": "Active"},
            on(server, "dc_partner_applications"): [lync_entry()],
            on(server, "health_ews"): 200,
            on(server, "health_autodiscover"): 200,
            on(server, "health_owa"): 200,
            on(server, "health_back_end"): 200,
        }
    snapshot = Facts({key: Known(value) for key, value in found.items()})
    return derive(scope_ or scope(), snapshot)


def with_facts(changes: dict[str, Fact | Any], scope_: Scope | None = None) -> Facts:
    """The trusted estate with some facts replaced (plain values become Known), derived anew."""
    snapshot = facts(scope_)
    wrapped = {key: value if isinstance(value, Fact) else Known(value) for key, value in changes.items()}
    return derive(scope_ or scope(), snapshot.updated(wrapped))
