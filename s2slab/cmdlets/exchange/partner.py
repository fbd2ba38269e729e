"""Exchange's partner applications: made from a metadata document, refreshed from it, removed.

refused                                                          because
---------------------------------------------------------------  -----------------------------------------------
-AuthMetadataUrl without `metadata/json/1`                       no such document there
the document has no realm                                        an application without auth server needs one
another application with the same identifier and realm           a duplicate                 (wording UNCONFIRMED)
-RefreshAuthMetadata when identifier, realm or issuer differ     it is another application   (wording UNCONFIRMED)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from s2slab.cmdlets.exchange.common import (
    CONFIGURATION,
    TASKS,
    Refused,
    identity,
    missing,
    named,
    selected,
    stamps,
)
from s2slab.cmdlets.exchange.tasks import given, task
from s2slab.cmdlets.shared.base import changing, flag, place, reading, text
from s2slab.cmdlets.shared.metadata import Document, MetadataFailure, fetch
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object

PARTNER_TYPE = CONFIGURATION + "PartnerApplication"
METADATA_PATH = "metadata/json/1"
ACCOUNT_TYPES = ("OrganizationalAccount", "ConsumerAccount")
_COMMON = (
    Parameter("AcceptSecurityIdentifierInformation", "bool"),
    Parameter("Enabled", "bool"),
    Parameter("LinkedAccount", "string"),
    Parameter("AccountType", "string", values=ACCOUNT_TYPES),
    Parameter("AppOnlyPermissions", "string[]"),
    Parameter("ActAsPermissions", "string[]"),
    Parameter("IssuerIdentifier", "string"),
)
_URL, _ACS, _REFRESH = ("AuthMetadataUrl",), ("ACSTrustApplication",), ("RefreshAuthMetadata",)


def specs() -> list[CmdletSpec]:
    """Get-, New-, Set- and Remove-PartnerApplication."""
    return [
        task("Get-PartnerApplication", _get, (identity(),)),
        task(
            "New-PartnerApplication",
            _new,
            (
                Parameter("Name", "string", mandatory=True, position=0, not_empty=True),
                Parameter("AuthMetadataUrl", "string", mandatory=True, sets=_URL, not_empty=True),
                Parameter("TrustAnySSLCertificate", "switch", sets=_URL),
                Parameter("ApplicationIdentifier", "string", mandatory=True, sets=_ACS, not_empty=True),
                Parameter("Realm", "string", sets=_ACS),
                *_COMMON,
            ),
            default_set="AuthMetadataUrl",
            writes=True,
        ),
        task(
            "Set-PartnerApplication",
            _set,
            (
                identity(mandatory=True),
                Parameter("AuthMetadataUrl", "string", sets=_URL),
                Parameter("TrustAnySSLCertificate", "switch", sets=(*_URL, *_REFRESH)),
                Parameter("RefreshAuthMetadata", "switch", sets=_REFRESH),
                Parameter("ApplicationIdentifier", "string", sets=_ACS),
                Parameter("Realm", "string", sets=_ACS),
                Parameter("Name", "string"),
                *_COMMON,
            ),
            default_set="AuthMetadataUrl",
            writes=True,
        ),
        task("Remove-PartnerApplication", _remove, (identity(mandatory=True),), writes=True),
    ]


def _get(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        rows = selected(call, at.estate.directory.list("PartnerApplication", dc=dc), dc)
    return (shown(row) for row in rows)


def shown(row: Mapping[str, Any]) -> PsObject:
    """An application as the cmdlets print it."""
    name = row["Name"]
    return ps_object(
        PARTNER_TYPE,
        {
            "Enabled": row["Enabled"],
            "ApplicationIdentifier": row["ApplicationIdentifier"],
            "CertificateStrings": list(row["CertificateStrings"]),
            "AuthMetadataUrl": row["AuthMetadataUrl"],
            "Realm": row["Realm"],
            "UseAuthServer": row["UseAuthServer"],
            "AcceptSecurityIdentifierInformation": row["AcceptSecurityIdentifierInformation"],
            "LinkedAccount": row["LinkedAccount"],
            "IssuerIdentifier": row["IssuerIdentifier"],
            "AccountType": row["AccountType"],
            "AppOnlyPermissions": list(row["AppOnlyPermissions"]),
            "ActAsPermissions": list(row["ActAsPermissions"]),
            "AdminDisplayName": "",
            "ExchangeVersion": "0.20 (15.0.0.0)",
            "Name": name,
            "DistinguishedName": f"CN={name},CN=Partner Applications,CN=Auth Configuration,CN=Litware,"
            "CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=litwareinc,DC=com",
            "Identity": name,
            "ObjectCategory": "litwareinc.com/Configuration/Schema/ms-Exch-Auth-Partner-Application",
            **stamps(dict(row)),
        },
    )


def application(name: str, **values: Any) -> dict[str, Any]:
    """A partner application's attributes: the defaults, and what is given."""
    return {
        "Name": name,
        "Enabled": True,
        "ApplicationIdentifier": "",
        "CertificateStrings": (),
        "AuthMetadataUrl": "",
        "Realm": "",
        "UseAuthServer": False,
        "AcceptSecurityIdentifierInformation": False,
        "LinkedAccount": "",
        "IssuerIdentifier": "",
        "AccountType": "OrganizationalAccount",
        "AppOnlyPermissions": (),
        "ActAsPermissions": (),
        **values,
    }


def _new(call: Call, dc: str) -> Iterator[PsObject]:
    name = text(call.parameters["Name"])
    row = application(name, **_plain(call, dc))
    if "AuthMetadataUrl" in call.parameters:
        url = text(call.parameters["AuthMetadataUrl"])
        row |= _described(url, _document(call, url))
    else:
        row |= given(call, ("ApplicationIdentifier", "Realm")) | {"UseAuthServer": True}
    with reading(call) as at:
        _refuse_duplicate(at.estate.directory.list("PartnerApplication", dc=dc), row)
    if not call.should_process(name):
        return iter(())
    with changing(call) as at:
        at.estate.directory.write(f"PartnerApplication/{name}", row, dc=dc)
        made = at.estate.directory.read(f"PartnerApplication/{name}", dc=dc)
    return iter([shown(made or row)])


def _plain(call: Call, dc: str) -> dict[str, Any]:
    """The settings that do not come from a document."""
    values = given(call, (parameter.name for parameter in _COMMON))
    for name in ("AppOnlyPermissions", "ActAsPermissions"):
        if name in values:
            values[name] = tuple(values[name] or ())
    if "LinkedAccount" in values:
        values["LinkedAccount"] = _linked(call, text(values["LinkedAccount"]), dc)
    return values


def _linked(call: Call, account: str, dc: str) -> str:
    """The canonical name of the linked account; '' for none. Raises Refused when it does not exist on this controller."""
    if not account:
        return ""
    with reading(call) as at:
        found = named(at.estate.directory.list("Recipient", dc=dc), account)
        domain = at.estate.domain
    if found is None:
        raise missing(account, dc)
    return f"{domain}/Users/{found['Name']}"


def _document(call: Call, url: str) -> Document:
    if METADATA_PATH not in url.lower():
        raise Refused(f"The metadata document URL '{url}' isn't valid.", TASKS + "AuthMetadataParserException")
    if url.lower().startswith("http://"):
        call.warning(f"The metadata URL '{url}' does not use SSL.")
    server = place(call).server
    try:
        return fetch(call, url) if not flag(call, "TrustAnySSLCertificate") else _any_certificate(call, url)
    except MetadataFailure as failure:
        # the wording is UNCONFIRMED
        raise Refused(
            f"Unable to access the metadata document at '{url}' from {server.fqdn}. Error: {failure}",
            TASKS + "AuthMetadataClientException",
            "ResourceUnavailable",
        ) from None


def _any_certificate(call: Call, url: str) -> Document:
    """The document whoever signed the site's certificate: the lab has one authority only."""
    at = place(call)
    trusting = replace(at.server, trusted_roots=(at.estate.authority.certificate_pem,))
    return fetch(call, url, from_server=trusting)


def _described(url: str, document: Document) -> dict[str, Any]:
    if not document.realm:
        raise Refused("A partner application that uses no authorization server needs a realm.", TASKS + "TaskException")
    return {
        "AuthMetadataUrl": url,
        "ApplicationIdentifier": document.application,
        "Realm": document.realm,
        "CertificateStrings": document.certificates,
        "UseAuthServer": False,
    }


def _refuse_duplicate(rows: list[dict[str, Any]], row: Mapping[str, Any]) -> None:
    for held in rows:
        same = all(str(held[key]).lower() == str(row[key]).lower() for key in ("ApplicationIdentifier", "Realm"))
        if same or held["Name"].lower() == str(row["Name"]).lower():
            raise Refused(
                f"A partner application with the same application identifier '{row['ApplicationIdentifier']}' and realm "
                f"'{row['Realm']}' already exists: {held['Name']}.",
                "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException",
                "ResourceExists",
            )


def _set(call: Call, dc: str) -> None:
    with reading(call) as at:
        before = selected(call, at.estate.directory.list("PartnerApplication", dc=dc), dc)[0]
    row = {**before, **_plain(call, dc), **given(call, ("Name", "ApplicationIdentifier", "Realm"))}
    if flag(call, "RefreshAuthMetadata"):
        row |= _refreshed(call, before)
    elif "AuthMetadataUrl" in call.parameters:
        url = text(call.parameters["AuthMetadataUrl"])
        row |= _described(url, _document(call, url))
    if not call.should_process(before["Name"]):
        return
    with changing(call) as at:
        if row["Name"] != before["Name"]:
            at.estate.directory.write(f"PartnerApplication/{before['Name']}", None, dc=dc)
        at.estate.directory.write(f"PartnerApplication/{row['Name']}", row, dc=dc)


def _refreshed(call: Call, before: Mapping[str, Any]) -> dict[str, Any]:
    url = text(before["AuthMetadataUrl"])
    if not url:
        raise Refused(f"'{before['Name']}' has no metadata URL to refresh from.", TASKS + "TaskException")
    found = _document(call, url)
    for what, seen, held in (
        ("application identifier", found.application, before["ApplicationIdentifier"]),
        ("realm", found.realm, before["Realm"]),
    ):
        if seen.lower() != str(held).lower():
            raise Refused(
                f"The {what} '{seen}' in the metadata document differs from '{held}' of the partner application.",
                TASKS + "TaskException",
                "InvalidArgument",
            )
    return {"CertificateStrings": found.certificates}


def _remove(call: Call, dc: str) -> None:
    with reading(call) as at:
        row = selected(call, at.estate.directory.list("PartnerApplication", dc=dc), dc)[0]
    if call.should_process(row["Name"]):
        with changing(call) as at:
            at.estate.directory.write(f"PartnerApplication/{row['Name']}", None, dc=dc)
