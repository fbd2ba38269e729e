"""What the operator declares about the Exchange side."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from s2slib.deployment.exclusion import Exclusion
from s2slib.deployment.network import Endpoint
from s2slib.deployment.values import (
    AutodiscoverSvcUrl,
    AutodiscoverXmlUrl,
    Domain,
    ExchangeMetadataUrl,
    ExchangePowerShellUri,
    Fqdn,
    Realm,
    Rows,
    Section,
    WindowsFolder,
    refuse,
)

ExchangeProduct = Literal["Exchange Server 2013", "Exchange Server 2016", "Exchange Server 2019", "Exchange Server SE"]
ExchangeRole = Literal["Mailbox", "ClientAccess"]


class ExchangeServer(Section):
    """One Exchange server with web services. Edge Transport servers are not listed."""

    fqdn: Fqdn = Field(description="Name of the server.")
    roles: Annotated[Rows[ExchangeRole], Field(min_length=1)] = Field(
        default=("Mailbox",), description="Its roles. ClientAccess is a role of its own in Exchange Server 2013 only."
    )

    @model_validator(mode="after")
    def _roles_differ(self) -> ExchangeServer:
        if len(set(self.roles)) != len(self.roles):
            refuse("names a role twice", "Mailbox, ClientAccess, or both")
        return self


class ServiceConnectionPoint(Section):
    """An Autodiscover SCP to be written. Every Outlook that looks up this server reads it again."""

    server: Fqdn = Field(description="A declared Exchange server.")
    url: AutodiscoverXmlUrl = Field(description="AutoDiscoverServiceInternalUri to set.")


class Exchange(Section):
    """The Exchange Server organisation."""

    product: ExchangeProduct = Field(description="Product, as Microsoft spells it.")
    servers: Annotated[Rows[ExchangeServer], Field(min_length=1)] = Field(
        description="Every Mailbox and Client Access server: these load the partner application."
    )
    accepted_domain: Domain = Field(
        description="Default accepted domain; Exchange's realm unless `realm` says otherwise."
    )
    realm: Realm | None = Field(
        default=None, description="Realm that Get-AuthConfig is expected to show. null: the default."
    )
    autodiscover_host: Fqdn | None = Field(
        default=None, description="Host of the Autodiscover service. null: autodiscover.<accepted_domain>"
    )
    autodiscover_url: AutodiscoverSvcUrl | None = Field(
        default=None,
        description="ExchangeAutodiscoverUrl to set on Lync. null: https://<autodiscover_host>/autodiscover/autodiscover.svc",
    )
    metadata_url: ExchangeMetadataUrl | None = Field(
        default=None,
        description="Authentication metadata document that Lync reads. "
        "null: https://<autodiscover_host>/autodiscover/metadata/json/1",
    )
    autodiscover_scp: Rows[ServiceConnectionPoint] = Field(
        default=(), description="SCPs to write. Empty: they are judged only (server-to-server trust does not use them)."
    )
    scripts_path: WindowsFolder = Field(
        default=r"C:\Program Files\Microsoft\Exchange Server\V15\Scripts",
        description="Folder of Configure-EnterprisePartnerApplication.ps1 on the servers.",
    )
    domain_controller: Fqdn | None = Field(
        default=None,
        description="Domain controller for all Exchange reads and writes. null: one is chosen and kept for the run.",
    )
    endpoint: Endpoint = Field(default=Endpoint(), description="WinRM settings that differ from network.endpoint.")
    powershell_uri: ExchangePowerShellUri | None = Field(
        default=None, description="The product's PowerShell endpoint. null: http://<server>/PowerShell/"
    )
    excluded: Rows[Exclusion] = Field(default=(), description="Servers left out, each with a reason.")

    @model_validator(mode="after")
    def _roles_of_the_product(self) -> Exchange:
        separate = [server.fqdn for server in self.servers if "ClientAccess" in server.roles]
        if separate and self.product != "Exchange Server 2013":
            refuse(
                f"gives {separate[0]} the role ClientAccess, which {self.product} does not have",
                "roles: [Mailbox]",
                "from Exchange Server 2016 on, a Mailbox server includes client access",
            )
        if not any("Mailbox" in server.roles for server in self.servers):
            refuse("declares no Mailbox server", "at least one server with the role Mailbox")
        return self
