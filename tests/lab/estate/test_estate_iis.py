"""Restarting IIS: what stops, what comes back, what is gone, and what the worker processes know afterwards."""

from __future__ import annotations

import pytest
from helpers.estate_direct import NETWORKS, exchange, inside, on

from s2slab import faults
from s2slab.engine.registry import EndpointError
from s2slab.estate.estate import Estate
from s2slab.network.network import WebFailure

HEALTH = "https://atl-exchange-002.litwareinc.com/EWS/healthcheck.htm"


def workers(estate: Estate, server: str) -> dict[str, tuple[int, object]]:
    rows = on(estate, server, "s2s-exchange").run(
        "Get-CimInstance", ClassName="Win32_Process", Filter="Name='w3wp.exe'"
    )
    return {
        row.get("CommandLine").split('"')[1]: (row.get("ProcessId"), row.get("CreationDate")) for row in rows.output
    }


def test_a_restart_replaces_every_worker_and_says_so(estate: Estate) -> None:
    before = workers(estate, "atl-exchange-002")
    code, text = on(estate, "atl-exchange-002", "s2s-exchange").program("iisreset", "/noforce", "/timeout:300")
    after = workers(estate, "atl-exchange-002")
    assert code == 0
    assert "Attempting stop...\r\nInternet services successfully stopped\r\n" in text
    assert text.endswith("Internet services successfully restarted\r\n")
    assert set(before) == set(after)
    assert "MSExchangeAutodiscoverAppPool" in after
    for pool, (pid, started) in after.items():
        assert pid != before[pool][0]
        assert started > before[pool][1]  # type: ignore[operator]
    assert {row.kind for row in estate.log.rows()} == {"service"}
    assert {row.cause.command for row in estate.log.rows()} == {"iisreset.exe /noforce /timeout:300"}


def test_sessions_through_a_restarted_iis_are_gone_and_new_ones_work(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange", delegated=True)
    uri = "http://atl-exchange-001.litwareinc.com/PowerShell/"
    endpoint = shell.enter(uri, "Microsoft.Exchange")
    assert endpoint.alive()
    shell.program("iisreset")
    assert not endpoint.alive()
    assert shell.enter(uri, "Microsoft.Exchange").alive()


def test_a_session_through_a_client_access_server_dies_with_the_mailbox_server_behind_it(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange", delegated=True)
    endpoint = shell.enter("http://atl-exchange-002.litwareinc.com/PowerShell/", "Microsoft.Exchange")
    shell.program("iisreset", "atl-exchange-001")
    assert not endpoint.alive()


def test_a_stopped_server_refuses_web_requests_and_endpoints_but_not_winrm(web: Estate) -> None:
    network = NETWORKS[web]
    shell = on(web, "atl-exchange-002", "s2s-exchange", delegated=True)
    assert network.request(web.server("atl-fe-001"), "GET", HEALTH).status == 200
    shell.program("iisreset", "/stop")
    with pytest.raises(WebFailure, match="Unable to connect"):
        network.request(web.server("atl-fe-001"), "GET", HEALTH)
    with pytest.raises(EndpointError):
        shell.enter("http://atl-exchange-002.litwareinc.com/PowerShell/", "Microsoft.Exchange")
    assert shell.run("Get-Service", Name=["W3SVC"]).one.get("Status").name == "Stopped"
    shell.program("iisreset", "/start")
    assert network.request(web.server("atl-fe-001"), "GET", HEALTH).status == 200


def test_a_failed_restart_leaves_the_services_down_until_they_are_started(estate: Estate) -> None:
    faults.restart_fails(estate, "atl-exchange-001")
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    code, text = shell.program("iisreset", "/noforce")
    assert code != 0
    assert "Restart attempt failed." in text
    assert workers(estate, "atl-exchange-001") == {}
    states = {row.get("Name"): row.get("Status").name for row in shell.run("Get-Service", Name=["W3SVC", "WAS"]).output}
    assert states == {"W3SVC": "Stopped", "WAS": "Stopped"}
    assert shell.program("iisreset", "/start")[0] == 0
    assert "MSExchangeServicesAppPool" in workers(estate, "atl-exchange-001")


def test_another_servers_iis_is_restarted_over_a_second_hop_only(estate: Estate) -> None:
    before = workers(estate, "atl-exchange-002")
    code, text = on(estate, "atl-exchange-001", "s2s-exchange").program("iisreset", "atl-exchange-002")
    assert code != 0
    assert "Restart attempt failed.\r\nAccess Denied" in text
    assert workers(estate, "atl-exchange-002") == before
    code, _ = on(estate, "atl-exchange-001", "s2s-exchange", delegated=True).program("iisreset", "atl-exchange-002")
    assert code == 0
    assert workers(estate, "atl-exchange-002") != before


def test_only_a_local_administrator_restarts(estate: Estate) -> None:
    code, text = on(estate, "atl-exchange-001", "s2s-lync").program("iisreset")
    assert code != 0
    assert "Access denied" in text
    assert estate.log.rows() == []


def test_an_unknown_switch_changes_nothing(estate: Estate) -> None:
    code, _ = on(estate, "atl-exchange-001", "s2s-exchange").program("iisreset", "/restrat")
    assert code != 0
    assert estate.log.rows() == []


def test_a_component_taken_out_of_service_stays_out_over_a_restart(estate: Estate) -> None:
    faults.server_in_maintenance(estate, "atl-exchange-001")
    on(estate, "atl-exchange-001", "s2s-exchange").program("iisreset")
    rows = exchange(estate, "atl-exchange-002").run("Get-ServerComponentState", Identity="atl-exchange-001").output
    assert {row.get("Component"): row.get("State") for row in rows}["ServerWideOffline"] == "Inactive"


def test_stopping_the_activation_service_needs_force_and_takes_the_web_service_along(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    assert "Force flag" in shell.run("Stop-Service", Name=["WAS"]).errors[0].message
    shell.run("Stop-Service", Name=["WAS"], Force=True)
    assert shell.run("Get-Service", Name=["W3SVC"]).one.get("Status").name == "Stopped"
    shell.run("Start-Service", Name=["W3SVC"])
    assert shell.run("Get-Service", Name=["WAS"]).one.get("Status").name == "Running"
    assert workers(estate, "atl-exchange-001")


def test_a_service_that_does_not_exist_is_an_error_and_a_pattern_that_matches_none_is_not(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    outcome = shell.run("Get-Service", Name=["Nope", "Nope*", "W3SVC"])
    assert [error.id for error in outcome.errors] == ["NoServiceFoundForGivenName"]
    assert [row.get("Name") for row in outcome.output] == ["W3SVC"]


def test_the_worker_processes_of_an_endpoints_server_are_not_recycled_by_reading_them(estate: Estate) -> None:
    endpoint = inside(
        on(estate, "atl-exchange-001", "s2s-exchange", delegated=True).enter(
            "http://atl-exchange-001.litwareinc.com/PowerShell/", "Microsoft.Exchange"
        )
    )
    before = workers(estate, "atl-exchange-001")
    endpoint.run("Get-ExchangeServer", Status=True)
    assert workers(estate, "atl-exchange-001") == before
