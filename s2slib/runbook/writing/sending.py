"""Sending the commands of one change: each reply journalled, every way it can end told apart, deadlines per command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from s2slib.remoting.values.errors import NotSent, OutcomeUncertain, RemotingError
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.model.change import Change, Step
from s2slib.runbook.model.limits import command_s, restarts
from s2slib.runbook.reading.estates import Estates
from s2slib.runbook.reading.scope import Scope

QUOTED_TEXT = 4_000

Note = Callable[..., None]
"""(event, **data): one line for the journal."""


@dataclass(frozen=True)
class Sent:
    """How sending ended. `failure` is empty when all went well; `was_lost`: a command may still be running on the server."""

    failure: str = ""
    was_lost: bool = False
    was_started: bool = True  # False: not even the first command reached its server


class Sender:
    """Runs the steps of changes on their servers, one command at a time."""

    def __init__(self, scope: Scope, estates: Estates, note: Note) -> None:
        self._scope = scope
        self._estates = estates
        self._note = note

    def run(self, change: Change, steps: tuple[Step, ...], *, journalled: bool = True) -> Sent:
        """Run steps in order up to the first that fails. JournalError when a reply cannot be recorded."""
        note = self._note if journalled else _nowhere
        timeouts = self._scope.deployment.network.timeouts_s
        for number, step in enumerate(steps):
            if restarts(step):  # it ends every Exchange session through that server (rule R28)
                self._estates.drop(self._scope.all_servers)
            named = {"change": change.id, "server": step.server, "line": step.render()}
            try:
                reply = self._estates.run(step.server, step.command, timeout_s=float(command_s(timeouts, step)))
            except OutcomeUncertain as error:
                note("reply", **named, lost=str(error))
                return Sent(str(error), was_lost=True)
            except NotSent as error:
                note("reply", **named, error=str(error), not_sent=True)
                return Sent(str(error), was_lost=number > 0, was_started=number > 0)
            except RemotingError as error:
                note("reply", **named, error=str(error))
                return Sent(str(error))
            note("reply", **named, **_quoted(reply))
            if reply.state != "completed" or reply.errors or reply.exit_code not in (None, 0):
                return Sent(_complaint(reply), was_lost=reply.state == "timed_out")
        return Sent()


def _nowhere(_event: str, **_data: Any) -> None:
    """Takes the place of a journal that cannot be written."""


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
