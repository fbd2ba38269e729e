"""`s2s lab shell`: an interactive PowerShell on a simulated server of a running lab."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from s2slab.engine.real import find_pwsh, version_of
from s2slab.errors import LabError

_KEPT = ("TERM", "COLORTERM", "COLUMNS", "LINES", "LC_ALL", "WT_SESSION")


class ConsoleRefused(LabError):
    """The lab does not open a console there; the text says why."""


def open_console(state: Path, server: str, account: str | None) -> int:
    """Be a management shell on `server` until its user leaves it; the exit code.

    Raises EngineUnavailable without a PowerShell, ConsoleRefused without a running lab or for an unknown server or account.
    """
    program = find_pwsh()
    version_of(program)
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
        link = socket.create_connection(("127.0.0.1", int(found["bridge"]["port"])), timeout=10)
    except (OSError, ValueError, KeyError):
        raise ConsoleRefused(f"no lab is running with {state.name}: start one with s2s lab, in another shell") from None
    with link, link.makefile("rw", encoding="utf-8", newline="\n") as talk:
        ask(talk, {"token": found["bridge"]["token"]})
        answer = ask(talk, {"op": "console", "server": server, "account": account})
        if answer["e"] != "console":
            raise ConsoleRefused(str(answer.get("v", "")).removeprefix("="))
        surroundings = {
            **dict(answer["environment"]),
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
        }
        shipped = str(program.resolve().parent / "Modules")
        surroundings["PSModulePath"] = os.pathsep.join([surroundings["PSModulePath"], shipped])
        command = [str(program), "-NoLogo", "-NoProfile", "-NoExit", "-File", answer["script"]]
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the shell
        try:
            return subprocess.call(command, env=surroundings)
        finally:
            signal.signal(signal.SIGINT, before)


def ask(talk: Any, request: dict[str, Any]) -> dict[str, Any]:
    """One line to the bridge, one line back."""
    talk.write(json.dumps(request) + "\n")
    talk.flush()
    answer = json.loads(talk.readline() or '{"e": "refused", "v": "the lab closed the connection"}')
    return dict(answer)
