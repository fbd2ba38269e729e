"""The calls to pip. Its own configuration and environment (index, proxy, certificates) apply untouched.

Only an installation from a wheelhouse leaves them out: nothing but the checked folder may be a source then.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Console
from bootstrap.errors import SetupError
from bootstrap.programs import Runner
from bootstrap.wheelhouse import Wheelhouse

_TAIL = 25
_MET = re.compile(r"(Collecting|Requirement already satisfied:) (?P<what>\S+)")


@dataclass(frozen=True)
class Pip:
    """pip of one interpreter."""

    python: Path
    environ: Mapping[str, str]
    run: Runner
    console: Console

    def install(self, files: Sequence[Path], pins: int, source: Wheelhouse | None) -> None:
        """Installs what requirement files pin (`pins` of them, for the progress line).

        Bytecode is not compiled ahead: that would take a third of the time and most modules are never imported.
        """
        arguments = ["install", "--no-compile", "--prefer-binary", *_requirements(files)]
        advice = (
            "no internet here? `run.py wheelhouse DIR` on a machine that has it, then `run.py --offline DIR ...`; "
            "a proxy or an index of your own: pip's configuration applies (PIP_INDEX_URL, PIP_PROXY, pip.ini)"
        )
        env = self.environ
        if source is not None:
            arguments += ["--no-index", "--find-links", str(source.folder)]
            advice = f"the wheelhouse was made for {source.made_for}; make it anew from this checkout if that fits"
            env = isolated(env)
        self._call(arguments, env, pins, advice)

    def install_package(self, wheel: Path) -> None:
        """Installs one wheel alone, in place of what is there under its name."""
        arguments = ["install", "--no-compile", "--no-index", "--no-deps", "--force-reinstall", str(wheel)]
        self._call(arguments, isolated(self.environ), 1, "")

    def download(self, files: Sequence[Path], pins: int, into: Path) -> None:
        """Downloads what requirement files pin, wheels only, into a folder."""
        arguments = ["download", "--only-binary", ":all:", "--dest", str(into), *_requirements(files)]
        self._call(arguments, self.environ, pins, "pip's configuration applies (PIP_INDEX_URL, PIP_PROXY, pip.ini)")

    def _call(self, arguments: Sequence[str], env: Mapping[str, str], pins: int, advice: str) -> None:
        argv = [str(self.python), "-m", "pip", *arguments, "--no-input", "--disable-pip-version-check"]
        lines: list[str] = []
        collected = 0

        def on_line(line: str) -> None:
            nonlocal collected
            lines.append(line)
            met = _MET.match(line)
            if met:
                collected += 1
                self.console.progress(f"  {min(collected, pins)} of {pins}  {met['what']}")
            elif line.startswith("Installing collected packages"):
                self.console.progress(f"  installing {line.count(',') + 1} packages")

        code = self.run(argv, env=env, on_line=on_line)
        self.console.clear()
        if code != 0:
            self.console.say("\n".join(f"  | {line}" for line in lines[-_TAIL:]))
            raise SetupError(f"pip {arguments[0]} failed with exit code {code}" + (f"; {advice}" if advice else ""))


def isolated(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which pip knows no index, no link and no configuration but what its arguments name."""
    kept = {name: value for name, value in environ.items() if not name.upper().startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def _requirements(files: Sequence[Path]) -> list[str]:
    return [part for file in files for part in ("-r", str(file))]
