"""A person at a server's management shell: types lines as text into the lab's PowerShell, logged on there with delegation."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterable

from s2slib.lab.powershell.process import run_process

from s2slib.lab.machine import LabMachine
from s2slib.lab.service import Lab
from s2slib.lab.session import LabSession

MANAGEMENT_SHELL = (
    '. "$env:ExchangeInstallPath\\bin\\RemoteExchange.ps1"; '
    "Connect-ExchangeServer -auto -ClientApplication:ManagementShell; "
)


def type_lines(lab: Lab, server: str, lines: Iterable[str]) -> str:
    """Type lines on a server; what was shown on standard output. AssertionError when the shell ended with an error."""
    host = lab.estate.server(server)
    account = lab.estate.accounts["s2s-exchange" if host.is_exchange else "s2s-lync"]
    loaded = MANAGEMENT_SHELL if host.is_exchange else "Import-Module Lync; "
    script = "$ProgressPreference='SilentlyContinue'; " + loaded + "\n" + "\n".join(lines)
    out: list[bytes] = []
    err: list[bytes] = []
    code = run_process(
        ["-NoProfile", "-NonInteractive", "-EncodedCommand", base64.b64encode(script.encode("utf-16-le")).decode()],
        stdin=io.BytesIO(b""),
        stdout=out.append,
        stderr=err.append,
        machine=LabMachine(lab.estate, host),
        session=LabSession(account, "credssp", delegated=True),
        stop=threading.Event(),
    )
    assert code == 0, b"".join(err).decode()
    return b"".join(out).decode()
