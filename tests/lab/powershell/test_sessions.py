"""Inner remote sessions: what runs there, what comes back, what happens when they break."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from powershell_machine import Ended, LabMachine, Running

from s2slib.lab.powershell import EndpointError

Run = Callable[..., Ended]
OPEN = (
    "$s = New-PSSession -ConnectionUri http://exch.litwareinc.com/PowerShell/ -ConfigurationName Microsoft.Exchange; "
)
CREDENTIAL = (
    "$p = ConvertTo-SecureString 'hush' -AsPlainText -Force; "
    "$c = New-Object Management.Automation.PSCredential 'litwareinc\\kenmyer', $p; "
)
CALL = "$ps = [powershell]::Create(); $ps.Runspace = $s.Runspace; "
CALL += "[void]$ps.AddCommand('{0}'); [void]$ps.AddParameters(@{{{1}}}); "
NEW = "Identity='E'; ApplicationTrustLevel='Full'; MetadataUrl='https://x/1'"
IMPORT = OPEN + "[void](Import-PSSession $s -CommandName {0} -AllowClobber -DisableNameChecking); "


def test_a_session_is_opened_with_what_was_given(ps: Run, machine: LabMachine) -> None:
    ended = ps(
        CREDENTIAL
        + "$s = New-PSSession -ConnectionUri http://exch.litwareinc.com/PowerShell/ -ConfigurationName Microsoft.Exchange "
        '-Authentication Kerberos -Credential $c; "$($s.State) $($s.ComputerName)"; Remove-PSSession $s; "$($s.State)"'
    )
    assert ended.lines == ["Opened exch.litwareinc.com", "Closed"]
    assert machine.opened == [
        {
            "uri": "http://exch.litwareinc.com/PowerShell/", "computer": None, "configuration": "Microsoft.Exchange",
            "authentication": "Kerberos", "credential": ("litwareinc\\kenmyer", "hush"),
        }
    ]  # fmt: skip
    assert machine.endpoints[0].closed


def test_a_session_that_does_not_open_is_an_error_that_stop_makes_catchable(ps: Run, machine: LabMachine) -> None:
    machine.refuse = EndpointError(
        "Connecting to remote server exch failed: Access is denied.", "AccessDenied,PSSessionOpenFailed"
    )
    ended = ps(
        "try { "
        + OPEN.replace("; ", "")
        + ' -ErrorAction Stop } catch { $_.FullyQualifiedErrorId; "$($_.CategoryInfo.Category)" }'
    )
    assert ended.lines == ["AccessDenied,PSSessionOpenFailed", "OpenError"]
    loose = ps(OPEN + "$null -eq $s")
    assert loose.lines == ["True"]
    assert "Access is denied" in loose.error_text


def test_objects_come_back_rebuilt_with_where_they_came_from(ps: Run) -> None:
    ended = ps(
        OPEN + CALL.format("New-CsPartnerApplication", NEW) + "$o = $ps.Invoke()[0]; $o.PSObject.TypeNames[0]; "
        "$o.PSObject.Properties.Name -join ','; \"$($o.Level)\"; $o.Level.Value; $o.Level -eq 'Full'; "
        "ConvertTo-Json -InputObject $o.Level -Compress; $o.Nested.PSObject.TypeNames[0]; $null -eq $o.Nested.Inner; "
        "$o.AuthTokens -is [array]; $o.PSComputerName"
    )
    assert ended.lines == [
        "Deserialized.Microsoft.Rtc.Management.WritableConfig.Settings.SSAuth.PartnerApplication",
        "Identity,Enabled,Level,AuthTokens,Nested,PSComputerName,RunspaceId,PSShowComputerName",
        "Full", "Full", "False", '{"value":1,"Value":"Full"}', "Deserialized.Some.Nested", "True", "False",
        "exch.litwareinc.com",
    ]  # fmt: skip


def test_only_the_endpoints_commands_run_there_and_no_script_text(ps: Run) -> None:
    ended = ps(
        OPEN
        + CALL.format("Get-Process", "")
        + "try { $ps.Invoke() } catch { $_.Exception.InnerException.ErrorRecord.FullyQualifiedErrorId }; "
        "$ps = [powershell]::Create(); $ps.Runspace = $s.Runspace; [void]$ps.AddScript('1+1'); "
        "try { $ps.Invoke() } catch { $_.Exception.InnerException.ErrorRecord.FullyQualifiedErrorId }"
    )
    assert ended.lines == ["CommandNotFoundException", "ScriptsNotAllowed"]


def test_the_far_side_runs_as_the_endpoints_session(ps: Run) -> None:
    assert ps(OPEN + "Invoke-Command -Session $s -ScriptBlock { Get-Who }").lines == ["atl-cs-001:remote of ken:32"]


def test_invoke_command_carries_constants_and_using_but_no_language(ps: Run) -> None:
    script = "$id = 'it''s'; Invoke-Command -Session $s { Get-CsPartnerApplication -Identity $using:id } "
    script += "| ForEach-Object Identity"
    assert ps(OPEN + script).lines == ["it's"]
    refused = ps(OPEN + "Invoke-Command -Session $s { if ($true) { Get-Who } }")
    assert "The syntax is not supported by this runspace" in refused.error_text


def test_a_direct_call_collects_errors_and_warnings_apart(ps: Run) -> None:
    ended = ps(
        OPEN + CALL.format("Get-CsPartnerApplication", "Identity='Soft'") + "$r = $ps.Invoke(); $r[0].Identity; "
        '"$($ps.Streams.Error[0].FullyQualifiedErrorId) $($ps.Streams.Error[0].Exception.GetType().Name)"; '
        '"$($ps.Streams.Warning[0])"; $ps.HadErrors'
    )
    assert ended.lines == ["after", "SoftId,Get-CsPartnerApplication RemoteException", "be careful", "True"]


def test_a_terminating_error_over_there_is_only_written_through_a_proxy(ps: Run) -> None:
    ended = ps(IMPORT.format("Invoke-Boom") + "try { Invoke-Boom; 'went on' } catch { 'caught' }")
    assert ended.lines == ["went on"]
    assert "remote boom" in ended.error_text


@pytest.mark.parametrize("broken", ["New-CsPartnerApplication -Identity x -ApplicationTrustLevel Nope -MetadataUrl https://x",
                                    "New-CsPartnerApplication -ApplicationTrustLevel Full -MetadataUrl https://x"])  # fmt: skip
def test_what_does_not_bind_over_there_is_only_written_through_a_proxy(ps: Run, broken: str) -> None:
    assert ps(
        IMPORT.format("New-CsPartnerApplication") + f"try {{ {broken}; 'went on' }} catch {{ 'caught' }}"
    ).lines == ["went on"]


def test_error_action_stop_makes_a_proxys_error_catchable(ps: Run) -> None:
    assert ps(IMPORT.format("Invoke-Boom") + 'try { Invoke-Boom -ErrorAction Stop } catch { "caught $_" }').lines == [
        "caught remote boom"
    ]


def test_a_proxy_sees_the_global_preference_and_not_its_callers(ps: Run) -> None:
    call = "try { Invoke-Boom; 'went on' } catch { 'caught' }"
    within = ps(IMPORT.format("Invoke-Boom") + f"function F {{ $ErrorActionPreference = 'Stop'; {call} }}; F")
    assert within.lines == ["went on"]
    at_the_top = ps(IMPORT.format("Invoke-Boom") + f"Set-Variable ErrorActionPreference Stop -Scope Global; {call}")
    assert at_the_top.lines == ["caught"]


def test_a_proxys_warnings_go_to_the_host_whatever_the_caller_asks(ps: Run) -> None:
    ended = ps(
        IMPORT.format("Get-CsPartnerApplication")
        + "$r = Get-CsPartnerApplication Soft -WarningAction SilentlyContinue -WarningVariable w -ErrorAction SilentlyContinue "
        "-ErrorVariable e 3>&1; @($r).Count; @($w).Count; @($e).Count"
    )
    assert ended.lines == ["1", "0", "0"]
    assert '<S S="warning">be careful</S>' in ended.err


def test_a_proxy_opens_a_new_session_by_itself_when_its_own_is_gone(machine: LabMachine, ps: Run) -> None:
    ended = ps(IMPORT.format("Get-Who") + "Remove-PSSession $s; Get-Who")
    assert ended.lines == ["atl-cs-001:remote of ken:32"]
    assert len(machine.opened) == 2
    assert machine.opened[0] == machine.opened[1]


def test_what_if_works_through_a_proxy(ps: Run) -> None:
    ended = ps(
        IMPORT.format("New-CsPartnerApplication")
        + "New-CsPartnerApplication E -ApplicationTrustLevel Full -MetadataUrl https://x -WhatIf; 'end'"
    )
    assert ended.lines == ['What if: Performing the operation "New-CsPartnerApplication" on target "E".', "end"]


def test_an_unknown_command_cannot_be_imported(ps: Run) -> None:
    ended = ps(
        OPEN
        + "try { Import-PSSession $s -CommandName Get-Nothing -ErrorAction Stop } catch { $_.FullyQualifiedErrorId }"
    )
    assert ended.lines[0].startswith("ErrorFromRemoteCommand,")


def test_a_session_that_breaks_ends_the_running_command_at_once_even_a_deaf_one(machine: LabMachine) -> None:
    process = Running(
        machine,
        OPEN + CALL.format("Invoke-Deaf", "") + "try { $ps.Invoke() } catch { $_.Exception.InnerException.GetType().Name }; "
        "\"$($s.State)\"; try { $ps = [powershell]::Create(); $ps.Runspace = $s.Runspace; [void]$ps.AddCommand('Get-Who'); "
        "$ps.Invoke() } catch { $_.FullyQualifiedErrorId }",
    )  # fmt: skip
    while not machine.endpoints:
        time.sleep(0.01)
    time.sleep(0.15)
    machine.endpoints[0].up = False
    started = time.monotonic()
    process._thread.join(5)
    assert time.monotonic() - started < 1
    assert process.text.splitlines() == ["PSRemotingTransportException", "Broken", "InvalidRunspaceStateException"]


def test_stop_ends_a_remote_command_and_leaves_the_session_usable(ps: Run) -> None:
    ended = ps(
        OPEN
        + CALL.format("Wait-Long", "")
        + "$h = $ps.BeginInvoke(); [void]$h.AsyncWaitHandle.WaitOne(200); $ps.Stop(); "
        '"$($ps.InvocationStateInfo.State) $($s.State)"; Invoke-Command -Session $s { Get-Who }'
    )
    assert ended.lines == ["Stopped Opened", "atl-cs-001:remote of ken:32"]
