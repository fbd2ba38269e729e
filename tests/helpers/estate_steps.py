"""The steps that make the two products trust each other, as an administrator would take them with the cmdlets."""

from __future__ import annotations

from typing import Any

from helpers.estate_direct import Outcome, Shell, exchange, ocs, on
from s2slab.estate.estate import Estate

LYNC_URL = "https://atl-cs-001.litwareinc.com/metadata/json/1"
EXCHANGE_URL = "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
AUTODISCOVER = "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc"
OAUTH = ["OAuthTokenIssuer"]
ACCOUNT = "LyncEnterprise-ApplicationAccount"
SIP = "sip:kenmyer@litwareinc.com"


def lync(estate: Estate, server: str = "atl-fe-001") -> Shell:
    return on(estate, server, delegated=True, method="credssp")


def assign(estate: Estate) -> str:
    """Assign the default certificate as OAuthTokenIssuer; its thumbprint, once every replica has it."""
    shell = lync(estate)
    thumbprint = str(shell.run("Get-CsCertificate", Type=["Default"]).one.get("Thumbprint"))
    shell.run("Set-CsCertificate", Type=OAUTH, Identity="global", Thumbprint=thumbprint)
    estate.clock.advance(61)
    return thumbprint


def trust_lync(estate: Estate) -> None:
    """What the script does, by its single cmdlets; then every domain controller knows."""
    shell = exchange(estate)
    shell.run("New-MailUser", Name=ACCOUNT, ExternalEmailAddress=f"{ACCOUNT}@litwareinc.com")
    for role in ("UserApplication", "ArchiveApplication", "MeetingGraphApplication"):
        shell.run("New-ManagementRoleAssignment", Role=role, User=ACCOUNT)
    new_partner(shell)
    estate.clock.advance(30)


def new_partner(shell: Shell, name: str = "LyncEnterprise-0a", url: str = LYNC_URL) -> Outcome:
    return shell.run(
        "New-PartnerApplication",
        Name=name,
        AuthMetadataUrl=url,
        AcceptSecurityIdentifierInformation=True,
        Enabled=True,
        LinkedAccount=ACCOUNT,
    )


def trust_exchange(estate: Estate) -> Outcome:
    made = ocs(estate).run(
        "New-CsPartnerApplication", Identity="Exchange", ApplicationTrustLevel="Full", MetadataUrl=EXCHANGE_URL
    )
    ocs(estate).run("Set-CsOAuthConfiguration", ExchangeAutodiscoverUrl=AUTODISCOVER)
    estate.clock.advance(61)
    return made


def restart(estate: Estate, *servers: str) -> None:
    for server in servers or ("atl-exchange-001", "atl-exchange-002"):
        assert on(estate, server, "s2s-exchange").program("iisreset")[0] == 0


def trust(estate: Estate) -> None:
    """All of it: both directions, replicated everywhere and loaded."""
    assign(estate)
    trust_lync(estate)
    restart(estate)
    trust_exchange(estate)


def storage_test(estate: Estate, **more: Any) -> Outcome:
    return on(estate, "atl-fe-001").run("Test-CsExStorageConnectivity", SipUri=SIP, DeleteItem=True, **more)
