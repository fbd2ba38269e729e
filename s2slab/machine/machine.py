"""A server of the estate as its PowerShell sees it: its commands, files, environment, clock and endpoints."""

from __future__ import annotations

from s2slab.cmdlets.catalogue import local_registry
from s2slab.engine.registry import Opening
from s2slab.estate.estate import Estate, Server
from s2slab.estate.files import INSTALL_PATH
from s2slab.estate.paths import Paths
from s2slab.estate.session import LabSession
from s2slab.machine.endpoint import LabEndpoint, open_endpoint
from s2slab.network.network import Network
from s2slab.winrm.launching import Launch

__all__ = ["LabMachine", "LabSession"]


class LabMachine:
    """Implements the engine's Machine for one server. One object serves every session; it holds no state of its own."""

    powershell_version = "5.1.14393.4530"

    def __init__(self, estate: Estate, server: Server, network: Network | None = None) -> None:
        self.estate = estate
        self.network = network
        self.server = server
        self.name = server.name
        self.fqdn = server.fqdn
        self.registry = local_registry(estate, server)
        self._paths = Paths(server)

    @property
    def language_mode(self) -> str:
        """FullLanguage, or ConstrainedLanguage where AppLocker or WDAC is in force."""
        return self.server.language_mode

    @language_mode.setter
    def language_mode(self, mode: str) -> None:
        self.server.language_mode = mode

    def environment(self, session: LabSession) -> dict[str, str]:
        """The environment variables of a process of that session."""
        found = {
            "ALLUSERSPROFILE": "C:\\ProgramData",
            "CommonProgramFiles": "C:\\Program Files\\Common Files",
            "COMPUTERNAME": self.name.upper(),
            "ComSpec": "C:\\Windows\\system32\\cmd.exe",
            "NUMBER_OF_PROCESSORS": "4",
            "OS": "Windows_NT",
            "Path": "C:\\Windows\\system32;C:\\Windows;C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\",
            "PROCESSOR_ARCHITECTURE": "AMD64",
            "ProgramData": "C:\\ProgramData",
            "ProgramFiles": "C:\\Program Files",
            "SystemDrive": "C:",
            "SystemRoot": "C:\\Windows",
            "TEMP": f"C:\\Users\\{session.account.name}\\AppData\\Local\\Temp",
            "TMP": f"C:\\Users\\{session.account.name}\\AppData\\Local\\Temp",
            "USERDNSDOMAIN": self.estate.domain.upper(),
            "USERDOMAIN": self.estate.netbios,
            "USERNAME": session.account.name,
            "USERPROFILE": f"C:\\Users\\{session.account.name}",
            "windir": "C:\\Windows",
        }
        if self.server.is_exchange:
            found["ExchangeInstallPath"] = INSTALL_PATH
        return found

    def read_file(self, path: str) -> str | None:
        """The text of a file, or None; Windows paths, case aside."""
        with self.estate.reading():
            return self._paths.read(path)

    def script_files(self) -> list[str]:
        """The script files on its drives, by their full paths."""
        with self.estate.reading():
            return [path for path in self.server.files if path.lower().endswith(".ps1")]

    def exists(self, path: str) -> bool:
        """Whether a file, folder, registry key or certificate exists."""
        with self.estate.reading():
            return self._paths.exists(path)

    def session_of(self, launch: Launch) -> LabSession:
        """The token of the process that a WinRM client starts: a network logon, delegated when the password came along.

        KeyError for an account that the estate does not have.
        """
        logon = launch.logon
        account = self.estate.accounts[logon.user.lower()]
        return LabSession(account, logon.method, delegated=logon.password is not None)

    def open_endpoint(self, session: LabSession, wanted: Opening) -> LabEndpoint:
        """The far side of an inner remote session, see `endpoint.open_endpoint`. Raises EndpointError."""
        return open_endpoint(self, session, wanted, lambda server: LabMachine(self.estate, server, self.network))
