"""A back-out leaves the estate as it was before the run, field by field, but for what the plan said it cannot restore."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.change_world import ALL, EX1, WRITING, ChangeWorld, audit, carry_out, left_behind, states, wrap_run

from s2slab import faults
from s2slib.cli.main import main
from s2slib.products import exchange
from s2slib.records.journal import verify
from s2slib.remoting.values.command import Cmdlet, Command, Script
from s2slib.remoting.values.errors import OutcomeUncertain
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.model.plan import sha256_of
from s2slib.runbook.model.record import EXIT_CODES

ACCOUNT = exchange.APPLICATION_ACCOUNT
PARTNER_PHASES = ("certificates", "autodiscover", "exchange_partner_application")


def restarted(estate: ChangeWorld) -> list[str]:
    """The servers whose IIS a command stopped, in order."""
    rows = [row for row in estate.rows() if row.subject.endswith(":W3SVC") and row.after == "Stopped"]
    return [row.cause.server.split(".")[0] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("last", WRITING)
def test_after_each_phase_the_estate_is_as_before(last: str, estate: ChangeWorld) -> None:
    before, folder = estate.settled_state(), estate.folder()
    names = ALL[: ALL.index(last) + 1]
    assert states(estate.apply(*names, folder=folder)) == dict.fromkeys(names, "done")
    result = estate.back_out(folder)
    assert (result.state, result.detail) == ("done", "")
    assert left_behind(before, estate) == {}
    audit(estate, folder)
    loaded = last in ("restart_iis", "lync_partner_application")
    assert restarted(estate) == ["atl-exchange-001", "atl-exchange-002"] * (2 if loaded else 0)


@pytest.mark.slow
def test_a_backed_out_run_cannot_be_gone_on_with_and_the_next_one_makes_the_trust_again(estate: ChangeWorld) -> None:
    folder = estate.folder()
    estate.apply(folder=folder)
    assert estate.back_out(folder).state == "done"
    with estate.open(folder) as run:
        refused = carry_out(run, "certificates")["certificates"]
    assert refused.state == "refused"
    assert "backed out" in refused.detail
    before = estate.rows()
    assert estate.back_out(folder).state == "done"  # once more does nothing
    assert estate.rows() == before
    assert set(states(estate.apply()).values()) == {"done"}
    assert estate.verify().proven


def test_what_the_back_out_will_be_can_be_read_before_and_names_what_stays(estate: ChangeWorld) -> None:
    folder = estate.folder()
    estate.apply("certificates", "autodiscover", folder=folder)
    shown = CliRunner().invoke(main, ["back-out", folder.name, "--show", "--json"])
    assert shown.exit_code == 0, shown.output
    (line,) = json.loads(shown.output)["lines"]
    assert line.startswith("Set-CsOAuthConfiguration")
    text = CliRunner().invoke(main, ["back-out", folder.name, "--show"]).output
    assert "stays assigned" in text


def test_a_value_that_somebody_set_since_is_shown_and_left_alone(estate: ChangeWorld) -> None:
    folder = estate.folder()
    estate.apply("certificates", "autodiscover", folder=folder)
    theirs = "https://somebody.example/autodiscover/autodiscover.svc"
    with estate.lab.estate.lock:
        held = estate.lab.estate.cms.read("OAuthConfiguration") or {}
        estate.lab.estate.cms.seed("OAuthConfiguration", {**held, "ExchangeAutodiscoverUrl": theirs})
    before = estate.rows()
    with estate.open(folder) as run:
        run.inspect()
        result = run.back_out()
        assert EXIT_CODES[run.record.outcome] == 3
    assert result.state == "refused"
    assert theirs in result.detail
    assert estate.rows() == before


@pytest.mark.slow
def test_a_value_that_somebody_set_since_stops_the_back_out_before_it_and_not_what_is_newer(
    estate: ChangeWorld,
) -> None:
    """Newest first: Exchange's entry goes, then the URL that was changed since is shown and stays."""
    folder = estate.folder()
    estate.apply(*PARTNER_PHASES, folder=folder)
    theirs = "https://somebody.example/autodiscover/autodiscover.svc"
    with estate.lab.estate.lock:
        held = estate.lab.estate.cms.read("OAuthConfiguration") or {}
        estate.lab.estate.cms.seed("OAuthConfiguration", {**held, "ExchangeAutodiscoverUrl": theirs})
    result = estate.back_out(folder)
    assert result.state == "refused"
    assert result.outcomes[-1].change == "undo.lync.set_exchange_autodiscover_url"
    assert "undo.exchange.create_lync_partner_application" in {o.change for o in result.outcomes if o.state == "done"}
    assert theirs in str(estate.lab.estate.cms.read("OAuthConfiguration"))


@pytest.mark.slow
def test_a_run_that_a_later_one_built_on_is_not_taken_back_first(estate: ChangeWorld) -> None:
    first, second = estate.folder(), estate.folder()
    estate.apply("certificates", "autodiscover", folder=first)
    estate.apply("exchange_partner_application", folder=second)
    before = estate.rows()
    found = CliRunner().invoke(main, ["back-out", first.name])
    assert found.exit_code == 3
    assert f"{second.name} changed this deployment after this run" in found.output
    assert estate.back_out(first).state == "refused"
    assert estate.rows() == before
    assert estate.back_out(second).state == "done"
    assert estate.back_out(first).state == "done"


def half_way(estate: ChangeWorld, folder: Path, **sections: Any) -> None:
    """The script stops behind its first object, and its reply is lost: the account exists, and nothing else."""
    with estate.open(folder, **sections) as run:
        session = run.scope.exchange_session_server
        address = f"{ACCOUNT}@litwareinc.com"
        user = {"Name": ACCOUNT, "DisplayName": ACCOUNT, "ExternalEmailAddress": address}
        first = Cmdlet("New-MailUser", user, effect="write", runspace="exchange")

        def stopping(server: str, command: Command, send: Callable[[], Reply]) -> Reply:
            if isinstance(command, Script):
                reply = run.estates._channel(session).run(first, timeout_s=30)
                assert reply.succeeded, reply.errors
                raise OutcomeUncertain(server, "the link broke", command)
            return send()

        wrap_run(run, stopping)
        results = carry_out(run, *PARTNER_PHASES)
    assert results["exchange_partner_application"].state == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["back", "on"])
def test_a_create_that_failed_half_way_is_taken_back_or_gone_on_with_as_far_as_it_got(
    way: str, estate: ChangeWorld
) -> None:
    before, folder = estate.settled_state(), estate.folder()
    half_way(estate, folder)
    if way == "on":  # the script does not hide an account that it finds; what it left out is repaired after that
        assert states(estate.apply(folder=folder))["exchange_partner_application"].startswith("failed")
        assert set(states(estate.apply(folder=folder)).values()) == {"done"}
        assert estate.verify().proven
        return
    result = estate.back_out(folder)
    assert (result.state, result.detail) == ("done", "")
    removed = [row.cause.command.split()[0] for row in estate.rows() if row.cause.command.startswith("Remove-")]
    assert removed == ["Remove-MailUser"]
    assert left_behind(before, estate) == {}


@pytest.mark.slow
def test_an_approved_create_that_failed_half_way_is_begun_again_by_its_own_run_only(estate: ChangeWorld) -> None:
    required = {"policy": {"approval": "required"}}
    folder, other = estate.approved(), estate.approved()
    half_way(estate, folder, **required)
    strange = estate.apply("exchange_partner_application", folder=other, **required)["exchange_partner_application"]
    assert strange.state == "refused"
    assert "exchange/mail_user is not as planned" in strange.detail
    estate.apply("exchange_partner_application", folder=folder, **required)
    begun = [e.data["change"]["id"] for e in verify(folder / "journal.jsonl") if e.event == "intent"]
    assert begun.count("exchange.create_lync_partner_application") == 2
    audit(estate, folder)


@pytest.mark.slow
def test_iis_is_restarted_only_where_the_trust_is_loaded(estate: ChangeWorld) -> None:
    before, folder = estate.settled_state(), estate.folder()
    estate.apply(*PARTNER_PHASES, folder=folder)
    with estate.open(folder, policy={"restart": "hold"}) as run:
        run._hold = lambda change: change.target == EX1
        results = carry_out(run, "restart_iis")
    assert results["restart_iis"].state == "held"
    assert estate.back_out(folder).state == "done"
    assert restarted(estate) == ["atl-exchange-001", "atl-exchange-001"]
    assert left_behind(before, estate) == {}


@pytest.mark.slow
def test_the_approved_back_out_stays_valid_when_the_window_is_over(
    estate: ChangeWorld,
) -> None:
    folder = estate.approved()
    required = {"policy": {"approval": "required"}}
    with estate.open(folder, **required) as run:
        assert set(states(carry_out(run, *ALL[:3])).values()) == {"done"}
    with estate.open(folder, **required) as run:
        now = run.control._now
        run.control._now = lambda: now() + timedelta(days=9)
        refused = carry_out(run, "exchange_partner_application")["exchange_partner_application"]
        assert refused.state == "refused"
        run.inspect()
        assert run.back_out().state == "done"


@pytest.mark.slow
@pytest.mark.parametrize("state", ["contacts", "certificate", "maintenance"])
def test_an_estate_that_was_not_plain_is_left_as_it_was(state: str, estate: ChangeWorld) -> None:
    if state == "contacts":
        faults.contact_store_allowed(estate.lab.estate)
    if state == "certificate":
        estate.apply("certificates")
    if state == "maintenance":
        faults.server_in_maintenance(estate.lab.estate, "atl-exchange-001")
    before, folder = estate.settled_state(), estate.folder()
    assert set(states(estate.apply(folder=folder)).values()) == {"done"}
    assert estate.back_out(folder).state == "done"
    assert left_behind(before, estate) == {}


@pytest.mark.slow
def test_without_the_approved_plan_there_is_no_approved_back_out(estate: ChangeWorld) -> None:
    folder = estate.approved()
    required = {"policy": {"approval": "required"}}
    assert set(states(estate.apply(*ALL[:2], folder=folder, **required)).values()) == {"done"}
    data = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    other = json.loads(json.dumps(data))
    other["changes"] = other["changes"][:1]
    other["hash"] = sha256_of({key: value for key, value in other.items() if key != "hash"})
    (folder / "plan.json").write_text(json.dumps(other), encoding="utf-8")
    before = estate.rows()
    found = CliRunner().invoke(main, ["back-out", folder.name])
    assert found.exit_code == 3
    assert "was not approved" in found.output
    assert estate.rows() == before
