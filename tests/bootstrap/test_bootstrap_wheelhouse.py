"""A machine without internet installs from a folder of wheels, and only what is pinned there by its hash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.bootstrap_host import Starter


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheel house"
    folder.mkdir()
    (folder / "tinydep-1.0-py3-none-any.whl").write_bytes(b"a wheel")
    (folder / "more-2.0-py3-none-any.whl").write_bytes(b"another wheel")
    return folder


def test_an_untouched_wheelhouse_is_used_and_nothing_else(run_py: Starter, wheels: Path) -> None:
    run_py.environ |= {"PIP_INDEX_URL": "an index", "pip_find_links": "a folder", "PIP_CONFIG_FILE": "a file"}
    assert run_py("--offline", str(wheels), "demo") == 0
    ((argv, env),) = [(argv, env) for argv, env in run_py.programs.calls if "-r" in argv]
    assert argv[argv.index("--no-index") :][:3] == ["--no-index", "--find-links", str(wheels)]
    assert {name: value for name, value in env.items() if name.upper().startswith("PIP_")} == {
        "PIP_CONFIG_FILE": os.devnull
    }
    assert "--require-hashes" in argv
    assert str(wheels) in run_py.said


@pytest.mark.parametrize("arguments", [("demo", "--offline", "{}"), ("demo", "--offline={}"), ("--offline={}", "demo")])
def test_the_wheelhouse_may_be_named_before_or_after_the_verb(
    run_py: Starter, wheels: Path, arguments: tuple[str, ...]
) -> None:
    assert run_py(*(argument.format(wheels) for argument in arguments)) == 0
    ((_, *_rest, verb),) = [argv for argv, _, _ in run_py.handed]
    assert verb == "demo"


def _download(files: dict[str, bytes], code: int = 0) -> Callable[[list[str]], int]:
    def on_pip(argv: list[str]) -> int:
        if "download" in argv:
            for name, content in files.items():
                (Path(argv[argv.index("--dest") + 1]) / name).write_bytes(content)
            return code
        return 0

    return on_pip


def test_wheelhouse_downloads_every_set(run_py: Starter, tmp_path: Path) -> None:
    run_py.programs.on_pip = _download({"tinydep-1.0-py3-none-any.whl": b"a wheel"})
    folder = tmp_path / "new" / "wheel house"
    assert run_py("wheelhouse", str(folder)) == 0
    (call,) = run_py.programs.pip_calls("download")
    assert sum(part.endswith(".txt") for part in call) == 4
    assert call[:2] == ["--only-binary", ":all:"]
    assert os.listdir(folder) == ["tinydep-1.0-py3-none-any.whl"]
    assert os.listdir(folder.parent) == ["wheel house"]


def test_a_wheelhouse_is_filled_before_anything_is_installed_that_could_build_the_package(
    run_py: Starter, tmp_path: Path
) -> None:
    assert run_py("wheelhouse", str(tmp_path / "wheels")) == 0
    assert [argv[2:4] for argv, _ in run_py.programs.calls if "pip" in argv] == [["pip", "download"]]
    assert run_py("demo") == 0
    assert "-e" in run_py.programs.calls[-1][0]


def test_a_failed_download_leaves_no_wheelhouse(run_py: Starter, tmp_path: Path) -> None:
    run_py.programs.on_pip = _download({"tinydep-1.0-py3-none-any.whl": b"half a"}, code=1)
    assert run_py("wheelhouse", str(tmp_path / "new" / "wheels")) == 1
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_with_something_in_it_does_not_become_a_wheelhouse(run_py: Starter, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    assert run_py("wheelhouse", str(tmp_path)) == 1
    assert run_py.programs.pip_calls("download") == []


def test_a_wheelhouse_of_another_checkout_fails_with_advice(run_py: Starter, wheels: Path) -> None:
    run_py.programs.on_pip = lambda argv: 1
    assert run_py("--offline", str(wheels), "demo") == 1
    assert "anew from this checkout" in run_py.said
