"""Lync Server and Skype for Business Server: certificate, OAuth configuration, partner applications, replicas, tests.

Every function names its cmdlet and source (domain.md of the project's reference, section 2.1 unless said). Reads of the
Central Management Store run in runspace `lync` (the product's endpoint, or the local one when the logon is delegated);
reads with -LocalStore and everything about certificates run in the server's local runspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2slib.facts import Fact, Known
from s2slib.products.read import Read, field, flag, instant, rows, single, text, texts
from s2slib.remoting.values.command import Cmdlet, Later, Value
from s2slib.remoting.values.reply import Reply

LYNC_APPLICATION_ID = "00000004-0000-0ff1-ce00-000000000000"

OAUTH_CERTIFICATE = "lync/oauth_certificate"
DEFAULT_CERTIFICATE = "lync/default_certificate"
OAUTH_CONFIGURATION = "lync/oauth_configuration"
PARTNER_APPLICATIONS = "lync/partner_applications"
REPLICATION = "lync/replication"
POOLS = "lync/pools"
SIP_DOMAINS = "lync/sip_domains"
USER_POLICIES = "lync/user_services_policies"
MANAGEMENT_STORE = "lync/management_store"

_CERTIFICATE = ("Thumbprint", "Subject", "Issuer", "NotBefore", "NotAfter", "PreviousThumbprint", "AlternativeNames")
_PARTNER = (
    "Identity",
    "AuthToken",
    "Name",
    "ApplicationIdentifier",
    "Realm",
    "ApplicationTrustLevel",
    "AcceptSecurityIdentifierInformation",
    "Enabled",
)


def on(server: str, name: str) -> str:
    """The key of a fact about one server: `server/<fqdn>/<name>`."""
    return f"server/{server}/{name}"


def get_certificate(server: str, use: str, key: str) -> Read:
    """`Get-CsCertificate -Type <use>`: thumbprint, subject, dates; absent when none is assigned.

    Rights: local Administrator; RTCUniversalReadOnlyAdmins. Effect: read. Source: domain.md 1(a), 2.4.
    """

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "thumbprint": text(field(row, "Thumbprint")).upper(),
                "subject": text(field(row, "Subject")),
                "issuer": text(field(row, "Issuer")),
                "not_before": instant(field(row, "NotBefore")),
                "not_after": instant(field(row, "NotAfter")),
                "previous_thumbprint": text(field(row, "PreviousThumbprint")).upper(),
                "alternative_names": texts(field(row, "AlternativeNames")),
            }
            for row in rows(reply)
        ]
        return single(key, found)

    command = Cmdlet("Get-CsCertificate", {"Type": use}, effect="read", runspace="local", properties=_CERTIFICATE)
    return Read(server, command, (key,), parse, rights="RTCUniversalReadOnlyAdmins")


def set_certificate(use: str, thumbprint: str) -> Cmdlet:
    """`Set-CsCertificate -Identity global -Type <use> -Thumbprint <t>`: assigns for the whole deployment.

    Rights: local Administrator on the front end and RTCUniversalServerAdmins. Effect: write (CMS). Inverse: assign the
    previous thumbprint; never unassign OAuthTokenIssuer, Lync services do not start without one. Source: domain.md 1(a).
    """
    parameters = {"Identity": "global", "Type": use, "Thumbprint": thumbprint}
    return Cmdlet("Set-CsCertificate", parameters, effect="write", runspace="local")


def get_oauth_configuration(server: str, key: str = OAUTH_CONFIGURATION, *, local_store: bool = False) -> Read:
    """`Get-CsOAuthConfiguration [-LocalStore]`: realm, service name, ExchangeAutodiscoverUrl, allowed domains.

    Rights: RTCUniversalReadOnlyAdmins. Effect: read. Source: domain.md 2.4 (full property list UNCONFIRMED).
    """

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "realm": text(field(row, "Realm")),
                "service_name": text(field(row, "ServiceName")),
                "exchange_autodiscover_url": text(field(row, "ExchangeAutodiscoverUrl")),
                "exchange_autodiscover_allowed_domains": text(field(row, "ExchangeAutodiscoverAllowedDomains")),
            }
            for row in rows(reply)
        ]
        return single(key, found)

    names = ("Identity", "Realm", "ServiceName", "ExchangeAutodiscoverUrl", "ExchangeAutodiscoverAllowedDomains")
    command = Cmdlet("Get-CsOAuthConfiguration", _store(local_store), "read", _runspace(local_store), names)
    return Read(server, command, (key,), parse, rights="RTCUniversalReadOnlyAdmins")


def set_oauth_configuration(**values: str | None) -> Cmdlet:
    """`Set-CsOAuthConfiguration -Identity global -<Name> <value>`.

    Rights: RTCUniversalServerAdmins locally, CsAdministrator remotely. Effect: write. Inverse: the old value, $null when
    it was empty. Source: domain.md 1(a) Autodiscover.
    """
    return Cmdlet("Set-CsOAuthConfiguration", {"Identity": "global", **values}, effect="write", runspace="lync")


def get_partner_applications(server: str, key: str = PARTNER_APPLICATIONS, *, local_store: bool = False) -> Read:
    """`Get-CsPartnerApplication [-LocalStore]`: all entries, whoever made them. Source: domain.md 1(d)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known([_partner_application(row) for row in rows(reply)])}

    command = Cmdlet("Get-CsPartnerApplication", _store(local_store), "read", _runspace(local_store), _PARTNER)
    return Read(server, command, (key,), parse, rights="RTCUniversalReadOnlyAdmins")


def _partner_application(row: Mapping[str, Any]) -> dict[str, Any]:
    token = text(field(row, "AuthToken"))
    return {
        "identity": text(field(row, "Identity")),
        "trusted_source": token,
        "metadata_url": token[len("Value=") :] if token.startswith("Value=") else "",
        "application_identifier": text(field(row, "ApplicationIdentifier")).lower(),
        "realm": text(field(row, "Realm")),
        "trust_level": text(field(row, "ApplicationTrustLevel")),
        "accept_security_identifier_information": flag(field(row, "AcceptSecurityIdentifierInformation")),
        "enabled": flag(field(row, "Enabled")),
    }


def new_partner_application(identity: str, metadata_url: str) -> Cmdlet:
    """`New-CsPartnerApplication -Identity <name> -ApplicationTrustLevel Full -MetadataUrl <url>`.

    The document is fetched from that server while parameters are bound. Rights: RTCUniversalServerAdmins locally,
    CsAdministrator remotely. Effect: write. Inverse: `remove_partner_application`. Source: the article; domain.md 1(d).
    """
    parameters = {"Identity": identity, "ApplicationTrustLevel": "Full", "MetadataUrl": metadata_url}
    return Cmdlet("New-CsPartnerApplication", parameters, effect="write", runspace="lync")


def set_partner_application(identity: str, **values: str | bool) -> Cmdlet:
    """`Set-CsPartnerApplication -Identity <name> -<Name> <value>`: repairs what differs. Inverse: the old value."""
    return Cmdlet("Set-CsPartnerApplication", {"Identity": identity, **values}, effect="write", runspace="lync")


def remove_partner_application(identity: str) -> Cmdlet:
    """`Remove-CsPartnerApplication -Identity <name> -Confirm:$false`. Inverse: New-CsPartnerApplication."""
    parameters: dict[str, Value] = {"Identity": identity, "Confirm": False}
    return Cmdlet("Remove-CsPartnerApplication", parameters, effect="write", runspace="lync")


def get_replication_status(server: str) -> Read:
    """`Get-CsManagementStoreReplicationStatus`: informative only; content with -LocalStore is the proof (O3)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        states = [
            {
                "replica": text(field(row, "ReplicaFqdn")).lower(),
                "up_to_date": flag(field(row, "UpToDate")),
                "last_status_report": instant(field(row, "LastStatusReport")),
            }
            for row in rows(reply)
        ]
        return {REPLICATION: Known(states)}

    names = ("UpToDate", "ReplicaFqdn", "LastStatusReport", "LastUpdateCreation")
    command = Cmdlet("Get-CsManagementStoreReplicationStatus", {}, "read", "lync", names)
    return Read(server, command, (REPLICATION,), parse, rights="RTCUniversalReadOnlyAdmins")


def get_pools(server: str) -> Read:
    """`Get-CsPool`: FQDN, computers and services of every pool, to compare with what was declared (O4)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        pools = [
            {
                "fqdn": text(field(row, "Fqdn")).lower(),
                "computers": [name.lower() for name in texts(field(row, "Computers"))],
                "services": texts(field(row, "Services")),
            }
            for row in rows(reply)
        ]
        return {POOLS: Known(pools)}

    command = Cmdlet("Get-CsPool", {}, "read", "lync", ("Identity", "Fqdn", "Computers", "Services", "Site"))
    return Read(server, command, (POOLS,), parse, rights="RTCUniversalReadOnlyAdmins")


def get_sip_domains(server: str) -> Read:
    """`Get-CsSipDomain`: name and which one is the default (the realm unless set). Source: domain.md 3.5."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        domains = [
            {"name": text(field(row, "Name")).lower(), "is_default": flag(field(row, "IsDefault"))}
            for row in rows(reply)
        ]
        return {SIP_DOMAINS: Known(domains)}

    command = Cmdlet("Get-CsSipDomain", {}, "read", "lync", ("Identity", "Name", "IsDefault"))
    return Read(server, command, (SIP_DOMAINS,), parse, rights="RTCUniversalReadOnlyAdmins")


def get_user_services_policies(server: str) -> Read:
    """`Get-CsUserServicesPolicy`: which policies allow the unified contact store (O1). Source: domain.md 1(f)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        policies = [
            {"identity": text(field(row, "Identity")), "ucs_allowed": flag(field(row, "UcsAllowed"))}
            for row in rows(reply)
        ]
        return {USER_POLICIES: Known(policies)}

    command = Cmdlet("Get-CsUserServicesPolicy", {}, "read", "lync", ("Identity", "UcsAllowed", "MigrationDelayInDays"))
    return Read(server, command, (USER_POLICIES,), parse, rights="RTCUniversalReadOnlyAdmins")


def set_user_services_policy(identity: str, *, ucs_allowed: bool) -> Cmdlet:
    """`Set-CsUserServicesPolicy -Identity <policy> -UcsAllowed $false`: stages the unified contact store.

    Rights: RTCUniversalUserAdmins. Effect: write. Inverse: the old value. Source: domain.md 1(f).
    """
    parameters: dict[str, str | bool] = {"Identity": identity, "UcsAllowed": ucs_allowed}
    return Cmdlet("Set-CsUserServicesPolicy", parameters, effect="write", runspace="lync")


def export_configuration(path: str | Later, *, local_store: bool = False) -> Cmdlet:
    """`Export-CsConfiguration -FileName <path.zip> [-LocalStore]`: the whole configuration as an archive on that front end.

    Not a configuration write: it makes one file, which must not be there yet, in a folder that is. Restrict it at once
    (`windows.restrict_file`): it may hold more than settings. Without -LocalStore the token needs the second hop to the
    store; with it the front end's own replica is exported, which needs none (its content is the proof, O3). Runs in the
    local runspace: that the remote endpoint writes a file is UNCONFIRMED. No -Confirm, no -WhatIf. Rights:
    RTCUniversalServerAdmins, local Administrators. Effect: write. Inverse: none, the file stays. Source: O36.
    """
    parameters: dict[str, Value] = {"FileName": path, **_store(local_store)}
    return Cmdlet("Export-CsConfiguration", parameters, effect="write", runspace="local")


def get_server_version(server: str) -> Read:
    """`Get-CsServerVersion`: the product as it names itself; local only. Source: domain.md 6.1."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        lines = [text(item) for item in reply.output]
        return single(on(server, "version"), lines)

    command = Cmdlet("Get-CsServerVersion", {}, "read", "local")
    return Read(server, command, (on(server, "version"),), parse)


def storage_connectivity_test(sip_uri: str, *, net_tcp_host: str | None = None) -> Cmdlet:
    """`Test-CsExStorageConnectivity -SipUri <uri> -DeleteItem [-Binding NetTCP -HostNameStorageService <fe>] -Verbose`.

    Writes one item into the user's Conversation History and deletes it: a probe. Runs on a front end. Rights: RTC Local
    User Administrators there, or RTCUniversalUserAdmins. Output contains "passed" on success. Source: domain.md 1(e).
    """
    parameters: dict[str, str | bool] = {"SipUri": sip_uri, "DeleteItem": True, "Verbose": True}
    if net_tcp_host is not None:
        parameters |= {"Binding": "NetTCP", "HostNameStorageService": net_tcp_host}
    return Cmdlet("Test-CsExStorageConnectivity", parameters, effect="probe", runspace="local")


def _store(local_store: bool) -> dict[str, bool]:
    return {"LocalStore": True} if local_store else {}


def _runspace(local_store: bool) -> Any:
    return "local" if local_store else "lync"
