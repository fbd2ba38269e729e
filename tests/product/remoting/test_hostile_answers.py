"""What a hostile or broken server puts out costs a bounded amount of work, and becomes that command's own error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.remoting_double import Double, Reader, make_tls, start_host, text

from s2slib.credentials.errors import CredentialError
from s2slib.credentials.sources import run_program
from s2slib.remoting.shell.clixml import readable
from s2slib.remoting.shell.frames import FrameReader
from s2slib.remoting.shell.wire import MAX_DEPTH, BadAnswer, Decoder
from s2slib.remoting.values import errors
from s2slib.remoting.values.command import Cmdlet

NONCE = "0" * 32
GENEROUS_S = 10.0  # each took minutes or did not end: what is quadratic stays far outside


def within(work: Callable[[], Any]) -> Any:
    begun = time.monotonic()
    found = work()
    assert time.monotonic() - begun < GENEROUS_S
    return found


@pytest.mark.parametrize(
    "flood",
    [
        f"<{NONCE} ".encode() * 100_000,
        f"<{NONCE} 999999999 ".encode() * 60_000,
        (f"<{NONCE} 20000000 01-02-03-04-05-06-07-08 " + "A" * 60).encode() * 40_000,
        (f"<{NONCE} 9 ".encode() * 50_000) + b">" * 50_000,
    ],
)
@pytest.mark.parametrize("chunk", [4096, 1 << 24])
def test_unfinished_frames_are_let_go_in_one_pass(flood: bytes, chunk: int) -> None:
    reader = FrameReader(NONCE)
    for start in range(0, len(flood), chunk):
        assert within(lambda start=start: reader.feed(flood[start : start + chunk])) == []


def test_a_frame_that_stays_away_is_not_searched_from_its_beginning_with_every_byte() -> None:
    reader = FrameReader(NONCE)
    reader.feed(f"<{NONCE} 30000000 01-02-03-04-05-06-07-08 ".encode())
    within(lambda: [reader.feed(b"A" * 1000) for _ in range(20_000)])


@pytest.mark.parametrize(
    "answer",
    [
        {"output": [{"number": text("1E+999999999")}]},
        {"output": [{"number": text("Infinity")}]},
        {"output": [{"number": text("9" * 400)}]},
        {"output": [int("9" * 400)]},
        {"output": 7},
        {"output": [1.5]},
        {"output": [text("x")] * 100_000},
        {"ms": int("9" * 400)},
        {"ms": "soon"},
        {"exit": [1]},
        {"state": ["completed"]},
        {"errors": [[]]},
        {"broken": {}},
        {"truncated": 1, "warnings": [None]},
    ],
    ids=str,
)
def test_an_odd_field_is_that_command_s_own_error(answer: dict[str, Any], tmp_path: Path) -> None:
    answer_once(answer, tmp_path)


@pytest.mark.parametrize("number", [[], {}, None, "1", 1.5, True, int("9" * 400)], ids=str)
def test_a_frame_with_an_odd_id_is_nobody_s_answer(number: Any, tmp_path: Path) -> None:
    class Odd(Reader):
        def run(self, request: dict[str, Any], double: Double) -> dict[str, Any]:
            double.frame({"id": number, "state": "completed"})
            return {"output": [text("mine")]}

    host = start_host(Odd(), make_tls(tmp_path))
    try:
        with host.link() as link:
            assert link.run(Cmdlet("Get-CsPool"), timeout_s=5).output == ("mine",)
    finally:
        host.server.close()


def answer_once(answer: dict[str, Any], folder: Path) -> None:
    class Odd(Reader):
        def run(self, request: dict[str, Any], double: Double) -> dict[str, Any]:
            return answer

    host = start_host(Odd(), make_tls(folder))
    try:
        with host.link() as link:
            if answer.get("truncated"):
                with pytest.raises(errors.AnswerLost):
                    link.run(Cmdlet("Get-CsPool"))
                return
            for command, expected in (
                (Cmdlet("Get-CsPool"), errors.AnswerLost),
                (Cmdlet("Set-CsX", {}, "write"), errors.OutcomeUncertain),
            ):
                with pytest.raises(expected):
                    link.run(command, timeout_s=5)
    finally:
        host.server.close()


def test_objects_may_not_be_nested_without_end() -> None:
    value: Any = text("core")
    for _ in range(MAX_DEPTH):
        value = [value]
    decoder = Decoder(str)
    decoder.plain(value)
    with pytest.raises(BadAnswer, match="nested"):
        decoder.plain([value])


@pytest.mark.parametrize("piece", ["<Objs ", '<Objs><S S="Error">', '<Obj S="information" ', '<S S="x">'])
def test_error_documents_are_read_in_one_pass(piece: str) -> None:
    within(lambda: readable((piece * 20_000).encode()))


def test_documents_that_follow_one_another_stay_apart_and_information_is_kept() -> None:
    one = '<Objs Version="1.1"><S S="Error">first</S></Objs>'
    two = '<Objs><Obj S="information" RefId="0"><ToString>told</ToString></Obj><S S="warning">second</S></Objs>'
    assert readable((one + two).encode()).splitlines() == ["first", "told", "second"]


def test_a_document_without_a_readable_record_is_said_to_be_there() -> None:
    assert "without a readable record" in readable(b"<Objs><Obj RefId='0'>" + b"x" * 200 + b"</Obj></Objs>")
    assert readable(b'<Objs><Obj S="progress">' + b"x" * 200 + b"</Obj></Objs>") == ""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_that_prints_without_end_is_stopped_and_not_cut_silently() -> None:
    with pytest.raises(CredentialError, match="printed more than 65536 bytes"):
        within(lambda: run_program(python("while True: print('x' * 1000)"), 8.0))


@pytest.mark.skipif(os.name != "posix", reason="asks the process table of POSIX")
def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = "p=subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)'])"
    start = f"import subprocess,sys; {child}; open({str(mark)!r},'w').write(str(p.pid))"
    with pytest.raises(CredentialError, match=r"left something running|did not end"):
        run_program(python(start), 3.0)
    started = int(mark.read_text())
    until = time.monotonic() + 5
    while time.monotonic() < until and _lives(started):
        time.sleep(0.05)
    assert not _lives(started)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
