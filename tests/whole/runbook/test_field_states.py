"""States of real estates: what the product says and does about them, each with a near miss where one is near."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

import pytest
from helpers.lab_run import ALL, EX1, EX2, FE1, World, ids, world

from s2slab import faults
from s2slab.cmdlets.lync import topology
from s2slab.estate.pki import KeyPair
from s2slab.scenario import Scenario
from s2slib.deployment import DeploymentError
from s2slib.runbook.run import PhaseResult
from s2slib.runbook.verify import Verification

pytestmark = pytest.mark.slow  # each makes a trust, or several
ACCOUNT = "LyncEnterprise-ApplicationAccount"


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An estate whose trust was made and proven: a test that changes something in it puts it back."""
    with world(tmp_path_factory.mktemp("proven")) as made:
        make_trust(made)
        yield made


def check(estate: World, *names: str, **sections: object) -> dict[str, PhaseResult]:
    with estate.run("check", **sections) as run:
        run.inspect()
        return {name: run.phase(name) for name in names or ALL}


def told(result: PhaseResult | Verification, level: str = "") -> dict[str, str]:
    """Finding -> what was seen, of one level or of all but those in order."""
    return {f.id: f.seen for f in result.findings if f.level == level or (not level and f.level != "ok")}


def make_trust(estate: World) -> None:
    assert {result.state for result in estate.apply().values()} == {"done"}
    assert estate.verify().proven


def restarts(estate: World) -> list[str]:
    return [row.subject for row in estate.written() if row.subject.endswith(":W3SVC")]


def test_a_server_whose_certificate_names_only_the_services_is_told_before_it_is_restarted(estate: World) -> None:
    pair = estate.lab.estate.authority.issue("mail.litwareinc.com", names=["autodiscover.litwareinc.com"])
    server = estate.lab.estate.server("atl-exchange-002")
    server.certificates[pair.thumbprint], server.tls = pair, pair
    looked = check(estate, "preflight")["preflight"]
    assert [f.server for f in looked.findings if f.id == "preflight.health_unreadable"] == [EX2]
    done = estate.apply()
    assert {name: result.state for name, result in done.items()} == dict.fromkeys(ALL, "done")
    tls = told(estate.verify())
    assert "verification.storage.tls" in tls
    assert "verification.storage.unauthorized" not in tls


def seed_legacy(estate: World) -> str:
    fqdn = "atl-legacy-010.litwareinc.com"
    row = {
        "Name": "ATL-LEGACY-010",
        "Fqdn": fqdn,
        "ServerRole": "Mailbox, ClientAccess, HubTransport",
        "IsMailboxServer": True,
        "IsClientAccessServer": True,
        "AdminDisplayVersion": "Version 14.3 (Build 123.4)",
        "Site": "Atlanta-1",
        "AutoDiscoverServiceInternalUri": "",
        "AutoDiscoverSiteScope": (),
    }
    estate.lab.estate.directory.seed("ExchangeServer/ATL-LEGACY-010", row)
    return fqdn


def test_an_exchange_2010_server_takes_no_part_and_leaves_nothing_yellow(
    estate: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s2slab.estate.estate import Server

    fqdn = seed_legacy(estate)
    pair = estate.lab.estate.authority.issue(fqdn)
    older = Server("atl-legacy-010", fqdn, ("HubOnly",), pair, site="Atlanta-1")
    older.domain_controller = estate.lab.estate.exchange_servers()[0].domain_controller
    servers = estate.lab.estate.exchange_servers()
    monkeypatch.setattr(type(estate.lab.estate), "exchange_servers", lambda _: [*servers, older])
    looked = check(estate, "preflight")["preflight"]
    assert told(looked, "ok")["preflight.older"].startswith(fqdn)
    assert "preflight.topology" not in told(looked)


def test_a_plain_user_of_the_account_s_name_is_told_first_and_the_run_is_done_and_proven(estate: World) -> None:
    user = {"Name": ACCOUNT, "RecipientType": "User", "PrimarySmtpAddress": "", "HiddenFromAddressListsEnabled": False}
    user |= {"UserPrincipalName": f"{ACCOUNT}@litwareinc.com", "SamAccountName": ACCOUNT[:20]}
    estate.lab.estate.directory.seed(f"Recipient/{ACCOUNT}", user)
    looked = check(estate, "exchange_partner_application")["exchange_partner_application"]
    assert told(looked)["exchange_partner_application.plain_user"] == f"{ACCOUNT}: User"
    make_trust(estate)


@pytest.mark.parametrize(
    "setting", ["lync.Realm", "lync.OAuthTokenIssuer", "lync.PartnerApplication", "exchange.PartnerApplication"]
)
def test_an_override_that_would_have_no_effect_is_refused(setting: str, estate: World) -> None:
    with pytest.raises(DeploymentError, match="allowed"):
        estate.deployment(policy={"overrides": [{"setting": setting, "existing": "x", "reason": "left over"}]})


def test_nothing_is_claimed_about_keys_that_were_not_read(tmp_path: Path) -> None:
    with world(tmp_path, Scenario(lync_certificate_assigned=True)) as estate:
        faults.server_down(estate.lab.estate, "atl-exchange-001")
        looked = check(estate, "preflight", "certificates")
    for result in looked.values():
        assert result.state == "blocked"
        assert not [finding for finding in result.findings if finding.level == "blocker"], result.findings


def stage(estate: World, hours: int) -> str:
    lab = estate.lab.estate
    new = lab.authority.issue("litwareinc.com", names=["sip.litwareinc.com"])
    lab.key_pairs[new.thumbprint] = new
    for server in lab.front_ends():
        server.certificates[new.thumbprint] = new
    held = lab.cms.read("OAuthTokenIssuer")
    assert held is not None
    at = lab.now() + timedelta(hours=hours)
    item = {"Thumbprint": new.thumbprint, "EffectiveDate": at, "PreviousThumbprint": held["Thumbprint"]}
    lab.cms.seed("OAuthTokenIssuer", item)
    return new.thumbprint


def test_a_staged_roll_is_named_with_its_date_and_changes_nothing_before_it(proven: World) -> None:
    estate, before = proven, len(proven.written())
    held = estate.lab.estate.cms.read("OAuthTokenIssuer")
    new = stage(estate, 48)
    looked = check(estate)
    assert told(looked["certificates"])["certificates.lync.staged"].startswith(f"{new} from ")
    assert [change.id for result in looked.values() for change in result.planned] == []
    assert estate.verify().proven
    assert len(estate.written()) == before
    assert held is not None
    estate.lab.estate.cms.seed("OAuthTokenIssuer", held)


def test_a_roll_that_has_come_is_read_by_exchange_again(estate: World) -> None:
    make_trust(estate)
    stage(estate, 1)
    estate.lab.estate.clock.advance(2 * 3600)
    looked = check(estate, "exchange_partner_application")["exchange_partner_application"]
    assert [change.id for change in looked.planned] == ["exchange.refresh_lync_key"]
    assert "verification.exchange_stored_key" in ids(estate.verify())


def test_a_mailbox_without_the_folder_is_no_refused_token(proven: World) -> None:
    folders = proven.lab.estate.mailboxes["kenmyer@litwareinc.com"].folders
    kept = folders.pop("ConversationHistory")
    found = proven.verify()
    folders["ConversationHistory"] = kept
    assert ids(found) == {"verification.storage.folder"}
    assert not any("50_restart_iis" in finding.remedy for finding in found.findings)


def test_a_pool_that_is_not_declared_is_named_and_the_verdict_says_so(
    proven: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "chi-cs-001.litwareinc.com"
    services = [f"{role}:{name}" for role in ("UserServer", "Registrar", "WebServer")]
    pool = topology._pool(name, ["chi-fe-001.litwareinc.com"], services)
    monkeypatch.setattr(topology, "_database_pool", lambda _: pool)
    assert told(check(proven, "preflight")["preflight"])["preflight.pool_left_out"] == name
    assert told(proven.verify())["verification.pools_left_out"] == name


def test_a_product_that_is_not_the_declared_one_is_named_on_both_sides(tmp_path: Path) -> None:
    with world(tmp_path, Scenario(exchange_product="2016", lync_product="2019")) as estate:
        looked = check(estate, "preflight")["preflight"]
    against = [finding for finding in looked.findings if finding.id == "preflight.product"]
    assert {finding.expected for finding in against} == {"Exchange Server 2013", "Lync Server 2013"}
    assert {finding.level for finding in against} == {"blocker"}
    assert told(looked)["preflight.out_of_support"]


@dataclass(frozen=True)
class Odd(KeyPair):
    """A certificate whose subject has a character that its string type does not allow."""

    @property
    def der(self) -> bytes:
        name = b"buch!haltung.litwareinc.com"
        plain = KeyPair.der.func(self)
        at = plain.index(b"\x0c" + bytes([len(name)]) + name)
        return bytes(plain[:at] + b"\x13" + plain[at + 1 :])

    @property
    def thumbprint(self) -> str:
        return hashlib.sha1(self.der).hexdigest().upper()


def test_a_certificate_that_cannot_be_read_is_that_row_s_matter_and_the_server_is_named(tmp_path: Path) -> None:
    with world(tmp_path, Scenario(lync_certificate_assigned=True)) as estate:
        pair = estate.lab.estate.authority.issue("buch!haltung.litwareinc.com", names=["b.litwareinc.com"])
        odd = Odd(**{field.name: getattr(pair, field.name) for field in fields(pair)})
        estate.lab.estate.server("atl-exchange-002").certificates[odd.thumbprint] = odd
        looked = check(estate, "certificates")["certificates"]
        assert [f.server for f in looked.findings if f.id == "certificates.exchange.unreadable"] == [EX2]
        make_trust(estate)


def test_a_slash_at_the_end_is_the_same_url_to_phases_and_verification(proven: World) -> None:
    estate, lab = proven, proven.lab.estate
    row = lab.directory.list("PartnerApplication", dc=lab.directory.controllers[0])[0]
    held = lab.cms.read("PartnerApplication/Exchange")
    assert held is not None
    lab.cms.seed("PartnerApplication/Exchange", {**held, "MetadataUrl": held["MetadataUrl"] + "/"})
    lab.directory.seed(f"PartnerApplication/{row['Name']}", {**row, "AuthMetadataUrl": row["AuthMetadataUrl"] + "/"})
    looked = check(estate, "exchange_partner_application", "lync_partner_application")
    assert {result.state for result in looked.values()} == {"done"}
    assert estate.verify().proven
    lab.cms.seed("PartnerApplication/Exchange", held)
    lab.directory.seed(f"PartnerApplication/{row['Name']}", row)


def test_an_account_that_was_cleaned_away_is_made_again_with_its_roles(proven: World) -> None:
    estate = proven
    directory = estate.lab.estate.directory
    controller = directory.controllers[0]
    for role in list(directory.list("RoleAssignment", dc=controller)):
        directory.unseed(f"RoleAssignment/{role['Name']}")
    directory.unseed(f"Recipient/{ACCOUNT}")
    row = directory.list("PartnerApplication", dc=controller)[0]
    directory.seed(f"PartnerApplication/{row['Name']}", {**row, "LinkedAccount": ""})
    faults._reload(estate.lab.estate)
    looked = check(estate, "exchange_partner_application")["exchange_partner_application"]
    assert "Make the application account again" in {finding.title for finding in looked.findings}
    make_trust(estate)


def test_a_default_sip_domain_that_was_changed_is_found_by_preflight_and_by_the_phase_that_would_repair_it(
    tmp_path: Path,
) -> None:
    domains = ("litwareinc.com", "fabrikam.com")
    with world(tmp_path, Scenario(sip_domains=domains, accepted_domains=domains)) as estate:
        make_trust(estate)
        for name in domains:
            estate.lab.estate.cms.seed(f"SipDomain/{name}", {"Name": name, "IsDefault": name == "fabrikam.com"})
        looked = check(estate, "preflight", "exchange_partner_application")
        assert told(looked["preflight"], "blocker")["preflight.sip_domain"] == "fabrikam.com"
        other = told(looked["exchange_partner_application"], "blocker")
        assert other["exchange_partner_application.other_realm"] == "litwareinc.com"


def test_a_declared_realm_or_certificate_that_is_not_the_one_in_use_is_a_blocker(proven: World) -> None:
    sections = {"exchange": {"realm": "fabrikam.com"}, "lync": {"realm": "fabrikam.com"}}
    sections["lync"]["oauth_certificate"] = {"thumbprint": "AB" * 20}  # type: ignore[assignment]
    looked = check(proven, "preflight", "certificates", **sections)
    realms = [finding for finding in looked["preflight"].findings if finding.id == "preflight.declared_realm"]
    assert {finding.seen for finding in realms} == {"litwareinc.com"}
    assert len(realms) == 2
    assert told(looked["certificates"], "blocker")["certificates.lync.other_certificate"]


def test_the_estate_of_these_tests_is_the_usual_one(estate: World) -> None:
    assert not told(check(estate, "preflight")["preflight"], "blocker")
    assert (EX1, FE1) == ("atl-exchange-001.litwareinc.com", "atl-fe-001.litwareinc.com")
    assert restarts(estate) == []
