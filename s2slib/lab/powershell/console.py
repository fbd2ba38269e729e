"""The process around a script: its standard streams, environment, host and identity; stderr as CLIXML where Windows has it so."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.culture import EN_US, Culture
from s2slib.lab.powershell.engine import InformationRecord, ProgressRecord, Streams
from s2slib.lab.powershell.errors import ErrorRecord, Unsupported

if TYPE_CHECKING:
    from s2slib.lab.powershell.dotnet_io import ByteStream, TextReader, TextWriter
    from s2slib.lab.powershell.registry import Machine

MAX_OUTPUT = 256 * 1024 * 1024
WIDTH = 80  # columns of a console that is not there


class Console:
    """One process. Thread safe where runspaces share it."""

    def __init__(
        self,
        machine: Machine,
        session: Any,
        stdin: BinaryIO,
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
        *,
        pid: int,
    ) -> None:
        self.machine, self.session = machine, session
        self.stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self.pid = pid
        self.non_interactive = False
        self.xml_errors = True
        self.culture: Culture = EN_US
        self.instance_id = uuid.uuid4()
        self.environment = {k.lower(): (k, x) for k, x in machine.environment(session).items()}
        self.user = self.environment.get("username", ("", "Administrator"))[1]
        self._lock = threading.Lock()
        self._written = 0
        self._xml_open = False
        self._type_names = 0
        self._input_owner: Any = None
        self._in: TextReader | None = None
        self._out: TextWriter | None = None
        self._err: TextWriter | None = None
        self._runspaces = itertools.count(1)
        self._sessions = itertools.count(1)
        self.sessions: list[Any] = []
        self.streams = Streams(
            {2: self.write_error, 3: self._record("warning"), 4: self._record("verbose"), 5: self._record("debug"),
             6: self.write_information},
            self.write_progress,
        )  # fmt: skip
        from s2slib.lab.powershell.dotnet_engine import HostView

        self.host = HostView(self)

    def next_runspace(self) -> int:
        """A number for a runspace's name."""
        return next(self._runspaces)

    def next_session(self) -> int:
        """A number for a session."""
        return next(self._sessions)

    # -- stdout

    def write_bytes(self, data: bytes) -> None:
        """Bytes to stdout."""
        with self._lock:
            self._written += len(data)
            if self._written > MAX_OUTPUT:
                raise Unsupported(f"more than {MAX_OUTPUT} bytes of output")
            self._stdout(data)

    def write(self, text: str) -> None:
        """Text to stdout, as UTF-8."""
        self.write_bytes(v.join_surrogates(text).encode("utf-8", "replace"))

    def write_line(self, text: str) -> None:
        """A line to stdout."""
        self.write(text + "\r\n")

    def write_host(self, record: InformationRecord) -> None:
        """What Write-Host shows."""
        self.write(record.ps_text() + ("" if record.no_newline else "\r\n"))

    # -- stderr

    def _error_bytes(self, data: bytes) -> None:
        with self._lock:
            self._stderr(data)

    def _xml(self, element: str) -> None:
        head = ""
        if not self._xml_open:
            self._xml_open = True
            head = '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        self._error_bytes((head + element).encode("utf-8"))

    def close(self) -> None:
        """End the document on stderr."""
        if self._xml_open:
            self._error_bytes(b"</Objs>")
            self._xml_open = False
        for writer in (self._out, self._err):
            if writer is not None:
                writer.flush()

    def write_error(self, record: ErrorRecord) -> None:
        """An error record as text, wrapped at the host's width."""
        from s2slib.lab.powershell.clixml import escape
        from s2slib.lab.powershell.output import error_lines

        lines = error_lines(record)
        if self.xml_errors:
            for line in lines:
                self._xml(f'<S S="Error">{escape(line)}_x000D__x000A_</S>')
        else:
            self._error_bytes("".join(line + "\r\n" for line in lines).encode("utf-8"))

    def write_error_text(self, text: str) -> None:
        """Text to the error stream, line by line."""
        from s2slib.lab.powershell.clixml import escape

        for line in text.replace("\r\n", "\n").split("\n"):
            if self.xml_errors:
                self._xml(f'<S S="Error">{escape(line)}_x000D__x000A_</S>')
            else:
                self._error_bytes((line + "\r\n").encode("utf-8"))

    def write_native_error(self, text: str) -> None:
        """A line a native program wrote to stderr: passed through."""
        self._error_bytes((text + "\r\n").encode("utf-8"))

    def _record(self, stream: str) -> Callable[[Any], None]:
        def write(record: Any) -> None:
            from s2slib.lab.powershell.clixml import escape

            if self.xml_errors:
                self._xml(f'<S S="{stream}">{escape(record.message)}</S>')
            else:
                self.write_line(f"{stream.upper()}: {record.message}")

        return write

    def write_information(self, record: InformationRecord) -> None:
        """Write-Host and shown information go to the host, which is stdout."""
        if record.shown:
            self.write_host(record)

    def write_progress(self, record: ProgressRecord) -> None:
        """A progress record."""
        from s2slib.lab.powershell.clixml import progress

        if self.xml_errors:
            self._xml(progress(record, first=self._type_names == 0, number=self._type_names))
            self._type_names += 1

    # -- streams as objects

    def claim_input(self, reader: Any) -> None:
        """Two readers of one input would take lines from each other."""
        if self._input_owner is None:
            self._input_owner = reader
        elif self._input_owner is not reader:
            raise Unsupported("a second reader of standard input")

    def input_stream(self) -> ByteStream:
        """[Console]::OpenStandardInput()."""
        from s2slib.lab.powershell.dotnet_io import ByteStream

        return ByteStream("stdin", source=self.stdin)

    def output_stream(self) -> ByteStream:
        """[Console]::OpenStandardOutput()."""
        from s2slib.lab.powershell.dotnet_io import ByteStream

        return ByteStream("stdout", sink=self.write_bytes)

    def error_stream(self) -> ByteStream:
        """[Console]::OpenStandardError()."""
        from s2slib.lab.powershell.dotnet_io import ByteStream

        return ByteStream("stderr", sink=self._error_bytes)

    def in_reader(self) -> TextReader:
        """[Console]::In."""
        from s2slib.lab.powershell.dotnet_encodings import utf8
        from s2slib.lab.powershell.dotnet_io import TextReader

        if self._in is None:
            self._in = TextReader("System.IO.TextReader", self.input_stream(), utf8())
        return self._in

    def out_writer(self) -> TextWriter:
        """[Console]::Out."""
        from s2slib.lab.powershell.dotnet_encodings import utf8
        from s2slib.lab.powershell.dotnet_io import TextWriter

        if self._out is None:
            self._out = TextWriter(self.output_stream(), utf8(False), auto_flush=True, kind="TextWriter")
        return self._out

    def error_writer(self) -> TextWriter:
        """[Console]::Error."""
        from s2slib.lab.powershell.dotnet_encodings import utf8
        from s2slib.lab.powershell.dotnet_io import TextWriter

        if self._err is None:
            self._err = TextWriter(self.error_stream(), utf8(False), auto_flush=True, kind="TextWriter")
        return self._err

    def input_lines(self) -> list[str]:
        """Standard input as lines, for $input."""
        data = self.stdin.read()
        text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
        if not text:
            return []
        return text.removesuffix("\n").split("\n")
