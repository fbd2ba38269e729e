"""powershell.exe: its command line, exit codes, streams and what ends it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from powershell_machine import Ended, LabMachine, encoded

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    ("script", "rc", "lines"),
    [
        ("'a'", 0, ["a"]),
        ("exit 7; 'no'", 7, []),
        ("throw 'x'; 'no'", 1, []),
        ("Write-Error 'x'", 1, []),
        ("Write-Error 'x'; 'ok'", 0, ["ok"]),
        ("function F { exit 3 }; F; 'no'", 3, []),
        ("[Environment]::Exit(5)", 5, []),
        ("$ErrorActionPreference = 'Stop'; Write-Error 'x'; 'no'", 1, []),
        ("try { throw 'x' } finally { 'f' }; 'no'", 1, ["f"]),
        ("return; 'no'", 0, []),
    ],
)
def test_the_exit_code_follows_from_how_the_script_ends(ps: Run, script: str, rc: int, lines: list[str]) -> None:
    ended = ps(script)
    assert (ended.rc, ended.lines) == (rc, lines)


def test_command_takes_the_rest_of_the_line_and_writes_errors_as_text(ps: Run) -> None:
    ended = ps(argv=["-NoProfile", "-Command", "Write-Warning", "'w';", "Get-NoSuchThing"])
    assert ended.rc == 1
    assert ended.lines == ["WARNING: w"]
    assert ended.err.startswith("Get-NoSuchThing : The term 'Get-NoSuchThing' is not recognized as the name of a\r\n")
    assert "CLIXML" not in ended.err


@pytest.mark.parametrize("option", ["-EncodedCommand", "-enc", "-e", "/ec", "-eNcOdEd"])
def test_options_may_be_shortened(ps: Run, option: str) -> None:
    argv = [*encoded("'hi'")[:2], option, encoded("'hi'")[-1]]
    assert ps(argv=argv).lines == ["hi"]


def test_a_command_that_is_not_base64_is_refused_by_the_host(ps: Run) -> None:
    ended = ps(argv=["-EncodedCommand", "***"])
    assert ended.rc != 0
    assert "not properly encoded" in ended.err


def test_file_runs_a_script_with_named_and_positional_arguments(ps: Run, machine: LabMachine) -> None:
    machine.files["c:\\s\\a.ps1"] = (
        'param([string]$One, [switch]$Two, $Three)\n"$One|$Two|$Three|$PSScriptRoot"\nexit 4'
    )
    ended = ps(argv=["-NoProfile", "-File", "C:\\s\\a.ps1", "x y", "-Two", "-Three", "3"])
    assert (ended.rc, ended.lines) == (4, ["x y|True|3|C:\\s"])


def test_a_script_files_errors_do_not_change_the_exit_code_of_file(ps: Run, machine: LabMachine) -> None:
    machine.files["c:\\s\\a.ps1"] = "Write-Error 'x'"
    machine.files["c:\\s\\b.ps1"] = "throw 'x'"
    assert ps(argv=["-File", "C:\\s\\a.ps1"]).rc == 0
    assert ps(argv=["-File", "C:\\s\\b.ps1"]).rc == 1
    assert ps(argv=["-File", "C:\\s\\none.ps1"]).rc != 0


def test_a_called_script_has_its_own_scope_and_sets_the_last_exit_code(ps: Run, machine: LabMachine) -> None:
    machine.files["c:\\p f\\a.ps1"] = "param($n) $x = 'inner'; \"got $n\"; exit 9"
    machine.files["c:\\p f\\b.ps1"] = "function Helper { 'helps' }; $x = 'dotted'"
    ended = ps("$x = 'outer'; & 'C:\\p f\\a.ps1' -n 5; \"$x $LASTEXITCODE\"; . 'C:\\p f\\b.ps1'; Helper; $x")
    assert ended.lines == ["got 5", "outer 9", "helps", "dotted"]


def test_stderr_is_one_clixml_document_with_text_wrapped_at_the_hosts_width(ps: Run) -> None:
    ended = ps("$w = '_x' + '0041_'; Write-Error ('long ' * 60); Write-Warning $w; Write-Verbose 'v' -Verbose")
    head, _, body = ended.err.partition("\r\n")
    assert head == "#< CLIXML"
    root = ET.fromstring(body)
    kinds = [child.get("S") for child in root]
    assert kinds[-2:] == ["warning", "verbose"]
    assert root[-2].text == "_x005F_x0041_"
    texts = [(child.text or "").replace("_x000D__x000A_", "") for child in root if child.get("S") == "Error"]
    assert max(map(len, texts)) <= 80
    assert len(texts) > 5


def test_progress_is_a_record_on_stderr_unless_silenced(ps: Run) -> None:
    assert "<AV>a</AV>" in ps("Write-Progress -Activity a -Status s -PercentComplete 5").err
    assert ps("$ProgressPreference='SilentlyContinue'; Write-Progress -Activity a").err == ""


def test_an_error_record_shows_its_place_category_and_id(ps: Run) -> None:
    text = ps("'x'\n  [int]'4x'").error_text
    assert (
        text.splitlines()[0]
        == ('Cannot convert value "4x" to type "System.Int32". Error: "Input string was not in a correct format."')[:79]
    )
    assert re.search(r"At line:2 char:3\n\+ +\[int\]'4x'\n\+ +~{9}\n", text)
    assert "CategoryInfo          : InvalidArgument: (:) [], RuntimeException" in text
    assert "FullyQualifiedErrorId : InvalidCastFromStringToInteger" in text


def test_a_parser_error_runs_nothing(ps: Run) -> None:
    ended = ps("'before'\nif (1) {")
    assert (ended.rc, ended.out) == (1, "")
    assert "Missing closing '}'" in ended.error_text
    assert "ParserError" in ended.error_text


@pytest.mark.parametrize("script", ["$a ?? 1", "${a}?.b", "1 ? 2 : 3", "'a' && 'b'", "'a' || 'b'", "'a' &"])
def test_syntax_of_later_versions_is_a_parser_error(ps: Run, script: str) -> None:
    ended = ps("'before'; " + script)
    assert (ended.rc, ended.out) == (1, "")


def test_standard_input_belongs_to_the_script_unless_it_mentions_input(ps: Run) -> None:
    assert ps("[Console]::In.ReadLine()", stdin="a\nb\n").lines == ["a"]
    assert ps('$input | ForEach-Object { "i:$_" }', stdin="a\nb\n").lines == ["i:a", "i:b"]
    assert ps("'x'", stdin="unread\n").lines == ["x"]


def test_a_reader_keeps_lines_whole_whatever_ends_them(ps: Run) -> None:
    script = "$r = New-Object IO.StreamReader ([Console]::OpenStandardInput()), (New-Object Text.UTF8Encoding $false); "
    script += 'while ($null -ne ($l = $r.ReadLine())) { "[$l]" }'
    assert ps(script, stdin="ü\r\n\n😀 x\nlast").lines == ["[ü]", "[]", "[😀 x]", "[last]"]


def test_the_environment_is_the_processs_own(ps: Run) -> None:
    assert ps("$env:computername; $env:NEW = 'n'; $env:new; $env:NEW = ''; $null -eq $env:NEW").lines == [
        "ATL-CS-001",
        "n",
        "True",
    ]
    assert ps("$null -eq $env:NEW").lines == ["True"]


def test_the_host_answers_no_question(ps: Run) -> None:
    for script in ("Read-Host 'name'", "$host.UI.PromptForChoice('t','m',@('&Yes'),0)"):
        ended = ps(script, stdin="Y\n")
        assert (ended.rc, ended.out) == (1, "")
        assert "NonInteractive mode" in ended.error_text.replace("\n", "")
