"""The product's own remoting to servers of a running lab: the commands of `products`, over WinRM, as the runbook sends them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from helpers.estate_direct import NETWORKS
from s2slab.estate.estate import Estate
from s2slab.service import Lab
from s2slib.credentials.secret import Credential, Secret
from s2slib.facts import Fact
from s2slib.products.read import Read
from s2slib.remoting.link import Link
from s2slib.remoting.values.command import Command
from s2slib.remoting.values.reply import Reply
from s2slib.remoting.values.target import Endpoint, Target

FE1, FE2 = "atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"
EX1, EX2 = "atl-exchange-001.litwareinc.com", "atl-exchange-002.litwareinc.com"
DC1, DC2 = "atl-dc-001.litwareinc.com", "atl-dc-002.litwareinc.com"
_USERS = {"lync": "s2s-lync", "exchange": "s2s-exchange"}


class Links:
    """A running lab, and one link for each server that is asked something; explicit second hop, as over plain WinRM."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        NETWORKS[lab.estate] = lab.network
        self._ca_file = folder / "ca.pem"
        self._ca_file.write_bytes(lab.estate.authority.certificate_pem)
        self._links: dict[tuple[str, bool], Link] = {}

    @property
    def estate(self) -> Estate:
        return self.lab.estate

    def run(self, server: str, command: Command, *, delegated: bool = False) -> Reply:
        """One command. `delegated`: over a logon that can be shown to a second server (Lync's local shell needs it)."""
        key = (server, delegated)
        if key not in self._links:
            self._links[key] = Link(self._target(server, delegated), ceiling="write")
        return self._links[key].run(command, timeout_s=30)

    def read(self, read: Read) -> Mapping[str, Fact]:
        """The facts that a read gives."""
        return read.facts(self.run(read.server, read.command))

    def close(self) -> None:
        """Close every link."""
        for link in self._links.values():
            link.close()

    def _target(self, server: str, delegated: bool) -> Target:
        product = "lync" if server in (FE1, FE2) else "exchange"
        account = self.lab.estate.accounts[_USERS[product]]
        credential = Credential(self.lab.user(account), Secret(account.password), "test")
        endpoint = (
            Endpoint(f"https://{server}/OcsPowershell", None, "Microsoft.PowerShell", "Negotiate", credential)
            if product == "lync"
            else Endpoint(f"http://{server}/PowerShell/", None, "Microsoft.Exchange", "Kerberos", credential)
        )
        return Target(
            server=server,
            url=f"https://{server}:5986/wsman" if delegated else f"http://{server}:5985/wsman",
            transport="credssp" if delegated else "ntlm",
            user=credential.user,
            secret=credential.secret,
            ca_file=self._ca_file,
            proxy=self.lab.proxy,
            second_hop="credssp" if delegated else "explicit",
            endpoints={} if delegated else {product: endpoint},
            modules=("Lync",) if product == "lync" else (),
        )
