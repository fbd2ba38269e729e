"""The direct engine: it knows one script, by its digest, and says of everything else what to do."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from dataclasses import dataclass

import pytest
from helpers.questions import Quiz, b64, run
from helpers.recorded import Driven

from s2slab.engine.direct import BOOTSTRAP_DIGEST, REFUSED, SCRIPT_DIGEST, DirectEngine
from s2slab.engine.registry import Call, CmdletSpec, Machine
from s2slab.winrm.powershell_line import UsageError, read_command_line
from s2slib.remoting.shell.clixml import readable
from s2slib.remoting.shell.process import BOOTSTRAP, script_digest, script_text

NONCE = "0" * 32


@dataclass(frozen=True)
class Ended:
    """What a powershell.exe left."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The text of the error stream."""
        return readable(self.err.encode()) if self.err.startswith("#<") else self.err


def powershell(*argv: str, given: str = "", machine: Machine | None = None) -> Ended:
    out, err = bytearray(), bytearray()
    program = DirectEngine().program(read_command_line(argv), machine or Quiz(), None, {})
    code = program(io.BytesIO(given.encode()), out.extend, err.extend, threading.Event())
    return Ended(code, out.decode(), err.decode())


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode()


def started(given: str, machine: Machine | None = None) -> Ended:
    return powershell("-NoProfile", "-EncodedCommand", encoded(BOOTSTRAP), given=given, machine=machine)


def test_the_digests_are_those_of_the_product_s_files() -> None:
    assert hashlib.sha256(BOOTSTRAP.encode()).hexdigest() == BOOTSTRAP_DIGEST
    assert script_digest() == SCRIPT_DIGEST


@pytest.mark.parametrize(
    "argv",
    [
        ("-NoProfile", "-EncodedCommand", encoded("Get-Process")),
        ("-Command", "Get-Process"),
        ("Get-Process",),
        ("-File", r"C:\Scripts\x.ps1"),
        ("-NoLogo",),
        ("-EncodedCommand", encoded("'x'" * 400_000)),
    ],
)
def test_any_other_text_is_refused_with_what_to_do(argv: tuple[str, ...]) -> None:
    ended = powershell(*argv)
    assert (ended.code, ended.out) == (REFUSED, "")
    assert "s2s lab --engine pwsh" in ended.said
    assert "FullyQualifiedErrorId : LabScriptNotKnown" in ended.said
    assert ended.err.startswith("#< CLIXML") is ("-EncodedCommand" in argv)
    assert len(ended.err) < 2000


@pytest.mark.parametrize(
    "script",
    [
        script_text() + " ",
        script_text().replace("deadline_s", "deadline"),
        "",
        "Get-Process",
        "#" * (1024 * 1024),
    ],
)
def test_a_constant_script_of_another_digest_is_refused_the_same_way(script: str) -> None:
    ended = started(f"{b64(script)}\n{NONCE}\n")
    assert (ended.code, ended.out) == (REFUSED, "")
    assert hashlib.sha256(script.encode()).hexdigest() in ended.said
    assert "s2s lab --engine pwsh" in ended.said


def test_what_is_no_script_at_all_is_refused_too() -> None:
    assert started("this is not base64 !!\n\n").code == REFUSED
    assert started("").code == REFUSED


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("-Nonsense", "x"), "-Nonsense"),
        (("-EncodedCommand",), "missing parameter"),
        (("-EncodedCommand", "***"), "Base64"),
    ],
)
def test_wrong_options_are_named(argv: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_command_line(argv)


def test_constrained_language_says_so_before_anything_is_read() -> None:
    machine = Quiz(language_mode="ConstrainedLanguage")
    ended = started(f"{b64(script_text())}\n{NONCE}\n", machine)
    assert (ended.code, ended.out) == (1, "")
    assert "CannotCreateTypeConstrainedLanguage" in ended.said


def test_a_fault_of_the_lab_is_no_answer_of_a_command() -> None:
    def fails(call: Call) -> None:
        raise ZeroDivisionError("in the lab")

    machine = Quiz()
    machine.registry.add(CmdletSpec("Get-Broken", fails))
    opening = f"{b64(script_text())}\n{NONCE}\n"
    requests = [{"op": "open", "runspace": "local", "id": 1}, {**run("Get-Broken"), "id": 2}]
    ended = started(opening + "".join(f"{b64(json.dumps(request))}\n" for request in requests), machine)
    assert ended.code == REFUSED
    assert ended.out.count("<") == 2  # ready, and the runspace: nothing for the command
    assert "ZeroDivisionError" in ended.said
    assert "no answer of a server" in ended.said


def test_a_process_that_is_ended_from_outside_ends_at_once() -> None:
    program = DirectEngine().program(read_command_line(["-EncodedCommand", encoded(BOOTSTRAP)]), Quiz(), None, {})
    process = Driven(program)
    assert process.ask(f"{b64(script_text())}\n{NONCE}\n".encode(), 0)
    process.end()
    assert process.ended
