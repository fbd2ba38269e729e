"""The embedded lab, served, shown and rehearsed in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from s2slib import workspace
from s2slib.bootstrap.start import SET_UP_S
from s2slib.commands.execute import run_notebooks
from s2slib.commands.report import Reporter
from s2slib.deployment import load


def serve_lab(state: Path | None, engine: str | None) -> int:
    """Serve the lab until Ctrl-C."""
    from s2slib.lab.service import EngineUnavailable, LabInUse, serve

    try:
        return int(serve(_lab_state(state), engine=engine) or 0)
    except (EngineUnavailable, LabInUse) as error:
        click.echo(str(error), err=True)
        return 1


def open_lab_shell(state: Path | None, server: str, account: str | None) -> int:
    """A management shell on a simulated server."""
    from s2slib.commands.lab_shell import ConsoleRefused, open_console
    from s2slib.lab.engine.real import EngineUnavailable

    try:
        return open_console(_lab_state(state), server, account)
    except (ConsoleRefused, EngineUnavailable) as error:
        click.echo(str(error), err=True)
        return 1


def print_lab_log(state: Path | None) -> int:
    """Print the transitions of the running (or last) lab."""
    from s2slib.lab.service import read_log

    for row in read_log(_lab_state(state)):
        print(json.dumps(row, ensure_ascii=False, sort_keys=True))
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
    report.line("starting the embedded lab ...", "dim")
    began = time.monotonic()
    with _lab(state):
        report.line(f"lab ready ({time.monotonic() - began:.1f} s)", "dim")
        os.environ["S2S_LAB_STATE"] = str(state)
        return run_notebooks("apply", load(places.params_file("lab")), as_json=as_json, report=report)


@contextmanager
def _lab(state: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "s2slib.lab", "--state", str(state)]
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
