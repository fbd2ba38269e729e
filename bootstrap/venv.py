"""`.venv`: what state it is in, and making, repairing and filling it.

    there is           stamp          the interpreter                    what is done
    nothing            -              -                                  make
    a folder           none           answers, same Python, has pip      install into it; it stays its maker's
    a folder           none           anything else                      set aside as .venv.old-N, make
    an environment     unfinished     -                                  replace: an installation was interrupted
    an environment     complete       gone, moved, or another Python     replace
    an environment     complete       there; a pin or a set is missing   install
    an environment     complete       there; everything is there         nothing

Replace means delete and make. What run.py did not make it does not delete: that is set aside as well.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bootstrap import jupyter, package, stamp
from bootstrap.console import Console
from bootstrap.errors import SetupError
from bootstrap.pip import Pip
from bootstrap.programs import Runner
from bootstrap.sets import PinnedSet, python_tag
from bootstrap.stamp import Stamp
from bootstrap.wheelhouse import Wheelhouse

FOLDER = ".venv"
LOCK = ".venv.lock"


@dataclass(frozen=True)
class Step:
    """What has to be done, and why, before the wanted sets are there. `missing` are the sets to install."""

    do: Literal["nothing", "make", "replace", "set aside", "install"]
    why: str
    missing: tuple[PinnedSet, ...]


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
        return self._scripts / ("python.exe" if os.name == "nt" else "python")

    @property
    def _scripts(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(self.folder)}))

    @property
    def pip(self) -> Pip:
        return Pip(self.python, self.environ, self.run, self.console)

    def step(self, wanted: Sequence[PinnedSet]) -> Step:
        """The row of the table that applies now. Starts a program only where there is no stamp."""
        all_of_them = tuple(wanted)
        if not os.path.lexists(self.folder):
            return Step("make", "", all_of_them)
        found = stamp.read(self.folder)
        if found is None:
            if self._answers():
                return Step("install", f"{FOLDER} was made by other means and is used as it is", all_of_them)
            return Step("set aside", f"{FOLDER} is not an environment for this Python", all_of_them)
        why = self._spoilt(found)
        if why:
            return Step("replace" if found.ours else "set aside", why, all_of_them)
        missing = tuple(each for each in wanted if found.installed.get(each.name) != each.digest)
        if missing:
            return Step("install", "", missing)
        if found.package != package.digest(self.root):
            return Step("install", "pyproject.toml has changed", ())
        return Step("nothing", "", ())

    def carry_out(self, step: Step, source: Wheelhouse | None) -> None:
        """Does a step: afterwards what it found missing is installed. SetupError if it cannot be."""
        if step.do == "replace":
            self._delete()
        elif step.do == "set aside":
            self._set_aside()
        if step.do in ("make", "replace", "set aside"):
            self._make()
        if step.do != "nothing":
            self._fill(step.missing, source)

    def _spoilt(self, found: Stamp) -> str:
        if found.state != "complete":
            return f"an earlier start did not finish {FOLDER}"
        if found.python != python_tag():
            return f"{FOLDER} is for {found.python}, this is {python_tag()}"
        if found.location != os.path.realpath(self.folder):
            return f"{FOLDER} was made in {found.location}"
        if not self._interpreter_is_there():
            return f"the Python that {FOLDER} was made with is gone"
        return ""

    def _answers(self) -> bool:
        """Whether the interpreter in there starts, is like this one, and has pip."""
        lines: list[str] = []
        question = "import pip, sys; print(sys.implementation.cache_tag, sys.prefix != sys.base_prefix)"
        try:
            code = self.run([str(self.python), "-c", question], env=self.environ, on_line=lines.append)
        except OSError:
            return False
        return code == 0 and lines == [f"{sys.implementation.cache_tag} True"]

    def _interpreter_is_there(self) -> bool:
        try:
            text = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        pairs = (line.partition("=") for line in text.splitlines())
        home = next((value.strip() for key, _, value in pairs if key.strip() == "home"), "")
        return self.python.exists() and Path(home).is_dir()

    def _delete(self) -> None:
        # Renamed first: whole or not at all, also when a program in there is running or this one is killed.
        doomed = self.root / f"{FOLDER}.discarded-{os.getpid()}"
        self._rename(doomed)
        self.console.progress(f"  deleting the old {FOLDER}")
        shutil.rmtree(doomed, ignore_errors=True)
        self.console.clear()

    def _set_aside(self) -> None:
        names = (self.root / f"{FOLDER}.old-{number}" for number in itertools.count(1))
        aside = next(name for name in names if not os.path.lexists(name))
        self._rename(aside)
        self.console.say(f"run.py: the old {FOLDER} is now {aside.name}; delete it when you like")

    def _rename(self, to: Path) -> None:
        try:
            os.rename(self.folder, to)
        except OSError as error:
            raise SetupError(
                f"{FOLDER} cannot be replaced ({error.strerror}): close the programs that use it, JupyterLab for one"
            ) from error

    def _make(self) -> None:
        lacking = missing_module()
        if lacking is not None:
            raise SetupError(lacking)
        self.folder.mkdir()
        stamp.write(self.folder, self._stamp("making"))
        lines: list[str] = []
        self.console.progress(f"  making {FOLDER}")
        code = self.run([self.base, "-m", "venv", str(self.folder)], env=self.environ, on_line=lines.append)
        self.console.clear()
        if code != 0:
            self.console.say("\n".join(f"  | {line}" for line in lines[-10:]))
            raise SetupError(f"{self.base} -m venv failed with exit code {code}")

    def _fill(self, missing: Sequence[PinnedSet], source: Wheelhouse | None) -> None:
        before = stamp.read(self.folder) or replace(self._stamp("installing"), ours=False)
        stamp.write(self.folder, before.at("installing"))
        if missing:
            pins = len({pin for each in missing for pin in each.pins})
            self.pip.install([each.file for each in missing], pins, source)
        with tempfile.TemporaryDirectory(prefix="s2s-") as scratch:
            self.pip.install_package(package.editable_wheel(self.root, self.site_packages, Path(scratch)))
        if any("ui" in each.digests for each in missing):
            jupyter.write_defaults(self.folder)
        installed = {**before.installed, **{name: digest for each in missing for name, digest in each.digests.items()}}
        done = replace(before, state="complete", installed=installed, package=package.digest(self.root))
        stamp.write(self.folder, done)

    def _stamp(self, state: stamp.State) -> Stamp:
        return Stamp(state, os.path.realpath(self.folder), python_tag(), ours=True)


def missing_module(find: Callable[[str], object | None] = importlib.util.find_spec) -> str | None:
    """The sentence for a Python without the means to make environments; None for a complete one."""
    if find("venv") is not None and find("ensurepip") is not None:
        return None
    apt = f"sudo apt install python{sys.version_info.major}.{sys.version_info.minor}-venv"
    return f"this Python ({sys.executable}) lacks the part that makes environments; on Debian and Ubuntu: {apt}"
