"""docs/parameters.md says what the schema says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from helpers.paths import ROOT
from pydantic import BaseModel

from s2slib.deployment.document import document
from s2slib.deployment.model import Deployment
from s2slib.deployment.schema_errors import literals_of, sections


def test_the_committed_documentation_is_the_schema_s() -> None:
    committed = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert committed == document(), "run: python -m s2slib.deployment --document > docs/parameters.md"


def test_the_command_prints_the_documentation() -> None:
    command = [sys.executable, "-m", "s2slib.deployment", "--document"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout == document().encode()


def models() -> Iterator[type[BaseModel]]:
    for _, model in sections(Deployment):
        yield model


@pytest.mark.parametrize("model", sorted(set(models()), key=str))
def test_every_key_of_every_section_has_a_meaning_and_a_row(model: type[BaseModel]) -> None:
    text = document()
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert f"| `{name}` |" in text
        for word in literals_of(field.annotation):
            assert f"`{word}`" in text


def test_links_inside_the_document_lead_to_headings() -> None:
    text = document()
    headings = {
        "".join(
            letter
            for letter in line.lstrip("#").strip().lower().replace(" ", "-")
            if letter.isalnum() or letter in "-_"
        )
        for line in text.splitlines()
        if line.startswith("#")
    }
    targets = [part.split(")")[0] for part in text.split("](#")[1:]]
    assert targets
    assert set(targets) <= headings
