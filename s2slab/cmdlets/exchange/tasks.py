"""How an Exchange cmdlet is run: it works on a domain controller, and what refuses it becomes one written error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s2slab.cmdlets.exchange.common import DOMAIN_CONTROLLER, Refused, controller, report
from s2slab.engine.registry import Call, CmdletSpec, Parameter

Task = Callable[[Call, str], Iterable[object] | None]


def task(
    name: str,
    work: Task,
    parameters: tuple[Parameter, ...] = (),
    *,
    default_set: str = "",
    writes: bool = False,
    aliases: tuple[str, ...] = (),
) -> CmdletSpec:
    """A cmdlet whose `work` gets the call and the domain controller (FQDN), and may raise Refused."""

    def run(call: Call) -> Iterator[object]:
        try:
            yield from work(call, controller(call)) or ()
        except Refused as refused:
            report(call, refused)

    return CmdletSpec(
        name,
        run,
        (*parameters, DOMAIN_CONTROLLER),
        default_set=default_set,
        should_process=writes,
        aliases=aliases,
        type_name=f"Microsoft.Exchange.Management.SystemConfigurationTasks.{name.replace('-', '')}",
    )


def given(call: Call, names: Iterable[str]) -> dict[str, Any]:
    """Those of the named parameters that were given, with their values."""
    return {name: call.parameters[name] for name in names if name in call.parameters}
