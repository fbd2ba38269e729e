"""Runs one command of the estate without PowerShell text: as its specification, with values that are bound already."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, NoReturn

from s2slib.lab.endpoint import LabEndpoint
from s2slib.lab.estate import Estate
from s2slib.lab.machine import LabMachine
from s2slib.lab.powershell.registry import BindError, Call, CmdletSpec, ProgramCall, Registry
from s2slib.lab.powershell.values import PsObject
from s2slib.lab.session import LabSession


class Ended(Exception):
    """A terminating error; `id` and `message` as written."""

    def __init__(self, message: str, id: str, category: str) -> None:
        super().__init__(message)
        self.message, self.id, self.category = message, id, category


@dataclass
class Outcome:
    """What one command left on its streams."""

    output: list[Any] = field(default_factory=list)
    errors: list[Ended] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    verbose: list[str] = field(default_factory=list)
    what_if: list[str] = field(default_factory=list)

    @property
    def one(self) -> PsObject:
        """The only object."""
        assert len(self.output) == 1, self
        assert isinstance(self.output[0], PsObject)
        return self.output[0]


@dataclass
class Host:
    """The evaluator's side of a call."""

    outcome: Outcome
    what_if: bool

    def warning(self, text: str) -> None:
        self.outcome.warnings.append(text)

    def verbose(self, text: str) -> None:
        self.outcome.verbose.append(text)

    def debug(self, text: str) -> None: ...

    def host(self, text: str) -> None: ...

    def progress(self, activity: str, status: str, percent: int) -> None: ...

    def write_error(self, message: str, id: str, category: str, target: object, exception: str) -> None:
        self.outcome.errors.append(Ended(message, id, category))

    def throw(self, message: str, id: str, category: str, target: object, exception: str) -> NoReturn:
        raise Ended(message, id, category)

    def should_process(self, target: str, action: str | None) -> bool:
        self.outcome.what_if.append(target)
        return not self.what_if


class Shell:
    """One account's session on a server, or inside an endpoint of it."""

    def __init__(self, machine: Any, registry: Registry, session: LabSession) -> None:
        self.machine, self.registry, self.session = machine, registry, session

    def has(self, name: str) -> bool:
        """Whether the command is there."""
        return self._find(name) is not None

    def run(self, name: str, *, what_if: bool = False, **values: Any) -> Outcome:
        """Run a cmdlet; raises Ended for a terminating error, BindError where binding fails."""
        spec = self._find(name)
        assert spec is not None, f"{name} is not there"
        known = {parameter.name: parameter for parameter in spec.parameters}
        assert set(values) <= set(known), f"{name} has no {set(values) - set(known)}"
        chosen = {s for key in values for s in known[key].sets} or {spec.default_set}
        missing = [p.name for p in spec.parameters if p.mandatory and p.name not in values and _in(p.sets, chosen)]
        assert not missing, f"{name} needs {missing}"
        outcome = Outcome()
        call = Call(
            spec.name,
            {},
            next(iter(chosen)),
            machine=self.machine,
            session=self.session,
            stopping=threading.Event(),
            host=Host(outcome, what_if),
        )
        for key, value in values.items():
            transform = known[key].transform
            call.parameters[key] = value if transform is None else transform(call, value)
        outcome.output.extend(spec.run(call) or ())
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
        settings = {"authentication": "Kerberos", **more}
        return self.machine.open_endpoint(  # type: ignore[no-any-return]
            self.session, uri=uri, computer=None, configuration=configuration, credential=credential, **settings
        )

    def _find(self, name: str) -> CmdletSpec | None:
        spec = self.registry.cmdlet(name)
        if spec is not None:
            return spec
        found = self.registry.in_modules(name)
        return None if found is None else found[1]


def _in(sets: tuple[str, ...], chosen: set[str]) -> bool:
    return not sets or bool(set(sets) & chosen)


def on(
    estate: Estate, server: str, account: str = "s2s-lync", *, delegated: bool = False, method: str = "ntlm"
) -> Shell:
    """A remote shell on a server: a network logon, with or without a credential that came along."""
    machine = LabMachine(estate, estate.server(server))
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


__all__ = ["BindError", "Ended", "Outcome", "Shell", "exchange", "inside", "ocs", "on"]
