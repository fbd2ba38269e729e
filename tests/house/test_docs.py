"""Documentation that would rot: links, verbs, the constant script's hash, the table of notebooks."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from helpers.paths import ROOT

from s2slib.cli.main import main

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
VERB = re.compile(r"python run\.py ([a-z]+)")
CITED = re.compile(r"\b(?:rules?|facts?) ((?:[RF]\d+(?:, | and | to )?)+)")
SOURCES = sorted(
    file
    for folder in ("s2slib", "s2slab", "bootstrap", "tools", "tests", "notebooks")
    for pattern in ("*.py", "*.ps1", "*.psm1", "*.ipynb")
    for file in (ROOT / folder).rglob(pattern)
    if file.name != Path(__file__).name
)
OF_RUN_PY = {"test", "notebook", "wheelhouse", "setup"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_that_are_named_exist(page: Path) -> None:
    assert isinstance(main, click.Group)
    named = set(VERB.findall(page.read_text(encoding="utf-8")))
    assert named <= {*main.commands, *OF_RUN_PY}


@pytest.mark.parametrize("name", sorted(main.commands))  # type: ignore[attr-defined]
def test_every_verb_shows_an_example(name: str) -> None:
    help_text = main.commands[name].help or ""  # type: ignore[attr-defined]
    assert f"Example: s2s {name}" in help_text


def test_the_security_page_names_the_hash_of_the_script_that_is_sent() -> None:
    script = (ROOT / "s2slib" / "remoting" / "shell" / "invoke.ps1").read_bytes()
    assert hashlib.sha256(script).hexdigest() in (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_notebook() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [
        path.stem
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        if f"({path.relative_to(ROOT).as_posix()})" not in text
    ] == []


def entries(page: str, letter: str) -> list[str]:
    """The codes that a page defines, in its order."""
    return re.findall(rf"(?m)^## ({letter}\d+) ", (ROOT / "docs" / page).read_text(encoding="utf-8"))


def test_rules_and_facts_are_numbered_through() -> None:
    for page, letter in (("rules.md", "R"), ("facts.md", "F")):
        found = entries(page, letter)
        assert found == [f"{letter}{number}" for number in range(1, len(found) + 1)]


def test_every_cited_rule_and_fact_is_one_of_the_pages() -> None:
    known = {*entries("rules.md", "R"), *entries("facts.md", "F")}
    cited = {
        (code, file.relative_to(ROOT).as_posix())
        for file in (*SOURCES, ROOT / "docs" / "rules.md")
        for group in CITED.findall(file.read_text(encoding="utf-8"))
        for code in re.findall(r"[RF]\d+", group)
    }
    assert len(cited) > 50
    assert [row for row in cited if row[0] not in known] == []


def test_no_source_cites_a_document_that_is_not_here() -> None:
    wrong = re.compile(r"\b(?:[OPH]\d{1,2}|DESIGN \d+)\b|\b[\w-]+\.md\b")
    pages = {page.name for page in PAGES}
    found = [
        f"{file.relative_to(ROOT).as_posix()}: {hit}"
        for file in SOURCES
        if file.suffix != ".ipynb"
        for hit in wrong.findall(file.read_text(encoding="utf-8"))
        if hit not in pages
    ]
    assert found == []


def test_what_the_rules_name_is_there() -> None:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:s2slib|s2slab|tests)/[\w/.]+)`", text)
    assert len(named) == 2 * len(entries("rules.md", "R"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_list_of_findings_is_the_one_that_the_code_declares() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "list_findings.py"), "--check"], cwd=ROOT)
    assert done.returncode == 0, "write it anew: python tools/list_findings.py"
