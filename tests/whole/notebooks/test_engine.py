"""The papermill engine: every way a notebook can end is recorded as it was, and no typed secret stays in the file."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from s2slib.notebook.engine import NEVER_ANSWERED, _with_a_kernel, run_notebook


def notebook(folder: Path, *sources: str) -> Path:
    """A notebook of code cells."""
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    node.cells[0].metadata["tags"] = ["parameters"]
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "source.ipynb"
    nbformat.write(node, path)
    return path


def statuses(path: Path) -> list[str]:
    """The recorded status of every cell, the injected one left out."""
    cells = nbformat.read(path, as_version=4).cells
    return [
        cell.metadata.papermill.status
        for cell in cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]


@pytest.mark.slow
def test_a_prompt_is_answered_and_the_typed_secret_is_redacted(tmp_path: Path) -> None:
    source = notebook(tmp_path, "x = 1", "import getpass\np = getpass.getpass('Password: ')\nprint(len(p), p, x)")
    asked: list[tuple[str, bool]] = []

    def answer(prompt: str, hidden: bool) -> str:
        asked.append((prompt, hidden))
        return "correct-horse-battery"

    done = run_notebook(source, tmp_path / "out.ipynb", {"x": 2}, answer=answer)
    text = (tmp_path / "out.ipynb").read_text(encoding="utf-8")
    assert done.error == ""
    assert asked == [("Password: ", True)]
    assert "21" in text
    assert "correct-horse" not in text


@pytest.mark.slow
def test_a_kernel_that_dies_leaves_its_cell_failed_and_the_later_ones_pending(tmp_path: Path) -> None:
    done = run_notebook(notebook(tmp_path, "x = 1", "import os\nos._exit(3)", "2"), tmp_path / "out.ipynb", {})
    assert done.kind == "DeadKernelError"
    assert statuses(tmp_path / "out.ipynb") == ["completed", "failed", "pending"]


@pytest.mark.slow
def test_a_cell_that_raises_is_failed_and_named(tmp_path: Path) -> None:
    done = run_notebook(notebook(tmp_path, "x = 1", "raise RuntimeError('no')", "2"), tmp_path / "out.ipynb", {})
    assert (done.kind, done.error) == ("RuntimeError", "no")
    assert statuses(tmp_path / "out.ipynb")[1:] == ["failed", "pending"]


@pytest.mark.slow
def test_without_anybody_to_ask_a_prompt_fails_instead_of_hanging(tmp_path: Path) -> None:
    source = notebook(tmp_path, "x = 1", "import getpass\ngetpass.getpass('Password: ')")
    assert run_notebook(source, tmp_path / "out.ipynb", {}).kind == "StdinNotImplementedError"


@pytest.mark.slow
def test_an_output_that_was_recorded_before_does_not_pass_for_one_of_this_run(tmp_path: Path) -> None:
    source = notebook(tmp_path, "x = 1", "raise RuntimeError('no')", "2")
    node = nbformat.read(source, as_version=4)
    node.cells[2].outputs = [nbformat.v4.new_output("stream", text="recorded earlier")]
    nbformat.write(node, source)
    run_notebook(source, tmp_path / "out.ipynb", {})
    assert "recorded earlier" not in (tmp_path / "out.ipynb").read_text(encoding="utf-8")


def test_a_kernel_that_lost_its_port_to_another_process_is_started_once_more() -> None:
    tries: list[int] = []

    def execute() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError(f"{NEVER_ANSWERED} to kernel_info")

    _with_a_kernel(execute)
    assert len(tries) == 2

    def broken() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        _with_a_kernel(broken)
