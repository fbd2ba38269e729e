"""Before anything else: does each server answer, does the logon work, and do its tools load? One cause is said once."""

from __future__ import annotations

from collections.abc import Mapping

from s2slib.products import exchange, lync
from s2slib.remoting.values.command import Command
from s2slib.remoting.values.errors import AttemptWithheld, RemotingError
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.reading.estates import Estates
from s2slib.runbook.reading.scope import Scope

NAME = "reach"
TITLE = "Reach every server"
_F = Kinds(NAME)
REACHED = _F.ok("reach", "Every server answers, logs this account on and loads its tools")
NOT_REACHED = _F.unknown(
    "reach.failed", "{servers}: no session with the product's tools", "name, port, TLS, logon, second hop and tools"
)
WITHHELD = _F.unknown(
    "reach.withheld",
    "{servers}: not tried with an account that was rejected",
    "an account that is accepted",
    "correct the password or the account",
)


def questions(scope: Scope) -> dict[str, list[Command]]:
    """One cheap read for each server that is logged on to, through the session that its phases will use."""
    front_ends = set(scope.front_ends)
    reads = {
        server: lync.get_sip_domains(server) if server in front_ends else exchange.get_accepted_domains(server)
        for server in scope.reached
    }
    return {server: [read.command] for server, read in reads.items()}


def reach(scope: Scope, estates: Estates) -> list[Finding]:
    """What keeps servers from being worked with, each cause once with the servers that it is true of."""
    answers = estates.batches(questions(scope))
    failed = {server: answer for server, answer in answers.items() if isinstance(answer, RemotingError)}
    return _grouped(failed) or [REACHED(", ".join(sorted(answers)))]


def _grouped(failed: Mapping[str, RemotingError]) -> list[Finding]:
    by_cause: dict[tuple[str, str], list[str]] = {}
    for server, error in failed.items():
        if not isinstance(error, AttemptWithheld):
            by_cause.setdefault((error.seen, error.next_step), []).append(server)
    findings = [NOT_REACHED(seen, remedy=step, servers=_named(servers)) for (seen, step), servers in by_cause.items()]
    withheld = [server for server, error in failed.items() if isinstance(error, AttemptWithheld)]
    if withheld:
        first = failed[withheld[0]]
        remedy = "" if findings else first.next_step
        findings.append(WITHHELD(first.seen, remedy=remedy, servers=_named(withheld)))
    return findings


def _named(servers: list[str]) -> str:
    return ", ".join(server.split(".")[0] for server in servers)
