"""Runs one command of the estate without PowerShell text: as its specification, with values that are bound already."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from s2slab.engine.binder import Binder
from s2slab.engine.records import ErrorRecord, Failed
from s2slab.engine.registry import CmdletSpec, Opening, ProgramCall, Registry
from s2slab.engine.running import Place, run_cmdlet
from s2slab.engine.values import PsObject
from s2slab.estate.estate import Estate
from s2slab.estate.session import LabSession
from s2slab.machine.endpoint import LabEndpoint
from s2slab.machine.machine import LabMachine
from s2slab.network.network import Network


class Ended(Exception):
    """A terminating error; `id` and `message` as written."""

    def __init__(self, message: str, id: str, category: str) -> None:
        super().__init__(message)
        self.message, self.id, self.category = message, id, category

    @classmethod
    def of(cls, record: ErrorRecord) -> Ended:
        """The record, its id without the cmdlet's name."""
        return cls(record.message, record.id.rpartition(",")[0], record.category)


@dataclass
class Outcome:
    """What one command left on its streams."""

    output: list[Any] = field(default_factory=list)
    errors: list[Ended] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    verbose: list[str] = field(default_factory=list)
    what_if: list[str] = field(default_factory=list)

    def put(self, kind: str, what: Any) -> None:
        """Take what the cmdlet writes."""
        if kind == "error":
            self.errors.append(Ended.of(what))
        elif kind == "host":
            self.what_if += re.findall(r'on target "(.*)"', what)
        else:
            {"out": self.output, "warning": self.warnings, "verbose": self.verbose}[kind].append(what)

    @property
    def one(self) -> PsObject:
        """The only object."""
        assert len(self.output) == 1, self
        assert isinstance(self.output[0], PsObject)
        return self.output[0]


class Shell:
    """One account's session on a server, or inside an endpoint of it."""

    def __init__(self, machine: Any, registry: Registry, session: LabSession) -> None:
        self.machine, self.registry, self.session = machine, registry, session
        self.stopping = threading.Event()

    def has(self, name: str) -> bool:
        """Whether the command is there."""
        return self._find(name) is not None

    def run(self, name: str, *, what_if: bool = False, **values: Any) -> Outcome:
        """Run a cmdlet, bound as the engine binds; raises Ended for a terminating error, binding's included."""
        spec = self._find(name)
        assert spec is not None, f"{name} is not there"
        binder, outcome = Binder(spec), Outcome()
        try:
            binder.bind(list(values.items()))
            bound = {**binder.values, **({"WhatIf": True} if what_if else {})}
            at = Place(self.machine, self.session)
            run_cmdlet(spec, bound, binder.parameter_set, at, outcome.put, self.stopping)
        except Failed as failure:
            raise Ended.of(failure.record) from None
        return outcome

    def program(self, name: str, *argv: str) -> tuple[int, str]:
        """Run a native program: exit code and everything it wrote."""
        spec = self.registry.program(name)
        assert spec is not None, f"{name} is not there"
        lines: list[str] = []
        call = ProgramCall(list(argv), lines.append, lines.append, self.machine, self.session, "p", threading.Event())
        return spec.run(call), "".join(lines)

    def enter(
        self, uri: str, configuration: str, credential: tuple[str, str] | None = None, **more: str
    ) -> LabEndpoint:
        """Open an endpoint from here."""
        wanted = Opening(uri, None, configuration, more.get("authentication", "Kerberos"), credential)
        return self.machine.open_endpoint(self.session, wanted)  # type: ignore[no-any-return]

    def _find(self, name: str) -> CmdletSpec | None:
        spec = self.registry.cmdlet(name)
        if spec is not None:
            return spec
        found = self.registry.in_modules(name)
        return None if found is None else found[1]


NETWORKS: WeakKeyDictionary[Estate, Network] = WeakKeyDictionary()  # of the estates whose web sites are up


def on(
    estate: Estate, server: str, account: str = "s2s-lync", *, delegated: bool = False, method: str = "ntlm"
) -> Shell:
    """A remote shell on a server: a network logon, with or without a credential that came along."""
    machine = LabMachine(estate, estate.server(server), NETWORKS.get(estate))
    session = LabSession(estate.accounts[account], method, delegated=delegated)
    return Shell(machine, machine.registry, session)


def exchange(estate: Estate, server: str = "atl-exchange-001", account: str = "s2s-exchange") -> Shell:
    """The Exchange endpoint of a server, entered with an explicit credential."""
    shell = on(estate, server, account)
    credential = (f"LITWAREINC\\{account}", estate.accounts[account].password)
    uri = f"http://{estate.server(server).fqdn}/PowerShell/"
    return inside(shell.enter(uri, "Microsoft.Exchange", credential))


def ocs(estate: Estate, server: str = "atl-fe-001", account: str = "s2s-lync") -> Shell:
    """Lync's endpoint of a front end, entered with an explicit credential."""
    shell = on(estate, server, account)
    credential = (f"{account}@litwareinc.com", estate.accounts[account].password)
    uri = f"https://{estate.server(server).fqdn}/OcsPowershell"
    return inside(shell.enter(uri, "Microsoft.PowerShell", credential, authentication="Negotiate"))


def inside(endpoint: LabEndpoint) -> Shell:
    """A shell on the far side of an endpoint."""
    return Shell(endpoint.machine, endpoint.registry, endpoint.session)


__all__ = ["Ended", "Outcome", "Shell", "exchange", "inside", "ocs", "on"]
