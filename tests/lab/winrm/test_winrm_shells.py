"""The shell service: ownership, quotas, idleness, replay, sizes. No sockets; the clock is the test's."""

from __future__ import annotations

import base64
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

import pytest

from s2slab.winrm import Launch, LaunchError, Logon, ThreadProcess, WinRmSettings
from s2slab.winrm import namespaces as ns
from s2slab.winrm.envelope import parse
from s2slab.winrm.process import Chunks, Program, Writer
from s2slab.winrm.shells import ShellService

KENMYER = Logon("kenmyer", "LITWAREINC", "ntlm")
OTHER = Logon("operator", "LITWAREINC", "ntlm")


def quiet(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    stop.wait(30)
    return 0


def echo(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    stdout(stdin.read())
    return 0


class WatchedProcess(ThreadProcess):
    """Says when somebody waits for its output."""

    def __init__(self, program: Program) -> None:
        self.asked = threading.Event()
        super().__init__(program)

    def output(self, wait_s: float, max_bytes: int) -> tuple[Chunks, int | None]:
        self.asked.set()
        return super().output(wait_s, max_bytes)


@dataclass
class Answer:
    status: int
    root: ET.Element

    @property
    def code(self) -> int:
        """The fault's code in either form; 0 for success."""
        fault = self.root.find(f".//{{{ns.FAULT}}}WSManFault")
        wmi = self.root.findtext(f".//{{{ns.WMI_ERROR}}}error_Code")
        return int(fault.get("Code", "0")) if fault is not None else int(wmi or 0)

    @property
    def text(self) -> str:
        return "".join(self.root.itertext())

    @property
    def shell_id(self) -> str:
        return self.root.findtext(f".//{{{ns.SHELL}}}ShellId") or ""

    @property
    def command_id(self) -> str:
        return self.root.findtext(f".//{{{ns.SHELL}}}CommandId") or ""

    @property
    def output(self) -> bytes:
        streams = self.root.iterfind(f".//{{{ns.SHELL}}}Stream")
        return b"".join(base64.b64decode(stream.text or "") for stream in streams)

    @property
    def done(self) -> bool:
        state = self.root.find(f".//{{{ns.SHELL}}}CommandState")
        return state is not None and state.get("State", "").endswith("/Done")


@dataclass
class Desk:
    """A shell service and the requests one sends to it."""

    program: Program = quiet
    settings: WinRmSettings = field(default_factory=WinRmSettings)
    now: float = 1000.0
    launched: list[Launch] = field(default_factory=list)
    processes: list[WatchedProcess] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.service = ShellService(
            machine="atl-cs-001",
            launcher=self._launch,
            allowed=lambda logon: logon.user not in self.denied,
            settings=self.settings,
            clock=lambda: self.now,
        )

    def _launch(self, launch: Launch) -> WatchedProcess:
        if launch.command_line.startswith("missing"):
            raise LaunchError(2147942402)
        self.launched.append(launch)
        self.processes.append(WatchedProcess(self.program))
        return self.processes[-1]

    def ask(
        self,
        action: str,
        body: str = "",
        *,
        shell: str = "",
        logon: Logon = KENMYER,
        message_id: str = "uuid:1",
        timeout: str = "PT5S",
        resource: str = ns.CMD_SHELL,
        size: int = 153600,
    ) -> Answer:
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{escape(shell)}</w:Selector></w:SelectorSet>'
        data = (
            f'<s:Envelope xmlns:s="{ns.SOAP}" xmlns:a="{ns.ADDRESSING}" xmlns:w="{ns.WSMAN}" xmlns:r="{ns.SHELL}">'
            f"<s:Header><a:Action>{action}</a:Action><a:MessageID>{message_id}</a:MessageID>"
            f"<w:ResourceURI>{resource}</w:ResourceURI><w:OperationTimeout>{timeout}</w:OperationTimeout>"
            f"<w:MaxEnvelopeSize>{size}</w:MaxEnvelopeSize>{selector}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
        status, reply = self.service.handle(
            parse(data.encode()), logon, client_ip="127.0.0.1", address="http://x/wsman"
        )
        return Answer(status, ET.fromstring(reply))

    def create(self, more: str = "", **options: Any) -> Answer:
        streams = "<r:InputStreams>stdin</r:InputStreams><r:OutputStreams>stdout stderr</r:OutputStreams>"
        return self.ask(f"{ns.TRANSFER}/Create", f"<r:Shell>{streams}{more}</r:Shell>", **options)

    def command(self, shell: str, line: str = "x", **options: Any) -> Answer:
        body = f"<r:CommandLine><r:Command>{line}</r:Command></r:CommandLine>"
        return self.ask(f"{ns.SHELL}/Command", body, shell=shell, **options)

    def send(self, shell: str, command: str, data: bytes, *, end: bool = False) -> Answer:
        stream = (
            f'<r:Stream Name="stdin" CommandId="{command}" End="{end}">{base64.b64encode(data).decode()}</r:Stream>'
        )
        return self.ask(f"{ns.SHELL}/Send", f"<r:Send>{stream}</r:Send>", shell=shell)

    def receive(self, shell: str, command: str, **options: Any) -> Answer:
        body = f'<r:Receive><r:DesiredStream CommandId="{command}">stdout stderr</r:DesiredStream></r:Receive>'
        return self.ask(f"{ns.SHELL}/Receive", body, shell=shell, **options)

    def signal(self, shell: str, command: str, code: str = "terminate") -> Answer:
        body = f'<r:Signal CommandId="{command}"><r:Code>{ns.SIGNAL}/{code}</r:Code></r:Signal>'
        return self.ask(f"{ns.SHELL}/Signal", body, shell=shell)

    def delete(self, shell: str, **options: Any) -> Answer:
        return self.ask(f"{ns.TRANSFER}/Delete", shell=shell, **options)


def test_a_created_shell_is_described() -> None:
    answer = Desk().create("<r:IdleTimeOut>PT10M</r:IdleTimeOut>")
    found = {element.tag.split("}")[1]: element.text for element in answer.root.iterfind(f".//{{{ns.SHELL}}}Shell/*")}
    assert found["Owner"] == "LITWAREINC\\kenmyer"
    assert found["IdleTimeOut"] == "PT600.000S"
    assert found["ShellRunTime"] == "P0DT0H0M0S"
    assert found["ClientIP"] == "127.0.0.1"
    selector = answer.root.find(f".//{{{ns.WSMAN}}}Selector")
    assert selector is not None
    assert selector.text == answer.shell_id == answer.shell_id.upper()


def test_a_shell_belongs_to_its_user_over_any_connection() -> None:
    desk = Desk()
    shell = desk.create().shell_id
    again = Logon("kenmyer", "litwareinc.com", "basic", "x")
    assert desk.command(shell, logon=again).status == 200
    for answer in (desk.command(shell, logon=OTHER), desk.delete(shell, logon=OTHER)):
        assert answer.code == 2150858843
    assert desk.delete(shell).status == 200
    assert desk.delete(shell).code == 2150858843


def test_a_user_without_rights_is_denied_everything_but_who_it_is() -> None:
    desk = Desk(denied={"kenmyer"})
    assert desk.create().code == 5
    identify = f'<s:Envelope xmlns:s="{ns.SOAP}"><s:Header/><s:Body><i:Identify xmlns:i="{ns.IDENTITY}"/></s:Body></s:Envelope>'
    status, reply = desk.service.handle(parse(identify.encode()), KENMYER, client_ip="", address="")
    assert status == 200
    assert b"OS: 10.0.14393 SP: 0.0 Stack: 3.0" in reply


def test_the_shell_quota_is_per_user_and_a_closed_shell_gives_its_place_back() -> None:
    desk = Desk(settings=WinRmSettings(max_shells_per_user=2))
    first = desk.create().shell_id
    desk.create()
    refused = desk.create()
    assert refused.code == 2150859173
    assert "maximum number of 2 concurrent shells" in refused.text
    assert desk.create(logon=OTHER).status == 200
    desk.delete(first)
    assert desk.create().status == 200


def test_commands_count_against_the_operation_quota_until_their_shell_closes() -> None:
    desk = Desk(settings=WinRmSettings(max_operations=3))
    shell, spare = desk.create().shell_id, desk.create().shell_id
    for _ in range(3):
        desk.signal(shell, desk.command(shell).command_id)
    for name in (shell, spare):
        assert desk.command(name).code == 2150859174
    assert desk.command(desk.create(logon=OTHER).shell_id, logon=OTHER).status == 200
    desk.delete(shell)
    assert desk.command(spare).status == 200


def test_an_idle_shell_ends_with_its_commands_and_a_used_one_does_not() -> None:
    desk = Desk()
    idle = desk.create("<r:IdleTimeOut>PT60S</r:IdleTimeOut>").shell_id
    used = desk.create("<r:IdleTimeOut>PT60S</r:IdleTimeOut>").shell_id
    desk.command(idle)
    desk.now += 50
    running = desk.command(used).command_id
    desk.now += 50
    assert desk.command(idle).code == 2150858843
    assert desk.processes[0].join(2)
    assert desk.receive(used, running, timeout="PT0.05S").code == 2150858793


def test_waiting_for_output_is_not_idleness() -> None:
    desk = Desk()
    shell = desk.create("<r:IdleTimeOut>PT1S</r:IdleTimeOut>").shell_id
    command = desk.command(shell).command_id
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(desk.receive(shell, command, timeout="PT0.3S")))
    waiting.start()
    assert desk.processes[0].asked.wait(5)
    desk.now += 5
    desk.service.reap()
    waiting.join()
    assert answers[0].code == 2150858793


def test_no_shell_outlives_the_longest_run_time() -> None:
    desk = Desk()
    shell = desk.create("<r:IdleTimeOut>PT100000S</r:IdleTimeOut>").shell_id
    desk.now += 28799
    assert desk.command(shell).status == 200
    desk.now += 1
    assert desk.command(shell).code == 2150858843


def test_a_repeated_receive_gets_the_same_answer_and_a_new_one_gets_what_follows() -> None:
    desk = Desk(echo)
    shell = desk.create().shell_id
    command = desk.command(shell).command_id
    desk.send(shell, command, b"once", end=True)
    first = desk.receive(shell, command, message_id="uuid:A")
    again = desk.receive(shell, command, message_id="uuid:A")
    assert (first.output, first.done) == (again.output, again.done) == (b"once", True)
    assert desk.receive(shell, command, message_id="uuid:B").code == 2150858843


def test_a_receive_repeated_while_the_first_still_waits_gets_its_answer_too() -> None:
    desk = Desk(echo)
    shell = desk.create().shell_id
    command = desk.command(shell).command_id
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(desk.receive(shell, command, message_id="uuid:A")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    assert desk.processes[0].asked.wait(5)
    desk.send(shell, command, b"once", end=True)
    for thread in threads:
        thread.join()
    assert [answer.output for answer in answers] == [b"once", b"once"]


def test_a_reply_stays_within_the_envelope_that_the_client_takes() -> None:
    for size in (153600, 20000):
        desk = Desk(echo)
        shell = desk.create().shell_id
        command = desk.command(shell).command_id
        blob = bytes(range(256)) * 1000
        desk.send(shell, command, blob, end=True)
        output, done, number = b"", False, 0
        while not done:
            number += 1
            answer = desk.receive(shell, command, message_id=f"uuid:{number}", size=size)
            assert len(ET.tostring(answer.root)) <= size
            output, done = output + answer.output, answer.done
        assert output == blob


def test_operation_timeout_bounds_a_receive_and_the_service_bounds_the_timeout() -> None:
    desk = Desk(settings=WinRmSettings(max_timeout_s=0.1))
    shell = desk.create().shell_id
    command = desk.command(shell).command_id
    begun = time.monotonic()
    assert desk.receive(shell, command, timeout="PT30S").code == 2150858793
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("timeout", ["PT-1S", "-PT1S", "PT0S", "soon"])
def test_an_operation_timeout_that_is_none_is_refused(timeout: str) -> None:
    answer = Desk().create(timeout=timeout)
    assert answer.code == 2150858767
    assert f"timeout field in the SOAP header: {timeout}." in answer.text


def test_a_receive_that_waits_when_its_command_is_terminated_is_aborted() -> None:
    desk = Desk()
    shell = desk.create().shell_id
    command = desk.command(shell).command_id
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(desk.receive(shell, command)))
    waiting.start()
    assert desk.processes[0].asked.wait(5)
    assert desk.signal(shell, command).status == 200
    waiting.join(5)
    assert answers[0].code == 995


def test_input_after_its_end_and_input_for_no_command_are_refused() -> None:
    desk = Desk(echo)
    shell = desk.create().shell_id
    command = desk.command(shell).command_id
    assert desk.send(shell, command, b"x", end=True).status == 200
    assert desk.send(shell, command, b"y").code == 232
    assert desk.send(shell, "nobody", b"y").code == 2150858843


def test_signals_are_for_commands_there_are() -> None:
    desk = Desk(echo)
    shell = desk.create().shell_id
    command = desk.command(shell).command_id
    desk.send(shell, command, b"", end=True)
    assert desk.receive(shell, command).done
    assert desk.signal(shell, command, "hangup").code == 87
    assert desk.signal(shell, command).status == 200  # after Done clients clean up
    assert desk.signal(shell, command).code == 2150858843


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("<r:IdleTimeOut>600</r:IdleTimeOut>", 2150858817),
        ("<r:IdleTimeOut>-PT5S</r:IdleTimeOut>", 2150858817),
        (f'<r:Environment><r:Variable Name="A">{"x" * 32768}</r:Variable></r:Environment>', 87),
        ("", 0),
        (f'<r:Environment><r:Variable Name="A">{"x" * 32767}</r:Variable></r:Environment>', 0),
    ],
)
def test_a_shell_is_refused_for_what_windows_cannot_give(more: str, code: int) -> None:
    assert Desk().create(more).code == code


def test_a_receive_without_a_command_is_an_incorrect_parameter() -> None:
    desk = Desk()
    assert desk.receive(desk.create().shell_id, "").code == 87


def test_a_process_that_cannot_be_created_is_a_fault_and_no_command() -> None:
    desk = Desk()
    answer = desk.command(desk.create().shell_id, "missing.exe")
    assert (answer.code, answer.command_id) == (2147942402, "")
    assert "cannot find the file" in answer.text


def test_other_resources_and_actions_are_refused_by_name() -> None:
    desk = Desk()
    uri = "http://schemas.microsoft.com/powershell/Microsoft.Exchange"
    answer = desk.create(resource=uri)
    assert answer.code == 2150858811
    assert f"The resource URI ({uri}) was not found" in answer.text
    shell = desk.create().shell_id
    assert desk.ask(f"{ns.SHELL}/Disconnect", shell=shell).code == 2150858771


def test_configuration_and_a_shell_s_state_can_be_read() -> None:
    desk = Desk()
    config = desk.ask(f"{ns.TRANSFER}/Get", resource=ns.CONFIG)
    assert config.root.findtext(f".//{{{ns.CONFIG}}}MaxEnvelopeSizekb") == "500"
    shell = desk.create().shell_id
    desk.now += 3725
    state = desk.ask(f"{ns.TRANSFER}/Get", resource=ns.SHELL, shell=shell)
    assert state.root.findtext(f".//{{{ns.SHELL}}}ShellInactivity") == "P0DT1H2M5S"
    assert desk.ask(f"{ns.TRANSFER}/Get", resource=ns.SHELL, shell=shell, logon=OTHER).code == 2150858843
