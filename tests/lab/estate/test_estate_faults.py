"""Every fault changes something that a product's own read or the network shows, and none is logged as a transition."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from helpers.estate_direct import Ended, exchange, ocs, on
from helpers.estate_steps import restart, storage_test, trust, trust_exchange, trust_lync
from helpers.snapshot import state

from s2slab import faults
from s2slab.estate.estate import LYNC_APP, Estate


@pytest.mark.parametrize("name", sorted(faults.named()))
def test_a_fault_changes_the_estate_without_a_transition(estate: Estate, name: str) -> None:
    before = state(estate)
    faults.named()[name](estate)
    assert state(estate) != before
    assert estate.log.rows() == []


def auth_certificate(estate: Estate) -> x509.Certificate:
    shell = exchange(estate)
    current = shell.run("Get-AuthConfig").one.get("CurrentCertificateThumbprint")
    raw = shell.run("Get-ExchangeCertificate", Thumbprint=current).one.get("RawData")
    return x509.load_der_x509_certificate(raw)


def test_an_expired_auth_certificate_is_expired(estate: Estate) -> None:
    faults.auth_certificate_expired(estate)
    assert auth_certificate(estate).not_valid_after_utc < estate.now()


def test_an_expiring_auth_certificate_has_the_days_left_that_were_asked_for(estate: Estate) -> None:
    faults.auth_certificate_expiring(estate, 20)
    left = auth_certificate(estate).not_valid_after_utc - estate.now()
    assert timedelta(days=19) < left <= timedelta(days=20)


def test_a_short_auth_certificate_has_a_short_key(estate: Estate) -> None:
    faults.auth_certificate_short(estate)
    assert auth_certificate(estate).public_key().key_size == 1024  # type: ignore[union-attr]


def test_a_missing_auth_certificate_is_missing_on_that_server_only(estate: Estate) -> None:
    faults.auth_certificate_missing(estate, "atl-exchange-002")
    shell = exchange(estate)
    current = shell.run("Get-AuthConfig").one.get("CurrentCertificateThumbprint")
    assert shell.run("Get-ExchangeCertificate", Thumbprint=current, Server="atl-exchange-001").output
    assert (
        "was not found"
        in shell.run("Get-ExchangeCertificate", Thumbprint=current, Server="atl-exchange-002").errors[0].message
    )


def test_a_short_lync_key_is_assigned_and_tokens_signed_with_it_are_refused(web: Estate) -> None:
    faults.oauth_certificate_short(web)
    trust_lync(web)
    restart(web)
    trust_exchange(web)
    with pytest.raises(Ended, match="invalid_signature"):
        storage_test(web)


def test_a_clock_far_off_makes_tokens_that_are_refused(trusted: Estate) -> None:
    faults.clock_skewed(trusted, "atl-fe-001", -10 * 3600)
    with pytest.raises(Ended, match="invalid_lifetime"):
        storage_test(trusted)


def test_a_user_without_mailbox_is_unknown_to_exchange(trusted: Estate) -> None:
    faults.user_without_mailbox(trusted)
    with pytest.raises(Ended, match="invalid_user"):
        storage_test(trusted)


def test_a_realm_that_exchange_does_not_know_makes_an_unknown_tenant(web: Estate) -> None:
    faults.lync_realm(web, "other.example")
    trust(web)
    with pytest.raises(Ended, match="invalid_tenant"):
        storage_test(web)


def test_hybrid_entries_do_not_stand_in_the_way_of_ours(web: Estate) -> None:
    faults.hybrid_entries(web)
    trust(web)
    assert storage_test(web).output == ["Test Passed"]
    ours = [
        row
        for row in exchange(web).run("Get-PartnerApplication").output
        if row.get("ApplicationIdentifier") == LYNC_APP and row.get("AuthMetadataUrl")
    ]
    assert len(ours) == 1
    assert len(ocs(web).run("Get-CsPartnerApplication").output) == 2


def test_duplicates_carry_certificates_and_different_realms(estate: Estate) -> None:
    faults.duplicate_partner_applications(estate)
    rows = exchange(estate).run("Get-PartnerApplication").output
    assert {row.get("Realm") for row in rows} == {"litwareinc.com", "old.example"}
    assert all(x509.load_der_x509_certificate(base64.b64decode(row.get("CertificateStrings")[0])) for row in rows)


def test_a_server_in_constrained_language_says_so_to_new_and_existing_machines(estate: Estate) -> None:
    machine = on(estate, "atl-fe-001").machine
    faults.constrained_language(estate, "atl-fe-001")
    assert machine.language_mode == "ConstrainedLanguage"
    assert on(estate, "atl-fe-002").machine.language_mode == "FullLanguage"
