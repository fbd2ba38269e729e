"""Lync users and the policies that ride on server-to-server trust: unified contact store and archiving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from s2slab.cmdlets.lync.common import (
    FORCE,
    LOCAL_STORE,
    POLICIES,
    READERS,
    SERVER_ADMINS,
    SETTINGS,
    USER_ADMINS,
    chosen,
    identity,
    not_found,
    reach_store,
    replica_to_read,
    require,
)
from s2slab.cmdlets.shared.base import Place, changing, enum, reading, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate.estate import LyncUser

ARCHIVING = ("None", "ImOnly", "ImAndWebConf")
EXCHANGE_ARCHIVING = ("Uninitialized", "UseLyncArchivingPolicy", "NoArchiving", "ArchivingToExchange")
USER_POLICY_TYPE = POLICIES + "UserServices.UserServicesPolicy"
_UCS = (Parameter("UcsAllowed", "bool"), Parameter("MigrationDelayInDays", "int"), Parameter("Description", "string"))


def specs() -> list[CmdletSpec]:
    """User and policy cmdlets, for the local shell and the remote endpoint."""
    user = Parameter("Identity", "string", position=0, from_pipeline=True, from_pipeline_by_property_name=True)
    needed = Parameter("Identity", "string", mandatory=True, position=0, from_pipeline_by_property_name=True)
    reads = (identity(), Parameter("Filter", "string"), LOCAL_STORE)
    return [
        CmdletSpec("Get-CsUserServicesPolicy", _get_user_policies, reads),
        CmdletSpec("New-CsUserServicesPolicy", _new_user_policy, (needed, *_UCS, FORCE), should_process=True),
        CmdletSpec("Set-CsUserServicesPolicy", _set_user_policy, (identity(), *_UCS, FORCE), should_process=True),
        CmdletSpec("Remove-CsUserServicesPolicy", _remove_user_policy, (needed, FORCE), should_process=True),
        CmdletSpec(
            "Grant-CsUserServicesPolicy",
            _grant_user_policy,
            (
                Parameter("Identity", "string", mandatory=True, position=0, from_pipeline_by_property_name=True),
                Parameter("PolicyName", "string", mandatory=True, position=1, allow_null=True),
                Parameter("PassThru", "switch"),
            ),
            should_process=True,
        ),
        CmdletSpec("Get-CsUser", _get_user, (user, Parameter("Filter", "string"))),
        CmdletSpec(
            "Set-CsUser",
            _set_user,
            (needed, Parameter("ExchangeArchivingPolicy", "string", values=EXCHANGE_ARCHIVING)),
            should_process=True,
        ),
        CmdletSpec("Invoke-CsUcsRollback", _roll_back, (needed, FORCE), should_process=True),
        CmdletSpec("Get-CsArchivingConfiguration", _get_archiving_configuration, reads),
        CmdletSpec(
            "Set-CsArchivingConfiguration",
            _set_archiving_configuration,
            (
                identity(),
                Parameter("EnableArchiving", "string", values=ARCHIVING),
                Parameter("EnableExchangeArchiving", "bool"),
                FORCE,
            ),
            should_process=True,
        ),
        CmdletSpec("Get-CsArchivingPolicy", _get_archiving_policy, reads),
        CmdletSpec(
            "Set-CsArchivingPolicy",
            _set_archiving_policy,
            (identity(), Parameter("ArchiveInternal", "bool"), Parameter("ArchiveExternal", "bool"), FORCE),
            should_process=True,
        ),
    ]


def _items(call: Call, kind: str) -> list[dict[str, Any]]:
    replica = replica_to_read(call)
    with reading(call) as at:
        return chosen(call, at.estate.cms.list(kind, replica=replica))


def _get_user_policies(call: Call) -> Iterator[PsObject]:
    return (_user_policy(row) for row in _items(call, "UserServicesPolicy"))


def _user_policy(row: Mapping[str, Any]) -> PsObject:
    return ps_object(
        USER_POLICY_TYPE,
        Identity=row["Identity"],
        UcsAllowed=row["UcsAllowed"],
        MigrationDelayInDays=row["MigrationDelayInDays"],
    )


def _new_user_policy(call: Call) -> Iterator[PsObject]:
    require(call, USER_ADMINS)
    reach_store(call)
    name = _tag(text(call.parameters["Identity"]))
    row = {
        "Identity": name,
        "UcsAllowed": bool(call.parameters.get("UcsAllowed", True)),
        "MigrationDelayInDays": int(call.parameters.get("MigrationDelayInDays", 0)),
    }
    if not call.should_process(name):
        return iter(())
    with changing(call) as at:
        if at.estate.cms.read(f"UserServicesPolicy/{name}") is not None:
            # the wording is UNCONFIRMED
            call.throw(f'An item with identity "{name}" already exists.', id="ItemExists", category="ResourceExists")
        at.estate.cms.write(f"UserServicesPolicy/{name}", row)
    return iter([_user_policy(row)])


def _set_user_policy(call: Call) -> None:
    _set_item(call, "UserServicesPolicy", ("UcsAllowed", "MigrationDelayInDays"), USER_ADMINS)


def _remove_user_policy(call: Call) -> None:
    require(call, USER_ADMINS)
    reach_store(call)
    name = text(call.parameters["Identity"])
    key = f"UserServicesPolicy/{name if name.lower() == 'global' else _tag(name)}"
    with reading(call) as at:
        known = at.estate.cms.read(key) is not None
    if not known:
        not_found(call, name)
    if call.should_process(name):
        with changing(call) as at:
            # removing the global policy puts its delivered values back
            delivered = {"Identity": "Global", "UcsAllowed": True, "MigrationDelayInDays": 0}
            at.estate.cms.write(key, delivered if name.lower() == "global" else None)


def _grant_user_policy(call: Call) -> Iterator[PsObject]:
    require(call, USER_ADMINS)
    reach_store(call)
    policy = text(call.parameters["PolicyName"]) or None
    with reading(call) as at:
        user = _user(at, call, text(call.parameters["Identity"]))
        if policy is not None and at.estate.cms.read(f"UserServicesPolicy/{_tag(policy)}") is None:
            not_found(call, policy)
    if not call.should_process(user.name):
        return
    with changing(call) as at:
        before, user.user_services_policy = user.user_services_policy, policy
        at.estate.record("configuration", f"lync_user:{user.sip_address}:UserServicesPolicy", before, policy)
    if call.parameters.get("PassThru"):
        yield _shown_user(user)


def _get_user(call: Call) -> Iterator[PsObject]:
    require(call, READERS)
    reach_store(call)  # a user is read from the directory: the same second hop
    wanted = call.parameters.get("Identity")
    with reading(call) as at:
        found = list(at.estate.users.values()) if wanted is None else [_user(at, call, text(wanted))]
    return (_shown_user(user) for user in found)


def _set_user(call: Call) -> None:
    require(call, USER_ADMINS)
    reach_store(call)
    with reading(call) as at:
        user = _user(at, call, text(call.parameters["Identity"]))
    if "ExchangeArchivingPolicy" in call.parameters and call.should_process(user.name):
        with changing(call) as at:
            before = asdict(user)
            user.exchange_archiving_policy = text(call.parameters["ExchangeArchivingPolicy"])
            at.estate.record("configuration", f"lync_user:{user.sip_address}", before, asdict(user))


def _roll_back(call: Call) -> None:
    require(call, USER_ADMINS)
    reach_store(call)
    with reading(call) as at:
        user = _user(at, call, text(call.parameters["Identity"]))
    if user.contacts_in_exchange and call.should_process(user.name):
        with changing(call) as at:
            user.contacts_in_exchange, user.contacts_rolled_back = False, at.estate.now()
            at.estate.record("configuration", f"lync_user:{user.sip_address}:contacts", "Exchange", "Lync")


def _user(at: Place, call: Call, name: str) -> LyncUser:
    low = name.lower()
    for user in at.estate.users.values():
        if low in (user.sip_address, user.sip_address.removeprefix("sip:"), user.upn.lower(), user.name.lower()):
            return user
    # the wording is UNCONFIRMED
    call.throw(
        f'Management object not found for identity "{name}".',
        id="ManagementObjectNotFound",
        category="ObjectNotFound",
        exception="Microsoft.Rtc.Management.AD.ManagementObjectNotFoundException",
    )


def _shown_user(user: LyncUser) -> PsObject:
    return ps_object(
        "Microsoft.Rtc.Management.ADConnect.Schema.ADUser",
        Identity=f"CN={user.name},CN=Users,DC=litwareinc,DC=com",
        SipAddress=user.sip_address,
        DisplayName=user.name,
        UserPrincipalName=user.upn,
        Enabled=True,
        RegistrarPool=user.pool,
        UserServicesPolicy=user.user_services_policy,
        ExchangeArchivingPolicy=enum(
            "Microsoft.Rtc.Management.ADConnect.Schema.ExchangeArchivingPolicy",
            EXCHANGE_ARCHIVING,
            user.exchange_archiving_policy,
        ),
    )


def _get_archiving_configuration(call: Call) -> Iterator[PsObject]:
    return (
        ps_object(
            SETTINGS + "Archiving.ArchivingSettings",
            Identity=row["Identity"],
            EnableArchiving=enum(SETTINGS + "Archiving.ArchivingMode", ARCHIVING, str(row["EnableArchiving"])),
            EnableExchangeArchiving=row["EnableExchangeArchiving"],
        )
        for row in _items(call, "ArchivingConfiguration")
    )


def _set_archiving_configuration(call: Call) -> None:
    _set_item(call, "ArchivingConfiguration", ("EnableArchiving", "EnableExchangeArchiving"), SERVER_ADMINS)


def _get_archiving_policy(call: Call) -> Iterator[PsObject]:
    return (ps_object(POLICIES + "Im.IMArchivingPolicy", row) for row in _items(call, "ArchivingPolicy"))


def _set_archiving_policy(call: Call) -> None:
    _set_item(call, "ArchivingPolicy", ("ArchiveInternal", "ArchiveExternal"), USER_ADMINS)


def _set_item(call: Call, kind: str, names: tuple[str, ...], groups: tuple[str, ...]) -> None:
    require(call, groups)
    reach_store(call)
    name = text(call.parameters.get("Identity", "Global"))
    key = f"{kind}/{name if name.lower() == 'global' else _tag(name)}"
    with reading(call) as at:
        before = at.estate.cms.read(key)
    if before is None:
        not_found(call, name)
    if call.should_process(str(before["Identity"])):
        changes = {key: call.parameters[key] for key in names if key in call.parameters}
        with changing(call) as at:
            at.estate.cms.write(key, {**before, **changes})


def _tag(name: str) -> str:
    """A per-user policy's identity: `Tag:` and its name."""
    return name if name.lower().startswith(("tag:", "site:")) else f"Tag:{name}"
