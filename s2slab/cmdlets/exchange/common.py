"""What the Exchange cmdlets share: the domain controller they talk to, identities, and errors in Exchange's shape."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2slab.cmdlets.shared.base import Place, place, request_stamp, text
from s2slab.engine.registry import Call, Parameter

DOMAIN_CONTROLLER = Parameter("DomainController", "string")
TASKS = "Microsoft.Exchange.Configuration.Tasks."
CONFIGURATION = "Microsoft.Exchange.Data.Directory.SystemConfiguration."
MANAGEMENT = "Microsoft.Exchange.Data.Directory.Management."


class Refused(Exception):
    """A task ends with one error, which it writes: the pipeline goes on."""

    def __init__(self, message: str, exception: str, category: str = "InvalidOperation") -> None:
        super().__init__(message)
        self.message, self.exception, self.category = message, exception, category


def identity(*, mandatory: bool = False) -> Parameter:
    """`-Identity`, positional, from a piped object or its property."""
    return Parameter(
        "Identity", "string", mandatory=mandatory, position=0, from_pipeline=True, from_pipeline_by_property_name=True
    )


def controller(call: Call) -> str:
    """The FQDN of the domain controller the command talks to: the one it names, else the one of its server's site.

    Raises Refused when there is no such controller or it does not answer.
    """
    at = place(call)
    named = text(call.parameters.get("DomainController"))
    found = at.estate.directory.controller(named) if named else at.server.domain_controller
    if found is None or not at.estate.server(found).reachable:
        # the wording is UNCONFIRMED
        raise Refused(
            f"Active Directory server {named or found} isn't available. Try again later.",
            "Microsoft.Exchange.Data.Directory.ADServerSettingsException",
            "ResourceUnavailable",
        )
    return found


def missing(name: str, dc: str) -> Refused:
    """There is no such object."""
    return Refused(
        f"The operation couldn't be performed because object '{name}' couldn't be found on '{dc}'.",
        TASKS + "ManagementObjectNotFoundException",
        "NotSpecified",
    )


def report(call: Call, refused: Refused) -> None:
    """Write the error that ended a task."""
    at: Place = place(call)
    failure = f"Cmdlet-{refused.exception.rsplit('.', 1)[-1]}"
    call.write_error(
        refused.message,
        id=request_stamp(at.server.name, at.now, failure),
        category=refused.category,
        exception=refused.exception,
    )


def named(rows: Iterable[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The object that `name` identifies: by name, canonical name, distinguished name, GUID or address."""
    low = name.lower()
    bare = low.rsplit("/", 1)[-1].removeprefix("cn=").split(",", 1)[0]
    for row in rows:
        keys = (row.get("Name"), row.get("Guid"), row.get("PrimarySmtpAddress"), row.get("UserPrincipalName"))
        if any(key and str(key).lower() in (low, bare) for key in keys):
            return row
    return None


def selected(call: Call, rows: list[dict[str, Any]], dc: str) -> list[dict[str, Any]]:
    """The rows that -Identity names; all without it. Raises Refused for a name that matches none."""
    wanted = call.parameters.get("Identity")
    if wanted is None:
        return rows
    found = named(rows, text(wanted))
    if found is None:
        raise missing(text(wanted), dc)
    return [found]


def stamps(row: dict[str, Any]) -> dict[str, Any]:
    """The properties that every object of the directory has in common."""
    return {
        "Guid": row["Guid"],
        "WhenChanged": row["WhenChangedUTC"],
        "WhenCreated": row["WhenCreatedUTC"],
        "WhenChangedUTC": row["WhenChangedUTC"],
        "WhenCreatedUTC": row["WhenCreatedUTC"],
        "IsValid": True,
        "ObjectState": "Unchanged",
    }
