"""How long commands and changes may take by the deployment's deadlines, in seconds."""

from __future__ import annotations

from s2slib.deployment.network import Timeouts
from s2slib.products import windows
from s2slib.remoting.values.command import Program
from s2slib.runbook.model.change import Change, Settle, Step

STEP_EXTRA_S = 60  # what a command that waits by itself gets beyond that


def restarts(step: Step) -> bool:
    """Whether a step cycles IIS: its deadline is another, and it ends every Exchange session through that server."""
    return isinstance(step.command, Program) and step.command.path == windows.IISRESET


def command_s(timeouts: Timeouts, step: Step) -> int:
    """The deadline of one command, here and on the server."""
    return timeouts.iis_restart + STEP_EXTRA_S if restarts(step) else timeouts.command


def commands_s(timeouts: Timeouts, change: Change) -> int:
    """After this no command of a change runs on any server any more, its recovery included."""
    return sum(command_s(timeouts, step) for step in (*change.steps, *change.recovery))


def waits_s(timeouts: Timeouts, settle: Settle) -> int:
    """How long a change is waited for at most: replication, health."""
    return min(settle.within_s, timeouts.settle)
