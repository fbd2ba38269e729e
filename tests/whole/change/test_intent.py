"""What the operator means is what happens: a look stays a look, a run ends, what is shown is what is done."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.change_world import WRITING, ChangeWorld, approval, carry_out

from s2slab.faults import clock_skewed
from s2slib import workspace
from s2slib.cli.main import main
from s2slib.notebook import open_run
from s2slib.notebook.session import NotebookRun
from s2slib.runbook.control.standing import standing
from s2slib.runbook.run import Run

PARAMETERS = ("deployment", "mode", "run_folder")


def s2s(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def cells(**changes: Any) -> dict[str, Any]:
    """A notebook's names after its parameters cell."""
    return {"deployment": "lab", "mode": "check", "run_folder": "", **changes}


def looked(estate: ChangeWorld) -> Path:
    """The folder of a finished look."""
    folder = estate.folder()
    estate.apply("preflight", folder=folder, mode="check")
    return folder


def trusted(estate: ChangeWorld) -> Path:
    """The folder of a run that made the trust and proved it."""
    folder = estate.folder()
    with estate.open(folder) as run:
        carry_out(run, *WRITING)
        assert run.verify().proven
    return folder


def everything(folder: Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(".lock")]
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("verb", ["resume", "apply", "back-out"])
def test_no_verb_makes_a_change_out_of_a_look(verb: str, estate: ChangeWorld) -> None:
    folder = looked(estate)
    said = s2s(verb, folder.name)
    assert said.exit_code == 3
    assert "was a look (check)" in said.output
    assert "s2s plan PARAMS" in said.output
    assert estate.rows() == []


def test_an_apply_cell_does_not_go_on_in_an_open_look(estate: ChangeWorld) -> None:
    look = open_run(cells())
    asyncio.run(look.apply("preflight"))
    change = open_run(cells(mode="apply"))
    assert change.folder != look.folder
    assert "new run" in repr(change)
    assert open_run(cells(mode="apply")).folder == change.folder
    with pytest.raises(Exception, match=r"was a look \(check\)"):
        open_run(cells(mode="apply", run_folder=look.folder.name))
    look.close()


@pytest.mark.parametrize("verb", ["apply", "resume"])
def test_a_run_that_proved_its_trust_has_ended_and_its_folder_stays_as_it_is(verb: str, estate: ChangeWorld) -> None:
    folder = trusted(estate)
    workspace.find().set_open_run("lab", folder)
    before = everything(folder)
    said = s2s(verb, folder.name)
    assert said.exit_code == 0, said.output
    assert "trust proven" in said.output
    assert "0 changed" in said.output
    for name in ("stop", "check --plan", "close --reason=x"):
        assert s2s(*name.split(), folder.name).exit_code == 3
    with pytest.raises(Exception, match="has ended: trust proven"):
        open_run(cells(run_folder=folder.name))
    again = open_run(cells())
    assert again.folder != folder
    again.inspect()
    record = open_run(cells(run_folder=folder.name), to="record")
    assert "Outcome" in repr(record.outcome())
    assert everything(folder) == before


def test_a_session_that_stays_open_writes_nothing_into_a_run_that_has_ended(estate: ChangeWorld) -> None:
    names = cells(mode="apply", run_folder=estate.folder().name)
    run = open_run(names)
    carry_out(run.run, *WRITING)
    asyncio.run(run.verify())
    before = everything(run.folder)
    for again in (run.inspect, lambda: asyncio.run(run.apply("certificates")), lambda: asyncio.run(run.verify())):
        with pytest.raises(Exception, match="has ended: trust proven"):
            again()
    assert everything(run.folder) == before


def test_a_run_that_was_closed_by_hand_is_refused_by_every_verb(estate: ChangeWorld) -> None:
    folder = estate.approved()
    assert s2s("close", folder.name, "--reason", "window cancelled").exit_code == 0
    for verb in (["apply"], ["resume"], ["stop"], ["approve", *_words()]):
        said = s2s(verb[0], folder.name, *verb[1:])
        assert said.exit_code == 3, (verb, said.output)
        assert "window cancelled" in said.output
    assert estate.rows() == []


def _words() -> list[str]:
    return [word for name, value in approval().items() for word in (f"--{name.replace('_', '-')}", value)]


def test_status_and_runs_say_what_was_made_what_is_open_and_what_to_type_next(estate: ChangeWorld) -> None:
    look, change = looked(estate), estate.folder()
    estate.apply("preflight", "certificates", folder=change)
    said = s2s("status", change.name).output
    assert "made: " in said
    assert f"next: s2s resume {change.name}" in said
    assert f"next: s2s back-out {change.name}" in said
    listed = json.loads(s2s("runs", "--json").output)["runs"]
    assert [(row["run"], row["kind"]) for row in listed] == [(change.name, "change"), (look.name, "check")] or {
        row["run"]: row["kind"] for row in listed
    } == {change.name: "change", look.name: "check"}


def test_a_cell_refuses_parameters_that_were_changed_behind_the_open_run(estate: ChangeWorld) -> None:
    names = cells()
    names["run"] = run = open_run(names)
    names["mode"] = "apply"
    with pytest.raises(
        Exception, match="mode says 'apply', the open run has 'check': run the cell with open_run again"
    ):
        run.inspect()
    names["mode"] = "check"
    run.inspect()
    assert estate.rows() == []


def test_an_open_run_that_fails_leaves_no_older_run_behind(estate: ChangeWorld) -> None:
    names = cells()
    names["run"] = open_run(names)
    names["deployment"] = "nowhere"
    with pytest.raises(Exception, match="nowhere"):
        open_run(names)
    assert "run" not in names


def test_a_skipped_parameters_cell_is_one_sentence(estate: ChangeWorld) -> None:
    with pytest.raises(Exception, match="the parameters cell was not run"):
        open_run({"open_run": open_run})


def required(**changes: Any) -> dict[str, Any]:
    return cells(**{"policy": {"approval": "required"}, "approval": approval(), **changes})


def test_only_the_plan_that_this_notebook_has_shown_is_approved(estate: ChangeWorld) -> None:
    run = open_run(required())
    run.inspect()
    assert "the plan shown is" in repr(run.approve(run.approval_form())), "nothing was shown"
    run.ticket()
    shown = run._shown
    assert "approved by Change board" in repr(run.approve(run.approval_form()))
    other = open_run(required())
    assert other.folder == run.folder
    assert "the plan shown is" in repr(other.approve(other.approval_form()))
    assert standing(run.folder).kind == "change"
    assert shown


def test_an_approval_in_place_of_another_says_so(estate: ChangeWorld) -> None:
    folder = estate.approved()
    said = s2s("approve", folder.name, *_words()[:2], "--ticket", "CHG0043", *_words()[4:])
    assert said.exit_code == 0
    assert "in place of: approved by Change board" in said.output
    assert "CHG0042" in said.output


def test_an_approval_that_nobody_wants_is_refused(estate: ChangeWorld) -> None:
    folder = estate.folder()
    with estate.open(folder, "check") as run:
        run.inspect()
        run.keep_plan(run.plan(), [])
    said = s2s("approve", folder.name, *_words())
    assert said.exit_code == 64
    assert "wants no approval" in said.output


def edit_reach(folder: Path) -> None:
    file = folder / "deployment.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    data["network"]["proxy"] = "http://127.0.0.1:1"
    file.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("verb", [["apply"], ["resume"], ["check", "--plan"]])
def test_another_way_to_the_servers_than_the_approved_one_is_refused_before_any_contact(
    verb: list[str], estate: ChangeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = estate.approved()
    edit_reach(folder)
    monkeypatch.setattr(Run, "open", None)  # nothing may be resolved or contacted
    said = s2s(*verb, folder.name)
    assert said.exit_code == 3, said.output
    assert "is not what was approved" in said.output
    assert estate.rows() == []


def test_a_back_out_does_not_go_another_way_than_the_approved_one(estate: ChangeWorld) -> None:
    folder = estate.approved()
    estate.apply("preflight", "certificates", folder=folder, policy={"approval": "required"})
    rows = len(estate.rows())
    assert rows
    edit_reach(folder)
    said = s2s("back-out", folder.name)
    assert said.exit_code == 3
    assert "is not what was approved" in said.output
    assert len(estate.rows()) == rows


@pytest.mark.parametrize("file", ["plan.txt", "plan.html", "plan.json"])
def test_an_approval_is_for_what_was_planned_and_not_for_an_edited_page(file: str, estate: ChangeWorld) -> None:
    names = required(approval=None)
    run: NotebookRun = open_run(names)
    run.inspect()
    run.ticket()
    shown = run.folder / file
    shown.write_text(shown.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    said = s2s("approve", run.folder.name, *_words())
    assert said.exit_code == 64
    assert f"{file} is not as it was" in said.output


@pytest.mark.parametrize(("minutes", "said"), [(-30, "approval.clock"), (4, "approval.too_early"), (0, "")])
def test_the_window_goes_by_the_servers_clocks_too(minutes: int, said: str, estate: ChangeWorld) -> None:
    window = approval(before_h=-2 / 60)
    folder = estate.folder()
    with estate.open(folder, "check", policy={"approval": "required"}) as run:
        run.inspect()
        run.keep_plan(run.plan(), [])
        run.control.approve(**window)
    clock_skewed(estate.lab.estate, "atl-fe-002", -60 * minutes if minutes > 0 else 60 * minutes)
    with estate.open(folder, "apply", policy={"approval": "required"}) as run:
        result = carry_out(run, "certificates")["certificates"]
        found = {finding.id for finding in result.findings}
    assert (said in found) if said else not {name for name in found if name.startswith("approval.")}


@pytest.mark.parametrize("number", [815, 0, 12e4, False])
def test_a_run_that_came_as_a_number_is_no_other_run(number: object, estate: ChangeWorld) -> None:
    open_run(cells())
    with pytest.raises(Exception, match="run_folder came as the number"):
        open_run(cells(run_folder=number))
