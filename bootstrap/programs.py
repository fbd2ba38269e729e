"""Starting another program while making the environment: its output line by line, its exit code."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Runner(Protocol):
    """Runs a program to its end, hands each line of what it prints to `on_line`, returns its exit code."""

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str], on_line: Callable[[str], None]) -> int: ...


def run_program(argv: Sequence[str], *, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
    """The Runner that starts processes. It reads nothing; both its outputs are read. OSError if it cannot start."""
    with subprocess.Popen(
        argv,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line.rstrip())
    return process.returncode
