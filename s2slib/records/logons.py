"""Rejected logons of a run, in its folder: no process of the run tries an account again that the directory rejected.

    logons.json   {"salt": hex, "rejected": {account: {"at": instant, "server": name, "check": 4 hex digits}}}

`check` is 16 bits of a slow, salted hash of the rejected password. It shows that a password was changed, which allows the next
try; of 65,536 passwords one fits by chance, so it says next to nothing about which one it was.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from s2slib.records.files import write_json
from s2slib.records.instants import utc_text

FILE = "logons.json"
_LOCK_S = 30
_COST = {"n": 2**14, "r": 8, "p": 1}


class Revealing(Protocol):
    """A secret."""

    def reveal(self) -> str:
        """Its text."""


class RejectedLogons:
    """The rejections of one run. A file that is not readable counts as none: it only ever spares an attempt."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self.way_out = f"run `s2s unlock {folder.name} --logons`"

    def rejected(self, account: str, secret: Revealing | None) -> str:
        """When and where this account was rejected with this secret; "" if it was not."""
        known = self._read()
        found = known["rejected"].get(account)
        if not isinstance(found, dict) or found.get("check") != _check(known["salt"], secret):
            return ""
        return f"at {found.get('at')} on {found.get('server')}"

    def note(self, account: str, server: str, secret: Revealing | None) -> None:
        """Remember a rejection."""
        with FileLock(f"{self._file}.lock", timeout=_LOCK_S):
            known = self._read()
            known["rejected"][account] = {"at": utc_text(), "server": server, "check": _check(known["salt"], secret)}
            write_json(self._file, known)

    def forget(self) -> tuple[str, ...]:
        """Allow every account to be tried again; those that were withheld."""
        accounts = tuple(sorted(self._read()["rejected"]))
        self._file.unlink(missing_ok=True)
        return accounts

    def _read(self) -> dict[str, Any]:
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(known["rejected"], dict) and bytes.fromhex(known["salt"]):
                return dict(known)
        except (OSError, ValueError, TypeError, KeyError):
            pass
        return {"salt": secrets.token_hex(16), "rejected": {}}


def _check(salt: str, secret: Revealing | None) -> str:
    if secret is None:
        return ""
    text = secret.reveal().encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=bytes.fromhex(salt), dklen=2, **_COST).hex()
