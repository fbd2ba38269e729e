"""Role-based access of the products' remote endpoints: which commands an account finds there."""

from __future__ import annotations

from s2slab.estate.session import LabSession

EXCHANGE = "Microsoft.Exchange"
OCS = "OcsPowershell"
WINDOWS = "Microsoft.PowerShell"
# role group -> whether it may change things
EXCHANGE_GROUPS = {"Organization Management": True, "View-Only Organization Management": False}
LYNC_GROUPS = {"CsAdministrator": True, "CsViewOnlyAdministrator": False}
_READS = ("Get-",)


def may_enter(session: LabSession, configuration: str) -> bool:
    """Whether the account holds any role of the endpoint's product."""
    return session.is_in(*_groups(configuration))


def sees(session: LabSession, configuration: str, command: str) -> bool:
    """Whether the endpoint offers this command to the account: what its roles do not hold is simply not there."""
    changes = any(may for group, may in _groups(configuration).items() if session.is_in(group))
    return changes or (may_enter(session, configuration) and command.startswith(_READS))


def _groups(configuration: str) -> dict[str, bool]:
    return EXCHANGE_GROUPS if configuration == EXCHANGE else LYNC_GROUPS
