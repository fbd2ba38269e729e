"""What a test can make go wrong on the wire, as the client sees it."""

from __future__ import annotations

import threading
import time
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

import pytest
from helpers.winrm_host import PASSWORD, Host, Start
from requests.exceptions import ChunkedEncodingError, ReadTimeout
from requests.exceptions import ConnectionError as NoConnection
from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from s2slab.winrm import Fault
from s2slab.winrm.process import Writer


def say(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    stdout(b"said")
    return 0


@pytest.fixture
def host(start: Start) -> Host:
    return start(say)


@pytest.fixture
def protocol(host: Host) -> Protocol:
    """Over https: a lost connection does not take a security context with it."""
    return Protocol(
        endpoint=f"https://127.0.0.1:{host.https}/wsman",
        transport="basic",
        username="kenmyer",
        password=PASSWORD,
        proxy=None,
        ca_trust_path=str(host.ca_file),
        operation_timeout_sec=1,
        read_timeout_sec=2,
    )


def test_a_connection_cut_before_an_operation_leaves_it_undone(host: Host, protocol: Protocol) -> None:
    shell = protocol.open_shell()
    host.settings.faults.append(Fault("Command", "cut", "before"))
    with pytest.raises(NoConnection):
        protocol.run_command(shell, "x")
    assert not host.launched
    protocol.run_command(shell, "x")
    assert len(host.launched) == 1


def test_a_connection_cut_after_an_operation_leaves_it_done(host: Host, protocol: Protocol) -> None:
    shell = protocol.open_shell()
    host.settings.faults.append(Fault("Command", "cut", "after"))
    with pytest.raises(NoConnection):
        protocol.run_command(shell, "x")
    assert len(host.launched) == 1


@pytest.mark.parametrize("transport", ["ntlm", "credssp"])
def test_a_receive_lost_on_the_way_is_had_again_with_the_same_message_id(
    host: Host, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = host.session(transport).protocol
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "x")
    send, lost = protocol.send_message, list[str]()

    def send_twice(message: str) -> bytes:
        if "windows/shell/Receive" in message and not lost:
            host.settings.faults.append(Fault("Receive", "cut", "after"))
            with pytest.raises(NoConnection):
                send(message)
            lost.append(message)
            protocol.transport.close_session()
        return send(message)

    monkeypatch.setattr(protocol, "send_message", send_twice)
    assert protocol.get_command_output(shell, command) == (b"said", b"", 0)
    assert lost


def test_half_a_reply_is_a_broken_connection(host: Host, protocol: Protocol) -> None:
    host.settings.faults.append(Fault("Create", "cut", "mid_reply"))
    with pytest.raises(ChunkedEncodingError):
        protocol.open_shell()
    assert host.server.shells.open_shells() == 1


def test_a_reply_that_pauses_half_way_arrives_whole(host: Host, protocol: Protocol) -> None:
    host.settings.faults.append(Fault("Create", "delay", "mid_reply", delay_s=0.3))
    begun = time.monotonic()
    assert protocol.open_shell()
    assert time.monotonic() - begun >= 0.3


def test_a_late_reply_runs_into_the_client_s_timeout(
    host: Host, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.settings.faults.append(Fault("Create", "delay", "after", delay_s=0.6))
    monkeypatch.setattr(protocol.transport, "read_timeout_sec", 0.3)
    with pytest.raises((ReadTimeout, NoConnection)):
        protocol.open_shell()
    assert host.server.shells.open_shells() == 1


def test_a_proxy_s_page_and_an_overloaded_service_are_no_soap(host: Host, protocol: Protocol) -> None:
    host.settings.faults.append(Fault("Create", "http_500", body=b"<html>go away</html>"))
    host.settings.faults.append(Fault("Create", "http_503"))
    for code, text in ((500, "<html>go away</html>"), (503, "")):
        with pytest.raises(WinRMTransportError) as caught:
            protocol.open_shell()
        assert (caught.value.code, caught.value.response_text) == (code, text)
    assert host.server.shells.open_shells() == 0


@pytest.mark.parametrize("transport", ["ntlm", "basic"])
def test_any_text_can_stand_in_for_a_reply(host: Host, transport: str) -> None:
    protocol = host.session(transport, tls=transport == "basic").protocol
    host.settings.faults.append(Fault("Create", "http_200", "after", body=b"<cut off"))
    with pytest.raises(ParseError):
        protocol.open_shell()
    assert host.server.shells.open_shells() == 1
    assert protocol.open_shell()


@pytest.mark.parametrize("code", [5, 170, 995, 2147942405, 2150858843])
def test_any_fault_can_be_had_by_its_code(host: Host, protocol: Protocol, code: int) -> None:
    host.settings.faults.append(Fault("Create", "fault_code", code=code))
    with pytest.raises(WSManFaultError) as caught:
        protocol.open_shell()
    assert caught.value.wsman_fault_code == code


@pytest.mark.parametrize("code", [2150859173, 2150859174])
def test_quota_faults_come_in_their_own_form(host: Host, protocol: Protocol, code: int) -> None:
    host.settings.faults.append(Fault("Create", "fault_code", code=code))
    with pytest.raises(WSManFaultError) as caught:
        protocol.open_shell()
    assert (caught.value.wmierror_code, caught.value.wsman_fault_code) == (code, None)


def test_a_timeout_fault_is_the_client_s_operation_timeout(host: Host, protocol: Protocol) -> None:
    host.settings.faults.append(Fault("Send", "fault_code", code=2150858793))
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "x")
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.send_command_input(shell, command, b"x")


def test_a_fault_can_wait_for_the_nth_request_and_last_for_several(host: Host, protocol: Protocol) -> None:
    host.settings.faults.append(Fault("Create", "fault_code", skip=1, count=2, code=170))
    outcomes = []
    for _ in range(4):
        try:
            protocol.open_shell()
            outcomes.append("opened")
        except WSManFaultError:
            outcomes.append("busy")
    assert outcomes == ["opened", "busy", "busy", "opened"]
    assert not host.settings.faults


def test_faults_reach_the_client_of_a_sealed_connection_sealed(host: Host) -> None:
    host.settings.faults.append(Fault("Create", "fault_code", code=170))
    host.settings.faults.append(Fault("Create", "http_500", body=b"<html/>"))
    protocol = host.session("ntlm").protocol
    with pytest.raises(WSManFaultError):
        protocol.open_shell()
    with pytest.raises(WinRMTransportError) as caught:
        protocol.open_shell()
    assert caught.value.response_text == "<html/>"
    assert protocol.open_shell()


def test_a_fault_that_cannot_happen_is_refused() -> None:
    with pytest.raises(ValueError, match="middle of a reply"):
        Fault("Create", "http_500", "mid_reply")
    with pytest.raises(ValueError, match="needs a code"):
        Fault("Create", "fault_code")
