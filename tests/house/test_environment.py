"""pyproject.toml, the pinned requirement files and environment.yml say the same."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import pytest
import yaml
from helpers.paths import ROOT
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import s2slib
from bootstrap import environment

NAMED = {"jupyterlab", "papermill", "ipywidgets", "pywinrm", "requests", "nbval", "pytest"}
EXTRAS_OF_SET = {
    "run": {"keyring"},
    "test": {"keyring", "test"},
    "ui": {"keyring", "ui"},
    "dev": {"keyring", "test", "dev"},
}
LAB = tomllib.loads((ROOT / "s2slab" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(name: str) -> list[str]:
    """The pins of a set without their hashes."""
    return [line.rstrip("\\ ") for line in environment.pins(ROOT, name) if not line.startswith("--")]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    parsed: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return parsed


@pytest.fixture(scope="module")
def conda() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    return parsed


def _declared(project: dict[str, Any], extras: set[str]) -> dict[str, Requirement]:
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    requirements = [Requirement(line) for line in lines]
    declared = {canonicalize_name(each.name): each for each in requirements if each.name != "s2slab"}
    return {**declared, **{canonicalize_name(each.name): each for each in map(Requirement, LAB["dependencies"])}}


@pytest.mark.parametrize("name", environment.SETS)
def test_a_set_pins_everything_that_its_extras_ask_for(project: dict[str, Any], name: str) -> None:
    found: dict[str, list[Requirement]] = {}
    for line in pins(name):
        pin = Requirement(line)
        assert re.fullmatch(r"==[^*]+", str(pin.specifier)), line
        assert pin.url is None
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    for package, requirement in _declared(project, EXTRAS_OF_SET[name]).items():
        assert package in found, f"{package} is not pinned for {name}: run tools/pin.py"
        for pin in found[package]:
            pinned = str(pin.specifier).removeprefix("==")
            assert requirement.specifier.contains(pinned, prereleases=True), f"{pin} is not {requirement}"
            assert pin.marker is None


@pytest.mark.parametrize("name", environment.SETS)
def test_a_set_holds_whatever_its_packages_ask_for(project: dict[str, Any], name: str) -> None:
    pinned = {canonicalize_name(Requirement(line).name) for line in pins(name)}
    waiting = [(package, each.extras) for package, each in _declared(project, EXTRAS_OF_SET[name]).items()]
    met: set[tuple[str, str]] = set()
    while waiting:
        package, extras = waiting.pop()
        assert package in pinned, f"{package} is not pinned for {name}: nothing but the pins is installed"
        for extra in {"", *extras} - {extra for known, extra in met if known == package}:
            met.add((package, extra))
            asked = map(Requirement, requires(package) or ()) if _is_here(package) else ()
            needed = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": extra})]
            waiting += [(canonicalize_name(each.name), each.extras) for each in needed]
    assert len(met) >= len(pinned) / 2


def _is_here(package: str) -> bool:
    """Whether a package is installed; JupyterLab and the linters need not be where the fast tests run."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def test_a_package_has_one_version_for_each_python_and_system_in_all_sets() -> None:
    systems = [{"sys_platform": "win32", "os_name": "nt"}, {"sys_platform": "linux", "os_name": "posix"}]
    for system in systems:
        for python in ("3.11.2", "3.11.9", "3.12.0", "3.13.0", "3.14.0"):
            minor = ".".join(python.split(".")[:2])
            here = {"python_version": minor, "python_full_version": python, **system}
            versions: dict[str, str] = {}
            for name in environment.SETS:
                for line in pins(name):
                    pin = Requirement(line)
                    if pin.marker is None or Marker(str(pin.marker)).evaluate(here):
                        assert versions.setdefault(canonicalize_name(pin.name), str(pin.specifier)) == str(
                            pin.specifier
                        )
            assert versions.keys() >= NAMED


def test_all_named_packages_are_pinned_by_the_sets_that_are_installed_for_operators_and_tests() -> None:
    pinned = {canonicalize_name(Requirement(pin).name) for name in ("test", "ui") for pin in pins(name)}
    assert pinned >= NAMED


@pytest.mark.parametrize("file", [*environment.SETS.values(), "environment.yml", "pyproject.toml"])
def test_no_file_names_an_index_or_an_address(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(r"index-url|find-links|extra-index|trusted-host|://", text) is None


def test_conda_gets_the_named_packages_in_the_versions_of_pyproject(
    project: dict[str, Any], conda: dict[str, Any]
) -> None:
    assert conda["channels"] == ["conda-forge", "nodefaults"]
    wanted = [Requirement(line) for line in conda["dependencies"] if isinstance(line, str)]
    named: dict[str, SpecifierSet] = {canonicalize_name(each.name): each.specifier for each in wanted}
    declared = _declared(project, set(project["optional-dependencies"]))
    assert named.pop("python") == SpecifierSet(project["requires-python"])
    assert named.pop("pip") == SpecifierSet()
    assert named == {package: declared[package].specifier for package in NAMED}


def test_conda_installs_this_checkout_with_extras_that_there_are(
    project: dict[str, Any], conda: dict[str, Any]
) -> None:
    (pip,) = [each["pip"] for each in conda["dependencies"] if isinstance(each, dict)]
    lab, line = pip
    assert lab == "-e ./s2slab"
    match = re.fullmatch(r"-e \.\[(?P<extras>[a-z,]+)\]", line)
    assert match is not None
    extras = set(match["extras"].split(","))
    assert extras <= set(project["optional-dependencies"])
    assert {"lab", "test"} <= extras


def test_the_python_range_is_the_same_everywhere(project: dict[str, Any]) -> None:
    found = runpy.run_path(str(ROOT / "run.py"))
    (major, oldest), (_, untried) = found["OLDEST"], found["FIRST_UNTRIED"]
    assert SpecifierSet(f">={major}.{oldest},<{major}.{untried}") == SpecifierSet(project["requires-python"])


def test_both_packages_have_one_version(project: dict[str, Any]) -> None:
    assert project["dynamic"] == ["version"]
    assert project["optional-dependencies"]["lab"] == [f"s2slab=={s2slib.__version__}"]
    assert LAB["version"] == s2slib.__version__


def test_both_packages_have_one_licence() -> None:
    assert (ROOT / "s2slab" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("package", ["s2slib", "s2slab"])
def test_the_wheels_hold_every_room(package: str) -> None:
    file = ROOT / "pyproject.toml" if package == "s2slib" else ROOT / "s2slab" / "pyproject.toml"
    listed = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    rooms = {".".join(f.parent.relative_to(ROOT).parts) for f in (ROOT / package).rglob("*.py")}
    assert {name for name in listed if not name.startswith("s2slib.template.")} == rooms


@pytest.mark.parametrize("name", environment.SETS)
def test_every_pin_has_hashes(name: str) -> None:
    lines = environment.pins(ROOT, name)
    for at, line in enumerate(lines):
        if not line.startswith("--"):
            assert HASH.match(lines[at + 1]), line


def test_setting_up_imports_the_standard_library_and_itself_only() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bootstrap.start; "
        "print(*sorted(name for name in sys.modules if name.split('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script, str(ROOT)], capture_output=True, text=True)
    assert done.stderr == ""
    loaded = set(done.stdout.split()) - {"__main__"}
    assert loaded
    assert {name for name in loaded if name != "s2slib" and not name.startswith("bootstrap")} == set()
