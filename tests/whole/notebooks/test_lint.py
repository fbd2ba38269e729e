"""The notebooks' skeleton: one parameters cell alike everywhere, short steps, no code of their own, links that lead somewhere."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import nbformat
import pytest
from helpers.paths import NOTEBOOKS

from s2slib.deployment import PARAMETERS

FOLDER = NOTEBOOKS
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [
    "00_start",
    "10_preflight",
    "15_plan",
    "20_certificates",
    "30_autodiscover",
    "40_exchange_partner_application",
    "50_restart_iis",
    "60_lync_partner_application",
    "70_verify",
    "90_change_record",
    "95_back_out",
]
LINK = re.compile(r"\[([^]]+)\]\(([^)#]+)\)")
MACHINE = re.compile(r"/(?:home|root|tmp|Users)/|\b127\.0\.0\.1\b|\blocalhost\b|widget-view|VBox\(|Traceback")
RUN = re.compile(r"\b20\d{6}T\d{6}Z\b")
RECORD = "record the outputs: .venv/bin/python tools/record_notebooks.py"


def read(path: Path) -> nbformat.NotebookNode:
    """A notebook, validated against its format."""
    node = nbformat.read(path, as_version=4)
    nbformat.validate(node)
    return node


def code(path: Path) -> list[nbformat.NotebookNode]:
    """Its code cells."""
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_every_notebook_of_the_design_is_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    """What every notebook has in common."""

    def test_it_opens_with_a_numbered_title_a_purpose_a_facts_line_and_what_comes_before(self, path: Path) -> None:
        lines = [line for line in read(path).cells[0].source.splitlines() if line]
        assert re.fullmatch(rf"# {path.stem[:2]} [A-Z].*", lines[0])
        assert lines[1].endswith(".")
        assert all(word in lines[2] for word in ("*Changes:*", "*Who:*", "*Time:*", "*Back-out:*"))
        assert lines[3].startswith("**Before:**")

    def test_it_ends_by_saying_what_is_next(self, path: Path) -> None:
        assert read(path).cells[-1].source.startswith("**Next:**")

    def test_its_parameters_cell_is_the_same_as_everywhere_and_has_plain_values_only(self, path: Path) -> None:
        cells = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
        assert len(cells) == 1
        assert cells[0].source == code(NOTEBOOKS[0])[0].source
        names = []
        for node in ast.parse(cells[0].source).body:
            assert isinstance(node, ast.Assign)
            ast.literal_eval(node.value)
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        assert set(names) == {*PARAMETERS, "mode", "run_folder", "confirmed_restarts", "approval"}

    def test_its_steps_are_short_and_define_nothing(self, path: Path) -> None:
        for cell in code(path)[1:]:
            lines = [line for line in cell.source.splitlines() if line]
            assert 1 <= len(lines) <= 4
            tree = ast.parse(cell.source.replace("await ", ""))
            banned = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda, ast.If, ast.Try)
            assert not [node for node in ast.walk(tree) if isinstance(node, banned)]
            assert "ipywidgets" not in cell.source

    def test_every_step_has_a_heading_before_it(self, path: Path) -> None:
        cells = read(path).cells
        for before, cell in itertools.pairwise(cells):
            if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
                assert before.cell_type == "markdown"
                assert before.source.startswith("## ")

    def test_its_links_lead_to_files_and_call_notebooks_by_their_titles(self, path: Path) -> None:
        for cell in read(path).cells:
            for words, target in LINK.findall(cell.source) if cell.cell_type == "markdown" else []:
                assert (FOLDER / target).is_file(), target
                if target.endswith(".ipynb"):
                    assert read(FOLDER / target).cells[0].source.splitlines()[0] == f"# {words}"

    def test_every_step_has_its_recorded_output_in_both_forms(self, path: Path) -> None:
        steps = code(path)
        assert [cell.execution_count for cell in steps] == list(range(1, len(steps) + 1)), RECORD
        assert steps[0].outputs == []
        for cell in steps[1:]:
            assert len(cell.outputs) == 1, RECORD
            assert set(cell.outputs[0].data) == {"text/html", "text/plain"}, RECORD

    def test_it_holds_no_widget_state_and_nothing_of_the_machine_that_recorded_it(self, path: Path) -> None:
        assert "widgets" not in read(path).metadata
        text = path.read_text(encoding="utf-8")
        assert str(FOLDER.parent) not in text
        assert not MACHINE.findall(text)
        assert {match.group() for match in RUN.finditer(text)} <= {"20260115T000000Z"}
