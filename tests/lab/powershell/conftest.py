"""Fixtures: a machine, and PowerShell processes on it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest
from powershell_machine import Ended, LabMachine, Running, encoded

from s2slib.lab.powershell import run_process


@pytest.fixture
def machine() -> LabMachine:
    return LabMachine()


@pytest.fixture
def ps(machine: LabMachine) -> Callable[..., Ended]:
    """Run a script to its end: ps(script, stdin=..., argv=...)."""

    def run(script: str = "", *, stdin: str = "", argv: list[str] | None = None) -> Ended:
        out, err = bytearray(), bytearray()
        rc = run_process(
            argv if argv is not None else encoded(script),
            stdin=io.BytesIO(stdin.encode("utf-8")),
            stdout=out.extend,
            stderr=err.extend,
            machine=machine,
            session="ken",
            stop=threading.Event(),
        )
        return Ended(rc, out.decode("utf-8"), err.decode("utf-8"))

    return run


@pytest.fixture
def running(machine: LabMachine) -> Callable[[str], Running]:
    """Start a script that reads requests from stdin."""
    return lambda script: Running(machine, script)
