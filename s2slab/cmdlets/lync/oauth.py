"""Lync's OAuth configuration and its partner applications, in the Central Management Store or in a replica."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from s2slab.cmdlets.lync.common import (
    FORCE,
    LOCAL_STORE,
    SERVER_ADMINS,
    SETTINGS,
    chosen,
    identity,
    not_found,
    reach_store,
    replica_to_read,
    require,
)
from s2slab.cmdlets.shared.base import changing, enum, reading, text
from s2slab.cmdlets.shared.metadata import Fetched, MetadataFailure, fetch
from s2slab.engine.registry import BindError, Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object

PARTNER_TYPE = SETTINGS + "SSAuth.PartnerApplication#Decorated"
TRUST_LEVELS = ("Full", "Application", "User")
TRUST_LEVEL_TYPE = SETTINGS + "SSAuth.ApplicationTrustLevel"
# literal, from the products' documentation
NO_DOCUMENT = (
    "The metadata document could not be downloaded from the URL in the MetadataUrl parameter or downloaded data is not "
    "a valid metadata document."
)
_CONFIGURED = (
    "Realm",
    "ServiceName",
    "ExchangeAutodiscoverUrl",
    "ExchangeAutodiscoverAllowedDomains",
    "ClientAuthorizationOAuthServerIdentity",
)


def specs() -> list[CmdletSpec]:
    """OAuth configuration and partner application cmdlets, for the local shell and the remote endpoint."""
    return [
        CmdletSpec(
            "Get-CsOAuthConfiguration", _get_configuration, (identity(), Parameter("Filter", "string"), LOCAL_STORE)
        ),
        CmdletSpec(
            "Set-CsOAuthConfiguration",
            _set_configuration,
            (identity(), *(Parameter(name, "string") for name in _CONFIGURED), FORCE),
            should_process=True,
        ),
        CmdletSpec(
            "Get-CsPartnerApplication",
            _get_partners,
            (identity(), Parameter("Filter", "string"), LOCAL_STORE, Parameter("Tenant", "guid")),
        ),
        CmdletSpec(
            "New-CsPartnerApplication",
            _new_partner,
            _partner_parameters(new=True),
            default_set="MetadataUrl",
            should_process=True,
        ),
        CmdletSpec(
            "Set-CsPartnerApplication",
            _set_partner,
            _partner_parameters(new=False),
            default_set="Identity",
            should_process=True,
        ),
        CmdletSpec(
            "Remove-CsPartnerApplication", _remove_partner, (identity(mandatory=True), FORCE), should_process=True
        ),
    ]


def _partner_parameters(*, new: bool) -> tuple[Parameter, ...]:
    metadata, server, data = ("MetadataUrl",), ("UseOAuthServer",), ("CertificateRawData",)
    trust = Parameter("ApplicationTrustLevel", "string", mandatory=new, values=TRUST_LEVELS)
    return (
        Parameter("Identity", "string", mandatory=not new, position=0, from_pipeline_by_property_name=not new),
        trust,
        # an object, so that what binding made of it is what the cmdlet gets
        Parameter("MetadataUrl", "object", mandatory=True, sets=metadata, transform=_download),
        Parameter("UseOAuthServer", "switch", mandatory=True, sets=server),
        Parameter("CertificateRawData", "string", mandatory=True, sets=data),
        Parameter("ApplicationIdentifier", "string", mandatory=True, sets=(*server, *data)),
        Parameter("Realm", "string", sets=(*server, *data)),
        Parameter("AcceptSecurityIdentifierInformation", "bool"),
        Parameter("Enabled", "bool"),
        Parameter("Tenant", "guid"),
        *((Parameter("InMemory", "switch"),) if new else ()),
        FORCE,
    )


def _download(call: Call, value: object) -> Fetched:
    """At binding, so that -WhatIf fetches too (that it does is an inference: UNCONFIRMED)."""
    url = text(value)
    try:
        return Fetched(url, fetch(call, url))
    except MetadataFailure:
        raise BindError(NO_DOCUMENT) from None


def _get_configuration(call: Call) -> Iterator[PsObject]:
    replica = replica_to_read(call)
    with reading(call) as at:
        items = chosen(call, at.estate.cms.list("OAuthConfiguration", replica=replica))
        partners = [row["Name"] for row in at.estate.cms.list("PartnerApplication", replica=replica)]
    # properties beyond these are UNCONFIRMED
    return (
        ps_object(
            SETTINGS + "SSAuth.OAuthSettings",
            Identity=row["Identity"],
            PartnerApplications=partners,
            OAuthServers=[],
            **{name: row.get(name) or "" for name in _CONFIGURED},
        )
        for row in items
    )


def _set_configuration(call: Call) -> None:
    require(call, SERVER_ADMINS)
    reach_store(call)
    wanted = text(call.parameters.get("Identity", "Global"))
    if wanted.lower() != "global":
        not_found(call, wanted)
    if not call.should_process("Global"):
        return
    with changing(call) as at:
        before = at.estate.cms.read("OAuthConfiguration") or {}
        changes = {name: text(call.parameters[name]) for name in _CONFIGURED if name in call.parameters}
        at.estate.cms.write("OAuthConfiguration", {**before, **changes})


def _get_partners(call: Call) -> Iterator[PsObject]:
    replica = replica_to_read(call)
    with reading(call) as at:
        items = chosen(call, at.estate.cms.list("PartnerApplication", replica=replica))
    return (_partner(row) for row in items)


def _partner(row: Mapping[str, Any]) -> PsObject:
    return ps_object(
        PARTNER_TYPE,
        Identity=row["Identity"],
        AuthToken=f"Value={row['MetadataUrl']}" if row["MetadataUrl"] else "",
        Name=row["Name"],
        ApplicationIdentifier=row["ApplicationIdentifier"],
        Realm=row["Realm"],
        ApplicationTrustLevel=enum(TRUST_LEVEL_TYPE, TRUST_LEVELS, str(row["ApplicationTrustLevel"])),
        AcceptSecurityIdentifierInformation=row["AcceptSecurityIdentifierInformation"],
        Enabled=row["Enabled"],
    )


def _new_partner(call: Call) -> Iterator[PsObject]:
    given = call.parameters
    name = text(given.get("Identity")) or text(given.get("ApplicationIdentifier")) or "Application"
    row: dict[str, Any] = {
        "Identity": name,
        "Name": name,
        "MetadataUrl": "",
        "Realm": text(given.get("Realm")),
        "ApplicationIdentifier": text(given.get("ApplicationIdentifier")).lower(),
        "ApplicationTrustLevel": given["ApplicationTrustLevel"],
        "AcceptSecurityIdentifierInformation": bool(given.get("AcceptSecurityIdentifierInformation", False)),
        "Enabled": bool(given.get("Enabled", True)),
        "UseOAuthServer": bool(given.get("UseOAuthServer", False)),
        "CertificateStrings": (given["CertificateRawData"],) if "CertificateRawData" in given else (),
        **_from_document(given),
    }
    if given.get("InMemory"):
        return iter([_partner(row)])
    require(call, SERVER_ADMINS)
    reach_store(call)
    if not call.should_process(name):
        return iter(())
    with changing(call) as at:
        if at.estate.cms.read(f"PartnerApplication/{name}") is not None:
            # the wording is UNCONFIRMED
            call.throw(
                f'An item with identity "{name}" already exists.',
                id="ItemExists",
                category="ResourceExists",
                exception="Microsoft.Rtc.Management.ManagementException",
            )
        at.estate.cms.write(f"PartnerApplication/{name}", row)
    return iter([_partner(row)])


def _from_document(given: Mapping[str, Any]) -> dict[str, Any]:
    url = given.get("MetadataUrl")
    if not isinstance(url, Fetched):
        return {}
    found = url.document
    return {
        "MetadataUrl": str(url),
        "ApplicationIdentifier": found.application,
        "Realm": found.realm,
        "CertificateStrings": found.certificates,
    }


def _set_partner(call: Call) -> None:
    require(call, SERVER_ADMINS)
    reach_store(call)
    name = text(call.parameters["Identity"])
    with reading(call) as at:
        before = at.estate.cms.read(f"PartnerApplication/{name}")
    if before is None:
        not_found(call, name)
    if not call.should_process(name):
        return
    plain = (
        "ApplicationTrustLevel",
        "AcceptSecurityIdentifierInformation",
        "Enabled",
        "Realm",
        "ApplicationIdentifier",
    )
    changes = {key: call.parameters[key] for key in plain if key in call.parameters}
    changes |= _from_document(call.parameters)
    with changing(call) as at:
        at.estate.cms.write(f"PartnerApplication/{name}", {**before, **changes})


def _remove_partner(call: Call) -> None:
    require(call, SERVER_ADMINS)
    reach_store(call)
    name = text(call.parameters["Identity"])
    with reading(call) as at:
        known = at.estate.cms.read(f"PartnerApplication/{name}") is not None
    if not known:
        not_found(call, name)
    if call.should_process(name):
        with changing(call) as at:
            at.estate.cms.write(f"PartnerApplication/{name}", None)
