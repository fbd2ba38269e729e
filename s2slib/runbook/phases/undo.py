"""The changes of the back-out: planned with what they take back, under the same hash, obeying the same one rule.

An undo rests on what its change left behind, so a value that somebody set since is not touched but shown. Values that
only apply brings (a random name, the instant of a removal) have their place in it and are put in from the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2slib.facts import Facts, Json
from s2slib.products.lync import on
from s2slib.remoting.values.command import Command
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import after_instant, later
from s2slib.runbook.phases.iis import loaded_name, restart
from s2slib.runbook.reading.derive import DC_ENTRY, OLDEST_WORKER, TRUST_HELD
from s2slib.runbook.reading.scope import ExchangeHost, Scope


def undo(
    of: str,
    phase: str,
    title: str,
    server: str,
    command: Command,
    rests_on: Mapping[str, Json],
    after: Mapping[str, Json],
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
        rests_on=rests_on,
        after=after,
        settled_when=settle,
        proven_by="read back",
        **more,
    )


def before_unloading(d: Scope) -> dict[str, tuple[str, str]]:
    """What is to be known before the partner application is taken back: which servers work with it (`binds_before`)."""
    return {loaded_name(server): (on(server.fqdn, TRUST_HELD), "") for server in d.exchange_servers}


def after_unloading(d: Scope) -> dict[str, tuple[str, str]]:
    """What is to be known afterwards: the instant, by each server's own clock, from which it is gone (`binds`)."""
    return {_gone(server): (on(server.fqdn, "clock"), "utc") for server in d.exchange_servers}


def restarts(d: Scope, facts: Facts, phase: str, entry: Json) -> tuple[Change, ...]:
    """IIS once more on every server that works with what was taken back (O33). `entry` is its domain controller's, then."""
    return tuple(_restart(d, facts, phase, server, entry) for server in d.exchange_servers)


def _restart(d: Scope, facts: Facts, phase: str, server: ExchangeHost, entry: Json) -> Change:
    return restart(
        d,
        facts,
        server,
        after={on(server.fqdn, OLDEST_WORKER): after_instant(later(_gone(server)))},
        settled={},
        id=f"undo.exchange.restart_iis.{server.fqdn.split('.')[0]}",
        phase=phase,
        title=f"Restart IIS on {server.fqdn}, to forget what was taken back",
        reason="its web services keep the partner applications they found when they started",
        rests_on={on(server.fqdn, DC_ENTRY): entry},
        irreversible="a restart is not undone",
        proven_by="worker start times and health pages",
        only_if={loaded_name(server): True},
    )


def _gone(server: ExchangeHost) -> str:
    return f"gone/{server.fqdn}"
