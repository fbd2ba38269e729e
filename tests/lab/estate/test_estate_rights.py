"""What a token may do: local rights, groups, role-based endpoints, and the second hop."""

from __future__ import annotations

import csv
import io

import pytest
from helpers.estate_direct import Ended, exchange, inside, ocs, on

from s2slab import faults
from s2slab.engine.registry import EndpointError, Opening
from s2slab.estate.estate import Estate
from s2slab.machine.machine import LabMachine
from s2slab.winrm.auth import Logon
from s2slab.winrm.launching import Launch

EXCHANGE_URI = "http://atl-exchange-001.litwareinc.com/PowerShell/"


def groups(estate: Estate, server: str, account: str) -> list[str]:
    code, text = on(estate, server, account).program("whoami.exe", "/groups", "/fo", "csv", "/nh")
    assert code == 0
    return [row[0] for row in csv.reader(io.StringIO(text)) if row]


def test_a_network_logon_is_anonymous_to_the_configuration_database(estate: Estate) -> None:
    with pytest.raises(Ended, match=r"NT AUTHORITY\\ANONYMOUS LOGON"):
        on(estate, "atl-fe-001").run("Get-CsOAuthConfiguration")


def test_the_local_replica_needs_no_second_hop(estate: Estate) -> None:
    assert on(estate, "atl-fe-001").run("Get-CsOAuthConfiguration", LocalStore=True).output


def test_a_delegated_logon_reaches_the_configuration_database(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001", delegated=True, method="credssp")
    assert shell.run("Get-CsSipDomain").one.get("Name") == "litwareinc.com"


def test_assigning_the_certificate_globally_needs_the_second_hop(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001")
    thumbprint = shell.run("Get-CsCertificate", Type=["Default"]).one.get("Thumbprint")
    with pytest.raises(Ended, match="ANONYMOUS LOGON"):
        shell.run("Set-CsCertificate", Type=["OAuthTokenIssuer"], Identity="global", Thumbprint=thumbprint)
    assert estate.log.rows() == []


def test_an_inner_session_with_credssp_gives_the_second_hop_to_local_cmdlets(estate: Estate) -> None:
    credential = ("LITWAREINC\\s2s-lync", estate.accounts["s2s-lync"].password)
    wanted = Opening(None, "atl-fe-001.litwareinc.com", authentication="Credssp", credential=credential)
    shell = on(estate, "atl-fe-001")
    endpoint = shell.machine.open_endpoint(shell.session, wanted)
    assert inside(endpoint).run("Get-CsOAuthConfiguration").output
    assert endpoint.language_mode == "FullLanguage"


def test_the_exchange_endpoint_cannot_be_entered_without_a_second_hop(estate: Estate) -> None:
    with pytest.raises(EndpointError, match="0x8009030e") as caught:
        on(estate, "atl-exchange-001", "s2s-exchange").enter(EXCHANGE_URI, "Microsoft.Exchange")
    assert caught.value.id == "1312,PSSessionOpenFailed"


def test_a_delegated_logon_enters_the_exchange_endpoint(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange", delegated=True)
    assert inside(shell.enter(EXCHANGE_URI, "Microsoft.Exchange")).has("New-PartnerApplication")


def test_a_wrong_password_is_refused_and_says_so(estate: Estate) -> None:
    with pytest.raises(EndpointError, match="password is incorrect"):
        on(estate, "atl-exchange-001").enter(EXCHANGE_URI, "Microsoft.Exchange", ("LITWAREINC\\s2s-exchange", "wrong"))


def test_an_account_without_a_role_group_is_denied(estate: Estate) -> None:
    with pytest.raises(EndpointError, match="Access is denied"):
        exchange(estate, account="s2s-lync")
    with pytest.raises(EndpointError, match="Access is denied"):
        ocs(estate, account="s2s-exchange")


def test_a_view_only_account_does_not_find_the_cmdlets_that_change_things(estate: Estate) -> None:
    reader = exchange(estate, account="s2s-readonly")
    assert reader.has("Get-PartnerApplication")
    assert not reader.has("New-PartnerApplication")
    assert not reader.has("Set-AuthConfig")
    assert not ocs(estate, account="s2s-readonly").has("New-CsPartnerApplication")
    assert ocs(estate, account="s2s-readonly").run("Get-CsPartnerApplication").output == []


def test_a_view_only_account_may_read_the_local_store_but_not_write(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001", "s2s-readonly", delegated=True)
    assert shell.run("Get-CsOAuthConfiguration").output
    with pytest.raises(Ended, match="RTCUniversalServerAdmins"):
        shell.run("Set-CsOAuthConfiguration", Realm="x")


def test_certificate_cmdlets_and_the_storage_test_are_not_in_the_remote_endpoint(estate: Estate) -> None:
    assert not ocs(estate).has("Set-CsCertificate")
    assert not ocs(estate).has("Test-CsExStorageConnectivity")
    assert on(estate, "atl-fe-001").has("Set-CsCertificate")


def test_exchange_commands_are_not_in_the_plain_shell_and_lync_commands_not_on_exchange_servers(estate: Estate) -> None:
    assert not on(estate, "atl-exchange-001", "s2s-exchange").has("Get-PartnerApplication")
    assert not on(estate, "atl-exchange-001", "s2s-exchange").has("Get-CsPool")


def test_the_storage_test_needs_its_own_group(estate: Estate) -> None:
    with pytest.raises(Ended, match=r"^Access Denied$"):
        on(estate, "atl-fe-001", "s2s-readonly").run(
            "Test-CsExStorageConnectivity", SipUri="sip:kenmyer@litwareinc.com", DeleteItem=True
        )


def test_a_named_pipe_may_refuse_a_network_logon_whatever_its_rights(estate: Estate) -> None:
    faults.named_pipes_refuse_network(estate)
    with pytest.raises(Ended, match=r"^Access Denied$"):
        on(estate, "atl-fe-001").run("Test-CsExStorageConnectivity", SipUri="sip:kenmyer@litwareinc.com")


def test_the_token_names_domain_and_local_groups_where_they_exist(estate: Estate) -> None:
    lync = groups(estate, "atl-fe-001", "s2s-lync")
    assert "LITWAREINC\\RTCUniversalServerAdmins" in lync
    assert "ATL-FE-001\\RTC Local User Administrators" in lync
    assert "BUILTIN\\Administrators" in lync
    assert "NT AUTHORITY\\NETWORK" in lync
    exchange_groups = groups(estate, "atl-exchange-001", "s2s-exchange")
    assert "LITWAREINC\\Organization Management" in exchange_groups
    assert not any("RTC" in name for name in exchange_groups)
    assert "BUILTIN\\Administrators" not in groups(estate, "atl-exchange-001", "s2s-lync")


@pytest.mark.parametrize(("method", "password", "delegated"), [("ntlm", None, False), ("credssp", "x", True)])
def test_the_logon_decides_whether_a_process_gets_a_second_hop(
    estate: Estate, method: str, password: str | None, delegated: bool
) -> None:
    machine = LabMachine(estate, estate.server("atl-fe-001"))
    logon = Logon("s2s-lync", "LITWAREINC", method, password)
    session = machine.session_of(Launch("hostname", logon, {}, 65001, True, False, None, "1"))
    assert session.delegated is delegated
    assert session.network_logon
    assert session.account.name == "s2s-lync"


def test_names_and_targets_that_do_not_exist_are_told_apart(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001", delegated=True)
    with pytest.raises(EndpointError, match="cannot be resolved"):
        shell.enter("http://nowhere.litwareinc.com/PowerShell/", "Microsoft.Exchange")
    with pytest.raises(EndpointError, match="no such configuration"):
        shell.enter(EXCHANGE_URI, "Microsoft.PowerShell")
    faults.server_down(estate, "atl-exchange-001")
    with pytest.raises(EndpointError, match="cannot complete the operation"):
        shell.enter(EXCHANGE_URI, "Microsoft.Exchange")


def test_lyncs_endpoint_is_entered_over_tls_that_the_client_must_trust(estate: Estate) -> None:
    faults.authority_not_trusted(estate, "atl-fe-001")
    with pytest.raises(EndpointError, match="SSL connection cannot be established") as caught:
        ocs(estate, "atl-fe-001")
    assert caught.value.id.startswith("-2144108102")


def test_the_pool_name_leads_to_a_front_end_that_is_up(estate: Estate) -> None:
    faults.server_down(estate, "atl-fe-001")
    credential = ("s2s-lync", estate.accounts["s2s-lync"].password)
    endpoint = on(estate, "atl-fe-002").enter(
        "https://atl-cs-001.litwareinc.com/OcsPowershell", "Microsoft.PowerShell", credential
    )
    assert endpoint.machine.fqdn == "atl-fe-002.litwareinc.com"
