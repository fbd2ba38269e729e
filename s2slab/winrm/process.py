"""Processes of the simulated server: a Python callable in a thread of its own, with pipes as a real one has."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol

Writer = Callable[[bytes], None]
Program = Callable[[BinaryIO, Writer, Writer, threading.Event], int]
Chunks = list[tuple[str, bytes]]

CRASHED: Final = -532462766  # 0xE0434352: the exit code of an unhandled .NET exception
_CHUNK_COST: Final = 96  # what the markup around one chunk costs, in raw bytes
_PIPE_BYTES: Final = 1 << 20

_log = logging.getLogger("s2slab.winrm")


class Process(Protocol):
    """A running command of a shell."""

    def feed(self, data: bytes, end: bool) -> None:
        """Append to its standard input; `end` closes it."""

    def output(self, wait_s: float, max_bytes: int) -> tuple[Chunks, int | None]:
        """What it wrote since the last call, in production order: ("stdout" | "stderr", bytes).

        Waits up to `wait_s` for something to say. The exit code comes once the process is over and everything is handed
        out. Never more than fits into `max_bytes`, counting the markup each chunk needs.
        """

    def terminate(self) -> None:
        """Stop it. Returns at once; the process ends as soon as its program notices."""


class InputPipe(io.RawIOBase):
    """Standard input: reading waits for data or the end. Closed by the reader's end or by termination."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._changed = threading.Condition()

    def feed(self, data: bytes, end: bool) -> None:
        """Append data; `end` makes the reader see the end after it. What comes behind the end is dropped."""
        with self._changed:
            if self._ended:
                return
            if data:
                self._pieces.append(data)
            self._ended = end
            self._changed.notify_all()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._ended)
            if not self._pieces:
                return 0
            piece = self._pieces.popleft()
            taken = min(len(piece), len(buffer))
            buffer[:taken] = piece[:taken]
            if taken < len(piece):
                self._pieces.appendleft(piece[taken:])
            return taken


class ThreadProcess:
    """Runs `program(stdin, write_stdout, write_stderr, stop)` in a daemon thread; its return value is the exit code.

    Output waits in a pipe of 1 MiB: a program that writes faster than the client reads is held up, as on Windows. After
    `terminate` the program sees `stop` set, the end of its input, and BrokenPipeError when it writes. A program that
    raises has crashed: one line on stderr, exit code `CRASHED`, and the traceback in the log.
    """

    def __init__(self, program: Program, *, name: str = "process", pipe_bytes: int = _PIPE_BYTES) -> None:
        self._stdin = InputPipe()
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._chunks: deque[tuple[str, bytes]] = deque()
        self._held = 0
        self._pipe_bytes = pipe_bytes
        self._exit_code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(program,), name=name, daemon=True)
        self._thread.start()

    def feed(self, data: bytes, end: bool) -> None:
        """See `Process.feed`."""
        self._stdin.feed(data, end)

    def output(self, wait_s: float, max_bytes: int) -> tuple[Chunks, int | None]:
        """See `Process.output`."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            while not self._chunks and self._exit_code is None:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            taken = self._take(max_bytes)
            return taken, None if self._chunks else self._exit_code

    def terminate(self) -> None:
        """See `Process.terminate`."""
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        self._stdin.feed(b"", True)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; whether it is over."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _take(self, max_bytes: int) -> Chunks:
        taken: Chunks = []
        left = max_bytes
        while self._chunks and left > _CHUNK_COST:
            stream, data = self._chunks.popleft()
            room = left - _CHUNK_COST
            if len(data) > room:
                self._chunks.appendleft((stream, data[room:]))
                data = data[:room]
            taken.append((stream, data))
            left -= len(data) + _CHUNK_COST
            self._held -= len(data)
        if taken:
            self._changed.notify_all()
        return taken

    def _write(self, stream: str, data: bytes) -> None:
        view = bytes(data)
        while view:
            with self._changed:
                self._changed.wait_for(lambda: self._held < self._pipe_bytes or self._stop.is_set())
                if self._stop.is_set():
                    raise BrokenPipeError("the process was terminated")
                room = self._pipe_bytes - self._held
                piece, view = view[:room], view[room:]
                self._chunks.append((stream, piece))
                self._held += len(piece)
                self._changed.notify_all()

    def _run(self, program: Program) -> None:
        code = CRASHED
        try:
            code = program(
                io.BufferedReader(self._stdin),
                lambda data: self._write("stdout", data),
                lambda data: self._write("stderr", data),
                self._stop,
            )
        except Exception as error:  # whatever a program raises, its shell must learn that it is over
            if not self._stop.is_set():
                _log.exception("a program of the lab raised")
                self._last_words(f"Unhandled exception in the lab: {type(error).__name__}: {error}\r\n")
        finally:
            with self._changed:
                self._exit_code = code
                self._changed.notify_all()

    def _last_words(self, text: str) -> None:
        with self._changed:
            self._chunks.append(("stderr", text.encode()))
            self._held += len(text.encode())
