"""The only writer: lock, the one rule, journal intent, commands, read-back, journal outcome, settling."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from s2slib.facts import Facts, fact_to_json
from s2slib.products import windows
from s2slib.records.journal import Journal
from s2slib.remoting.command import Program
from s2slib.remoting.errors import OutcomeUncertain, RemotingError
from s2slib.remoting.reply import Reply
from s2slib.runbook.change import Change, Settle, Step, Verdict, rule
from s2slib.runbook.derive import TRUST_LOADED
from s2slib.runbook.estates import Estates
from s2slib.runbook.expect import all_hold, differences
from s2slib.runbook.inspect import Inspector
from s2slib.runbook.scope import Scope

State = Literal["done", "already", "moved", "blocked", "held", "failed", "uncertain", "unsettled"]
STOPPING: frozenset[State] = frozenset({"moved", "blocked", "held", "failed", "uncertain", "unsettled"})
STEP_EXTRA_S = 60
QUOTED_TEXT = 4_000


class Refused(RuntimeError):
    """Nothing was changed: the lock is held, the plan is not approved, or the state moved (exit code 3)."""


@dataclass(frozen=True)
class Outcome:
    """What became of one change. `before` and `after` are the facts it rests on and aims at, as read each time."""

    change: str
    phase: str
    title: str
    state: State
    detail: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    seconds: int = 0
    outage_s: int | None = None
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The outcome as one JSON object."""
        return {
            "change": self.change,
            "phase": self.phase,
            "title": self.title,
            "state": self.state,
            "detail": self.detail,
            "before": dict(self.before),
            "after": dict(self.after),
            "seconds": self.seconds,
            "outage_s": self.outage_s,
            "lines": list(self.lines),
        }


@contextmanager
def writer_lock(runs: Path, deployment: str, run: str) -> Iterator[None]:
    """One writer per deployment and runs folder (P6): an OS lock plus a readable record of the holder.

    It binds this runs folder only, not two jump hosts; the re-read before each change is the guard there (O38).
    """
    lock = FileLock(str(runs / f"{deployment}.writer.lock"))
    record = runs / f"{deployment}.writer.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Refused(f"another writer holds {deployment}: {_holder(record)}") from None
    try:
        record.write_text(
            json.dumps(
                {
                    "holder": os.environ.get("USER") or os.environ.get("USERNAME") or "unknown",
                    "host": socket.gethostname(),
                    "process": os.getpid(),
                    "started": datetime.now(UTC).isoformat(timespec="seconds"),
                    "run": run,
                }
            ),
            encoding="utf-8",
        )
        yield
    finally:
        record.unlink(missing_ok=True)
        lock.release()


def _holder(record: Path) -> str:
    try:
        held = json.loads(record.read_text(encoding="utf-8"))
        return (
            f"{held['holder']} on {held['host']}, process {held['process']}, since {held['started']}, run {held['run']}"
        )
    except (OSError, ValueError, KeyError):
        return "its record is not readable yet"


class Executor:
    """Applies changes one by one. `hold` is asked before a change that users notice; False holds the roll-out there."""

    def __init__(
        self,
        scope: Scope,
        estates: Estates,
        inspector: Inspector,
        journal: Journal,
        *,
        hold: Callable[[Change], bool],
        progress: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scope = scope
        self._estates = estates
        self._inspector = inspector
        self._journal = journal
        self._hold = hold
        self._progress = progress
        self._clock = clock

    def apply(self, changes: tuple[Change, ...], facts: Facts) -> tuple[list[Outcome], Facts]:
        """Apply changes in order by the one rule; stops at the first that does not come out done.

        A change that the rule finds done is not written again. JournalError leaves before the write it could not record.
        """
        outcomes: list[Outcome] = []
        for change in changes:
            started = self._clock()
            outcome, facts = self._one(change, facts)
            outcome = replace(outcome, seconds=round(self._clock() - started))
            outcomes.append(outcome)
            self._journal.append("outcome", **outcome.to_json())
            if outcome.state in STOPPING:
                break
        return outcomes, facts

    def _one(self, change: Change, facts: Facts) -> tuple[Outcome, Facts]:
        facts = self._read(change, facts)
        ruling = rule(change, facts)
        lines = tuple(step.render() for step in change.steps)
        outcome = Outcome(
            change.id, change.phase, change.title, "already", before=self._seen(change, facts), lines=lines
        )
        if ruling.verdict is Verdict.DONE:
            self._progress(f"{change.title}: already so")
            return self._settled(change, replace(outcome, after=outcome.before), facts, written=False)
        if ruling.verdict is not Verdict.DO:
            state: State = "moved" if ruling.verdict is Verdict.MOVED else "blocked"
            return replace(outcome, state=state, detail=_against(ruling.against)), facts
        if change.hold_before and not self._hold(change):
            return replace(outcome, state="held", detail="held before this server: not confirmed"), facts
        self._journal.append("intent", change=change.to_json(), before=dict(outcome.before))
        self._progress(f"{change.title} ...")
        begun = self._clock()
        failure, uncertain = self._run(change.steps)
        facts = self._read(change, facts)
        if all_hold(facts, change.after) is not True and change.recovery:
            failure = failure or "the read-back does not show it"
            self._journal.append(
                "recovery", change=change.id, reason=failure, lines=[s.render() for s in change.recovery]
            )
            self._progress(f"{change.title}: {failure}; recovery")
            self._run(change.recovery)
            facts = self._read(change, facts)
            outcome = replace(outcome, after=self._seen(change, facts))
            return replace(
                outcome, state="failed", detail=f"{failure}; started again, roll-out stopped. {self._mixed(facts)}"
            ), facts
        outcome = replace(outcome, after=self._seen(change, facts))
        after = all_hold(facts, change.after)
        if after is None:
            reason = failure or "the read-back gave no answer"
            return replace(outcome, state="uncertain", detail=f"{reason}; whether it took effect is not known"), facts
        if after is False:
            seen = _against(tuple(differences(facts, change.after)))
            if uncertain and all_hold(facts, change.rests_on) is True:
                return replace(outcome, state="failed", detail=f"{failure}; read back: it did not take effect"), facts
            return replace(
                outcome, state="failed", detail=f"{failure or 'no error was reported'}; read back: {seen}"
            ), facts
        if failure:
            self._journal.append(
                "note", change=change.id, note=f"reported: {failure}; the read-back shows that it took effect"
            )
        settled, facts = self._settled(change, replace(outcome, state="done"), facts, written=True)
        if change.users_notice:
            settled = replace(settled, outage_s=round(self._clock() - begun))
        return settled, facts

    def _run(self, steps: tuple[Step, ...]) -> tuple[str, bool]:
        """Run the steps; ('', False) when all went well, else what went wrong and whether the outcome is uncertain."""
        for step in steps:
            if isinstance(step.command, Program):  # a restart ends every Exchange session through that server (O14)
                self._estates.drop(self._scope.all_servers)
            timeout_s = self._timeout(step)
            try:
                reply = self._estates.run(step.server, step.command, timeout_s=timeout_s)
            except OutcomeUncertain as error:
                self._journal.append("reply", server=step.server, line=step.render(), lost=str(error))
                return str(error), True
            except RemotingError as error:
                self._journal.append("reply", server=step.server, line=step.render(), error=str(error))
                return str(error), False
            self._journal.append("reply", server=step.server, line=step.render(), **_quoted(reply))
            if reply.state != "completed" or reply.errors or reply.exit_code not in (None, 0):
                return _complaint(reply), reply.state == "timed_out"
        return "", False

    def _timeout(self, step: Step) -> float:
        timeouts = self._scope.deployment.network.timeouts_s
        longest = timeouts.iis_restart + STEP_EXTRA_S if isinstance(step.command, Program) else timeouts.command
        return float(longest)

    def _settled(self, change: Change, outcome: Outcome, facts: Facts, *, written: bool) -> tuple[Outcome, Facts]:
        settle = change.settled_when
        if settle is None:
            return outcome, facts
        limit_s = min(settle.within_s, self._scope.deployment.network.timeouts_s.settle)
        waited = 0
        deadline = self._clock() + limit_s
        while True:
            facts = self._inspector.inspect(settle.conditions.keys(), known=facts)
            if all_hold(facts, settle.conditions) is True:
                if waited:
                    self._journal.append("settled", change=change.id, waited_s=waited, what=settle.what)
                return outcome, facts
            if waited >= limit_s or self._clock() >= deadline:
                missing = _against(tuple(differences(facts, settle.conditions)))
                verb = "took effect" if written else "is in place"
                detail = f"{verb}, but after {waited} s still not settled ({settle.what}): {missing}"
                return replace(outcome, state="unsettled", detail=detail), facts
            self._progress(f"{change.title}: waiting until {settle.what} ({waited} s)")
            waited += self._wait(change, settle)

    def _wait(self, change: Change, settle: Settle) -> int:
        """Wait on a server of the run, so that the estate's own clock measures it; on this machine if that fails."""
        server = change.target if change.target in self._scope.all_servers else self._scope.lync_session_server
        try:
            self._estates.run(server, windows.wait(settle.poll_s), timeout_s=settle.poll_s + STEP_EXTRA_S)
        except RemotingError:
            time.sleep(min(settle.poll_s, 5))
        return settle.poll_s

    def _read(self, change: Change, facts: Facts) -> Facts:
        return self._inspector.inspect({*change.rests_on, *change.after}, known=facts)

    def _seen(self, change: Change, facts: Facts) -> dict[str, Any]:
        return {key: fact_to_json(facts[key]) for key in sorted({*change.rests_on, *change.after})}

    def _mixed(self, facts: Facts) -> str:
        states = {host.fqdn: facts.value(f"server/{host.fqdn}/{TRUST_LOADED}") for host in self._scope.exchange_servers}
        loaded = [server for server, state in states.items() if state is True]
        stale = [server for server, state in states.items() if state is not True]
        return f"With the new trust: {', '.join(loaded) or 'none'}; without: {', '.join(stale) or 'none'}."


def _against(rows: tuple[tuple[str, str, str], ...]) -> str:
    return "; ".join(f"{key}: saw {seen}, expected {expected}" for key, seen, expected in rows)


def _complaint(reply: Reply) -> str:
    if reply.errors:
        return "; ".join(error.message.strip() for error in reply.errors)[:QUOTED_TEXT]
    if reply.exit_code not in (None, 0):
        said = " ".join(str(item) for item in reply.output)[:QUOTED_TEXT]
        return f"exit code {reply.exit_code}: {said}"
    return f"ended as {reply.state}"


def _quoted(reply: Reply) -> dict[str, Any]:
    return {
        "state": reply.state,
        "exit_code": reply.exit_code,
        "output": [str(item)[:QUOTED_TEXT] for item in reply.output[:200]],
        "errors": [{"message": error.message[:QUOTED_TEXT], "id": error.id} for error in reply.errors],
        "warnings": [text[:QUOTED_TEXT] for text in reply.warnings],
        "information": [text[:QUOTED_TEXT] for text in reply.information],
        "seconds": round(reply.seconds),
    }
