"""Certificates and partner applications on both sides, made and read by the products' own cmdlets."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from helpers.estate_direct import Ended, exchange, ocs, on
from helpers.estate_steps import (
    ACCOUNT,
    EXCHANGE_URL,
    LYNC_URL,
    OAUTH,
    assign,
    lync,
    new_partner,
    restart,
    storage_test,
    trust,
    trust_exchange,
    trust_lync,
)

from s2slab import faults
from s2slab.estate.estate import EXCHANGE_APP, LYNC_APP, Estate


def test_the_delivered_deployment_has_no_oauth_certificate_but_default_ones(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001")
    assert shell.run("Get-CsCertificate", Type=OAUTH).output == []
    default = shell.run("Get-CsCertificate", Type=["Default"]).one
    assert default.get("Subject") == "CN=atl-cs-001.litwareinc.com"
    assert "sip.litwareinc.com" in default.get("AlternativeNames")
    assert default.get("SourceScope") == "Local"


def test_an_assigned_certificate_is_known_here_at_once_and_elsewhere_after_replication_with_its_key(
    estate: Estate,
) -> None:
    shell, other = lync(estate), on(estate, "atl-fe-002")
    thumbprint = shell.run("Get-CsCertificate", Type=["Default"]).one.get("Thumbprint")
    shell.run("Set-CsCertificate", Type=OAUTH, Identity="global", Thumbprint=thumbprint)
    assert shell.run("Get-CsCertificate", Type=OAUTH).one.get("Thumbprint") == thumbprint
    assert other.run("Get-CsCertificate", Type=OAUTH).output == []
    estate.clock.advance(61)
    assert other.run("Get-CsCertificate", Type=OAUTH).one.get("Thumbprint") == thumbprint
    pair = estate.signing_key(estate.server("atl-fe-002"))
    assert pair is not None
    assert pair.thumbprint == thumbprint


def test_a_certificate_that_is_not_in_this_servers_store_cannot_be_assigned(estate: Estate) -> None:
    foreign = on(estate, "atl-fe-002").run("Get-CsCertificate", Type=["Default"]).one.get("Thumbprint")
    with pytest.raises(Ended, match="Cannot find a certificate"):
        lync(estate).run("Set-CsCertificate", Type=OAUTH, Identity="global", Thumbprint=foreign)


def test_a_roll_needs_a_date_a_day_ahead_and_takes_effect_then(estate: Estate) -> None:
    old = assign(estate)
    front_end = estate.server("atl-fe-001")
    pair = estate.authority.issue("atl-cs-001.litwareinc.com")
    front_end.certificates[pair.thumbprint] = pair
    roll: dict[str, Any] = {"Type": OAUTH, "Identity": "global", "Thumbprint": pair.thumbprint}
    with pytest.raises(Ended, match="requires the EffectiveDate"):
        lync(estate).run("Set-CsCertificate", Roll=True, **roll)
    with pytest.raises(Ended, match="24 hours"):
        lync(estate).run("Set-CsCertificate", Roll=True, EffectiveDate=estate.now() + timedelta(hours=23), **roll)
    with pytest.raises(Ended, match="only be used with the Roll"):
        lync(estate).run("Set-CsCertificate", EffectiveDate=estate.now() + timedelta(hours=48), **roll)
    lync(estate).run("Set-CsCertificate", Roll=True, EffectiveDate=estate.now() + timedelta(hours=25), **roll)
    estate.clock.advance(120)
    shown = on(estate, "atl-fe-002").run("Get-CsCertificate", Type=OAUTH).one
    assert (shown.get("Thumbprint"), shown.get("PreviousThumbprint")) == (pair.thumbprint, old)

    def signs() -> str:
        found = estate.signing_key(estate.server("atl-fe-002"))
        return "" if found is None else found.thumbprint

    assert signs() == old
    estate.clock.advance(25 * 3600)
    assert signs() == pair.thumbprint
    lync(estate).run("Remove-CsCertificate", Type=OAUTH, Identity="global", Previous=True)
    assert on(estate, "atl-fe-001").run("Get-CsCertificate", Type=OAUTH).one.get("PreviousThumbprint") == ""


def test_a_requested_certificate_is_in_the_store_and_can_be_assigned(estate: Estate) -> None:
    shell = lync(estate)
    made = shell.run(
        "Request-CsCertificate",
        New=True,
        Type=OAUTH,
        CA="atl-dc-001\\CA",
        KeySize=2048,
        AllSipDomain=True,
        FriendlyName="S2S",
    ).one
    assert "sip.litwareinc.com" in made.get("AlternativeNames")
    shell.run("Set-CsCertificate", Type=OAUTH, Identity="global", Thumbprint=made.get("Thumbprint"))
    estate.clock.advance(61)
    assert on(estate, "atl-fe-002").run("Get-CsCertificate", Type=OAUTH).one.get("Thumbprint") == made.get("Thumbprint")


def test_the_audit_log_names_who_changed_what_through_exchange(estate: Estate) -> None:
    shell = exchange(estate)
    shell.run("New-MailUser", Name=ACCOUNT, ExternalEmailAddress="a@litwareinc.com")
    shell.run("New-ManagementRoleAssignment", Role="UserApplication", User=ACCOUNT)
    ocs(estate).run("Set-CsOAuthConfiguration", Realm="x")
    entries = shell.run("Search-AdminAuditLog").output
    assert [entry.get("CmdletName") for entry in entries] == ["New-ManagementRoleAssignment", "New-MailUser"]
    assert entries[1].get("Caller") == "LITWAREINC\\s2s-exchange"
    assert entries[1].get("ObjectModified") == ACCOUNT
    assert entries[0].get("CmdletParameters") == ["Role", "User"]
    assert len(shell.run("Search-AdminAuditLog", Cmdlets=["new-mailuser"]).output) == 1
    assert shell.run("Search-AdminAuditLog", StartDate=estate.now() + timedelta(hours=1)).output == []


def test_what_if_changes_nothing(web: Estate) -> None:
    shell = lync(web)
    thumbprint = shell.run("Get-CsCertificate", Type=["Default"]).one.get("Thumbprint")
    shell.run("Set-CsCertificate", Type=OAUTH, Identity="global", Thumbprint=thumbprint, what_if=True)
    ocs(web).run("Set-CsOAuthConfiguration", Realm="x", what_if=True)
    new = {"Identity": "Exchange", "ApplicationTrustLevel": "Full", "MetadataUrl": EXCHANGE_URL}
    ocs(web).run("New-CsPartnerApplication", what_if=True, **new)
    exchange(web).run("New-MailUser", Name="x", ExternalEmailAddress="x@litwareinc.com", what_if=True)
    assert web.log.rows() == []


def test_lync_keeps_what_exchanges_document_says(web: Estate) -> None:
    made = trust_exchange(web).one
    assert made.type_names[0] == "Microsoft.Rtc.Management.WritableConfig.Settings.SSAuth.PartnerApplication#Decorated"
    assert made.get("AuthToken") == f"Value={EXCHANGE_URL}"
    assert made.get("ApplicationIdentifier") == EXCHANGE_APP
    assert made.get("Realm") == "litwareinc.com"
    assert str(made.get("ApplicationTrustLevel")) == "Full"
    assert made.get("AcceptSecurityIdentifierInformation") is False
    assert on(web, "atl-fe-002").run("Get-CsPartnerApplication", LocalStore=True).one.get("Identity") == "Exchange"


@pytest.mark.parametrize("path", ["/metadata/json/1", "/autodiscover/metadata/json/2"])
def test_a_wrong_metadata_url_fails_at_binding_with_the_documented_text(web: Estate, path: str) -> None:
    url = "https://autodiscover.litwareinc.com" + path
    with pytest.raises(Ended, match="could not be downloaded from the URL in the MetadataUrl parameter"):
        ocs(web).run("New-CsPartnerApplication", ApplicationTrustLevel="Full", MetadataUrl=url, what_if=True)


def test_the_document_is_fetched_with_the_front_ends_own_trust(web: Estate) -> None:
    faults.authority_not_trusted(web, "atl-fe-001")
    shell = lync(web, "atl-fe-001")
    with pytest.raises(Ended):
        shell.run("New-CsPartnerApplication", Identity="E", ApplicationTrustLevel="Full", MetadataUrl=EXCHANGE_URL)
    assert (
        lync(web, "atl-fe-002")
        .run("New-CsPartnerApplication", Identity="E", ApplicationTrustLevel="Full", MetadataUrl=EXCHANGE_URL)
        .output
    )


def test_an_identity_is_taken_once_and_found_without_regard_to_case(web: Estate) -> None:
    trust_exchange(web)
    with pytest.raises(Ended, match="already exists"):
        ocs(web).run(
            "New-CsPartnerApplication", Identity="EXCHANGE", ApplicationTrustLevel="Full", MetadataUrl=EXCHANGE_URL
        )
    ocs(web).run("Set-CsPartnerApplication", Identity="exchange", Enabled=False)
    assert ocs(web).run("Get-CsPartnerApplication", Identity="EXCHANGE").one.get("Enabled") is False
    ocs(web).run("Remove-CsPartnerApplication", Identity="exchange")
    assert ocs(web).run("Get-CsPartnerApplication").output == []
    with pytest.raises(Ended, match="Cannot find"):
        ocs(web).run("Remove-CsPartnerApplication", Identity="Exchange")


def test_exchange_keeps_lyncs_certificate_realm_and_linked_account(web: Estate) -> None:
    thumbprint = assign(web)
    trust_lync(web)
    row = exchange(web).run("Get-PartnerApplication").one
    assert row.get("ApplicationIdentifier") == LYNC_APP
    assert row.get("Realm") == "litwareinc.com"
    assert row.get("LinkedAccount") == f"litwareinc.com/Users/{ACCOUNT}"
    assert row.get("AuthMetadataUrl") == LYNC_URL
    [text] = row.get("CertificateStrings")
    found = x509.load_der_x509_certificate(base64.b64decode(text)).fingerprint(SHA1()).hex().upper()
    assert found == thumbprint


def test_a_second_application_of_the_same_identifier_and_realm_is_refused_and_writes_nothing(web: Estate) -> None:
    assign(web)
    trust_lync(web)
    before = len(web.log.rows())
    outcome = new_partner(exchange(web), "LyncEnterprise-0b")
    assert "already exists" in outcome.errors[0].message
    assert "ADObjectAlreadyExistsException" in outcome.errors[0].id
    assert outcome.output == []
    assert len(web.log.rows()) == before


def test_an_application_needs_a_document_and_an_existing_account(web: Estate) -> None:
    shell = exchange(web)
    assert "couldn't be found" in new_partner(shell).errors[0].message
    shell.run("New-MailUser", Name=ACCOUNT, ExternalEmailAddress=f"{ACCOUNT}@litwareinc.com")
    assert "Unable to access the metadata document" in new_partner(shell).errors[0].message  # no certificate yet
    assert "isn't valid" in new_partner(shell, url="https://atl-cs-001.litwareinc.com/metadata").errors[0].message


def test_a_refresh_learns_a_rolled_key_and_refuses_another_realm(web: Estate) -> None:
    assign(web)
    trust_lync(web)
    front_end = web.server("atl-fe-001")
    pair = web.authority.issue("atl-cs-001.litwareinc.com")
    front_end.certificates[pair.thumbprint] = pair
    lync(web).run("Set-CsCertificate", Type=OAUTH, Identity="global", Thumbprint=pair.thumbprint)
    web.clock.advance(61)
    exchange(web).run("Set-PartnerApplication", Identity="LyncEnterprise-0a", RefreshAuthMetadata=True)
    strings = exchange(web).run("Get-PartnerApplication").one.get("CertificateStrings")
    assert base64.b64encode(pair.der).decode() in strings
    faults.lync_realm(web, "other.example")
    outcome = exchange(web).run("Set-PartnerApplication", Identity="LyncEnterprise-0a", RefreshAuthMetadata=True)
    assert "realm 'other.example'" in outcome.errors[0].message


def test_the_mail_users_address_must_be_one_and_its_name_free(estate: Estate) -> None:
    shell = exchange(estate)
    assert shell.run("New-MailUser", Name="a", ExternalEmailAddress="a@Litware mail").errors
    made = shell.run("New-MailUser", Name="a", ExternalEmailAddress="a@litwareinc.com").one
    assert "AccountDisabled" in made.get("UserAccountControl")
    assert (
        "already being used"
        in shell.run("New-MailUser", Name="A", ExternalEmailAddress="a@b.example").errors[0].message
    )


def test_a_removed_mail_user_takes_its_role_assignments_along(estate: Estate) -> None:
    shell = exchange(estate)
    shell.run("New-MailUser", Name=ACCOUNT, ExternalEmailAddress="a@litwareinc.com")
    shell.run("New-ManagementRoleAssignment", Role="userapplication", User=ACCOUNT)
    assert shell.run("Get-ManagementRoleAssignment", RoleAssignee=ACCOUNT).one.get("Role") == "UserApplication"
    shell.run("Remove-MailUser", Identity=ACCOUNT)
    assert estate.directory.list("RoleAssignment", dc=estate.directory.controllers[0]) == []
    assert "couldn't be found" in shell.run("Get-ManagementRoleAssignment", RoleAssignee=ACCOUNT).errors[0].message


def test_over_remoting_an_exchange_certificate_is_only_its_raw_data(estate: Estate) -> None:
    rows = exchange(estate).run("Get-ExchangeCertificate", Server="atl-exchange-002.litwareinc.com").output
    assert {tuple(row.properties) for row in rows} == {("RawData",)}
    names = [x509.load_der_x509_certificate(row.get("RawData")).subject.rfc4514_string() for row in rows]
    assert "CN=Microsoft Exchange Server Auth Certificate" in names


def test_a_staged_auth_certificate_is_everywhere_at_once_and_current_from_its_date(estate: Estate) -> None:
    pair = estate.authority.self_signed("Microsoft Exchange Server Auth Certificate")
    estate.server("atl-exchange-001").certificates[pair.thumbprint] = pair
    shell = exchange(estate)
    old = shell.run("Get-AuthConfig").one.get("CurrentCertificateThumbprint")
    staged = shell.run(
        "Set-AuthConfig",
        NewCertificateThumbprint=pair.thumbprint,
        NewCertificateEffectiveDate=estate.now() + timedelta(hours=1),
    )
    assert "48 hours" in staged.warnings[0]
    assert pair.thumbprint in estate.server("atl-exchange-002").certificates
    assert shell.run("Set-AuthConfig", PublishCertificate=True).errors  # not in effect yet
    estate.clock.advance(3602)
    config = shell.run("Get-AuthConfig").one
    assert config.get("CurrentCertificateThumbprint") == pair.thumbprint
    assert config.get("PreviousCertificateThumbprint") == old
    shell.run("Set-AuthConfig", ClearPreviousCertificate=True)
    assert shell.run("Get-AuthConfig").one.get("PreviousCertificateThumbprint") == ""


def test_the_storage_test_passes_once_everything_is_done_and_leaves_nothing_behind(trusted: Estate) -> None:
    outcome = storage_test(trusted)
    assert outcome.output == ["Test Passed"]
    assert any("CreateItem" in line for line in outcome.verbose)
    assert trusted.mailboxes["kenmyer@litwareinc.com"].folders["ConversationHistory"] == []
    probes = trusted.log.rows(kind="probe")
    assert probes
    assert {row.cause.command.split()[0] for row in probes} == {"Test-CsExStorageConnectivity"}


def test_without_a_restart_the_workers_refuse_and_the_trace_says_why(web: Estate) -> None:
    assign(web)
    trust_lync(web)
    trust_exchange(web)
    with pytest.raises(Ended, match=r"\(401\)"):
        storage_test(web)
    restart(web, "atl-exchange-002")
    with pytest.raises(Ended, match=r"\(401\)"):
        storage_test(web)  # the mailbox server behind it still knows nothing
    restart(web, "atl-exchange-001")
    assert storage_test(web).output == ["Test Passed"]


def test_the_storage_test_over_net_tcp_names_its_host(trusted: Estate) -> None:
    with pytest.raises(Ended, match="HostNameStorageService"):
        storage_test(trusted, Binding="NetTCP")
    passed = storage_test(trusted, Binding="NetTCP", HostNameStorageService="atl-fe-002.litwareinc.com")
    assert passed.output == ["Test Passed"]


def test_a_wildcard_accepted_domain_makes_an_unknown_tenant(web: Estate) -> None:
    faults.wildcard_accepted_domain(web)
    trust(web)
    with pytest.raises(Ended, match="invalid_tenant"):
        storage_test(web)


def test_a_linked_account_without_roles_is_its_own_failure(trusted: Estate) -> None:
    for role in ("UserApplication", "ArchiveApplication", "MeetingGraphApplication"):
        exchange(trusted).run("Remove-ManagementRoleAssignment", Identity=f"{role}-{ACCOUNT}")
    with pytest.raises(Ended, match="missing a linked account"):
        storage_test(trusted)
