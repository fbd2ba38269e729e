"""Taking a trust back with the product's own commands, over its own remoting: what goes at once, what lags, what stays loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.estate_direct import Ended
from helpers.estate_links import DC1, DC2, EX1, FE1, FE2, Links
from helpers.estate_steps import ACCOUNT, AUTODISCOVER, restart, storage_test, trust

from s2slib.products import exchange, lync
from s2slib.remoting.values.command import Cmdlet

PARTNER = "LyncEnterprise-0a"


def pinned(command: Cmdlet, controller: str) -> Cmdlet:
    """The same command on a named domain controller, as the command that made the object had it."""
    return replace(command, parameters={**command.parameters, "DomainController": controller})


def on_controllers(links: Links, key: str) -> list[bool]:
    """Whether each domain controller has the object."""
    with links.estate.reading():
        return [links.estate.directory.read(key, dc=dc) is not None for dc in (DC1, DC2)]


def in_store(links: Links, key: str) -> list[Any]:
    """The item in the master and in both replicas."""
    with links.estate.reading():
        return [links.estate.cms.read(key, replica=replica) for replica in (None, FE1, FE2)]


@pytest.fixture
def trusting(links: Links) -> Links:
    """Both directions trusted, replicated and loaded."""
    trust(links.estate)
    return links


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (f"PartnerApplication/{PARTNER}", exchange.remove_partner_application(PARTNER)),
        (f"RoleAssignment/UserApplication-{ACCOUNT}", exchange.remove_role_assignment("UserApplication", ACCOUNT)),
        (f"Recipient/{ACCOUNT}", exchange.remove_mail_user(ACCOUNT)),
    ],
    ids=lambda value: value.name if isinstance(value, Cmdlet) else "",
)
def test_a_removal_is_made_on_the_pinned_controller_and_reaches_the_other_after_the_lag(
    trusting: Links, key: str, command: Cmdlet
) -> None:
    reply = trusting.run(EX1, pinned(command, DC2))
    assert reply.succeeded, reply.errors
    assert reply.output == ()
    assert on_controllers(trusting, key) == [True, False]
    trusting.estate.clock.advance(21)
    assert on_controllers(trusting, key) == [False, False]


def test_without_a_controller_the_one_of_the_servers_site_is_used(trusting: Links) -> None:
    assert trusting.run(EX1, exchange.remove_partner_application(PARTNER)).succeeded
    assert on_controllers(trusting, f"PartnerApplication/{PARTNER}") == [False, True]


def test_the_objects_of_the_script_go_one_by_one_in_the_order_of_a_back_out(trusting: Links) -> None:
    commands = [
        exchange.remove_partner_application(PARTNER),
        *(exchange.remove_role_assignment(role, ACCOUNT) for role in exchange.ROLES),
        exchange.remove_mail_user(ACCOUNT),
    ]
    for command in commands:
        reply = trusting.run(EX1, pinned(command, DC1))
        assert reply.succeeded, reply.errors
    trusting.estate.clock.advance(21)
    for dc in (DC1, DC2):
        for kind in ("PartnerApplication", "RoleAssignment"):
            assert trusting.estate.directory.list(kind, dc=dc) == []
        assert trusting.estate.directory.read(f"Recipient/{ACCOUNT}", dc=dc) is None


@pytest.mark.parametrize(
    "command",
    [
        exchange.remove_partner_application("LyncEnterprise-ff"),
        exchange.remove_role_assignment("UserApplication", "nobody"),
        exchange.remove_mail_user("nobody"),
        exchange.set_partner_application("LyncEnterprise-ff", DC1, Enabled=False),
    ],
    ids=lambda command: command.name,
)
def test_what_is_gone_already_cannot_be_found(links: Links, command: Cmdlet) -> None:
    reply = links.run(EX1, pinned(command, DC1))
    assert reply.state == "completed"  # a task writes its error, it does not throw it
    (error,) = reply.errors
    name = str(command.parameters["Identity"])
    assert error.message == f"The operation couldn't be performed because object '{name}' couldn't be found on '{DC1}'."
    assert "ManagementObjectNotFoundException" in error.id
    assert links.estate.log.rows() == []


def test_a_worker_that_loaded_the_trust_accepts_tokens_until_it_is_recycled(trusting: Links) -> None:
    assert trusting.run(EX1, pinned(exchange.remove_partner_application(PARTNER), DC1)).succeeded
    trusting.estate.clock.advance(3600)
    assert storage_test(trusting.estate).output == ["Test Passed"]
    restart(trusting.estate)
    with pytest.raises(Ended, match="is not trusted"):
        storage_test(trusting.estate)


def test_a_trust_that_is_switched_off_is_off_after_the_restart_and_on_again_after_another(trusting: Links) -> None:
    def switch(enabled: bool) -> None:
        assert trusting.run(EX1, exchange.set_partner_application(PARTNER, DC1, Enabled=enabled)).succeeded
        trusting.estate.clock.advance(21)
        restart(trusting.estate)

    switch(False)
    with pytest.raises(Ended, match="is not trusted"):
        storage_test(trusting.estate)
    switch(True)
    assert storage_test(trusting.estate).output == ["Test Passed"]


def test_lyncs_partner_application_goes_from_the_store_at_once_and_from_the_replicas_later(trusting: Links) -> None:
    reply = trusting.run(FE1, lync.remove_partner_application("Exchange"))
    assert reply.succeeded, reply.errors
    assert [item is None for item in in_store(trusting, "PartnerApplication/Exchange")] == [True, False, False]
    assert storage_test(trusting.estate).output == ["Test Passed"]
    trusting.estate.clock.advance(61)
    assert in_store(trusting, "PartnerApplication/Exchange") == [None, None, None]
    with pytest.raises(Ended, match=r"\(401\)"):
        storage_test(trusting.estate)
    again = trusting.run(FE1, lync.remove_partner_application("Exchange"))
    assert again.state == "failed"
    assert again.errors[0].id.startswith("ItemNotFound")
    assert '"Exchange"' in again.errors[0].message


def test_an_autodiscover_url_is_emptied_with_null(trusting: Links) -> None:
    reply = trusting.run(FE1, lync.set_oauth_configuration(ExchangeAutodiscoverUrl=None))
    assert reply.succeeded, reply.errors
    urls = [item["ExchangeAutodiscoverUrl"] for item in in_store(trusting, "OAuthConfiguration")]
    assert urls == ["", AUTODISCOVER, AUTODISCOVER]
    trusting.estate.clock.advance(61)
    assert in_store(trusting, "OAuthConfiguration")[2]["ExchangeAutodiscoverUrl"] == ""
    with pytest.raises(Ended, match="no Autodiscover URL is configured"):
        storage_test(trusting.estate)


@pytest.mark.parametrize(
    ("server", "there", "back"),
    [
        (EX1, exchange.set_mail_user_hidden(ACCOUNT, DC1), None),
        (
            EX1,
            exchange.set_client_access(
                "Set-ClientAccessServer", "atl-exchange-002", "https://elsewhere.litwareinc.com/x"
            ),
            exchange.set_client_access(
                "Set-ClientAccessServer",
                "atl-exchange-002",
                "https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml",
            ),
        ),
        (
            FE1,
            lync.set_partner_application("Exchange", Enabled=False),
            lync.set_partner_application("Exchange", Enabled=True),
        ),
        (
            FE1,
            lync.set_user_services_policy("Global", ucs_allowed=True),
            lync.set_user_services_policy("Global", ucs_allowed=False),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Cmdlet) else "",
)
def test_a_value_can_be_set_and_set_back(trusting: Links, server: str, there: Cmdlet, back: Cmdlet | None) -> None:
    first = len(trusting.estate.log.rows())
    inverse = back or replace(there, parameters={**there.parameters, "HiddenFromAddressListsEnabled": False})
    for command in (there, inverse):
        reply = trusting.run(server, command)
        assert reply.succeeded, reply.errors
    went, came = (row for row in trusting.estate.log.rows(caused_by="command") if row.number > first)
    assert _values(went.before) == _values(came.after)
    assert _values(went.after) == _values(came.before)


def _values(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "WhenChangedUTC"}
