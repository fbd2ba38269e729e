"""CreateProcess and cmd.exe of a simulated server: from a client's command line to the program that it names."""

from __future__ import annotations

import codecs
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final, Protocol

from s2slab.engine.registry import CommandLine, Machine, ProgramCall
from s2slab.winrm import faults
from s2slab.winrm.commandline import CmdLine, CmdRefused, read_cmd, split_arguments
from s2slab.winrm.launching import Launch, LaunchError
from s2slab.winrm.powershell_line import USAGE, UsageError, read_command_line
from s2slab.winrm.process import Process, Program, ThreadProcess, Writer

REFUSED: Final = 200  # exit code of a command that the lab does not simulate
_COMSPEC: Final = r"C:\Windows\system32\cmd.exe"
_CMD_CHARACTERS: Final = 8191
_LINE_CHARACTERS: Final = 32767
_SYSTEM_FOLDERS: Final = ("c:\\windows\\system32", "c:\\windows\\sysnative", "c:\\windows\\syswow64")
_NOT_SIMULATED: Final = frozenset(
    (
        *("assoc", "call", "cd", "chdir", "cls", "color", "copy", "date", "del", "dir", "endlocal", "erase", "for"),
        *("ftype", "goto", "if", "md", "mkdir", "mklink", "move", "path", "pause", "popd", "prompt", "pushd", "rd"),
        *("rem", "ren", "rename", "rmdir", "set", "setlocal", "shift", "start", "time", "title", "type", "verify"),
        "vol",
    )
)


class Engine(Protocol):
    """What a powershell.exe is."""

    def program(self, line: CommandLine, machine: Machine, session: Any, environment: Mapping[str, str]) -> Program:
        """What one with this command line does with its streams."""

    def close(self) -> None:
        """End what it started."""


def launch_windows(
    launch: Launch, *, machine: Machine, session_of: Callable[[Launch], object], engine: Engine
) -> Process:
    """Start what a command line names on `machine`, in the session that `session_of` makes of the logon.

    PowerShell goes to the engine, everything else to the machine's registered programs; cmd.exe itself knows `echo`,
    `exit`, `ver`, `hostname` and `whoami`. What else cmd.exe could do is refused: a line on stderr, exit code 200.

    Raises LaunchError for a line above 32,767 characters and, without cmd.exe, for a program that is not given by its
    full path or does not exist.
    """
    if len(launch.command_line) > _LINE_CHARACTERS:
        raise LaunchError(faults.NAME_TOO_LONG)
    session = session_of(launch)
    if launch.skip_cmd_shell:
        program = _create_process(launch.command_line, launch, machine, session, engine)
        if program is None:
            raise LaunchError(faults.FILE_NOT_FOUND)
    else:
        program = _cmd(launch.command_line, launch, machine, session, engine)
    return ThreadProcess(program, name=f"{machine.name} {launch.shell_id[:8]}")


def _cmd(line: str, launch: Launch, machine: Machine, session: object, engine: Engine) -> Program:
    # the wrapper that WinRS puts around the line counts; its exact form is UNCONFIRMED
    if len(f'{_COMSPEC} /C "{line}"') > _CMD_CHARACTERS:
        return _says("", "The command line is too long.\r\n", 1, launch)
    environment = {**machine.environment(session), **launch.environment}
    try:
        command = read_cmd(line, environment)
    except CmdRefused as refusal:
        return _refuses(str(refusal), launch)
    builtin = _builtin(command, launch)
    if builtin is not None:
        return builtin
    if command.name.lower() in ("cmd", "cmd.exe") or command.name.lower() == _COMSPEC.lower():
        return _nested(command, launch, machine, session, engine)
    program = _program(command.name, command.text, launch, machine, session, engine)
    if program is not None:
        return program
    if command.name.lower() in _NOT_SIMULATED:
        return _refuses(f"the command {command.name}", launch)
    if machine.exists(command.name):
        return _refuses(f"running {command.name}", launch)
    if "\\" in command.name and not command.name.lower().startswith(_SYSTEM_FOLDERS):
        return _says("", "The system cannot find the path specified.\r\n", 1, launch)
    text = (
        f"'{command.name}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
    )
    return _says("", text, 1, launch)


def _nested(command: CmdLine, launch: Launch, machine: Machine, session: object, engine: Engine) -> Program:
    rest = command.rest.strip()
    if rest[:2].lower() != "/c":
        return _refuses("an interactive cmd.exe", launch)
    line = rest[2:].strip()
    if len(line) > 1 and line.startswith('"') and line.endswith('"'):
        line = line[1:-1]
    return _cmd(line, launch, machine, session, engine)


def _builtin(command: CmdLine, launch: Launch) -> Program | None:
    name, rest = command.name.lower(), command.rest
    if name == "echo":
        shown = rest[1:]
        if not shown.strip():
            return _says("ECHO is on.\r\n", "", 0, launch)
        if shown.strip() == "/?" or shown.strip().lower() in ("on", "off"):
            return _refuses(f"echo {shown.strip()}", launch)
        return _says(f"{shown}\r\n", "", 0, launch)
    if name.startswith("echo."):
        return _says(f"{command.name[5:]}{rest}\r\n", "", 0, launch)
    if name == "exit":
        words = [word for word in rest.split() if word.lower() != "/b"]
        if not words:
            return _says("", "", 0, launch)
        if len(words) > 1 or not words[0].removeprefix("-").isdecimal():
            return _refuses(f"exit {rest.strip()}", launch)
        return _says("", "", int(words[0]), launch)
    if name == "ver" and not rest.strip():
        return _says("\r\nMicrosoft Windows [Version 10.0.14393]\r\n", "", 0, launch)
    return None


def _create_process(line: str, launch: Launch, machine: Machine, session: object, engine: Engine) -> Program | None:
    words = split_arguments(line)
    if not words or "\\" not in words[0] or not words[0].lower().endswith(".exe"):
        return None
    if words[0].lower() == _COMSPEC.lower():
        _, _, rest = line.partition(words[0])
        return _nested(CmdLine(words[0], rest.removeprefix('"'), line), launch, machine, session, engine)
    return _program(words[0], line, launch, machine, session, engine)


def _program(name: str, line: str, launch: Launch, machine: Machine, session: object, engine: Engine) -> Program | None:
    """The program of that name, found in the path or under a system folder; None when there is none."""
    folder, _, file = name.lower().replace("/", "\\").rpartition("\\")
    if folder and not folder.startswith(_SYSTEM_FOLDERS):
        return None
    argv = split_arguments(line)[1:]
    if file in ("powershell", "powershell.exe"):
        try:
            return engine.program(read_command_line(argv), machine, session, launch.environment)
        except UsageError as error:
            return _says("", f"{error}\r\n", USAGE, launch)
    spec = machine.registry.program(file)
    if spec is not None:
        return _registered(spec.run, argv, launch, machine, session)
    if file in ("hostname", "hostname.exe") and not argv:
        return _says(f"{machine.name}\r\n", "", 0, launch)
    if file in ("whoami", "whoami.exe") and not argv:
        return _says(f"{launch.logon.domain}\\{launch.logon.user}".lstrip("\\").lower() + "\r\n", "", 0, launch)
    return None


def _registered(
    program: Callable[[ProgramCall], int], argv: list[str], launch: Launch, machine: Machine, session: Any
) -> Program:
    encoding = console_encoding(launch.codepage)

    def run(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        call = ProgramCall(
            argv=argv,
            write_stdout=lambda text: stdout(text.encode(encoding, "replace")),
            write_stderr=lambda text: stderr(text.encode(encoding, "replace")),
            machine=machine,
            session=session,
            command_id=uuid.uuid4().hex,
            stopping=stop,
        )
        return program(call)

    return run


def console_encoding(codepage: int) -> str:
    """The Python codec of a console code page; code page 437 for one that Python does not know."""
    name = "utf-8" if codepage == 65001 else f"cp{codepage}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp437"


def _says(out: str, error: str, code: int, launch: Launch) -> Program:
    encoding = console_encoding(launch.codepage)

    def run(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        if out:
            stdout(out.encode(encoding, "replace"))
        if error:
            stderr(error.encode(encoding, "replace"))
        return code

    return run


def _refuses(what: str, launch: Launch) -> Program:
    return _says("", f"The lab's cmd.exe does not simulate {what}.\r\n", REFUSED, launch)
