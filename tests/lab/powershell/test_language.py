"""The language where it surprises: scopes, errors, pipelines, conversions, arguments."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from powershell_machine import Ended, LabMachine

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        # arrays and nothing
        ("function F { }; $x = F; @($x).Count; @($null).Count; $null | % { 'once' }; $x | % { 'never' }",
         ["0", "1", "once"]),
        ("$a = @(7); $b = $(@(7)); $a.GetType().Name; $b.GetType().Name", ["Object[]", "Int32"]),
        ("function F { , @(1) }; (F).GetType().Name; function G { @(1) }; (G).GetType().Name", ["Object[]", "Int32"]),
        ("$l = @(foreach ($x in 1..2) { , @($x, $x) }); $l.Count; $l[0].Count", ["2", "2"]),
        ("$a = 1,2,3; $b = $a; $b[0] = 9; \"$a\"; $c = $a + 4; \"$a|$c\"", ["9 2 3", "9 2 3|9 2 3 4"]),
        ("$a, $b = 1, 2, 3; \"$a|$b\"; $x = $y = 5; $x + $y", ["1|2 3", "10"]),
        # pipelines
        ("1..5 | % { if ($_ -eq 3) { return }; $_ }", ["1", "2", "4", "5"]),
        ("1..3 | % { $s = 0 } { $s += $_ } { $s }", ["6"]),
        ("$x = 1; 1..2 | % { $x = 5 }; $x; & { $x = 9 }; $x", ["5", "5"]),
        ("filter Twice { $_ * 2 }; 1, 2 | Twice", ["2", "4"]),
        ("function P { begin { 'b' } process { \"p$_\" } end { 'e' } }; 1, 2 | P", ["b", "p1", "p2", "e"]),
        ("function I { $input.GetType() | Out-Null; @($input).Count }; 1, 2 | I", ["2"]),
        # scopes
        ("$g = 1; function F { $g; $g = 2; $g; $script:g = 3 }; F; $g", ["1", "2", "3"]),
        ("function Outer { $v = 'o'; Inner }; function Inner { $v }; Outer", ["o"]),
        ("[int]$n = 1; $n = '7'; $n.GetType().Name; try { $n = 'x' } catch { 'no' }; $n", ["Int32", "no", "7"]),
        # errors
        ("try { 1; throw 'a'; 2 } catch { \"c $_\" } finally { 'f' }", ["1", "c a", "f"]),
        ("function F { try { return 'r' } finally { 'f' } }; F", ["r", "f"]),
        ("try { try { throw 'in' } catch { throw 'out' } } catch { \"$_\" }", ["out"]),
        ("try { try { throw 'in' } catch { throw } } catch { \"again $_\" }", ["again in"]),
        ("try { Get-NoSuch } catch [System.Management.Automation.CommandNotFoundException] { 'cnf' } catch { 'other' }",
         ["cnf"]),
        ("$e = $null; try { 1/0 } catch { $e = $_ }; $e.Exception.Message; $Error.Count",
         ["Attempted to divide by zero.", "1"]),
        ("$ErrorActionPreference = 'SilentlyContinue'; 1/0; Write-Error x; 'on'; $Error.Count", ["on", "2"]),
        ("function F { [CmdletBinding()] param() Write-Error 'e'; 'after' }; F -ErrorAction SilentlyContinue; $?",
         ["after", "True"]),
        ("function F { [CmdletBinding()] param() Write-Error 'e'; 'after' }; try { F -EA Stop } catch { 'c' }",
         ["c"]),
        ("function F { [CmdletBinding()] param() $PSCmdlet.ThrowTerminatingError((New-Object Management.Automation.ErrorRecord "
         "([Exception]'t'), 'Tid', 'InvalidData', 5)) }; try { F; 'no' } catch { $_.FullyQualifiedErrorId }", ["Tid,F"]),
        # loops
        (":o foreach ($x in 1..3) { foreach ($y in 1..3) { if ($y -eq 2) { continue o }; \"$x$y\" } }",
         ["11", "21", "31"]),
        ("$i = 0; do { $i++ } until ($i -ge 3); $i; for ($j = 0; $j -lt 2; $j++) { $j }", ["3", "0", "1"]),
        ("switch (1, 2, 5) { 1 { 'one' } { $_ -gt 4 } { 'big'; break } default { 'd' } }", ["one", "d", "big"]),
        ("switch -Wildcard ('abc') { 'a*' { 'w' } 'b*' { 'no' } }; switch -Regex ('a1') { '(\\d)' { $Matches[1] } }",
         ["w", "1"]),
        # operators and conversions
        ("'10' + 5; 10 + '5'; '3' * 2; 7 / 2; 6 / 2; 7 % -3; -7 % 3", ["105", "15", "33", "3.5", "3", "1", "-1"]),
        ("[int]2.5; [int]3.5; [int]'0x1F'; [int]$true; [int]''; [long]5 -is [long]",
         ["2", "4", "31", "1", "0", "True"]),
        ("1, 2, 3 -eq 2; 'a', 'B' -contains 'b'; 'a' -ceq 'A'; $null -eq 0; 0 -eq $null; '' -eq $null",
         ["2", "True", "False", "False", "False", "False"]),
        ("'a1b' -match '(?<d>\\d)'; $Matches.d; 'x' -replace 'X', 'y'; 'x' -creplace 'X', 'y'",
         ["True", "1", "y", "x"]),
        ("'{0,3}|{0,-3}|{1:x4}|{2:yyyy}' -f 5, 255, [datetime]'2026-01-02'", ["  5|5  |00ff|2026"]),
        ("\"$(1, 2) $([char]65) ${env:COMPUTERNAME} `$x $('a' + 'b')\"", ["1 2 A ATL-CS-001 $x ab"]),
        ("$o = [pscustomobject]@{A = 1; B = 'x'}; \"$o\"; $o.a; $null -eq $o.None", ["@{A=1; B=x}", "1", "True"]),
        ("$h = [ordered]@{z = 1; a = 2}; $h.Keys -join ','; $h['z']; $h[1]; $h.Contains('A')",
         ["z,a", "1", "2", "True"]),
        ("[bool]'False'; [bool]@(0); [bool]@(0, 0); [bool]@{}; !''", ["True", "False", "True", "True", "True"]),
        ("2147483647 + 1; (2147483647 + 1).GetType().Name; 9223372036854775807; [byte]255",
         ["2147483648", "Double", "9223372036854775807", "255"]),
        # arguments
        ("function F($a, [switch]$S, $b) { \"$a|$S|$b|$args\" }; F 1 -S 2 3; F -b x y; F -S:$false",
         ["1|True|2|3", "y|False|x|", "|False||"]),
        ("function F { \"$args\" }; F -x 1 /y:2 a,b 'c d'", ["-x 1 /y:2 System.Object[] c d"]),
        ("function F { param([Parameter(Mandatory)][string]$A) $A }; try { F } catch { $_.FullyQualifiedErrorId }",
         ["MissingMandatoryParameter,F"]),
        ("$p = @{Name = 'n'; Force = $true}; function F { param($Name, [switch]$Force) \"$Name $Force\" }; F @p",
         ["n True"]),
        ("& { param([int]$x = 3, $y = $x * 2) \"$x $y\" } -y 1; & { param($x) \"$x\" } (1, 2)", ["3 1", "1 2"]),
        ("function F { [CmdletBinding()] param([Parameter(Position = 1)]$B, [Parameter(Position = 0)]$A) \"$A$B\" }; F 1 2",
         ["12"]),
    ],
)  # fmt: skip
def test_it_does_what_powershell_does(ps: Run, script: str, lines: list[str]) -> None:
    ended = ps(script)
    assert (ended.rc, ended.lines) == (0, lines), ended.error_text


def test_redirections_merge_and_drop_streams(ps: Run) -> None:
    script = "& { 'o'; Write-Warning 'w'; Write-Error 'e'; Write-Host 'h'; Write-Verbose 'v' -Verbose } *>&1 "
    script += '| % { "$($_.GetType().Name) $_" }'
    assert ps(script).lines == [
        "String o",
        "WarningRecord w",
        "ErrorRecord e",
        "InformationRecord h",
        "VerboseRecord v",
    ]
    quiet = ps("& { 'o'; Write-Warning 'w'; Write-Error 'e' } 2>$null 3>$null")
    assert (quiet.lines, quiet.err) == (["o"], "")


def test_hashtables_enumerate_in_an_order_that_is_not_the_written_one(ps: Run) -> None:
    names = [f"key{n}" for n in range(12)]
    script = "$h = @{" + ";".join(f"{n}=1" for n in names) + "}; $h.Keys"
    assert sorted(ps(script).lines) == sorted(names)
    assert ps(script).lines != names


def test_json_is_read_and_written_as_5_1_does(ps: Run) -> None:
    script = (
        '$o = ConvertFrom-Json \'{"d":"2026-11-23T01:02:03Z","l":[1,[2]],"s":"it\'\'s <&>"}\'; $o.d.GetType().Name; '
    )
    script += "$o.l.Count; ConvertTo-Json -InputObject $o -Compress; (ConvertFrom-Json '[1]').GetType().Name; "
    script += "ConvertTo-Json -InputObject @([DayOfWeek]'Monday', $null, [guid]::Empty, 1.5, [char]'x') -Compress"
    assert ps(script).lines == [
        "String", "2", '{"d":"2026-11-23T01:02:03Z","l":[1,[2]],"s":"it\\u0027s \\u003c\\u0026\\u003e"}', "Object[]",
        '[1,null,"00000000-0000-0000-0000-000000000000",1.5,"x"]',
    ]  # fmt: skip


def test_constrained_language_lets_no_method_of_other_types_be_called(ps: Run, machine: LabMachine) -> None:
    machine.language_mode = "ConstrainedLanguage"
    ended = ps(
        "try { [Console]::OpenStandardInput() } catch { $_.FullyQualifiedErrorId; $_.Exception.Message }; "
        "try { New-Object IO.MemoryStream } catch { $_.FullyQualifiedErrorId }; "
        "try { [powershell]::Create() } catch { $_.FullyQualifiedErrorId }; 'abc'.ToUpper(); [int]'5'; "
        "$ExecutionContext.SessionState.LanguageMode; Get-CsPartnerApplication | % Identity"
    )
    assert ended.lines == [
        "MethodInvocationNotSupportedInConstrainedLanguage",
        "Cannot invoke method. Method invocation is supported only on core types in this language mode.",
        "CannotCreateTypeConstrainedLanguage,Microsoft.PowerShell.Commands.NewObjectCommand",
        "MethodInvocationNotSupportedInConstrainedLanguage", "ABC", "5", "ConstrainedLanguage", "Exchange",
    ]  # fmt: skip
