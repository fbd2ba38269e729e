"""Bad input and trouble: each ends in a finding that names phase, server, what was seen, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_run import EX2, FE1, World, world
from helpers.paths import CASES

from s2slab import faults
from s2slab.estate.estate import Estate
from s2slab.scenario import Scenario
from s2slab.winrm.launch import Engine
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.run import PhaseResult


@pytest.fixture
def estate(tmp_path: Path, engine: Engine) -> Iterator[World]:
    with world(tmp_path, engine=engine) as made:
        yield made


def complete(finding: Finding) -> bool:
    """Whether a finding says everything that it has to."""
    return all((finding.phase, finding.title, finding.seen, finding.expected, finding.remedy))


def password_changed(estate: Estate, name: str) -> None:
    """Somebody has changed the account's password."""
    estate.accounts[name] = replace(estate.accounts[name], password="changed since")


def against(result: PhaseResult) -> list[Finding]:
    """What stands against a phase."""
    return [finding for finding in result.findings if finding.level in ("blocker", "unknown")]


def preflight(estate: World, **sections: Any) -> PhaseResult:
    """The preflight of an apply run."""
    return estate.apply("preflight", **sections)["preflight"]


def test_a_server_that_is_down_is_named_once_and_hinders_no_other(estate: World) -> None:
    faults.server_down(estate.lab.estate, "atl-exchange-002")
    result = preflight(estate)
    named = [finding for finding in against(result) if finding.server == EX2]
    assert result.state == "blocked"
    assert len(named) == 1
    assert complete(named[0])
    assert [finding.id for finding in against(result) if finding.server == FE1] == ["preflight.metadata.unreachable"]
    assert estate.written() == []


@pytest.mark.slow
def test_a_dead_server_that_is_excluded_with_a_reason_leaves_the_run_yellow(estate: World) -> None:
    faults.server_down(estate.lab.estate, "atl-fe-002")
    excluded = [{"server": "atl-fe-002.litwareinc.com", "reason": "motherboard on order"}]
    result = preflight(estate, lync={"excluded": excluded})
    warning = next(finding for finding in result.findings if finding.id == "preflight.excluded")
    assert "motherboard" in warning.seen
    assert not [finding for finding in against(result) if "atl-fe-002" in finding.server]


def test_an_untrusted_certificate_is_named_as_such(estate: World) -> None:
    with estate.run("check") as run:
        (estate.folder / "ca.pem").write_bytes((CASES / "tls" / "other_ca.pem").read_bytes())
        run.inspect()
        found = [finding for finding in run.phase("preflight").findings if finding.server == FE1]
    assert any("trust" in finding.seen.casefold() for finding in found)
    assert all(complete(finding) for finding in found)


def test_a_wrong_password_is_tried_once_and_says_so(estate: World) -> None:
    account = estate.lab.estate.accounts["s2s-lync"]
    with estate.run("check") as run:
        password_changed(estate.lab.estate, account.name)
        run.inspect()
        result = run.phase("preflight")
    seen = " ".join(finding.seen for finding in against(result))
    assert "not tried again" in seen
    assert estate.lab.estate.accounts["s2s-lync"].password not in seen


@pytest.mark.slow
def test_missing_rights_are_told_from_an_absent_object(estate: World) -> None:
    with estate.run("apply", account={"lync": "s2s-readonly", "exchange": "s2s-readonly"}) as run:
        run.inspect()
        result = run.phase("preflight")
    missing = [finding for finding in against(result) if finding.id == "preflight.rights.missing"]
    assert {"RTCUniversalServerAdmins", "Organization Management"} <= {finding.expected for finding in missing}
    assert all(complete(finding) for finding in missing)
    assert estate.written() == []


def test_a_missing_second_hop_is_named_with_the_way_out(estate: World) -> None:
    explicit = {"endpoint": {"scheme": "https", "transport": "ntlm", "second_hop": "explicit"}}
    result = estate.apply("certificates", lync=explicit)["certificates"]
    finding = next(finding for finding in against(result) if finding.id == "certificates.lync.second_hop")
    assert "Set-CsCertificate" in finding.remedy
    assert estate.written() == []


@pytest.mark.slow
def test_everything_but_the_certificate_works_with_an_explicit_second_hop(tmp_path: Path, engine: Engine) -> None:
    explicit = {"endpoint": {"scheme": "https", "transport": "ntlm", "second_hop": "explicit"}}
    with world(tmp_path, Scenario(lync_certificate_assigned=True), engine) as estate:
        results = estate.apply(lync=explicit)
        assert {result.state for result in results.values()} == {"done"}
        assert estate.verify(lync=explicit).proven


@pytest.mark.slow
def test_a_sip_address_without_a_mailbox_blocks_before_the_test_would_fail(estate: World) -> None:
    users = [{"sip_uri": "sip:nobody@litwareinc.com"}]
    result = preflight(estate, test_users=users)
    finding = next(finding for finding in against(result) if finding.id == "preflight.test_user.no_mailbox")
    assert complete(finding)


@pytest.mark.slow
def test_a_server_in_constrained_language_mode_is_a_finding_not_a_crash(tmp_path: Path, engine: Engine) -> None:
    with world(tmp_path, Scenario(language_mode="ConstrainedLanguage"), engine) as estate:
        seen = " ".join(finding.seen for finding in against(preflight(estate)))
        assert "language" in seen.casefold()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "phase", "finding"),
    [
        ("exchange_realm", "preflight", "ok"),
        ("accepted_domain_with_friendly_name", "exchange_partner_application", "accepted_domain_name"),
        ("authority_not_trusted", "preflight", "preflight.metadata.unreachable"),
        ("clock_skewed", "preflight", "preflight.clocks"),
        ("user_without_mailbox", "preflight", "preflight.test_user.no_mailbox"),
        ("hybrid_entries", "preflight", "ok"),
        ("duplicate_partner_applications", "exchange_partner_application", "several"),
        ("auth_certificate_expired", "certificates", "certificate.validity"),
        ("auth_certificate_short", "certificates", "certificate.key"),
        ("auth_certificate_missing", "certificates", "missing_on_server"),
        ("oauth_certificate_short", "certificates", "certificate.key"),
        ("oauth_certificate_expired", "certificates", "certificate.validity"),
    ],
)
def test_a_fault_of_the_estate_is_found_by_its_phase(estate: World, fault: str, phase: str, finding: str) -> None:
    getattr(faults, fault)(estate.lab.estate)
    result = estate.apply(phase)[phase]
    found = against(result)
    if finding == "ok":
        assert not found
        return
    assert any(finding in item.id for item in found), [item.line() for item in found]
    assert all(complete(item) for item in found)
    assert estate.written() == []
