"""What the products say about themselves: pools, servers, versions, policies, and where versions differ."""

from __future__ import annotations

import pytest
from helpers.estate_direct import Ended, exchange, ocs, on

from s2slab import faults
from s2slab.estate.clock import LabClock
from s2slab.estate.estate import Estate
from s2slab.scenario import Scenario, build_estate

SCP = "https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml"
SIP = "sip:kenmyer@litwareinc.com"


def made(**scenario: object) -> Estate:
    return build_estate(clock=LabClock(monotonic=lambda: 0.0), scenario=Scenario(**scenario))  # type: ignore[arg-type]


def test_the_pool_has_two_front_ends_and_its_web_name_is_the_articles(estate: Estate) -> None:
    pool = ocs(estate).run("Get-CsPool", Identity="atl-cs-001.litwareinc.com").one
    assert pool.get("Computers") == ["atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"]
    web = ocs(estate).run("Get-CsService", WebServer=True).one
    assert web.get("InternalFqdn") == "atl-cs-001.litwareinc.com"
    assert (
        ocs(estate).run("Get-CsComputer", Pool="atl-cs-001.litwareinc.com").output[1].get("Fqdn")
        == pool.get("Computers")[1]
    )
    with pytest.raises(Ended, match="Cannot find"):
        ocs(estate).run("Get-CsPool", Identity="nope.litwareinc.com")


def test_the_central_management_store_is_on_a_server_of_its_own(estate: Estate) -> None:
    connection = on(estate, "atl-fe-001").run("Get-CsManagementConnection").one
    assert connection.get("SqlServer") == "atl-sql-001.litwareinc.com"
    faults.server_down(estate, "atl-sql-001")
    with pytest.raises(Ended, match="network-related"):
        ocs(estate).run("Get-CsSipDomain")
    assert on(estate, "atl-fe-001").run("Get-CsSipDomain", LocalStore=True).output


def test_exchange_2013_has_separate_roles_and_each_server_its_own_controller(estate: Estate) -> None:
    rows = {row.get("Name"): row for row in exchange(estate).run("Get-ExchangeServer", Status=True).output}
    mailbox, client_access = rows["ATL-EXCHANGE-001"], rows["ATL-EXCHANGE-002"]
    assert (mailbox.get("IsMailboxServer"), mailbox.get("IsClientAccessServer")) == (True, False)
    assert (client_access.get("IsMailboxServer"), client_access.get("IsClientAccessServer")) == (False, True)
    assert mailbox.get("CurrentDomainControllers") == ["atl-dc-001.litwareinc.com"]
    assert client_access.get("CurrentDomainControllers") == ["atl-dc-002.litwareinc.com"]
    assert mailbox.get("AdminDisplayVersion").startswith("Version 15.0 ")
    plain = exchange(estate).run("Get-ExchangeServer", Identity="atl-exchange-001.litwareinc.com").one
    assert plain.get("CurrentDomainControllers") == []


def test_later_exchange_prints_only_mailbox_and_has_the_newer_cmdlet(estate: Estate) -> None:
    later = made(exchange_product="SE")
    row = exchange(later).run("Get-ExchangeServer").output[0]
    assert (row.get("ServerRole"), row.get("IsClientAccessServer")) == ("Mailbox", True)
    assert exchange(later).has("Get-ClientAccessService")
    assert not exchange(estate).has("Get-ClientAccessService")
    assert exchange(estate).run("Get-ClientAccessServer").one.get("AutoDiscoverServiceInternalUri") == SCP


def test_the_scp_is_set_per_server_and_cleared_with_null() -> None:
    later = made(exchange_product="2019")
    shell = exchange(later)
    url = SCP.replace("autodiscover.litware", "mail.litware")
    shell.run("Set-ClientAccessService", Identity="ATL-EXCHANGE-001", AutoDiscoverServiceInternalUri=url)
    seen = {
        row.get("Name"): row.get("AutoDiscoverServiceInternalUri")
        for row in shell.run("Get-ClientAccessService").output
    }
    assert seen == {"ATL-EXCHANGE-001": url, "ATL-EXCHANGE-002": SCP}
    shell.run("Set-ClientAccessService", Identity="ATL-EXCHANGE-001", AutoDiscoverServiceInternalUri=None)
    assert (
        shell.run("Get-ClientAccessService", Identity="ATL-EXCHANGE-001").one.get("AutoDiscoverServiceInternalUri")
        == ""
    )


@pytest.mark.parametrize(
    ("product", "module", "line"),
    [
        ("2013", "Lync", "Microsoft Lync Server 2013 (5.0.8308.0)"),
        ("2019", "SkypeForBusiness", "Skype for Business Server 2019 (7.0.2046.0)"),
    ],
)
def test_the_module_and_the_version_are_the_products(product: str, module: str, line: str) -> None:
    shell = on(made(lync_product=product), "atl-fe-001")
    assert shell.registry.module(module) is not None
    assert shell.run("Get-CsServerVersion").output == [f"{line}: Volume license key installed."]
    assert shell.has("Get-CsServerPatchVersion") is (product != "2013")


def test_only_mailbox_users_have_a_mailbox(estate: Estate) -> None:
    shell = exchange(estate)
    assert shell.run("Get-Mailbox", Identity="kenmyer@litwareinc.com").one.get("ServerName") == "atl-exchange-001"
    assert "couldn't be found" in shell.run("Get-Mailbox", Identity="lobby@litwareinc.com").errors[0].message
    assert shell.run("Get-User", Identity="lobby").one.get("RecipientType") == "User"
    assert len(ocs(estate).run("Get-CsUser").output) == 2


def test_the_contact_store_is_staged_by_default_and_can_be_as_shipped(estate: Estate) -> None:
    assert ocs(estate).run("Get-CsUserServicesPolicy").one.get("UcsAllowed") is False
    assert ocs(made(ucs_allowed=True)).run("Get-CsUserServicesPolicy").one.get("UcsAllowed") is True


def test_a_named_policy_is_made_granted_and_taken_back(estate: Estate) -> None:
    shell = ocs(estate)
    shell.run("New-CsUserServicesPolicy", Identity="UcsPilot", UcsAllowed=True)
    shell.run("Grant-CsUserServicesPolicy", Identity=SIP, PolicyName="UcsPilot")
    assert shell.run("Get-CsUser", Identity="kenmyer").one.get("UserServicesPolicy") == "UcsPilot"
    shell.run("Grant-CsUserServicesPolicy", Identity=SIP, PolicyName=None)
    assert shell.run("Get-CsUser", Identity="kenmyer").one.get("UserServicesPolicy") is None
    with pytest.raises(Ended, match="Cannot find"):
        shell.run("Grant-CsUserServicesPolicy", Identity=SIP, PolicyName="Nope")
    shell.run("Remove-CsUserServicesPolicy", Identity="UcsPilot")
    assert len(shell.run("Get-CsUserServicesPolicy").output) == 1


def test_archiving_settings_keep_what_is_not_given(estate: Estate) -> None:
    shell = ocs(estate)
    shell.run("Set-CsArchivingConfiguration", Identity="global", EnableArchiving="ImAndWebConf")
    shell.run("Set-CsArchivingConfiguration", EnableExchangeArchiving=True)
    row = shell.run("Get-CsArchivingConfiguration", Identity="Global").one
    assert (str(row.get("EnableArchiving")), row.get("EnableExchangeArchiving")) == ("ImAndWebConf", True)
    shell.run("Set-CsArchivingPolicy", ArchiveInternal=True)
    assert shell.run("Get-CsArchivingPolicy").one.get("ArchiveInternal") is True
    assert shell.run("Get-CsArchivingPolicy").one.get("ArchiveExternal") is False


def test_component_states_and_copies_are_told_per_server(estate: Estate) -> None:
    shell = exchange(estate)
    shell.run(
        "Set-ServerComponentState",
        Identity="atl-exchange-002",
        Component="EwsProxy",
        State="Inactive",
        Requester="Maintenance",
    )
    one = shell.run("Get-ServerComponentState", Identity="ATL-EXCHANGE-002", Component="ewsproxy").one
    assert one.get("State") == "Inactive"
    assert shell.run("Get-MailboxDatabaseCopyStatus").one.get("Status") == "Mounted"
    assert shell.run("Get-MoveRequest").output == []
    faults.server_down(estate, "atl-exchange-002")
    assert shell.run("Get-ServerComponentState", Identity="atl-exchange-002").errors


def test_a_domain_controller_that_does_not_exist_or_answer_is_an_error(estate: Estate) -> None:
    shell = exchange(estate)
    assert "isn't available" in shell.run("Get-AuthConfig", DomainController="nope").errors[0].message
    faults.server_down(estate, "atl-dc-001")
    assert "isn't available" in shell.run("Get-AuthConfig").errors[0].message
    assert shell.run("Get-AuthConfig", DomainController="atl-dc-002").output


def test_the_administrator_roles_say_who_may_run_what(estate: Estate) -> None:
    roles = {row.get("Identity"): row.get("Cmdlets") for row in ocs(estate).run("Get-CsAdminRole").output}
    assert "New-CsPartnerApplication" in roles["CsAdministrator"]
    assert "New-CsPartnerApplication" not in roles["CsViewOnlyAdministrator"]
    assert "Get-CsPartnerApplication" in roles["CsViewOnlyAdministrator"]
