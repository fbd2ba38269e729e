"""Inner remote sessions: the Exchange and Lync endpoints in IIS, and Windows PowerShell on another server.

Which token enters decides everything:

    credential given                    that account, after its password was checked
    none, but the token is delegated    the account of the session
    none, over a plain network logon    nobody: the second hop is missing
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from s2slab.cmdlets.catalogue import endpoint_registry
from s2slab.engine.registry import EndpointError, Machine, Opening, Registry
from s2slab.estate import rbac
from s2slab.estate.estate import Account, Estate, Server
from s2slab.estate.session import LabSession


class ServerMachine(Machine, Protocol):
    """A machine that says which server of which estate it is."""

    @property
    def estate(self) -> Estate: ...
    @property
    def server(self) -> Server: ...


class LabEndpoint:
    """The far side of a session. It is gone for good once the IIS it runs in was restarted."""

    def __init__(
        self, machine: Machine, session: LabSession, registry: Registry, hosts: tuple[Server, ...], language_mode: str
    ) -> None:
        self.machine = machine
        self.session = session
        self.registry = registry
        self.language_mode = language_mode
        self.computer_name = machine.fqdn
        self._hosts = hosts  # servers whose IIS carries the session; empty for one in the WinRM service itself
        self._generations = _generations(hosts)
        self._closed = False

    def alive(self) -> bool:
        """Whether the session is still usable."""
        return not self._closed and self._generations == _generations(self._hosts) and all(map(_serves, self._hosts))

    def close(self) -> None:
        """Remove the session."""
        self._closed = True


def open_endpoint(
    client: ServerMachine, session: LabSession, wanted: Opening, machine_of: Callable[[Server], ServerMachine]
) -> LabEndpoint:
    """Connect from `client` to a URI, or to a computer's WinRM service. Raises EndpointError in WinRM's words."""
    estate = client.estate
    parts = urlsplit(wanted.uri or "")
    host = (parts.hostname or "") if wanted.uri else (wanted.computer or client.fqdn)
    with estate.reading():
        target = _resolve(estate, host, client.server)
        kind = _kind(host, parts.path if wanted.uri else "", wanted.configuration)
        account = _account(estate, host, session, wanted.credential)
        if kind == rbac.WINDOWS:
            return _windows(host, machine_of(target), account, wanted)
        entered = LabSession(account, kind, delegated=True)
        hosts = _hosts(estate, target, kind)
        _check_web(client.server, estate, host, parts.scheme, hosts, kind)
        if kind == rbac.EXCHANGE and wanted.authentication.lower() == "kerberos" and "." not in host:
            raise _failed(host, "Kerberos needs the server's fully qualified name.", "-2144108387")
        if not rbac.may_enter(entered, kind):
            raise _denied(host)
        return LabEndpoint(machine_of(target), entered, endpoint_registry(estate, entered, kind), hosts, "NoLanguage")


def _windows(host: str, machine: ServerMachine, account: Account, wanted: Opening) -> LabEndpoint:
    if not account.may_administer(machine.server.fqdn):
        raise _denied(host)
    method = wanted.authentication.lower()
    entered = LabSession(account, method, delegated=method == "credssp" and wanted.credential is not None)
    return LabEndpoint(machine, entered, machine.registry, (), machine.language_mode)


def _kind(host: str, path: str, configuration: str) -> str:
    place = path.strip("/").lower()
    if place == "powershell":
        if configuration.lower() != rbac.EXCHANGE.lower():
            raise _failed(
                host, "The WS-Management service cannot process the request: no such configuration.", "-2144108103"
            )
        return rbac.EXCHANGE
    if place == "ocspowershell":
        return rbac.OCS
    if place in ("", "wsman") and configuration.lower() == rbac.WINDOWS.lower():
        return rbac.WINDOWS
    raise _failed(host, "The WS-Management service cannot process the request: no such configuration.", "-2144108103")


def _resolve(estate: Estate, host: str, client: Server) -> Server:
    """The server that a name leads to; the pool's name to any of its front ends that is up."""
    if host.lower() in ("localhost", ".", "127.0.0.1"):
        return client
    try:
        if host.lower() == estate.pool_fqdn:
            up = [server for server in estate.front_ends() if server.reachable and _serves(server)]
            found = up[0] if up else estate.front_ends()[0]
        else:
            found = estate.server(host)
    except KeyError:
        raise _failed(
            host, "WinRM cannot process the request because the server name cannot be resolved.", "ComputerNotFound"
        ) from None
    if not found.reachable or not client.reachable:
        raise _cannot_connect(host)
    return found


def _account(estate: Estate, host: str, session: LabSession, credential: tuple[str, str] | None) -> Account:
    if credential is not None:
        user, password = credential
        name = user.rsplit("\\", 1)[-1].split("@", 1)[0].lower()
        account = estate.accounts.get(name)
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
            raise _failed(host, "The user name or password is incorrect.", "LogonFailure")
        return account
    if session.network_logon and not session.delegated:
        # the wording is UNCONFIRMED
        raise _failed(
            host,
            "WinRM cannot process the request. The following error with errorcode 0x8009030e occurred while using Kerberos "
            "authentication: A specified logon session does not exist. It may already have been terminated.",
            "1312",
        )
    return session.account


def _hosts(estate: Estate, target: Server, kind: str) -> tuple[Server, ...]:
    """The servers whose IIS carries a session: a Client Access server passes it on to a Mailbox server."""
    role = "FrontEnd" if kind == rbac.OCS else "Exchange"
    if not (target.has_role("FrontEnd") if role == "FrontEnd" else target.is_exchange):
        raise _cannot_connect(target.fqdn)
    if kind == rbac.OCS or target.has_role("Mailbox"):
        return (target,)
    behind = [s for s in estate.exchange_servers() if s.has_role("Mailbox") and _serves(s)]
    if not behind:
        raise _failed(target.fqdn, "The WinRM client received an HTTP server error status (503).", "-2144108273")
    return (target, behind[0])


def _check_web(client: Server, estate: Estate, host: str, scheme: str, hosts: tuple[Server, ...], kind: str) -> None:
    if not all(map(_serves, hosts)):
        raise _cannot_connect(host)
    if kind == rbac.OCS and scheme != "https":
        raise _failed(host, "The WinRM client received an HTTP status code of 403.", "-2144108273")
    if scheme == "https" and estate.authority.certificate_pem not in client.trusted_roots:
        raise _failed(
            host,
            "The SSL connection cannot be established. Verify that the service on the remote host is properly configured to "
            "listen for HTTPS requests.",
            "-2144108102",
        )


def _serves(server: Server) -> bool:
    return server.reachable and server.iis is not None and server.iis.running


def _generations(hosts: tuple[Server, ...]) -> tuple[int, ...]:
    return tuple(-1 if server.iis is None else server.iis.generation for server in hosts)


def _denied(host: str) -> EndpointError:
    return _failed(host, "Access is denied.", "AccessDenied")


def _cannot_connect(host: str) -> EndpointError:
    return _failed(
        host,
        "WinRM cannot complete the operation. Verify that the specified computer name is valid, that the computer is "
        "accessible over the network, and that a firewall exception for the WinRM service is enabled.",
        "WinRMOperationTimeout",
    )


def _failed(host: str, detail: str, code: str) -> EndpointError:
    message = f"Connecting to remote server {host} failed with the following error message : {detail}"
    return EndpointError(message, f"{code},PSSessionOpenFailed")
