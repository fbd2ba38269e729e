"""What the evaluator does not understand ends the process loudly; no script can catch it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from powershell_machine import Ended, LabMachine

from s2slib.lab.powershell import Call, CmdletSpec
from s2slib.lab.powershell.process import REFUSED

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    "script",
    [
        "'a'.Normalize()",
        "[System.Net.Dns]::GetHostName()",
        "[NoSuchType]::new()",
        "Get-ChildItem",
        "Invoke-Expression '1'",
        "Set-StrictMode -Version Latest",
        "class C { }",
        "trap { }",
        "data { 'x' }",
        "'x' > out.txt",
        "'{0:C}' -f 5",
        "[datetime]'11 Nov'",
        "'b','A-b','a_' | Sort-Object",
        "[double]10/3",
        "@{a=1} | ConvertTo-Json",
        "@{a=1}",
        "[pscustomobject]@{A=1}",
        "Get-Date",
        "'abc' -replace '(?n)x'",
        "ConvertFrom-Json '{\"a\":1,}'",
        "(ConvertFrom-Json '{\"a\":1.5}').a.GetType()",
        "$ErrorActionPreference = 'Inquire'; Write-Error x",
        "[xml]'<a/>'",
        '"`u{1F600}"',
        "function F { [CmdletBinding()] param([ValidateScript({$true})]$x) }; F",
        "Get-Date -UFormat %s",
        "'a::b'.Split('::')",
        "1..3 | Sort-Object { 0 }",
        "using namespace System",
        "foreach -parallel ($x in 1) { }",
        "$a = 1, 2; $a.Foreach('ToString')",
        "[regex]::Replace('x','x',{ 'y' })",
        "cmd /c echo x",
    ],
)
def test_the_unknown_is_refused_and_cannot_be_caught(ps: Run, script: str) -> None:
    ended = ps(f"try {{ {script} }} catch {{ 'caught' }} finally {{ 'finally' }}" if "using" not in script else script)
    assert ended.rc == REFUSED
    assert "caught" not in ended.out
    assert "finally" not in ended.out
    assert "does not support" in ended.error_text


def test_a_refusal_inside_a_runspace_ends_the_process(ps: Run) -> None:
    script = "$ps = [powershell]::Create(); [void]$ps.AddScript('Get-ChildItem'); "
    script += "try { $ps.Invoke() } catch { 'caught' }; 'went on'"
    ended = ps(script)
    assert (ended.rc, ended.out) == (REFUSED, "")


def test_a_fault_of_the_evaluator_or_of_a_cmdlet_is_a_refusal_too(ps: Run, machine: LabMachine) -> None:
    def broken(call: Call) -> None:
        raise KeyError("inside")

    machine.registry.add(CmdletSpec("Get-Broken", broken))
    ended = ps("try { Get-Broken } catch { 'caught' }")
    assert (ended.rc, ended.out) == (REFUSED, "")
    assert "KeyError" in ended.error_text


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("function F { F }; F", "nested"),
        ("& { " * 60 + "1" + " }" * 60, ""),
        ("'x' * 100000000", "times"),
        ("1..2000000", "range"),
        ("(" * 3000 + "1" + ")" * 3000, "nested"),
    ],
)
def test_runaway_scripts_end_in_a_refusal_or_an_answer(ps: Run, script: str, word: str) -> None:
    ended = ps(script)
    assert ended.rc in ((REFUSED,) if word else (0, REFUSED))
    assert word in ended.error_text


def test_a_member_known_to_be_absent_is_an_answer(ps: Run) -> None:
    ended = ps("$null -eq 'x'.NoSuch; try { 'x'.NoSuch() } catch { $_.FullyQualifiedErrorId }")
    assert (ended.rc, ended.lines) == (0, ["True", "MethodNotFound"])
