"""What phases and verification have to see alike: realms, URLs, the estate's time, and which keys are whose."""

from __future__ import annotations

from datetime import datetime

from s2slib.facts import Facts, Unknown
from s2slib.products import exchange, lync
from s2slib.products.read import parse_instant
from s2slib.products.windows import CLOCK
from s2slib.runbook.reading.scope import Scope

LARGEST_SKEW_S = 300
"""Clocks that differ by more are not taken for the same time: tokens are refused, and a window is not known."""


def lync_realm(facts: Facts) -> str:
    """The realm Lync puts into its tokens: set, else the default SIP domain; empty while unknown (fact F12)."""
    configured = facts.value(lync.OAUTH_CONFIGURATION)
    if configured is not None and configured.realm:
        return configured.realm.lower()
    return default_sip_domain(facts)


def default_sip_domain(facts: Facts) -> str:
    """Lync's default SIP domain; empty while unknown."""
    return next((domain.name for domain in facts.value(lync.SIP_DOMAINS, []) if domain.is_default), "")


def pools_left_out(d: Scope, facts: Facts) -> list[str]:
    """Pools with users that are not declared."""
    declared = {pool.fqdn.lower() for pool in d.lync.pools}
    return [row.fqdn for row in facts.value(lync.POOLS, []) if row.has_users and row.fqdn not in declared]


def accepted_realms(facts: Facts) -> list[str]:
    """The realms Exchange accepts: its own when set, and every accepted domain that is no wildcard (fact F12)."""
    names = [domain.domain_name for domain in facts.value(exchange.ACCEPTED_DOMAINS, [])]
    return [name for name in [_own_realm(facts), *names] if name and "*" not in name]


def exchange_realm(facts: Facts) -> str:
    """The realm Exchange puts into its tokens: set, else the default accepted domain."""
    domains = facts.value(exchange.ACCEPTED_DOMAINS, [])
    return _own_realm(facts) or next((domain.domain_name for domain in domains if domain.default), "")


def _own_realm(facts: Facts) -> str:
    config = facts.value(exchange.AUTH_CONFIG)
    return config.realm.lower() if config else ""


def server_time(d: Scope, facts: Facts) -> datetime | None:
    """The estate's time as a server gave it; certificates are judged by it, never by this machine's clock."""
    clocks = (facts.value(CLOCK.on(server)) for server in d.reached)
    return next((parse_instant(clock.utc) for clock in clocks if clock), None)


def exchange_thumbprints(facts: Facts) -> list[str] | None:
    """The keys Exchange may publish: the current one, then the previous one; None while that is unknown."""
    if isinstance(facts[exchange.AUTH_CONFIG], Unknown):
        return None
    config = facts.value(exchange.AUTH_CONFIG)
    return [thumbprint for thumbprint in (config.current, config.previous) if thumbprint] if config else []


def lync_thumbprints(d: Scope, facts: Facts) -> list[str] | None:
    """The keys Lync may publish: the one that signs now, then the other of a roll; None while that is unknown."""
    if isinstance(facts[lync.OAUTH_CERTIFICATE], Unknown):
        return None
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    if assigned is None:
        return []
    signing = signing_thumbprint(d, facts)
    return [
        signing,
        *(value for value in (assigned.thumbprint, assigned.previous_thumbprint) if value not in ("", signing)),
    ]


def signing_thumbprint(d: Scope, facts: Facts) -> str:
    """The certificate that signs Lync's tokens now: a staged one does not before its date. Empty while there is none known."""
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    return assigned.signing(server_time(d, facts)) if assigned else ""


def same_url(a: str, b: str) -> bool:
    """Whether two URLs are the same to both products: case and a slash at the end do not count."""
    return a.rstrip("/").casefold() == b.rstrip("/").casefold()
