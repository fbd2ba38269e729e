"""s2slib reaches the environment as an editable wheel that says the same as pyproject.toml."""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import zipfile
from email.parser import Parser
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest
from bootstrap_host import REPOSITORY

from bootstrap import package


@pytest.fixture
def site_packages(checkout: Path) -> Path:
    folder = checkout / ".venv" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def wheel(checkout: Path, site_packages: Path, tmp_path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(package.editable_wheel(checkout, site_packages, tmp_path))


def test_the_path_file_leads_from_site_packages_to_the_checkout(
    wheel: zipfile.ZipFile, checkout: Path, site_packages: Path
) -> None:
    line = wheel.read("__editable__.s2slib.pth").decode("ascii").strip()
    assert not Path(line).is_absolute()
    assert (site_packages / line).resolve() == checkout.resolve()


def test_the_entry_points_are_those_of_pyproject(wheel: zipfile.ZipFile) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read("s2slib-0.1.0.dist-info/entry_points.txt").decode())
    assert {name: dict(parser[name]) for name in parser.sections()} == {
        "console_scripts": {"s2s": "s2slib.cli.main:main"},
        "papermill.engine": {"s2s": "s2slib.notebook.entry:RunbookEngine"},
    }


def test_an_extra_keeps_the_marker_of_its_requirement(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read("s2slib-0.1.0.dist-info/METADATA").decode())
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Requires-Dist") == ["tinydep", "other; (sys_platform == 'win32') and extra == \"lab\""]


def test_the_record_has_the_hash_and_size_of_every_file(wheel: zipfile.ZipFile) -> None:
    record = wheel.read("s2slib-0.1.0.dist-info/RECORD").decode().splitlines()
    assert sorted(name for name, _, _ in csv.reader(record)) == sorted(wheel.namelist())
    for name, digest, size in csv.reader(record):
        if digest:
            content = wheel.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={expected}", str(len(content)))


def test_the_wheel_of_this_checkout_is_read_as_its_metadata(tmp_path: Path) -> None:
    with zipfile.ZipFile(package.editable_wheel(REPOSITORY, REPOSITORY / ".venv" / "lib", tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    found: Distribution = PathDistribution(next((tmp_path / "unpacked").glob("*.dist-info")))
    assert found.name == "s2slib"
    assert {(each.group, each.name) for each in found.entry_points} >= {
        ("console_scripts", "s2s"),
        ("papermill.engine", "s2s"),
    }
