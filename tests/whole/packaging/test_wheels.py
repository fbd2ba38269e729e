"""The wheels, as somebody without this checkout installs them: the product alone, then with the lab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.paths import ROOT

LEFT_OUT = shutil.ignore_patterns(".venv*", ".git", "runs", "__pycache__", "*.egg-info", ".*_cache", "build")


def ran(*argv: str | Path, cwd: Path, code: int = 0) -> str:
    """What a program says, on both streams; its exit code has to be the one that is wanted."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "S2S_"))}
    done = subprocess.run(
        [str(part) for part in argv], cwd=cwd, env=kept, capture_output=True, text=True, encoding="utf-8", timeout=280
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both wheels, built from a copy of this checkout."""
    folder = tmp_path_factory.mktemp("build")
    copy = folder / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder / "dist"),
    ]
    for package in (copy, copy / "s2slab"):
        ran(*build, package, cwd=folder)
    return folder / "dist"


@pytest.mark.slow
def test_a_wheel_holds_its_package_and_what_that_reads(wheels: Path) -> None:
    held = {file.name.split("-")[0]: zipfile.ZipFile(file).namelist() for file in wheels.iterdir()}
    assert sorted(held) == ["s2slab", "s2slib"]
    product, lab = held["s2slib"], held["s2slab"]
    assert {name.split("/")[0].split("-")[0] for name in product} == {"s2slib"}
    assert {name.split("/")[0].split("-")[0] for name in lab} == {"s2slab"}
    assert {"s2slib/py.typed", "s2slib/remoting/shell/invoke.ps1", "s2slib/template/params/litware.yaml"} <= set(
        product
    )
    assert {"s2slab/py.typed", "s2slab/engine/pwsh/main.ps1", "s2slab/engine/core_commands.txt"} <= set(lab)
    notebooks = {f"s2slib/template/notebooks/{file.name}" for file in (ROOT / "notebooks").glob("*.ipynb")}
    assert notebooks <= set(product)
    for names in (product, lab):
        assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_product_works_without_the_lab_and_the_demo_with_it(wheels: Path, tmp_path: Path) -> None:
    ran(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    s2s, install = scripts / "s2s", [scripts / "python", "-m", "pip", "install", "-q", "--find-links", wheels]
    ran(*install, "s2slib", cwd=tmp_path)
    assert "No module named 's2slab'" in ran(scripts / "python", "-c", "import s2slab", cwd=tmp_path, code=1)

    mine = tmp_path / "my trust"
    assert "s2s init DIR" in ran(s2s, "journal", "ab12", cwd=tmp_path, code=1)
    assert "next: copy params/litware.yaml" in ran(s2s, "init", mine, cwd=tmp_path)
    assert "nothing was written" in ran(s2s, "init", mine, cwd=tmp_path, code=64)
    declared = (mine / "params" / "litware.yaml").read_text(encoding="utf-8")
    for lines in (("lab",), ("lab", "log"), ("demo",)):
        said = ran(s2s, *lines, cwd=mine, code=1)
        assert said.count("\n") == 1, said
        assert "the embedded lab is not installed here" in said
    (mine / "params" / "mine.yaml").write_text(
        declared.replace("deployment: litware", "deployment: mine"), encoding="utf-8"
    )
    looked = ran(s2s, "check", "params/mine.yaml", "--json", cwd=mine, code=1)
    assert "Traceback" not in looked

    ran(*install, "s2slib[lab]", cwd=tmp_path)
    proven = json.loads(ran(s2s, "demo", "--json", cwd=mine).splitlines()[-1])
    assert proven["outcome"] == "trusted"
