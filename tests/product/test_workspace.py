"""The workspace is found, never assumed; a deployment has at most one open run."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from s2slib.runbook.control.standing import chosen
from s2slib.workspace import RunName, Workspace, WorkspaceError, find

NOON = datetime(2026, 11, 23, 23, 5, 1, tzinfo=UTC)


def chosen_run(places: Workspace, deployment: str, given: str = "") -> Path:
    """The run that a look means."""
    return chosen(places, deployment, given, "check", "work")[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is a workspace: params/ with two files, and notebooks/."""
    (tmp_path / "work" / "params").mkdir(parents=True)
    (tmp_path / "work" / "notebooks").mkdir()
    for name in ("lab", "litware"):
        (tmp_path / "work" / "params" / f"{name}.yaml").write_text("", encoding="utf-8")
    return tmp_path / "work"


@pytest.fixture
def here(root: Path) -> Workspace:
    return Workspace(root, root / "runs")


def test_the_nearest_folder_upwards_with_params_and_notebooks_is_the_workspace(root: Path, tmp_path: Path) -> None:
    deep = root / "notebooks" / "deeper"
    deep.mkdir()
    installed = tmp_path / "site-packages" / "s2slib"
    assert find(deep, environ={}, package=installed) == Workspace(root.resolve(), root.resolve() / "runs")


def test_the_current_folder_is_not_taken_just_because_it_is_current(tmp_path: Path) -> None:
    (tmp_path / "params").mkdir()
    with pytest.raises(WorkspaceError, match="S2S_WORKSPACE"):
        find(tmp_path, environ={}, package=tmp_path / "site-packages")


def test_the_checkout_that_the_package_lies_in_comes_before_what_lies_around_the_current_folder(
    root: Path, tmp_path: Path
) -> None:
    planted = tmp_path / "planted"
    for name in ("params", "notebooks", "deeper"):
        (planted / name).mkdir(parents=True)
    package = root / "s2slib" / "workspace.py"
    assert find(planted / "deeper", environ={}, package=package).root == root.resolve()


@pytest.mark.skipif(os.name != "posix", reason="asks POSIX's owners and modes")
@pytest.mark.parametrize("which", ["", "params", "notebooks"])
def test_folders_that_others_can_write_are_refused_unless_they_are_named(
    which: str, root: Path, tmp_path: Path
) -> None:
    (root / which).chmod(0o777)
    installed = tmp_path / "site-packages" / "s2slib"
    with pytest.raises(WorkspaceError, match="others can write it"):
        find(root, environ={}, package=installed)
    assert find(root, environ={"S2S_WORKSPACE": str(root)}, package=installed).root == root.resolve()


def test_the_environment_names_the_workspace_and_the_runs_folder(root: Path, tmp_path: Path) -> None:
    environ = {"S2S_WORKSPACE": str(root), "S2S_RUNS": str(tmp_path / "elsewhere")}
    assert find(tmp_path, environ=environ) == Workspace(root.resolve(), (tmp_path / "elsewhere").resolve())


def test_a_named_workspace_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="not there"):
        find(tmp_path, environ={"S2S_WORKSPACE": str(tmp_path / "gone")})


def test_a_params_file_is_found_by_the_deployment_or_the_known_ones_are_named(here: Workspace) -> None:
    assert here.params_file("lab").name == "lab.yaml"
    with pytest.raises(WorkspaceError, match=r"params/contoso\.yaml.*lab, litware"):
        here.params_file("contoso")


def test_a_run_folder_is_named_by_utc_second_deployment_and_mark(here: Workspace) -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    folder = here.new_run("contoso-se", now=east)
    assert folder.is_dir()
    assert folder.name.startswith("20261123T230501Z-contoso-se-")
    assert ":" not in folder.name
    parsed = RunName.parse(folder.name)
    assert parsed is not None
    assert (parsed.started, parsed.deployment) == (NOON, "contoso-se")
    assert str(parsed) == folder.name


@pytest.mark.parametrize(
    "name", ["lab", "20261123T230501Z-lab", "20261399T230501Z-lab-ab12", "20261123T230501Z-lab-XY12", "../x"]
)
def test_other_names_are_no_run_names(name: str) -> None:
    assert RunName.parse(name) is None


def test_runs_of_the_same_second_get_different_folders(here: Workspace) -> None:
    assert len({here.new_run("lab", now=NOON) for _ in range(12)}) == 12


@pytest.mark.parametrize("name", ["../lab", "Lab", "a b", ""])
def test_a_run_for_an_impossible_deployment_name_is_refused(here: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError, match="lower-case"):
        here.new_run(name)
    assert list(here.runs.iterdir()) == []


def test_runs_of_a_deployment_are_listed_oldest_first_and_without_others(here: Workspace) -> None:
    assert here.runs_of("lab") == ()
    late = here.new_run("lab", now=NOON + timedelta(days=1))
    early = here.new_run("lab", now=NOON)
    here.new_run("lab-two", now=NOON)
    (here.runs / "lab.json").write_text("{}", encoding="utf-8")
    assert here.runs_of("lab") == (early, late)


def test_without_a_run_folder_a_new_run_is_made_and_stays_open_until_closed(here: Workspace) -> None:
    first = chosen_run(here, "lab")
    assert chosen_run(here, "lab") == first == here.open_run("lab")
    assert here.open_run("litware") is None
    here.close_run("lab")
    assert here.open_run("lab") is None
    assert first.is_dir()
    assert chosen_run(here, "lab") != first


def test_closing_twice_is_no_error(here: Workspace) -> None:
    chosen_run(here, "lab")
    here.close_run("lab")
    here.close_run("lab")
    assert here.open_run("lab") is None


def test_a_pointer_to_a_folder_that_is_gone_means_no_open_run(here: Workspace) -> None:
    chosen_run(here, "lab").rmdir()
    assert here.open_run("lab") is None


@pytest.mark.parametrize("content", ["../../etc", "20261123T230501Z-litware-ab12", ""])
def test_a_pointer_that_leads_elsewhere_is_refused(here: Workspace, content: str) -> None:
    here.runs_dir()
    (here.runs / "lab.open").write_text(content, encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"lab\.open"):
        here.open_run("lab")


def test_only_a_run_of_the_deployment_can_be_opened(here: Workspace, tmp_path: Path) -> None:
    run = here.new_run("litware")
    with pytest.raises(WorkspaceError, match="not a run of lab"):
        here.set_open_run("lab", run)
    with pytest.raises(WorkspaceError, match="not a run of lab"):
        here.set_open_run("lab", tmp_path / "20261123T230501Z-lab-ab12")


def test_a_failed_write_of_the_pointer_leaves_the_old_one(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    old = chosen_run(here, "lab")
    new = here.new_run("lab")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        here.set_open_run("lab", new)
    assert here.open_run("lab") == old
    assert not list(here.runs.glob("*.tmp"))


def test_a_run_is_found_by_name_by_its_mark_and_by_path(here: Workspace) -> None:
    run = here.new_run("lab", now=NOON)
    for given in (run.name, run.name[-4:], str(run), f"runs/{run.name}"):
        assert chosen_run(here, "lab", given).resolve() == run.resolve()
    assert here.open_run("lab") is None


def test_a_run_of_another_deployment_is_refused(here: Workspace) -> None:
    run = here.new_run("litware")
    with pytest.raises(WorkspaceError, match="run of litware, not of lab"):
        chosen_run(here, "lab", run.name)
    assert here.find_run(run.name) == run


@pytest.mark.parametrize("given", ["nope", ".", "..", "../params/..", "/no/such/folder"])
def test_what_is_no_run_is_refused_with_the_latest_runs(here: Workspace, given: str) -> None:
    run = here.new_run("lab")
    with pytest.raises(WorkspaceError, match=run.name):
        here.find_run(given)


def test_a_mark_that_two_runs_share_is_refused(here: Workspace) -> None:
    for deployment in ("lab", "litware"):
        (here.runs_dir() / f"20261123T230501Z-{deployment}-ab12").mkdir()
    with pytest.raises(WorkspaceError, match="several"):
        here.find_run("ab12")


def test_new_is_a_new_run_even_while_one_is_open_and_opens_it(tmp_path: Path) -> None:
    places = Workspace(tmp_path, tmp_path / "runs")
    first = chosen_run(places, "lab")
    second = chosen_run(places, "lab", "new")
    assert second != first
    assert chosen_run(places, "lab") == second
