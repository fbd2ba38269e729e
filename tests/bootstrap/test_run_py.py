"""run.py as it is started: what it accepts, what it refuses, what it hands over to."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.bootstrap_host import REPOSITORY, Starter
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.console import Console
from bootstrap.environment import missing_module
from bootstrap.start import USAGE, UsageError, parse, start

RUN_PY = REPOSITORY / "run.py"


def _python(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "S2S_"))}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env | environ, capture_output=True, text=True, timeout=110
    )


def test_run_py_is_read_by_a_python_that_is_too_old() -> None:
    source = RUN_PY.read_text(encoding="ascii")
    tree = ast.parse(source, feature_version=(3, 4))
    newer_than_2_7 = (
        ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Await, ast.Nonlocal, ast.YieldFrom,
        ast.MatMult, ast.Match,
    )  # fmt: skip
    assert [node for node in ast.walk(tree) if isinstance(node, newer_than_2_7)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [each.name for each in functions] == ["refusal", "main"]
    for function in functions:
        arguments = [*function.args.args, *function.args.kwonlyargs]
        assert function.returns is None
        assert [argument.annotation for argument in arguments] == [None] * len(arguments)
        assert function.args.kwonlyargs == function.args.posonlyargs == []


@pytest.mark.parametrize("version", ["2, 7, 18", "3, 6, 15", "3, 10, 99", "3, 15, 0", "4, 0, 0"])
def test_another_python_is_refused_in_one_sentence(checkout: Path, version: str) -> None:
    script = (
        f"import runpy, sys; sys.version_info = ({version}, 'final', 0); runpy.run_path('run.py', None, '__main__')"
    )
    done = _python("-c", script, cwd=checkout)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "needs Python 3.11 to 3.14, and this is " + version.replace(", ", ".") in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("version", ["3, 11, 0", "3, 14, 9"])
def test_the_first_and_the_last_python_are_accepted(checkout: Path, version: str) -> None:
    script = (
        f"import runpy, sys; refusal = runpy.run_path('run.py')['refusal']; print(refusal(({version}), sys.executable))"
    )
    assert _python("-c", script, cwd=checkout).stdout == "None\n"


def test_a_python_without_ensurepip_gets_the_line_that_installs_it(checkout: Path) -> None:
    script = "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = ['run.py', 'demo']; "
    done = _python("-c", script + "runpy.run_path('run.py', None, '__main__')", cwd=checkout)
    assert done.returncode == 1
    major, minor = sys.version_info[:2]
    assert f"sudo apt install python{major}.{minor}-venv\n" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("absent", ["venv", "ensurepip"])
def test_either_absent_module_is_noticed(absent: str) -> None:
    assert missing_module(lambda name: None if name == absent else object()) is not None
    assert missing_module(lambda name: object()) is None


@pytest.mark.parametrize("verb", [(), ("wheelhouse",), ("setup",), ("notebook",)])
def test_help_needs_nothing_installed_and_no_environment(verb: tuple[str, ...], checkout: Path, tmp_path: Path) -> None:
    done = _python("-I", "-S", str(checkout / "run.py"), *verb, "--help", cwd=tmp_path)
    assert not list(tmp_path.glob("--help"))
    assert (done.returncode, done.stderr.rstrip()) == (0, USAGE.rstrip())
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    "arguments",
    [(), ("--colour",), ("--offline",), ("demo", "--offline"), ("wheelhouse",), ("wheelhouse", "a", "b"),
     ("--offline", "x", "wheelhouse", "y"), ("setup", "everything")],
)  # fmt: skip
def test_a_line_that_makes_no_sense_ends_with_64_and_the_usage(run_py: Starter, arguments: tuple[str, ...]) -> None:
    assert run_py(*arguments) == 64
    assert USAGE.rstrip() in run_py.said
    assert run_py.programs.calls == []


@given(st.lists(st.text(max_size=5).filter(lambda text: not text.startswith("--offline")), max_size=4))
def test_what_follows_a_verb_reaches_s2s_as_it_is(rest: list[str]) -> None:
    request = parse(["check", *rest])
    assert request is not None
    assert (request.verb, list(request.rest), request.sets) == ("check", rest, ("run",))


def test_what_stands_behind_two_hyphens_is_not_ours() -> None:
    request = parse(["check", "--", "--offline", "x"])
    assert request is not None
    assert (request.rest, request.offline) == (("--", "--offline", "x"), None)
    with pytest.raises(UsageError):
        parse(["--", "check"])


def test_test_is_pytest_on_the_checkout_wherever_it_is_started(run_py: Starter) -> None:
    run_py("test", "-k", "lock")
    ((argv, _, folder),) = run_py.handed
    assert argv[1:] == ["-m", "pytest", "-k", "lock"]
    assert folder == run_py.root


def test_notebook_is_jupyterlab_on_the_checkout_at_the_first_notebook(run_py: Starter) -> None:
    run_py("notebook", "--no-browser")
    (run_py.root / "notebooks").mkdir()
    (run_py.root / "notebooks" / "00_start.ipynb").touch()
    run_py("notebook")
    (before, _, folder), (after, _, _) = run_py.handed
    assert before[1:4] == ["-m", "jupyterlab", f"--ServerApp.root_dir={run_py.root}"]
    assert before[-1] == "--no-browser"
    assert after[-1] == "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb"
    assert folder == run_py.root


def test_the_program_handed_to_runs_in_utf_8_mode_with_the_callers_environment(run_py: Starter) -> None:
    run_py("plan", "params/lab.yaml")
    ((_, environ, folder),) = run_py.handed
    took_s = float({**environ}.pop("S2S_SET_UP_S"))
    assert {**environ, "S2S_SET_UP_S": ""} == {"PATH": "somewhere", "PYTHONUTF8": "1", "S2S_SET_UP_S": ""}
    assert 0 <= took_s < 60
    assert folder is None


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_of_the_program_is_that_of_run_py(tmp_path: Path, code: int) -> None:
    script = (
        "import os, pathlib, sys; from bootstrap.start import become; "
        f"sys.exit(become([sys.executable, '-c', 'import os, sys; print(os.getcwd()); sys.exit({code})'], os.environ, "
        f"pathlib.Path({str(tmp_path)!r})))"
    )
    done = _python("-c", script, cwd=REPOSITORY)
    assert (done.returncode, done.stdout.strip()) == (code, os.path.realpath(tmp_path))


def test_an_incomplete_checkout_is_named_as_such(run_py: Starter) -> None:
    (run_py.root / "requirements.txt").unlink()
    assert run_py("demo") == 1
    assert "requirements.txt is missing" in run_py.said


def test_a_place_that_cannot_be_written_to_is_named(run_py: Starter) -> None:
    (run_py.root / ".venv.lock").mkdir()
    assert run_py("demo") == 1
    assert ".venv.lock" in run_py.said


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_wiped_out_by_what_is_said_next() -> None:
    terminal = _Terminal()
    console = Console(terminal)
    console.progress("12 cryptography")
    console.progress("13 pip")
    console.say("done")
    assert terminal.getvalue() == "\r12 cryptography" + "\r13 pip         " + "\r      \r" + "done\n"


def test_progress_is_not_shown_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    Console(out).progress("12 cryptography")
    assert out.getvalue() == ""


def test_nothing_of_the_progress_is_left_on_the_terminal_when_the_program_starts(run_py: Starter) -> None:
    terminal = _Terminal()
    run_py.programs.pip_output = ("Collecting tinydep==1.0",)
    started = {"environ": {}, "run": run_py.programs, "console": Console(terminal)}
    assert start(run_py.root, ["demo"], hand_over=lambda *_: 0, **started) == 0
    assert terminal.getvalue().endswith("\r  tinydep==1.0\r              \r")


def _wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def _pin(checkout: Path, wheels: Path) -> None:
    """The requirement file with the hashes of what lies there."""
    lines = []
    for wheel in sorted(wheels.iterdir()):
        name, version, *_ = wheel.name.split("-")
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    (checkout / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_a_machine_without_internet_gets_from_nothing_to_s2s(checkout: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheel house"
    wheels.mkdir()
    _wheel(wheels, "tinydep", "1.0", needs="Requires-Dist: inner[more]>=1\n")
    _wheel(wheels, "inner", "1.0")
    build = next(line for line in (REPOSITORY / "requirements.txt").read_text().splitlines() if "setuptools==" in line)
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(wheels), build.split()[0]]
    subprocess.run(download, check=True, timeout=110)
    _pin(checkout, wheels)
    _wheel(wheels, "inner", "2.0")  # released after the pin was made
    command = [str(checkout / "run.py"), "--offline", str(wheels), "check", "params/a b.yaml"]
    first = _python(*command, cwd=tmp_path, PIP_INDEX_URL="file:///no/such/index")
    assert first.returncode == 3, first.stderr
    version, argv, folder, utf8, prefix = json.loads(first.stdout)
    assert (version, argv, utf8) == ("1.0", ["s2s", "check", "params/a b.yaml"], "1")
    assert os.path.realpath(folder) == os.path.realpath(tmp_path)
    assert os.path.realpath(prefix) == os.path.realpath(checkout / ".venv")
    later = _python(*command, cwd=tmp_path)
    assert (later.returncode, later.stdout, later.stderr) == (3, first.stdout, "")

    scripts = checkout / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    done = subprocess.run([scripts / "s2s", "check"], env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True)
    assert (done.returncode, done.stderr) == (3, b"")
    query = "from importlib.metadata import entry_points as e, version as v; print(v('s2slib'), *e(group='papermill.engine'))"
    answer = subprocess.run([scripts / "python", "-c", query], capture_output=True, text=True, cwd=tmp_path)
    assert "0.1.0 EntryPoint(name='s2s', value='s2slib.notebook.entry:RunbookEngine'" in answer.stdout

    pinned = (checkout / "requirements.txt").read_text()
    (wheels / "tinydep-1.0-py3-none-any.whl").write_bytes(b"something else")
    (checkout / "requirements.txt").write_text(pinned + "# pinned anew\nmore==2.0 --hash=sha256:" + "0" * 64 + "\n")
    refused = _python(*command, cwd=tmp_path)
    assert refused.returncode == 1
    assert "anew from this checkout" in refused.stderr
    assert refused.stdout == ""
