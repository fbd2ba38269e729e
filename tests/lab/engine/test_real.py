"""The real engine when something is wrong: each a clear error, and the lab goes on; nothing is left when it ends."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import typed
from helpers.questions import Quiz, b64, run
from helpers.recorded import Driven

from s2slab.console import ask
from s2slab.engine.real import EngineUnavailable, RealEngine, Workshop, find_pwsh, version_of
from s2slab.engine.registry import Call, CmdletSpec
from s2slab.service import engine_named
from s2slab.winrm.powershell_line import read_command_line
from s2slib.remoting.shell.process import BOOTSTRAP, script_text

STARTED = read_command_line(["-EncodedCommand", b64(BOOTSTRAP.encode("utf-16-le"))])


def program(folder: Path, text: str) -> Path:
    made = folder / "pwsh"
    made.write_text(f"#!/bin/sh\n{text}\n")
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    return made


# -- finding one


def test_without_a_powershell_it_says_where_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2S_PWSH", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineUnavailable, match="no pwsh on the PATH"):
        find_pwsh()
    monkeypatch.setenv("S2S_PWSH", "/no/such/pwsh")
    with pytest.raises(EngineUnavailable, match="S2S_PWSH names /no/such/pwsh"):
        find_pwsh()


@pytest.mark.skipif(os.name != "posix", reason="programs made of shell scripts")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 7.2.19", "7.4 or later"),
        ("echo 5.1.14393.4530", "7.4 or later"),
        ("echo dead on arrival >&2; exit 134", "exit code 134.*dead on arrival"),
        ("echo something else", "said no version"),
    ],
)
def test_one_that_is_too_old_or_does_not_run_is_refused_with_what_it_said(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(EngineUnavailable, match=words):
        version_of(program(tmp_path, text))


def test_an_engine_of_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2S_LAB_ENGINE", "bash")
    with pytest.raises(EngineUnavailable, match="'bash'; allowed are direct and pwsh"):
        engine_named(None)
    assert engine_named("direct").name == "direct"


# -- the bridge


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    made = Workshop()
    yield made
    made.close()


def dial(workshop: Workshop, token: str) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", workshop.bridge.port), timeout=5) as link:
        with link.makefile("rw", encoding="utf-8", newline="\n") as talk:
            return ask(talk, {"token": token})


def test_a_wrong_token_is_refused(workshop: Workshop) -> None:
    for token in ("", "0" * 32, workshop.bridge.token[:-1]):
        assert dial(workshop, token)["e"] == "refused"


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[]\n", b"nonsense\n", b"\xff\xfe\n", b"{" * 2000 + b"\n"])
def test_what_is_no_greeting_costs_its_own_connection_only(workshop: Workshop, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", workshop.bridge.port), timeout=5) as link:
        link.sendall(line)
        link.shutdown(socket.SHUT_WR)
        said = link.makefile("rb").read()
    assert b"welcome" not in said
    assert dial(workshop, "x")["e"] == "refused"


def test_the_folder_goes_with_the_lab() -> None:
    made = Workshop()
    assert made.folder.exists()
    made.close()
    assert not made.folder.exists()


# -- processes


@pytest.fixture
def desk() -> Quiz:
    return Quiz()


@pytest.mark.pwsh
def test_a_process_with_another_s_token_ends_and_no_command_is_answered(pwsh: RealEngine, desk: Quiz) -> None:
    again = "Remove-Module S2SLab; Import-Module $env:S2S_LAB_FOLDER/S2SLab.psm1 -Global"
    text = f"'before'; $env:S2S_LAB_TOKEN = 'x'; {again}; try {{ Get-Zoo }} catch {{ 'caught' }}; 'after'"
    ran = typed.powershell(pwsh, desk, None, text)
    assert ran.code == 200
    assert ran.lines == ["before"]
    assert "the token is not one of this lab's" in ran.stderr


@pytest.mark.pwsh
def test_a_fault_of_the_lab_ends_the_process_and_is_no_answer_of_a_command(pwsh: RealEngine, desk: Quiz) -> None:
    def fails(call: Call) -> None:
        raise ZeroDivisionError("in the lab")

    desk.registry.add(CmdletSpec("Get-Broken", fails))
    ran = typed.powershell(pwsh, desk, None, "try { Get-Broken } catch { 'caught' }; 'after'")
    assert (ran.code, ran.stdout) == (200, "")
    assert "ZeroDivisionError" in ran.stderr
    assert typed.powershell(pwsh, desk, None, "'the next one works'").lines == ["the next one works"]


@pytest.mark.pwsh
def test_a_script_of_a_mebibyte_runs(pwsh: RealEngine, desk: Quiz) -> None:
    opening = b64("param($in, $nonce) [Console]::Out.WriteLine('<00 1 00 {\"id\":0}>') #" + "x" * (1024 * 1024))
    process = Driven(pwsh.program(STARTED, desk, None, {}))
    assert process.ask(f"{opening}\n{'0' * 32}\n".encode(), 0) == {"id": 0}
    process.end()


@pytest.mark.pwsh
def test_a_parameter_that_a_command_lacks_is_the_engine_s_own_error(pwsh: RealEngine, desk: Quiz) -> None:
    ran = typed.powershell(pwsh, desk, None, "Get-Zoo -NoSuch 1; 'next'")
    assert ran.lines == ["next"]
    assert ran.says("A parameter cannot be found that matches parameter name 'NoSuch'")


@pytest.mark.pwsh
def test_one_that_dies_in_mid_command_stops_the_lab_s_command(pwsh: RealEngine, desk: Quiz) -> None:
    process = Driven(pwsh.program(STARTED, desk, None, {}))
    ready = process.ask(f"{b64(script_text())}\n{'0' * 32}\n".encode(), 0)
    assert ready is not None
    process.ask(f"{b64(json.dumps({'op': 'open', 'runspace': 'local', 'id': 1}))}\n".encode(), 1)
    threading.Timer(1.5, os.kill, (ready["pid"], 9)).start()
    assert process.ask(f"{b64(json.dumps({**run('Wait-Long'), 'id': 2}))}\n".encode(), 2) is None
    assert desk.stopped.wait(5)
    process.end()
    assert process.ended


@pytest.mark.pwsh
@pytest.mark.usefixtures("pwsh")  # skipped where there is none
def test_nothing_is_left_when_the_lab_ends(desk: Quiz) -> None:
    engine = RealEngine()
    folder = engine.workshop.folder
    process = Driven(engine.program(STARTED, desk, None, {}))
    ready = process.ask(f"{b64(script_text())}\n{'0' * 32}\n".encode(), 0)
    assert ready is not None
    process.terminate()
    engine.close()
    time.sleep(0.2)
    assert not folder.exists()
    assert not Path(f"/proc/{ready['pid']}").exists()
