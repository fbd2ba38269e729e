"""What `files/Configure-EnterprisePartnerApplication.ps1` does, for the direct engine; the real one runs that file itself.

Each statement stands where the file has it. The digest below ties the two: another text under that path is not run.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from s2slab.engine.registry import Parameter, ScriptCall, ScriptSpec
from s2slab.engine.values import PsObject, to_text
from s2slab.estate.files import PARTNER_SCRIPT

DIGEST: Final = "1df61e2fb5020edcb2161d000aec89c5a566deeb087b0a284047d12b9603c5d8"
_TRIES: Final = 10
_TYPES: Final[
    dict[str, tuple[str, tuple[str, ...], bool]]
] = {  # prefix, roles, whether security identifiers are accepted
    "lync": ("LyncEnterprise", ("UserApplication", "ArchiveApplication", "MeetingGraphApplication"), True),
    "sharepoint": (
        "SharePointEnterprise",
        ("UserApplication", "LegalHoldApplication", "Mailbox Search", "TeamMailboxLifecycleApplication", "Legal Hold"),
        True,
    ),
    "generic": ("GenericEnterprise", ("UserApplication",), False),
}


def specs() -> list[ScriptSpec]:
    """The script."""
    return [
        ScriptSpec(
            PARTNER_SCRIPT,
            DIGEST,
            configure,
            (
                Parameter("AuthMetadataUrl", "string", mandatory=True, position=0),
                Parameter("ApplicationType", "string", mandatory=True, position=1),
                Parameter("DomainController", "string", position=2),
                Parameter("TrustAnySSLCertificate", "bool", position=3),
            ),
        )
    ]


def configure(call: ScriptCall) -> int | None:
    """Account, roles, application; the exit code, None where the script ends without `exit`."""
    given = call.parameters
    chosen = _TYPES.get(str(given["ApplicationType"]).lower())
    if chosen is None:
        call.say("Invalid (ServiceName) specified. Possible values are 'Lync', 'SharePoint', or 'Generic'.")
        return 1
    prefix, roles, accepts_sids = chosen
    pinned: dict[str, Any] = {"DomainController": given["DomainController"]} if given.get("DomainController") else {}
    user = _account(call, prefix, pinned)
    if user is None:
        return 1
    _assign(call, user, roles, pinned)
    url = given["AuthMetadataUrl"]
    name = f"{prefix}-{uuid.uuid4().hex}"
    settings = {
        "Name": name,
        "AuthMetadataUrl": url,
        "AcceptSecurityIdentifierInformation": accepts_sids,
        "Enabled": True,
        "LinkedAccount": user,
        **({"TrustAnySSLCertificate": True} if given.get("TrustAnySSLCertificate") else {}),
    }
    call.say(f"Creating Partner Application <{name}> using metadata <{url}> with linked account <{user}>.")
    if not call.command("New-PartnerApplication", **settings, **pinned):
        return 1
    call.say(f"Created Partner Application <{name}>.")
    call.say("THE CONFIGURATION HAS SUCCEEDED.")
    return None


def _account(call: ScriptCall, prefix: str, pinned: dict[str, Any]) -> str | None:
    """The account that the application acts as, found or made; None when no name was left."""
    base = name = f"{prefix}-ApplicationAccount"
    for number in range(1, _TRIES + 1):
        found = call.command("Get-User", soft=True, Identity=name, **pinned)
        if not found:
            return _make_account(call, name, pinned)
        kind = to_text(_property(found[0], "RecipientType"))
        if kind.lower() in ("mailuser", "user"):
            call.say(f"User <{name}> already exists. Using this user for the Partner Application.")
            return name
        following = f"{base}-{number}"
        call.say(f"Cannot use existing User <{name}> with RecipientType <{kind}>. Retry with <{following}>")
        name = following
    call.say("Can not create a user for this Partner Application. Max retry reached.")
    return None


def _make_account(call: ScriptCall, name: str, pinned: dict[str, Any]) -> str:
    domains = call.command("Get-AcceptedDomain", **pinned)
    if not domains:
        call.say("There is no accepted domain so user can not be created.")
        return name
    address = f"{name}@{to_text(_property(domains[0], 'Name'))}"
    call.say(f"Creating User <{name}> for Partner Application.")
    made = call.command("New-MailUser", Name=name, DisplayName=name, ExternalEmailAddress=address, **pinned)
    call.command("Set-MailUser", Identity=name, HiddenFromAddressListsEnabled=True, **pinned)
    if made:
        call.say(f"Created User <{name}>...")
    return name


def _assign(call: ScriptCall, user: str, roles: tuple[str, ...], pinned: dict[str, Any]) -> None:
    for role in roles:
        if call.command("Get-ManagementRoleAssignment", soft=True, Role=role, RoleAssignee=user, **pinned):
            call.say(f"Skipping role assignment: Role <{role}> already assigned to Application User <{user}>.")
        else:
            call.say(f"Assigning role <{role}> to Application User <{user}>.")
            call.command("New-ManagementRoleAssignment", Role=role, User=user, **pinned)


def _property(row: PsObject, name: str) -> Any:
    return row.get(name)
