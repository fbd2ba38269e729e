"""The runbook as a user runs it: the command line twice, stock papermill, nbval; against a lab in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from helpers.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> str:
    """Run a module of this Python; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def transitions(environment: dict[str, str]) -> list[dict[str, object]]:
    """Transitions of configuration or services that a command caused, by the lab's own log."""
    rows = [json.loads(line) for line in run(environment, "s2slib", "lab", "log").splitlines()]
    return [row for row in rows if row["kind"] in ("configuration", "service") and row["cause"]["kind"] == "command"]


def test_check_then_apply_twice_and_the_second_run_changes_nothing(lab_environment: dict[str, str]) -> None:
    pending = json.loads(run(lab_environment, "s2slib", "check", "params/lab.yaml", "--json", code=2))
    assert pending["outcome"] == "pending"
    assert transitions(lab_environment) == []
    first = json.loads(run(lab_environment, "s2slib", "apply", "params/lab.yaml", "--json"))
    assert first["outcome"] == "trusted"
    assert len(first["changes"]) == 8  # the export of Lync's configuration is two of them
    before = transitions(lab_environment)
    second = json.loads(run(lab_environment, "s2slib", "apply", "params/lab.yaml", "--json"))
    assert (second["outcome"], second["changes"]) == ("trusted", [])
    assert transitions(lab_environment) == before
    folder = Path(second["folder"])
    assert len(list((folder / "notebooks").glob("*.ipynb"))) == 8
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    state = json.loads(Path(lab_environment["S2S_LAB_STATE"]).read_text(encoding="utf-8"))
    for account in state["accounts"].values():
        assert account["password"] not in text


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_with_stock_papermill(notebook: Path, lab_environment: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "out.ipynb"
    run(lab_environment, "papermill", str(notebook), str(target), "-f", "params/lab.yaml")
    cells = [cell for cell in nbformat.read(target, as_version=4).cells if cell.cell_type == "code"]
    shown = [
        output for cell in cells for output in cell.outputs if output.output_type in ("execute_result", "display_data")
    ]
    assert shown
    assert all("text/plain" in output.data for output in shown)


def test_the_notebooks_run_under_nbval(lab_environment: dict[str, str]) -> None:
    run(
        lab_environment,
        "pytest",
        "--nbval-lax",
        "-p",
        "no:cacheprovider",
        "-q",
        *map(str, NOTEBOOKS[:2] + NOTEBOOKS[-2:]),
    )


def test_the_recorded_outputs_are_what_the_lab_answers_now(lab_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "record_notebooks.py"), "--check"],
        env=lab_environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}\nRecord them anew: .venv/bin/python tools/record_notebooks.py"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("check", "params/none.yaml"), 64, "none.yaml"),
        (("check",), 64, "PARAMS"),
        (("frobnicate",), 64, "frobnicate"),
    ],
)
def test_bad_arguments_end_with_64_and_a_sentence(
    arguments: tuple[str, ...], code: int, said: str, lab_environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "s2slib", *arguments],
        env=lab_environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
