"""What `lab:` and the credential references of a deployment mean at this moment: proxy, CA file, credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s2slib.credentials.lab_state import LabState
from s2slib.credentials.resolver import Resolver, running_lab
from s2slib.credentials.secret import Credential
from s2slib.deployment.model import Deployment, Server
from s2slib.deployment.problems import DeploymentError, Problem, shown

LAB = "lab:"


@dataclass(frozen=True)
class NetworkPath:
    """The way out: forward proxy (None: direct, whatever the environment says) and CA file (None: the machine's)."""

    proxy: str | None
    ca_file: Path | None


def network_path(deployment: Deployment, lab: Callable[[], LabState] = running_lab) -> NetworkPath:
    """The proxy and CA file to use now.

    Raises LabStateError where `lab:` is declared and no lab runs, DeploymentError where the CA file is not there.
    """
    declared = deployment.network
    state = lab() if LAB in (declared.proxy, declared.ca_file) else None
    proxy = state.proxy if state and declared.proxy == LAB else declared.proxy
    if declared.ca_file is None:
        return NetworkPath(proxy, None)
    ca_file = state.ca_file if state and declared.ca_file == LAB else deployment.folder / declared.ca_file
    if not ca_file.is_file():
        problem = Problem(
            "network.ca_file", "is not there", shown(declared.ca_file), "a PEM file beside the params file"
        )
        raise DeploymentError([problem], f"the deployment {deployment.deployment}")
    return NetworkPath(proxy, ca_file)


def resolved_credentials(deployment: Deployment, resolver: Resolver) -> dict[str, Credential]:
    """The credential for each server that is reached, by FQDN. A product's credential is asked for once.

    Raises CredentialError for the first that cannot be resolved. Call it from the main thread: it may ask.
    """
    return {
        server.fqdn: resolver.resolve(
            deployment.account(server.fqdn).parsed,
            user=deployment.account(server.fqdn).user,
            account_hint=_hint(deployment, server),
        )
        for server in deployment.reached_servers()
    }


def _hint(deployment: Deployment, server: Server) -> str:
    if any(entry.server == server.fqdn for entry in deployment.credentials.servers):
        return server.fqdn
    product = deployment.lync.product if server.product == "lync" else deployment.exchange.product
    return f"the servers of {product} ({deployment.deployment})"
