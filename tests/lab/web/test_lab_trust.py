"""Trust between the lab's products: the storage test passes exactly when everything it rests on is in place."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from helpers.lab_world import USER, World

from s2slab.estate.estate import Mailbox
from s2slab.estate.pki import Authority
from s2slab.estate.transitions import Cause

BOTH = ("atl-exchange-001", "atl-exchange-002")
LINKED_ACCOUNT_MISSING = "The application is missing a linked account for RBAC roles"


def test_the_configured_trust_passes_and_leaves_no_item_when_it_is_to_be_deleted(world: World) -> None:
    world.configure()
    test = world.storage_test()
    assert (test.passed, test.error) == (True, None)
    assert world.estate.mailbox("kenmyer@litwareinc.com").folders["ConversationHistory"] == []  # type: ignore[union-attr]
    probes = world.estate.log.rows(kind="probe")
    assert [(row.before is None, row.after is None) for row in probes] == [(True, False), (False, True)]


def test_without_deletion_the_item_stays(world: World) -> None:
    world.configure()
    assert world.storage_test(delete_item=False).passed
    (item,) = world.estate.mailbox("kenmyer@litwareinc.com").folders["ConversationHistory"]  # type: ignore[union-attr]
    assert item["ItemClass"] == "IPM.Note.Microsoft.Conversation"


def test_probe_items_are_logged_with_the_command_that_caused_them(world: World) -> None:
    world.configure()
    cause = Cause("command", id="c-17", command="Test-CsExStorageConnectivity")
    with world.estate.log.causing(cause):
        world.storage_test()
    assert [row.cause for row in world.estate.log.rows(kind="probe")] == [cause, cause]


def test_nothing_is_taken_before_a_restart_and_everything_after_it(world: World) -> None:
    world.trust_lync()
    world.trust_exchange()
    before = world.storage_test()
    assert not before.passed
    assert "(401) Unauthorized" in str(before.error)
    assert "ErrorIncorrectExchangeServerVersion" in str(before.error)
    world.restart(*BOTH)
    assert world.storage_test().passed


@pytest.mark.parametrize("restarted", BOTH)
def test_restarting_only_one_of_the_two_servers_is_not_enough(world: World, restarted: str) -> None:
    world.trust_lync()
    world.trust_exchange()
    world.restart(restarted)
    test = world.storage_test()
    assert not test.passed
    assert "(401) Unauthorized" in str(test.error)
    answered_by_back_end = any("X-BEServer: ATL-EXCHANGE-001" in line for line in test.trace)
    assert answered_by_back_end == (restarted == "atl-exchange-002")


def test_a_worker_restarted_before_its_domain_controller_knows_the_application_refuses(world: World) -> None:
    world.trust_exchange()
    directory = world.estate.directory
    world.trust_lync()
    (row,) = directory.list("PartnerApplication", dc="atl-dc-001.litwareinc.com")
    directory.unseed(f"PartnerApplication/{row['Name']}")
    with world.estate.acting(Cause("command")):
        directory.write(f"PartnerApplication/{row['Name']}", row, dc="atl-dc-001.litwareinc.com")
    world.restart(*BOTH)  # the Client Access server's own controller has not heard of it yet
    assert not world.storage_test().passed
    world.estate.clock.advance(60)
    world.restart("atl-exchange-002")
    assert world.storage_test().passed


def test_the_401_lists_the_issuers_that_this_worker_has_loaded(world: World) -> None:
    url = "https://atl-exchange-002.litwareinc.com/EWS/Exchange.asmx"
    world.trust_lync()
    before = world.send("POST", url, Authorization="Bearer bogus")
    world.restart("atl-exchange-002")
    after = world.send("POST", url, Authorization="Bearer bogus")
    assert 'trusted_issuers=""' in before.header("www-authenticate")
    assert 'trusted_issuers="00000004-0000-0ff1-ce00-000000000000@litwareinc.com"' in after.header("www-authenticate")
    assert after.header("x-ms-diagnostics").startswith("2000001;")


def test_without_a_bearer_the_401_offers_windows_authentication_only(steady_world: World) -> None:
    answer = steady_world.send("POST", "https://atl-exchange-002.litwareinc.com/EWS/Exchange.asmx")
    assert answer.status == 401
    assert answer.header("www-authenticate") == "Negotiate, NTLM"


def test_lync_without_exchange_as_partner_application_makes_no_token(world: World) -> None:
    world.configure()
    world.trust_exchange(Enabled=False)
    test = world.storage_test()
    assert "(401) Unauthorized" in str(test.error)
    assert any("No enabled partner application" in line for line in test.trace)
    assert not any(line.startswith("  Authorization: Bearer ey") for line in test.trace)


def test_a_front_end_without_the_signing_key_makes_no_token(world: World) -> None:
    world.configure()
    world.server("atl-fe-002").certificates.clear()
    assert world.storage_test().passed
    test = world.storage_test(front_end="atl-fe-002")
    assert any("No OAuthTokenIssuer certificate" in line for line in test.trace)
    assert not test.passed


def test_a_rolled_lync_certificate_is_refused_until_exchange_learns_the_new_key(world: World) -> None:
    world.configure()
    rolled = Authority.self_signed("litwareinc.com")
    for server in world.estate.front_ends():
        server.certificates[rolled.thumbprint] = rolled
    world.estate.cms.seed("OAuthTokenIssuer", {"Thumbprint": rolled.thumbprint})
    assert "invalid_signature" in str(world.storage_test().error)
    world.trust_lync(CertificateStrings=[base64.b64encode(rolled.der).decode()])
    world.restart(*BOTH)
    assert world.storage_test().passed


def test_a_signing_key_below_2048_bit_is_refused(make_world: Callable[..., World]) -> None:
    world = make_world()
    short = Authority.self_signed("litwareinc.com", key_size=1024)
    for server in world.estate.front_ends():
        server.certificates[short.thumbprint] = short
    world.estate.cms.seed("OAuthTokenIssuer", {"Thumbprint": short.thumbprint})
    world.configure()
    assert "invalid_signature" in str(world.storage_test().error)


@pytest.mark.parametrize(
    "scenario",
    [{"lync_realm": "other.litwareinc.com"}, {"accepted_domains": ("*.litwareinc.com",)}],
    ids=["another realm", "a wildcard accepted domain"],
)
def test_a_realm_that_is_no_accepted_domain_is_an_unknown_tenant(
    make_world: Callable[..., World], scenario: dict[str, object]
) -> None:
    world = make_world(**scenario)
    world.configure()
    error = str(world.storage_test().error)
    realm = scenario.get("lync_realm", "litwareinc.com")
    assert (
        f'2000004;reason="The tenant for tenant guid \'{realm}\' does not exist.";error_category="invalid_tenant"'
        in error
    )


def test_an_explicit_realm_of_exchange_is_accepted_beside_the_accepted_domains(
    make_world: Callable[..., World],
) -> None:
    world = make_world(lync_realm="auth.litwareinc.com", exchange_realm="auth.litwareinc.com")
    world.configure()
    assert world.storage_test().passed


@pytest.mark.parametrize("account", ["", "litwareinc.com/Users/Gone"])
def test_an_application_without_a_linked_account_is_refused(world: World, account: str) -> None:
    world.trust_lync(LinkedAccount=account)
    world.restart(*BOTH)
    world.trust_exchange()
    assert LINKED_ACCOUNT_MISSING in str(world.storage_test().error)


def test_an_application_whose_account_has_no_roles_is_refused(world: World) -> None:
    world.configure()
    for role in ("UserApplication", "ArchiveApplication"):
        world.estate.directory.unseed(f"RoleAssignment/{role}")
    assert LINKED_ACCOUNT_MISSING in str(world.storage_test().error)


def test_a_disabled_application_is_not_trusted(world: World) -> None:
    world.trust_lync(Enabled=False)
    world.restart(*BOTH)
    world.trust_exchange()
    assert "invalid_issuer" in str(world.storage_test().error)


def test_a_user_without_a_mailbox_fails_where_the_others_pass(world: World) -> None:
    world.configure()
    error = str(world.storage_test("sip:lobby@litwareinc.com").error)
    assert '2000005;reason="The user specified by the user-context in the token does not exist."' in error
    assert world.storage_test(USER).passed


def test_an_unknown_sip_address_never_reaches_exchange(world: World) -> None:
    world.configure()
    test = world.storage_test("sip:nobody@litwareinc.com")
    assert "was not found" in str(test.error)
    assert not any(line.startswith("Request:") for line in test.trace)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("", "no Autodiscover URL is configured"),
        ("https://autodiscover.litwareinc.com/autodiscover/badautodiscover.svc", "(404) Not Found."),
        ("https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml", "not a GetUserSettings response"),
        ("https://nowhere.litwareinc.com/autodiscover/autodiscover.svc", "could not be resolved"),
        ("https://atl-exchange-001.litwareinc.com/autodiscover/autodiscover.svc", "(404) Not Found."),
    ],
)
def test_a_wrong_autodiscover_url_shows_in_its_own_way(world: World, url: str, seen: str) -> None:
    world.configure()
    world.autodiscover_at(url)
    error = str(world.storage_test().error)
    assert "Storage Service had an EWS Autodiscovery failure." in error
    assert seen in error


def test_a_front_end_that_does_not_trust_the_authority_cannot_reach_autodiscover(world: World) -> None:
    world.configure()
    world.server("atl-fe-001").trusted_roots = ()
    error = str(world.storage_test().error)
    assert "Could not establish trust relationship" in error
    assert "The request was canceled" in error


def test_a_front_end_clock_that_runs_ahead_makes_tokens_of_the_future(world: World) -> None:
    world.configure()
    world.server("atl-fe-001").clock_skew_s = 240
    assert world.storage_test().passed
    world.server("atl-fe-001").clock_skew_s = 900
    assert "invalid_lifetime" in str(world.storage_test().error)


@pytest.mark.parametrize("name", BOTH)
def test_an_exchange_clock_that_runs_behind_sees_tokens_of_the_future(world: World, name: str) -> None:
    world.configure()
    world.server(name).clock_skew_s = -900
    assert "invalid_lifetime" in str(world.storage_test().error)


def test_the_dumpster_is_there_for_archived_users_only(world: World) -> None:
    world.configure()
    assert "ErrorFolderNotFound" in str(world.storage_test(folder="Dumpster").error)
    mailbox = world.estate.mailbox("kenmyer@litwareinc.com")
    assert isinstance(mailbox, Mailbox)
    mailbox.folders["Dumpster"] = []
    assert world.storage_test(folder="Dumpster").passed


def test_over_nettcp_the_named_front_end_does_the_work(world: World) -> None:
    world.configure()
    world.server("atl-fe-002").certificates.clear()
    assert world.storage_test(binding="NetTCP", host="atl-fe-001.litwareinc.com").passed
    assert not world.storage_test(binding="NetTCP", host="atl-fe-002.litwareinc.com").passed
    unknown = world.storage_test(binding="NetTCP", host="atl-exchange-001.litwareinc.com")
    assert "no endpoint listening" in str(unknown.error)


def test_the_trace_shows_the_exchange_with_its_live_tokens(world: World) -> None:
    world.configure()
    trace = "\n".join(world.storage_test().trace)
    assert re.search(r"  Authorization: Bearer ey[\w-]+\.[\w-]+\.\n", trace)
    assert "Request: POST https://atl-exchange-002.litwareinc.com/EWS/Exchange.asmx" in trace


def test_a_request_between_servers_while_holding_the_estate_fails_at_once(world: World) -> None:
    world.configure()
    with world.estate.acting(Cause("command")), pytest.raises(RuntimeError, match="while holding the estate"):
        world.storage_test()
