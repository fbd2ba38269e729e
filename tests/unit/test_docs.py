"""Documentation that would rot: links, verbs, the constant script's hash, the table of notebooks."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import click
import pytest

from s2slib.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
VERB = re.compile(r"python run\.py ([a-z]+)")
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
