"""The application ids that Microsoft's servers use in server-to-server trust, and what each one names."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

LYNC: Final = "00000004-0000-0ff1-ce00-000000000000"
EXCHANGE: Final = "00000002-0000-0ff1-ce00-000000000000"
SHAREPOINT: Final = "00000003-0000-0ff1-ce00-000000000000"
ACS: Final = "00000001-0000-0000-c000-000000000000"

_NAMES: Final = MappingProxyType(
    {
        LYNC: "Lync or Skype for Business Server",
        EXCHANGE: "Exchange Server",
        SHAREPOINT: "SharePoint Server",
        ACS: "the cloud's authorization server (ACS, Entra)",
    }
)


def name_of(application_id: str) -> str | None:
    """The product that an application id names, or None when it is none of the four (fact F20)."""
    return _NAMES.get(application_id.lower())
