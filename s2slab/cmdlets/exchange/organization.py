"""Exchange's organisation: servers, auth configuration, certificates, accepted domains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from s2slab.cmdlets.exchange.common import (
    CONFIGURATION,
    MANAGEMENT,
    TASKS,
    Refused,
    identity,
    selected,
    stamps,
)
from s2slab.cmdlets.exchange.tasks import given, task
from s2slab.cmdlets.shared.base import changing, flag, reading, text, utc
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate.estate import Estate, Server

AUTH_CONFIG = "AuthConfig/Auth Configuration"
CERTIFICATE_TYPE = "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate"
SHORTEST_NOTICE = timedelta(hours=48)


def specs() -> list[CmdletSpec]:
    """Organisation-wide reads, and Set-AuthConfig."""
    roll, publish, at_once, realm = ("NewCertificate",), ("Publish",), ("CurrentCertificate",), ("AuthConfigRealm",)
    return [
        task("Get-ExchangeServer", _servers, (identity(), Parameter("Status", "switch"))),
        task("Get-AuthConfig", _get_auth_config),
        task(
            "Set-AuthConfig",
            _set_auth_config,
            (
                Parameter("CertificateThumbprint", "string", mandatory=True, sets=at_once),
                Parameter("NewCertificateThumbprint", "string", mandatory=True, sets=roll),
                Parameter("NewCertificateEffectiveDate", "datetime", sets=roll),
                Parameter("SkipImmediateCertificateDeployment", "switch", sets=roll),
                Parameter("PublishCertificate", "switch", sets=publish),
                Parameter("ClearPreviousCertificate", "switch", sets=publish),
                Parameter("Realm", "string", sets=realm),
                Parameter("ServiceName", "string", sets=realm),
                Parameter("Force", "switch"),
            ),
            default_set="AuthConfigRealm",
            writes=True,
        ),
        task(
            "Get-ExchangeCertificate",
            _certificates,
            (Parameter("Thumbprint", "string", position=0), Parameter("Server", "string")),
        ),
        task("Get-AcceptedDomain", _accepted_domains, (identity(),)),
    ]


def _servers(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        rows = _exchange_servers(call, at.estate, dc)
        controllers = {s.fqdn: s.domain_controller for s in at.estate.exchange_servers()}
        domain = at.estate.domain
    for row in rows:
        current = [controllers[row["Fqdn"]]] if flag(call, "Status") else []
        yield ps_object(
            MANAGEMENT + "ExchangeServer",
            {
                "Name": row["Name"],
                "Fqdn": row["Fqdn"],
                "Domain": domain,
                "Edition": "Enterprise",
                "ServerRole": row["ServerRole"],
                "IsMailboxServer": row["IsMailboxServer"],
                "IsClientAccessServer": row["IsClientAccessServer"],
                "IsHubTransportServer": row["IsMailboxServer"],
                "IsEdgeServer": False,
                "IsE15OrLater": True,
                "AdminDisplayVersion": row["AdminDisplayVersion"],
                "Site": f"{domain}/Configuration/Sites/{row['Site']}",
                "InternetWebProxy": None,
                "CurrentDomainControllers": current,
                "CurrentGlobalCatalogs": current,
                "Identity": row["Name"],
                **stamps(row),
            },
        )


def _exchange_servers(call: Call, estate: Estate, dc: str) -> list[dict[str, Any]]:
    rows = estate.directory.list("ExchangeServer", dc=dc)
    wanted = text(call.parameters.get("Identity")).lower()
    by_fqdn = [row for row in rows if wanted == str(row["Fqdn"]).lower()]
    return by_fqdn or selected(call, rows, dc)


def _get_auth_config(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        row = at.estate.directory.read(AUTH_CONFIG, dc=dc)
    if row is None:
        return
    yield ps_object(
        CONFIGURATION + "AuthConfig",
        {
            "CurrentCertificateThumbprint": row["CurrentCertificateThumbprint"],
            "PreviousCertificateThumbprint": row["PreviousCertificateThumbprint"],
            "NextCertificateThumbprint": row["NextCertificateThumbprint"],
            "NextCertificateEffectiveDate": row["NextCertificateEffectiveDate"],
            "ServiceName": row["ServiceName"],
            "Realm": row["Realm"],
            "DeploymentId": "",
            "IssuerIdentifier": "",
            "Name": row["Name"],
            "Identity": row["Name"],
            **stamps(row),
        },
    )


def _set_auth_config(call: Call, dc: str) -> None:
    if not call.should_process("Auth Configuration"):
        return
    with changing(call) as at:
        estate, now = at.estate, at.now
        row = estate.directory.read(AUTH_CONFIG, dc=dc) or {}
        current = row["CurrentCertificateThumbprint"]
        if "CertificateThumbprint" in call.parameters:
            thumbprint = _known(estate, at.server, text(call.parameters["CertificateThumbprint"]))
            row |= {"CurrentCertificateThumbprint": thumbprint, "PreviousCertificateThumbprint": current}
            _distribute(estate, thumbprint)
        elif "NewCertificateThumbprint" in call.parameters:
            row |= _staged(call, estate, at.server, now)
        elif flag(call, "PublishCertificate"):
            row |= _promoted(row, now)
        elif flag(call, "ClearPreviousCertificate"):
            row["PreviousCertificateThumbprint"] = ""
        else:
            row |= {name: text(value) for name, value in given(call, ("Realm", "ServiceName")).items()}
        estate.directory.write(AUTH_CONFIG, row, dc=dc)
        if "NewCertificateThumbprint" in call.parameters:
            _schedule(estate, dc, row["NextCertificateEffectiveDate"] - now)


def _staged(call: Call, estate: Estate, server: Server, now: datetime) -> dict[str, Any]:
    thumbprint = _known(estate, server, text(call.parameters["NewCertificateThumbprint"]))
    effective = utc(call.parameters["NewCertificateEffectiveDate"]) if _dated(call) else now + SHORTEST_NOTICE
    if effective < now + SHORTEST_NOTICE:
        # the wording is UNCONFIRMED
        call.warning(
            "The new certificate's effective date is less than 48 hours ahead: servers and partners may not have the "
            "certificate by then."
        )
    if not flag(call, "SkipImmediateCertificateDeployment"):
        _distribute(estate, thumbprint)
    return {"NextCertificateThumbprint": thumbprint, "NextCertificateEffectiveDate": effective}


def _dated(call: Call) -> bool:
    return call.parameters.get("NewCertificateEffectiveDate") is not None


def _promoted(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Next becomes current, current becomes previous."""
    effective = row["NextCertificateEffectiveDate"]
    if not row["NextCertificateThumbprint"] or effective is None or effective > now:
        raise Refused("There is no new certificate in effect to publish.", TASKS + "TaskException", "InvalidOperation")
    return {
        "CurrentCertificateThumbprint": row["NextCertificateThumbprint"],
        "PreviousCertificateThumbprint": row["CurrentCertificateThumbprint"],
        "NextCertificateThumbprint": "",
        "NextCertificateEffectiveDate": None,
    }


def _schedule(estate: Estate, dc: str, ahead: timedelta) -> None:
    """The AuthAdmin servicelet promotes the next certificate when its time has come."""

    def promote() -> None:
        row = estate.directory.read(AUTH_CONFIG, dc=dc) or {}
        effective = row.get("NextCertificateEffectiveDate")
        if effective is not None and effective <= estate.now():
            estate.directory.write(AUTH_CONFIG, {**row, **_promoted(row, estate.now())}, dc=dc)

    estate.later(max(0.0, ahead.total_seconds()) + 1.0, promote)


def _known(estate: Estate, server: Server, thumbprint: str) -> str:
    """The thumbprint as the store spells it. Raises Refused when this server has no such certificate with a key."""
    found = thumbprint.replace(" ", "").upper()
    pair = server.certificates.get(found)
    if pair is None:
        raise Refused(
            f"The certificate with thumbprint {found} was not found.", TASKS + "TaskException", "InvalidArgument"
        )
    estate.key_pairs[found] = pair
    return found


def _distribute(estate: Estate, thumbprint: str) -> None:
    """Exchange copies its auth certificate to every server of the organisation."""
    pair = estate.key_pairs[thumbprint]
    for server in estate.exchange_servers():
        if thumbprint not in server.certificates and server.reachable:
            server.certificates[thumbprint] = pair
            with estate.reacting():
                estate.record("configuration", f"certificate@{server.fqdn}:{thumbprint}", None, pair.subject)


def _certificates(call: Call, dc: str) -> Iterator[PsObject]:
    """Over remote PowerShell only RawData survives: every other property of the class is lost in serialisation."""
    wanted = text(call.parameters.get("Thumbprint")).replace(" ", "").upper()
    with reading(call) as at:
        server = _reachable(at.estate, text(call.parameters.get("Server")) or at.server.fqdn)
        pairs = [pair for pair in server.certificates.values() if wanted in ("", pair.thumbprint)]
    if wanted and not pairs:
        raise Refused(
            f"The certificate with thumbprint {wanted} was not found.",
            "System.InvalidOperationException",
            "InvalidOperation",
        )
    for pair in pairs:
        shown = ps_object(CERTIFICATE_TYPE, RawData=pair.der)
        parts = {"Subject": pair.subject, "Issuer": pair.issuer, "Thumbprint": pair.thumbprint}
        shown.text = "\r\n".join(f"[{name}]\r\n  {value}\r\n" for name, value in parts.items())
        yield shown


def _reachable(estate: Estate, name: str) -> Server:
    try:
        server = estate.server(name)
    except KeyError:
        server = None
    if server is None or not server.is_exchange:
        raise Refused(
            f"The operation couldn't be performed because object '{name}' couldn't be found.",
            TASKS + "ManagementObjectNotFoundException",
            "NotSpecified",
        )
    if not server.reachable or server.services.get("MSExchangeServiceHost") != "Running":
        raise Refused(
            f"The Exchange Certificate operation has failed with an exception on server {server.name.upper()}. The error "
            "message is: The RPC server is unavailable.",
            "System.InvalidOperationException",
            "ResourceUnavailable",
        )
    return server


def _accepted_domains(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        rows = selected(call, at.estate.directory.list("AcceptedDomain", dc=dc), dc)
    for row in rows:
        yield ps_object(
            CONFIGURATION + "AcceptedDomain",
            {
                "DomainName": row["DomainName"],
                "DomainType": row["DomainType"],
                "Default": row["Default"],
                "Name": row["Name"],
                "Identity": row["Name"],
                **stamps(row),
            },
        )
