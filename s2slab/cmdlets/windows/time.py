"""The clock of a simulated server: its time, and waiting, which costs lab time only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from s2slab.cmdlets.shared.base import place
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import LOCAL

LONGEST_REAL_WAIT_S = 0.002  # a loop that polls must still not spin


def specs() -> list[CmdletSpec]:
    """Get-Date, and Start-Sleep."""
    commands = "Microsoft.PowerShell.Commands."
    return [
        CmdletSpec("Get-Date", _now, type_name=commands + "GetDateCommand"),
        CmdletSpec(
            "Start-Sleep",
            _sleep,
            (
                Parameter("Seconds", "int", mandatory=True, position=0, sets=("Seconds",)),
                Parameter("Milliseconds", "int", mandatory=True, sets=("Milliseconds",)),
            ),
            default_set="Seconds",
            aliases=("sleep",),
            type_name=commands + "StartSleepCommand",
        ),
    ]


def _now(call: Call) -> Iterator[datetime]:
    yield place(call).now.astimezone(LOCAL)


def _sleep(call: Call) -> None:
    span = timedelta(seconds=call.parameters.get("Seconds", 0), milliseconds=call.parameters.get("Milliseconds", 0))
    call.stopping.wait(min(span.total_seconds(), LONGEST_REAL_WAIT_S))
    if not call.stopping.is_set():
        place(call).estate.clock.advance(span.total_seconds())
