"""Cmdlets over inner remote sessions: New-PSSession, Import-PSSession, Invoke-Command and what removes them."""

from __future__ import annotations

from typing import Any

from s2slib.lab.powershell import syntax as ast
from s2slib.lab.powershell.builtins import CORE, UTILITY, Builtin, declare
from s2slib.lab.powershell.dotnet_engine import ModuleView
from s2slib.lab.powershell.engine import Frame, Out, ScriptBlock
from s2slib.lab.powershell.errors import ErrorRecord, ExceptionObject, PsError, Unsupported
from s2slib.lab.powershell.parameters import Param, RawArgument, SetData, Signature, common_parameters
from s2slib.lab.powershell.processors import Cmdlet, Processor
from s2slib.lab.powershell.registry import CmdletSpec, EndpointError, Module
from s2slib.lab.powershell.remote import (
    TRANSPORT,
    RemoteStreams,
    Session,
    rebuild,
    run_remote,
    scripts_not_allowed,
)
from s2slib.lab.powershell.runspace import CommandEntry, Wrapper, run_commands
from s2slib.lab.powershell.signatures import signature_of_spec
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, resolve_type

MECHANISMS = f"{SMA}Runspaces.AuthenticationMechanism"


def connect(cmdlet: Cmdlet, opened_with: dict[str, Any], number: int) -> Session:
    """Open an endpoint; EndpointError becomes the cmdlet's error record."""
    engine = cmdlet.f.engine
    arguments = {k: x for k, x in opened_with.items() if k != "name"}
    endpoint = engine.machine.open_endpoint(engine.session, **arguments)
    return Session(engine, endpoint, opened_with, number)


def connection_error(cmdlet: Cmdlet, e: EndpointError) -> ErrorRecord:
    """The record of a session that could not be opened."""
    record = cmdlet.make_record(e.message, e.id, e.category, None, ExceptionObject(TRANSPORT, e.message))
    record.suffix = ""
    record.target_name, record.target_type = "System.Manageme....RemoteRunspace", "RemoteRunspace"
    return record


class NewPSSession(Cmdlet):
    """New-PSSession to an endpoint of the lab."""

    def record(self) -> None:
        for unused in ("SessionOption", "AllowRedirection"):
            self.p.get(unused)
        if any(x in self.p for x in ("CertificateThumbprint", "VMName", "ContainerId", "EnableNetworkAccess")):
            raise Unsupported("New-PSSession with these parameters")
        authentication = self.p["Authentication"].name if "Authentication" in self.p else "Default"
        credential = self.p.get("Credential")
        pair = None if credential is None else (credential.user_name, credential.password.reveal())
        targets: list[tuple[str | None, str | None]] = []
        if "ConnectionUri" in self.p:
            targets = [(u.text, None) for u in self.p["ConnectionUri"]]
        else:
            targets = [(None, to_text(c)) for c in self.p.get("ComputerName") or ["localhost"]]
        for uri, computer in targets:
            number = self.f.engine.console.next_session()
            names = self.p.get("Name")
            opened_with = {
                "uri": uri,
                "computer": computer,
                "configuration": self.p.get("ConfigurationName", "Microsoft.PowerShell"),
                "authentication": authentication,
                "credential": pair,
                "name": to_text(names[0]) if names else None,
            }
            try:
                session = connect(self, opened_with, number)
            except EndpointError as e:
                self.report(connection_error(self, e))
                continue
            self.f.engine.console.sessions.append(session)
            self.out(session)


class SessionCmdlet(Cmdlet):
    """Cmdlets over sessions."""

    def sessions(self) -> list[Session]:
        """The sessions asked for."""
        known: list[Session] = self.f.engine.console.sessions
        if "Session" in self.p:
            return [s for s in self.p["Session"] if isinstance(s, Session)]
        if "Id" in self.p:
            return [s for s in known if s.number in self.p["Id"]]
        if "Name" in self.p:
            wanted = {to_text(n).lower() for n in self.p["Name"]}
            return [s for s in known if s.name.lower() in wanted]
        return list(known)


class GetPSSession(SessionCmdlet):
    """Get-PSSession."""

    def record(self) -> None:
        for session in self.sessions():
            self.out(session)


class RemovePSSession(SessionCmdlet):
    """Remove-PSSession."""

    def record(self) -> None:
        if not any(x in self.p for x in ("Session", "Id", "Name")):
            raise Unsupported("Remove-PSSession without a session")
        for session in self.sessions():
            session.close()
            if session in self.f.engine.console.sessions:
                self.f.engine.console.sessions.remove(session)


class NewPSSessionOption(Cmdlet):
    """New-PSSessionOption: accepted, as the lab's network has none of what it tunes."""

    def record(self) -> None:
        self.out(Wrapper(SMA + "Remoting.PSSessionOption", None))


# -- implicit remoting


class Link:
    """What the proxies of one import share: the session, renewed when it is gone."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def current(self, cmdlet: Cmdlet) -> Session:
        """An open session; a dead one is replaced by a new one opened the same way, without a word."""
        if self.session.state != "Opened":
            try:
                self.session = connect(cmdlet, self.session.opened_with, cmdlet.f.engine.console.next_session())
            except EndpointError as e:
                raise PsError(connection_error(cmdlet, e)) from None
        return self.session


class ProxyInfo:
    """A function that Import-PSSession makes."""

    def __init__(self, spec: CmdletSpec, link: Link, module: str) -> None:
        self.name, self.module, self.link, self.spec = spec.name, module, link, spec
        own = signature_of_spec(spec)
        anything, switch = resolve_type("object"), resolve_type("switch")
        params = [
            Param(p.name, switch if p.is_switch else anything, {n: _loose(d) for n, d in p.sets.items()}, p.aliases,
                  allow_null=True, allow_empty=True, allow_empty_collection=True)
            for p in own.params if not p.common
        ]  # fmt: skip
        self.signature = Signature(
            spec.name, spec.name, params + common_parameters(spec.should_process), own.default_set, compiled=False
        )

    def make(self, f: Frame, out: Out, raw: list[RawArgument], extent: tuple[int, int]) -> Processor:
        """The proxy in a pipeline."""
        return Proxy(f, out, self, raw, extent)


def _loose(data: SetData) -> SetData:
    return SetData(False, data.position, data.from_pipeline, data.by_property_name, data.remaining)


class Proxy(Cmdlet):
    """One call through implicit remoting, by the rules that were recorded.

    A remote terminating error is written, not thrown, unless -ErrorAction Stop was given or the runspace's *global*
    preference is Stop. Warnings go to the host. -ErrorVariable and -WarningVariable stay empty.
    """

    def __init__(self, f: Frame, out: Out, info: ProxyInfo, raw: list[RawArgument], extent: tuple[int, int]) -> None:
        super().__init__(f, out, info.signature, raw, extent)
        self.info = info

    def record(self) -> None:
        session = self.info.link.current(self)
        own = {q.name for q in self.signature.params if not q.common} | {"WhatIf", "Confirm", "Verbose"}
        parameters: list[tuple[str | None, Any, bool]] = []
        for name, value in self.p.items():
            if name in own:
                parameters.append((name, rebuild(value), True))
        entry = CommandEntry(self.info.name, False, False, parameters)
        console = self.f.engine.console
        streams = RemoteStreams(
            session,
            {
                2: self._remote_error,
                3: console.streams.sinks[3],
                4: self._verbose,
                5: console.streams.sinks[5],
                6: _drop,
            },
            console,
        ).streams

        def body(engine: Any, frame: Frame, put: Any) -> None:
            run_commands(engine, frame, [entry], None, put, _drop)

        try:
            run_remote(session, body, streams, self.out, self.f.stop)
        except PsError as e:
            self._remote_error(e.record)

    def _verbose(self, record: Any) -> None:
        self.f.engine.console.streams.sinks[4](record)

    def _remote_error(self, record: ErrorRecord) -> None:
        if "ErrorAction" in self.p:
            action = self.p["ErrorAction"].name
        else:  # the proxy lives in a module: it sees the global preference, not its caller's
            action = self.f.engine.frame(self.f.streams, self.f.stop).preference("ErrorActionPreference")
        self.failed = True
        if action == "Stop":
            raise PsError(record, thrown=True)
        if action == "Ignore":
            return
        self.f.engine.remember(record)
        if action == "Continue":
            self.f.streams.write(2, record)


def _drop(_: Any) -> None:
    return


class ImportPSSession(Cmdlet):
    """Import-PSSession: a function for each of the endpoint's commands."""

    def record(self) -> None:
        session = self.p["Session"]
        if not isinstance(session, Session):
            raise Unsupported("Import-PSSession of something that is no session")
        if "Prefix" in self.p or "Module" in self.p or "CommandType" in self.p:
            raise Unsupported("Import-PSSession -Prefix, -Module and -CommandType")
        if session.state != "Opened":
            self.throw(
                "Cannot perform the operation because the runspace is not in the 'Opened' state. Current state of runspace is "
                f"'{session.state}'.",
                "InvalidRunspaceState", "InvalidOperation", session, f"{SMA}Runspaces.InvalidRunspaceStateException",
            )  # fmt: skip
        wanted = [to_text(n) for n in self.p.get("CommandName") or ["*"]]
        module = Module(f"tmp_{session.instance_id.hex[:8]}.{session.number}")
        link = Link(session)
        for spec in self._wanted(session, wanted):
            local = self.f.engine.find_command(spec.name, self.f, load=False)
            if local is not None and not self.switch("AllowClobber"):
                self.warning(
                    "Proxy creation has been skipped for the following command: "
                    f"'{spec.name}', because it would shadow an existing local command.  Use the AllowClobber parameter if you "
                    "want to shadow existing local commands."
                )
                continue
            module.commands[spec.name.lower()] = spec
            self.f.engine.global_scope.functions[spec.name.lower()] = ProxyInfo(spec, link, module.name)
        if not module.commands:
            self.throw(
                "No command proxies have been created, because all of the requested remote commands would shadow existing "
                "local commands.  Use the AllowClobber parameter if you want to shadow existing local commands.",
                "ErrorNoCommandsImportedBecauseOfSkipping", "InvalidResult", None, "System.ArgumentException",
            )  # fmt: skip
        self.f.engine.modules[module.name.lower()] = module
        self.out(ModuleView(module))

    def _wanted(self, session: Session, wanted: list[str]) -> list[CmdletSpec]:
        from s2slib.lab.powershell.regex import has_wildcard, like

        available = list(session.endpoint.registry.cmdlets())
        found: list[CmdletSpec] = []
        for name in wanted:
            specs = [s for s in available if like(s.name, name)]
            if not specs and not has_wildcard(name):
                message = (
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
                    "Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
                )
                self.write_error(
                    f"Running the Get-Command command in a remote session reported the following error: {message}.",
                    "ErrorFromRemoteCommand", "InvalidResult", name, SMA + "RemoteException",
                )  # fmt: skip
            found.extend(s for s in specs if s not in found)
        return found


# -- Invoke-Command


class InvokeCommand(Cmdlet):
    """Invoke-Command: here, or in a session as far as its language mode lets it."""

    def record(self) -> None:
        block = self.p.get("ScriptBlock")
        if not isinstance(block, ScriptBlock):
            raise Unsupported("Invoke-Command without a script block")
        if "ComputerName" in self.p or "ConnectionUri" in self.p or self.switch("AsJob"):
            raise Unsupported("Invoke-Command without a session of its own")
        args = self.p.get("ArgumentList") or []
        if "Session" not in self.p:
            self.f.engine.call_block(block, self.f, self.out, args)
            return
        for session in self.p["Session"]:
            if not isinstance(session, Session):
                raise Unsupported("Invoke-Command in something that is no session")
            self._in_session(session, block, args)

    def _in_session(self, session: Session, block: ScriptBlock, args: list[Any]) -> None:
        if session.state != "Opened":
            self.write_error(
                "Because the session state for session "
                f"{session.name}, {session.instance_id}, {session.computer} is not equal to Open, you cannot run a command in "
                f"the session.  The session state is {session.state}.",
                "InvokeCommandSessionNotOpen", "OpenError", session, f"{SMA}Runspaces.InvalidRunspaceStateException",
            )  # fmt: skip
            return
        if session.engine.language_mode == "FullLanguage":
            statements = [[CommandEntry(block.ast.text, True, True, [(None, rebuild(a), True) for a in args])]]
        else:
            if args or block.ast.parameters:
                raise Unsupported("Invoke-Command with arguments in a session without language")
            statements = [self._simple(n) for n in block.ast.body]
        streams = RemoteStreams(
            session, {n: self.f.streams.sinks[n] for n in (3, 4, 5, 6)} | {2: self.report}, self.f.engine.console
        ).streams
        for statement in statements:

            def body(engine: Any, frame: Frame, put: Any, s: list[CommandEntry] = statement) -> None:
                run_commands(engine, frame, s, None, put, _drop)

            try:
                run_remote(session, body, streams, self.out, self.f.stop)
            except PsError as e:
                self.report(e.record)
                return

    def _simple(self, node: ast.Node) -> list[CommandEntry]:
        """A pipeline of commands with constant arguments: what reaches an endpoint without language."""
        if not isinstance(node, ast.Pipeline):
            raise scripts_not_allowed()
        entries: list[CommandEntry] = []
        for element in node.elements:
            if not isinstance(element, ast.Command) or element.redirections or not isinstance(element.name, ast.Const):
                raise scripts_not_allowed()
            entries.append(CommandEntry(to_text(element.name.value), False, False, self._arguments(element)))
        return entries

    def _arguments(self, element: ast.Command) -> list[tuple[str | None, Any, bool]]:
        found: list[tuple[str | None, Any, bool]] = []
        for n in element.elements:
            if isinstance(n, ast.Argument):
                found.append((None, self._constant(n.value), True))
            elif isinstance(n, ast.ParameterName):
                found.append((n.name, None if n.value is None else self._constant(n.value), n.value is not None))
            else:
                raise scripts_not_allowed()
        return found

    def _constant(self, node: ast.Node) -> Any:
        if isinstance(node, ast.Const):
            return node.value
        if isinstance(node, ast.Variable):
            if node.scope == "using":
                found = self.f.scope.find(node.name.lower())
                return rebuild(None if found is None else found.value)
            if node.name.lower() in ("true", "false", "null") and not node.scope:
                return {"true": True, "false": False, "null": None}[node.name.lower()]
        if isinstance(node, ast.ArrayLiteral):
            return [self._constant(i) for i in node.items]
        raise scripts_not_allowed()


def declarations() -> list[Builtin]:
    """Cmdlets of this file."""
    return [
        declare(
            "New-PSSession", CORE, NewPSSession, "ComputerName string[] 0 p n as:Cn set:ComputerName",
            "ConnectionUri uri[] 0 m n as:URI|CU set:Uri", "Credential pscredential n", "Name string[]",
            "ConfigurationName string n", f"Authentication {MECHANISMS}", "SessionOption object",
            "UseSSL switch set:ComputerName",
            "Port int set:ComputerName", "ApplicationName string set:ComputerName", "AllowRedirection switch set:Uri",
            "ThrottleLimit int", "CertificateThumbprint string", "EnableNetworkAccess switch", "VMName string[]",
            "ContainerId string[]", default="ComputerName", class_name="NewPSSessionCommand",
        ),
        declare("Get-PSSession", CORE, GetPSSession, "Id int[] 0", "Name string[]", class_name="GetPSSessionCommand"),
        declare(
            "Remove-PSSession", CORE, RemovePSSession, "Session object[] 0 m p set:Session", "Id int[] 0 m n set:Id",
            "Name string[] m n set:Name", default="Session", confirm=True, class_name="RemovePSSessionCommand",
        ),
        declare(
            "New-PSSessionOption", CORE, NewPSSessionOption, "MaximumRedirection int", "NoCompression switch",
            "NoMachineProfile switch", "Culture cultureinfo", "UICulture cultureinfo", "OpenTimeout int", "CancelTimeout int",
            "IdleTimeout int", "ProxyAccessType string", "ProxyAuthentication string", "ProxyCredential pscredential",
            "SkipCACheck switch", "SkipCNCheck switch", "SkipRevocationCheck switch", "OperationTimeout int",
            "NoEncryption switch", "UseUTF16 switch", "IncludePortInSPN switch", "MaxConnectionRetryCount int",
            "OutputBufferingMode string", "MaximumReceivedDataSizePerCommand object", "MaximumReceivedObjectSize object",
            "ApplicationArguments object",
        ),
        declare(
            "Import-PSSession", UTILITY, ImportPSSession, "Session object 0 m", "CommandName string[] 2 as:Name",
            "FormatTypeName string[] 3", "Prefix string", "DisableNameChecking switch", "AllowClobber switch",
            "ArgumentList object[] as:Args", f"CommandType {SMA}CommandTypes as:Type", "Module object[] as:PSSnapin",
            class_name="ImportPSSessionCommand",
        ),
        declare(
            "Invoke-Command", CORE, InvokeCommand, "ScriptBlock scriptblock 1 m as:Command",
            "Session object[] 0 m set:Session", "ComputerName string[] 0 m as:Cn set:ComputerName",
            "ConnectionUri uri[] 0 m set:Uri", "ArgumentList object[] as:Args", "InputObject psobject p e", "AsJob switch",
            "HideComputerName switch as:HCN", "Credential pscredential", "NoNewScope switch", "ThrottleLimit int",
            default="InProcess",
        ),
    ]  # fmt: skip
