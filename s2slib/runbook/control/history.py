"""What a run has done so far, as its journal says: changes begun, how each ended, and the values they brought."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from s2slib.facts import Json
from s2slib.records.journal import Entry, JournalError
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.outcome import OVER, SAYS_NOTHING, WRITTEN
from s2slib.typed import from_json

UNDO = "undo."


@dataclass(frozen=True)
class Begun:
    """A change whose intent is in the journal. `state` is that of its last outcome; empty while there is none.

    `limit_s`: how long its commands may run on the server. `left_something`: an earlier attempt of this run took effect
    in part.
    """

    change: Change
    at: datetime
    state: str = ""
    by_hand: bool = False
    limit_s: int = 0
    left_something: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is not known yet what became of it."""
        return self.state in ("", "uncertain")

    @property
    def may_have_written(self) -> bool:
        """Whether something of it may be there."""
        return self.state in ("", *WRITTEN) or self.left_something


@dataclass
class History:
    """Changes begun, oldest first by id, the values that later commands need, and which changes have nothing left to do."""

    begun: dict[str, Begun] = field(default_factory=dict)
    bound: dict[str, Json] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> History:
        """The history that journal entries tell."""
        history = cls()
        for entry in entries:
            history.note(entry)
        return history

    def note(self, entry: Entry) -> None:
        """Take in one more entry."""
        data = entry.data
        if entry.event == "intent":
            self._intent(entry)
        elif entry.event == "outcome":
            self.bound.update(data.get("bound", {}))
            (self.over.add if data["state"] in OVER else self.over.discard)(data["change"])
            if data["change"] in self.begun and data["state"] not in SAYS_NOTHING:
                self._update(data["change"], state=str(data["state"]))

    def _intent(self, entry: Entry) -> None:
        try:
            change = from_json(Change, entry.data["change"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise JournalError(
                f"line {entry.number} of the journal is an intent of another version of the product ({type(error).__name__})"
            ) from None
        for name, value in entry.data.get("bound", {}).items():
            self.bound.setdefault(name, value)
        at = datetime.fromisoformat(entry.at)
        self.over -= {step.id for step in change.undo}  # made again: it can be taken back again
        before = self.begun.pop(change.id, None)
        self.begun[change.id] = Begun(
            change,
            at,
            by_hand=bool(entry.data.get("by_hand")),
            limit_s=int(entry.data.get("limit_s", 0)),
            left_something=before is not None and before.may_have_written,
        )

    def _update(self, change_id: str, **values: Any) -> None:
        self.begun[change_id] = replace(self.begun[change_id], **values)

    def open(self) -> list[Begun]:
        """Changes whose outcome is not known, oldest first."""
        return [item for item in self.begun.values() if item.is_open]

    def written(self) -> list[Change]:
        """Changes of the plan that may have left something, oldest first; those of the back-out are not among them."""
        return [
            item.change
            for change_id, item in self.begun.items()
            if item.may_have_written and not change_id.startswith(UNDO)
        ]

    @property
    def backed_out(self) -> bool:
        """Whether a back-out of this run has begun."""
        return any(change_id.startswith(UNDO) for change_id in self.begun)
