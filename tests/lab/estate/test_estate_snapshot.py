"""The state of an estate as one mapping: what it notices, and what it leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from helpers.estate_direct import exchange, ocs, on
from helpers.estate_steps import (
    ACCOUNT,
    OAUTH,
    assign,
    lync,
    new_partner,
    restart,
    storage_test,
    trust_exchange,
    trust_lync,
)
from helpers.snapshot import difference, state

from s2slab import faults
from s2slab.estate import iis
from s2slab.estate.disk import StoredFile
from s2slab.estate.estate import Account, Estate, Iis, LyncUser, Mailbox, Server, WorkerProcess

FE1, FE2 = "atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"
EX1 = "atl-exchange-001.litwareinc.com"
DC1, DC2 = "atl-dc-001.litwareinc.com", "atl-dc-002.litwareinc.com"
SIP = "sip:kenmyer@litwareinc.com"


def seen(estate: Estate, change: Callable[[Estate], object]) -> dict[str, tuple[Any, Any]]:
    """What differs after a change."""
    before = state(estate)
    change(estate)
    return difference(before, state(estate))


def test_the_state_is_flat_json_in_order_and_the_same_twice(estate: Estate) -> None:
    found = state(estate)
    assert json.loads(json.dumps(found)) == found
    assert list(found) == sorted(found)
    assert not any(isinstance(value, dict) and value for value in found.values())
    assert state(estate) == found


def _set_url(estate: Estate) -> None:
    ocs(estate).run("Set-CsOAuthConfiguration", ExchangeAutodiscoverUrl="https://x.litwareinc.com/a.svc")


def _roll(estate: Estate) -> None:
    assign(estate)
    pair = estate.authority.issue("next.litwareinc.com")
    estate.server(FE1).certificates[pair.thumbprint] = pair
    when = estate.now() + timedelta(days=2)
    lync(estate).run("Set-CsCertificate", Type=OAUTH, Thumbprint=pair.thumbprint, Roll=True, EffectiveDate=when)


def _hide(estate: Estate) -> None:
    exchange(estate).run("New-MailUser", Name=ACCOUNT, ExternalEmailAddress=f"{ACCOUNT}@litwareinc.com")


def _export(estate: Estate) -> None:
    lync(estate).run("Export-CsConfiguration", FileName="C:\\Windows\\Temp\\x.zip")


def _certificate(estate: Estate) -> None:
    held = estate.server(FE1).certificates
    thumbprint, pair = next(iter(held.items()))
    held[thumbprint] = replace(pair, exportable=False)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (_set_url, "cms/master/OAuthConfiguration/ExchangeAutodiscoverUrl"),
        (_roll, "cms/master/OAuthTokenIssuer/EffectiveDate"),
        (_roll, f"cms/replica/{FE1}/OAuthTokenIssuer/Thumbprint"),
        (lambda e: faults.store_replication_stopped(e), f"cms/follows/{FE2}"),
        (lambda e: faults.directory_replication_stopped(e), "directory/replicates"),
        (_hide, f"directory/{DC1}/Recipient/{ACCOUNT}/ExternalEmailAddress"),
        (lambda e: iis.set_service(e, e.server(EX1), "W3SVC", "Stopped"), f"server/{EX1}/service/W3SVC"),
        (lambda e: iis.set_service(e, e.server(FE1), "REPLICA", "Stopped"), f"server/{FE1}/service/REPLICA"),
        (lambda e: e.server(EX1).iis.pools.update({iis.EWS_POOL: "Stopped"}), f"server/{EX1}/pool/{iis.EWS_POOL}"),
        (lambda e: iis.stop(e, e.server(EX1)), f"server/{EX1}/worker/{iis.EWS_POOL}/accepted_domains"),
        (lambda e: e.server(EX1).components.update({"Monitoring": "Inactive"}), f"server/{EX1}/component/Monitoring"),
        (_certificate, f"server/{FE1}/certificate/*/exportable"),
        (lambda e: e.server(FE1).default_certificates.update(Default="0" * 40), f"server/{FE1}/use/Default"),
        (lambda e: faults.authority_not_trusted(e, FE1), f"server/{FE1}/roots"),
        (_export, f"server/{FE1}/file/C:\\Windows\\Temp\\x.zip/sha256"),
        (
            lambda e: on(e, FE1).run("New-Item", ItemType="Directory", Path=["C:\\ProgramData\\s2s"]),
            f"server/{FE1}/folder/C:\\ProgramData\\s2s",
        ),
        (lambda e: faults.named_pipes_refuse_network(e, FE1), f"server/{FE1}/named_pipes_refuse_network"),
        (lambda e: setattr(e.users[SIP], "contacts_in_exchange", True), f"user/{SIP}/contacts_in_exchange"),
        (
            lambda e: e.mailboxes["kenmyer@litwareinc.com"].folders["Inbox"].append({"id": "1"}),
            "mailbox/kenmyer@litwareinc.com/folder/Inbox",
        ),
        (lambda e: e.names.update({"alias.litwareinc.com": FE1}), "name/alias.litwareinc.com"),
        (
            lambda e: e.accounts.update({"s2s-lync": replace(e.accounts["s2s-lync"], groups=())}),
            "account/s2s-lync/groups",
        ),
        (lambda e: setattr(e, "lync_product", "SE"), "estate/lync_product"),
    ],
)
def test_a_change_is_noticed(estate: Estate, change: Callable[[Estate], object], path: str) -> None:
    paths = list(seen(estate, change))
    head, _, tail = path.partition("*")
    assert any(one.startswith(head) and one.endswith(tail) for one in paths), paths


def test_a_replica_and_a_controller_show_what_they_have_themselves(estate: Estate) -> None:
    _set_url(estate)
    _hide(estate)
    before = state(estate)
    estate.clock.advance(61)
    changed = difference(before, state(estate))
    assert f"cms/replica/{FE2}/OAuthConfiguration/ExchangeAutodiscoverUrl" in changed
    assert f"directory/{DC2}/Recipient/{ACCOUNT}/Name" in changed
    assert not any(path.startswith(("cms/master", f"directory/{DC1}")) for path in changed)


def test_a_worker_shows_what_it_has_loaded_not_what_the_directory_says(web: Estate) -> None:
    assign(web)
    trust_lync(web)
    before = state(web)
    restart(web)
    changed = difference(before, state(web))
    assert f"server/{EX1}/worker/{iis.EWS_POOL}/partner_application/LyncEnterprise-0a/Enabled" in changed
    assert all("/worker/" in path for path in changed)


def test_what_only_says_when_or_which_one_is_left_out(trusted: Estate) -> None:

    def again(estate: Estate) -> None:
        estate.clock.advance(86400)
        restart(estate)
        exchange(estate).run("Set-MailUser", Identity=ACCOUNT, HiddenFromAddressListsEnabled=False)
        estate.clock.advance(30)
        assert storage_test(estate).output == ["Test Passed"]  # writes an item, and deletes it

    def anew(estate: Estate) -> None:
        exchange(estate).run("Remove-PartnerApplication", Identity="LyncEnterprise-0a")
        new_partner(exchange(estate))
        estate.clock.advance(30)
        restart(estate)

    assert seen(trusted, again) == {}
    assert seen(trusted, anew) == {}


def test_assigning_the_same_certificate_later_is_no_difference(estate: Estate) -> None:
    assign(estate)

    def later(estate: Estate) -> None:
        estate.clock.advance(3600)
        assign(estate)

    assert seen(estate, later) == {}


def test_a_file_of_other_content_is_noticed(estate: Estate) -> None:
    server = estate.server(FE1)
    server.files["C:\\a.txt"] = StoredFile(b"one")
    changed = seen(estate, lambda e: server.files.update({"C:\\a.txt": StoredFile(b"two")}))
    assert list(changed) == [f"server/{FE1}/file/C:\\a.txt/sha256"]


def test_a_back_out_in_full_leaves_only_what_it_says(web: Estate) -> None:
    before = state(web)
    assign(web)
    with_certificate = state(web)
    trust_lync(web)
    trust_exchange(web)
    restart(web)
    shell = exchange(web)
    shell.run("Remove-PartnerApplication", Identity="LyncEnterprise-0a")
    shell.run("Remove-MailUser", Identity=ACCOUNT)
    ocs(web).run("Remove-CsPartnerApplication", Identity="Exchange")
    ocs(web).run("Set-CsOAuthConfiguration", ExchangeAutodiscoverUrl=None)
    web.clock.advance(61)
    assert all("/worker/" in path for path in difference(with_certificate, state(web)))  # still loaded
    restart(web)
    assert state(web) == with_certificate
    assert {path.split("/")[0] for path in difference(before, with_certificate)} == {"cms", "server"}


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        (Server, {"name", "fqdn", "iis", "files", "folders", "certificates", "services", "components",
                  "trusted_roots", "default_certificates"}),
        (Iis, {"generation", "services", "pools", "workers"}),
        (WorkerProcess, {"pid", "started", "pool", "partner_applications"}),
        (LyncUser, {"sip_address"}),
        (Mailbox, {"address", "folders"}),
        (Account, {"name", "password", "local_groups", "local_admin_on"}),
    ],
)  # fmt: skip
def test_a_new_field_of_the_estate_must_be_decided_upon(estate: Estate, kind: Any, left_out: set[str]) -> None:
    """Those named here are left out or stand under another word; every other one is a path's part by its own name."""
    parts = {part for path in state(estate) for part in path.split("/")}
    assert {field.name for field in fields(kind)} - parts - left_out == set()
