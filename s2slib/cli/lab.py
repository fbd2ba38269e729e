"""The embedded lab, served, shown and rehearsed in."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2slib import workspace
from s2slib.cli.execute import run_notebooks
from s2slib.cli.report import Reporter
from s2slib.deployment import load
from s2slib.errors import S2SError
from s2slib.records.display import safe_json

SET_UP_S = "S2S_SET_UP_S"  # run.py's: how many seconds setting up took


class LabMissing(S2SError):
    """The embedded estate is a package of its own, and is not here."""

    def __init__(self, module: str | None) -> None:
        super().__init__(
            f"the embedded lab is not installed here (there is no module {module}): pip install 's2slib[lab]', "
            "or use run.py in a checkout"
        )


class LabFailed(S2SError):
    """The lab did not do what it was asked for."""


@contextmanager
def _with_lab() -> Iterator[None]:
    """Where `s2slab` is imported and used. Raises LabMissing, LabFailed."""
    try:
        from s2slab.errors import LabError
    except ModuleNotFoundError as missing:
        raise LabMissing(missing.name) from None
    try:
        yield
    except LabError as error:
        raise LabFailed(str(error)) from error
    except ModuleNotFoundError as missing:
        raise LabMissing(missing.name) from None


def serve_lab(state: Path | None, engine: str | None) -> int:
    """Serve the lab until Ctrl-C. Raises LabMissing, LabFailed."""
    with _with_lab():
        from s2slab.service import serve

        return int(serve(_lab_state(state), engine=engine) or 0)


def open_lab_shell(state: Path | None, server: str, account: str | None) -> int:
    """A management shell on a simulated server. Raises LabMissing, LabFailed."""
    with _with_lab():
        from s2slab.console import open_console

        return open_console(_lab_state(state), server, account)


def print_lab_log(state: Path | None) -> int:
    """Print the transitions of the running (or last) lab. Raises LabMissing."""
    with _with_lab():
        from s2slab.state import read_log

        for row in read_log(_lab_state(state)):
            print(safe_json(row))
    return 0


def _lab_state(state: Path | None) -> Path:
    if state is not None:
        return state
    named = os.environ.get("S2S_LAB_STATE")
    return Path(named) if named else workspace.find().runs_dir() / "lab.json"


def run_demo(as_json: bool) -> int:
    """Start a lab of its own in a child process, run the whole runbook against it, end the lab again."""
    places = workspace.find()
    report = Reporter(as_json)
    state = places.runs_dir() / f"demo-{os.getpid()}.json"
    set_up_s = os.environ.pop(SET_UP_S, "")
    if set_up_s:
        report.line(f"set up ({set_up_s} s)", "dim")
    with _with_lab():
        importlib.import_module("s2slab.service")
    report.line("starting the embedded lab ...", "dim")
    began = time.monotonic()
    with _lab(state):
        report.line(f"lab ready ({time.monotonic() - began:.1f} s)", "dim")
        os.environ["S2S_LAB_STATE"] = str(state)
        return run_notebooks("apply", load(places.params_file("lab")), as_json=as_json, report=report)


@contextmanager
def _lab(state: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "s2slab", "--state", str(state)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "lab ready":
                break
        else:
            raise RuntimeError(f"the lab did not start: exit code {child.wait()}")
        yield
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
