"""PowerShell text typed on a simulated server: a real powershell.exe there, with that server's commands."""

from __future__ import annotations

import base64
import html
import io
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from s2slab.engine.real import RealEngine
from s2slab.engine.registry import Machine
from s2slab.estate.session import LabSession
from s2slab.machine.machine import LabMachine
from s2slab.service import Lab
from s2slab.winrm.powershell_line import read_command_line

MANAGEMENT_SHELL = (
    '. "$env:ExchangeInstallPath\\bin\\RemoteExchange.ps1"; '
    "Connect-ExchangeServer -auto -ClientApplication:ManagementShell; "
)
QUIET = "$ProgressPreference='SilentlyContinue'; "


@dataclass(frozen=True)
class Ran:
    """What one powershell.exe left."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Standard output by lines."""
        return self.stdout.split("\n")[:-1]

    def says(self, text: str) -> bool:
        """Whether the error stream says this, wherever its lines were wrapped."""
        found = re.findall(r'<S S="Error">(.*?)</S>', self.stderr, re.DOTALL)
        said = html.unescape(re.sub(r"_x000D_|_x000A_|_x001B_\[[\d;]*m", "", "".join(found)))
        return "".join(text.split()) in "".join(said.split())


def powershell(pwsh: RealEngine, machine: Machine, session: Any, script: str) -> Ran:
    """Run a text as -EncodedCommand."""
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    program = pwsh.program(
        read_command_line(["-NoProfile", "-NonInteractive", "-EncodedCommand", encoded]), machine, session, {}
    )
    out, err = bytearray(), bytearray()
    code = program(io.BufferedReader(io.BytesIO()), out.extend, err.extend, threading.Event())  # type: ignore[type-var]
    return Ran(code, out.decode("utf-8").replace("\r\n", "\n"), err.decode("utf-8"))


def type_lines(pwsh: RealEngine, lab: Lab, server: str, lines: Iterable[str]) -> str:
    """A person at a server's management shell, logged on there with delegation; what was shown on standard output."""
    host = lab.estate.server(server)
    account = lab.estate.accounts["s2s-exchange" if host.is_exchange else "s2s-lync"]
    script = QUIET + (MANAGEMENT_SHELL if host.is_exchange else "Import-Module Lync; ") + "\n" + "\n".join(lines)
    ran = powershell(
        pwsh, LabMachine(lab.estate, host, lab.network), LabSession(account, "credssp", delegated=True), script
    )
    assert ran.code == 0, ran.stderr
    return ran.stdout
