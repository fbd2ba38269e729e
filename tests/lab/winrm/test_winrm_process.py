"""A process of the lab: pipes, order, back pressure, termination, crashes."""

from __future__ import annotations

import threading
import time
from typing import BinaryIO

from hypothesis import given
from hypothesis import strategies as st

from s2slab.winrm.process import CRASHED, Chunks, Program, ThreadProcess, Writer

ENOUGH = 1 << 20


def drain(process: ThreadProcess, max_bytes: int = ENOUGH) -> tuple[Chunks, int]:
    chunks: Chunks = []
    while True:
        more, code = process.output(5, max_bytes)
        chunks += more
        if code is not None:
            return chunks, code


def writing(*pieces: tuple[str, bytes]) -> Program:
    def program(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        for name, data in pieces:
            (stdout if name == "stdout" else stderr)(data)
        return 0

    return program


def test_chunks_come_in_production_order_and_one_write_is_one_chunk() -> None:
    pieces = (("stdout", b"hi"), ("stderr", b"careful"), ("stdout", b"\r\n"))
    assert drain(ThreadProcess(writing(*pieces))) == (list(pieces), 0)


def test_the_exit_code_comes_only_with_the_last_of_the_output() -> None:
    process = ThreadProcess(writing(("stdout", b"x" * 1000)))
    assert process.join(2)
    chunks, code = process.output(1, 596)
    assert (chunks, code) == ([("stdout", b"x" * 500)], None)
    assert process.output(1, ENOUGH) == ([("stdout", b"x" * 500)], 0)
    assert process.output(0, ENOUGH) == ([], 0)


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(min_size=1, max_size=300)), max_size=20))
def test_nothing_is_lost_or_reordered_however_small_the_pieces_taken(pieces: list[tuple[str, bytes]]) -> None:
    chunks, code = drain(ThreadProcess(writing(*pieces)), max_bytes=160)
    assert code == 0
    assert all(len(data) + 96 <= 160 for _, data in chunks)
    for name in ("stdout", "stderr"):
        assert b"".join(d for n, d in chunks if n == name) == b"".join(d for n, d in pieces if n == name)


def test_many_tiny_chunks_count_with_their_markup() -> None:
    process = ThreadProcess(writing(*[("stdout", b"x")] * 5000))
    assert process.join(5)
    chunks, _ = process.output(1, 100_000)
    assert len(chunks) <= 100_000 // 96


def test_waiting_for_silence_takes_the_time_given_and_no_more() -> None:
    process = ThreadProcess(lambda i, o, e, stop: int(stop.wait(5)))
    begun = time.monotonic()
    assert process.output(0.1, ENOUGH) == ([], None)
    assert 0.09 < time.monotonic() - begun < 3
    process.terminate()


def test_input_arrives_in_order_by_line_and_in_one_piece() -> None:
    def program(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        stdout(stdin.readline())
        stdout(stdin.read())
        return 0

    process = ThreadProcess(program)
    process.feed(b"first\nsec", False)
    assert process.output(2, ENOUGH) == ([("stdout", b"first\n")], None)
    process.feed(b"ond", False)
    process.feed(b"", True)
    process.feed(b"too late", True)
    assert drain(process) == ([("stdout", b"second")], 0)


def test_reading_waits_while_a_line_is_not_complete() -> None:
    def program(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        stdout(stdin.readline())
        return 0

    process = ThreadProcess(program)
    process.feed(b"half", False)
    assert process.output(0.1, ENOUGH) == ([], None)
    process.feed(b" and half\n", False)
    assert drain(process) == ([("stdout", b"half and half\n")], 0)


def test_a_writer_is_held_up_until_somebody_reads() -> None:
    written: list[int] = []

    def program(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        for number in range(10):
            stdout(b"x" * 100)
            written.append(number)
        return 0

    process = ThreadProcess(program, pipe_bytes=250)
    while len(written) < 2:
        time.sleep(0.01)
    assert not process.join(0.1)
    assert len(written) == 2
    chunks, code = drain(process)
    assert (sum(len(data) for _, data in chunks), code) == (1000, 0)


def test_termination_wakes_a_reader_a_writer_and_a_waiter() -> None:
    def reads(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        return 0 if stdin.read() == b"" else 1

    def writes(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        while True:
            stdout(b"x" * 1000)

    def waits(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        return 0 if stop.wait(30) else 1

    for program in (reads, writes, waits):
        process = ThreadProcess(program, pipe_bytes=5000)
        time.sleep(0.02)
        process.terminate()
        assert process.join(2), program.__name__


def test_a_program_that_raises_has_crashed_loudly() -> None:
    def program(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        stdout(b"so far")
        raise KeyError("no such thing")

    chunks, code = drain(ThreadProcess(program))
    assert code == CRASHED
    assert chunks[0] == ("stdout", b"so far")
    assert b"Unhandled exception in the lab: KeyError" in chunks[1][1]
