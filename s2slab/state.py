"""The lab's state file: how clients find the lab that is running, and whose it is.

    {"proxy": "http://127.0.0.1:PORT", "ca_file": "...pem beside it",
     "accounts": {"lync": {"user": "LITWAREINC\\\\s2s-lync", "password": "..."}, ...},
     "addresses": {"fqdn:port": "127.0.0.1:port"}, "log": "...jsonl beside it",
     "pid": N, "started": "ISO 8601", "seed": N}

Passwords are throwaway, made at each start. The file is readable by its owner only, replaced as a whole, and removed
with the certificate file when the lab ends; the log stays, for whoever wants to know what happened.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from s2slab.errors import LabError


class LabInUse(LabError):
    """Another lab that is still alive owns the state file."""


class StateFile:
    """One lab's claim on a state file and the files beside it, from `claim` to `release`.

    The claim is a lock of the operating system, so it ends with the process that holds it, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path = path.absolute()
        self.ca_file = path.with_suffix(".ca.pem")
        self.log = log_file(path)
        self._lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)

    def claim(self) -> None:
        """Own the file. Raises LabInUse while another lab does."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise LabInUse(
                f"a lab is already running with {self.path.name}: end it, or name another state file"
            ) from None

    def write(self, content: Mapping[str, Any], ca_pem: bytes) -> None:
        """Publish the certificate, then the state."""
        _replace(self.ca_file, ca_pem)
        _replace(self.path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))

    def release(self) -> None:
        """Remove state and certificate and give the claim up."""
        for path in (self.path, self.ca_file):
            with suppress(OSError):  # gone already, or held open by a reader on Windows
                path.unlink()
        self._lock.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()


def log_file(state: Path) -> Path:
    """Where the transitions of a lab with this state file are kept."""
    return state.with_suffix(".log.jsonl")


def read_log(state: Path) -> Iterator[dict[str, Any]]:
    """The transitions of the lab that is running with this state file, or ran last, oldest first.

    A line that is being written is left out. FileNotFoundError when no lab ever ran with it.
    """
    with log_file(state).open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                row: dict[str, Any] = json.loads(line)
                yield row


def _replace(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, so that readers see the old or the new one and nothing between."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by the owner only
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
