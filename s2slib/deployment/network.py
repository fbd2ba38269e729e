"""How servers are reached: proxy, CA, WinRM endpoints, deadlines."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from s2slib.deployment.values import Fqdn, ProxyUrl, Rows, Seconds, Section, Text, WinRmUrl

Transport = Literal["kerberos", "ntlm", "credssp", "basic"]
SecondHop = Literal["explicit", "credssp", "delegation"]
DEFAULT_PORTS = {"http": 5985, "https": 5986}


class Endpoint(Section):
    """WinRM settings. What is null comes from network.endpoint, and there from the defaults."""

    scheme: Literal["https", "http"] | None = Field(
        default=None, description="https, or http with message encryption (kerberos, ntlm, credssp). Default https."
    )
    port: int | None = Field(default=None, ge=1, le=65_535, description="Default 5986 for https, 5985 for http.")
    transport: Transport | None = Field(
        default=None, description="How to log on. basic only over https. Default kerberos."
    )
    second_hop: SecondHop | None = Field(
        default=None,
        description="How a session on a server reaches the directory and other servers. explicit: an inner session "
        "with the same credential; credssp: needs transport credssp; delegation: needs transport kerberos. "
        "Default explicit.",
    )


class ServerUrl(Section):
    """The WinRM address of one server, where it cannot be derived."""

    server: Fqdn = Field(description="A declared server.")
    url: WinRmUrl = Field(description="Its WinRM URL.")


class Timeouts(Section):
    """Deadlines in seconds. Nothing outlives its deadline."""

    connect: Seconds = Field(default=15, description="Reaching a server.")
    fetch: Seconds = Field(default=30, description="Fetching one metadata document, from connect to last byte.")
    command: Seconds = Field(default=120, description="One command, or one batch of reads.")
    load_tools: Seconds = Field(default=120, description="Loading a product's management tools in a new process.")
    iis_restart: Seconds = Field(default=300, description="iisreset on one server.")
    settle: Seconds = Field(
        default=900, description="Waiting until a change has taken effect: replication, health of a server."
    )
    phase: Seconds = Field(default=7_200, description="One phase.")
    run: Seconds = Field(default=28_800, description="One whole run.")


class Network(Section):
    """How this machine reaches the servers. Proxy variables of the environment and .netrc are ignored."""

    proxy: ProxyUrl | None = Field(
        default=None,
        description="Forward proxy for WinRM and metadata, without credentials; lab: the lab's own. null: direct.",
    )
    other_side: Text | None = Field(
        default=None,
        description="Where policy.scope is one side: facts.json of a run that the other side's administrators made, "
        "relative to the params file. null: what rests on the other side is unknown, and blocks.",
    )
    ca_file: Text | None = Field(
        default=None,
        description="PEM file with the CAs to trust, relative to the params file; lab: the lab's own CA. "
        "null: what this machine trusts. Certificates are always verified.",
    )
    own_fetch: bool = Field(
        default=True,
        description="Whether this machine fetches the metadata documents too, as a second opinion beside the servers'.",
    )
    endpoint: Endpoint = Field(default=Endpoint(), description="WinRM settings for all servers.")
    winrm_urls: Rows[ServerUrl] = Field(
        default=(), description="WinRM addresses of single servers that cannot be derived."
    )
    timeouts_s: Timeouts = Field(default=Timeouts(), description="Deadlines in seconds.")
