"""From a command line to a program of a simulated server."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.winrm_box import Box

from s2slab.engine.direct import DirectEngine
from s2slab.winrm import Launch, LaunchError, Logon, launch_windows

KENMYER = Logon("kenmyer", "LITWAREINC", "ntlm")


def launch(line: str, **options: Any) -> Launch:
    values: dict[str, object] = {
        "command_line": line,
        "logon": KENMYER,
        "environment": {"MINE": "m"},
        "codepage": 65001,
        "skip_cmd_shell": False,
        "console_mode_stdin": True,
        "working_directory": None,
        "shell_id": "A1B2C3D4-0000",
    }
    return Launch(**{**values, **options})


def run(line: str, box: Box | None = None, **options: Any) -> tuple[str, str, int]:
    """Standard output, standard error, exit code."""
    process = launch_windows(
        launch(line, **options), machine=box or Box(), session_of=lambda what: what.logon.user, engine=DirectEngine()
    )
    process.feed(b"", True)
    output = {"stdout": b"", "stderr": b""}
    while True:
        chunks, code = process.output(5, 1 << 20)
        for name, data in chunks:
            output[name] += data
        if code is not None:
            return output["stdout"].decode(), output["stderr"].decode(), code


@pytest.mark.parametrize(
    "line", ["iisreset /noforce b", r"%SystemRoot%\System32\IISRESET.EXE /noforce b", "cmd /c iisreset /noforce b"]
)
def test_a_program_of_the_machine_runs_with_its_arguments(line: str) -> None:
    box = Box()
    assert run(line, box) == ("Zurückgesetzt €\r\n", "nicht ganz\r\n", 3)
    (call,) = box.calls
    assert (call.argv, call.machine, call.session) == (["/noforce", "b"], box, "kenmyer")


def test_programs_write_in_the_shell_s_code_page() -> None:
    process = launch_windows(
        launch("iisreset", codepage=437), machine=Box(), session_of=lambda what: None, engine=DirectEngine()
    )
    chunks, _ = process.output(5, 1 << 20)
    assert chunks[0] == ("stdout", b"Zur\x81ckgesetzt ?\r\n")


@pytest.mark.parametrize(
    ("line", "output", "code"),
    [
        ("echo hello  world", "hello  world\r\n", 0),
        ("echo %USERNAME% %mine%", "kenmyer m\r\n", 0),
        ("echo", "ECHO is on.\r\n", 0),
        ("echo.", "\r\n", 0),
        ("echo.x y", "x y\r\n", 0),
        ("exit 5", "", 5),
        ("exit /b -3", "", -3),
        ("exit", "", 0),
        ("ver", "\r\nMicrosoft Windows [Version 10.0.14393]\r\n", 0),
        ("hostname", "atl-cs-001\r\n", 0),
        ("whoami", "litwareinc\\kenmyer\r\n", 0),
        ('cmd.exe /c "exit 4"', "", 4),
    ],
)
def test_what_cmd_knows_itself(line: str, output: str, code: int) -> None:
    assert run(line) == (output, "", code)


def test_an_unknown_command_is_not_recognized() -> None:
    text = "'nonesuch' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
    assert run("nonesuch /x") == ("", text, 1)
    assert run(r"C:\Tools\x.exe") == ("", "The system cannot find the path specified.\r\n", 1)


@pytest.mark.parametrize(
    "line", ["dir C:\\", "set", "cd \\ && iisreset", "iisreset > x", "cmd", r"C:\Scripts\x.cmd", "exit now"]
)
def test_what_the_lab_does_not_simulate_is_refused_loudly_and_not_run(line: str) -> None:
    box = Box()
    output, error, code = run(line, box)
    assert (output, code) == ("", 200)
    assert error.startswith("The lab's cmd.exe does not simulate ")
    assert not box.calls


def test_a_line_too_long_for_cmd_is_refused_by_cmd() -> None:
    assert run("echo " + "x" * 8190) == ("", "The command line is too long.\r\n", 1)
    assert run("echo " + "x" * 8000)[2] == 0


def test_a_line_too_long_for_windows_is_no_process() -> None:
    for skip in (False, True):
        with pytest.raises(LaunchError) as caught:
            run("x" * 32768, skip_cmd_shell=skip)
        assert caught.value.code == 2147942606


def test_without_cmd_only_a_full_path_runs() -> None:
    assert run(r'"C:\Windows\System32\iisreset.exe" /a', skip_cmd_shell=True)[2] == 3
    assert run(r"C:\Windows\system32\cmd.exe /c exit 6", skip_cmd_shell=True)[2] == 6
    for line in ("iisreset.exe", "echo hello", r"C:\Windows\System32\iisreset", r"C:\Windows\System32\none.exe"):
        with pytest.raises(LaunchError) as caught:
            run(line, skip_cmd_shell=True)
        assert caught.value.code == 2147942402
