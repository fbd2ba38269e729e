"""Lync Server and Skype for Business Server: certificate, OAuth configuration, partner applications, replicas, tests.

Every function names its cmdlet and its fact (docs/facts.md) where it rests on one. Reads of the
Central Management Store run in runspace `lync` (the product's endpoint, or the local one when the logon is delegated);
reads with -LocalStore and everything about certificates run in the server's local runspace.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from s2slib.facts import Key, Known, PerServer, Row
from s2slib.products.read import Flag, Instant, Lower, Lowers, Parsed, Question, Read, Text, Upper, parse_instant, text
from s2slib.remoting.values.command import Cmdlet, Later, Runspace, Value
from s2slib.remoting.values.reply import Reply

LYNC_APPLICATION_ID = "00000004-0000-0ff1-ce00-000000000000"
READERS = "RTCUniversalReadOnlyAdmins"


class Certificate(Row):
    """A certificate assigned to a use. A staged one signs from its effective date on; until then its predecessor does."""

    thumbprint: Upper
    previous_thumbprint: Upper
    effective_date: Instant = Field(default="", alias="EffectiveDate")

    def is_staged(self, at: datetime | None) -> bool:
        """Whether another certificate still signs at `at` (aware)."""
        if at is None or not self.effective_date or not self.previous_thumbprint:
            return False
        return parse_instant(self.effective_date) > at

    def signing(self, at: datetime | None) -> str:
        """The thumbprint of the certificate that signs at `at` (aware)."""
        return self.previous_thumbprint if self.is_staged(at) else self.thumbprint


class OAuthConfiguration(Row):
    """What Lync says of itself in tokens, and where it finds Exchange (full property list UNCONFIRMED)."""

    realm: Text
    exchange_autodiscover_url: Text


class PartnerApplication(Row):
    """An entry of Get-CsPartnerApplication. `metadata_url` is empty where it is trusted by another means."""

    identity: Text
    trusted_source: Text = Field(alias="AuthToken")
    metadata_url: Annotated[str, BeforeValidator(lambda token: _metadata_url(text(token)))] = Field(alias="AuthToken")
    application_identifier: Lower
    trust_level: Text = Field(alias="ApplicationTrustLevel")
    enabled: Flag


class Pool(Row):
    """A pool and its computers. `services` are texts such as `UserServer:pool.contoso.com`."""

    fqdn: Lower
    computers: Lowers
    services: Lowers = Field(default_factory=list)

    @property
    def has_users(self) -> bool:
        """Whether users are homed on it."""
        return any(service.startswith(("userserver:", "registrar:")) for service in self.services)


class SipDomain(Row):
    """A SIP domain; the default one is Lync's realm unless that is set."""

    name: Lower
    is_default: Flag


class UserServicesPolicy(Row):
    """A policy that lets users' contact lists migrate, or not."""

    identity: Text
    ucs_allowed: Flag


OAUTH_CERTIFICATE = Key.one("lync/oauth_certificate", Certificate)
DEFAULT_CERTIFICATE = Key.one("lync/default_certificate", Certificate)
OAUTH_CONFIGURATION = Key.one("lync/oauth_configuration", OAuthConfiguration)
PARTNER_APPLICATIONS = Key.many("lync/partner_applications", PartnerApplication)
POOLS = Key.many("lync/pools", Pool)
SIP_DOMAINS = Key.many("lync/sip_domains", SipDomain)
USER_POLICIES = Key.many("lync/user_services_policies", UserServicesPolicy)


def _metadata_url(token: str) -> str:
    return token.removeprefix("Value=") if token.startswith("Value=") else ""


def get_certificate(server: str, use: str, key: Key[Certificate]) -> Read:
    """`Get-CsCertificate -Type <use>`: the certificate assigned; absent when none is.

    Rights: local Administrator; RTCUniversalReadOnlyAdmins. Effect: read. Source: fact F2.
    """
    return Question("Get-CsCertificate", Certificate, "local", READERS).one(server, key, {"Type": use})


def set_certificate(use: str, thumbprint: str) -> Cmdlet:
    """`Set-CsCertificate -Identity global -Type <use> -Thumbprint <t>`: assigns for the whole deployment.

    Rights: local Administrator on the front end and RTCUniversalServerAdmins. Effect: write (CMS). Inverse: assign the
    previous thumbprint; never unassign OAuthTokenIssuer, Lync services do not start without one. Source: fact F2.
    """
    parameters = {"Identity": "global", "Type": use, "Thumbprint": thumbprint}
    return Cmdlet("Set-CsCertificate", parameters, effect="write", runspace="local")


def get_oauth_configuration(
    server: str, key: Key[OAuthConfiguration] = OAUTH_CONFIGURATION, *, local_store: bool = False
) -> Read:
    """`Get-CsOAuthConfiguration [-LocalStore]`. Rights: RTCUniversalReadOnlyAdmins. Effect: read. Source: fact F4."""
    question = Question("Get-CsOAuthConfiguration", OAuthConfiguration, _runspace(local_store), READERS)
    return question.one(server, key, _store(local_store))


def set_oauth_configuration(**values: str | None) -> Cmdlet:
    """`Set-CsOAuthConfiguration -Identity global -<Name> <value>`.

    Rights: RTCUniversalServerAdmins locally, CsAdministrator remotely. Effect: write. Inverse: the old value, $null when
    it was empty. Source: fact F4.
    """
    return Cmdlet("Set-CsOAuthConfiguration", {"Identity": "global", **values}, effect="write", runspace="lync")


def get_partner_applications(
    server: str, key: Key[list[PartnerApplication]] = PARTNER_APPLICATIONS, *, local_store: bool = False
) -> Read:
    """`Get-CsPartnerApplication [-LocalStore]`: all entries, whoever made them. Source: fact F10."""
    question = Question("Get-CsPartnerApplication", PartnerApplication, _runspace(local_store), READERS)
    return question.all(server, key, _store(local_store))


def new_partner_application(identity: str, metadata_url: str) -> Cmdlet:
    """`New-CsPartnerApplication -Identity <name> -ApplicationTrustLevel Full -MetadataUrl <url>`.

    The document is fetched from that server while parameters are bound. Rights: RTCUniversalServerAdmins locally,
    CsAdministrator remotely. Effect: write. Inverse: `remove_partner_application`. Source: fact F10.
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


def get_pools(server: str) -> Read:
    """`Get-CsPool`: FQDN and computers of every pool, to compare with what was declared (rule R18)."""
    return Question("Get-CsPool", Pool, "lync", READERS).all(server, POOLS)


VERSION = PerServer(Key.plain("product_version", str))
VERSION_NAMES = ("Lync Server 2013", "Skype for Business Server 2015", "Skype for Business Server 2019")


def get_server_version(server: str) -> Read:
    """`Get-CsServerVersion`: the product's name and base version in one text. The names but that of 2019 are UNCONFIRMED."""

    def parse(reply: Reply) -> Parsed:
        return {VERSION.on(server): Known(" ".join(str(item) for item in reply.output))}

    return Read(server, Cmdlet("Get-CsServerVersion"), (VERSION.on(server),), parse)


def get_sip_domains(server: str) -> Read:
    """`Get-CsSipDomain`: name and which one is the default (the realm unless set). Source: fact F12."""
    return Question("Get-CsSipDomain", SipDomain, "lync", READERS).all(server, SIP_DOMAINS)


def get_user_services_policies(server: str) -> Read:
    """`Get-CsUserServicesPolicy`: which policies allow the unified contact store (rule R15). Source: fact F8."""
    return Question("Get-CsUserServicesPolicy", UserServicesPolicy, "lync", READERS).all(server, USER_POLICIES)


def set_user_services_policy(identity: str, *, ucs_allowed: bool) -> Cmdlet:
    """`Set-CsUserServicesPolicy -Identity <policy> -UcsAllowed $false`: stages the unified contact store.

    Rights: RTCUniversalUserAdmins. Effect: write. Inverse: the old value. Source: fact F8.
    """
    parameters: dict[str, str | bool] = {"Identity": identity, "UcsAllowed": ucs_allowed}
    return Cmdlet("Set-CsUserServicesPolicy", parameters, effect="write", runspace="lync")


def export_configuration(path: str | Later, *, local_store: bool = False) -> Cmdlet:
    """`Export-CsConfiguration -FileName <path.zip> [-LocalStore]`: the whole configuration as an archive on that front end.

    Not a configuration write: it makes one file, which must not be there yet, in a folder that is. Restrict it at once
    (`windows.restrict_file`): it may hold more than settings. Without -LocalStore the token needs the second hop to the
    store; with it the front end's own replica is exported, which needs none (its content is the proof, rule R17). Runs in the
    local runspace: that the remote endpoint writes a file is UNCONFIRMED. No -Confirm, no -WhatIf. Rights:
    RTCUniversalServerAdmins, local Administrators. Effect: write. Inverse: none, the file stays. Source: rule R47.
    """
    parameters: dict[str, Value] = {"FileName": path, **_store(local_store)}
    return Cmdlet("Export-CsConfiguration", parameters, effect="write", runspace="local")


def storage_connectivity_test(sip_uri: str, *, net_tcp_host: str | None = None) -> Cmdlet:
    """`Test-CsExStorageConnectivity -SipUri <uri> -DeleteItem [-Binding NetTCP -HostNameStorageService <fe>] -Verbose`.

    Writes one item into the user's Conversation History and deletes it: a probe. Runs on a front end. Rights: RTC Local
    User Administrators there, or RTCUniversalUserAdmins. Output contains "passed" on success. Source: fact F11.
    """
    parameters: dict[str, str | bool] = {"SipUri": sip_uri, "DeleteItem": True, "Verbose": True}
    if net_tcp_host is not None:
        parameters |= {"Binding": "NetTCP", "HostNameStorageService": net_tcp_host}
    return Cmdlet("Test-CsExStorageConnectivity", parameters, effect="probe", runspace="local")


def _store(local_store: bool) -> dict[str, Value]:
    return {"LocalStore": True} if local_store else {}


def _runspace(local_store: bool) -> Runspace:
    return "local" if local_store else "lync"
