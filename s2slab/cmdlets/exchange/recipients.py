"""Exchange recipients and management role assignments: the account a partner application acts as, and what it may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from s2slab.cmdlets.exchange.common import (
    MANAGEMENT,
    TASKS,
    Refused,
    identity,
    missing,
    named,
    selected,
    stamps,
)
from s2slab.cmdlets.exchange.tasks import given, task
from s2slab.cmdlets.shared.base import changing, reading, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object

ROLES = (
    "UserApplication",
    "ArchiveApplication",
    "MeetingGraphApplication",
    "LegalHoldApplication",
    "TeamMailboxLifecycleApplication",
    "Mailbox Search",
    "Legal Hold",
    "Organization Client Access",
    "Organization Configuration",
    "Role Management",
    "Mail Recipients",
    "Mail Recipient Creation",
    "Exchange Servers",
    "View-Only Configuration",
    "View-Only Recipients",
)
_ADDRESS = re.compile(r"(?:smtp:)?(?P<address>[^\s@:]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)", re.IGNORECASE)
_MAIL_USER = (
    Parameter("ExternalEmailAddress", "string"),
    Parameter("DisplayName", "string"),
    Parameter("HiddenFromAddressListsEnabled", "bool"),
    Parameter("Alias", "string"),
)


def specs() -> list[CmdletSpec]:
    """Recipient and role assignment cmdlets."""
    role = Parameter("Role", "string", mandatory=True, not_empty=True)
    user = Parameter("User", "string", mandatory=True, not_empty=True)
    return [
        _reader("Get-MailUser", ("MailUser",), "MailUser"),
        _reader("Get-User", None, "User"),
        _reader(
            "Get-Recipient",
            ("MailUser", "UserMailbox", "MailContact", "MailUniversalDistributionGroup"),
            "ReducedRecipient",
        ),
        task("Get-Mailbox", _get_mailbox, (identity(),)),
        task(
            "New-MailUser",
            _new_mail_user,
            (Parameter("Name", "string", mandatory=True, position=0, not_empty=True), *_MAIL_USER),
            writes=True,
        ),
        task("Set-MailUser", _set_mail_user, (identity(mandatory=True), *_MAIL_USER), writes=True),
        task("Remove-MailUser", _remove_mail_user, (identity(mandatory=True),), writes=True),
        task("Get-ManagementRole", _get_role, (identity(), Parameter("Cmdlet", "string"))),
        task(
            "Get-ManagementRoleAssignment",
            _get_assignment,
            (identity(), Parameter("Role", "string"), Parameter("RoleAssignee", "string")),
        ),
        task(
            "New-ManagementRoleAssignment",
            _new_assignment,
            (Parameter("Name", "string", position=0), role, user),
            writes=True,
        ),
        task("Remove-ManagementRoleAssignment", _remove_assignment, (identity(mandatory=True),), writes=True),
    ]


def _reader(name: str, kinds: tuple[str, ...] | None, shape: str) -> CmdletSpec:
    def read(call: Call, dc: str) -> Iterator[PsObject]:
        with reading(call) as at:
            rows = at.estate.directory.list("Recipient", dc=dc)
            domain = at.estate.domain
        matching = [row for row in rows if kinds is None or row["RecipientType"] in kinds]
        return (_shown(row, shape, domain) for row in selected(call, matching, dc))

    return task(name, read, (identity(),))


def _shown(row: dict[str, Any], shape: str, domain: str) -> PsObject:
    name, kind = row["Name"], row["RecipientType"]
    off = kind == "MailUser"
    return ps_object(
        MANAGEMENT + shape,
        {
            "Name": name,
            "DisplayName": row.get("DisplayName", name),
            "Alias": row.get("Alias", name),
            "RecipientType": kind,
            "RecipientTypeDetails": kind,
            "PrimarySmtpAddress": row.get("PrimarySmtpAddress", ""),
            "ExternalEmailAddress": row.get("ExternalEmailAddress", ""),
            "HiddenFromAddressListsEnabled": row.get("HiddenFromAddressListsEnabled", False),
            "UserPrincipalName": row.get("UserPrincipalName", ""),
            "SamAccountName": row.get("SamAccountName", name),
            "UserAccountControl": "AccountDisabled, PasswordNotRequired, NormalAccount" if off else "NormalAccount",
            "OrganizationalUnit": f"{domain}/Users",
            "DistinguishedName": _distinguished(name, domain),
            "Identity": f"{domain}/Users/{name}",
            **stamps(row),
        },
    )


def _distinguished(name: str, domain: str) -> str:
    return f"CN={name},CN=Users," + ",".join(f"DC={part}" for part in domain.split("."))


def _get_mailbox(call: Call, dc: str) -> Iterator[PsObject]:
    with reading(call) as at:
        rows = [r for r in at.estate.directory.list("Recipient", dc=dc) if r["RecipientType"] == "UserMailbox"]
        homes = {address: box.server for address, box in at.estate.mailboxes.items()}
        versions = {r["Fqdn"]: r["AdminDisplayVersion"] for r in at.estate.directory.list("ExchangeServer", dc=dc)}
        domain = at.estate.domain
    for row in selected(call, rows, dc):
        home = homes.get(str(row["PrimarySmtpAddress"]).lower(), "")
        found = _shown(row, "Mailbox", domain)
        found.properties |= {
            "ServerName": home.split(".", 1)[0],
            "Database": "DB01",
            "AdminDisplayVersion": versions.get(home, ""),
        }
        yield found


def _new_mail_user(call: Call, dc: str) -> Iterator[PsObject]:
    name = text(call.parameters["Name"])
    with reading(call) as at:
        held = named(at.estate.directory.list("Recipient", dc=dc), name)
        domain = at.estate.domain
    if held is not None:
        raise Refused(
            f"The name '{name}' is already being used in this organization.",
            "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException",
            "ResourceExists",
        )
    row = {
        "Name": name,
        "RecipientType": "MailUser",
        "UserPrincipalName": f"{name}@{domain}",
        "SamAccountName": name[:20],
        "HiddenFromAddressListsEnabled": False,
        **_addressed(call),
    }
    if not row.get("ExternalEmailAddress"):
        raise Refused("A mail user needs an external email address.", TASKS + "TaskException", "InvalidArgument")
    if not call.should_process(name):
        return iter(())
    with changing(call) as at:
        at.estate.directory.write(f"Recipient/{name}", row, dc=dc)
        made = at.estate.directory.read(f"Recipient/{name}", dc=dc) or {}
    return iter([_shown(made, "MailUser", domain)])


def _addressed(call: Call) -> dict[str, Any]:
    """The given attributes; an external address must be one."""
    values = given(call, (parameter.name for parameter in _MAIL_USER))
    if "ExternalEmailAddress" in values:
        address = text(values["ExternalEmailAddress"])
        match = _ADDRESS.fullmatch(address)
        if match is None:
            # the wording is UNCONFIRMED
            raise Refused(
                f'The address "{address}" isn\'t a valid SMTP address.',
                "Microsoft.Exchange.Data.InvalidProxyAddressException",
                "InvalidArgument",
            )
        values["ExternalEmailAddress"] = f"SMTP:{match['address']}"
        values["PrimarySmtpAddress"] = match["address"]
    return values


def _mail_user(call: Call, dc: str) -> dict[str, Any]:
    with reading(call) as at:
        rows = [r for r in at.estate.directory.list("Recipient", dc=dc) if r["RecipientType"] == "MailUser"]
    return selected(call, rows, dc)[0]


def _set_mail_user(call: Call, dc: str) -> None:
    before = _mail_user(call, dc)
    row = {**before, **_addressed(call)}
    if call.should_process(before["Name"]):
        with changing(call) as at:
            at.estate.directory.write(f"Recipient/{before['Name']}", row, dc=dc)


def _remove_mail_user(call: Call, dc: str) -> None:
    row = _mail_user(call, dc)
    if call.should_process(row["Name"]):
        with changing(call) as at:
            at.estate.directory.write(f"Recipient/{row['Name']}", None, dc=dc)
            # that assignments go with their assignee is UNCONFIRMED
            for held in at.estate.directory.list("RoleAssignment", dc=dc):
                if held["RoleAssigneeName"].lower() == row["Name"].lower():
                    at.estate.directory.write(f"RoleAssignment/{held['Name']}", None, dc=dc)


def _get_role(call: Call, dc: str) -> Iterator[PsObject]:
    wanted = text(call.parameters.get("Identity")).lower()
    cmdlet = text(call.parameters.get("Cmdlet")).lower()
    names = [name for name in ROLES if wanted in ("", name.lower())]
    if wanted and not names:
        raise missing(wanted, dc)
    if cmdlet:  # which role holds which cmdlet is UNCONFIRMED
        part = "Organization Client Access" if "partnerapplication" in cmdlet else "Organization Configuration"
        names = [name for name in names if name == part]
    for name in names:
        yield ps_object(MANAGEMENT + "ExchangeRole", Name=name, RoleType=name.replace(" ", ""), Identity=name)


def _get_assignment(call: Call, dc: str) -> Iterator[PsObject]:
    assignee, role = text(call.parameters.get("RoleAssignee")), text(call.parameters.get("Role")).lower()
    with reading(call) as at:
        rows = selected(call, at.estate.directory.list("RoleAssignment", dc=dc), dc)
        account = named(at.estate.directory.list("Recipient", dc=dc), assignee) if assignee else None
    if assignee and account is None:
        raise missing(assignee, dc)
    if role and role not in (name.lower() for name in ROLES):
        raise missing(text(call.parameters["Role"]), dc)
    for row in rows:
        if account is not None and row["RoleAssigneeName"].lower() != account["Name"].lower():
            continue
        if role in ("", row["Role"].lower()):
            yield _assignment(row)


def _assignment(row: dict[str, Any]) -> PsObject:
    return ps_object(
        MANAGEMENT + "ExchangeRoleAssignmentPresentation",
        {
            "Name": row["Name"],
            "Role": row["Role"],
            "RoleAssigneeName": row["RoleAssigneeName"],
            "RoleAssigneeType": row["RoleAssigneeType"],
            "AssignmentMethod": "Direct",
            "EffectiveUserName": row["RoleAssigneeName"],
            "Enabled": True,
            "Identity": row["Name"],
            **stamps(row),
        },
    )


def _new_assignment(call: Call, dc: str) -> Iterator[PsObject]:
    wanted, user = text(call.parameters["Role"]), text(call.parameters["User"])
    role = next((name for name in ROLES if name.lower() == wanted.lower()), None)
    if role is None:
        raise missing(wanted, dc)
    with reading(call) as at:
        account = named(at.estate.directory.list("Recipient", dc=dc), user)
        rows = at.estate.directory.list("RoleAssignment", dc=dc)
    if account is None:
        raise missing(user, dc)
    name = text(call.parameters.get("Name")) or f"{role}-{account['Name']}"
    if named(rows, name) is not None:
        raise Refused(
            f"The management role assignment '{name}' already exists.",
            "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException",
            "ResourceExists",
        )
    if not call.should_process(name):
        return iter(())
    row = {"Name": name, "Role": role, "RoleAssigneeName": account["Name"], "RoleAssigneeType": "User"}
    with changing(call) as at:
        at.estate.directory.write(f"RoleAssignment/{name}", row, dc=dc)
        made = at.estate.directory.read(f"RoleAssignment/{name}", dc=dc) or {}
    return iter([_assignment(made)])


def _remove_assignment(call: Call, dc: str) -> None:
    with reading(call) as at:
        row = selected(call, at.estate.directory.list("RoleAssignment", dc=dc), dc)[0]
    if call.should_process(row["Name"]):
        with changing(call) as at:
            at.estate.directory.write(f"RoleAssignment/{row['Name']}", None, dc=dc)
