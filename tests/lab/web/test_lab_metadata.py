"""Metadata documents: each server publishes what it knows, over TLS, at the documented paths."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from helpers.lab_world import World

from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP
from s2slab.estate.pki import Authority

LYNC_URL = "https://atl-cs-001.litwareinc.com/metadata/json/1"
EXCHANGE_URL = "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"


def thumbprints(document: dict[str, Any]) -> list[str]:
    ders = [base64.b64decode(key["keyvalue"]["value"]) for key in document["keys"]]
    for key, der in zip(document["keys"], ders, strict=True):
        digest = hashlib.sha1(der, usedforsecurity=False).digest()
        assert base64.urlsafe_b64decode(key["keyinfo"]["x5t"] + "=") == digest
    return [hashlib.sha1(der, usedforsecurity=False).hexdigest().upper() for der in ders]


def test_exchange_publishes_its_current_certificate_under_its_realm(steady_world: World) -> None:
    answer = steady_world.get(EXCHANGE_URL)
    document = json.loads(answer.body)
    config = steady_world.estate.directory.read("AuthConfig/Auth Configuration", dc="atl-dc-001.litwareinc.com") or {}
    assert answer.header("content-type").startswith("application/json")
    assert thumbprints(document) == [config["CurrentCertificateThumbprint"]]
    assert document["issuer"] == f"{EXCHANGE_APP}@litwareinc.com"
    assert document["endpoints"][0]["location"] == EXCHANGE_URL


def test_exchange_publishes_the_previous_certificate_too_but_not_an_expired_or_a_next_one(world: World) -> None:
    current, previous, following = (Authority.self_signed("Microsoft Exchange Server Auth Certificate") for _ in "abc")
    expired = Authority.self_signed("Microsoft Exchange Server Auth Certificate", days=0)
    server = world.server("atl-exchange-002")
    for pair in (current, previous, following, expired):
        server.certificates[pair.thumbprint] = pair
    _configure_auth(world, current.thumbprint, previous.thumbprint, following.thumbprint)
    assert thumbprints(json.loads(world.get(EXCHANGE_URL).body)) == [current.thumbprint, previous.thumbprint]
    _configure_auth(world, current.thumbprint, expired.thumbprint, following.thumbprint)
    world.restart("atl-exchange-002")
    assert thumbprints(json.loads(world.get(EXCHANGE_URL).body)) == [current.thumbprint]


def test_exchange_keeps_a_document_for_twelve_hours_or_until_its_worker_restarts(world: World) -> None:
    first = world.get(EXCHANGE_URL).body
    fresh = Authority.self_signed("Microsoft Exchange Server Auth Certificate")
    world.server("atl-exchange-002").certificates[fresh.thumbprint] = fresh
    _configure_auth(world, fresh.thumbprint)
    assert world.get(EXCHANGE_URL).body == first
    world.estate.clock.advance(13 * 3600)
    assert thumbprints(json.loads(world.get(EXCHANGE_URL).body)) == [fresh.thumbprint]


def test_exchange_without_its_certificate_on_the_server_publishes_nothing(world: World) -> None:
    world.server("atl-exchange-002").certificates.clear()
    assert world.get(EXCHANGE_URL).status == 500


def test_a_configured_realm_replaces_the_default_accepted_domain(make_world: Callable[..., World]) -> None:
    world = make_world(exchange_realm="auth.litwareinc.com", lync_realm="lync.litwareinc.com")
    assert json.loads(world.get(EXCHANGE_URL).body)["realm"] == "auth.litwareinc.com"
    assert json.loads(world.get(LYNC_URL).body)["issuer"] == f"{LYNC_APP}@lync.litwareinc.com"


def test_a_front_end_publishes_the_certificate_that_its_own_replica_names(world: World) -> None:
    pair = Authority.self_signed("litwareinc.com")
    world.server("atl-fe-001").certificates[pair.thumbprint] = pair
    world.estate.cms.replicas["atl-fe-001.litwareinc.com"]["OAuthTokenIssuer"] = {"Thumbprint": pair.thumbprint}
    own = json.loads(world.get("https://atl-fe-001.litwareinc.com/metadata/json/1").body)
    other = json.loads(world.get("https://atl-fe-002.litwareinc.com/metadata/json/1").body)
    assert thumbprints(own) == [pair.thumbprint]
    assert thumbprints(other) == [world.server("atl-fe-001").tls.thumbprint]
    assert own["serviceName"] == LYNC_APP
    assert own["realm"] == "litwareinc.com"


def test_a_front_end_without_an_assigned_certificate_has_no_document(make_world: Callable[..., World]) -> None:
    world = make_world(lync_certificate_assigned=False)
    assert world.get(LYNC_URL).status == 500


def test_the_pool_name_leads_to_every_front_end_that_is_up(world: World) -> None:
    ports = {world.network.address("atl-cs-001.litwareinc.com", 443) for _ in range(4)}
    assert ports == {world.network.address(f"atl-fe-00{n}.litwareinc.com", 443) for n in (1, 2)}
    world.server("atl-fe-001").reachable = False
    assert {world.network.address("atl-cs-001.litwareinc.com", 443) for _ in range(4)} == {
        world.network.address("atl-fe-002.litwareinc.com", 443)
    }


def test_paths_compare_without_case_and_others_are_not_found(steady_world: World) -> None:
    assert steady_world.get("https://atl-fe-001.litwareinc.com/Metadata/JSON/1").status == 200
    assert steady_world.get("https://autodiscover.litwareinc.com/metadata/json/1").status == 404
    assert steady_world.send("POST", LYNC_URL, body=b"{}").status == 405


@pytest.mark.parametrize("application", ["autodiscover", "EWS", "owa"])
def test_health_pages_say_yes_until_the_component_is_out_of_rotation(world: World, application: str) -> None:
    url = f"https://atl-exchange-002.litwareinc.com/{application}/healthcheck.htm"
    assert world.get(url).status == 200
    world.server("atl-exchange-002").components["ServerWideOffline"] = "Inactive"
    assert world.get(url).status == 503


def test_a_mailbox_server_without_the_client_access_role_serves_exchange_on_444_only(steady_world: World) -> None:
    assert steady_world.get("https://atl-exchange-001.litwareinc.com/EWS/Exchange.asmx").status == 404
    assert steady_world.get("https://atl-exchange-001.litwareinc.com:444/EWS/Exchange.asmx").status == 401


def test_from_2016_on_every_exchange_server_has_both_sites(make_world: Callable[..., World]) -> None:
    world = make_world(exchange_product="2019")
    for name in ("atl-exchange-001", "atl-exchange-002"):
        assert world.get(f"https://{name}.litwareinc.com/EWS/Exchange.asmx").status == 401
        assert world.get(f"https://{name}.litwareinc.com:444/EWS/Exchange.asmx").status == 401


def _configure_auth(world: World, current: str, previous: str = "", following: str = "") -> None:
    config = world.estate.directory.read("AuthConfig/Auth Configuration", dc="atl-dc-002.litwareinc.com") or {}
    world.estate.directory.seed(
        "AuthConfig/Auth Configuration",
        {
            **config,
            "CurrentCertificateThumbprint": current,
            "PreviousCertificateThumbprint": previous,
            "NextCertificateThumbprint": following,
        },
    )
