"""The article's own commands, typed as PowerShell text on a server of the estate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from helpers import typed
from helpers.estate_direct import Shell, exchange, on
from helpers.estate_steps import ACCOUNT, EXCHANGE_URL, LYNC_URL, assign
from helpers.typed import Ran

from s2slab.engine.real import RealEngine
from s2slab.estate.estate import LYNC_APP, Estate

SCRIPT = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Scripts\\Configure-EnterprisePartnerApplication.ps1"
Run = Callable[[Shell, str], Ran]
pytestmark = pytest.mark.pwsh
LOAD = "$ProgressPreference='SilentlyContinue'; . \"$env:ExchangeInstallPath\\bin\\RemoteExchange.ps1\"; "
CONNECT = LOAD + "Connect-ExchangeServer -auto -ClientApplication:ManagementShell; "


@pytest.fixture
def powershell(pwsh: RealEngine) -> Run:
    """Types a text on behalf of a shell."""
    return lambda shell, script: typed.powershell(pwsh, shell.machine, shell.session, script)


def lync(estate: Estate) -> Shell:
    return on(estate, "atl-fe-001", delegated=True, method="credssp")


def management(estate: Estate) -> Shell:
    return on(estate, "atl-exchange-001", "s2s-exchange", delegated=True, method="credssp")


def applications(estate: Estate) -> list[Any]:
    return exchange(estate).run("Get-PartnerApplication").output


def test_the_partner_application_line_of_the_article_works_as_typed(web: Estate, powershell: Run) -> None:
    ran = powershell(
        lync(web),
        "New-CsPartnerApplication -Identity Exchange -ApplicationTrustLevel Full -MetadataUrl "
        '"https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"',
    )
    assert ran.code == 0, ran
    assert f"AuthToken:Value={EXCHANGE_URL}" in "".join(ran.stdout.split())  # wrapped at the console's width
    web.clock.advance(61)
    assert web.cms.read("PartnerApplication/Exchange", replica="atl-fe-002.litwareinc.com")


def test_a_wrong_metadata_url_prints_the_documented_error_and_changes_nothing(web: Estate, powershell: Run) -> None:
    ran = powershell(
        lync(web),
        "New-CsPartnerApplication -Identity Exchange -ApplicationTrustLevel Full -MetadataUrl "
        '"https://autodiscover.litwareinc.com/metadata/json/1"',
    )
    assert ran.code == 1
    assert ran.says(
        'Cannot bind parameter \'MetadataUrl\' to the target. Exception setting "MetadataUrl": "The metadata document'
    )
    assert web.log.rows() == []


def test_the_test_line_of_the_article_works_as_typed(trusted: Estate, powershell: Run) -> None:
    ran = powershell(on(trusted, "atl-fe-001"), 'Test-CsExStorageConnectivity -SipUri "sip:kenmyer@litwareinc.com"')
    assert (ran.code, ran.stdout.strip()) == (0, "Test Passed")
    assert (
        len(trusted.mailboxes["kenmyer@litwareinc.com"].folders["ConversationHistory"]) == 1
    )  # nobody asked to delete it


def test_the_script_line_of_the_article_in_quotes_only_prints_itself(web: Estate, powershell: Run) -> None:
    line = f"\"{SCRIPT} -AuthMetaDataUrl 'https://atl-cs-001.litwareinc.com/metadata/json/1' -ApplicationType Lync\""
    ran = powershell(management(web), line)
    assert (ran.code, ran.stdout.strip()) == (0, line.strip('"'))
    assert web.log.rows() == []


def run_script(powershell: Run, estate: Estate, more: str = "") -> Ran:
    script = f"{CONNECT}& '{SCRIPT}' -AuthMetadataUrl '{LYNC_URL}' -ApplicationType Lync {more}; exit $LASTEXITCODE"
    return powershell(management(estate), script)


def test_the_script_makes_user_roles_and_application(web: Estate, powershell: Run) -> None:
    assign(web)
    ran = run_script(powershell, web)
    assert ran.code == 0, ran
    assert "THE CONFIGURATION HAS SUCCEEDED." in ran.stdout
    [row] = applications(web)
    assert row.get("Name").startswith("LyncEnterprise-")
    assert (row.get("ApplicationIdentifier"), row.get("AuthMetadataUrl")) == (LYNC_APP, LYNC_URL)
    assert row.get("LinkedAccount").endswith(ACCOUNT)
    shell = exchange(web)
    held = {r.get("Role") for r in shell.run("Get-ManagementRoleAssignment", RoleAssignee=ACCOUNT).output}
    assert held == {"UserApplication", "ArchiveApplication", "MeetingGraphApplication"}
    assert shell.run("Get-MailUser", Identity=ACCOUNT).one.get("HiddenFromAddressListsEnabled") is True


def test_a_second_run_of_the_script_reuses_user_and_roles_and_fails_at_the_application(
    web: Estate, powershell: Run
) -> None:
    assign(web)
    run_script(powershell, web)
    before = len(web.log.rows())
    ran = run_script(powershell, web)
    assert ran.code == 1
    assert "already exists. Using this user for the Partner Application." in ran.stdout
    assert ran.stdout.count("Skipping role assignment") == 3
    assert "THE CONFIGURATION HAS SUCCEEDED." not in ran.stdout
    assert len(web.log.rows()) == before
    assert len(applications(web)) == 1


def test_the_script_refuses_an_unknown_application_type(web: Estate, powershell: Run) -> None:
    ran = powershell(
        management(web),
        f"{CONNECT}& '{SCRIPT}' -AuthMetadataUrl '{LYNC_URL}' -ApplicationType Exchange; exit $LASTEXITCODE",
    )
    assert ran.code == 1
    assert "Invalid (ServiceName) specified." in ran.stdout


def test_the_script_writes_where_it_is_told_to(web: Estate, powershell: Run) -> None:
    assign(web)
    assert run_script(powershell, web, "-DomainController atl-dc-002.litwareinc.com").code == 0
    first, second = web.directory.controllers
    assert web.directory.list("PartnerApplication", dc=first) == []
    assert len(web.directory.list("PartnerApplication", dc=second)) == 1


def test_the_management_shell_needs_a_second_hop(web: Estate, powershell: Run) -> None:
    ran = powershell(on(web, "atl-exchange-001", "s2s-exchange"), CONNECT + "Get-ExchangeServer")
    assert ran.says("error with errorcode 0x8009030e occurred while using Kerberos authentication")
    assert ran.says("The term 'Get-ExchangeServer' is not recognized")
    assert "Connected to" not in ran.stdout


def test_the_restart_line_of_the_article_works_as_typed(web: Estate, powershell: Run) -> None:
    iis = web.server("atl-exchange-001").iis
    assert iis is not None
    before = iis.generation
    ran = powershell(management(web), "iisreset atl-exchange-001")
    assert "Internet services successfully restarted" in ran.stdout
    assert iis.generation == before + 1


def test_a_session_with_an_explicit_credential_needs_no_delegation(web: Estate, powershell: Run) -> None:
    password = web.accounts["s2s-exchange"].password
    script = f"""
$secret = New-Object System.Security.SecureString
foreach ($c in '{password}'.ToCharArray()) {{ $secret.AppendChar($c) }}
$credential = New-Object System.Management.Automation.PSCredential('LITWAREINC\\s2s-exchange', $secret)
$uri = 'http://atl-exchange-001.litwareinc.com/PowerShell/'
$how = @{{ ConfigurationName = 'Microsoft.Exchange'; ConnectionUri = $uri; Authentication = 'Kerberos' }}
$session = New-PSSession @how -Credential $credential
$ps = [powershell]::Create()
$ps.Runspace = $session.Runspace
$null = $ps.AddCommand('Get-ExchangeServer').AddParameter('Status', $true)
foreach ($row in $ps.Invoke()) {{ Write-Output ($row.Name + ' ' + $row.CurrentDomainControllers[0]) }}
Remove-PSSession $session
"""
    ran = powershell(on(web, "atl-exchange-001", "s2s-exchange"), script)
    assert ran.lines[:2] == [
        "ATL-EXCHANGE-001 atl-dc-001.litwareinc.com",
        "ATL-EXCHANGE-002 atl-dc-002.litwareinc.com",
    ], ran


def test_waiting_on_a_server_costs_lab_time_only(web: Estate, powershell: Run) -> None:
    before, begin = web.now(), time.monotonic()
    ran = powershell(on(web, "atl-fe-001"), "Start-Sleep -Seconds 120; 'done'")
    assert ran.stdout.strip() == "done", ran
    assert (web.now() - before).total_seconds() >= 120
    assert time.monotonic() - begin < 60


def test_certificates_come_as_objects_that_json_can_carry(web: Estate, powershell: Run) -> None:
    script = (
        "Get-ChildItem Cert:\\LocalMachine\\My | Where-Object { $_.Subject -like '*Auth Certificate*' } | "
        "Select-Object Thumbprint, HasPrivateKey | ConvertTo-Json -Compress"
    )
    row = json.loads(powershell(on(web, "atl-exchange-001", "s2s-exchange"), script).stdout)
    assert row["HasPrivateKey"] is True
    assert row["Thumbprint"] in web.server("atl-exchange-001").certificates


def test_lync_commands_come_with_their_module(web: Estate, powershell: Run) -> None:
    ran = powershell(on(web, "atl-fe-001"), "Import-Module Lync; (Get-CsCertificate -Type Default).Subject")
    assert ran.stdout.strip() == "CN=atl-cs-001.litwareinc.com", ran
    assert "(Get-CsCertificate" not in powershell(on(web, "atl-exchange-001", "s2s-exchange"), "Get-CsPool").stdout


@pytest.mark.parametrize("name", ["Get-PartnerApplication", "New-CsPartnerApplication"])
def test_commands_that_are_not_there_are_not_recognized(web: Estate, name: str, powershell: Run) -> None:
    ran = powershell(on(web, "atl-exchange-001", "s2s-exchange"), name)
    assert ran.code == 1
    assert ran.says(f"The term '{name}' is not recognized as ")
