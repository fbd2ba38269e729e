"""Cmdlets of a registry: bound, called, converted, failing and stopping as PowerShell's own do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import pytest
from powershell_machine import Ended, LabMachine, Running

from s2slib.lab.powershell import Call, CmdletSpec, Parameter, SecureString, ps_object

Run = Callable[..., Ended]
CAUGHT = (
    'catch { $_.FullyQualifiedErrorId; "$($_.CategoryInfo)"; $_.Exception.GetType().FullName; $_.Exception.Message }'
)
URL = "-MetadataUrl https://x/1"


def bound(machine: LabMachine, *parameters: Parameter, default: str = "") -> list[dict[str, object]]:
    """Register Show-Bound; what each call is handed is appended to the list."""
    seen: list[dict[str, object]] = []

    def run(call: Call) -> None:
        seen.append({**call.parameters, "set": call.parameter_set})

    machine.registry.add(CmdletSpec("Show-Bound", run, parameters, default_set=default))
    return seen


def test_a_cmdlet_of_a_module_is_found_at_first_use(ps: Run) -> None:
    ended = ps(
        f"(New-CsPartnerApplication Exchange -ApplicationTrustLevel full {URL}).Identity; (Get-Module Lync).Name"
    )
    assert (ended.rc, ended.lines) == (0, ["Exchange", "Lync"])


def test_without_auto_loading_the_module_must_be_imported(ps: Run) -> None:
    off = "$PSModuleAutoLoadingPreference='None';"
    assert ps(f"{off} Get-CsPartnerApplication").rc == 1
    assert ps(f"{off} Import-Module Lync; (Get-CsPartnerApplication).Identity").lines == ["Exchange"]


def test_names_prefixes_aliases_positions_and_types_bind(ps: Run, machine: LabMachine) -> None:
    seen = bound(
        machine,
        Parameter("Name", "string", position=0),
        Parameter("Count", "int", aliases=("Number",)),
        Parameter("Tags", "string[]"),
        Parameter("Url", "uri"),
        Parameter("Force", "switch"),
        Parameter("Since", "datetime"),
        Parameter("Id", "guid"),
    )
    script = (
        "show-bound 'n' -numb '5' -t a,b -u https://x/y -force -id 00000004-0000-0ff1-ce00-000000000000 -sin 2026-01-02"
    )
    assert ps(script).rc == 0
    values = seen[0]
    assert (values["Name"], values["Count"], values["Force"]) == ("n", 5, True)
    assert list(values["Tags"]) == ["a", "b"]  # type: ignore[call-overload]
    assert (str(values["Url"]), str(values["Id"])) == ("https://x/y", "00000004-0000-0ff1-ce00-000000000000")
    assert str(values["Since"]) == "2026-01-02 00:00:00"


def test_a_number_keeps_its_text_for_a_string_parameter(ps: Run, machine: LabMachine) -> None:
    seen = bound(machine, Parameter("Text", "string", position=0), Parameter("Any", "object"))
    ps("Show-Bound 0815 -Any 0x10; Show-Bound 1.0")
    assert (seen[0]["Text"], seen[0]["Any"]) == ("0815", 16)
    assert seen[1]["Text"] == "1.0"


def test_a_secure_string_reaches_the_cmdlet_and_not_the_output(ps: Run, machine: LabMachine) -> None:
    seen = bound(machine, Parameter("Secret", "securestring"))
    ended = ps("$s = ConvertTo-SecureString 'hush' -AsPlainText -Force; Show-Bound -Secret $s; \"$s\"")
    secret = seen[0]["Secret"]
    assert isinstance(secret, SecureString)
    assert secret.reveal() == "hush"
    assert "hush" not in ended.out + ended.err + repr(secret)


def test_canonical_spelling_is_handed_on(ps: Run) -> None:
    assert ps(f"(New-CsPartnerApplication E -ApplicationTrustLevel fULL {URL}).Level.ToString()").lines == ["Full"]


@pytest.mark.parametrize(
    ("arguments", "id", "words"),
    [
        (f"E -ApplicationTrustLevel Nope {URL}", "CannotConvertArgumentNoMessage", "Full, Restricted"),
        (f"E {URL}", "MissingMandatoryParameter", "ApplicationTrustLevel"),
        (f"E -ApplicationTrustLevel Full {URL} -Bogus 1", "NamedParameterNotFound", "'Bogus'"),
        (
            f"E -ApplicationTrustLevel Full {URL} -UseOAuthServer",
            "AmbiguousParameterSet",
            "Parameter set cannot be resolved",
        ),
        (f"E -ApplicationTrustLevel Full {URL} -Enabled x", "CannotConvertArgumentNoMessage", "System.Boolean"),
        (f"E F -ApplicationTrustLevel Full {URL}", "PositionalParameterNotFound", "'F'"),
        (
            f"'' -ApplicationTrustLevel Full {URL}",
            "ParameterArgumentValidationErrorEmptyStringNotAllowed",
            "empty string",
        ),
    ],
)
def test_what_does_not_bind_is_a_catchable_error(ps: Run, arguments: str, id: str, words: str) -> None:
    ended = ps(f"try {{ New-CsPartnerApplication {arguments} }} {CAUGHT}")
    assert ended.lines[0] == f"{id},New-CsPartnerApplication"
    assert words in ended.out


def test_a_value_the_cmdlet_refuses_in_binding_says_so(ps: Run) -> None:
    ended = ps(
        f"try {{ New-CsPartnerApplication E -ApplicationTrustLevel Full -MetadataUrl https://unreachable/1 }} {CAUGHT}"
    )
    assert ended.lines[0] == "ParameterBindingFailed,New-CsPartnerApplication"
    assert ended.lines[1].startswith("WriteError: (:) [New-CsPartnerApplication], ParameterBindingException")
    assert 'Exception setting "MetadataUrl": "The remote name could not be resolved."' in ended.out


def test_a_terminating_error_ends_the_statement_and_is_caught_as_its_own_exception(ps: Run) -> None:
    caught = ps(f"try {{ Get-CsPartnerApplication Missing; 'not reached' }} {CAUGHT}")
    assert caught.lines[:3] == [
        "ManagementObjectNotFoundException,Get-CsPartnerApplication",
        "ObjectNotFound: (Missing:String) [Get-CsPartnerApplication], ManagementObjectNotFoundException",
        "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
    ]
    loose = ps("Get-CsPartnerApplication Missing; 'next'")
    assert (loose.rc, loose.lines) == (0, ["next"])
    assert "Get-CsPartnerApplication : The object 'Missing' couldn't be found." in loose.error_text


def test_a_non_terminating_error_is_written_and_the_rest_goes_on(ps: Run) -> None:
    ended = ps("(Get-CsPartnerApplication Soft).Identity; $?; $Error[0].FullyQualifiedErrorId")
    assert ended.lines == ["after", "True", "SoftId,Get-CsPartnerApplication"]
    assert '<S S="warning">be careful</S>' in ended.err
    assert "soft failure" in ended.error_text
    assert "looking" not in ended.err


def test_common_parameters_govern_errors_warnings_and_verbose(ps: Run) -> None:
    ended = ps(
        "$r = Get-CsPartnerApplication Soft -ErrorAction SilentlyContinue -ErrorVariable e -WarningAction SilentlyContinue "
        '-WarningVariable w -Verbose; $e.Count; "$($e[0])"; "$w"'
    )
    assert ended.lines == ["1", "soft failure", "be careful"]
    assert '<S S="verbose">looking</S>' in ended.err
    stopped = ps("try { Get-CsPartnerApplication Soft -ErrorAction Stop; 'no' } catch { \"caught $_\" }")
    assert stopped.lines == ["caught soft failure"]


def test_the_exit_code_tells_whether_the_last_statement_failed(ps: Run) -> None:
    assert ps("Get-CsPartnerApplication Soft | Out-Null").rc == 1
    assert ps("Get-CsPartnerApplication Soft | Out-Null; 'ok'").rc == 0


def test_what_if_prints_and_changes_nothing(ps: Run) -> None:
    ended = ps(f"New-CsPartnerApplication E -ApplicationTrustLevel Full {URL} -WhatIf")
    assert ended.lines == ['What if: Performing the operation "New-CsPartnerApplication" on target "E".']


def test_pipeline_input_binds_by_value_and_by_property_name(ps: Run) -> None:
    assert ps("'a','b' | Get-CsPartnerApplication | ForEach-Object Identity").lines == ["a", "b"]
    assert ps("[pscustomobject]@{Identity='c'} | Get-CsPartnerApplication | ForEach-Object Identity").lines == ["c"]


def test_input_that_no_parameter_takes_is_an_error_and_not_dropped(ps: Run, machine: LabMachine) -> None:
    seen = bound(machine, Parameter("Name", "string"))
    ended = ps("'a' | Show-Bound; $Error[0].FullyQualifiedErrorId")
    assert ended.lines == ["InputObjectNotBound,Show-Bound"]
    assert seen == []


def test_objects_print_as_a_list_and_enums_as_their_names(ps: Run) -> None:
    lines = ps(f"New-CsPartnerApplication Exchange -ApplicationTrustLevel Full {URL}").lines
    assert "Identity   : Exchange" in lines
    assert "Level      : Full" in lines
    assert "AuthTokens : {a, b}" in lines


def test_the_machine_the_session_and_a_fresh_command_id_arrive(ps: Run) -> None:
    assert ps("Get-Who").lines == ["atl-cs-001:ken:32"]


def test_a_program_gives_lines_an_exit_code_and_its_own_stderr(ps: Run) -> None:
    ended = ps('iisreset atl-exchange-001 /noforce; "$? $LASTEXITCODE"; iisreset.exe /fail; "$? $LASTEXITCODE"')
    assert ended.lines == [
        "Attempting stop...", "Internet services successfully restarted", "atl-exchange-001 /noforce", "True 0",
        "Attempting stop...", "Internet services successfully restarted", "False 5",
    ]  # fmt: skip
    assert "Access denied" in ended.err
    assert ps("iisreset /fail").rc == 1


def test_output_is_seen_while_the_cmdlet_still_runs_and_terminating_the_process_stops_it(machine: LabMachine) -> None:
    process = Running(machine, "'<a 0 0 Imdvb2Qi>'; Wait-Long; 'not reached'")
    time.sleep(0.2)
    started = time.monotonic()
    process.stop.set()
    process._thread.join(5)
    assert not process._thread.is_alive()
    assert time.monotonic() - started < 2
    assert "not reached" not in process.text


def test_processes_do_not_share_state(machine: LabMachine, ps: Run) -> None:
    results: list[Ended] = []

    def work(number: int) -> None:
        script = f"$x = {number}; function F {{ $x }}; foreach ($i in 1..200) {{ $x = $x + 1 }}; F; "
        script += f"$env:S2S = '{number}'; $env:S2S"
        results.append(ps(script))

    threads = [threading.Thread(target=work, args=(n * 1000,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.lines for r in results) == sorted([str(n * 1000 + 200), str(n * 1000)] for n in range(4))


def test_results_stream_into_the_next_command(ps: Run, machine: LabMachine) -> None:
    produced: list[int] = []

    def numbers(call: Call) -> Iterable[object]:
        for n in range(100):
            produced.append(n)
            yield n

    machine.registry.add(CmdletSpec("Get-Numbers", numbers))
    assert ps("Get-Numbers | Select-Object -First 2").lines == ["0", "1"]
    assert produced == [0, 1]


def test_services_are_shown_as_the_table_that_powershell_has_for_them(ps: Run, machine: LabMachine) -> None:
    kind = "System.ServiceProcess.ServiceController"
    name, long = "AppIDSvcForTheTest", "An application identity that has a name of its own"
    rows = [ps_object(kind, Name="W3SVC", Status="Running", DisplayName="World Wide Web Publishing Service"),
            ps_object(kind, Name=name + "s", Status="Stopped", DisplayName=long)]  # fmt: skip
    machine.registry.add(CmdletSpec("Get-Rows", lambda call: rows))
    assert ps("'first'; Get-Rows").out == (
        "first\r\n\r\n"
        "Status   Name               DisplayName                           \r\n"
        "------   ----               -----------                           \r\n"
        "Running  W3SVC              World Wide Web Publishing Service     \r\n"
        "Stopped  AppIDSvcForTheT... An application identity that has a ...\r\n"
        "\r\n\r\n"
    )
    assert ps("Get-Rows; 'x'").out.endswith("that has a ...\r\nx\r\n\r\n\r\n")
    machine.registry.add(CmdletSpec("Get-Other", lambda call: [ps_object("Some.Thing", Name="x")]))
    assert "does not support another object after a table" in ps("Get-Rows; Get-Other").error_text


def test_a_view_that_powershell_lays_down_otherwise_is_refused(ps: Run) -> None:
    assert ps("('a', 'a' | Group-Object).Count").lines == ["2"]
    assert (
        "does not support the view of a Microsoft.PowerShell.Commands.GroupInfo" in ps("'a' | Group-Object").error_text
    )
