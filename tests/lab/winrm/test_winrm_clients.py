"""Unmodified pywinrm and pypsrp against the server, over real sockets."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import pytest
from helpers.winrm_host import PASSWORD, Host, Start
from pypsrp.shell import Process as RemoteProcess
from pypsrp.shell import SignalCode, WinRS
from pypsrp.wsman import WSMan
from requests.exceptions import ConnectionError as NoConnection
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)
from winrm.protocol import Protocol

from s2slab.winrm.process import Writer

WAYS = [
    pytest.param("ntlm", False, {}, id="ntlm over encrypted http"),
    pytest.param("credssp", False, {}, id="credssp over encrypted http"),
    pytest.param("ntlm", True, {}, id="ntlm over https"),
    pytest.param("credssp", True, {}, id="credssp over https"),
    pytest.param("basic", True, {}, id="basic over https"),
    pytest.param("ntlm", True, {"message_encryption": "always"}, id="ntlm sealed within https"),
    pytest.param("credssp", True, {"message_encryption": "always"}, id="credssp sealed within https"),
]


def shout(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    stdout(b"one ")
    stderr(b"careful")
    stdout(b"two\r\n")
    return 7


def count_input(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    data = stdin.read()
    stdout(b"%d %d" % (len(data), sum(data)))
    return 0


def wait_for_stop(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    stdout(b"started")
    stop.wait(30)
    return 1


def protocol_of(host: Host, **options: Any) -> Protocol:
    return Protocol(
        endpoint=f"http://127.0.0.1:{host.http}/wsman",
        transport="ntlm",
        username="LITWAREINC\\kenmyer",
        password=PASSWORD,
        proxy=None,
        ca_trust_path=str(host.ca_file),
        **options,
    )


@pytest.mark.parametrize(("transport", "tls", "options"), WAYS)
def test_pywinrm_runs_a_command(start: Start, transport: str, tls: bool, options: dict[str, Any]) -> None:
    host = start(shout)
    reply = host.session(transport, tls=tls, **options).run_cmd("speak", ["up", "now"])
    assert (reply.std_out, reply.std_err, reply.status_code) == (b"one two\r\n", b"careful", 7)
    assert host.launched[0].command_line == "speak up now"
    assert host.launched[0].logon.method == transport
    assert host.server.shells.open_shells() == 0


@pytest.mark.parametrize(("transport", "tls", "options"), WAYS)
def test_large_messages_pass_in_both_directions(
    start: Start, transport: str, tls: bool, options: dict[str, Any]
) -> None:
    blob = bytes(range(256)) * 1200

    def echo(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        stdout(stdin.read())
        return 0

    protocol = start(echo).session(transport, tls=tls, **options).protocol
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, "echo", console_mode_stdin=False)
    for at in range(0, len(blob), 90_000):
        protocol.send_command_input(shell, command, blob[at : at + 90_000], end=at + 90_000 >= len(blob))
    output, _, code = protocol.get_command_output(shell, command)
    assert (output == blob, code) == (True, 0)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)


@pytest.mark.parametrize("user", ["LITWAREINC\\kenmyer", "litwareinc\\KenMyer", "kenmyer", "kenmyer@litwareinc.com"])
@pytest.mark.parametrize("transport", ["ntlm", "credssp", "basic"])
def test_every_spelling_of_an_account_logs_on_as_the_same_user(start: Start, transport: str, user: str) -> None:
    host = start(shout)
    host.session(transport, tls=True, user=user).run_cmd("x")
    assert host.launched[0].logon.user == "kenmyer"


def test_credssp_and_basic_hand_over_the_password_and_ntlm_does_not(start: Start) -> None:
    host = start(shout)
    for transport in ("ntlm", "credssp", "basic"):
        host.session(transport, tls=True).run_cmd("x")
    assert [launch.logon.password for launch in host.launched] == [None, PASSWORD, PASSWORD]
    assert PASSWORD not in repr(host.launched)


@pytest.mark.parametrize("transport", ["ntlm", "basic"])
@pytest.mark.parametrize(
    ("user", "password"), [("kenmyer", "wrong"), ("nobody", PASSWORD), ("OTHER\\kenmyer", PASSWORD)]
)
def test_a_wrong_password_or_name_is_rejected(start: Start, transport: str, user: str, password: str) -> None:
    host = start(shout)
    with pytest.raises(InvalidCredentialsError):
        host.session(transport, tls=True, user=user, password=password).run_cmd("x")
    assert not host.launched


@pytest.mark.parametrize("user", ["kenmyer", "nobody"])
def test_credssp_answers_a_wrong_logon_with_the_status_windows_sends(start: Start, user: str) -> None:
    from requests_credssp.exceptions import NTStatusException

    with pytest.raises(NTStatusException) as caught:
        start(shout).session("credssp", user=user, password="wrong").run_cmd("x")
    assert caught.value.status == 0x8009030C


def test_an_account_without_rights_logs_on_and_is_denied(start: Start) -> None:
    session = start(shout).session("ntlm", user="reader", password="only reads")
    with pytest.raises(WSManFaultError) as caught:
        session.run_cmd("x")
    assert (caught.value.wsman_fault_code, caught.value.fault_subcode) == (5, "w:AccessDenied")


def test_basic_is_not_taken_over_plain_http(start: Start) -> None:
    host = start(shout)
    with pytest.raises(InvalidCredentialsError):
        host.session("plaintext").run_cmd("x")
    host.settings.allow_unencrypted = True
    assert host.session("plaintext").run_cmd("x").status_code == 7


def test_an_authenticated_but_unencrypted_message_over_http_is_refused(start: Start) -> None:
    host = start(shout)
    with pytest.raises(WinRMTransportError) as caught:
        host.session("ntlm", message_encryption="never").run_cmd("x")
    assert caught.value.code == 500
    assert not host.launched
    host.settings.allow_unencrypted = True
    assert host.session("ntlm", message_encryption="never").run_cmd("x").status_code == 7


def test_a_transport_that_is_switched_off_is_not_offered(start: Start) -> None:
    host = start(shout)
    host.settings.transports = frozenset({"ntlm"})
    with pytest.raises(InvalidCredentialsError):
        host.session("basic", tls=True).run_cmd("x")
    assert host.session("ntlm").run_cmd("x").status_code == 7


@pytest.mark.slow
def test_output_waits_for_the_program_and_a_silent_one_times_out(start: Start) -> None:
    release = threading.Event()

    def slow(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        release.wait(30)
        stdout(b"late")
        return 0

    protocol = protocol_of(start(slow), operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "slow")
    begun = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    assert 0.9 < time.monotonic() - begun < 3
    release.set()
    assert protocol.get_command_output(shell, command) == (b"late", b"", 0)
    protocol.close_shell(shell)


def test_a_terminated_command_stops_and_its_id_is_gone(start: Start) -> None:
    host = start(wait_for_stop)
    protocol = protocol_of(host)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "wait")
    assert protocol.get_command_output_raw(shell, command)[0] == b"started"
    protocol.cleanup_command(shell, command)
    assert host.processes[0].join(2)
    with pytest.raises(WSManFaultError) as caught:
        protocol.get_command_output_raw(shell, command)
    assert caught.value.wsman_fault_code == 2150858843
    assert "command identifier that does not exist" in caught.value.response
    protocol.close_shell(shell)


def test_deleting_a_shell_stops_what_runs_in_it(start: Start) -> None:
    host = start(wait_for_stop)
    protocol = protocol_of(host)
    shell = protocol.open_shell()
    protocol.run_command(shell, "wait")
    protocol.close_shell(shell)
    assert host.processes[0].join(2)
    with pytest.raises(WSManFaultError) as caught:
        protocol.run_command(shell, "wait")
    assert f"with ShellId {shell} failed because the shell was not found" in caught.value.response


def test_closing_the_server_stops_everything(start: Start) -> None:
    host = start(wait_for_stop)
    protocol = protocol_of(host)
    protocol.run_command(protocol.open_shell(), "wait")
    host.server.close()
    assert host.processes[0].join(2)
    with pytest.raises(NoConnection):
        host.session().run_cmd("x")


def test_a_dropped_connection_makes_the_next_sealed_message_a_400_and_a_new_session_keeps_the_shell(
    start: Start,
) -> None:
    host = start(shout)
    protocol = protocol_of(host)
    shell = protocol.open_shell()
    host.server.drop_connections()
    with pytest.raises((WinRMTransportError, NoConnection)) as caught:
        protocol.run_command(shell, "x")
    assert getattr(caught.value, "code", 400) == 400
    protocol.transport.close_session()
    command = protocol.run_command(shell, "x")
    assert protocol.get_command_output(shell, command)[2] == 7


def test_an_idle_connection_is_dropped(start: Start) -> None:
    host = start(shout)
    protocol = protocol_of(host)
    shell = protocol.open_shell()
    host.settings.idle_drop_s = 0.1  # from the next request on
    protocol.run_command(shell, "x")
    time.sleep(0.5)
    host.settings.idle_drop_s = 120
    with pytest.raises(WinRMTransportError) as caught:  # the client reconnects, with a body sealed for the old context
        protocol.run_command(shell, "x")
    assert (caught.value.code, caught.value.response_text) == (400, "")


def test_many_clients_at_once_do_not_disturb_each_other(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # pywinrm has requests set this variable for each request, and delete it again where it was not set: threads of one
    # process then delete it under each other
    monkeypatch.setenv("no_proxy", "*")

    def name(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
        stdout(stdin.readline())
        return 0

    host = start(name)

    def work(number: int) -> bytes:
        transport = ("ntlm", "credssp", "basic")[number % 3]
        protocol = host.session(transport, tls=transport == "basic").protocol
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "name")
        protocol.send_command_input(shell, command, b"client %d\n" % number, end=True)
        output = protocol.get_command_output(shell, command)[0]
        protocol.close_shell(shell)
        return output

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == [b"client %d\n" % n for n in range(24)]


def test_what_the_client_sets_on_its_shell_reaches_the_launch(start: Start) -> None:
    host = start(shout)
    protocol = protocol_of(host)
    shell = protocol.open_shell(env_vars={"A": "1", "B": "x y"}, working_directory="C:\\Temp", codepage=65001)
    protocol.run_command(
        shell, "C:\\Program Files\\x.exe", ["-a", "b c"], console_mode_stdin=False, skip_cmd_shell=True
    )
    launch = host.launched[0]
    assert dict(launch.environment) == {"A": "1", "B": "x y"}
    assert (launch.codepage, launch.working_directory, launch.shell_id) == (65001, "C:\\Temp", shell)
    assert (launch.skip_cmd_shell, launch.console_mode_stdin) == (True, False)
    assert launch.command_line == '"C:\\Program Files\\x.exe" -a b c'
    protocol.close_shell(shell)


@pytest.mark.parametrize(
    ("auth", "tls"),
    [
        ("ntlm", False),
        ("negotiate", False),
        ("credssp", False),
        ("negotiate", True),
        ("credssp", True),
        ("basic", True),
    ],
)
def test_pypsrp_runs_a_process(start: Start, auth: str, tls: bool) -> None:
    host = start(count_input)
    client = WSMan(
        "127.0.0.1",
        port=host.https if tls else host.http,
        ssl=tls,
        auth=auth,
        username="LITWAREINC\\kenmyer",
        password=PASSWORD,
        cert_validation=str(host.ca_file),
        no_proxy=True,
    )
    client.update_max_payload_size()
    assert client.max_envelope_size == 500 * 1024
    with WinRS(client, environment={"A": "1"}, idle_time_out=600) as shell:
        assert [shell.owner, shell.idle_time_out] == ["LITWAREINC\\kenmyer", "PT600.000S"]
        process = RemoteProcess(shell, "count", ["-a", "b"])
        process.begin_invoke()
        process.send(b"\x01" * 40_000, end=True)
        process.end_invoke()
        process.signal(SignalCode.TERMINATE)
        assert (process.stdout, process.rc) == (b"40000 40000", 0)
    assert host.launched[0].command_line == "count -a b"
    assert host.server.shells.open_shells() == 0


def test_pypsrp_interrupts_a_process_and_reads_how_it_ended(start: Start) -> None:
    host = start(wait_for_stop)
    client = WSMan(
        "127.0.0.1", port=host.http, ssl=False, auth="ntlm", username="kenmyer", password=PASSWORD, no_proxy=True
    )
    with WinRS(client) as shell:
        process = RemoteProcess(shell, "wait")
        process.begin_invoke()
        process.poll_invoke()
        process.signal(SignalCode.CTRL_C)
        process.end_invoke()
        assert (process.stdout, process.rc) == (b"started", -1073741510)
