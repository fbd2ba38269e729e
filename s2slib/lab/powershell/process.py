"""powershell.exe: its command line, exit codes and the way a script's end becomes a process's end."""

from __future__ import annotations

import base64
import binascii
import itertools
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from s2slib.lab.powershell.console import Console
from s2slib.lab.powershell.culture import culture_named
from s2slib.lab.powershell.engine import ScriptBlock, StopSignal
from s2slib.lab.powershell.errors import (
    DotNetError,
    ErrorRecord,
    ExitFlow,
    Position,
    PsError,
    PsParseError,
    StopFlow,
    Unsupported,
)
from s2slib.lab.powershell.functions import FunctionCall
from s2slib.lab.powershell.interpreter import Engine, parse_failure
from s2slib.lab.powershell.output import DefaultOutput
from s2slib.lab.powershell.parameters import RawArgument
from s2slib.lab.powershell.parse import parse_script
from s2slib.lab.powershell.pipelines import NO_SOURCE
from s2slib.lab.powershell.registry import Machine
from s2slib.lab.powershell.scan import DASHES
from s2slib.lab.powershell.signatures import FunctionInfo
from s2slib.lab.powershell.values import Enumerated

REFUSED = 200  # the exit code of a script the evaluator does not understand
STOPPED = 1223  # what a process ends with that was terminated from outside
_SWITCHES = {"nologo", "noprofile", "noninteractive", "sta", "mta", "noexit"}
_VALUES = {
    "executionpolicy",
    "inputformat",
    "outputformat",
    "version",
    "windowstyle",
    "configurationname",
    "psconsolefile",
}
_MAIN = ("command", "encodedcommand", "file", "help", "encodedarguments")
_SHORT = {"c": "command", "e": "encodedcommand", "ec": "encodedcommand", "f": "file", "ep": "executionpolicy",
          "ex": "executionpolicy",
          "if": "inputformat", "of": "outputformat", "w": "windowstyle", "v": "version", "h": "help", "?": "help",
          "nop": "noprofile", "noni": "noninteractive", "nol": "nologo", "s": "sta"}  # fmt: skip


@dataclass
class CommandLine:
    """What a command line asks for."""

    command: str | None = None
    encoded: bool = False
    file: str | None = None
    arguments: list[str] = field(default_factory=list)
    non_interactive: bool = False
    text_output: bool = False
    from_stdin: bool = False


class UsageError(Exception):
    """The command line is wrong: the message and exit code of powershell.exe."""

    def __init__(self, message: str, code: int = -196608) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def parse_command_line(argv: Sequence[str]) -> CommandLine:
    """Read powershell.exe's arguments (without the program). Raises UsageError or Unsupported."""
    line = CommandLine()
    i = 0
    while i < len(argv):
        arg = argv[i]
        if not arg or (arg[0] not in DASHES and arg[0] != "/") or len(arg) == 1:
            line.command = " ".join(argv[i:])  # a bare command is -Command
            if line.command == "-":
                line.command, line.from_stdin = None, True
            return line
        name = _option(arg.lstrip(DASHES + "/").lower())
        i += 1
        if name in _SWITCHES:
            line.non_interactive = line.non_interactive or name == "noninteractive"
            if name == "noexit":
                raise Unsupported("powershell.exe -NoExit")
        elif name in _VALUES:
            if i >= len(argv):
                raise UsageError(f"Missing argument for parameter {name}.")
            if name == "outputformat":
                line.text_output = argv[i].lower().startswith("t")
                if argv[i].lower().startswith("x"):
                    raise Unsupported("powershell.exe -OutputFormat XML")
            elif name == "inputformat" and argv[i].lower().startswith("x"):
                raise Unsupported("powershell.exe -InputFormat XML")
            elif name in ("configurationname", "psconsolefile"):
                raise Unsupported(f"powershell.exe -{name}")
            i += 1
        elif name == "encodedcommand":
            if i >= len(argv):
                raise UsageError(
                    "Cannot process the command because of a missing parameter. A command must follow -EncodedCommand."
                )
            line.command, line.encoded = _decode(argv[i]), True
            if i + 1 < len(argv):
                raise Unsupported("arguments after -EncodedCommand")
            return line
        elif name == "command":
            if i >= len(argv):
                raise UsageError(
                    "Cannot process the command because of a missing parameter. A command must follow -Command."
                )
            if list(argv[i:]) == ["-"]:
                line.from_stdin = True
            else:
                line.command = " ".join(argv[i:])
            return line
        elif name == "file":
            if i >= len(argv):
                raise UsageError("The -File parameter requires an argument.")
            line.file, line.arguments = argv[i], list(argv[i + 1 :])
            if line.file == "-":
                line.file, line.from_stdin = None, True
            return line
        else:
            raise Unsupported(f"the option {arg} of powershell.exe")
    line.from_stdin = True
    return line


def _option(name: str) -> str:
    if name in _SHORT:
        return _SHORT[name]
    found = [o for o in (*_MAIN, *sorted(_SWITCHES | _VALUES)) if o.startswith(name)]
    return found[0] if found else name


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        raise UsageError(
            "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. The value "
            "must be Base64 encoded."
        ) from None


_PIDS = itertools.count(4100, 4)


def run_process(
    argv: list[str],
    *,
    stdin: BinaryIO,
    stdout: Callable[[bytes], None],
    stderr: Callable[[bytes], None],
    machine: Machine,
    session: object,
    stop: threading.Event,
) -> int:
    """Do what powershell.exe does with this command line (the program itself left out); its exit code.

    Runs in the calling thread until the script ends or `stop` is set. A script that the evaluator does not understand ends
    with REFUSED and says why on stderr.
    """
    if sys.getrecursionlimit() < 12_000:
        sys.setrecursionlimit(12_000)
    signal = StopSignal()
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(stop, signal, ended), name="powershell-stop", daemon=True)
    watcher.start()
    console = Console(machine, session, stdin, stdout, stderr, pid=next(_PIDS))
    console.culture = culture_named(getattr(machine, "culture", "en-US"))
    try:
        return _Process(console, signal).run(argv)
    except Unsupported as e:
        _refuse(console, f"the lab's PowerShell evaluator does not support {e.what}")
        return REFUSED
    except RecursionError:
        _refuse(console, "the lab's PowerShell evaluator does not support a script nested this deeply")
        return REFUSED
    except Exception as e:  # a fault of the evaluator must not pass for an answer of PowerShell
        where = traceback.extract_tb(e.__traceback__)[-1]
        _refuse(
            console,
            f"the lab's PowerShell evaluator does not support this: {type(e).__name__} at {where.name}:{where.lineno} ({e})",
        )
        return REFUSED
    except StopFlow:
        return STOPPED
    finally:
        ended.set()
        signal.set()  # what still runs in other runspaces ends with the process
        console.close()


def _watch(stop: threading.Event, signal: StopSignal, ended: threading.Event) -> None:
    while not ended.is_set():
        if stop.wait(0.1):
            signal.set()
            return


def _refuse(console: Console, what: str) -> None:
    console.write_error_text(
        f"ParserError: {what}.\n"
        "    + CategoryInfo          : NotImplemented: (:) [], NotSupportedException\n"
        "    + FullyQualifiedErrorId : LabEvaluatorUnsupported\n "
    )


class _Process:
    """One run."""

    def __init__(self, console: Console, signal: StopSignal) -> None:
        self.console, self.signal = console, signal
        self.engine = Engine(console.machine, console.session, console, console.culture)

    def run(self, argv: list[str]) -> int:
        try:
            line = parse_command_line(argv)
        except UsageError as e:
            self.console.xml_errors = False
            self.console.write_error_text(e.message)
            return e.code
        self.console.non_interactive = line.non_interactive
        self.console.xml_errors = line.encoded and not line.text_output
        if line.file is not None:
            return self._file(line)
        if line.command is None:
            return self._from_stdin()
        return self._command(line.command)

    def _from_stdin(self) -> int:
        """`-Command -` and no command at all: the script is what arrives on stdin."""
        text = self.console.stdin.read().decode("utf-8", "replace").removeprefix("\ufeff")
        if not text.strip():
            return 0
        raise Unsupported("a script typed into standard input, which is run line by line")

    def _command(self, text: str) -> int:
        output = DefaultOutput(self.console, lambda: self.engine.culture)
        try:
            block = parse_script(text)
        except PsParseError as e:
            self._parse_error(e, text)
            return 1
        frame = self.engine.frame(self.console.streams, self.signal, text)
        if block.uses_input:
            lines = self.console.input_lines()
            self.engine.global_scope.set(
                "input", Enumerated("System.Collections.ArrayList+ArrayListEnumeratorSimple", lines, once=True)
            )
        if block.parameters:
            return self._with_parameters(block, frame, output)
        return self._guarded(lambda: self.engine.run_script(block, frame, output.write), output)

    def _with_parameters(self, block: Any, frame: Any, output: DefaultOutput) -> int:
        info = FunctionInfo.of("", ScriptBlock(block, self.engine), "Script")
        return self._guarded(lambda: self._call(info, frame, output, [], dotted=True), output)

    def _call(
        self, info: FunctionInfo, frame: Any, output: DefaultOutput, raw: list[RawArgument], *, dotted: bool
    ) -> None:
        frame.invocation.source = info.block.ast.source
        call = FunctionCall(frame, output.write, info, raw, (0, 0), dotted=dotted)
        self.engine.feed([call], NO_SOURCE)

    def _guarded(self, run: Callable[[], None], output: DefaultOutput) -> int:
        try:
            run()
        except ExitFlow as e:
            output.finish()
            return e.code
        except PsError as e:
            output.finish()
            self._uncaught(e)
            return 1
        except DotNetError as e:
            raise Unsupported(f"an exception of the kind {e.type_name}") from None
        output.finish()
        return 0 if self.engine.succeeded() else 1

    def _file(self, line: CommandLine) -> int:
        assert line.file is not None
        text = self.console.machine.read_file(line.file)
        if text is None:
            self.console.write_error_text(
                f"The argument '{line.file}' to the -File parameter does not exist. Provide the path to an existing '.ps1' "
                "file as an argument to the -File parameter."
            )
            return -196608
        output = DefaultOutput(self.console, lambda: self.engine.culture)
        try:
            block = parse_script(text.removeprefix("\ufeff"), line.file)
        except PsParseError as e:
            self._parse_error(e, text)
            return 1
        info = FunctionInfo.of(
            line.file.replace("/", "\\").rsplit("\\", 1)[-1],
            ScriptBlock(block, self.engine),
            "ExternalScript",
            line.file,
        )
        frame = self.engine.frame(self.console.streams, self.signal, block.source)
        call = FunctionCall(frame, output.write, info, _file_arguments(line.arguments), (0, 0))
        code = self._guarded(lambda: self.engine.feed([call], NO_SOURCE), output)
        if self._failed:
            return 1
        return code if call.exit_code is None and code > 1 else call.exit_code or 0

    _failed = False

    def _uncaught(self, e: PsError) -> None:
        self._failed = True
        if not e.recorded:
            self.engine.remember(e.record)
        self.console.write_error(e.record)

    def _parse_error(self, e: PsParseError, text: str) -> None:
        error = parse_failure(e)
        record: ErrorRecord = error.record
        record.position = Position(text, min(e.pos, len(text)), min(e.end, len(text)))
        self.console.write_error(record)


def _file_arguments(arguments: list[str]) -> list[RawArgument]:
    """-File's arguments are literal texts; `-Name` and `-Name:value` name parameters."""
    raw: list[RawArgument] = []
    for text in arguments:
        if len(text) > 1 and text[0] in DASHES and (text[1].isalpha() or text[1] == "_"):
            name, colon, value = text[1:].partition(":")
            if colon:
                known = {"$true": True, "$false": False}
                raw.append(RawArgument(name, known.get(value.lower(), value), True))
            else:
                raw.append(RawArgument(name))
        else:
            raw.append(RawArgument(None, text, True))
    return raw
