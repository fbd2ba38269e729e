"""One try per account: a rejected logon is remembered, so that a wrong password cannot lock the account out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from s2slib.remoting.values.errors import AttemptWithheld, AuthenticationFailed, LogonNotTried, Stalled
from s2slib.remoting.values.target import Secret


class Memory(Protocol):
    """Remembers rejected logons for every process of a run."""

    def rejected(self, account: str, secret: Secret | None) -> str:
        """When and where this account was rejected with this secret; "" if it was not."""

    def note(self, account: str, server: str, secret: Secret | None) -> None:
        """Remember a rejection."""

    @property
    def way_out(self) -> str:
        """What a person does to have the account tried again as it is."""


class Forgetful:
    """The memory of a run that is this process alone."""

    way_out = "start a new run"

    def rejected(self, account: str, secret: Secret | None) -> str:
        """Never."""
        return ""

    def note(self, account: str, server: str, secret: Secret | None) -> None:
        """Nothing."""


class AttemptLedger:
    """Which accounts were accepted or rejected in this run; shared by every connection of a run. Thread-safe.

    `memory` carries the rejections to the other processes of the run and is asked before any logon.

    | account so far | what an attempt does |
    | --- | --- |
    | unknown | goes alone: others with the same account wait for its result |
    | accepted | goes at once |
    | rejected | is not made: AttemptWithheld |

    A directory counts bad passwords per account, whatever server they are tried on; five servers in parallel with one
    wrong password are five bad attempts.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Forgetful()
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._results: dict[str, Literal["accepted", "rejected"]] = {}

    @contextmanager
    def attempt(self, server: str, user: str, *, timeout_s: float, secret: Secret | None = None) -> Iterator[None]:
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
            before = self._memory.rejected(key, secret) if alone else ""
            if before or self._result(key) == "rejected":
                raise AttemptWithheld(
                    server,
                    f"account {user} was rejected {before or 'before in this run'} and is not tried again, or it could be "
                    "locked",
                    f"correct the password or the account; to have it tried again as it is, {self._memory.way_out}",
                )
            try:
                yield
            except LogonNotTried:
                raise
            except AuthenticationFailed:
                self._settle(key, "rejected")
                self._memory.note(key, server, secret)
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
