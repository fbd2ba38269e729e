"""What a server answered to a command: objects, errors with ids and categories, and the other streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from s2slib.remoting.values.command import Command

State: TypeAlias = Literal["completed", "failed", "timed_out", "refused"]

Plain: TypeAlias = Any
"""str, int, bool, None, Decimal, bytes, aware UTC datetime, tuple of plains, dict of plains (with `$type` for objects).

A property that could not be read is left out of its object: it is unknown, not empty.
"""


@dataclass(frozen=True)
class RemoteError:
    """One error record. `thrown` marks the one that ended the command."""

    message: str
    id: str  # FullyQualifiedErrorId
    category: str
    reason: str
    exception: str  # full type name
    thrown: bool = False


@dataclass(frozen=True)
class Reply:
    """The answer to one command.

    `state`: `completed` (errors may have been reported all the same), `failed` (a terminating error), `timed_out`
    (stopped on the server at its deadline), `refused` (the server's side would not start it). `output` is in the order
    it was put out; what came before a failure is kept. `stray_text` is what reached the process's standard output
    besides: Write-Host, warnings of inner sessions. `truncated` says that output was cut at its size limit.
    """

    server: str
    command: Command
    state: State
    output: tuple[Plain, ...] = ()
    errors: tuple[RemoteError, ...] = ()
    warnings: tuple[str, ...] = ()
    verbose: tuple[str, ...] = ()
    information: tuple[str, ...] = ()
    stray_text: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    truncated: bool = False

    @property
    def succeeded(self) -> bool:
        """Completed without an error record. Says nothing about whether the command did what was wanted."""
        return self.state == "completed" and not self.errors
