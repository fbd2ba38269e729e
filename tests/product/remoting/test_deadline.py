"""Calls that are given up in time, and logons that are tried once."""

from __future__ import annotations

import threading
import time

import pytest

from s2slib.remoting.values.errors import (
    AttemptWithheld,
    AuthenticationFailed,
    ConnectionRefused,
    LogonNotTried,
    Stalled,
)
from s2slib.remoting.winrm.boundary import NoAnswerInTime
from s2slib.remoting.winrm.deadline import Deadline, bounded
from s2slib.remoting.winrm.ledger import AttemptLedger, account


def test_a_call_that_hangs_is_given_up_at_its_deadline() -> None:
    broken = threading.Event()
    started = time.monotonic()

    def hang() -> None:
        broken.wait(30)
        raise ConnectionResetError

    with pytest.raises(NoAnswerInTime):
        bounded(hang, Deadline.after(0.1), broken.set)
    assert broken.is_set()
    assert time.monotonic() - started < 2


def test_a_call_that_ends_gives_what_it_returned_or_raised() -> None:
    assert bounded(lambda: 7, Deadline.after(5), lambda: None) == 7
    with pytest.raises(KeyError):
        bounded(lambda: {}["x"], Deadline.after(5), lambda: None)


def test_a_deadline_counts_on_the_clock_it_was_given() -> None:
    now = [100.0]
    deadline = Deadline.after(10, lambda: now[0])
    assert deadline.left() == 10
    assert deadline.sooner(3).at == 103
    assert deadline.sooner(30).at == 110
    now[0] = 111
    assert deadline.passed()
    assert deadline.left() == 0


@pytest.mark.parametrize(
    ("error", "tried_again"),
    [
        (AuthenticationFailed("s", "x", "y"), False),
        (LogonNotTried("s", "x", "y"), True),
        (ConnectionRefused("s", "x", "y"), True),
    ],
)
def test_only_a_rejected_password_is_remembered(error: Exception, tried_again: bool) -> None:
    ledger = AttemptLedger()
    with pytest.raises(type(error)), ledger.attempt("s", "D\\u", timeout_s=1):
        raise error
    if tried_again:
        with ledger.attempt("s", "D\\u", timeout_s=1):
            pass
    else:
        with pytest.raises(AttemptWithheld), ledger.attempt("other", "d\\U", timeout_s=1):
            pass
        ledger.forget("s", "D\\u")
        with ledger.attempt("s", "D\\u", timeout_s=1):
            pass


def test_a_local_account_counts_on_its_own_server_only() -> None:
    assert account("a", "u") != account("b", "u")
    assert account("a", "D\\u") == account("b", "d\\U")
    assert account("a", "u@d") == account("b", "U@D")


def test_an_accepted_account_is_not_held_up_and_an_unknown_one_waits_its_turn() -> None:
    ledger = AttemptLedger()
    with ledger.attempt("a", "D\\u", timeout_s=1):
        waited: list[type[BaseException] | None] = []

        def second() -> None:
            try:
                with ledger.attempt("b", "D\\u", timeout_s=0.05):
                    waited.append(None)
            except Stalled as error:
                waited.append(type(error))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert waited == [Stalled]
    with ledger.attempt("a", "D\\u", timeout_s=1), ledger.attempt("b", "D\\u", timeout_s=0.05):
        pass
