"""A logon session on a simulated server: who, how, and what its token is good for beyond that server."""

from __future__ import annotations

from dataclasses import dataclass

from s2slab.estate.estate import Account

BUILTIN_GROUPS = (
    # name, type, SID, attributes: as `whoami /groups` prints them
    ("Everyone", "Well-known group", "S-1-1-0", "Mandatory group, Enabled by default, Enabled group"),
    ("BUILTIN\\Users", "Alias", "S-1-5-32-545", "Mandatory group, Enabled by default, Enabled group"),
    (
        "NT AUTHORITY\\Authenticated Users",
        "Well-known group",
        "S-1-5-11",
        "Mandatory group, Enabled by default, Enabled group",
    ),
)
ADMINISTRATORS = (
    "BUILTIN\\Administrators",
    "Alias",
    "S-1-5-32-544",
    "Mandatory group, Enabled by default, Enabled group, Group owner",
)
NETWORK = ("NT AUTHORITY\\NETWORK", "Well-known group", "S-1-5-2", "Mandatory group, Enabled by default, Enabled group")


@dataclass(frozen=True)
class LabSession:
    """A token.

    `delegated` says that it can be shown to a second server: the password came along (CredSSP, Basic), the logon is
    interactive, or a product endpoint does the work with its own identity. `network_logon` puts NETWORK into it;
    `elevated` makes local administration count.
    """

    account: Account
    method: str  # basic | ntlm | credssp | kerberos | interactive | Microsoft.Exchange | OcsPowershell ...
    delegated: bool = False
    network_logon: bool = True
    elevated: bool = True

    def may_administer(self, fqdn: str) -> bool:
        """Whether the token makes its holder a local administrator there."""
        return self.elevated and self.account.may_administer(fqdn)

    def is_in(self, *groups: str) -> bool:
        """Whether the token holds any of these groups."""
        return self.account.is_in(*groups)
