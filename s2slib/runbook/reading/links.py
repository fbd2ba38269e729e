"""From a deployment to links: how each server is reached, as whom, and how its session gets its second hop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from s2slib.credentials.secret import Credential
from s2slib.deployment import Deployment
from s2slib.deployment.reach import NetworkPath
from s2slib.records.logons import RejectedLogons
from s2slib.records.redaction import Redactor
from s2slib.remoting.link import Link
from s2slib.remoting.values.command import Cmdlet, Command, Effect
from s2slib.remoting.values.reply import Reply
from s2slib.remoting.values.target import Endpoint, Target, Timeouts
from s2slib.remoting.winrm.ledger import AttemptLedger
from s2slib.runbook.reading.estates import Channel, Opener

LYNC_MODULES = {"Lync Server 2013": ("Lync",)}
SKYPE_MODULES = ("SkypeForBusiness",)


def opener(
    deployment: Deployment, path: NetworkPath, credentials: Mapping[str, Credential], redactor: Redactor, folder: Path
) -> Opener:
    """Opens links to the deployment's servers; a rejected account is not tried again by any process of the run in `folder`."""
    ledger = AttemptLedger(RejectedLogons(folder))

    def open_link(server: str, ceiling: Effect) -> Channel:
        target = target_of(deployment, server, credentials[server], path)
        link = Link(target, ceiling=ceiling, redact=redactor.text, ledger=ledger)
        is_lync = deployment.server(server).product == "lync"
        return DelegatedLync(link) if is_lync and not target.endpoints else link

    return open_link


class DelegatedLync:
    """A channel whose logon reaches the management store by itself: runspace `lync` is the local one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def run(self, command: Command, *, timeout_s: float) -> Reply:
        """Run one command."""
        return self._channel.run(_local(command), timeout_s=timeout_s)

    def run_batch(self, commands: Sequence[Command], *, timeout_s: float) -> list[Reply]:
        """Run reads in one request."""
        return self._channel.run_batch([_local(command) for command in commands], timeout_s=timeout_s)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _local(command: Command) -> Command:
    return replace(command, runspace="local") if isinstance(command, Cmdlet) and command.runspace == "lync" else command


def target_of(deployment: Deployment, server: str, credential: Credential, path: NetworkPath) -> Target:
    """How one server is reached.

    | product | second_hop | runspace `lync` or `exchange` is |
    | --- | --- | --- |
    | Lync | credssp, delegation | the local runspace with the product's module |
    | Lync | explicit | OcsPowershell, opened with the credential |
    | Exchange | credssp, delegation | Microsoft.Exchange, opened with the delegated logon |
    | Exchange | explicit | Microsoft.Exchange, opened with the credential |
    """
    reached = deployment.endpoint(server)
    product = deployment.server(server).product
    explicit = reached.second_hop == "explicit"
    timeouts = deployment.network.timeouts_s
    endpoints: dict[str, Endpoint] = {}
    modules: tuple[str, ...] = ()
    if product == "lync":
        modules = LYNC_MODULES.get(deployment.lync.product, SKYPE_MODULES)
        if explicit:
            endpoints["lync"] = Endpoint(
                uri=deployment.powershell_uri(server),
                configuration="Microsoft.PowerShell",
                authentication="Negotiate",
                credential=credential,
            )
    else:
        endpoints["exchange"] = Endpoint(
            uri=deployment.powershell_uri(server),
            configuration="Microsoft.Exchange",
            authentication="Kerberos",
            credential=credential if explicit else None,
        )
    return Target(
        server=server,
        url=reached.url,
        transport=reached.transport,
        user=credential.user,
        secret=credential.secret,
        ca_file=path.ca_file,
        proxy=path.proxy,
        second_hop=reached.second_hop,
        endpoints=endpoints,
        modules=modules,
        timeouts=Timeouts(connect_s=float(timeouts.connect), load_s=float(timeouts.load_tools)),
    )
