"""A machine without internet installs from a folder of wheels, and only if each file is the one that was downloaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bootstrap_host import Starter

from bootstrap import wheelhouse
from bootstrap.errors import SetupError


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheel house"
    folder.mkdir()
    (folder / "tinydep-1.0-py3-none-any.whl").write_bytes(b"a wheel")
    (folder / "more-2.0-py3-none-any.whl").write_bytes(b"another wheel")
    wheelhouse.seal(folder)
    return folder


def test_an_untouched_wheelhouse_is_used_and_nothing_else(run_py: Starter, wheels: Path) -> None:
    run_py.environ |= {"PIP_INDEX_URL": "an index", "pip_find_links": "a folder", "PIP_CONFIG_FILE": "a file"}
    assert run_py("--offline", str(wheels), "demo") == 0
    ((argv, env),) = [(argv, env) for argv, env in run_py.programs.calls if "-r" in argv]
    assert argv[argv.index("--no-index") :][:3] == ["--no-index", "--find-links", str(wheels)]
    assert {name: value for name, value in env.items() if name.upper().startswith("PIP_")} == {
        "PIP_CONFIG_FILE": os.devnull
    }
    assert wheelhouse.checked(wheels).digest in run_py.said


@pytest.mark.parametrize("arguments", [("demo", "--offline", "{}"), ("demo", "--offline={}"), ("--offline={}", "demo")])
def test_the_wheelhouse_may_be_named_before_or_after_the_verb(
    run_py: Starter, wheels: Path, arguments: tuple[str, ...]
) -> None:
    assert run_py(*(argument.format(wheels) for argument in arguments)) == 0
    ((_, *_rest, verb),) = [argv for argv, _, _ in run_py.handed]
    assert verb == "demo"


def _change(folder: Path) -> str:
    (folder / "tinydep-1.0-py3-none-any.whl").write_bytes(b"a whee1")
    return "tinydep-1.0-py3-none-any.whl is changed"


def _remove(folder: Path) -> str:
    (folder / "more-2.0-py3-none-any.whl").unlink()
    return "more-2.0-py3-none-any.whl is missing"


def _add(folder: Path) -> str:
    (folder / "tinydep-1.0.1-py3-none-any.whl").write_bytes(b"a third wheel")
    return "tinydep-1.0.1-py3-none-any.whl is not in SHA256SUMS"


def _drop_list(folder: Path) -> str:
    (folder / "SHA256SUMS").unlink()
    return "is no wheelhouse"


def _swap_for_folder(folder: Path) -> str:
    (folder / "more-2.0-py3-none-any.whl").unlink()
    (folder / "more-2.0-py3-none-any.whl").mkdir()
    return "more-2.0-py3-none-any.whl is changed"


def _lead_out(folder: Path) -> str:
    with (folder / "SHA256SUMS").open("a", newline="\n") as file:
        file.write("0" * 64 + "  ../outside.whl\n")
    return "line 4 of"


def _list_twice(folder: Path) -> str:
    lines = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(lines + lines)
    return "line 4 of"


def _other_python(folder: Path) -> str:
    wheelhouse.seal(folder, "cpython 3.9 win-amd64")
    return "was made for cpython 3.9 win-amd64"


TAMPERINGS = [_change, _remove, _add, _drop_list, _swap_for_folder, _lead_out, _list_twice, _other_python]


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_a_wheelhouse_that_is_not_as_it_was_made_is_refused_before_anything_is_started(
    run_py: Starter, wheels: Path, tamper: Callable[[Path], str]
) -> None:
    complaint = tamper(wheels)
    assert run_py("--offline", str(wheels), "demo") == 1
    assert complaint in run_py.said
    assert run_py.programs.calls == []
    assert not (run_py.root / ".venv").exists()


def test_a_wheelhouse_is_not_needed_again_once_everything_is_installed(run_py: Starter, wheels: Path) -> None:
    run_py("--offline", str(wheels), "demo")
    _change(wheels)
    assert run_py("--offline", str(wheels), "demo") == 0


def test_the_list_is_one_that_sha256sum_checks(wheels: Path) -> None:
    expected = [
        f"{hashlib.sha256((wheels / name).read_bytes()).hexdigest()}  {name}"
        for name in ("made-for.txt", "more-2.0-py3-none-any.whl", "tinydep-1.0-py3-none-any.whl")
    ]
    assert (wheels / "SHA256SUMS").read_bytes() == "".join(f"{line}\n" for line in expected).encode()


def _download(files: dict[str, bytes], code: int = 0) -> Callable[[list[str]], int]:
    def on_pip(argv: list[str]) -> int:
        if "download" in argv:
            for name, content in files.items():
                (Path(argv[argv.index("--dest") + 1]) / name).write_bytes(content)
            return code
        return 0

    return on_pip


def test_wheelhouse_downloads_every_set_and_writes_the_list(run_py: Starter, tmp_path: Path) -> None:
    run_py.programs.on_pip = _download({"tinydep-1.0-py3-none-any.whl": b"a wheel"})
    folder = tmp_path / "new" / "wheel house"
    assert run_py("wheelhouse", str(folder)) == 0
    (call,) = run_py.programs.pip_calls("download")
    assert sum(part.endswith(".txt") for part in call) == 4
    assert call[:2] == ["--only-binary", ":all:"]
    assert sorted(os.listdir(folder)) == ["SHA256SUMS", "made-for.txt", "tinydep-1.0-py3-none-any.whl"]
    assert wheelhouse.checked(folder).digest in run_py.said
    assert os.listdir(folder.parent) == ["wheel house"]


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
    assert "make it anew from this checkout" in run_py.said


def test_a_folder_without_a_name_of_its_making_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text("")
    with pytest.raises(SetupError, match="does not say what it was made for"):
        wheelhouse.checked(tmp_path)
