"""`.venv`: what state it is in, and making, repairing and filling it.

    there is         it says of itself   its interpreter                    what is done
    nothing          -                   -                                  make
    a folder         nothing             answers, same Python, has pip      install into it; it stays its maker's
    a folder         nothing             anything else                      set aside as .venv.old-N, make
    an environment   unfinished          -                                  replace: an installation was interrupted
    an environment   complete            gone, moved, or another Python     replace
    an environment   complete            there; a pin or a set is missing   install
    an environment   complete            there; everything is there         nothing

Replace means delete and make. What run.py did not make it does not delete: that is set aside as well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.console import Console

FOLDER, LOCK, STAMP = ".venv", ".venv.lock", "s2s-environment.json"
SETS = {"run": "requirements.txt", **{name: f"requirements-{name}.txt" for name in ("test", "ui", "dev")}}
PACKAGE = "s2slib"  # the checkout itself, installed after the pins, which hold what builds it
_COLLECTED = re.compile(r"(Collecting|Requirement already satisfied:) (\S+)")
_QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
_STAMPED = {"complete": bool, "ours": bool, "location": str, "python": str, "installed": dict}
Runner = Callable[[Sequence[str], Mapping[str, str], Callable[[str], None]], int]
"""Runs a program to its end, hands each line of its output on, and returns its exit code. OSError if it cannot start."""


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do. Nothing was handed over."""


def run_program(argv: Sequence[str], env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
    """The Runner that starts processes."""
    pipe = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(argv, env=dict(env), encoding="utf-8", errors="replace", **pipe) as process:  # type: ignore[call-overload]
        for line in process.stdout:
            on_line(line.rstrip())
    return int(process.returncode)


def pins(root: Path, name: str) -> list[str]:
    """The lines of a set's file and of those that it rests on, hashes among them. SetupError if one is missing."""

    def lines(file: str) -> Iterable[str]:
        if not (root / file).is_file():
            raise SetupError(f"{file} is missing from {root}: the checkout is not complete")
        for line in map(str.strip, (root / file).read_text(encoding="utf-8").splitlines()):
            if line.startswith("-r "):
                yield from lines(line[3:].strip())
            elif line and not line.startswith("#"):
                yield line

    return list(lines(SETS[name]))


def python_tag() -> str:
    """The interpreter that wheels are chosen for, e.g. `cpython-311-linux-64`. Patch releases share it."""
    return f"{sys.implementation.cache_tag}-{sys.platform}-{64 if sys.maxsize > 2**32 else 32}"


def missing_module(find: Callable[[str], object | None] = importlib.util.find_spec) -> str | None:
    """The sentence for a Python without the means to make environments; None for a complete one."""
    if find("venv") is not None and find("ensurepip") is not None:
        return None
    apt = f"sudo apt install python{sys.version_info.major}.{sys.version_info.minor}-venv"
    return f"this Python ({sys.executable}) lacks the part that makes environments; on Debian and Ubuntu: {apt}"


@dataclass(frozen=True)
class Step:
    """What has to be done, and why, before the wanted sets are there. `missing`: the sets to install, and PACKAGE."""

    do: str  # nothing | make | replace | set aside | install
    why: str
    missing: tuple[str, ...]

    @property
    def sets(self) -> tuple[str, ...]:
        """What of it has pins."""
        return tuple(name for name in self.missing if name in SETS)


@dataclass(frozen=True)
class Environment:
    """The environment of one checkout. `run` starts programs, `environ` is what they get."""

    root: Path
    environ: Mapping[str, str]
    run: Runner
    console: Console

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

    @property
    def base(self) -> str:
        """The interpreter to make the environment with: this one, or the one behind it if this one is in there."""
        own = getattr(sys, "_base_executable", "") if sys.prefix != sys.base_prefix else ""
        return own or sys.executable

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def step(self, sets: Sequence[str]) -> Step:
        """The row of the table that applies now. Starts a program only where the environment says nothing of itself."""
        wanted = (*sets, PACKAGE) if sets else ()
        found = self._stamp()
        if not os.path.lexists(self.folder):
            return Step("make", "", wanted)
        if not found and self._answers():
            return Step("install", f"{FOLDER} was made by other means and is used as it is", wanted)
        why = self._spoilt(found) if found else f"{FOLDER} is not an environment for this Python"
        if why:
            return Step("replace" if found.get("ours") else "set aside", why, wanted)
        missing = tuple(name for name in wanted if found["installed"].get(name) != self._digest(name))
        return Step("install" if missing else "nothing", "", missing)

    def carry_out(self, step: Step, wheels: Path | None) -> None:
        """Does a step: afterwards what it found missing is installed. SetupError if it cannot be."""
        if step.do == "replace":
            doomed = self.root / f"{FOLDER}.discarded-{os.getpid()}"  # renamed first: whole, or not at all
            self._rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        elif step.do == "set aside":
            names = (self.root / f"{FOLDER}.old-{number}" for number in itertools.count(1))
            aside = next(name for name in names if not os.path.lexists(name))
            self._rename(aside)
            self.console.say(f"run.py: the old {FOLDER} is now {aside.name}; delete it when you like")
        if step.do != "install":
            if lacking := missing_module():
                raise SetupError(lacking)
            self.folder.mkdir()
            self._write(complete=False, ours=True, installed={})
            self.console.progress(f"  making {FOLDER}")
            self._run([self.base, "-m", "venv", str(self.folder)], self.environ, f"{self.base} -m venv")
        found = self._stamp() or {"ours": False, "installed": {}}
        self._write(complete=False, ours=found["ours"], installed=found["installed"])
        if step.sets:
            self._fill(step.sets, wheels)
        if PACKAGE in step.missing:
            own = ["install", "--no-compile", "--no-index", "--no-deps", "--no-build-isolation"]
            self._pip([*own, "--config-settings", "editable_mode=compat", "-e", str(self.root)], self.environ)
        new = {name: self._digest(name) for name in (*SETS, PACKAGE) if self._comes_with(name, step.missing)}
        self._write(complete=True, ours=found["ours"], installed={**found["installed"], **new})

    def download(self, into: Path) -> None:
        """Every set's wheels, into a new folder. SetupError."""
        into.mkdir()
        arguments = ["download", "--only-binary", ":all:", "--no-deps", "--dest", str(into), *self._files(SETS)]
        self._pip(arguments, self.environ, "pip's configuration applies (PIP_INDEX_URL, PIP_PROXY, pip.ini)")

    def _fill(self, missing: Sequence[str], wheels: Path | None) -> None:
        env, source = dict(self.environ), []
        advice = "no internet here? `run.py wheelhouse DIR` where there is, then `run.py --offline DIR ...`; else "
        advice += "pip's own configuration applies (PIP_INDEX_URL, PIP_PROXY, pip.ini)"
        if wheels is not None:  # nothing but that folder may be a source then
            source = ["--no-index", "--find-links", str(wheels)]
            env = {**{k: v for k, v in env.items() if not k.upper().startswith("PIP_")}, "PIP_CONFIG_FILE": os.devnull}
            advice = f"every wheel has to be the pinned one, for this Python: make {wheels} anew from this checkout"
        pinned = ["--prefer-binary", "--require-hashes", "--no-deps"]  # a set is complete: nothing to resolve
        self._pip(["install", "--no-compile", *pinned, *source, *self._files(missing)], env, advice)
        if "ui" in missing:  # JupyterLab asks nobody outside for news and updates; what a user has set himself wins
            settings = self.folder / "share" / "jupyter" / "lab" / "settings"
            settings.mkdir(parents=True, exist_ok=True)
            (settings / "overrides.json").write_text(json.dumps(_QUIET, indent=1), encoding="utf-8")

    def _spoilt(self, found: Mapping[str, Any]) -> str:
        if not found["complete"]:
            return f"an earlier start did not finish {FOLDER}"
        if found["python"] != python_tag():
            return f"{FOLDER} is for {found['python']}, this is {python_tag()}"
        if found["location"] != os.path.realpath(self.folder):
            return f"{FOLDER} was made in {found['location']}"
        try:
            home = re.search(r"(?m)^home\s*=\s*(.+)$", (self.folder / "pyvenv.cfg").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            home = None
        there = self.python.exists() and home is not None and Path(home[1].strip()).is_dir()
        return "" if there else f"the Python that {FOLDER} was made with is gone"

    def _answers(self) -> bool:
        """Whether the interpreter in there starts, is like this one, and has pip."""
        lines: list[str] = []
        question = "import pip, sys; print(sys.implementation.cache_tag, sys.prefix != sys.base_prefix)"
        try:
            code = self.run([str(self.python), "-c", question], self.environ, lines.append)
        except OSError:
            return False
        return code == 0 and lines == [f"{sys.implementation.cache_tag} True"]

    def _rename(self, to: Path) -> None:
        try:
            os.rename(self.folder, to)
        except OSError as error:
            advice = "close the programs that use it, JupyterLab for one"
            raise SetupError(f"{FOLDER} cannot be replaced ({error.strerror}): {advice}") from error

    def _comes_with(self, name: str, installed: Sequence[str]) -> bool:
        """Whether a set was installed with others: it is one of them, or one of them rests on it."""
        if name == PACKAGE:
            return name in installed
        return any(set(pins(self.root, name)) <= set(pins(self.root, each)) for each in installed if each in SETS)

    def _files(self, names: Iterable[str]) -> list[str]:
        return [part for name in names for part in ("-r", str(self.root / SETS[name]))]

    def _pip(self, arguments: Sequence[str], env: Mapping[str, str], advice: str = "") -> None:
        argv = [str(self.python), "-m", "pip", *arguments, "--no-input", "--disable-pip-version-check"]
        self._run(argv, env, f"pip {arguments[0]}", advice)

    def _run(self, argv: Sequence[str], env: Mapping[str, str], what: str, advice: str = "") -> None:
        lines: list[str] = []

        def on_line(line: str) -> None:
            lines.append(line)
            if met := _COLLECTED.match(line):
                self.console.progress(f"  {met[2]}")

        code = self.run(argv, env, on_line)
        self.console.clear()
        if code != 0:
            self.console.say("\n".join(f"  | {line}" for line in lines[-25:]))
            raise SetupError(f"{what} failed with exit code {code}" + (f"; {advice}" if advice else ""))

    def _digest(self, name: str) -> str:
        """What a set is known by, or what the package's metadata are made of."""
        own = name == PACKAGE
        lines = [(self.root / "pyproject.toml").read_text(encoding="utf-8")] if own else pins(self.root, name)
        return hashlib.sha256("\n".join((python_tag(), *lines)).encode()).hexdigest()

    def _stamp(self) -> dict[str, Any]:
        """What the environment says of itself; empty when it says nothing that can be understood."""
        try:
            found = json.loads((self.folder / STAMP).read_bytes())
            return found if all(isinstance(found[name], kind) for name, kind in _STAMPED.items()) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _write(self, **state: Any) -> None:
        stamp = {**state, "location": os.path.realpath(self.folder), "python": python_tag()}
        temporary = self.folder / f"{STAMP}.tmp"
        temporary.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        os.replace(temporary, self.folder / STAMP)  # in one step: a kill leaves the old one or the new one
