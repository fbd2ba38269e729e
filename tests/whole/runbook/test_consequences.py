"""Consequences follow from state: what is left out fails verification with its own symptom, and put right it passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_run import ALL, EX1, EX2, FE2, World, ids, world

from s2slab import faults
from s2slab.scenario import Scenario
from s2slab.winrm.launch import Engine


@pytest.fixture
def estate(tmp_path: Path, engine: Engine) -> Iterator[World]:
    with world(tmp_path, engine=engine) as made:
        yield made


def without(*names: str) -> tuple[str, ...]:
    """Every phase but these."""
    return tuple(name for name in ALL if name not in names)


@pytest.mark.slow
def test_all_phases_make_a_trust_and_a_second_run_writes_nothing(estate: World) -> None:
    results = estate.apply()
    assert {name: result.state for name, result in results.items()} == dict.fromkeys(ALL, "done")
    assert estate.verify().proven
    before = estate.written()
    again = estate.apply()
    assert {result.state for result in again.values()} == {"done"}
    assert not [outcome for result in again.values() for outcome in result.outcomes]
    assert estate.written() == before


def test_check_changes_nothing_and_says_what_would_change(estate: World) -> None:
    with estate.run("check") as run:
        run.inspect()
        states = {name: run.phase(name).state for name in ALL}
        verification = run.verify()
    assert states["certificates"] == "pending"
    assert not verification.proven
    assert estate.lab.estate.log.rows(caused_by="command") == []


@pytest.mark.slow
def test_without_the_iis_restart_exchange_answers_401_until_both_servers_restarted(estate: World) -> None:
    estate.apply(*without("restart_iis"))
    found = estate.verify()
    assert "verification.storage.unauthorized" in ids(found)
    assert "verification.loaded" in ids(found)
    estate.apply("restart_iis")
    assert estate.verify().proven


@pytest.mark.slow
def test_without_the_exchange_side_the_token_is_refused(estate: World) -> None:
    estate.apply(*without("exchange_partner_application", "restart_iis"))
    found = estate.verify()
    assert {"verification.exchange_partner", "verification.storage.unauthorized"} <= ids(found)
    estate.apply("exchange_partner_application", "restart_iis")
    assert estate.verify().proven


@pytest.mark.slow
def test_without_the_lync_side_the_other_direction_is_missing(estate: World) -> None:
    estate.apply(*without("lync_partner_application"))
    found = estate.verify()
    assert {"verification.other_direction", "verification.replica_partner"} <= ids(found)
    estate.apply("lync_partner_application")
    assert estate.verify().proven


@pytest.mark.slow
def test_without_the_certificate_nothing_can_be_signed_and_nothing_is_registered(estate: World) -> None:
    results = estate.apply("exchange_partner_application")
    assert results["exchange_partner_application"].state in ("blocked", "refused")
    assert estate.written() == []
    assert "verification.lync_key" in ids(estate.verify())
    estate.apply()
    assert estate.verify().proven


@pytest.mark.slow
def test_a_replica_that_does_not_follow_is_named_and_stops_the_run(estate: World) -> None:
    faults.store_replication_stopped(estate.lab.estate, "atl-fe-002")
    results = estate.apply("certificates", network={"timeouts_s": {"settle": 120}})
    assert results["certificates"].state == "failed"
    assert FE2 in results["certificates"].detail
    estate.lab.estate.cms.replicating[FE2] = True
    estate.apply()
    assert estate.verify().proven


@pytest.mark.slow
def test_a_directory_that_does_not_replicate_stops_before_a_restart_that_would_load_nothing(estate: World) -> None:
    faults.directory_replication_stopped(estate.lab.estate)
    results = estate.apply(
        "certificates", "autodiscover", "exchange_partner_application", network={"timeouts_s": {"settle": 120}}
    )
    assert results["exchange_partner_application"].state == "failed"
    restart = estate.apply("restart_iis")["restart_iis"]
    assert restart.state == "blocked"
    assert not [row for row in estate.written() if row.kind == "service"]
    estate.lab.estate.directory.replicating = True
    estate.apply()
    assert estate.verify().proven


@pytest.mark.slow
@pytest.mark.parametrize("side", ["lync", "exchange"])
def test_another_realm_blocks_in_preflight(side: str, estate: World) -> None:
    (faults.lync_realm if side == "lync" else faults.wildcard_accepted_domain)(estate.lab.estate)
    result = estate.apply("preflight")["preflight"]
    assert result.state == "blocked"
    assert any(finding.id == "preflight.realm" and finding.level == "blocker" for finding in result.findings)
    assert estate.written() == []


@pytest.mark.slow
def test_a_restart_that_fails_is_started_again_and_stops_the_roll_out(estate: World) -> None:
    estate.apply(*without("restart_iis", "lync_partner_application"))
    faults.restart_fails(estate.lab.estate, "atl-exchange-001")
    result = estate.apply("restart_iis")["restart_iis"]
    assert result.state == "failed"
    assert [outcome.change for outcome in result.outcomes] == ["exchange.restart_iis.atl-exchange-001"]
    assert estate.lab.estate.server(EX1).iis.running  # type: ignore[union-attr]
    assert EX2 in result.detail
    estate.apply("restart_iis", "lync_partner_application")
    assert estate.verify().proven


@pytest.mark.slow
def test_a_policy_that_lets_contacts_migrate_stops_the_run_or_is_staged_first(tmp_path: Path, engine: Engine) -> None:
    with world(tmp_path, Scenario(ucs_allowed=True), engine) as estate:
        assert estate.apply("preflight", policy={"ucs": "block"})["preflight"].state == "blocked"
        results = estate.apply("autodiscover", policy={"ucs": "staged"})
        assert results["autodiscover"].outcomes[0].change.startswith("lync.stage_unified_contact_store")
