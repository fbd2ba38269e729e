"""The lab as a whole: the estate with its web sites, WinRM services and proxy, started and stopped together."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from s2slab.engine.bridge import Event, Side
from s2slab.engine.direct import DirectEngine
from s2slab.engine.real import EngineUnavailable, RealEngine, Workshop
from s2slab.estate.clock import LabClock
from s2slab.estate.estate import Account, Estate, Server
from s2slab.estate.pki import server_context
from s2slab.estate.session import LabSession
from s2slab.machine.machine import LabMachine
from s2slab.network.network import Network
from s2slab.network.proxy import ForwardProxy
from s2slab.scenario import Scenario, build_estate
from s2slab.state import LabInUse, StateFile, read_log
from s2slab.web.web import WebSites
from s2slab.winrm import Logon, WinRmServer, WinRmSettings, launch_windows
from s2slab.winrm.launch import Engine

__all__ = ["EngineUnavailable", "Lab", "LabInUse", "read_log", "serve"]

HTTP_PORT = 5985
HTTPS_PORT = 5986
ENGINES = ("direct", "pwsh")
POLL_S = 0.5  # how soon Ctrl-C is noticed where waiting cannot be interrupted


class Lab:
    """An embedded lab. `start` brings it up (seconds at most), `close` leaves nothing behind but the log.

    `state` names the state file to publish; without one the lab is for the process that made it. `clock` is the estate's;
    without one it begins now. `engine` is what a powershell.exe is; the direct one by default, and whoever hands another in
    closes it. `estate`, `network` and the WinRM services (`winrm`, by FQDN) are there from `start` on.
    """

    def __init__(
        self,
        seed: int = 1,
        clock: LabClock | None = None,
        *,
        scenario: Scenario | None = None,
        state: Path | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._seed = seed
        self._clock = clock
        self._scenario = scenario
        self._state = None if state is None else StateFile(state)
        self.engine: Engine = DirectEngine() if engine is None else engine
        self._open = ExitStack()
        self._workshop: Workshop | None = None
        self.estate: Estate
        self.network: Network
        self.winrm: dict[str, WinRmServer] = {}
        self.proxy_port = 0

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Lab:
        """Bring everything up. Raises LabInUse when a live lab owns the state file."""
        with ExitStack() as opening:
            if self._state is not None:
                self._state.claim()
                opening.callback(self._state.release)
            self.estate = build_estate(
                seed=self._seed,
                clock=self._clock,
                log_path=None if self._state is None else self._state.log,
                scenario=self._scenario,
            )
            self.network = Network(self.estate)
            if self._state is not None:
                self._workshop = self.engine.workshop if isinstance(self.engine, RealEngine) else Workshop()
                self._workshop.console = self._console
                if not isinstance(self.engine, RealEngine):
                    opening.callback(self._workshop.close)
            proxy = ForwardProxy(self.network)
            self.proxy_port = proxy.start()
            opening.callback(proxy.close)
            opening.callback(WebSites(self.estate, self.network).close)
            for server in self.estate.servers.values():
                self.winrm[server.fqdn] = opening.enter_context(self._winrm(server))
            if self._state is not None:
                self._state.write(self.to_json(), self.estate.authority.certificate_pem)
            self._open = opening.pop_all()
        return self

    def close(self) -> None:
        """Stop everything: processes, connections, threads, files. Safe to call twice."""
        self._open.close()

    @property
    def proxy(self) -> str:
        """The URL of the forward proxy."""
        return f"http://127.0.0.1:{self.proxy_port}"

    def user(self, account: Account) -> str:
        """An account's name as it logs on: `DOMAIN\\name`."""
        return f"{self.estate.netbios}\\{account.name}"

    def to_json(self) -> dict[str, Any]:
        """The content of the state file. An account's key is its name without the common `s2s-`."""
        accounts = {
            name.removeprefix("s2s-"): {"user": self.user(account), "password": account.password}
            for name, account in self.estate.accounts.items()
        }
        files = {} if self._state is None else {"ca_file": str(self._state.ca_file), "log": str(self._state.log)}
        doors = {} if self._workshop is None else {"bridge": self._workshop.door()}
        return {
            "proxy": self.proxy,
            **files,
            **doors,
            "accounts": accounts,
            "addresses": self.network.ports(),
            "pid": os.getpid(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": self._seed,
        }

    def _console(self, request: Event) -> tuple[Event, Side]:
        """A side for somebody who sits at a server, logged on there. KeyError for a name that the estate does not have."""
        server = self.estate.server(str(request.get("server")))
        named = request.get("account") or ("s2s-exchange" if server.is_exchange else "s2s-lync")
        account = self.estate.accounts[str(named).rsplit("\\", 1)[-1].lower()]
        machine = LabMachine(self.estate, server, self.network)
        session = LabSession(account, "interactive", delegated=True, network_logon=False)
        modules = ",".join(module.name for module in machine.registry.modules())
        title = (
            "Welcome to the Exchange Management Shell!" if server.is_exchange else f"{modules} Server Management Shell"
        )
        return {"S2S_LAB_TITLE": title, "S2S_LAB_MODULES": modules}, Side(machine.registry, machine, session)

    def _winrm(self, server: Server) -> WinRmServer:
        machine = LabMachine(self.estate, server, self.network)
        service = WinRmServer(
            name=server.name,
            authenticate=ServerAccounts(self.estate, server),
            launcher=partial(launch_windows, machine=machine, session_of=machine.session_of, engine=self.engine),
            settings=WinRmSettings(),
        )
        self.network.register(server.fqdn, HTTP_PORT, service.listen_http())
        self.network.register(server.fqdn, HTTPS_PORT, service.listen_https(server_context(server.tls)))
        return service


class ServerAccounts:
    """The domain's accounts as the WinRM service of one server checks them."""

    def __init__(self, estate: Estate, server: Server) -> None:
        self._estate = estate
        self._server = server

    def password(self, domain: str, user: str) -> str | None:
        """The password of an account named with the domain's NetBIOS or DNS name, or without a domain."""
        if domain.lower() not in ("", self._estate.netbios.lower(), self._estate.domain.lower()):
            return None
        account = self._estate.accounts.get(user.lower())
        return None if account is None else account.password

    def allowed(self, logon: Logon) -> bool:
        """Whether the account may open a shell: local administrators only."""
        account = self._estate.accounts.get(logon.user.lower())
        return account is not None and account.may_administer(self._server.fqdn)


def engine_named(name: str | None) -> Engine:
    """The engine of that name; `S2S_LAB_ENGINE` without one, else the direct one. Raises EngineUnavailable."""
    wanted = name or os.environ.get("S2S_LAB_ENGINE") or "direct"
    if wanted not in ENGINES:
        raise EngineUnavailable(f"there is no engine {wanted!r}; allowed are {' and '.join(ENGINES)}")
    return DirectEngine() if wanted == "direct" else RealEngine()


def serve(state: Path, *, seed: int = 1, engine: str | None = None) -> int:
    """Run a lab with this state file until Ctrl-C or a request to terminate; prints `lab ready` when it is.

    Returns the exit code. Raises LabInUse when a live lab owns the state file, EngineUnavailable without its PowerShell.
    """
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    chosen = engine_named(engine)
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Lab(seed, state=state, engine=chosen):
            print("lab ready", flush=True)
            while not stop.wait(POLL_S):
                pass
    finally:
        chosen.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
