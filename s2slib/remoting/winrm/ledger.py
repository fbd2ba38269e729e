"""One try per account: a rejected logon is remembered, so that a wrong password cannot lock the account out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from s2slib.remoting.values.errors import AttemptWithheld, AuthenticationFailed, LogonNotTried, Stalled


class AttemptLedger:
    """Which accounts were accepted or rejected in this run; shared by every connection of a run. Thread-safe.

    | account so far | what an attempt does |
    | --- | --- |
    | unknown | goes alone: others with the same account wait for its result |
    | accepted | goes at once |
    | rejected | is not made: AttemptWithheld |

    A directory counts bad passwords per account, whatever server they are tried on; five servers in parallel with one
    wrong password are five bad attempts.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._results: dict[str, Literal["accepted", "rejected"]] = {}

    @contextmanager
    def attempt(self, server: str, user: str, *, timeout_s: float) -> Iterator[None]:
        """Around one logon. AuthenticationFailed raised inside marks the account, anything else does not.

        Raises AttemptWithheld instead of entering when the account was rejected before, Stalled when another logon of
        the account has no result within `timeout_s`.
        """
        key = account(server, user)
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        alone = self._result(key) != "accepted"
        if alone and not lock.acquire(timeout=timeout_s):
            raise Stalled(
                server,
                f"another logon of account {user} had no result in {timeout_s:.0f} s; only one is made at a time",
                "look at the server that the other logon waits for",
            )
        try:
            if self._result(key) == "rejected":
                raise AttemptWithheld(
                    server,
                    f"account {user} was rejected before in this run and is not tried again, or it could be locked",
                    "correct the password or the account, and start a new run",
                )
            try:
                yield
            except LogonNotTried:
                raise
            except AuthenticationFailed:
                self._settle(key, "rejected")
                raise
            else:
                self._settle(key, "accepted")
        finally:
            if alone:
                lock.release()

    def forget(self, server: str, user: str) -> None:
        """Allow one more try, after somebody corrected the password."""
        with self._guard:
            self._results.pop(account(server, user), None)

    def _result(self, key: str) -> str | None:
        with self._guard:
            return self._results.get(key)

    def _settle(self, key: str, result: Literal["accepted", "rejected"]) -> None:
        with self._guard:
            self._results[key] = result


def account(server: str, user: str) -> str:
    """The account that a bad password counts against: the domain's, or that server's own when no domain is named."""
    name = user.casefold()
    return name if "\\" in name or "@" in name else f"{server.casefold()}\\{name}"
