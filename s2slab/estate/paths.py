"""What a simulated server has on its drives: files, folders, its certificate store and a few registry keys."""

from __future__ import annotations

import re

from s2slab.estate.disk import StoredFile
from s2slab.estate.estate import Server
from s2slab.estate.files import INSTALL_PATH

SETUP_KEY = "HKLM:\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup"
CERTIFICATE_STORE = "Cert:\\LocalMachine\\My"
_PROGRAMS = (
    "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    "C:\\Windows\\System32\\certutil.exe",
    "C:\\Windows\\System32\\cmd.exe",
    "C:\\Windows\\System32\\hostname.exe",
    "C:\\Windows\\System32\\icacls.exe",
    "C:\\Windows\\System32\\iisreset.exe",
    "C:\\Windows\\System32\\whoami.exe",
)
_FOLDERS = ("C:", "C:\\ProgramData", "C:\\Windows\\Temp")
_HIVE = re.compile(r"^(?:Microsoft\.PowerShell\.Core\\Registry::)?(?:HKEY_LOCAL_MACHINE|HKLM:?)\\", re.IGNORECASE)


class Paths:
    """Windows paths of one server, compared without case; `/` and doubled separators count as one `\\`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def read(self, path: str) -> str | None:
        """A file's text, or None."""
        found = self.file(path)
        return None if found is None else found[1].text

    def file(self, path: str) -> tuple[str, StoredFile] | None:
        """A file with its path as it is spelled on disk, or None."""
        wanted = normal(path)
        return next(((held, file) for held, file in self._server.files.items() if normal(held) == wanted), None)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        wanted = normal(path)
        folders = [normal(one) for one in (*self._server.folders, *_FOLDERS)]
        beneath = [*folders, *(normal(one) for one in (*self._server.files, *_PROGRAMS))]
        return wanted in folders or any(one.startswith(f"{wanted}\\") for one in beneath)

    def exists(self, path: str) -> bool:
        """Whether there is a file, a folder, a registry key or a certificate of that path."""
        wanted = normal(path)
        if wanted.startswith("cert:"):
            return wanted in ("cert:\\", "cert:\\localmachine", CERTIFICATE_STORE.lower()) or (
                wanted.rsplit("\\", 1)[-1].upper() in self._server.certificates
            )
        if wanted.startswith("hklm:"):
            return self.registry_values(path) is not None
        return self.is_folder(path) or wanted in [normal(one) for one in (*self._server.files, *_PROGRAMS)]

    def registry_values(self, path: str) -> dict[str, str] | None:
        """The values of a registry key; None when the lab's server has no such key."""
        if self._server.is_exchange and normal(path) == SETUP_KEY.lower():
            return {"MsiInstallPath": INSTALL_PATH, "MsiProductMajor": "15"}
        return None


def normal(path: str) -> str:
    """A path for comparison: lower case, single separators, none at the end, the registry hive in its short form."""
    text = _HIVE.sub(lambda _: "HKLM:\\", path.strip().replace("/", "\\"))
    return re.sub(r"\\+", r"\\", text).rstrip("\\").lower()
