"""powershell.exe's own command line: which text is to be run, and where in the arguments it stands."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from s2slab.engine.registry import CommandLine

_SWITCHES = ("nologo", "noprofile", "noninteractive", "sta", "mta", "noexit")
_VALUES = (
    "executionpolicy",
    "inputformat",
    "outputformat",
    "version",
    "windowstyle",
    "configurationname",
    "psconsolefile",
)
_MAIN = ("command", "encodedcommand", "file")
_SHORT = {"e": "encodedcommand", "ec": "encodedcommand", "ep": "executionpolicy", "ex": "executionpolicy", "f": "file"}


class UsageError(Exception):
    """The command line is wrong: what powershell.exe says, before it ends with USAGE."""


USAGE = -196608


def read_command_line(argv: Sequence[str]) -> CommandLine:
    """Read powershell.exe's arguments (without the program). Raises UsageError."""
    i = 0
    while i < len(argv):
        argument = argv[i]
        name = _option(argument)
        options = tuple(argv[:i])
        if name is None:
            return CommandLine(options, "command", " ".join(argv[i:]))  # bare words are a command
        i += 1
        if name in _SWITCHES:
            continue
        if i >= len(argv):
            raise UsageError(f"Cannot process the command because of a missing parameter. {argument} needs a value.")
        if name in _MAIN:
            text = _decode(argv[i]) if name == "encodedcommand" else argv[i] if name == "file" else " ".join(argv[i:])
            how = "stdin" if (name, text) == ("command", "-") else name
            return CommandLine(options, how, text, tuple(argv[i + 1 :]) if name == "file" else ())
        i += 1
    return CommandLine(tuple(argv), "stdin", "")


def _option(argument: str) -> str | None:
    if len(argument) < 2 or argument[0] not in "-–—―/":
        return None
    name = argument.lstrip("-–—―/").lower()
    known = (*_MAIN, *sorted((*_SWITCHES, *_VALUES)))
    found = _SHORT.get(name) or next((one for one in known if one.startswith(name)), None)
    if found is None:
        raise UsageError(f"The lab's powershell.exe does not know the option {argument}.")
    return found


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        raise UsageError(
            "The value specified with -EncodedCommand is not properly encoded: it must be Base64."
        ) from None
