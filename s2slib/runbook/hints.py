"""Known symptoms: what a text means, what to check and what puts it right (fact F21)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """`pattern` is searched in the text without regard to case; `notebook` is where the repair is."""

    id: str
    pattern: str
    cause: str
    check: str
    fix: str
    notebook: str = ""


HINTS: tuple[Hint, ...] = (
    Hint(
        "tls",
        r"remote certificate is invalid|SSL/TLS secure channel|could not establish trust relationship",
        "the front end does not trust Exchange's certificate, or the two do not share a TLS version",
        "open the URL in a browser on that front end; SchUseStrongCrypto",
        "trust the CA, correct the certificate's names, enable TLS 1.2 for .NET",
        "10_preflight",
    ),
    Hint(
        "folder",
        r"ErrorFolderNotFound|specified folder could not be found",
        "the token was accepted; the test user's mailbox has no Conversation History folder",
        "the mailbox's folders: Get-MailboxFolderStatistics",
        "let the user sign in once with Lync or Outlook, or name another test user",
        "70_verify",
    ),
    Hint(
        "realm_not_accepted",
        r"2000004|invalid_tenant|tenant for tenant guid",
        "Exchange has no explicit accepted domain for the realm in Lync's token; a wildcard does not count",
        "Get-AcceptedDomain on Exchange, Get-CsOAuthConfiguration (Realm) on Lync",
        "add the accepted domain, or correct the realm",
        "10_preflight",
    ),
    Hint(
        "user_unknown_to_exchange",
        r"2000005|invalid_user|user-context in the token does not exist",
        "the SIP address is not the primary SMTP address of a mailbox",
        "compare the SIP address with the mailbox's proxy addresses",
        "align the addresses, or name a test user that has a mailbox",
        "10_preflight",
    ),
    Hint(
        "audience",
        r"2000003|invalid_resource|audience claim",
        "the host or realm that Lync asked for is not one that Exchange calls its own",
        "the URLs that Autodiscover returned, Set-AuthConfig -Realm",
        "use the published host names; set the realm",
        "30_autodiscover",
    ),
    Hint(
        "linked_account",
        r"missing a linked account|no RBAC role assignments",
        "the partner application has no linked account, or that account has lost its roles",
        "Get-PartnerApplication, Get-ManagementRoleAssignment -RoleAssignee LyncEnterprise-ApplicationAccount",
        "let phase 40 repair it",
        "40_exchange_partner_application",
    ),
    Hint(
        "autodiscover_not_found",
        r"ErrorEwsAutodiscover.*404|404.*autodiscover",
        "ExchangeAutodiscoverUrl points to nothing",
        "Get-CsOAuthConfiguration; open the URL from the front end",
        "set the URL that ends in /autodiscover/autodiscover.svc",
        "30_autodiscover",
    ),
    Hint(
        "autodiscover_empty",
        r"ExchangeAutodiscoverUrl (is )?(empty|not set)|autodiscover url.*not configured",
        "Lync does not know where Exchange's Autodiscover is",
        "Get-CsOAuthConfiguration",
        "run phase 30",
        "30_autodiscover",
    ),
    Hint(
        "no_signing_certificate",
        r"no (OAuthTokenIssuer|signing) certificate|Missing signing certificate",
        "Lync has no certificate to sign its tokens with, or this front end does not have it yet",
        "Get-CsCertificate -Type OAuthTokenIssuer on that front end",
        "run phase 20; wait for replication",
        "20_certificates",
    ),
    Hint(
        "unauthorized",
        r"\b401\b|unauthorized|invalid_token",
        "Exchange does not accept Lync's token: no partner application, a stale key, or IIS has not loaded it yet",
        "Get-PartnerApplication; start times of the EWS workers; trusted_issuers in the WWW-Authenticate header",
        "run phase 40, then phase 50 on every Exchange server",
        "50_restart_iis",
    ),
    Hint(
        "access_denied",
        r"access (is )?denied",
        "the account may not use the storage service, or the named pipe refuses network logons",
        "whoami /groups: RTC Local User Administrators or RTCUniversalUserAdmins",
        "add the group and open a new session; -Binding NetTCP; or run the line at the console",
        "10_preflight",
    ),
    Hint(
        "connection",
        r"underlying connection was closed|unable to connect",
        "the connection to Exchange broke",
        "open the URL in a browser on that front end",
        "put the network or the web service right",
        "10_preflight",
    ),
    Hint(
        "name_resolution",
        r"could not be resolved|no such host",
        "a name does not resolve from that server",
        "Resolve-DnsName on that server",
        "add the record",
        "10_preflight",
    ),
)


def hint_for(text: str) -> Hint | None:
    """The first known symptom in a text, most specific first; None when nothing is known about it."""
    for hint in HINTS:
        if re.search(hint.pattern, text, re.IGNORECASE | re.DOTALL):
            return hint
    return None
