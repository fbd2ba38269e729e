"""Who may import whom: the arrows of docs/architecture.md, every kind of import counted."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from helpers.paths import ROOT

PACKAGES = ("s2slib", "s2slab", "bootstrap")

# Every room (a folder, or a file at the top of a package) and the rooms that it may import.
ROOMS = {
    "bootstrap": "",
    "s2slib": "",
    "s2slib.errors": "",
    "s2slib.facts": "",
    "s2slib.typed": "",
    "s2slib.workspace": "errors",
    "s2slib.credentials": "errors records workspace",
    "s2slib.deployment": "credentials errors records workspace",
    "s2slib.trust": "errors records",
    "s2slib.records": "errors",
    "s2slib.remoting.values": "errors records typed",
    "s2slib.remoting.winrm": "remoting.values",
    "s2slib.remoting.shell": "remoting.values remoting.winrm",
    "s2slib.remoting": "remoting.shell remoting.values remoting.winrm",
    "s2slib.products": "facts remoting.values trust",
    "s2slib.runbook.model": "deployment errors facts products records remoting.values typed",
    "s2slib.runbook.reading": "credentials deployment facts products records remoting remoting.values remoting.winrm trust",
    "s2slib.runbook.phases": "facts products remoting.values runbook.model runbook.reading trust",
    "s2slib.runbook.control": "errors facts products records runbook.model runbook.phases runbook.reading typed workspace",
    "s2slib.runbook.writing": "facts products records remoting.values runbook.control runbook.model runbook.reading typed",
    "s2slib.runbook": "credentials deployment facts products records remoting.values runbook.control runbook.model "
    "runbook.phases runbook.reading runbook.writing trust",
    "s2slib.show": "deployment facts products records runbook runbook.model runbook.phases runbook.reading",
    "s2slib.notebook": "deployment errors records runbook runbook.control runbook.model runbook.phases show workspace",
    "s2slib.cli": "s2slib credentials deployment errors notebook records runbook runbook.control runbook.model "
    "runbook.reading show typed workspace s2slab.console s2slab.errors s2slab.service s2slab.state",
    "s2slib.__main__": "cli",
    "s2slab": "",
    "s2slab.errors": "",
    "s2slab.state": "errors",
    "s2slab.engine": "errors",
    "s2slab.estate.files": "",
    "s2slab.estate": "estate.files",
    "s2slab.network": "estate",
    "s2slab.web": "estate network",
    "s2slab.winrm": "engine",
    "s2slab.cmdlets.shared": "engine estate network",
    "s2slab.cmdlets.windows": "cmdlets.shared engine estate network",
    "s2slab.cmdlets.lync": "cmdlets.shared engine estate web",
    "s2slab.cmdlets.exchange": "cmdlets.shared engine estate estate.files",
    "s2slab.cmdlets": "cmdlets.exchange cmdlets.lync cmdlets.windows engine estate",
    "s2slab.machine": "cmdlets engine estate estate.files network winrm",
    "s2slab.scenario": "estate estate.files web",
    "s2slab.faults": "cmdlets.exchange estate scenario",
    "s2slab.service": "engine estate machine network scenario state web winrm",
    "s2slab.console": "engine errors",
    "s2slab.__main__": "errors service",
}
VERIFY_MUST_NOT_REACH = {
    "s2slib.runbook.model.plan",
    "s2slib.runbook.model.change",
    "s2slib.runbook.writing",
    "s2slib.runbook.phases",
}


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the packages, by its name."""
    files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


def room(module: str) -> str:
    """The room that a module stands in."""
    file = modules()[module].relative_to(ROOT)
    at_the_top = len(file.parts) == 2 and file.name != "__init__.py" and file.parts[0] != "bootstrap"
    return module if at_the_top else ".".join(file.parent.parts)


@cache
def imports(module: str) -> frozenset[str]:
    """Every module of the house that a module imports: at its top, inside functions, for the type checker alone."""
    return frozenset(name for name in _named(module) if name in modules() and name != module)


def _named(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in modules() else node.module


def circles(arrows: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """The groups of nodes that reach each other (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in arrows.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in arrows:
        if node not in index:
            visit(node)
    return found


def test_the_search_for_circles_finds_one() -> None:
    arrows = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b"), "d": frozenset("a")}
    assert circles(arrows) == [["b", "c"]]


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    assert {room(module) for module in modules()} == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_the_rooms_of_its_row_and_no_other(name: str) -> None:
    package = name.split(".")[0]
    allowed = {other if other.split(".")[0] in PACKAGES else f"{package}.{other}" for other in ROOMS[name].split()}
    used = {
        room(other): f"{module} imports {other}"
        for module in modules()
        if room(module) == name
        for other in imports(module)
    }
    used.pop(name, None)
    assert not [used[other] for other in used if other not in allowed]
    assert not allowed - set(used), "rows say what is so, not what might be"


def test_there_is_no_circle_between_modules() -> None:
    assert circles({module: imports(module) for module in modules()}) == []


def test_there_is_no_circle_between_rooms() -> None:
    arrows: dict[str, set[str]] = {}
    for module in modules():
        arrows.setdefault(room(module), set()).update(room(other) for other in imports(module))
    assert circles({name: frozenset(others - {name}) for name, others in arrows.items()}) == []


def test_the_lab_knows_nothing_of_the_product() -> None:
    named = {name for module in modules() if module.startswith("s2slab") for name in _named(module)}
    assert not {name for name in named if name.startswith(("s2slib", "bootstrap"))}


def test_verification_reaches_neither_plan_nor_change_nor_the_writer() -> None:
    seen: set[str] = set()
    todo = ["s2slib.runbook.verify"]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += imports(name)
    assert "s2slib.runbook.reading.catalogue" in seen  # the walk does follow imports
    assert not [name for name in seen if any(name == no or name.startswith(f"{no}.") for no in VERIFY_MUST_NOT_REACH)]


def test_importing_the_package_is_quick_because_it_imports_nothing() -> None:
    assert not imports("s2slib")


@pytest.mark.parametrize(("tests", "package"), [("product", "s2slib"), ("lab", "s2slab")])
def test_tests_stand_in_the_room_that_they_are_about(tests: str, package: str) -> None:
    rooms = {folder.name for folder in (ROOT / package).rglob("*") if folder.is_dir() and list(folder.glob("*.py"))}
    folders = {folder.name for folder in (ROOT / "tests" / tests).iterdir() if list(folder.glob("test_*.py"))}
    assert folders <= rooms
