"""One connection to one server, as the products use it."""

from __future__ import annotations

from s2slib.remoting.ledger import AttemptLedger
from s2slib.remoting.reply import Plain, RemoteError, Reply, State
from s2slib.remoting.target import Credential, Endpoint, Secret, Target, Timeouts

__all__ = [
    "AttemptLedger",
    "Credential",
    "Endpoint",
    "Plain",
    "RemoteError",
    "Reply",
    "Secret",
    "State",
    "Target",
    "Timeouts",
]
