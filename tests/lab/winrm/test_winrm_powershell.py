"""Clients, server and a real PowerShell together: PowerShell text in, what PowerShell prints out."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers.winrm_box import Box
from helpers.winrm_host import PASSWORD, Host, People
from pypsrp.shell import Process as RemoteProcess
from pypsrp.shell import WinRS
from pypsrp.wsman import WSMan

from s2slab.engine.real import RealEngine
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.winrm import Launch, Process, ThreadProcess, WinRmServer, launch_windows

pytestmark = pytest.mark.pwsh
POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"


def encoded(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode()


def lookup(call: Call) -> Iterable[object]:
    if call.parameters["Identity"] == "nobody":
        call.write_error("The object 'nobody' was not found.", id="NotFound", category="ObjectNotFound")
        return []
    return [f"{call.parameters['Identity']} for {call.session} on {call.machine.name}"]


@pytest.fixture
def host(tls_files: tuple[Path, Path], people: People, pwsh: RealEngine) -> Iterator[Host]:
    box = Box()
    parameter = Parameter("Identity", "string", mandatory=True, position=0)
    box.registry.add(CmdletSpec("Get-LabThing", lookup, (parameter,)))
    launched: list[Launch] = []
    processes: list[ThreadProcess] = []

    def launcher(launch: Launch) -> Process:
        launched.append(launch)
        started = launch_windows(
            launch,
            machine=box,
            session_of=lambda what: f"{what.logon.method} {what.logon.user}",
            engine=pwsh,
        )
        assert isinstance(started, ThreadProcess)
        processes.append(started)
        return started

    with WinRmServer(name=box.name, authenticate=people, launcher=launcher) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls_files[1])
        yield Host(server, server.listen_http(), server.listen_https(context), tls_files[0], launched, processes)


@pytest.mark.parametrize(("transport", "tls"), [("ntlm", False), ("credssp", False), ("basic", True)])
def test_pywinrm_runs_powershell(host: Host, transport: str, tls: bool) -> None:
    reply = host.session(transport, tls=tls).run_ps('"hello"')
    assert (reply.std_out, reply.std_err, reply.status_code) == (b"hello\n", b"", 0)


def test_a_cmdlet_of_the_machine_knows_who_calls_it_where(host: Host) -> None:
    reply = host.session().run_ps("Get-LabThing kenmyer")
    assert (reply.std_out, reply.status_code) == (b"kenmyer for ntlm kenmyer on atl-cs-001\n", 0)


def test_an_error_comes_on_stderr_and_sets_the_exit_code(host: Host) -> None:
    reply = host.session().run_ps("Get-LabThing nobody")
    assert (reply.std_out, reply.status_code) == (b"", 1)
    assert b"The object 'nobody' was not found." in reply.std_err


def test_exit_codes_pass(host: Host) -> None:
    assert host.session().run_ps("exit 5").status_code == 5


def test_a_script_above_3050_characters_does_not_fit_through_cmd_and_does_without(host: Host) -> None:
    def script(size: int) -> str:
        return "'x'".rjust(size)

    assert host.session().run_ps(script(3028)).std_out == b"x\n"
    refused = host.session().run_ps(script(3060))
    assert (refused.std_err, refused.status_code) == (b"The command line is too long.\r\n", 1)
    protocol = host.session().protocol
    shell = protocol.open_shell()
    line = ["-NoProfile", "-EncodedCommand", encoded(script(12_000))]
    command = protocol.run_command(shell, POWERSHELL, line, skip_cmd_shell=True)
    assert protocol.get_command_output(shell, command)[0] == b"x\n"


def test_a_process_answers_line_by_line_over_stdin(host: Host) -> None:
    script = (
        "$in = New-Object IO.StreamReader([Console]::OpenStandardInput())\n"
        "while ($null -ne ($line = $in.ReadLine())) { [Console]::Out.WriteLine('got ' + $line) }"
    )
    protocol = host.session().protocol
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, f"powershell -EncodedCommand {encoded(script)}", console_mode_stdin=False)
    for line in (b"one", b"two"):
        protocol.send_command_input(shell, command, line + b"\n")
        output = b""
        while not output.endswith(b"\n"):
            output += protocol.get_command_output_raw(shell, command)[0]
        assert output.split() == [b"got", line]
    protocol.send_command_input(shell, command, b"", end=True)
    assert protocol.get_command_output(shell, command)[2] == 0


def test_a_terminated_process_ends_at_once(host: Host) -> None:
    protocol = host.session().protocol
    shell = protocol.open_shell()
    script = encoded("'started'; Start-Sleep 60")
    command = protocol.run_command(shell, f"powershell -EncodedCommand {script}")
    assert protocol.get_command_output_raw(shell, command)[0].startswith(b"started")
    protocol.cleanup_command(shell, command)
    assert host.processes[0].join(5)
    protocol.close_shell(shell)


def test_pypsrp_runs_powershell(host: Host) -> None:
    client = WSMan(
        "127.0.0.1", port=host.http, ssl=False, auth="ntlm", username="kenmyer", password=PASSWORD, no_proxy=True
    )
    with WinRS(client) as shell:
        process = RemoteProcess(shell, "powershell.exe", ["-NoProfile", "-Command", "'a'; 'b c'; exit 3"])
        process.invoke()
        assert (process.stdout, process.rc) == (b"a\nb c\n", 3)
