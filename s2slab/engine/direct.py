"""The direct engine: a powershell.exe that knows s2slib's constant script by its SHA-256 and answers its protocol itself.

Every other text is refused in PowerShell's shape, with what to do about it. Nothing is ever guessed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final

from s2slab.engine.protocol import Supervisor
from s2slab.engine.records import ErrorRecord, Stopped
from s2slab.engine.registry import CommandLine, Machine
from s2slab.engine.shell import script_not_known

# A test holds these and the product's files together.
BOOTSTRAP_DIGEST: Final = "6825ee263d713dcd80a95489911d8f7a56468477ec0c58bba123350557db1e8b"
SCRIPT_DIGEST: Final = "b1a21ed3a3901dd93c8fc6b529920c67d6cbe6d8601b27572e3c0b9c21a47c6c"
REFUSED: Final = 200  # exit code of a text that is not run, and of a fault of the lab itself
STOPPED: Final = 1223  # exit code of a process that was ended from outside
_MAX_SCRIPT = 4 * 1024 * 1024
_XML = '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_CONSTRAINED = ErrorRecord(
    "Cannot create type. Only core types are supported in this language mode.",
    "CannotCreateTypeConstrainedLanguage,Microsoft.PowerShell.Commands.NewObjectCommand",
    "PermissionDenied",
    "System.Management.Automation.PSNotSupportedException",
    "PSNotSupportedException",
)
Write = Callable[[bytes], None]


class DirectEngine:
    """Starts processes of simulated servers in this process."""

    name = "direct"

    def program(
        self, line: CommandLine, machine: Machine, session: Any, environment: Mapping[str, str]
    ) -> Callable[[BinaryIO, Write, Write, threading.Event], int]:
        """What a powershell.exe with this command line does with its streams."""

        def run(stdin: BinaryIO, stdout: Write, stderr: Write, stop: threading.Event) -> int:
            return run_process(
                line, stdin=stdin, stdout=stdout, stderr=stderr, machine=machine, session=session, stop=stop
            )

        return run

    def close(self) -> None:
        """Nothing is held."""


def run_process(
    line: CommandLine,
    *,
    stdin: BinaryIO,
    stdout: Write,
    stderr: Write,
    machine: Machine,
    session: object,
    stop: threading.Event,
) -> int:
    """Be a powershell.exe until its input ends or `stop` is set; its exit code."""

    def refuse(record: ErrorRecord) -> int:
        stderr(shown(record, as_xml=line.xml_errors))
        return REFUSED

    if _digest(line.text.encode("utf-8", "surrogatepass")) != BOOTSTRAP_DIGEST:
        what = {"file": f"The file {line.text}", "stdin": "Text on standard input"}.get(line.how, "The text")
        return refuse(script_not_known(what, line.text))
    if machine.language_mode != "FullLanguage":
        refuse(_CONSTRAINED)
        return 1
    first = stdin.readline(_MAX_SCRIPT)
    try:
        script = base64.b64decode(first, validate=False)
    except binascii.Error:
        script = b""
    if _digest(script) != SCRIPT_DIGEST:
        return refuse(script_not_known("The script on standard input", script.decode("utf-8", "replace")))
    nonce = stdin.readline(1024).decode("ascii", "replace").strip()
    try:
        Supervisor(nonce, stdout, machine, session, stop).serve(iter(stdin.readline, b""))
    except Stopped:
        return STOPPED
    except BrokenPipeError:
        raise
    except Exception as error:  # a fault of the lab must not pass for an answer of a command
        return refuse(crashed(error))
    return 0


def crashed(error: BaseException) -> ErrorRecord:
    """A fault of the lab itself."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = "" if where is None else f" at {where.tb_frame.f_code.co_name}:{where.tb_lineno}"
    return ErrorRecord(
        f"The lab itself failed: {type(error).__name__}{place} ({error}). This is no answer of a server.",
        "LabFault",
        "NotSpecified",
    )


def shown(record: ErrorRecord, *, as_xml: bool) -> bytes:
    """A record as powershell.exe prints it on its error stream."""
    lines = [
        record.message,
        f"    + CategoryInfo          : {record.category}: (:) [], {record.reason}",
        f"    + FullyQualifiedErrorId : {record.id}",
        " ",
    ]
    if not as_xml:
        return "".join(f"{line}\r\n" for line in lines).encode()
    marks = "".join(f'<S S="Error">{_escaped(line)}_x000D__x000A_</S>' for line in lines)
    return f"{_XML}{marks}</Objs>".encode()


def _escaped(text: str) -> str:
    shown = "".join(f"_x{ord(c):04X}_" if c < " " or "\x7f" <= c <= "\x9f" else c for c in text)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
