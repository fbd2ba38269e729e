"""What the operator declares about the Lync or Skype for Business side."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from s2slib.deployment.exclusion import Exclusion
from s2slib.deployment.network import Endpoint
from s2slib.deployment.values import (
    Domain,
    Fqdn,
    Identity,
    LyncMetadataUrl,
    OcsPowerShellUri,
    Realm,
    Rows,
    Section,
    Thumbprint,
)

LyncProduct = Literal[
    "Lync Server 2013",
    "Skype for Business Server 2015",
    "Skype for Business Server 2019",
    "Skype for Business Server SE",
]


class Pool(Section):
    """A Front End pool, or a Standard Edition server (its own only front end)."""

    fqdn: Fqdn = Field(description="Name of the pool, as Get-CsPool gives it.")
    front_ends: Annotated[Rows[Fqdn], Field(min_length=1)] = Field(description="Its Front End servers, one by one.")
    web_fqdn: Fqdn | None = Field(
        default=None, description="Internal web services FQDN, used in the metadata URL. null: the pool's own name."
    )

    @property
    def web_host(self) -> str:
        """The host of the pool's web services."""
        return self.web_fqdn or self.fqdn


class OAuthCertificate(Section):
    """Which certificate signs Lync's tokens (OAuthTokenIssuer, identity global)."""

    thumbprint: Thumbprint | None = Field(
        default=None,
        description="Thumbprint to assign, in quotes; reuse_default: the pool's default certificate; "
        "null: keep what is assigned, and stop if nothing is.",
    )


class Lync(Section):
    """The Lync Server or Skype for Business Server deployment."""

    product: LyncProduct = Field(description="Product, as Microsoft spells it.")
    pools: Annotated[Rows[Pool], Field(min_length=1)] = Field(
        description="Pools in scope. The first one's web services are the default host of metadata_url."
    )
    default_sip_domain: Domain = Field(description="Default SIP domain; Lync's realm unless `realm` says otherwise.")
    metadata_url: LyncMetadataUrl | None = Field(
        default=None,
        description="Authentication metadata document that Exchange reads. "
        "null: https://<web FQDN of the first pool>/metadata/json/1",
    )
    realm: Realm | None = Field(default=None, description="Realm of Set-CsOAuthConfiguration. null: leave the default.")
    partner_application_identity: Identity = Field(
        default="Exchange", description="Identity of the partner application that stands for Exchange."
    )
    oauth_certificate: OAuthCertificate = Field(
        default=OAuthCertificate(), description="The OAuthTokenIssuer certificate."
    )
    endpoint: Endpoint = Field(default=Endpoint(), description="WinRM settings that differ from network.endpoint.")
    powershell_uri: OcsPowerShellUri | None = Field(
        default=None, description="The product's PowerShell endpoint. null: https://<server>/OcsPowershell"
    )
    excluded: Rows[Exclusion] = Field(default=(), description="Servers left out, each with a reason.")
