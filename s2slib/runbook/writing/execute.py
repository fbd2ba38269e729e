"""The only writer: the one rule, journal intent, commands, read-back, journal outcome, settling. First run and resume alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from s2slib.facts import Facts, Json, fact_to_json
from s2slib.products import windows
from s2slib.records.journal import Journal, JournalError
from s2slib.remoting.values.errors import RemotingError
from s2slib.runbook.control.history import Begun, History
from s2slib.runbook.model.change import Change, Verdict, bound_values, rule
from s2slib.runbook.model.expect import all_hold, differences, unanswered
from s2slib.runbook.model.limits import STEP_EXTRA_S, commands_s, waits_s
from s2slib.runbook.model.outcome import Outcome, State
from s2slib.runbook.reading.derive import TRUST_LOADED
from s2slib.runbook.reading.estates import Estates
from s2slib.runbook.reading.inspect import Inspector
from s2slib.runbook.reading.scope import Scope
from s2slib.runbook.writing.sending import Sender, Sent
from s2slib.typed import to_json

BRINGS: frozenset[State] = frozenset({"done", "already", "unsettled", "failed"})
GOING_ON: frozenset[State] = frozenset({"done", "already", "not_needed"})
HELD = (
    "held before {server}: confirm that it is drained from the load balancer, that monitoring is in maintenance and that "
    "its database copies are healthy (s2s resume RUN --confirm-restart {server}; in a notebook confirmed_restarts)"
)
IN_FLIGHT_POLL_S = 30
UNREACHED_POLL_S = 5


def go_on(_change: Change) -> str:
    """The gate that lets every change pass."""
    return ""


class Executor:
    """Applies changes one by one, and settles what an interrupted writer left open.

    `gate` gives a reason not to start a change (stop requested, no time left), or nothing. `hold` is asked before a
    change that users notice; False holds the roll-out there. `by_hand`: lines are shown, a person types them, and only
    reading follows. `deadline` (of `clock`) ends waiting.
    """

    def __init__(
        self,
        scope: Scope,
        estates: Estates,
        inspector: Inspector,
        journal: Journal,
        history: History,
        *,
        hold: Callable[[Change], bool],
        gate: Callable[[Change], str] = go_on,
        known: Mapping[str, Json] | None = None,
        by_hand: bool = False,
        deadline: float = float("inf"),
        progress: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._scope = scope
        self._estates = estates
        self._inspector = inspector
        self._journal = journal
        self._history = history
        self._hold = hold
        self._gate = gate
        self._given = dict(known or {})
        self._by_hand = by_hand
        self._sender = Sender(scope, estates, self._note)
        self._timeouts = scope.deployment.network.timeouts_s
        self._deadline = deadline
        self._progress = progress
        self._clock = clock
        self._now = now

    def apply(self, changes: tuple[Change, ...], facts: Facts) -> tuple[list[Outcome], Facts]:
        """Apply changes in order by the one rule; stops at the first that does not come out done.

        A change that the rule finds done is not written again. JournalError leaves before the write it could not record.
        """
        outcomes: list[Outcome] = []
        for change in changes:
            started = self._clock()
            outcome, facts = self._one(change, facts)
            outcomes.append(self._record(change, replace(outcome, seconds=round(self._clock() - started)), facts))
            if outcome.state not in GOING_ON:
                break
        return outcomes, facts

    def settle_open(self, facts: Facts) -> tuple[list[Outcome], Facts]:
        """Say what became of every change whose intent stands in the journal without an outcome: by reading, never repeating."""
        outcomes: list[Outcome] = []
        for begun in self._history.open():
            change = begun.change.bind(self._known())
            self._progress(f"{change.title}: begun before, reading what became of it")
            facts = self._read(change, facts)
            ended = True
            if not begun.by_hand:
                limit_s = max(begun.limit_s, commands_s(self._timeouts, change))
                facts, ended = self._await_in_flight(change, facts, begun.at, limit_s)
            outcome = self._found(change, facts, begun, ended)
            if outcome is None:
                continue
            if outcome.state == "done":
                outcome, facts = self._settled(change, outcome, facts, written=True)
            outcomes.append(self._record(begun.change, outcome, facts))
            if outcome.state == "uncertain":
                break
        return outcomes, facts

    def _found(self, change: Change, facts: Facts, begun: Begun, ended: bool) -> Outcome | None:
        """What reading says of a change that was begun; None for a by-hand change that nobody has typed yet."""
        outcome = self._outcome(change, facts, "done")
        after = all_hold(facts, change.after)
        if after is True:
            how = "done by hand" if begun.by_hand else "took effect before the interruption"
            return replace(outcome, after=outcome.before, detail=f"{how}; found by reading")
        if begun.by_hand and after is False:
            return None
        unread = [*unanswered(facts, change.after), *unanswered(facts, change.rests_on)]
        if unread or not ended:
            why = _against(tuple(unread)) or "the deadline came before it was certain that nothing runs any more"
            return replace(outcome, state="uncertain", detail=f"whether it took effect is not known: {why}")
        if all_hold(facts, change.rests_on) is True:
            return replace(outcome, state="not_done", detail="did not take effect before the interruption")
        against = _against(tuple(differences(facts, change.after)))
        return replace(outcome, state="failed", detail=f"took effect in part before the interruption: {against}")

    def _one(self, planned: Change, facts: Facts) -> tuple[Outcome, Facts]:
        known = self._known()
        missing = [name for name in planned.only_if if name not in known]
        if missing:
            detail = f"whether this is needed is not known: {', '.join(missing)} was never read"
            return replace(self._outcome(planned, facts, "blocked"), detail=detail), facts
        if any(known[name] != value for name, value in planned.only_if.items()):
            return replace(self._outcome(planned, facts, "not_needed"), lines=(), before={}), facts
        change = planned.bind(known)
        facts = self._read(change, facts)
        begun = self._history.begun.get(change.id)
        ruling = rule(change, facts, begun=begun is not None and begun.may_have_written)
        outcome = self._outcome(change, facts, "already")
        if ruling.verdict is Verdict.DONE:
            self._progress(f"{change.title}: already so")
            outcome = replace(outcome, after=outcome.before)
            if begun is not None and begun.by_hand and begun.is_open:
                outcome = replace(outcome, state="done", detail="done by hand; found by reading")
            return self._settled(change, outcome, facts, written=False)
        if ruling.verdict is not Verdict.DO:
            state: State = "moved" if ruling.verdict is Verdict.MOVED else "blocked"
            return replace(outcome, state=state, detail=_against(ruling.against)), facts
        reason = self._gate(change)
        if reason:
            return replace(outcome, state="stopped", detail=reason), facts
        if change.hold_before and not self._hold(change):
            return replace(outcome, state="held", detail=HELD.format(server=change.target)), facts
        if not (self._by_hand and begun is not None and begun.by_hand and begun.is_open):
            bound = bound_values(change.binds_before, self._fresh(change.binds_before, facts))
            unread = [name for name in change.binds_before if name not in bound]
            if unread:
                detail = f"not known before the change, and needed after it: {', '.join(unread)}"
                return replace(outcome, state="blocked", detail=detail), facts
            self._note(
                "intent",
                change=to_json(planned),
                lines=list(outcome.lines),
                before=dict(outcome.before),
                by_hand=self._by_hand,
                limit_s=commands_s(self._timeouts, change),
                bound=bound,
            )
        if self._by_hand:
            typed = "; ".join(f"on {step.server}: {step.render()}" for step in change.steps)
            detail = f"type this by hand, then run this again - {typed}"
            return replace(outcome, state="by_hand", detail=detail), facts
        return self._write(change, outcome, facts)

    def _write(self, change: Change, outcome: Outcome, facts: Facts) -> tuple[Outcome, Facts]:
        self._progress(f"{change.title} ...")
        begun, at = self._clock(), self._now()
        try:
            sent = self._sender.run(change, change.steps)
        except JournalError:
            self._recover_unrecorded(change, facts)
            raise
        if not sent.was_started:
            detail = f"{sent.failure}; it was not sent: nothing was changed"
            return replace(outcome, state="not_done", detail=detail, after=outcome.before), facts
        facts, ended = self._read(change, facts), True
        if sent.was_lost and all_hold(facts, change.after) is not True:
            facts, ended = self._await_in_flight(change, facts, at, commands_s(self._timeouts, change))
        if all_hold(facts, change.after) is not True and change.recovery:
            return self._recover(change, outcome, facts, sent.failure or "the read-back does not show it")
        outcome = replace(outcome, after=self._seen(change, facts))
        if all_hold(facts, change.after) is not True:
            return self._not_there(change, outcome, facts, sent, ended), facts
        if sent.failure:
            note = f"reported: {sent.failure}; the read-back shows that it took effect"
            self._note("note", change=change.id, note=note)
        settled, facts = self._settled(change, replace(outcome, state="done"), facts, written=True)
        if change.users_notice:
            settled = replace(settled, outage_s=round(self._clock() - begun))
        return settled, facts

    def _not_there(self, change: Change, outcome: Outcome, facts: Facts, sent: Sent, ended: bool) -> Outcome:
        """What a write comes to whose effect the read-back does not show."""
        if unanswered(facts, change.after) or not ended:
            reason = sent.failure or "the read-back gave no answer"
            return replace(outcome, state="uncertain", detail=f"{reason}; whether it took effect is not known")
        if sent.was_lost and all_hold(facts, change.rests_on) is True:
            return replace(outcome, state="failed", detail=f"{sent.failure}; read back: it did not take effect")
        seen = _against(tuple(differences(facts, change.after)))
        detail = f"{sent.failure or 'no error was reported'}; read back: {seen}"
        return replace(outcome, state="failed", detail=detail)

    def _recover(self, change: Change, outcome: Outcome, facts: Facts, failure: str) -> tuple[Outcome, Facts]:
        """Start again what the change left stopped, once; the roll-out ends there either way (rule R25)."""
        lines = [step.render() for step in change.recovery]
        self._note("recovery", change=change.id, reason=failure, lines=lines)
        self._progress(f"{change.title}: {failure}; recovery")
        again = self._sender.run(change, change.recovery)
        facts = self._read(change, facts)
        detail = (
            f"{failure}; then {'; '.join(lines)}: {again.failure or 'no error was reported'}. "
            f"The roll-out stops here. {self._mixed(facts)}"
        )
        state: State = "uncertain" if unanswered(facts, change.after) else "failed"
        return replace(outcome, state=state, detail=detail, after=self._seen(change, facts)), facts

    def _recover_unrecorded(self, change: Change, facts: Facts) -> None:
        """The record cannot be written any more (a full disk): what the intent covers is still started again."""
        if change.recovery and all_hold(self._read(change, facts), change.after) is not True:
            self._sender.run(change, change.recovery, journalled=False)

    def _await_in_flight(self, change: Change, facts: Facts, since: datetime, limit_s: int) -> tuple[Facts, bool]:
        """Wait until a command whose reply was lost cannot run any more, or has taken effect; whether that was reached.

        The constant script stops a command on the server at its deadline, so after that deadline reading settles it.
        """
        remaining = limit_s - (self._now() - since).total_seconds()
        while remaining > 0 and all_hold(facts, change.after) is not True:
            if self._clock() >= self._deadline:
                return facts, False
            self._progress(f"{change.title}: its reply was lost; it may still run for {round(remaining)} s")
            remaining -= self._wait(change, min(IN_FLIGHT_POLL_S, max(1, round(remaining))))
            facts = self._read(change, facts)
        return facts, True

    def _settled(self, change: Change, outcome: Outcome, facts: Facts, *, written: bool) -> tuple[Outcome, Facts]:
        settle = change.settled_when
        if settle is None:
            return outcome, self._fresh(change.binds, facts)
        limit_s = waits_s(self._timeouts, settle)
        waited = 0
        deadline = min(self._clock() + limit_s, self._deadline)
        say_at = 0
        while True:
            facts = self._inspector.inspect(settle.conditions.keys(), known=facts)
            if all_hold(facts, settle.conditions) is True:
                if waited:
                    self._note("settled", change=change.id, waited_s=waited, what=settle.what)
                return outcome, self._fresh(change.binds, facts)
            if waited >= limit_s or self._clock() >= deadline:
                missing = _against(tuple(differences(facts, settle.conditions)))
                verb = "took effect" if written else "is in place"
                detail = f"{verb}, but after {waited} s still not settled ({settle.what}): {missing}"
                return replace(outcome, state="unsettled", detail=detail), self._fresh(change.binds, facts)
            if waited >= say_at:
                self._progress(f"{change.title}: waiting until {settle.what} ({waited} s)")
                say_at = max(60, 2 * waited)
            waited += self._wait(change, settle.poll_s)

    def _wait(self, change: Change, seconds: int) -> int:
        """Wait on a server of the run, so that the estate's own clock measures it; on this machine, shorter, if that fails.

        Returns the seconds that passed: what may still run on a server is not counted as over because the link is.
        """
        server = change.target if change.target in self._scope.reached else self._scope.reached[0]
        try:
            self._estates.run(server, windows.wait(seconds), timeout_s=seconds + STEP_EXTRA_S)
        except RemotingError:
            seconds = min(seconds, UNREACHED_POLL_S)
            time.sleep(seconds)
        return seconds

    def _known(self) -> dict[str, Json]:
        return {**self._given, **self._history.bound}

    def _read(self, change: Change, facts: Facts) -> Facts:
        return self._inspector.inspect({*change.rests_on, *change.after}, known=facts)

    def _fresh(self, places: Mapping[str, tuple[str, str]], facts: Facts) -> Facts:
        return self._inspector.inspect({key for key, _ in places.values()}, known=facts) if places else facts

    def _outcome(self, change: Change, facts: Facts, state: State) -> Outcome:
        lines = tuple(step.render() for step in change.steps)
        before = self._seen(change, facts)
        return Outcome(change.id, change.phase, change.title, state, before=before, lines=lines)

    def _record(self, change: Change, outcome: Outcome, facts: Facts) -> Outcome:
        bound = bound_values(change.binds, facts) if outcome.state in BRINGS else {}
        if outcome.state == "already":  # it was so before: what later changes want to know of that is as good as ever
            before = bound_values(change.binds_before, self._fresh(change.binds_before, facts))
            bound |= {name: value for name, value in before.items() if name not in self._history.bound}
        self._note("outcome", **to_json(outcome), bound=bound)
        return outcome

    def _note(self, event: str, **data: Any) -> None:
        self._history.note(self._journal.append(event, **data))

    def _seen(self, change: Change, facts: Facts) -> dict[str, Any]:
        return {key: fact_to_json(facts[key]) for key in sorted({*change.rests_on, *change.after})}

    def _mixed(self, facts: Facts) -> str:
        states = {host.fqdn: facts.value(f"server/{host.fqdn}/{TRUST_LOADED}") for host in self._scope.exchange_servers}
        rows = [("with the new trust", True), ("without", False), ("not known", None)]
        told = {words: [server for server, state in states.items() if state is value] for words, value in rows}
        return "; ".join(f"{words}: {', '.join(servers) or 'none'}" for words, servers in told.items())


def _against(rows: tuple[tuple[str, str, str], ...]) -> str:
    return "; ".join(f"{key}: saw {seen}, expected {expected}" for key, seen, expected in rows)
