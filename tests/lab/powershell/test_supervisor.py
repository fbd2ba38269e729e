"""A supervisor over standard input, as it was recorded and with one statement changed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from powershell_machine import LabMachine, Running

SUPERVISOR = (Path(__file__).parents[2] / "cases" / "powershell" / "supervisor.ps1").read_text(encoding="utf-8")
BOOTSTRAP = (
    "$i=New-Object IO.StreamReader([Console]::OpenStandardInput(),(New-Object Text.UTF8Encoding $false));"
    "& ([scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($i.ReadLine())))) $i $i.ReadLine()"
)
NEW = {"Identity": "Exchange", "ApplicationTrustLevel": "full", "MetadataUrl": "https://x/1"}
Start = Callable[[str], Running]


def start(running: Start, text: str = SUPERVISOR) -> Running:
    process = running(BOOTSTRAP)
    process.stdin.feed(base64.b64encode(text.encode("utf-8")).decode("ascii") + "\n")
    process.stdin.feed("nonce\n")
    return process


def run(name: str, runspace: str = "here", **parameters: object) -> dict[str, object]:
    return {"id": 2, "runspace": runspace, "name": name, "parameters": parameters, "deadline_s": 10}


@pytest.fixture
def supervisor(running: Start) -> Iterator[Running]:
    process = start(running)
    assert process.answer()["version"] == "5.1.14393.4530"
    assert process.ask(id=1, open="local", runspace="here") == {"id": 1, "state": "Opened"}
    yield process
    assert process.end() == 0


def test_a_cmdlet_is_called_with_typed_values(supervisor: Running) -> None:
    answer = supervisor.ask(**run("New-CsPartnerApplication", **NEW, Tags=["it's", "x"], Enabled=False))
    assert answer["state"] == "Completed"
    [application] = answer["output"]
    assert application["Identity"] == "Exchange"
    assert application["Enabled"] is False
    assert application["Level"] == "Full"


def test_every_way_to_fail_is_told_apart(supervisor: Running) -> None:
    soft = supervisor.ask(**run("Get-CsPartnerApplication", Identity="Soft"))
    assert (soft["state"], soft["warnings"], soft["errors"][0]["id"]) == (
        "Completed", ["be careful"], "SoftId,Get-CsPartnerApplication",
    )  # fmt: skip
    unknown = supervisor.ask(**run("Get-NoSuch"))
    assert (unknown["state"], unknown["errors"][0]["thrown"]) == (
        "Failed", "System.Management.Automation.CommandNotFoundException",
    )  # fmt: skip
    bad = supervisor.ask(**run("New-CsPartnerApplication", **{**NEW, "Nope": 1}))
    assert bad["errors"][0]["id"] == "NamedParameterNotFound,New-CsPartnerApplication"
    hard = supervisor.ask(**run("Get-CsPartnerApplication", Identity="Missing"))
    assert hard["errors"][0]["thrown"].endswith("ManagementObjectNotFoundException")


def test_a_deadline_stops_the_command_and_keeps_what_it_put_out(supervisor: Running) -> None:
    supervisor.send(id=5, runspace="here", name="Wait-Long", parameters={}, deadline_s=1)
    started = time.monotonic()
    answer = supervisor.answer()
    assert (answer["state"], answer["output"]) == ("TimedOut", ["started"])
    assert time.monotonic() - started < 2.5
    assert supervisor.ask(**run("Get-Who"))["output"] == ["atl-cs-001:ken:32"]


def test_an_endpoint_is_opened_with_a_secret_from_its_own_line(supervisor: Running, machine: LabMachine) -> None:
    supervisor.send(
        id=3, open="endpoint", runspace="exch", uri="http://exch.litwareinc.com/PowerShell/", configuration="Microsoft.Exchange",
        authentication="Kerberos", user="litwareinc\\kenmyer",
    )  # fmt: skip
    supervisor.stdin.feed(base64.b64encode("p\u00e4ss😀".encode()).decode("ascii") + "\n")
    assert supervisor.answer() == {"id": 3, "state": "Opened"}
    assert machine.opened[0]["credential"] == ("litwareinc\\kenmyer", "p\u00e4ss😀")
    [application] = supervisor.ask(**run("New-CsPartnerApplication", "exch", **NEW))["output"]
    assert application["$type"].startswith("Deserialized.Microsoft.Rtc.")
    assert application["Level"] == "Full"
    assert application["PSComputerName"] == "exch.litwareinc.com"
    machine.endpoints[0].up = False
    gone = supervisor.ask(**run("Get-Who", "exch"))
    assert gone["errors"][0]["thrown"] == "System.Management.Automation.Runspaces.InvalidRunspaceStateException"


def test_a_changed_statement_does_what_the_changed_text_says(running: Start) -> None:
    process = start(running, SUPERVISOR.replace('"$($e.Exception.Message)"', '"<$($e.Exception.Message)>"'))
    process.answer()
    process.ask(id=1, open="local", runspace="here")
    answer = process.ask(**run("Write-Error", Message="bad"))
    assert answer["errors"][0]["message"] == "<bad>"
    process.end()


def test_a_request_is_answered_within_milliseconds(supervisor: Running) -> None:
    supervisor.ask(**run("Write-Output", InputObject="warm"))
    spent = []
    for _ in range(10):
        started = time.perf_counter()
        supervisor.ask(**run("Write-Output", InputObject="x"))
        spent.append(time.perf_counter() - started)
    assert sorted(spent)[5] < 0.05
