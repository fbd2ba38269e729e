"""What a shell asks of the machine when a client starts a command: the values, without knowing who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from s2slab.winrm.auth import Logon
from s2slab.winrm.process import Process


@dataclass(frozen=True)
class Launch:
    """A command to start: its line as the client sent it (command, space, arguments) and its shell's setup."""

    command_line: str
    logon: Logon
    environment: Mapping[str, str]  # set by the client when it opened the shell
    codepage: int  # of the shell's console; 65001 is UTF-8
    skip_cmd_shell: bool  # CreateProcess gets the line, not cmd.exe
    console_mode_stdin: bool
    working_directory: str | None
    shell_id: str


class LaunchError(Exception):
    """The process could not be created. `code` is the HRESULT that the client's fault carries."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08X}")
        self.code = code


Launcher = Callable[[Launch], Process]
