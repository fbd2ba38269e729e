"""Commands as values: what is refused, how they are rendered, and that a reader gets the same values back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2slib.remoting.values.command import (
    Cmdlet,
    Command,
    CredentialRef,
    InvalidCommand,
    Program,
    Script,
    SecretRef,
    permits,
)
from s2slib.typed import from_json, to_json

QUOTES = "'‘’‚‛"
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
QUOTED = st.text(st.sampled_from([*QUOTES, '"', "`", "$", "(", ")", ";", "\n", "a", " ", "“", "–"]))
DATES = st.datetimes(timezones=st.just(UTC))
SCALARS = st.one_of(
    TEXTS, QUOTED, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(), st.binary(max_size=40), DATES
)
NAMES = st.from_regex(r"[A-Z][A-Za-z]{0,8}[0-9]{1,3}", fullmatch=True)
PARAMETERS = st.dictionaries(NAMES, SCALARS | st.lists(TEXTS | st.integers(0, 9)).map(tuple), max_size=4)
PARAMETERS = PARAMETERS.filter(lambda named: len({name.lower() for name in named}) == len(named))


def read_quoted(line: str, at: int) -> tuple[str, int]:
    """PowerShell's rule for single-quoted text: any of the five opens and closes, any two of them are one character."""
    assert line[at] in QUOTES
    value = ""
    at += 1
    while True:
        if line[at] in QUOTES:
            if at + 1 < len(line) and line[at + 1] in QUOTES:
                value += line[at]
                at += 2
                continue
            return value, at + 1
        value += line[at]
        at += 1


@given(TEXTS | QUOTED)
def test_a_text_in_quotes_is_read_back_and_nothing_follows_it(value: str) -> None:
    line = Cmdlet("Get-Thing", {"Name": value}).render()
    head = "Get-Thing -Name "
    assert line.startswith(head)
    assert read_quoted(line, len(head)) == (value, len(line))


@given(st.lists(TEXTS | QUOTED, max_size=4))
def test_every_text_of_a_list_is_read_back(values: list[str]) -> None:
    line = Cmdlet("Get-Thing", {"Name": tuple(values)}).render()
    at = len("Get-Thing -Name @(")
    found = []
    while line[at] != ")":
        value, at = read_quoted(line, at)
        found.append(value)
        at += line[at] == ","
    assert found == values
    assert at == len(line) - 1


@given(PARAMETERS, st.sampled_from(["read", "probe", "write"]))
def test_a_recorded_command_is_the_same_command(parameters: dict[str, Any], effect: Any) -> None:
    command = Cmdlet("Set-Thing", parameters, effect, "exchange", ("Name",), 3)
    recorded = json.loads(json.dumps(to_json(command), sort_keys=True))
    again = from_json(Command, recorded)
    assert again == command
    assert again.render() == command.render()
    assert hash(again) == hash(command)


def test_values_are_rendered_as_a_person_would_type_them() -> None:
    when = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=1)))
    parameters = {
        "Text": "it's",
        "Number": 5,
        "Below": -5,
        "Yes": True,
        "No": False,
        "Nothing": None,
        "When": when,
        "Raw": b"\x00\x01",
        "List": ("a", 1, None),
        "Password": SecretRef("pfx"),
        "Credential": CredentialRef("LITWAREINC\\kenmyer", "one"),
    }
    assert Cmdlet("Set-Thing", parameters, "write").render() == (
        "Set-Thing -Text 'it''s' -Number 5 -Below (-5) -Yes:$true -No:$false -Nothing $null "
        "-When ([datetime]'2026-11-23T00:02:03.4567890Z') -Raw ([Convert]::FromBase64String('AAE=')) "
        "-List @('a',1,$null) -Password (Read-Host -AsSecureString -Prompt 'pfx') "
        "-Credential (Get-Credential -UserName 'LITWAREINC\\kenmyer' -Message 'one')"
    )


def test_programs_and_scripts_are_called_and_not_echoed() -> None:
    program = Program(r"C:\Windows\System32\iisreset.exe", ("/noforce", "/timeout:300"), "write")
    assert program.render() == r"& 'C:\Windows\System32\iisreset.exe' '/noforce' '/timeout:300'"
    assert program.name == "iisreset.exe"
    path = r"C:\Program Files\Microsoft\Exchange Server\V15\Scripts\Configure-EnterprisePartnerApplication.ps1"
    script = Script(path, {"ApplicationType": "Lync"}, "write", imports=("Get-Mailbox",))
    assert script.render() == f"& '{path}' -ApplicationType 'Lync'"
    for command in (program, script):
        assert from_json(Command, to_json(command)) == command


@pytest.mark.parametrize(
    "name", ["", "Get-", "-Pool", "Get-Cs Pool", "Get-Pool;", "Get-Pool\n", "Get-Pöol", "Get.Pool", "iisreset"]
)
def test_only_the_name_of_a_cmdlet_is_one(name: str) -> None:
    with pytest.raises(InvalidCommand):
        Cmdlet(name)


@pytest.mark.parametrize("name", ["", "A B", "A-B", "-A", "1A", "A\n", "É"])
def test_only_the_name_of_a_parameter_is_one(name: str) -> None:
    with pytest.raises(InvalidCommand):
        Cmdlet("Get-Thing", {name: 1})


@pytest.mark.parametrize("name", ["ErrorAction", "ea", "WarningVariable", "OUTVARIABLE", "PipelineVariable", "ov"])
def test_a_command_may_not_silence_or_divert_its_own_records(name: str) -> None:
    with pytest.raises(InvalidCommand):
        Cmdlet("Get-Thing", {name: "SilentlyContinue"})


def test_names_that_differ_in_case_only_are_one_name_given_twice() -> None:
    with pytest.raises(InvalidCommand):
        Cmdlet("Get-Thing", {"Name": 1, "name": 2})


class Revealing:
    def reveal(self) -> str:
        return "open sesame"


@pytest.mark.parametrize(
    "value",
    [
        "a\0b",
        "\ud800",
        2**63,
        1.5,
        datetime(2026, 1, 1),  # noqa: DTZ001 - the point of the case
        {"a": 1},
        object(),
        ("a", ("b",)),
        ("a", SecretRef("x")),
        Revealing(),
    ],
)
def test_values_that_would_not_arrive_unchanged_are_refused(value: Any) -> None:
    with pytest.raises(InvalidCommand) as refused:
        Cmdlet("Get-Thing", {"Name": value})
    assert "open sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "path",
    [
        "iisreset.exe",
        r"\\server\share\x.exe",
        r"C:\x.cmd",
        r"C:\..\x.exe",
        r"C:\a\..\x.exe",
        r"C:\a*\x.exe",
        "C:\\a\n\\x.exe",
        "C:\\a[1]\\x.exe",
        'C:\\"a"\\x.exe',
        "C:/Windows/x.exe",
    ],
)
def test_a_program_is_named_by_its_full_local_path(path: str) -> None:
    with pytest.raises(InvalidCommand):
        Program(path)


@pytest.mark.parametrize("argument", ["", 'say "hi"', "C:\\with space\\", "a\0"])
def test_arguments_that_windows_powershell_mangles_are_refused(argument: str) -> None:
    with pytest.raises(InvalidCommand):
        Program(r"C:\Windows\System32\whoami.exe", (argument,))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kind": "text", "line": "Remove-Everything"},
        {"kind": "cmdlet", "name": "Get-Date", "extra": 1},
        {"kind": "cmdlet", "name": "Get-Date", "effect": "harmless"},
        {"kind": "cmdlet", "name": "Get-Date", "runspace": "elsewhere"},
        {"kind": "cmdlet", "name": "Get-Date", "parameters": {"A": 1}},
        {"kind": "cmdlet", "name": "Get-Date", "parameters": [["A", 1], ["A", 2]]},
        {"kind": "cmdlet", "name": "Get-Date", "parameters": [["A", {"$date": "tomorrow"}]]},
        {"kind": "cmdlet", "name": "Get-Date", "parameters": [["A", {"$secret": "x", "y": 1}]]},
        {"kind": "cmdlet", "name": "Get-Date", "parameters": [["A", 1.5]]},
        {"kind": "cmdlet", "name": "Get-Date", "depth": 99},
        {"kind": "program", "path": "x.exe"},
    ],
)
def test_a_record_that_is_not_of_our_making_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises((InvalidCommand, ValueError)):
        from_json(Command, record)


def test_the_parameters_of_a_command_cannot_be_changed_from_outside() -> None:
    parameters = {"Name": "a"}
    command = Cmdlet("Get-Thing", parameters)
    parameters["Name"] = "b"
    assert command.parameters == {"Name": "a"}
    with pytest.raises(TypeError):
        command.parameters["Name"] = "c"  # type: ignore[index]


def test_a_ceiling_permits_its_own_effect_and_those_below() -> None:
    order = ("read", "probe", "write")
    for high, ceiling in enumerate(order):
        for low, effect in enumerate(order):
            assert permits(ceiling, effect) is (low <= high)
