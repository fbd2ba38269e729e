"""A small checkout to set up, and stand-ins for the programs that setting up would start."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.console import Console
from bootstrap.start import start
from helpers.paths import ROOT

REPOSITORY = ROOT

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["s2slib", "s2slib.cli"]
[project]
name = "s2slib"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["tinydep"]
[project.optional-dependencies]
lab = ["other; sys_platform == 'win32'"]
[project.scripts]
s2s = "s2slib.cli.main:main"
[project.entry-points."papermill.engine"]
s2s = "s2slib.notebook.entry:RunbookEngine"
"""
CLI = """\
import sys
def main():
    import json, os, tinydep
    print(json.dumps([tinydep.__version__, sys.argv, os.getcwd(), os.environ["PYTHONUTF8"], sys.prefix]))
    return 3
"""


def make_checkout(root: Path) -> Path:
    """What of this checkout setting up needs, with tiny requirement files."""
    shutil.copytree(
        REPOSITORY / "bootstrap",
        root / "bootstrap",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (root / "s2slib" / "cli").mkdir(parents=True)
    shutil.copy(REPOSITORY / "s2slib" / "__init__.py", root / "s2slib")
    (root / "s2slib" / "cli" / "__init__.py").touch()
    shutil.copy(REPOSITORY / "run.py", root)
    (root / "s2slib" / "cli" / "main.py").write_text(CLI, encoding="utf-8")
    (root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (root / "requirements.txt").write_text("# a comment\ntinydep==1.0\n", encoding="utf-8")
    (root / "requirements-test.txt").write_text("-r requirements.txt\nmore==2.0\n", encoding="utf-8")
    (root / "requirements-ui.txt").write_text("-r requirements.txt\nshown==3.0\n", encoding="utf-8")
    (root / "requirements-dev.txt").write_text("-r requirements-test.txt\nlint==4.0\n", encoding="utf-8")
    return root


@dataclass
class Programs:
    """Stands where processes are started: makes the files that venv would make, and writes down what was asked for.

    `on_pip` may raise or return an exit code; `answer` is what the interpreter in a foreign environment says.
    """

    events: list[str]
    calls: list[tuple[list[str], dict[str, str]]] = field(default_factory=list)
    on_pip: Callable[[list[str]], int] = lambda argv: 0
    pip_output: tuple[str, ...] = ()
    answer: str = f"{sys.implementation.cache_tag} True"

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        argv = list(argv)
        self.calls.append((argv, dict(env)))
        self.events.append("run " + " ".join(argv[1:4]))
        if argv[1] == "-c":
            on_line(self.answer)
            return 0 if self.answer else 1
        if argv[2] == "venv":
            fill_environment(Path(argv[3]))
            return 0
        for line in self.pip_output:
            on_line(line)
        return self.on_pip(argv)

    def pip_calls(self, verb: str = "install") -> list[list[str]]:
        """The arguments of each call to pip with requirement files."""
        return [argv[4:] for argv, _ in self.calls if argv[2:4] == ["pip", verb] and "-r" in argv]

    def made(self) -> int:
        """How often an environment was made."""
        return sum(argv[1:3] == ["-m", "venv"] for argv, _ in self.calls)


def fill_environment(folder: Path) -> None:
    """The files by which an environment is known."""
    folder.mkdir(exist_ok=True)
    for name in ("bin/python", "Scripts/python.exe"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix)}\n", encoding="utf-8")


@dataclass
class Starter:
    """Starts run.py in this process on one checkout. `events` is the order in which things were said and done."""

    root: Path
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": "somewhere"})
    events: list[str] = field(default_factory=list)
    handed: list[tuple[list[str], dict[str, str], Path | None]] = field(default_factory=list)
    exit_code: int = 0
    said: str = ""

    def __post_init__(self) -> None:
        self.programs = Programs(self.events)

    def __call__(self, *arguments: str) -> int:
        out = io.StringIO()
        console = Console(out)
        say = console.say

        def noted(text: str) -> None:
            self.events.append("say")
            say(text)

        console.say = noted  # type: ignore[method-assign]

        def hand_over(argv: Sequence[str], environ: Mapping[str, str], folder: Path | None) -> int:
            self.events.append("hand over")
            self.handed.append((list(argv), dict(environ), folder))
            return self.exit_code

        try:
            return start(
                self.root, arguments, environ=self.environ, run=self.programs, hand_over=hand_over, console=console
            )
        finally:
            self.said = out.getvalue()
