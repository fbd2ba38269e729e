"""What each phase finds and plans, from facts alone: the decision tables of the phases, row by row."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from helpers.trusted_estate import (
    CHANGED,
    EX1,
    EX2,
    EXCHANGE_KEY,
    FE1,
    FE2,
    LYNC_KEY,
    LYNC_URL,
    SVC_URL,
    der,
    document,
    exchange_entry,
    facts,
    lync_entry,
    scope,
    thumbprint,
    with_facts,
)

from s2slib.facts import Absent, Facts, Known, Unknown, on
from s2slib.products import exchange, lync
from s2slib.runbook.model.finding import Finding, blocking
from s2slib.runbook.model.plan import ids
from s2slib.runbook.phases import PHASES, judge_all, phase, whole_plan

FOREIGN = {**lync_entry(), "name": "Exchange Online", "use_auth_server": True, "auth_metadata_url": ""}


def levels(found: list[Finding]) -> dict[str, str]:
    """Finding id -> level, the gravest where one id occurs several times."""
    return {finding.id: finding.level for finding in reversed(found)}


def untouched() -> Facts:
    """The estate before anybody configured anything."""
    nothing: dict[str, Any] = {
        lync.OAUTH_CERTIFICATE: Absent(),
        lync.OAUTH_CONFIGURATION: {**facts().value(str(lync.OAUTH_CONFIGURATION)), "exchange_autodiscover_url": ""},
        lync.PARTNER_APPLICATIONS: [],
        exchange.PARTNER_APPLICATIONS: [],
        exchange.APPLICATION_USER: Absent(),
        exchange.MAIL_USER: Absent(),
        exchange.ROLE_ASSIGNMENTS: Absent(),
    }
    for server in (FE1, FE2):
        nothing |= {
            on(server, "oauth_certificate"): Absent(),
            on(server, "replica_partner_applications"): [],
            on(server, "lync_metadata"): Unknown("404"),
        }
    for server in (EX1, EX2):
        nothing |= {on(server, "dc_partner_applications"): [], on(server, "peer_metadata"): Unknown("404")}
    return with_facts(nothing)


def test_a_complete_trust_has_nothing_against_it_and_nothing_to_do() -> None:
    d = scope()
    assert not blocking(judge_all(d, facts()))
    plan = whole_plan(d, facts())
    assert plan.changes == ()
    assert {name for name, reason in plan.reasons if reason} == {step.name for step in PHASES}


def test_the_whole_plan_of_an_untouched_estate_covers_every_phase_in_order() -> None:
    plan = whole_plan(scope(), untouched())
    assert ids(plan.changes) == [
        "lync.export_configuration",
        "lync.restrict_configuration_export",
        "lync.assign_oauth_token_issuer",
        "lync.set_exchange_autodiscover_url",
        "exchange.create_lync_partner_application",
        "exchange.restart_iis.atl-exchange-001",
        "exchange.restart_iis.atl-exchange-002",
        "lync.create_exchange_partner_application",
    ]
    assert not blocking(judge_all(scope(), untouched()))


def test_a_phase_in_the_middle_names_the_changes_it_waits_for() -> None:
    plan = whole_plan(scope(), untouched())
    assert ids(plan.before("restart_iis")) == ids(plan.changes[:5])


def test_the_lines_of_the_plan_are_the_articles_lines_made_to_work() -> None:
    lines = [step.render() for change in whole_plan(scope(), untouched()).changes for step in change.steps]
    script = next(line for line in lines if "Configure-EnterprisePartnerApplication.ps1" in line)
    assert script.startswith("& 'C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Scripts\\")
    assert "-ApplicationType 'Lync'" in script
    create = next(line for line in lines if line.startswith("New-CsPartnerApplication"))
    assert "autodiscover.litwareinc.com/autodiscover/metadata/json/1" in create


@pytest.mark.parametrize(
    "key", [exchange.PARTNER_APPLICATIONS, lync.PARTNER_APPLICATIONS, lync.OAUTH_CERTIFICATE, exchange.AUTH_CONFIG]
)
def test_a_failed_read_blocks_and_plans_nothing_that_rests_on_it(key: str) -> None:
    snapshot = with_facts({key: Unknown("the link was lost")})
    assert [finding for finding in judge_all(scope(), snapshot) if finding.level == "unknown"]
    assert not [
        change for change in whole_plan(scope(), snapshot).changes if change.phase.endswith("partner_application")
    ]


class TestExchangePartnerApplication:
    """The table in phases/exchange_partner_application.py."""

    @pytest.mark.parametrize(
        ("field", "value", "change"),
        [
            ("enabled", False, "exchange.set_enabled"),
            ("accept_security_identifier_information", False, "exchange.set_accept_security_identifier_information"),
            ("linked_account", "", "exchange.set_linked_account"),
        ],
    )
    def test_what_is_missing_is_repaired_and_nothing_else(self, field: str, value: Any, change: str) -> None:
        snapshot = with_facts({exchange.PARTNER_APPLICATIONS: [{**lync_entry(), field: value}]})
        assert ids(phase("exchange_partner_application").plan(scope(), snapshot)[0]) == [change]

    def test_a_missing_role_is_assigned_again(self) -> None:
        snapshot = with_facts({exchange.ROLE_ASSIGNMENTS: ["ArchiveApplication", "UserApplication"]})
        planned = phase("exchange_partner_application").plan(scope(), snapshot)[0]
        assert [step.render() for change in planned for step in change.steps] == [
            "New-ManagementRoleAssignment -Role 'MeetingGraphApplication' -User 'LyncEnterprise-ApplicationAccount' "
            "-DomainController 'atl-dc-001.litwareinc.com'"
        ]

    def test_the_key_is_refreshed_only_if_the_stored_one_differs(self) -> None:
        old = base64.b64encode(der("an older key")).decode()
        snapshot = with_facts({exchange.PARTNER_APPLICATIONS: [{**lync_entry(), "certificate_strings": [old]}]})
        assert ids(phase("exchange_partner_application").plan(scope(), snapshot)[0]) == ["exchange.refresh_lync_key"]

    def test_another_url_is_a_blocker_and_is_left_alone(self) -> None:
        other = {**lync_entry(), "auth_metadata_url": "https://other.litwareinc.com/metadata/json/1"}
        snapshot = with_facts({exchange.PARTNER_APPLICATIONS: [other]})
        step = phase("exchange_partner_application")
        assert levels(step.judge(scope(), snapshot))["exchange_partner_application.other_url"] == "blocker"
        assert step.plan(scope(), snapshot)[0] == []

    def test_two_entries_are_a_blocker_that_names_both(self) -> None:
        snapshot = with_facts({exchange.PARTNER_APPLICATIONS: [lync_entry(), {**lync_entry(), "name": "second"}]})
        found = phase("exchange_partner_application").judge(scope(), snapshot)
        several = next(finding for finding in found if finding.id.endswith("several"))
        assert "second" in several.seen
        assert several.level == "blocker"

    def test_entries_of_a_hybrid_are_listed_and_not_counted(self) -> None:
        snapshot = with_facts({exchange.PARTNER_APPLICATIONS: [FOREIGN, lync_entry()]})
        assert whole_plan(scope(), snapshot).changes == ()
        listed = [f for f in phase("preflight").judge(scope(), snapshot) if f.id == "preflight.foreign_entries"]
        assert "Exchange Online" in listed[0].seen

    def test_a_front_end_that_serves_another_key_blocks(self) -> None:
        stale = document(lync.LYNC_APPLICATION_ID, "litwareinc.com", LYNC_URL, der("an older key"))
        found = phase("exchange_partner_application").judge(scope(), with_facts({on(FE2, "lync_metadata"): stale}))
        assert [f.server for f in found if f.id.endswith("front_end_key")] == [FE2]

    def test_the_back_out_removes_only_what_the_run_makes(self) -> None:
        snapshot = with_facts({exchange.PARTNER_APPLICATIONS: []})  # the account and its roles are there already
        change = phase("exchange_partner_application").plan(scope(), snapshot)[0][0]
        names = [step.command.name for undo in change.undo for step in undo.steps]
        assert names == ["Remove-PartnerApplication", "iisreset.exe", "iisreset.exe"]

    def test_a_first_accepted_domain_whose_name_is_no_domain_blocks_before_the_script_fails(self) -> None:
        named = [{"name": "Head Office", "domain_name": "litwareinc.com", "default": True}]
        snapshot = with_facts(
            {
                exchange.PARTNER_APPLICATIONS: [],
                exchange.APPLICATION_USER: Absent(),
                exchange.MAIL_USER: Absent(),
                exchange.ACCEPTED_DOMAINS: named,
            }
        )
        found = phase("exchange_partner_application").judge(scope(), snapshot)
        assert levels(found)["exchange_partner_application.accepted_domain_name"] == "blocker"


class TestRestart:
    """Needed or not is a fact."""

    def test_only_the_server_with_an_older_worker_is_restarted(self) -> None:
        old = [{"pool": "MSExchangeServicesAppPool", "started": "2026-11-23T09:00:00.000000Z"}]
        planned = phase("restart_iis").plan(scope(), with_facts({on(EX2, "workers"): old}))[0]
        assert [change.target for change in planned] == [EX2]

    def test_a_worker_that_started_in_the_same_instant_counts_as_older(self) -> None:
        same = [{"pool": "MSExchangeAutodiscoverAppPool", "started": CHANGED}]
        assert len(phase("restart_iis").plan(scope(), with_facts({on(EX1, "workers"): same}))[0]) == 1

    def test_no_restart_while_the_servers_own_domain_controller_lacks_the_entry(self) -> None:
        snapshot = with_facts({on(EX2, "dc_partner_applications"): []})
        step = phase("restart_iis")
        assert [f.server for f in step.judge(scope(), snapshot) if f.level == "blocker"] == [EX2]
        assert step.plan(scope(), snapshot)[0] == []

    def test_a_stopped_iis_is_started_even_if_nothing_stale_is_loaded(self) -> None:
        snapshot = with_facts({on(EX1, "iis_services"): {"W3SVC": "Stopped", "WAS": "Running"}})
        assert [change.target for change in phase("restart_iis").plan(scope(), snapshot)[0]] == [EX1]

    def test_a_restart_says_that_users_notice_and_how_it_is_recovered(self) -> None:
        old = [{"pool": "MSExchangeServicesAppPool", "started": "2026-11-23T09:00:00.000000Z"}]
        change = phase("restart_iis").plan(scope(policy={"restart": "hold"}), with_facts({on(EX2, "workers"): old}))[0][
            0
        ]
        assert change.users_notice
        assert change.hold_before
        assert [step.render() for step in change.recovery] == [r"& 'C:\Windows\System32\iisreset.exe' '/start'"]


class TestLyncPartnerApplication:
    """The table in phases/lync_partner_application.py."""

    def test_a_lower_trust_level_is_raised_to_full(self) -> None:
        snapshot = with_facts({lync.PARTNER_APPLICATIONS: [{**exchange_entry(), "trust_level": "User"}]})
        planned = phase("lync_partner_application").plan(scope(), snapshot)[0]
        assert [step.render() for change in planned for step in change.steps] == [
            "Set-CsPartnerApplication -Identity 'Exchange' -ApplicationTrustLevel 'Full'"
        ]

    @pytest.mark.parametrize(
        ("entries", "finding"),
        [
            (
                [{**exchange_entry(), "metadata_url": "https://x.litwareinc.com/autodiscover/metadata/json/1"}],
                "other_url",
            ),
            ([exchange_entry(), {**exchange_entry(), "identity": "microsoft.exchange"}], "several"),
            (
                [{**exchange_entry(), "application_identifier": "00000003-0000-0ff1-ce00-000000000000"}],
                "identity_taken",
            ),
        ],
    )
    def test_what_is_not_ours_or_not_clear_blocks_and_is_left_alone(self, entries: list[Any], finding: str) -> None:
        snapshot = with_facts({lync.PARTNER_APPLICATIONS: entries})
        step = phase("lync_partner_application")
        assert levels(step.judge(scope(), snapshot))[f"lync_partner_application.{finding}"] == "blocker"
        assert step.plan(scope(), snapshot)[0] == []


class TestAutodiscover:
    """An existing value is never overwritten by default."""

    def other(self) -> Facts:
        configuration = {
            **facts().value(str(lync.OAUTH_CONFIGURATION)),
            "exchange_autodiscover_url": "https://old/autodiscover.svc",
        }
        return with_facts({lync.OAUTH_CONFIGURATION: configuration})

    def test_a_different_url_is_a_blocker(self) -> None:
        step = phase("autodiscover")
        assert levels(step.judge(scope(), self.other()))["autodiscover.url.differs"] == "blocker"
        assert step.plan(scope(), self.other())[0] == []

    def test_an_override_for_exactly_that_value_allows_it(self) -> None:
        allowed = [
            {"setting": "lync.ExchangeAutodiscoverUrl", "existing": "https://old/autodiscover.svc", "reason": "moved"}
        ]
        d = scope(policy={"overrides": allowed})
        planned = phase("autodiscover").plan(d, self.other())[0]
        assert [change.steps[0].command.parameters["ExchangeAutodiscoverUrl"] for change in planned] == [SVC_URL]  # type: ignore[union-attr]
        assert planned[0].undo[0].steps[0].render().endswith("'https://old/autodiscover.svc'")

    def test_the_contact_store_is_staged_before_anything_else(self) -> None:
        snapshot = with_facts(
            {lync.USER_POLICIES: [{"identity": "Global", "ucs_allowed": True}]}, scope(policy={"ucs": "staged"})
        )
        planned = phase("autodiscover").plan(scope(policy={"ucs": "staged"}), snapshot)[0]
        assert [step.render() for step in planned[0].steps] == [
            "Set-CsUserServicesPolicy -Identity 'Global' -UcsAllowed:$false"
        ]


class TestGates:
    """What stops the procedure before it starts."""

    @pytest.mark.parametrize(("ucs", "level"), [("block", "blocker"), ("staged", "ok"), ("migrate_now", "warning")])
    def test_a_policy_that_lets_contacts_migrate_is_gated(self, ucs: str, level: str) -> None:
        d = scope(policy={"ucs": ucs})
        snapshot = with_facts({lync.USER_POLICIES: [{"identity": "Global", "ucs_allowed": True}]}, d)
        for name in ("preflight", "exchange_partner_application", "restart_iis", "lync_partner_application"):
            gate = [finding for finding in phase(name).judge(d, snapshot) if finding.id.startswith("ucs.")]
            assert [finding.level for finding in gate] == [level]

    @pytest.mark.parametrize(
        ("changes", "finding"),
        [
            (
                {exchange.ACCEPTED_DOMAINS: [{"name": "*", "domain_name": "*.litwareinc.com", "default": True}]},
                "preflight.realm",
            ),
            ({on(EX1, "clock"): {"utc": "2026-11-23T12:10:00Z", "offset_s": 600}}, "preflight.clocks"),
            ({on(FE1, "groups"): ["Domain Users"]}, "preflight.rights.missing"),
            ({exchange.mailbox_key("kenmyer@litwareinc.com"): Absent()}, "preflight.test_user.no_mailbox"),
            (
                {lync.POOLS: [{"fqdn": "atl-cs-001.litwareinc.com", "computers": [FE1], "services": []}]},
                "preflight.topology",
            ),
        ],
    )
    def test_what_would_fail_later_blocks_in_preflight(self, changes: dict[str, Any], finding: str) -> None:
        found = levels(phase("preflight").judge(scope(), with_facts(changes)))
        assert found[finding] == "blocker"

    def test_a_foreign_metadata_document_blocks(self) -> None:
        foreign = document(
            "00000003-0000-0ff1-ce00-000000000000", "litwareinc.com", "https://sp/metadata", EXCHANGE_KEY
        )
        found = phase("preflight").judge(scope(), with_facts({on(FE1, "peer_metadata"): foreign}))
        assert levels(found)["preflight.metadata.metadata.application_id"] == "blocker"

    def test_an_expired_certificate_blocks(self) -> None:
        old = der("Microsoft Exchange Server Auth Certificate", days_left=-1)
        rows = [{"thumbprint": thumbprint(old), "der": base64.b64encode(old).decode()}]
        config = {**facts().value(str(exchange.AUTH_CONFIG)), "current": thumbprint(old)}
        changes = {
            exchange.AUTH_CONFIG: config,
            on(EX1, "exchange_certificates"): rows,
            on(EX2, "exchange_certificates"): rows,
        }
        found = levels(phase("certificates").judge(scope(), with_facts(changes)))
        assert found["certificates.exchange.certificate.validity"] == "blocker"

    def test_a_certificate_missing_on_one_exchange_server_names_that_server(self) -> None:
        found = phase("certificates").judge(scope(), with_facts({on(EX2, "exchange_certificates"): []}))
        assert [f.server for f in found if f.id == "certificates.exchange.missing_on_server"] == [EX2]


def test_the_plan_rests_on_the_key_that_was_seen() -> None:
    change = phase("exchange_partner_application").plan(scope(), with_facts({exchange.PARTNER_APPLICATIONS: []}))[0][0]
    assert change.rests_on[on(EX1, "peer_metadata")].json["thumbprints"] == {"$contains": [thumbprint(LYNC_KEY)]}
    assert isinstance(with_facts({})[lync.OAUTH_CERTIFICATE], Known)
