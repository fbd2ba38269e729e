"""Who may import whom: the arrows of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "s2slib"
FORBIDDEN = {
    "lab": (
        "facts",
        "deployment",
        "credentials",
        "workspace",
        "remoting",
        "trust",
        "products",
        "runbook",
        "records",
        "notebook",
        "cli",
    ),
    "remoting": ("facts", "deployment", "trust", "products", "runbook", "notebook", "lab", "cli", "commands"),
    "trust": ("deployment", "remoting", "products", "runbook", "notebook", "lab", "cli", "commands"),
    "records": ("remoting", "products", "runbook", "notebook", "lab", "cli", "commands"),
    "products": ("deployment", "credentials", "runbook", "notebook", "lab", "cli", "commands"),
    "runbook": ("notebook", "lab", "cli", "commands"),
    "notebook": ("lab", "cli", "commands"),
    "facts.py": ("products", "runbook", "remoting", "trust", "records", "notebook", "lab"),
}
VERIFY_MUST_NOT_REACH = {
    "s2slib.runbook.plan",
    "s2slib.runbook.change",
    "s2slib.runbook.execute",
    "s2slib.runbook.phases",
}


def modules(part: str) -> list[Path]:
    """The Python files of a part of the package."""
    path = PACKAGE / part
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Every s2slib module that a file imports, also inside functions; type-checking imports do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("s2slib"))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("s2slib"):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("part", FORBIDDEN)
def test_arrows_between_the_rooms_run_one_way(part: str) -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in modules(part)
        for name in imported(file)
        if len(name.split(".")) > 1 and name.split(".")[1] in FORBIDDEN[part]
    ]
    assert not wrong


def test_verification_reaches_neither_plan_nor_change_nor_the_writer() -> None:
    seen: set[str] = set()
    todo = ["s2slib.runbook.verify"]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        file = PACKAGE.parent.joinpath(*name.split("."))
        source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if source.is_file():
            todo += imported(source)
    assert "s2slib.runbook.catalogue" in seen  # the walk does follow imports
    assert not seen & VERIFY_MUST_NOT_REACH


def test_importing_the_package_is_quick_because_it_imports_nothing() -> None:
    assert list(imported(PACKAGE / "__init__.py")) == []
