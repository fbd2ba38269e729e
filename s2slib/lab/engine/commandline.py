"""powershell.exe's own command line: what is to be run, and how it was handed over."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field

DASHES = "-–—―"
_SWITCHES = ("nologo", "noprofile", "noninteractive", "sta", "mta", "noexit")
_VALUES = ("executionpolicy", "inputformat", "outputformat", "version", "windowstyle", "configurationname", "psconsolefile")
_MAIN = ("command", "encodedcommand", "file", "help", "encodedarguments")
_SHORT = {"c": "command", "e": "encodedcommand", "ec": "encodedcommand", "f": "file", "ep": "executionpolicy",
          "ex": "executionpolicy", "if": "inputformat", "of": "outputformat", "w": "windowstyle", "v": "version",
          "h": "help", "?": "help", "nop": "noprofile", "noni": "noninteractive", "nol": "nologo", "s": "sta"}  # fmt: skip


class UsageError(Exception):
    """The command line is wrong: what powershell.exe says, and its exit code."""

    def __init__(self, message: str, code: int = -196608) -> None:
        super().__init__(message)
        self.message, self.code = message, code


@dataclass
class CommandLine:
    """What a command line asks for; `command` is None when the text is to come over standard input."""

    command: str | None = None
    encoded: bool = False
    file: str | None = None
    arguments: list[str] = field(default_factory=list)
    switches: list[str] = field(default_factory=list)
    text_output: bool = False


def read_command_line(argv: Sequence[str]) -> CommandLine:
    """Read powershell.exe's arguments (without the program). Raises UsageError."""
    line = CommandLine()
    i = 0
    while i < len(argv):
        argument = argv[i]
        if len(argument) < 2 or (argument[0] not in DASHES and argument[0] != "/"):
            line.command = " ".join(argv[i:])  # bare words are a command
            return line
        name = _option(argument.lstrip(DASHES + "/").lower())
        i += 1
        if name in _SWITCHES:
            line.switches.append(name)
        elif name in _VALUES:
            if i >= len(argv):
                raise UsageError(f"Missing argument for parameter {name}.")
            line.text_output = line.text_output or (name == "outputformat" and argv[i].lower().startswith("t"))
            i += 1
        elif name in ("command", "encodedcommand", "file"):
            if i >= len(argv):
                raise UsageError(f"Cannot process the command because of a missing parameter. {argument} needs a value.")
            rest = list(argv[i:])
            if name == "encodedcommand":
                line.command, line.encoded = _decode(rest[0]), True
            elif name == "file":
                line.file, line.arguments = rest[0], rest[1:]
            elif rest != ["-"]:
                line.command = " ".join(rest)
            return line
        else:
            raise UsageError(f"The lab's powershell.exe does not know the option {argument}.")
    return line


def _option(name: str) -> str:
    if name in _SHORT:
        return _SHORT[name]
    found = [known for known in (*_MAIN, *sorted((*_SWITCHES, *_VALUES))) if known.startswith(name)]
    return found[0] if found else name


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        raise UsageError(
            "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. The value "
            "must be Base64 encoded."
        ) from None
