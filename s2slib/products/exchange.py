"""Exchange Server: organisation, auth configuration, certificates, partner applications, roles, Autodiscover.

Organisation reads and writes run in runspace `exchange` (the Microsoft.Exchange endpoint of one server, domain controller
pinned where it matters, rule R19). Source: facts F3, F5 and F18 unless said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from s2slib.facts import Key, PerServer, Row
from s2slib.products.lync import LYNC_APPLICATION_ID
from s2slib.products.read import (
    NOTHING,
    Der,
    Flag,
    Instant,
    Lower,
    Question,
    Read,
    Text,
    Texts,
    Upper,
    raw_bytes,
    texts,
)
from s2slib.remoting.values.command import Cmdlet, Later, Script, Value
from s2slib.trust.certificate import thumbprint, why_unreadable

EXCHANGE_APPLICATION_ID = "00000002-0000-0ff1-ce00-000000000000"
APPLICATION_ACCOUNT = "LyncEnterprise-ApplicationAccount"
ROLES = ("UserApplication", "ArchiveApplication", "MeetingGraphApplication")
VIEW_ONLY = "View-Only Organization Management"
_NOT_FOUND = ("ManagementObjectNotFound", "couldn't be found")


class Server(Row):
    """An Exchange server: roles by the booleans, never by the ServerRole text (2016 and later print Mailbox for both)."""

    fqdn: Lower
    is_mailbox: Flag = Field(alias="IsMailboxServer")
    is_client_access: Flag = Field(alias="IsClientAccessServer")
    is_edge: Flag = Field(alias="IsEdgeServer")
    version: Text = Field(default="", alias="AdminDisplayVersion")
    domain_controller: Annotated[str, BeforeValidator(lambda value: "".join(texts(value)[:1]).lower())] = Field(
        default="", alias="CurrentDomainControllers"
    )

    @property
    def product(self) -> str:
        """The product by its version, as Microsoft spells it; empty for a version that is not known here."""
        found = _VERSION.search(self.version)
        if found is None:
            return ""
        major, minor, build = (int(part or 0) for part in found.groups())
        if (major, minor) == (15, 2):
            return "Exchange Server SE" if build >= _SE_BUILD else "Exchange Server 2019"
        return _PRODUCTS.get((major, minor), "")

    @property
    def is_older(self) -> bool:
        """Whether it is of a generation before OAuth (Exchange 2010 and earlier)."""
        found = _VERSION.search(self.version)
        return found is not None and int(found[1]) < 15


_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\D{1,12}(\d{1,6}))?")
_PRODUCTS = {(15, 0): "Exchange Server 2013", (15, 1): "Exchange Server 2016"}
_SE_BUILD = 2562


class AuthConfig(Row):
    """The organisation's signing certificates by thumbprint, and its realm (usually empty)."""

    current: Upper = Field(alias="CurrentCertificateThumbprint")
    previous: Upper = Field(alias="PreviousCertificateThumbprint")
    realm: Text


class Certificate(Row):
    """A certificate. Over remote PowerShell every other property comes back empty (fact F19)."""

    der: Der = Field(alias="RawData")
    thumbprint: Annotated[str, BeforeValidator(lambda value: thumbprint(raw_bytes(value)))] = Field(alias="RawData")
    unreadable: Annotated[str, BeforeValidator(lambda value: why_unreadable(raw_bytes(value)))] = Field(
        default="", alias="RawData"
    )


class PartnerApplication(Row):
    """An entry of Get-PartnerApplication."""

    name: Text
    identity: Text
    enabled: Flag
    application_identifier: Lower
    certificate_strings: Texts
    auth_metadata_url: Text
    realm: Text
    use_auth_server: Flag
    accept_security_identifier_information: Flag
    linked_account: Text
    when_changed_utc: Instant = Field(alias="WhenChangedUTC")


def is_lync(entry: PartnerApplication) -> bool:
    """Whether an entry is an on-premises Lync: by id and metadata URL, never by name (fact F7)."""
    return (
        entry.application_identifier == LYNC_APPLICATION_ID
        and not entry.use_auth_server
        and bool(entry.auth_metadata_url)
    )


class AcceptedDomain(Row):
    """An accepted domain; a wildcard does not satisfy the realm check (fact F12)."""

    name: Text
    domain_name: Lower
    default: Flag


class User(Row):
    """The linked account, of whatever kind."""

    name: Text
    kind: Text = Field(alias="RecipientType")


class MailUser(Row):
    """The linked account, where it is a mail user."""

    name: Text
    hidden: Flag = Field(alias="HiddenFromAddressListsEnabled")


class ClientAccess(Row):
    """A Client Access server and its service connection point."""

    name: Text
    fqdn: Lower
    scp: Text = Field(alias="AutoDiscoverServiceInternalUri")


class Mailbox(Row):
    """A user's mailbox."""

    address: Lower = Field(alias="PrimarySmtpAddress")


class Assignment(Row):
    """A management role that somebody holds."""

    role: Text


class Component(Row):
    """A server component and its state."""

    component: Text
    state: Text


SERVERS = Key.many("exchange/servers", Server)
AUTH_CONFIG = Key.one("exchange/auth_config", AuthConfig)
PARTNER_APPLICATIONS = Key.many("exchange/partner_applications", PartnerApplication)
ACCEPTED_DOMAINS = Key.many("exchange/accepted_domains", AcceptedDomain)
APPLICATION_USER = Key.one("exchange/application_user", User)
MAIL_USER = Key.one("exchange/mail_user", MailUser)
ROLE_ASSIGNMENTS = Key.plain("exchange/role_assignments", list[str])
CLIENT_ACCESS = Key.many("exchange/client_access", ClientAccess)
CERTIFICATES = PerServer(Key.many("exchange_certificates", Certificate))
COMPONENTS = PerServer(Key.plain("components", dict[str, str]))


def mailbox_key(address: str) -> Key[Mailbox]:
    """The key of the mailbox fact of one SMTP address."""
    return Key.one(f"exchange/mailbox/{address.lower()}", Mailbox)


def get_servers(server: str) -> Read:
    """`Get-ExchangeServer -Status`: FQDN, roles, and the domain controller it uses. Rights: View-Only Organization Management."""
    return Question("Get-ExchangeServer", Server, "exchange", VIEW_ONLY).all(server, SERVERS, {"Status": True})


def get_auth_config(server: str) -> Read:
    """`Get-AuthConfig`. Rights: View-Only Organization Management."""
    return Question("Get-AuthConfig", AuthConfig, "exchange", VIEW_ONLY).one(server, AUTH_CONFIG)


def get_certificates(session_server: str, server: str) -> Read:
    """`Get-ExchangeCertificate -Server <s>`: every certificate, by its `RawData`. Rights: View-Only Organization Management."""
    question = Question("Get-ExchangeCertificate", Certificate, "exchange", VIEW_ONLY)
    return question.all(session_server, CERTIFICATES.on(server), {"Server": server})


def get_partner_applications(
    server: str, key: Key[list[PartnerApplication]] = PARTNER_APPLICATIONS, *, domain_controller: str = ""
) -> Read:
    """`Get-PartnerApplication [-DomainController <dc>]`: all entries, those of a hybrid too (rule R22)."""
    question = Question("Get-PartnerApplication", PartnerApplication, "exchange", VIEW_ONLY)
    return question.all(server, key, _controller(domain_controller))


def configure_partner_application(path: str, metadata_url: str, domain_controller: str) -> Script:
    r"""`& '<scripts>\Configure-EnterprisePartnerApplication.ps1' -AuthMetadataUrl <url> -ApplicationType Lync`.

    Makes up to six objects (user, its hiding, three role assignments, the application) and can stop half-way; only the
    read-back counts (rule R20). The article prints the whole line inside quotes, which PowerShell merely echoes. Rights:
    Organization Management. Effect: write. Inverse: one step per object that was not there before. Source: fact F5.
    """
    parameters = {"AuthMetadataUrl": metadata_url, "ApplicationType": "Lync", **_controller(domain_controller)}
    return Script(path, parameters, effect="write", runspace="local", imports=SCRIPT_COMMANDS)


SCRIPT_COMMANDS = (
    "Get-AcceptedDomain",
    "Get-MailUser",
    "Get-ManagementRoleAssignment",
    "Get-PartnerApplication",
    "Get-Recipient",
    "Get-User",
    "New-MailUser",
    "New-ManagementRoleAssignment",
    "New-PartnerApplication",
    "Set-MailUser",
)


def set_partner_application(identity: str, domain_controller: str, **values: str | bool) -> Cmdlet:
    """`Set-PartnerApplication -Identity <id> -<Name> <value>`, or `-RefreshAuthMetadata` to learn a new key.

    A refresh is refused by Exchange when id, realm or issuer of the document differ from what is stored. Rights:
    Organization Management. Effect: write. Inverse: the old value; a refresh has none (the old key is gone at its owner).
    """
    parameters = {"Identity": identity, **values, **_controller(domain_controller)}
    return Cmdlet("Set-PartnerApplication", parameters, effect="write", runspace="exchange")


def remove_partner_application(identity: str | Later, domain_controller: str = "") -> Cmdlet:
    """`Remove-PartnerApplication -Identity <id> -Confirm:$false`; the id may be one that only apply brings."""
    return _remove("Remove-PartnerApplication", identity, domain_controller)


def new_role_assignment(role: str, user: str, domain_controller: str) -> Cmdlet:
    """`New-ManagementRoleAssignment -Role <role> -User <account>`. Inverse: `remove_role_assignment`."""
    parameters = {"Role": role, "User": user, **_controller(domain_controller)}
    return Cmdlet("New-ManagementRoleAssignment", parameters, effect="write", runspace="exchange")


def remove_role_assignment(role: str, user: str, domain_controller: str = "") -> Cmdlet:
    """`Remove-ManagementRoleAssignment -Identity <role>-<account> -Confirm:$false`."""
    return _remove("Remove-ManagementRoleAssignment", f"{role}-{user}", domain_controller)


def remove_mail_user(identity: str, domain_controller: str = "") -> Cmdlet:
    """`Remove-MailUser -Identity <account> -Confirm:$false`."""
    return _remove("Remove-MailUser", identity, domain_controller)


def set_mail_user_hidden(identity: str, domain_controller: str, *, hidden: bool = True) -> Cmdlet:
    """`Set-MailUser -Identity <account> -HiddenFromAddressListsEnabled:$true`. Inverse: the old value."""
    parameters: dict[str, Value] = {
        "Identity": identity,
        "HiddenFromAddressListsEnabled": hidden,
        **_controller(domain_controller),
    }
    return Cmdlet("Set-MailUser", parameters, effect="write", runspace="exchange")


def _remove(name: str, identity: str | Later, domain_controller: str) -> Cmdlet:
    parameters: dict[str, Value] = {"Identity": identity, "Confirm": False, **_controller(domain_controller)}
    return Cmdlet(name, parameters, effect="write", runspace="exchange")


def get_accepted_domains(server: str) -> Read:
    """`Get-AcceptedDomain`: every accepted domain, and which one is the default."""
    return Question("Get-AcceptedDomain", AcceptedDomain, "exchange", VIEW_ONLY).all(server, ACCEPTED_DOMAINS)


def get_user(server: str, account: str, domain_controller: str) -> Read:
    """`Get-User <account>`: the linked account of whatever kind, absent before the first run."""
    question = Question("Get-User", User, "exchange", VIEW_ONLY, _NOT_FOUND)
    return question.one(server, APPLICATION_USER, {"Identity": account, **_controller(domain_controller)})


def get_mail_user(server: str, account: str, domain_controller: str) -> Read:
    """`Get-MailUser <account>`: the linked account as a mail user."""
    question = Question("Get-MailUser", MailUser, "exchange", VIEW_ONLY, _NOT_FOUND)
    return question.one(server, MAIL_USER, {"Identity": account, **_controller(domain_controller)})


def new_mail_user(name: str, address: str, domain_controller: str) -> Cmdlet:
    """`New-MailUser -Name <name> -ExternalEmailAddress <address>`, as the script does. Inverse: `remove_mail_user`."""
    parameters = {"Name": name, "ExternalEmailAddress": address, **_controller(domain_controller)}
    return Cmdlet("New-MailUser", parameters, effect="write", runspace="exchange")


def get_role_assignments(server: str, account: str, domain_controller: str) -> Read:
    """`Get-ManagementRoleAssignment -RoleAssignee <account>`: the roles it holds."""
    question = Question("Get-ManagementRoleAssignment", Assignment, "exchange", VIEW_ONLY, _NOT_FOUND)
    parameters: Mapping[str, Value] = {"RoleAssignee": account, **_controller(domain_controller)}
    return question.all(server, ROLE_ASSIGNMENTS, parameters, lambda rows: sorted(row.role for row in rows))


def get_client_access(session_server: str, *, command_name: str) -> Read:
    """`Get-ClientAccessServer` (2013) or `Get-ClientAccessService` (2016 and later): the SCP of every server (rule R30)."""
    return Question(command_name, ClientAccess, "exchange", VIEW_ONLY).all(session_server, CLIENT_ACCESS)


def set_client_access(command_name: str, server: str, scp: str) -> Cmdlet:
    """`Set-ClientAccessServer|Service -Identity <server> -AutoDiscoverServiceInternalUri <url>`.

    Every Outlook re-reads it: users notice. Rights: Server Management. Inverse: the old value. Source: fact F4.
    """
    parameters = {"Identity": server, "AutoDiscoverServiceInternalUri": scp}
    return Cmdlet(command_name, parameters, effect="write", runspace="exchange")


def get_mailbox(server: str, address: str) -> Read:
    """`Get-Mailbox -Identity <smtp>`: whether the test user has one."""
    question = Question("Get-Mailbox", Mailbox, "exchange", VIEW_ONLY, _NOT_FOUND)
    return question.one(server, mailbox_key(address), {"Identity": address})


def get_component_states(session_server: str, server: str) -> Read:
    """`Get-ServerComponentState -Identity <s>`: states by component; a server in ServerWideOffline stays so (rule R26)."""
    question = Question("Get-ServerComponentState", Component, "exchange", VIEW_ONLY)
    key = COMPONENTS.on(server)
    return question.all(session_server, key, {"Identity": server}, lambda rows: {r.component: r.state for r in rows})


def _controller(domain_controller: str) -> Mapping[str, Value]:
    return {"DomainController": domain_controller} if domain_controller else NOTHING
