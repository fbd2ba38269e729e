"""What the Lync cmdlets share: rights, the way to the Central Management Store, and its parameters."""

from __future__ import annotations

from typing import Any, NoReturn

from s2slab.cmdlets.shared.base import denied, flag, like, place
from s2slab.engine.registry import Call, Parameter
from s2slab.estate.rbac import OCS

READERS = ("RTCUniversalReadOnlyAdmins", "RTCUniversalServerAdmins", "RTCUniversalUserAdmins")
SERVER_ADMINS = ("RTCUniversalServerAdmins",)
USER_ADMINS = ("RTCUniversalUserAdmins", "RTCUniversalServerAdmins")
LOCAL_STORE = Parameter("LocalStore", "switch")
FORCE = Parameter("Force", "switch")
SETTINGS = "Microsoft.Rtc.Management.WritableConfig.Settings."
POLICIES = "Microsoft.Rtc.Management.WritableConfig.Policy."


def identity(*, mandatory: bool = False, by_property: bool = True) -> Parameter:
    """`-Identity`, positional, taken from a piped object's property too."""
    return Parameter("Identity", "string", mandatory=mandatory, position=0, from_pipeline_by_property_name=by_property)


def require(call: Call, groups: tuple[str, ...]) -> None:
    """End the cmdlet unless the token holds one of these groups. The wording is UNCONFIRMED.

    In the remote endpoint the roles have decided already: what the account may not use is not there.
    """
    session = place(call).session
    if session.method != OCS and not session.is_in(*groups):
        denied(call, f"{call.name} needs membership in {' or '.join(groups)}.")


def replica_to_read(call: Call) -> str | None:
    """None for the Central Management Store itself, or the FQDN of the replica that -LocalStore names.

    The store is a database on another server: a token that cannot be shown there is anonymous to it.
    """
    require(call, READERS)
    if flag(call, "LocalStore"):
        return place(call).server.fqdn
    reach_store(call)
    return None


def reach_store(call: Call) -> None:
    """End the cmdlet unless the token can be shown to the database server. The wording is UNCONFIRMED."""
    at = place(call)
    if at.session.network_logon and not at.session.delegated:
        call.throw(
            'Cannot open database "xds" requested by the login. The login failed. '
            "Login failed for user 'NT AUTHORITY\\ANONYMOUS LOGON'.",
            id="SqlConnectionError",
            category="ResourceUnavailable",
            exception="System.Data.SqlClient.SqlException",
        )
    if not at.estate.server(at.estate.database_fqdn).reachable:
        call.throw(
            "A network-related or instance-specific error occurred while establishing a connection to SQL Server.",
            id="SqlConnectionError",
            category="ResourceUnavailable",
            exception="System.Data.SqlClient.SqlException",
        )


def chosen(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items that -Identity or -Filter names (all without them); a name that matches nothing is an error."""
    wanted = call.parameters.get("Identity")
    if wanted is not None:
        found = [row for row in rows if _bare(str(row["Identity"])) == _bare(str(wanted))]
        if not found:
            not_found(call, str(wanted))
        return found
    pattern = call.parameters.get("Filter")
    return [row for row in rows if pattern is None or like(str(pattern), str(row["Identity"]))]


def not_found(call: Call, name: str) -> NoReturn:
    """No item of that identity. The wording is UNCONFIRMED."""
    call.throw(
        f'Cannot find an item with identity "{name}".',
        id="ItemNotFound",
        category="ObjectNotFound",
        exception="Microsoft.Rtc.Management.ManagementException",
    )


def _bare(name: str) -> str:
    """An identity for comparison: without case and without the `Tag:` in front of a named policy."""
    return name.lower().removeprefix("tag:")
