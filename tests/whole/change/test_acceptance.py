"""An approved plan is carried out exactly, or refused with the reason; `s2s check --plan` says the same beforehand."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.change_world import ALL, FE2, ChangeWorld, approval, carry_out, change_world, keep_plan, states

from s2slab import faults
from s2slab.estate.estate import Estate
from s2slib.cli.main import main
from s2slib.runbook.model.plan import sha256_of
from s2slib.runbook.model.record import EXIT_CODES

REQUIRED = {"approval": "required"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangeWorld]:
    """A lab that no test here changes."""
    with pytest.MonkeyPatch.context() as patch, change_world(tmp_path_factory.mktemp("lab"), patch) as made:
        yield made


@pytest.fixture(scope="module")
def planned(shared: ChangeWorld) -> Path:
    """A run with a plan and no approval."""
    return plan(shared)


def plan(world: ChangeWorld, **policy: Any) -> Path:
    """A run with a plan and no approval."""
    folder = world.folder()
    with world.open(folder, "check", policy={**REQUIRED, **policy}) as run:
        keep_plan(run)
    return folder


def copied(world: ChangeWorld, planned: Path) -> Path:
    """The same plan in a run of its own."""
    return Path(shutil.copytree(planned, world.folder(), dirs_exist_ok=True))


def s2s(*arguments: str) -> Result:
    """What a person types."""
    return CliRunner().invoke(main, list(arguments))


def approve(folder: Path, **hours: Any) -> None:
    """Have the plan of a run approved."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in approval(**hours).items()]
    found = s2s("approve", folder.name, *words)
    assert found.exit_code == 0, found.output


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file by hand."""
    data = json.loads(file.read_text(encoding="utf-8"))
    change(data)
    file.write_text(json.dumps(data), encoding="utf-8")


def no_approval(folder: Path) -> None:
    """Nobody approves."""


def edited_plan(folder: Path) -> None:
    approve(folder)
    edit(folder / "plan.json", lambda data: data["changes"][-1].update(title="Something else"))


def edited_plan_with_its_hash(folder: Path) -> None:
    approve(folder)

    def change(data: dict[str, Any]) -> None:
        data["changes"][-1].update(title="Something else")
        data["hash"] = sha256_of({key: value for key, value in data.items() if key != "hash"})

    edit(folder / "plan.json", change)


def edited_plan_and_approval(folder: Path) -> None:
    edited_plan_with_its_hash(folder)
    hash_now = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["hash"]
    edit(folder / "approval.json", lambda data: data.update(plan_hash=hash_now))


def edited_window(folder: Path) -> None:
    approve(folder)
    edit(folder / "approval.json", lambda data: data.update(not_after="2036-01-01T00:00:00Z"))


def edited_approver(folder: Path) -> None:
    approve(folder)
    edit(folder / "approval.json", lambda data: data.update(approver="Somebody else"))


def too_early(folder: Path) -> None:
    approve(folder, before_h=1)


def over(folder: Path) -> None:
    approve(folder, after_h=2 / 3600)
    time.sleep(2)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (no_approval, "This plan is not approved"),
        (edited_plan, "changed after it was made"),
        (edited_plan_with_its_hash, "The approval is for another plan"),
        (edited_plan_and_approval, "The approval is for another plan"),
        (edited_window, "The approval is not the one that was recorded"),
        (edited_approver, "The approval is not the one that was recorded"),
        (too_early, "The window is not open yet"),
        (over, "The window is over"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_without_a_valid_approval_nothing_is_contacted(
    prepare: Callable[[Path], None], said: str, shared: ChangeWorld, planned: Path
) -> None:
    folder = copied(shared, planned)
    prepare(folder)
    for verb in ("apply", "resume"):
        found = s2s(verb, folder.name)
        assert (found.exit_code, said in found.output) == (3, True), found.output
        assert "Nothing was contacted" in found.output
    assert shared.rows() == []
    assert not (folder / "notebooks").exists()


@pytest.mark.parametrize(("prepare", "code"), [(no_approval, 3), (edited_plan, 3), (too_early, 3), (approve, 0)])
def test_check_plan_says_beforehand_whether_apply_would_be_accepted(
    prepare: Callable[[Path], None], code: int, shared: ChangeWorld, planned: Path
) -> None:
    folder = copied(shared, planned)
    prepare(folder)
    found = s2s("check", "--plan", folder.name)
    assert found.exit_code == code, found.output
    assert ("apply would be accepted now" in found.output) == (code == 0)
    assert shared.rows() == []


def test_one_person_is_not_two(shared: ChangeWorld) -> None:
    folder = plan(shared, two_persons=True)
    approve(folder)
    found = s2s("apply", folder.name)
    assert found.exit_code == 3
    assert "Two persons are wanted" in found.output
    journal = (folder / "journal.jsonl").read_text(encoding="utf-8")
    assert '"event": "approved"' in journal
    assert shared.rows() == []


def test_another_declaration_than_the_plan_was_made_for_is_refused(shared: ChangeWorld, planned: Path) -> None:
    folder = copied(shared, planned)
    approve(folder)
    edit(folder / "deployment.json", lambda data: data["exchange"].update(accepted_domain="other.example"))
    found = s2s("check", "--plan", folder.name)
    assert found.exit_code == 3
    assert "declares something else than this plan was made for" in found.output
    with shared.open(folder, policy=REQUIRED, test_users=[{"sip_uri": "sip:somebody@litwareinc.com"}]) as run:
        refused = carry_out(run, "certificates")["certificates"]
    assert refused.state == "refused"
    assert "declares something else" in refused.detail
    assert shared.rows() == []


def autodiscover_set(estate: Estate) -> None:
    with estate.lock:
        held = estate.cms.read("OAuthConfiguration") or {}
        estate.cms.seed("OAuthConfiguration", {**held, "ExchangeAutodiscoverUrl": "https://somebody.example/a.svc"})


def policy_added(estate: Estate) -> None:
    faults.contact_store_allowed(estate)


def server_gone(estate: Estate) -> None:
    estate.server(FE2).reachable = False


@pytest.mark.parametrize(
    ("move", "seen", "expected"),
    [
        (autodiscover_set, "https://somebody.example/a.svc", "exchange_autodiscover_url=(empty)"),
        pytest.param(
            policy_added, "contact lists would migrate", "nothing but what was planned", marks=pytest.mark.slow
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_state_that_moved_since_is_refused_and_the_difference_shown(
    move: Callable[[Estate], None], seen: str, expected: str, estate: ChangeWorld
) -> None:
    folder = estate.approved()
    move(estate.lab.estate)
    found = s2s("check", "--plan", folder.name)
    assert found.exit_code == 3
    assert seen in found.output
    assert expected in found.output
    with estate.open(folder, policy=REQUIRED) as run:
        results = carry_out(run)
        assert EXIT_CODES[run.record.outcome] == 3
    last = list(results.values())[-1]
    assert last.state == "refused"
    assert any(seen in finding.seen and expected in finding.expected for finding in last.findings)
    assert estate.rows() == []


@pytest.mark.slow
def test_an_approved_plan_is_carried_out_exactly_and_only_once(estate: ChangeWorld) -> None:
    folder = estate.approved()
    approved = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    with estate.open(folder, policy=REQUIRED) as run:
        assert set(states(carry_out(run)).values()) == {"done"}
        assert run.record.plan_hash == approved["hash"]
    assert json.loads((folder / "plan.json").read_text(encoding="utf-8")) == approved
    done = [outcome for outcome in outcomes(folder) if outcome["state"] == "done"]
    assert [outcome["change"] for outcome in done] == [change["id"] for change in approved["changes"]]
    before = estate.rows()
    with estate.open(folder, policy=REQUIRED) as run:
        assert set(states(carry_out(run)).values()) == {"done"}
    assert estate.rows() == before


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """The outcomes in a run's journal."""
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["data"] for entry in map(json.loads, lines) if entry["event"] == "outcome"]


@pytest.mark.slow
def test_no_restart_is_begun_that_would_not_be_over_within_the_window(estate: ChangeWorld) -> None:
    folder = plan(estate)
    approve(folder, after_h=900 / 3600)  # replication takes some of it, by the estate's clock
    with estate.open(folder, policy=REQUIRED) as run:
        results = carry_out(run)
        assert EXIT_CODES[run.record.outcome] != 0
    assert states({name: results[name] for name in ALL[:4]}) == dict.fromkeys(ALL[:4], "done")
    assert results["restart_iis"].state == "held"
    assert "left in the window" in results["restart_iis"].detail
    assert not [row for row in estate.rows() if row.kind == "service"]


@pytest.mark.slow
def test_the_verb_itself_refuses_a_moved_state_through_the_notebooks(estate: ChangeWorld) -> None:
    folder = estate.approved()
    autodiscover_set(estate.lab.estate)
    found = s2s("apply", folder.name)
    assert found.exit_code == 3, found.output
    assert "https://somebody.example/a.svc" in found.output
    assert estate.rows() == []


def test_what_would_block_a_phase_is_said_beforehand_too(estate: ChangeWorld) -> None:
    folder = estate.approved()
    faults.wildcard_accepted_domain(estate.lab.estate)
    with estate.open(folder, "check", policy=REQUIRED) as run:
        run.inspect()
        assert "preflight.realm" in {finding.id for finding in run.acceptance()}
