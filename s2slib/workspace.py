"""Where params, notebooks and runs are, and which run of a deployment is open.

workspace = S2S_WORKSPACE, else the checkout that this package lies in, else the nearest folder upwards from the current one
            that holds params/ and notebooks/, if they are the operator's (or root's) and nobody else can write them:
            what is found there runs with the operator's credentials
runs      = S2S_RUNS, else <workspace>/runs
runs/<UTC stamp>-<deployment>-<4 hex>   one folder per run, no ':' in the name
runs/<deployment>.open                  the name of the deployment's open run
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from s2slib.errors import S2SError

WORKSPACE_VARIABLE = "S2S_WORKSPACE"
RUNS_VARIABLE = "S2S_RUNS"
NEW_RUN = "new"
_STAMP = "%Y%m%dT%H%M%SZ"
_RUN_NAME = re.compile(r"(?P<stamp>\d{8}T\d{6}Z)-(?P<deployment>[a-z0-9][a-z0-9-]*)-(?P<mark>[0-9a-f]{4})")
_ATTEMPTS = 20


class WorkspaceError(S2SError):
    """A folder, params file or run is not where it should be; says what was looked for and what there is."""


@dataclass(frozen=True)
class RunName:
    """The parts of a run folder's name."""

    started: datetime
    deployment: str
    mark: str

    @classmethod
    def parse(cls, name: str) -> RunName | None:
        """The parts of a name such as `20261123T230501Z-lab-ab12`; None for any other name."""
        match = _RUN_NAME.fullmatch(name)
        if match is None:
            return None
        try:
            started = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(started, match["deployment"], match["mark"])

    def __str__(self) -> str:
        return f"{self.started.strftime(_STAMP)}-{self.deployment}-{self.mark}"


@dataclass(frozen=True)
class Workspace:
    """The folders of one installation. `runs` need not exist yet; it is made with the first run."""

    root: Path
    runs: Path

    @property
    def params(self) -> Path:
        return self.root / "params"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    def params_file(self, deployment: str) -> Path:
        """`params/<deployment>.yaml`; WorkspaceError names the files there are."""
        file = self.params / f"{deployment}.yaml"
        if not file.is_file():
            known = ", ".join(sorted(found.stem for found in self.params.glob("*.yaml"))) or "none"
            raise WorkspaceError(f"there is no params/{deployment}.yaml; deployments with a params file: {known}")
        return file

    def runs_dir(self) -> Path:
        """The runs folder, made (for its owner only, where the system knows that) if it is not there."""
        self.runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.runs

    def new_run(self, deployment: str, *, now: datetime | None = None) -> Path:
        """A new, empty run folder such as `20261123T230501Z-lab-ab12`. It is not opened: see `set_open_run`."""
        started = (now or datetime.now(UTC)).astimezone(UTC)
        runs = self.runs_dir()
        for _ in range(_ATTEMPTS):
            name = str(RunName(started, deployment, secrets.token_hex(2)))
            if RunName.parse(name) is None:
                raise WorkspaceError("a deployment's name has lower-case letters, digits and hyphens only")
            try:
                (runs / name).mkdir(mode=0o700)
            except FileExistsError:
                continue
            return runs / name
        raise WorkspaceError("no free name for a run folder: too many runs started in the same second")

    def runs_of(self, deployment: str) -> tuple[Path, ...]:
        """The run folders of a deployment, oldest first."""
        if not self.runs.is_dir():
            return ()
        named = ((RunName.parse(folder.name), folder) for folder in self.runs.iterdir() if folder.is_dir())
        found = [
            (name.started, folder.name, folder) for name, folder in named if name and name.deployment == deployment
        ]
        return tuple(folder for _, _, folder in sorted(found))

    def all_runs(self) -> tuple[Path, ...]:
        """Every run folder, oldest first."""
        folders = self.runs.iterdir() if self.runs.is_dir() else iter(())
        return tuple(sorted(folder for folder in folders if folder.is_dir() and RunName.parse(folder.name)))

    def open_run(self, deployment: str) -> Path | None:
        """The deployment's open run; None if none is open or its folder is gone."""
        try:
            name = self._pointer(deployment).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"runs/{deployment}.open cannot be read ({type(error).__name__})") from error
        parsed = RunName.parse(name)
        if parsed is None or parsed.deployment != deployment:
            raise WorkspaceError(f"runs/{deployment}.open does not name a run of {deployment}: delete it")
        folder = self.runs / name
        return folder if folder.is_dir() else None

    def set_open_run(self, deployment: str, run: Path) -> None:
        """Makes a run folder the deployment's open run. Written beside the pointer and moved over it: never half."""
        name = RunName.parse(run.name)
        if name is None or name.deployment != deployment or not (self.runs / run.name).is_dir():
            raise WorkspaceError(f"{run.name} is not a run of {deployment} in {self.runs.name}/")
        pointer = self._pointer(deployment)
        handle, temporary = tempfile.mkstemp(prefix=f"{deployment}.", suffix=".tmp", dir=self.runs)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(f"{run.name}\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, pointer)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def close_run(self, deployment: str) -> None:
        """Afterwards the deployment has no open run; the folder stays."""
        self._pointer(deployment).unlink(missing_ok=True)

    def find_run(self, name_or_path: str, deployment: str | None = None) -> Path:
        """An existing run folder by its name in `runs/`, by an unambiguous end of it (`ab12`), or by a path."""
        folder = self._located(name_or_path)
        name = RunName.parse(folder.name)
        if deployment and name and name.deployment != deployment:
            raise WorkspaceError(f"{folder.name} is a run of {name.deployment}, not of {deployment}")
        return folder

    def _located(self, name_or_path: str) -> Path:
        given = Path(name_or_path)
        for candidate in (self.runs / given, self.root / given):
            if candidate.is_dir() and RunName.parse(candidate.resolve().name):
                return candidate
        runs = self.runs.iterdir() if self.runs.is_dir() else iter(())
        names = sorted(folder.name for folder in runs if folder.is_dir() and RunName.parse(folder.name))
        matches = [name for name in names if given.name == name_or_path and name.endswith(f"-{name_or_path}")]
        if len(matches) == 1:
            return self.runs / matches[0]
        latest = ", ".join(names[-5:]) or "none"
        what = "stands for several runs" if matches else "is no run folder"
        raise WorkspaceError(f"{name_or_path!r} {what}; latest runs: {latest}")

    def _pointer(self, deployment: str) -> Path:
        return self.runs / f"{deployment}.open"


def find(
    start: Path | None = None, *, environ: Mapping[str, str] | None = None, package: Path | None = None
) -> Workspace:
    """The workspace to work in.

    `package` is where the search upwards begins (this file), `start` where it begins if that finds nothing (the current
    folder). Raises WorkspaceError; the current folder is never taken just because it is the current one.
    """
    environ = os.environ if environ is None else environ
    named = environ.get(WORKSPACE_VARIABLE)
    if named:
        root = Path(named).expanduser().resolve()
        if not root.is_dir():
            raise WorkspaceError(f"{WORKSPACE_VARIABLE} names a folder that is not there: {named}")
    else:
        found = _upwards(package or Path(__file__))
        if found is None and (found := _upwards(start or Path.cwd())) is not None:
            _refuse_planted(found)
        if found is None:
            raise WorkspaceError(
                "no workspace: neither this folder nor one above it holds params/ and notebooks/; "
                f"start from the checkout, make one with `s2s init DIR`, or set {WORKSPACE_VARIABLE}"
            )
        root = found
    runs = environ.get(RUNS_VARIABLE)
    return Workspace(root, Path(runs).expanduser().resolve() if runs else root / "runs")


def _refuse_planted(root: Path) -> None:
    """WorkspaceError when somebody else could have put the notebooks and params there that are to run as this operator."""
    if not hasattr(os, "getuid"):
        return
    for folder in (root, root / "params", root / "notebooks"):
        kept = folder.stat()
        if kept.st_uid not in (0, os.getuid()) or kept.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise WorkspaceError(
                f"{folder} is another account's, or others can write it: its notebooks would run with your credentials. "
                f"If that is meant, name it: {WORKSPACE_VARIABLE}={root}"
            )


def _upwards(start: Path) -> Path | None:
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    return None
