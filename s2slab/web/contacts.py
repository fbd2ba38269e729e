"""The unified contact store: what happens by itself once Lync can reach Exchange and a policy allows it.

Every ten minutes the front ends look: a user whose policy allows it, who has a mailbox and for whom Exchange would accept
Lync's token now, has the contact list moved to Exchange. No rollback of the trust brings it back; `Invoke-CsUcsRollback`
does, and after seven days it moves again unless the policy was changed first.
"""

from __future__ import annotations

from datetime import timedelta

from s2slab.estate import iis
from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, Estate, LyncUser, Server
from s2slab.web.oauth import Accepted, Audience, judge_bearer, mint_actor_token, mint_user_token

LOOK_EVERY_S = 600.0
STAYS_ROLLED_BACK = timedelta(days=7)


def watch(estate: Estate) -> None:
    """Have the front ends look from now on."""

    def look() -> None:
        migrate(estate)
        estate.later(LOOK_EVERY_S, look)

    estate.later(LOOK_EVERY_S, look)


def migrate(estate: Estate) -> None:
    """Move the contact list of every user for whom everything is in place."""
    for user in estate.users.values():
        if not user.contacts_in_exchange and _is_due(estate, user) and _is_accepted(estate, user):
            user.contacts_in_exchange = True
            estate.record("configuration", f"lync_user:{user.sip_address}:contacts", "Lync", "Exchange")


def is_allowed(estate: Estate, user: LyncUser) -> bool:
    """Whether the policy in effect for a user allows the unified contact store."""
    name = f"Tag:{user.user_services_policy}" if user.user_services_policy else "Global"
    policy = estate.cms.read(f"UserServicesPolicy/{name}", replica=_front_end(estate).fqdn) or {}
    return bool(policy.get("UcsAllowed", True))


def _is_due(estate: Estate, user: LyncUser) -> bool:
    rolled_back = user.contacts_rolled_back
    waited = rolled_back is None or estate.now() - rolled_back >= STAYS_ROLLED_BACK
    return waited and is_allowed(estate, user) and estate.has_mailbox(user.sip_address.removeprefix("sip:"))


def _is_accepted(estate: Estate, user: LyncUser) -> bool:
    """Whether the workers in front and behind would take a token of a front end for this user."""
    front_end = _front_end(estate)
    signer = estate.signing_key(front_end)
    settings = estate.cms.read("OAuthConfiguration", replica=front_end.fqdn) or {}
    partners = estate.cms.list("PartnerApplication", replica=front_end.fqdn)
    knows_exchange = any(str(row["ApplicationIdentifier"]).lower() == EXCHANGE_APP for row in partners)
    if signer is None or not knows_exchange or not settings.get("ExchangeAutodiscoverUrl"):
        return False
    realm = estate.lync_realm(replica=front_end.fqdn)
    issuer, host = f"{settings.get('ServiceName') or LYNC_APP}@{realm}", f"autodiscover.{estate.domain}"
    audience = Audience(EXCHANGE_APP, host, realm)
    actor = mint_actor_token(signer, issuer=issuer, audience=audience, at=estate.now())
    address = user.sip_address.removeprefix("sip:")
    token = mint_user_token(actor, issuer=issuer, audience=audience, user=address, at=estate.now())
    home = estate.mailbox(address)
    servers = [estate.server(host), *([] if home is None else [estate.server(home.server)])]
    for server in servers:
        worker = None if server.iis is None else server.iis.workers.get(iis.EWS_POOL)
        if worker is None or not server.reachable:
            return False
        verdict = judge_bearer(token, worker=worker, host=host, at=estate.now(), accounts=estate)
        if not isinstance(verdict, Accepted):
            return False
    return True


def _front_end(estate: Estate) -> Server:
    return estate.front_ends()[0]
