"""Changes with their way back: planned with what they take back, under the same hash, obeying the same one rule.

An undo rests on what its change left behind, so a value that somebody set since is not touched but shown. Values that
only apply brings (a random name, the instant of a removal) have their place in it and are put in from the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from s2slib.facts import Facts, Json
from s2slib.products.windows import CLOCK
from s2slib.remoting.values.command import Command
from s2slib.runbook.model.change import Change, Place, Settle, Step
from s2slib.runbook.model.expect import After, Condition, Later, wanted
from s2slib.runbook.phases.iis import loaded_name, restart
from s2slib.runbook.reading.derive import DC_ENTRY, OLDEST_WORKER, TRUST_HELD
from s2slib.runbook.reading.scope import ExchangeHost, Scope

Wanted = Mapping[str, Any]
"""Conditions by key: a condition, or a value that stands for one."""


def reversible(
    id: str,
    phase: str,
    title: str,
    server: str,
    command: Command,
    *,
    reason: str,
    before: Wanted,
    after: Wanted,
    back: tuple[str, Command] | None,
    where: Wanted | None = None,
    also: Wanted | None = None,
    left: Wanted | None = None,
    settle: Callable[[Any], Settle] | None = None,
    undo_more: Mapping[str, Any] | None = None,
    restarts_after: tuple[Change, ...] = (),
    target: str = "",
    **more: Any,
) -> Change:
    """The change from `before` to `after`, and the undo from `after` to `before`; `settle` is about the first fact of them.

    `where` says which object of the fact is meant, now and then; `also` are other facts that the change rests on; `left` is
    what the undo rests on where that is not all of `after`. `back`: title and command of the undo; None where there is none.
    `settle` makes the waiting from the condition that is to arrive, there and back.
    """
    old, new = next(iter(before.values())), next(iter(after.values()))
    taken_back: tuple[Change, ...] = ()
    if back is not None:
        settled = settle(old) if settle else None
        back_title, line = back
        rests_on = left or _merged(after, where)
        taken_back = (undo(id, phase, back_title, server, line, rests_on, before, settled, **(undo_more or {})),)
        taken_back += restarts_after
    return Change(
        id=id,
        phase=phase,
        title=title,
        target=target or server,
        reason=reason,
        steps=(Step(server, command),),
        rests_on=wanted({**_merged(before, where), **(also or {})}),
        after=wanted(after),
        undo=taken_back,
        settled_when=settle(new) if settle else None,
        **more,
    )


def _merged(conditions: Wanted, where: Wanted | None) -> Wanted:
    merged = dict(conditions)
    for key, more in (where or {}).items():
        merged[key] = {**more, **merged.get(key, {})}
    return merged


def undo(
    of: str,
    phase: str,
    title: str,
    server: str,
    command: Command,
    rests_on: Wanted,
    after: Wanted,
    settle: Settle | None = None,
    **more: Any,
) -> Change:
    """The change `undo.<of>`: one command that takes back what change `of` left."""
    return Change(
        id=f"undo.{of}",
        phase=phase,
        title=title,
        target=server,
        reason="back-out: as it was before this run",
        steps=(Step(server, command),),
        rests_on=wanted(rests_on),
        after=wanted(after),
        settled_when=settle,
        proven_by="read back",
        **more,
    )


def unloading(d: Scope) -> dict[str, dict[str, Place]]:
    """What an undo of the partner application has to know: before, which servers work with it; afterwards, since when
    it is gone by each server's own clock."""
    return {
        "binds_before": {loaded_name(server): (TRUST_HELD.on(server.fqdn), "") for server in d.exchange_servers},
        "binds": {_gone(server): (CLOCK.on(server.fqdn), "utc") for server in d.exchange_servers},
    }


def restarts(d: Scope, facts: Facts, phase: str, entry: Json | Condition) -> tuple[Change, ...]:
    """IIS once more on every server that works with what was taken back (rule R44). `entry` is its domain controller's, then."""
    return tuple(_restart(d, facts, phase, server, entry) for server in d.exchange_servers)


def _restart(d: Scope, facts: Facts, phase: str, server: ExchangeHost, entry: Json | Condition) -> Change:
    return restart(
        d,
        facts,
        server,
        after={OLDEST_WORKER.on(server.fqdn): After(Later(_gone(server)))},
        settled={},
        id=f"undo.exchange.restart_iis.{server.fqdn.split('.')[0]}",
        phase=phase,
        title=f"Restart IIS on {server.fqdn}, to forget what was taken back",
        reason="its web services keep the partner applications they found when they started",
        rests_on={DC_ENTRY.on(server.fqdn): entry},
        irreversible="a restart is not undone",
        proven_by="worker start times and health pages",
        only_if={loaded_name(server): True},
    )


def _gone(server: ExchangeHost) -> str:
    return f"gone/{server.fqdn}"
