"""A WinRM server whose processes answer like the constant script, in Python: what a link does is tested without PowerShell."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from s2slab.estate.pki import Authority, server_context
from s2slab.winrm import Launch, Logon, ThreadProcess, WinRmServer, WinRmSettings
from s2slib.remoting.link import Endpoint, Link, Target, Timeouts

PASSWORD = "Lab: p\"ass's wörd"
USER = "LITWAREINC\\kenmyer"


@dataclass(frozen=True)
class Hidden:
    """A secret as the product holds one."""

    text: str = field(repr=False)

    def reveal(self) -> str:
        return self.text


@dataclass
class Accounts:
    """kenmyer is an administrator, reader may log on and nothing else. Counts what was asked for."""

    passwords: dict[str, str] = field(default_factory=lambda: {"kenmyer": PASSWORD, "reader": "only reads"})
    asked: int = 0

    def password(self, domain: str, user: str) -> str | None:
        self.asked += 1
        return self.passwords.get(user) if domain.upper() in ("", "LITWAREINC") else None

    def allowed(self, logon: Logon) -> bool:
        return logon.user != "reader"


def text(value: str) -> str:
    return base64.b64encode(value.encode("utf-8")).decode("ascii")


def words(value: str) -> str:
    return base64.b64decode(value).decode("utf-8")


class Reader:
    """What a double of the script does with one request: override `run`."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.secrets: list[dict[str, str]] = []
        self.started = 0

    def names(self) -> list[str]:
        return [words(request["command"]) for request in self.seen if request["op"] == "run"]

    def run(self, request: dict[str, Any], double: Double) -> dict[str, Any] | None:
        """The answer's fields; None: say nothing."""
        return {"output": [text(words(request["command"]))]}


class Double:
    """One process: reads the script and the nonce, then answers requests."""

    def __init__(
        self,
        reader: Reader,
        stdin: BinaryIO,
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
        stop: threading.Event,
    ) -> None:
        self.reader, self.stdin, self.stdout, self.stderr, self.stop = reader, stdin, stdout, stderr, stop
        self.nonce = ""
        self.last: dict[str, Any] | None = None
        self.known = 0
        self.held: dict[str, str] = {}

    def serve(self) -> int:
        script = base64.b64decode(self.stdin.readline())
        assert b"param($in, $nonce)" in script
        self.nonce = self.stdin.readline().decode("ascii").strip()
        self.reader.started += 1
        ready = {"state": "ready", "version": text("5.1"), "language": text("FullLanguage"), "culture": text("en-US")}
        self.frame({"id": 0, **ready, "pid": 4242})
        for line in self.stdin:
            if self.stop.is_set():
                return 1
            if line == b"\n":
                continue
            if line.startswith(b"!"):
                name, value = line[1:].decode("ascii").split()
                self.held[name] = words(value)
                continue
            request = json.loads(base64.b64decode(line))
            known, self.known = self.known, max(self.known, request["id"])
            if request["id"] <= known:
                continue
            self.reader.seen.append(request)
            code = self.answer(request, known)
            if code is not None:
                return code
            self.held.clear()
        return 0

    def answer(self, request: dict[str, Any], known: int) -> int | None:
        if request["op"] == "again":
            if self.last is not None:
                self.frame(self.last)
            self.frame({"id": request["id"], "state": "completed", "seen": known})
        elif request["op"] == "run":
            self.reader.secrets.append(dict(self.held))
            answer = self.reader.run(request, self)
            if answer is None:
                return None
            if "end_with" in answer:
                return int(answer["end_with"])
            self.last = {"id": request["id"], "state": "completed", "errors": [], "exit": None, "ms": 1, **answer}
            self.frame(self.last)
        else:
            self.frame({"id": request["id"], "state": "completed"})
        return None

    def frame(self, payload: dict[str, Any]) -> None:
        raw = json.dumps(payload, separators=(",", ":")).encode("ascii")
        digest = hashlib.sha256(raw).digest()[:8].hex("-").upper()
        self.stdout(f"<{self.nonce} {len(raw)} {digest} ".encode("ascii") + raw + b">\r\n")


@dataclass
class Host:
    """A running server, what it launched, and targets that lead to it."""

    server: WinRmServer
    accounts: Accounts
    http: int
    https: int
    ca_file: Path
    processes: list[ThreadProcess]
    launches: list[Launch]

    @property
    def settings(self) -> WinRmSettings:
        return self.server.settings

    def target(self, transport: Any = "ntlm", *, tls: bool = False, **changes: Any) -> Target:
        port = self.https if tls else self.http
        fields: dict[str, Any] = {
            "server": "atl-cs-001.litwareinc.com",
            "url": f"http{'s' if tls else ''}://127.0.0.1:{port}/wsman",
            "transport": transport,
            "user": USER,
            "secret": Hidden(PASSWORD),
            "ca_file": self.ca_file,
            "timeouts": Timeouts(connect_s=2.0, operation_s=2, load_s=10.0, grace_s=1.0),
            **changes,
        }
        return Target(**fields)

    def link(
        self,
        transport: Any = "ntlm",
        *,
        ceiling: Any = "write",
        tls: bool = False,
        clock: Callable[[], float] = time.monotonic,
        **changes: Any,
    ) -> Link:
        return Link(self.target(transport, tls=tls, **changes), ceiling=ceiling, clock=clock, sleep=lambda _: None)

    def shells_left(self) -> int:
        """Processes that are still running, after those that were told to end had a moment to."""
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline and any(not process.join(0) for process in self.processes):
            time.sleep(0.01)
        return sum(not process.join(0) for process in self.processes)


class Clock:
    """A clock that can be set forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def make_tls(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The certificate file of a throwaway authority, and the context of a server on 127.0.0.1 under it."""
    authority = Authority()
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(authority.certificate_pem)
    return ca_file, server_context(authority.issue("atl-cs-001", names=("127.0.0.1",)))


def start_host(reader: Reader, tls: tuple[Path, ssl.SSLContext]) -> Host:
    """A server on loopback whose every process is a double of the constant script."""
    processes: list[ThreadProcess] = []
    launches: list[Launch] = []

    def launcher(launch: Launch) -> ThreadProcess:
        launches.append(launch)
        processes.append(ThreadProcess(lambda i, o, e, stop: Double(reader, i, o, e, stop).serve()))
        return processes[-1]

    accounts = Accounts()
    server = WinRmServer(name="atl-cs-001", authenticate=accounts, launcher=launcher)
    return Host(server, accounts, server.listen_http(), server.listen_https(tls[1]), tls[0], processes, launches)


EXCHANGE = Endpoint(uri="http://ex/PowerShell/", configuration="Microsoft.Exchange")
