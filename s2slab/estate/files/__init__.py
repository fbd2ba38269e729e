"""The script files that an Exchange server of the lab has on disk: our own texts with the documented behaviour."""

from __future__ import annotations

from importlib import resources

INSTALL_PATH = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\"
PARTNER_SCRIPT = INSTALL_PATH + "Scripts\\Configure-EnterprisePartnerApplication.ps1"
REMOTE_EXCHANGE = INSTALL_PATH + "bin\\RemoteExchange.ps1"


def exchange_files() -> dict[str, str]:
    """Windows path -> text of every script an Exchange server has."""
    return {path: _text(path.rsplit("\\", 1)[-1]) for path in (PARTNER_SCRIPT, REMOTE_EXCHANGE)}


def _text(name: str) -> str:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n").replace("\n", "\r\n")
