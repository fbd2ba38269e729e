"""What the running lab left for its clients: proxy, CA and accounts, made anew at each start.

The file is written by the lab (readable by its owner only) and named by `S2S_LAB_STATE`, else it is `lab.json` in the
workspace's `runs/`:

    {"proxy": "http://127.0.0.1:PORT", "ca_file": "...", "accounts": {"lync": {"user": ..., "password": ...}},
     "addresses": {"fqdn:port": "127.0.0.1:port"}, "pid": N, "started": "ISO 8601"}
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from s2slib.credentials.secret import Secret
from s2slib.errors import S2SError
from s2slib.records.files import read_json

VARIABLE = "S2S_LAB_STATE"
START = "start it with `s2s lab`"
_CONNECT_S = 1.0


class LabStateError(S2SError):
    """The lab's state file is missing, unreadable or left by a lab that has ended; says to start `s2s lab`."""


@dataclass(frozen=True)
class LabAccount:
    """A throwaway account of the lab."""

    user: str
    secret: Secret


@dataclass(frozen=True)
class LabState:
    """How to reach the lab that is running now.

    `addresses` maps `fqdn:port` to the loopback address that serves clients without proxy support.
    """

    proxy: str
    ca_file: Path
    accounts: Mapping[str, LabAccount]
    addresses: Mapping[str, str]
    pid: int
    started: str

    def account(self, name: str) -> LabAccount:
        """The lab's account of that name; LabStateError names those there are."""
        try:
            return self.accounts[name]
        except KeyError:
            known = ", ".join(sorted(self.accounts)) or "none"
            raise LabStateError(f"the lab has no account {name!r}; it has: {known}") from None


def lab_state_file(runs: Callable[[], Path], environ: Mapping[str, str] | None = None) -> Path:
    """Where the lab's state file is: `S2S_LAB_STATE`, else `lab.json` in the runs folder (looked up only then)."""
    named = (os.environ if environ is None else environ).get(VARIABLE)
    return Path(named) if named else runs() / "lab.json"


def read_lab_state(file: Path, *, is_listening: Callable[[str, int], bool] | None = None) -> LabState:
    """The state of the running lab.

    Whether it still runs is judged by its proxy answering on its port (a process id may long belong to another
    process). Raises LabStateError.
    """
    state = _parsed(_content(file), file.name)
    address = urlsplit(state.proxy)
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host = port = None
    if address.scheme != "http" or not host or not port:
        raise _malformed(file.name, "proxy")
    if not (is_listening or _is_listening)(host, port):
        raise LabStateError(
            f"the lab of {state.started} (process {state.pid}) no longer answers at {host}:{port}: {START} again"
        )
    if not state.ca_file.is_file():
        raise LabStateError(f"the lab's CA file {state.ca_file.name} is gone: {START} again")
    return state


def _content(file: Path) -> object:
    failure: str
    try:
        content: object = read_json(file)
        return content
    except FileNotFoundError:
        failure = f"no lab is running (there is no {file.name}): {START}"
    except (OSError, ValueError) as error:
        failure = f"{file.name} cannot be read ({type(error).__name__}): end the lab and {START}"
    # Raised outside the handler: a JSON error keeps the document, and that has passwords in it.
    raise LabStateError(failure)


def _parsed(raw: object, name: str) -> LabState:
    if not isinstance(raw, dict):
        raise _malformed(name, "the whole file")
    accounts: dict[str, LabAccount] = {}
    for key, entry in _mapping(raw, "accounts", name).items():
        if not isinstance(entry, dict):
            raise _malformed(name, f"accounts.{key}")
        accounts[str(key)] = LabAccount(_text(entry, "user", name), Secret(_text(entry, "password", name)))
    pid = raw.get("pid")
    if not isinstance(pid, int):
        raise _malformed(name, "pid")
    return LabState(
        proxy=_text(raw, "proxy", name),
        ca_file=Path(_text(raw, "ca_file", name)),
        accounts=MappingProxyType(accounts),
        addresses=MappingProxyType({str(k): str(v) for k, v in _mapping(raw, "addresses", name).items()}),
        pid=pid,
        started=_text(raw, "started", name),
    )


def _text(raw: Mapping[object, object], key: str, name: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise _malformed(name, key)
    return value


def _mapping(raw: Mapping[object, object], key: str, name: str) -> Mapping[object, object]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise _malformed(name, key)
    return value


def _malformed(name: str, key: str) -> LabStateError:
    return LabStateError(
        f"{name} is not a lab's state file ({key} is missing or of the wrong kind): end the lab and {START}"
    )


def _is_listening(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S):
            return True
    except OSError:
        return False
