"""What is written in one place reaches the others later: replicas, domain controllers, workers, status reports."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from helpers.estate_direct import exchange, ocs, on

from s2slab import faults
from s2slab.estate import iis
from s2slab.estate.clock import LabClock
from s2slab.estate.estate import Estate
from s2slab.estate.transitions import Cause
from s2slab.scenario import Scenario, build_estate

URL = "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc"
FE1, FE2 = "atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"
DC1, DC2 = "atl-dc-001.litwareinc.com", "atl-dc-002.litwareinc.com"


def test_a_store_write_is_in_the_master_at_once_and_in_a_replica_after_the_lag(estate: Estate) -> None:
    ocs(estate).run("Set-CsOAuthConfiguration", ExchangeAutodiscoverUrl=URL)
    read = on(estate, "atl-fe-002")
    assert ocs(estate).run("Get-CsOAuthConfiguration").one.get("ExchangeAutodiscoverUrl") == URL
    assert read.run("Get-CsOAuthConfiguration", LocalStore=True).one.get("ExchangeAutodiscoverUrl") == ""
    estate.clock.advance(59)
    assert read.run("Get-CsOAuthConfiguration", LocalStore=True).one.get("ExchangeAutodiscoverUrl") == ""
    estate.clock.advance(2)
    assert read.run("Get-CsOAuthConfiguration", LocalStore=True).one.get("ExchangeAutodiscoverUrl") == URL


def test_the_replication_status_is_stale_right_after_a_write_then_false_then_true(estate: Estate) -> None:
    def up_to_date() -> list[bool]:
        return [row.get("UpToDate") for row in ocs(estate).run("Get-CsManagementStoreReplicationStatus").output]

    ocs(estate).run("Set-CsOAuthConfiguration", ExchangeAutodiscoverUrl=URL)
    assert up_to_date() == [True, True]
    estate.clock.advance(6)
    assert up_to_date() == [False, False]
    estate.clock.advance(60)
    assert up_to_date() == [False, False]  # the content is there, the report is not
    estate.clock.advance(60)
    assert up_to_date() == [True, True]


def test_a_replica_that_stopped_stays_behind_until_it_follows_again(estate: Estate) -> None:
    delivered = estate.now()
    faults.store_replication_stopped(estate, "atl-fe-002")
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="litwareinc.com")
    estate.clock.advance(3600)
    assert estate.cms.up_to_date(FE1)
    assert not estate.cms.up_to_date(FE2)
    status = {row.get("ReplicaFqdn"): row for row in ocs(estate).run("Get-CsManagementStoreReplicationStatus").output}
    assert status[FE2].get("UpToDate") is False
    assert status[FE2].get("LastStatusReport") == delivered
    assert status[FE1].get("LastStatusReport") > delivered
    estate.cms.replicating[FE2] = True
    estate.clock.advance(61)
    assert estate.cms.up_to_date(FE2)


def test_invoking_replication_brings_a_replica_up_within_seconds(estate: Estate) -> None:
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="litwareinc.com")
    ocs(estate).run("Invoke-CsManagementStoreReplication", ReplicaFqdn=FE2)
    estate.clock.advance(3)
    assert estate.cms.up_to_date(FE2)
    assert not estate.cms.up_to_date(FE1)


def test_a_directory_write_reaches_the_other_controller_after_the_lag(estate: Estate) -> None:
    shell = exchange(estate, "atl-exchange-001")
    shell.run("New-MailUser", Name="probe", ExternalEmailAddress="probe@litwareinc.com")
    assert shell.run("Get-MailUser", Identity="probe", DomainController=DC1).output
    assert shell.run("Get-MailUser", Identity="probe", DomainController="atl-dc-002").errors
    estate.clock.advance(21)
    assert shell.run("Get-MailUser", Identity="probe", DomainController=DC2).output


def test_the_later_of_two_writes_on_different_controllers_wins_everywhere(estate: Estate) -> None:
    def write(note: int, dc: str) -> None:
        with estate.acting(Cause("command", id=str(note))):
            estate.directory.write("Recipient/x", {"Name": "x", "RecipientType": "User", "Note": note}, dc=dc)

    write(1, DC1)
    estate.clock.advance(5)
    write(2, DC2)
    estate.clock.advance(60)
    assert [(estate.directory.read("Recipient/x", dc=dc) or {})["Note"] for dc in (DC1, DC2)] == [2, 2]


def test_each_controller_says_itself_when_a_change_arrived_in_whole_seconds(estate: Estate) -> None:
    estate.clock.advance(0.75)
    exchange(estate).run("New-MailUser", Name="probe", ExternalEmailAddress="probe@litwareinc.com")
    estate.clock.advance(21)
    near, far = (exchange(estate).run("Get-MailUser", Identity="probe", DomainController=dc).one for dc in (DC1, DC2))
    assert near.get("WhenChangedUTC").microsecond == 0
    assert far.get("WhenChangedUTC") - near.get("WhenChangedUTC") == timedelta(seconds=20)
    assert far.get("WhenCreatedUTC") == near.get("WhenCreatedUTC")


def test_without_directory_replication_a_write_stays_where_it_was_made(estate: Estate) -> None:
    faults.directory_replication_stopped(estate)
    exchange(estate).run("New-MailUser", Name="probe", ExternalEmailAddress="probe@litwareinc.com")
    estate.clock.advance(86400)
    assert estate.directory.read("Recipient/probe", dc=DC2) is None
    estate.directory.replicating = True
    estate.clock.advance(21)
    assert estate.directory.read("Recipient/probe", dc=DC2) is not None


def test_a_worker_loads_what_its_own_controller_says_when_it_starts(estate: Estate) -> None:
    far, near = estate.server("atl-exchange-002"), estate.server("atl-exchange-001")
    with estate.acting(Cause("command", id="1")):
        estate.directory.write("PartnerApplication/P", {"Name": "P", "Enabled": True}, dc=DC1)
        for server in (far, near):
            iis.stop(estate, server)
            iis.start(estate, server)
    assert near.iis is not None
    assert far.iis is not None
    assert [row["Name"] for row in near.iis.workers[iis.EWS_POOL].partner_applications] == ["P"]
    assert far.iis.workers[iis.EWS_POOL].partner_applications == ()  # its site's controller did not have it yet
    estate.clock.advance(30)
    assert far.iis.workers[iis.EWS_POOL].partner_applications == ()  # and it does not look again
    iis.recycle(estate, far, iis.EWS_POOL)
    assert [row["Name"] for row in far.iis.workers[iis.EWS_POOL].partner_applications] == ["P"]


def test_what_follows_a_command_later_is_logged_as_the_clocks_doing_and_names_the_command(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001", delegated=True)
    default = shell.run("Get-CsCertificate", Type=["Default"]).one.get("Thumbprint")
    shell.run("Set-CsCertificate", Type=["OAuthTokenIssuer"], Identity="global", Thumbprint=default)
    command = estate.log.rows(caused_by="command")[0].cause
    assert command.command == f"Set-CsCertificate -Type OAuthTokenIssuer -Identity global -Thumbprint {default}"
    assert (command.server, command.account) == (FE1, "s2s-lync")
    estate.clock.advance(61)
    followed = estate.log.rows(caused_by="clock")
    assert [row.subject for row in followed] == [f"cms@{FE2}:OAuthTokenIssuer"]
    deployed = estate.log.rows(caused_by="reaction")
    assert [row.subject for row in deployed] == [f"certificate@{FE2}:{default}"]
    assert {row.cause.id for row in (*followed, *deployed)} == {command.id}


def test_reading_logs_nothing_and_setting_an_equal_value_is_a_write_all_the_same(estate: Estate) -> None:
    for name in ("Get-CsOAuthConfiguration", "Get-CsPool", "Get-CsSipDomain", "Get-CsUserServicesPolicy", "Get-CsUser"):
        ocs(estate).run(name)
    for name in ("Get-ExchangeServer", "Get-AuthConfig", "Get-AcceptedDomain", "Get-PartnerApplication"):
        exchange(estate).run(name)
    assert estate.log.rows() == []
    ocs(estate).run("Set-CsUserServicesPolicy", UcsAllowed=False)
    assert [row.kind for row in estate.log.rows()] == ["configuration"]


def test_the_log_file_holds_every_transition_as_one_json_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    estate = build_estate(clock=LabClock(monotonic=lambda: 0.0), log_path=path)
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="litwareinc.com")
    estate.clock.advance(61)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["subject"] for row in rows] == [
        "cms:OAuthConfiguration",
        f"cms@{FE1}:OAuthConfiguration",
        f"cms@{FE2}:OAuthConfiguration",
    ]
    assert rows[0]["cause"]["kind"] == "command"


def test_time_passes_by_itself_too() -> None:
    seconds = [0.0]
    estate = build_estate(clock=LabClock(monotonic=lambda: seconds[0]))
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="x")
    seconds[0] = 61.0
    assert on(estate, "atl-fe-002").run("Get-CsOAuthConfiguration", LocalStore=True).one.get("Realm") == "x"


def test_events_run_in_order_each_at_its_own_instant(estate: Estate) -> None:
    begin, seen = estate.now(), []
    for seconds in (30, 10, 20):
        estate.clock.after(seconds, lambda: seen.append(estate.now() - begin))
    estate.clock.advance(60)
    assert seen == [timedelta(seconds=s) for s in (10, 20, 30)]
    assert estate.now() - begin == timedelta(seconds=60)


def test_a_delivered_estate_is_the_same_for_the_same_seed() -> None:
    one, two = (build_estate(seed=7, scenario=Scenario(store_lag_s=5)) for _ in range(2))
    assert [w.pid for s in one.exchange_servers() for w in (s.iis.workers.values() if s.iis else ())] == [
        w.pid for s in two.exchange_servers() for w in (s.iis.workers.values() if s.iis else ())
    ]
    assert one.mailboxes["kenmyer@litwareinc.com"].sid == two.mailboxes["kenmyer@litwareinc.com"].sid
    assert one.accounts["s2s-lync"].password != two.accounts["s2s-lync"].password
