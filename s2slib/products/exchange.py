"""Exchange Server: organisation, auth configuration, certificates, partner applications, roles, Autodiscover.

Organisation reads and writes run in runspace `exchange` (the Microsoft.Exchange endpoint of one server, domain controller
pinned where it matters, O5). Source: domain.md of the project's reference, sections 1(a)-1(c), 2.2 and 2.4 unless said.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from s2slib.facts import Absent, Fact, Known
from s2slib.products.lync import on
from s2slib.products.read import Read, field, flag, instant, raw_bytes, rows, single, text, texts
from s2slib.remoting.values.command import Cmdlet, Later, Script, Value
from s2slib.remoting.values.reply import Reply
from s2slib.trust.certificate import from_der

EXCHANGE_APPLICATION_ID = "00000002-0000-0ff1-ce00-000000000000"
APPLICATION_ACCOUNT = "LyncEnterprise-ApplicationAccount"
ROLES = ("UserApplication", "ArchiveApplication", "MeetingGraphApplication")

SERVERS = "exchange/servers"
AUTH_CONFIG = "exchange/auth_config"
PARTNER_APPLICATIONS = "exchange/partner_applications"
ACCEPTED_DOMAINS = "exchange/accepted_domains"
MAIL_USER = "exchange/mail_user"
ROLE_ASSIGNMENTS = "exchange/role_assignments"

_NOT_FOUND = ("ManagementObjectNotFound", "couldn't be found")
_PARTNER = (
    "Name",
    "Identity",
    "Enabled",
    "ApplicationIdentifier",
    "CertificateStrings",
    "AuthMetadataUrl",
    "Realm",
    "UseAuthServer",
    "AcceptSecurityIdentifierInformation",
    "LinkedAccount",
    "WhenChangedUTC",
)
VIEW_ONLY = "View-Only Organization Management"


def get_servers(server: str) -> Read:
    """`Get-ExchangeServer -Status`: name, FQDN, roles as booleans, version, site and the domain controller it uses.

    Rights: View-Only Organization Management. Select on the booleans, never on the ServerRole text (2016+ prints
    `Mailbox` for both roles).
    """

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = []
        for row in rows(reply):
            controllers = texts(row.get("CurrentDomainControllers"))
            found.append(
                {
                    "name": text(field(row, "Name")),
                    "fqdn": text(field(row, "Fqdn")).lower(),
                    "is_mailbox": flag(field(row, "IsMailboxServer")),
                    "is_client_access": flag(field(row, "IsClientAccessServer")),
                    "is_edge": flag(field(row, "IsEdgeServer")),
                    "version": text(field(row, "AdminDisplayVersion")),
                    "domain_controller": (controllers[0] if controllers else "").lower(),
                }
            )
        return {SERVERS: Known(found)}

    names = (
        "Name",
        "Fqdn",
        "IsMailboxServer",
        "IsClientAccessServer",
        "IsEdgeServer",
        "AdminDisplayVersion",
        "Site",
        "CurrentDomainControllers",
    )
    command = Cmdlet("Get-ExchangeServer", {"Status": True}, "read", "exchange", names)
    return Read(server, command, (SERVERS,), parse, rights=VIEW_ONLY)


def get_auth_config(server: str) -> Read:
    """`Get-AuthConfig`: current, previous and next certificate thumbprints, realm (usually empty), service name."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "current": text(field(row, "CurrentCertificateThumbprint")).upper(),
                "previous": text(field(row, "PreviousCertificateThumbprint")).upper(),
                "next": text(field(row, "NextCertificateThumbprint")).upper(),
                "next_effective": instant(field(row, "NextCertificateEffectiveDate")),
                "realm": text(field(row, "Realm")),
                "service_name": text(field(row, "ServiceName")),
            }
            for row in rows(reply)
        ]
        return single(AUTH_CONFIG, found)

    names = (
        "CurrentCertificateThumbprint",
        "PreviousCertificateThumbprint",
        "NextCertificateThumbprint",
        "NextCertificateEffectiveDate",
        "ServiceName",
        "Realm",
    )
    command = Cmdlet("Get-AuthConfig", {}, "read", "exchange", names)
    return Read(server, command, (AUTH_CONFIG,), parse, rights=VIEW_ONLY)


def get_certificates(session_server: str, server: str) -> Read:
    """`Get-ExchangeCertificate -Server <s>`: every certificate, parsed from `RawData`.

    Over remote PowerShell the other properties come back empty (domain.md fact 15), so dates, subject and key size are
    taken from the DER. Rights: View-Only Organization Management.
    """
    key = on(server, "exchange_certificates")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = []
        for row in rows(reply):
            der = raw_bytes(field(row, "RawData"))
            found.append({"thumbprint": from_der(der).thumbprint, "der": base64.b64encode(der).decode("ascii")})
        return {key: Known(found)}

    command = Cmdlet("Get-ExchangeCertificate", {"Server": server}, "read", "exchange", ("RawData",))
    return Read(session_server, command, (key,), parse, rights=VIEW_ONLY)


def get_partner_applications(server: str, key: str = PARTNER_APPLICATIONS, *, domain_controller: str = "") -> Read:
    """`Get-PartnerApplication [-DomainController <dc>]`: all entries, those of a hybrid too (O8)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known([_partner_application(row) for row in rows(reply)])}

    command = Cmdlet("Get-PartnerApplication", _controller(domain_controller), "read", "exchange", _PARTNER)
    return Read(server, command, (key,), parse, rights=VIEW_ONLY)


def _partner_application(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": text(field(row, "Name")),
        "identity": text(field(row, "Identity")),
        "enabled": flag(field(row, "Enabled")),
        "application_identifier": text(field(row, "ApplicationIdentifier")).lower(),
        "certificate_strings": texts(field(row, "CertificateStrings")),
        "auth_metadata_url": text(field(row, "AuthMetadataUrl")),
        "realm": text(field(row, "Realm")),
        "use_auth_server": flag(field(row, "UseAuthServer")),
        "accept_security_identifier_information": flag(field(row, "AcceptSecurityIdentifierInformation")),
        "linked_account": text(field(row, "LinkedAccount")),
        "when_changed_utc": instant(field(row, "WhenChangedUTC")),
    }


def configure_partner_application(path: str, metadata_url: str, domain_controller: str) -> Script:
    r"""`& '<scripts>\Configure-EnterprisePartnerApplication.ps1' -AuthMetadataUrl <url> -ApplicationType Lync`.

    Makes up to six objects (user, its hiding, three role assignments, the application) and can stop half-way; only the
    read-back counts (O6). The article prints the whole line inside quotes, which PowerShell merely echoes. Rights:
    Organization Management. Effect: write. Inverse: one step per object that was not there before. Source: domain.md 1(b).
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
    """`Get-AcceptedDomain`: domain names and the default; a wildcard does not satisfy the realm check (domain.md 3.5)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "name": text(field(row, "Name")),
                "domain_name": text(field(row, "DomainName")).lower(),
                "default": flag(field(row, "Default")),
            }
            for row in rows(reply)
        ]
        return {ACCEPTED_DOMAINS: Known(found)}

    command = Cmdlet("Get-AcceptedDomain", {}, "read", "exchange", ("Name", "DomainName", "DomainType", "Default"))
    return Read(server, command, (ACCEPTED_DOMAINS,), parse, rights=VIEW_ONLY)


def get_mail_user(server: str, domain_controller: str) -> Read:
    """`Get-MailUser LyncEnterprise-ApplicationAccount`: the linked account, absent before the first run."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "name": text(field(row, "Name")),
                "recipient_type": text(field(row, "RecipientType")),
                "hidden": flag(field(row, "HiddenFromAddressListsEnabled")),
            }
            for row in rows(reply)
        ]
        return single(MAIL_USER, found)

    parameters = {"Identity": APPLICATION_ACCOUNT, **_controller(domain_controller)}
    names = ("Name", "RecipientType", "HiddenFromAddressListsEnabled")
    command = Cmdlet("Get-MailUser", parameters, "read", "exchange", names)
    return Read(server, command, (MAIL_USER,), parse, absent_when=_NOT_FOUND, rights=VIEW_ONLY)


def get_role_assignments(server: str, domain_controller: str) -> Read:
    """`Get-ManagementRoleAssignment -RoleAssignee LyncEnterprise-ApplicationAccount`: the roles it holds."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {ROLE_ASSIGNMENTS: Known(sorted(text(field(row, "Role")) for row in rows(reply)))}

    parameters = {"RoleAssignee": APPLICATION_ACCOUNT, **_controller(domain_controller)}
    command = Cmdlet("Get-ManagementRoleAssignment", parameters, "read", "exchange", ("Name", "Role"))
    return Read(server, command, (ROLE_ASSIGNMENTS,), parse, absent_when=_NOT_FOUND, rights=VIEW_ONLY)


def get_client_access(session_server: str, *, command_name: str) -> Read:
    """`Get-ClientAccessServer` (2013) or `Get-ClientAccessService` (2016 and later): the SCP of every server (O16)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "name": text(field(row, "Name")),
                "fqdn": text(field(row, "Fqdn")).lower(),
                "scp": text(field(row, "AutoDiscoverServiceInternalUri")),
            }
            for row in rows(reply)
        ]
        return {"exchange/client_access": Known(found)}

    names = ("Name", "Fqdn", "AutoDiscoverServiceInternalUri")
    command = Cmdlet(command_name, {}, "read", "exchange", names)
    return Read(session_server, command, ("exchange/client_access",), parse, rights=VIEW_ONLY)


def set_client_access(command_name: str, server: str, scp: str) -> Cmdlet:
    """`Set-ClientAccessServer|Service -Identity <server> -AutoDiscoverServiceInternalUri <url>`.

    Every Outlook re-reads it: users notice. Rights: Server Management. Inverse: the old value. Source: domain.md 1(a).
    """
    parameters = {"Identity": server, "AutoDiscoverServiceInternalUri": scp}
    return Cmdlet(command_name, parameters, effect="write", runspace="exchange")


def get_mailbox(server: str, address: str) -> Read:
    """`Get-Mailbox -Identity <smtp>`: whether the test user has one, and on which version."""
    key = mailbox_key(address)

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "address": text(field(row, "PrimarySmtpAddress")).lower(),
                "server": text(field(row, "ServerName")),
            }
            for row in rows(reply)
        ]
        return {key: Known(found[0])} if len(found) == 1 else {key: Absent()} if not found else {}

    command = Cmdlet("Get-Mailbox", {"Identity": address}, "read", "exchange", ("PrimarySmtpAddress", "ServerName"))
    return Read(server, command, (key,), parse, absent_when=_NOT_FOUND, rights=VIEW_ONLY)


def mailbox_key(address: str) -> str:
    """The key of the mailbox fact of one SMTP address."""
    return f"exchange/mailbox/{address.lower()}"


def get_component_states(session_server: str, server: str) -> Read:
    """`Get-ServerComponentState -Identity <s>`: states by component; a server in ServerWideOffline stays so (O12)."""
    key = on(server, "components")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known({text(field(row, "Component")): text(field(row, "State")) for row in rows(reply)})}

    command = Cmdlet("Get-ServerComponentState", {"Identity": server}, "read", "exchange", ("Component", "State"))
    return Read(session_server, command, (key,), parse, rights=VIEW_ONLY)


def _controller(domain_controller: str) -> dict[str, str]:
    return {"DomainController": domain_controller} if domain_controller else {}
