"""One connection to one server, as the products use it: commands in, replies out, one at a time.

    Link.run(command)
      above the ceiling?          EffectRefused, nothing is sent
      process, runspace, session  opened at first use; what cannot be opened is a NotSent error
      handed over                 completed, failed, timed_out, refused: a Reply
      answer lost                 a read: AnswerLost, may be repeated; a probe or write: OutcomeUncertain

A process that was ended since its last use (idle timeout, restart) is started anew once, without a word: nothing had been
handed over. The next command after a lost answer finds a new process.

A session to an endpoint shows only by use that its far side is gone (IIS restarted there, its idle limit passed). So before a
probe or write goes through one that was used before, a look in it has to be answered; a read that finds it gone is asked once
more in a session opened anew.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, cast

from s2slib.remoting.shell.process import Interrupted, Ready, RemoteProcess
from s2slib.remoting.shell.runspaces import Runspaces, command_request
from s2slib.remoting.shell.wire import HIDDEN, BadAnswer, whole
from s2slib.remoting.values import errors
from s2slib.remoting.values.command import Command, Effect, permits
from s2slib.remoting.values.quoting import CredentialRef, InvalidCommand, SecretRef
from s2slib.remoting.values.reply import Plain, RemoteError, Reply, State
from s2slib.remoting.values.target import Credential, Endpoint, Limits, Secret, Target, Timeouts
from s2slib.remoting.winrm.deadline import Clock, Deadline
from s2slib.remoting.winrm.ledger import AttemptLedger
from s2slib.remoting.winrm.transport import Transport
from s2slib.remoting.winrm.winrs import Connection, Wire

__all__ = [
    "AttemptLedger",
    "Credential",
    "Endpoint",
    "Limits",
    "Link",
    "Plain",
    "RemoteError",
    "Reply",
    "Secret",
    "ServerAbout",
    "State",
    "Target",
    "Timeouts",
]

_STATES: dict[str, State] = {
    "completed": "completed",
    "failed": "failed",
    "stopped": "failed",
    "cut": "failed",
    "timedout": "timed_out",
    "refused": "refused",
}
_IDLE_S = 5.0  # after this long the process is asked whether it is still there, before it is handed a command
_PING_S = 20.0
_MAX_AGE_S = 4 * 3600.0  # a server ends a shell after about eight hours, whatever it does


@dataclass(frozen=True)
class ServerAbout:
    """What the process on the server said of itself, and what is open in it."""

    server: str
    ps_version: str
    language_mode: str
    culture: str
    pid: int
    opened: tuple[str, ...]
    module: str | None


class _Gone(Exception):
    """The process or a session in it had ended, and asking again does no harm: nothing was handed over, or only reads."""

    def __init__(self, error: errors.RemotingError) -> None:
        super().__init__(str(error))
        self.error = error


class Link:
    """One connection and one PowerShell process on one server, opened at first use. Thread-safe: one command at a time.

    `ceiling` is the highest effect it takes. `ledger` is shared by all links of a run. `redact` is applied to every text of
    a reply and of an error before anybody sees it; secrets that this link hands over are hidden besides. `wire`, `clock`
    and `sleep` are injected by tests.
    """

    def __init__(
        self,
        target: Target,
        *,
        ceiling: Effect = "read",
        ledger: AttemptLedger | None = None,
        redact: Callable[[str], str] = str,
        wire: Callable[[Target], Wire] = Transport,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = target
        self.ceiling: Effect = ceiling
        self._ledger = ledger if ledger is not None else AttemptLedger()
        self._outer_redact = redact
        self._known: set[str] = set()
        self._clock = clock
        self._lock = threading.RLock()
        self._make_connection: Callable[[], Connection] = lambda: Connection(
            target, ledger=self._ledger, redact=self._redact, wire=wire, clock=clock, sleep=sleep
        )
        self._connection: Connection | None = None
        self._process: RemoteProcess | None = None
        self._runspaces: Runspaces | None = None
        self._started_at = 0.0
        self._used_at = 0.0
        self._remember(target.secret)
        for endpoint in target.endpoints.values():
            self._remember(endpoint.credential.secret if endpoint.credential else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def about(self) -> ServerAbout:
        """What the server's side says of itself; connects if it has to. Raises NotSent errors."""
        with self._exclusive(self.target.timeouts.load_s):
            process, runspaces = self._ensure(Deadline.after(self.target.timeouts.load_s, self._clock))
            ready: Ready = process.ready
            return ServerAbout(
                server=self.target.server,
                ps_version=ready.ps_version,
                language_mode=ready.language_mode,
                culture=ready.culture,
                pid=ready.pid,
                opened=runspaces.opened,
                module=runspaces.module,
            )

    def run(self, command: Command, *, timeout_s: float = 60.0, secrets: Mapping[str, Secret] | None = None) -> Reply:
        """The server's answer to one command, within `timeout_s` of its being handed over.

        `secrets` are those that the command's SecretRef and CredentialRef name. Raises NotSent errors, AnswerLost,
        OutcomeUncertain.
        """
        given = dict(secrets or {})
        self._check(command, self.ceiling)
        _check_secrets(command, given)
        for secret in given.values():
            self._remember(secret)
        with self._exclusive(timeout_s):
            return self._twice(lambda: self._attempt([command], timeout_s, given))[0]

    def run_batch(self, commands: Sequence[Command], *, timeout_s: float = 60.0) -> list[Reply]:
        """The answers to reads that are handed over together, in their order; `timeout_s` is for each of them.

        A read whose runspace cannot be opened is answered `refused`, with the reason as its error; the others run. Raises
        NotSent errors when the server cannot be reached at all, AnswerLost when answers are missing.
        """
        for command in commands:
            self._check(command, "read")
            _check_secrets(command, {})
        if not commands:
            return []
        with self._exclusive(timeout_s):
            return self._twice(lambda: self._attempt(list(commands), timeout_s, {}))

    def close(self) -> None:
        """End the process, its sessions and the connection. Best effort, bounded, any number of times."""
        with self._lock:
            if self._runspaces is not None:
                self._runspaces.close()
            self._discard()

    # -- one command --------------------------------------------------------------------------------------------------

    def _attempt(self, commands: list[Command], timeout_s: float, given: Mapping[str, Secret]) -> list[Reply]:
        load = Deadline.after(self.target.timeouts.load_s, self._clock)
        with self._discarding():
            process, runspaces = self._ensure(load)
            if self._clock() - self._used_at > _IDLE_S:
                process.check_alive(load.sooner(_PING_S))
            places = self._places(runspaces, commands, load)
        asked = [number for number, place in enumerate(places) if isinstance(place, str)]
        seconds, limits = max(1, math.ceil(timeout_s)), self.target.limits
        requests = [command_request(commands[number], str(places[number]), seconds, limits) for number in asked]
        wait = Deadline.after(timeout_s * len(requests) + self.target.timeouts.grace_s, self._clock)
        with self._discarding(commands[asked[0]] if asked else commands[0]):
            answers = process.ask(requests, wait, given) if requests else []
        replies = {number: place for number, place in enumerate(places) if isinstance(place, Reply)}
        for number, answer in zip(asked, answers, strict=True):
            replies[number] = self._reply(commands[number], answer, runspaces)
        self._used_at = self._clock()
        ordered = [replies[number] for number in range(len(commands))]
        stray = process.stray_text()
        if stray:
            ordered[-1] = _with_stray(ordered[-1], stray)
        return ordered

    def _places(self, runspaces: Runspaces, commands: list[Command], load: Deadline) -> list[str | Reply]:
        """For each command the runspace that is ready for it; of several, a reply for one that has none."""
        places: list[str | Reply] = []
        for command in commands:
            try:
                session = runspaces.session_of(command) if command.effect != "read" else None
                if session is not None and session in runspaces.opened and not runspaces.lives(session, load):
                    raise Interrupted(self._session_gone(), sent=False)
                places.append(runspaces.ready_for(command, load))
            except errors.NotSent as error:
                if len(commands) == 1:
                    raise
                places.append(self._refused(command, error))
        return places

    @contextlib.contextmanager
    def _discarding(self, handed_over: Command | None = None) -> Iterator[None]:
        """Whatever ends the block ends the process, but for an error that says it goes on.

        `handed_over`: the command of which it is not known what became of it, once the process may have got it.
        """
        try:
            yield
        except Interrupted as lost:
            self._discard()
            if handed_over is not None and lost.sent:
                uncertain = self._lost(handed_over, lost.error)
                uncertain.__cause__ = lost.error
                if handed_over.effect == "read" and isinstance(lost.error, errors.ShellGone):
                    raise _Gone(uncertain) from lost
                raise uncertain from lost.error
            if isinstance(lost.error, errors.ShellGone):
                raise _Gone(lost.error) from lost
            raise lost.error from lost
        except BaseException as error:
            if handed_over is not None or not isinstance(error, errors.NotSent):
                self._discard()
            raise

    def _reply(self, command: Command, answer: Mapping[str, Any], runspaces: Runspaces) -> Reply:
        process = cast(RemoteProcess, self._process)
        if answer.get("state") == "gone":
            self._discard()
            raise _Gone(self._session_gone())
        decode = process.decoder
        try:
            broken = decode.texts(answer.get("broken"))
            rows = answer.get("output") or ()
            if len(rows) > self.target.limits.objects:
                raise BadAnswer(f"more than the {self.target.limits.objects} objects that were asked for")
            reply = Reply(
                server=self.target.server,
                command=command,
                state=_STATES[str(answer.get("state"))],
                output=tuple(decode.plain(item) for item in rows),
                errors=decode.errors(answer.get("errors")),
                warnings=decode.texts(answer.get("warnings")),
                verbose=decode.texts(answer.get("verbose")),
                information=decode.texts(answer.get("information")),
                exit_code=_whole(answer.get("exit")),
                seconds=(_whole(answer.get("ms")) or 0) / 1000,
                truncated=answer.get("truncated") is True,
            )
        except (BadAnswer, KeyError, TypeError, RecursionError) as error:
            self._discard()
            seen = f"an answer that does not hold what the constant script writes ({error})"
            raise self._lost(command, errors.ProtocolBroken(self.target.server, seen, "report it")) from error
        if runspaces.session_of(command) in broken and not reply.succeeded:
            self._discard()
            gone = errors.ConnectionCut(
                self.target.server, "the session to the endpoint broke", "check whether IIS was restarted there"
            )
            lost = self._lost(command, gone)
            raise (_Gone(lost) if command.effect == "read" else lost) from gone
        return reply

    def _session_gone(self) -> errors.ShellGone:
        return errors.ShellGone(self.target.server, "the session to the endpoint had ended", "it is opened anew")

    def _lost(self, command: Command, error: errors.NotSent) -> errors.RemotingError:
        if command.effect == "read":
            return errors.AnswerLost(self.target.server, error.seen, command)
        return errors.OutcomeUncertain(self.target.server, error.seen, command)

    def _refused(self, command: Command, error: errors.NotSent) -> Reply:
        kind = type(error).__name__
        record = RemoteError(str(error), kind, "OpenError", kind, f"s2slib.remoting.values.errors.{kind}", thrown=True)
        return Reply(self.target.server, command, "refused", errors=(record,))

    # -- process and connection ---------------------------------------------------------------------------------------

    def _twice(self, attempt: Callable[[], list[Reply]]) -> list[Reply]:
        """Once, and once more with a new process where the old one had ended before it got anything."""
        reused = self._process is not None
        try:
            return attempt()
        except _Gone as gone:
            if not reused:
                raise gone.error from gone.error.__cause__ or gone
        try:
            return attempt()
        except _Gone as gone:
            raise gone.error from gone.error.__cause__ or gone

    def _ensure(self, deadline: Deadline) -> tuple[RemoteProcess, Runspaces]:
        if self._process is not None and self._clock() - self._started_at > _MAX_AGE_S:
            self.close()
        if self._process is None or self._runspaces is None:
            if self._connection is None:
                self._connection = self._make_connection()
            self._process = RemoteProcess.start(self._connection, self.target.server, deadline, self._redact)
            self._runspaces = Runspaces(self._process, self.target, self._ledger)
            self._started_at = self._used_at = self._clock()
        return self._process, self._runspaces

    def _discard(self) -> None:
        """Forget the process, ending it as far as that can be done, and the connection."""
        process, self._process, self._runspaces = self._process, None, None
        if process is not None:
            process.close()
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    @contextlib.contextmanager
    def _exclusive(self, timeout_s: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=timeout_s):
            raise errors.Stalled(
                self.target.server, f"another command has been under way for {timeout_s:.0f} s", "wait for it to end"
            )
        try:
            yield
        finally:
            self._lock.release()

    def _check(self, command: Command, ceiling: Effect) -> None:
        if not permits(ceiling, command.effect) or not permits(self.ceiling, command.effect):
            raise errors.EffectRefused(
                self.target.server,
                f"{command.name} is a {command.effect}, and this connection was opened for {ceiling}",
                "run it in the phase that is approved for it",
            )

    # -- redaction ----------------------------------------------------------------------------------------------------

    def _remember(self, secret: Secret | None) -> None:
        if secret is not None and len(text := secret.reveal()) >= 4:
            self._known.add(text)

    def _redact(self, text: str) -> str:
        for secret in tuple(self._known):
            text = text.replace(secret, HIDDEN)
        return self._outer_redact(text)


def _check_secrets(command: Command, given: Mapping[str, Secret]) -> None:
    """InvalidCommand when the secrets that a command names and those handed over beside it differ."""
    values = getattr(command, "parameters", {}).values()
    named = {value.name for value in values if isinstance(value, SecretRef | CredentialRef)}
    if named != set(given):
        raise InvalidCommand(f"{command.name} names the secrets {sorted(named)}, handed over were {sorted(given)}")


def _whole(value: object) -> int | None:
    return None if value is None else whole(value)


def _with_stray(reply: Reply, stray: str) -> Reply:
    return replace(reply, stray_text=stray)
