"""What a back-out of several changes runs, from the changes alone."""

from __future__ import annotations

from s2slib.runbook.model.change import Change
from s2slib.runbook.model.plan import back_out_of


def change(change_id: str, *undo: Change) -> Change:
    """A change that is only a name."""
    return Change(change_id, "", "", "", "", (), {}, {}, undo=undo)


def test_a_restart_that_several_changes_want_when_taken_back_comes_once_after_the_last_of_them() -> None:
    restart = change("undo.restart")
    first = change("a", change("undo.a"), restart)
    second = change("b", change("undo.b"), restart)
    assert [step.id for step in back_out_of((first, second))] == ["undo.b", "undo.a", "undo.restart"]
    assert [step.id for step in back_out_of((second,))] == ["undo.b", "undo.restart"]
