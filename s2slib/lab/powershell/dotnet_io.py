"""Members of streams, readers and writers, and of the console that owns the process's own."""

from __future__ import annotations

import io
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.dotnet_encodings import Encoding, utf8
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import DotNetError, ExitProcess, Unsupported
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers


class ByteStream:
    """A stream: memory, or one of the process's three."""

    def __init__(self, kind: str, *, source: Any = None, sink: Any = None, memory: io.BytesIO | None = None) -> None:
        self.kind, self.source, self.sink, self.memory = kind, source, sink, memory
        self.ps_type = "System.IO.MemoryStream" if memory is not None else "System.IO.Stream"

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type

    def write(self, data: bytes) -> None:
        """Write bytes."""
        if self.memory is not None:
            self.memory.write(data)
        elif self.sink is not None:
            self.sink(data)
        else:
            raise DotNetError("System.NotSupportedException", "Stream does not support writing.")


class TextReader:
    """StreamReader, StringReader and [Console]::In: lines as they arrive."""

    def __init__(self, kind: str, stream: ByteStream | None, encoding: Encoding, text: str = "") -> None:
        self.ps_type, self.stream, self.encoding = kind, stream, encoding
        self._pending = text
        self._ended = stream is None
        self._first = True

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type

    def _fill(self, f: Frame) -> bool:
        """Read one more line of bytes; False at the end."""
        if self._ended or self.stream is None:
            return False
        if self.stream.memory is not None:
            data = self.stream.memory.readline()
        else:
            f.engine.console.claim_input(self)
            data = self.stream.source.readline()
            f.check()
        if not data:
            self._ended = True
            return False
        if self._first and data.startswith(b"\xef\xbb\xbf"):
            data = data[3:]
        self._first = False
        self._pending += self.encoding.decode(data)
        return True

    def read_line(self, f: Frame) -> str | None:
        """The next line without its end; None at the end."""
        while True:
            for at, c in enumerate(self._pending):
                if c == "\n" or (c == "\r" and (at + 1 < len(self._pending) or self._ended)):
                    skip = 2 if self._pending.startswith("\r\n", at) else 1
                    line, self._pending = self._pending[:at], self._pending[at + skip :]
                    return line
            if not self._fill(f):
                if not self._pending:
                    return None
                line, self._pending = self._pending.removesuffix("\r"), ""
                return line

    def read_to_end(self, f: Frame) -> str:
        """Everything that is left."""
        while self._fill(f):
            pass
        text, self._pending = self._pending, ""
        return text

    def read(self, f: Frame) -> int:
        """One character's number, -1 at the end."""
        if not self._pending and not self._fill(f):
            return -1
        c, self._pending = self._pending[0], self._pending[1:]
        if ord(c) > 0xFFFF:
            raise Unsupported("reading half a surrogate pair")
        return ord(c)

    def peek(self, f: Frame) -> int:
        """The next character's number."""
        if not self._pending and not self._fill(f):
            return -1
        return ord(self._pending[0])


class TextWriter:
    """StreamWriter and [Console]::Out, [Console]::Error."""

    def __init__(
        self, stream: ByteStream, encoding: Encoding, *, auto_flush: bool = False, kind: str = "StreamWriter"
    ) -> None:
        self.ps_type = "System.IO." + kind
        self.stream, self.encoding, self.auto_flush = stream, encoding, auto_flush
        self.new_line = "\r\n"
        self._buffer: list[str] = []
        self._begun = stream.memory is None or stream.memory.tell() > 0

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type

    def write(self, text: str) -> None:
        """Write text."""
        self._buffer.append(text)
        if self.auto_flush:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the stream."""
        text, self._buffer = v.join_surrogates("".join(self._buffer)), []
        if not text:
            return
        data = self.encoding.encode(text)
        if not self._begun:
            data = self.encoding.bom + data
            self._begun = True
        self.stream.write(data)


def _reader(f: Frame, stream: Any, encoding: Any = None, *_: Any) -> TextReader:
    if isinstance(stream, str):
        raise Unsupported("a StreamReader of a file")
    return TextReader("System.IO.StreamReader", stream, encoding if isinstance(encoding, Encoding) else utf8())


def _writer(f: Frame, stream: Any, encoding: Any = None, *_: Any) -> TextWriter:
    if isinstance(stream, str):
        raise Unsupported("a StreamWriter of a file")
    return TextWriter(stream, encoding if isinstance(encoding, Encoding) else utf8(False))


def _write(end: bool) -> Any:
    def run(f: Frame, w: TextWriter, *a: Any) -> Any:
        text = "".join(_shown(f, x) for x in a)
        w.write(text + (w.new_line if end else ""))
        return v.NOTHING

    return run


def _shown(f: Frame, value: Any) -> str:
    from s2slib.lab.powershell.format import current_text

    if isinstance(value, v.PsArray) and value.element == "System.Char":
        return "".join(value)
    if isinstance(value, list):
        raise Unsupported("writing an array to a TextWriter")
    return current_text(value, f.engine.culture) if value is not None else ""


def _flush(f: Frame, w: TextWriter) -> Any:
    w.flush()
    return v.NOTHING


def _stream_read(f: Frame, s: ByteStream, *a: Any) -> Any:
    raise Unsupported("Stream.Read into a buffer")


def _stream_write(f: Frame, s: ByteStream, data: bytes, start: int, count: int) -> Any:
    s.write(data[start : start + count])
    return v.NOTHING


def _memory(f: Frame, s: ByteStream) -> io.BytesIO:
    if s.memory is None:
        raise DotNetError("System.NotSupportedException", "Stream does not support seeking.")
    return s.memory


def _set_position(f: Frame, s: ByteStream, value: Any) -> None:
    _memory(f, s).seek(int(value))


def _new_memory(f: Frame, data: Any = b"") -> ByteStream:
    return ByteStream("memory", memory=io.BytesIO(bytes(data)))


# -- the console


def _console_write(end: bool, *, error: bool = False) -> Any:
    def run(f: Frame, *a: Any) -> Any:
        from s2slib.lab.powershell.format import composite

        writer = f.engine.console.error_writer() if error else f.engine.console.out_writer()
        text = composite(a[0], list(a[1:]), f.engine.culture) if len(a) > 1 else "".join(_shown(f, x) for x in a)
        writer.write(text + (writer.new_line if end else ""))
        return v.NOTHING

    return run


def _set_encoding(f: Frame, _: Any, value: Any) -> None:
    if not isinstance(value, Encoding) or value.codec != "utf-8":
        raise Unsupported("a console encoding other than UTF-8")


def _exit(f: Frame, code: int) -> Any:
    raise ExitProcess(code)


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    nothing = lambda f, s: v.NOTHING  # noqa: E731
    stream = TypeMembers(
        props={
            "CanRead": lambda f, s: s.source is not None or s.memory is not None,
            "CanWrite": lambda f, s: s.sink is not None or s.memory is not None,
            "Length": lambda f, s: v.Int64(len(_memory(f, s).getbuffer())),
            "Position": lambda f, s: v.Int64(_memory(f, s).tell()),
        },
        methods=[
            Method("Write", _stream_write, "byte[] int int"), Method("Flush", nothing, ""), Method("Close", nothing, ""),
            Method("Dispose", nothing, ""), Method("Read", _stream_read, "* int int"),
            Method("ToArray", lambda f, s: _memory(f, s).getvalue(), ""),
        ],
        setters={"Position": _set_position},
        new=Method("new", _new_memory, "", "=byte[]"),
    )  # fmt: skip
    reader = [
        Method("ReadLine", lambda f, r: r.read_line(f), ""), Method("ReadToEnd", lambda f, r: r.read_to_end(f), ""),
        Method("Read", lambda f, r: r.read(f), ""), Method("Peek", lambda f, r: r.peek(f), ""),
        Method("Close", nothing, ""), Method("Dispose", nothing, ""),
    ]  # fmt: skip
    writer = TypeMembers(
        props={"AutoFlush": lambda f, w: w.auto_flush, "NewLine": lambda f, w: w.new_line, "Encoding": lambda f, w: w.encoding},
        setters={
            "AutoFlush": lambda f, w, x: setattr(w, "auto_flush", bool(x)),
            "NewLine": lambda f, w, x: setattr(w, "new_line", to_text(x)),
        },
        methods=[
            Method("Write", _write(False), "*"), Method("WriteLine", _write(True), "", "*"), Method("Flush", _flush, ""),
            Method("Close", _flush, ""), Method("Dispose", _flush, ""),
        ],
        new=Method("new", _writer, "=System.IO.Stream", "=System.IO.Stream =System.Text.Encoding",
                   "=System.IO.Stream =System.Text.Encoding =int"),
    )  # fmt: skip
    console = TypeMembers(
        static_props={
            "In": lambda f: f.engine.console.in_reader(),
            "Out": lambda f: f.engine.console.out_writer(),
            "Error": lambda f: f.engine.console.error_writer(),
            "OutputEncoding": lambda f: utf8(False),
            "InputEncoding": lambda f: utf8(False),
            "IsInputRedirected": lambda f: True,
            "IsOutputRedirected": lambda f: True,
            "IsErrorRedirected": lambda f: True,
        },
        static_methods=[
            Method("OpenStandardInput", lambda f, n=0: f.engine.console.input_stream(), "", "int"),
            Method("OpenStandardOutput", lambda f, n=0: f.engine.console.output_stream(), "", "int"),
            Method("OpenStandardError", lambda f, n=0: f.engine.console.error_stream(), "", "int"),
            Method("ReadLine", lambda f: f.engine.console.in_reader().read_line(f), ""),
            Method("Write", _console_write(False), "*", "=string *..."),
            Method("WriteLine", _console_write(True), "", "*", "=string *..."),
        ],
        setters={"::outputencoding": _set_encoding, "::inputencoding": _set_encoding},
    )
    return {
        "System.IO.Stream": stream,
        "System.IO.MemoryStream": stream,
        "System.IO.StreamReader": TypeMembers(
            props={"EndOfStream": lambda f, r: r.peek(f) < 0, "CurrentEncoding": lambda f, r: r.encoding},
            methods=reader,
            new=Method(
                "new", _reader, "=System.IO.Stream", "=System.IO.Stream =System.Text.Encoding",
                "=System.IO.Stream =System.Text.Encoding bool", "=System.IO.Stream =System.Text.Encoding bool int",
                "=System.IO.Stream bool",
            ),
        ),
        "System.IO.StringReader": TypeMembers(
            methods=reader,
            new=Method("new", lambda f, t: TextReader("System.IO.StringReader", None, utf8(), t), "string"),
        ),
        "System.IO.TextReader": TypeMembers(methods=reader),
        "System.IO.StreamWriter": writer,
        "System.IO.TextWriter": writer,
        "System.Console": console,
        "System.Environment": TypeMembers(
            static_props={
                "NewLine": lambda f: "\r\n", "MachineName": lambda f: f.engine.machine.name.upper(),
                "UserName": lambda f: f.engine.console.user, "Is64BitProcess": lambda f: True,
                "Is64BitOperatingSystem": lambda f: True, "ProcessorCount": lambda f: 4, "ExitCode": lambda f: 0,
            },
            static_methods=[
                Method("Exit", _exit, "int"),
                Method("GetEnvironmentVariable", lambda f, n: f.engine.console.environment.get(n.lower(), (n, None))[1],
                       "string"),
                Method("SetEnvironmentVariable", _set_variable, "string *"),
            ],
        ),
    }  # fmt: skip


def _set_variable(f: Frame, name: str, value: Any) -> Any:
    if value is None or value == "":
        f.engine.console.environment.pop(name.lower(), None)
    else:
        f.engine.console.environment[name.lower()] = (name, to_text(value))
    return v.NOTHING
