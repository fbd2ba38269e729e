"""Signing certificates: what is read, the two spellings of a thumbprint, and the judgement per product."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from s2slib.trust.certificate import (
    Certificate,
    PrivateKey,
    Product,
    from_base64,
    from_der,
    judge,
    normalise_thumbprint,
    thumbprint_to_x5t,
    x5t_to_thumbprint,
)
from s2slib.trust.errors import CertificateError
from s2slib.trust.judgement import Judgement, worst
from s2slib.trust.quoting import shown

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CSP = "Microsoft RSA SChannel Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"

Level = Callable[..., str]


@pytest.fixture
def level(signing: dict[str, Certificate]) -> Level:
    """The level of one row for one of the named certificates."""

    def find(row: str, name: str, *, product: Product = "lync", at: datetime = NOON, **facts: Any) -> str:
        rows = {judgement.id: judgement for judgement in judge(signing[name], at, product=product, **facts)}
        found: Judgement = rows[f"certificate.{row}"]
        return found.level

    return find


# reading --------------------------------------------------------------------------------------------------------------


def test_a_certificate_is_read_completely(signing: dict[str, Certificate], signing_ders: dict[str, bytes]) -> None:
    der, certificate = signing_ders["two-domains"], signing["two-domains"]
    assert certificate.subject == certificate.issuer == "CN=litwareinc.com"
    assert certificate.common_names == ("litwareinc.com",)
    assert certificate.alternative_names == ("litwareinc.com", "Contoso.com")
    assert certificate.thumbprint == hashlib.sha1(der).hexdigest().upper()
    assert certificate.sha256 == hashlib.sha256(der).hexdigest().upper()
    assert certificate.not_before == datetime(2025, 6, 1, tzinfo=UTC)
    assert certificate.not_after == datetime(2028, 6, 1, tzinfo=UTC)
    assert (certificate.key_algorithm, certificate.key_size) == ("RSA", 2048)
    assert certificate.signature_hash == "sha256"
    assert certificate.self_signed
    assert int(certificate.serial, 16) == x509.load_der_x509_certificate(der).serial_number
    assert len(certificate.serial) % 2 == 0


def test_a_certificate_from_an_authority_is_not_self_signed(issuer: Any) -> None:
    year = timedelta(days=365)
    authority = issuer.issue("CA", NOON - year, NOON + year, key="ca", names=[], is_authority=True)
    leaf = issuer.issue("leaf", NOON - year, NOON + year, key="server", names=["127.0.0.1"], authority=authority)
    read = from_der(leaf.public_bytes(serialization.Encoding.DER))
    assert not read.self_signed
    assert read.issuer == "CN=CA"
    assert read.alternative_names == ("127.0.0.1",)
    assert (read.key_algorithm, read.key_size) == ("EC", 256)


def test_a_certificate_that_only_borrows_the_issuers_name_is_not_self_signed(issuer: Any) -> None:
    year = timedelta(days=365)
    authority = issuer.issue("same", NOON - year, NOON + year, key="ca", names=[], is_authority=True)
    leaf = issuer.issue("same", NOON - year, NOON + year, key="server", names=[], authority=authority)
    assert not from_der(leaf.public_bytes(serialization.Encoding.DER)).self_signed


def test_a_distinguished_name_is_written_as_windows_shows_it(issuer: Any) -> None:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "com"),
            x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "litwareinc"),
            x509.NameAttribute(NameOID.COMMON_NAME, "litwareinc-DC-CA"),
        ]
    )
    key = issuer.key("server")
    built = x509.CertificateBuilder(name, name, key.public_key(), 255, NOON, NOON + timedelta(days=1))
    read = from_der(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    assert read.subject == "CN=litwareinc-DC-CA, DC=litwareinc, DC=com"
    assert read.serial == "FF"


def test_base64_may_be_wrapped(signing: dict[str, Certificate], signing_ders: dict[str, bytes]) -> None:
    assert from_base64(base64.encodebytes(signing_ders["lync"]).decode("ascii")) == signing["lync"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("", "not_der"), ("AAAA", "not_der"), ("A", "not_base64"), ("*", "not_base64"), ("-----BEGIN", "not_base64")],
)
def test_text_that_holds_no_certificate_is_refused_by_kind(text: str, kind: str) -> None:
    with pytest.raises(CertificateError) as caught:
        from_base64(text)
    assert caught.value.kind == kind
    assert caught.value.__context__ is None


def test_bytes_after_or_missing_from_a_certificate_are_refused(signing_ders: dict[str, bytes]) -> None:
    der = signing_ders["lync"]
    for damaged in (der + b"\0", der[:-1], der[1:], der * 2):
        with pytest.raises(CertificateError):
            from_der(damaged)


@settings(deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused_and_nothing_else_is_raised(
    signing_ders: dict[str, bytes], data: st.DataObject
) -> None:
    der = bytearray(signing_ders["curve"])
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = from_der(bytes(der))
    except CertificateError:
        return
    assert read.thumbprint == hashlib.sha1(der).hexdigest().upper()
    judge(read, NOON, product="lync", sip_domains=["litwareinc.com", "contoso.com"])


# thumbprints ----------------------------------------------------------------------------------------------------------


def test_the_known_pair_of_thumbprint_and_x5t() -> None:
    assert thumbprint_to_x5t("8BF833E6A7D8A7960F5802B5FFFD188599E2A4B2") == "i_gz5qfYp5YPWAK1__0YhZnipLI"
    assert x5t_to_thumbprint("i_gz5qfYp5YPWAK1__0YhZnipLI") == "8BF833E6A7D8A7960F5802B5FFFD188599E2A4B2"


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=20))
def test_thumbprint_and_x5t_are_the_same_bytes_both_ways(digest: bytes) -> None:
    thumbprint = digest.hex().upper()
    x5t = thumbprint_to_x5t(thumbprint)
    assert base64.urlsafe_b64decode(x5t + "=") == digest
    assert "=" not in x5t
    assert x5t_to_thumbprint(x5t) == thumbprint


@settings(deadline=None)
@given(st.text("ABgw_-/+=\n", min_size=26, max_size=28))
def test_a_text_is_an_x5t_only_in_the_one_spelling_that_its_thumbprint_has(text: str) -> None:
    try:
        thumbprint = x5t_to_thumbprint(text)
    except ValueError:
        return
    assert thumbprint_to_x5t(thumbprint) == text


@pytest.mark.parametrize(
    "text",
    [
        "i_gz5qfYp5YPWAK1__0YhZnipLI=",
        "i/gz5qfYp5YPWAK1//0YhZnipLI",
        "i_gz5qfYp5YPWAK1__0YhZnipLJ",  # the same bytes, with a bit where padding must be zero
        "i_gz5qfYp5YPWAK1__0YhZnipL",
        "i_gz5qfYp5YPWAK1__0YhZnipLI\n",
        "",
    ],
)
def test_another_spelling_is_no_x5t(text: str) -> None:
    with pytest.raises(ValueError, match="x5t"):
        x5t_to_thumbprint(text)


def test_a_thumbprint_copied_from_a_dialog_is_cleaned() -> None:
    copied = "\u200e8b f8 33 e6 a7 d8 a7 96 0f 58 02 b5 ff fd 18 85 99 e2 a4 b2"
    assert normalise_thumbprint(copied) == "8BF833E6A7D8A7960F5802B5FFFD188599E2A4B2"


@pytest.mark.parametrize("text", ["", "8BF8", "8BF833E6A7D8A7960F5802B5FFFD188599E2A4B2AA", "Z" * 40, "\uff11" * 40])
def test_what_is_no_thumbprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="thumbprint"):
        normalise_thumbprint(text)


# judging --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2025, 5, 31, 23, 59, 59, tzinfo=UTC), "blocker"),
        (datetime(2025, 6, 1, tzinfo=UTC), "ok"),
        (datetime(2028, 6, 1, tzinfo=UTC) - timedelta(days=60), "ok"),
        (datetime(2028, 6, 1, tzinfo=UTC) - timedelta(days=60, seconds=-1), "warning"),
        (datetime(2028, 6, 1, tzinfo=UTC), "warning"),
        (datetime(2028, 6, 1, 0, 0, 1, tzinfo=UTC), "blocker"),
        (datetime(2028, 6, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))), "warning"),
    ],
)
def test_validity_ends_and_begins_to_the_second(level: Level, at: datetime, expected: str) -> None:
    assert level("validity", "lync", at=at) == expected


def test_days_left_are_whole_days_and_negative_once_expired(signing: dict[str, Certificate]) -> None:
    assert signing["lync"].days_left(datetime(2028, 5, 30, 12, tzinfo=UTC)) == 1
    assert signing["lync"].days_left(datetime(2028, 6, 1, 12, tzinfo=UTC)) == -1


def test_a_naive_instant_is_refused(signing: dict[str, Certificate]) -> None:
    with pytest.raises(ValueError, match="aware"):
        judge(signing["lync"], datetime(2026, 6, 1), product="lync")  # noqa: DTZ001


@pytest.mark.parametrize(("name", "expected"), [("lync", "ok"), ("weak", "blocker"), ("curve", "blocker")])
def test_only_rsa_of_2048_bits_or_more_may_sign(level: Level, name: str, expected: str) -> None:
    assert level("key", name) == expected


@pytest.mark.parametrize(("name", "expected"), [("sha256", "ok"), ("sha1", "warning"), ("md5", "warning")])
def test_a_weak_signature_is_a_warning(signing: dict[str, Certificate], name: str, expected: str) -> None:
    certificate = replace(signing["lync"], signature_hash=name)
    rows = {judgement.id: judgement.level for judgement in judge(certificate, NOON, product="exchange")}
    assert rows["certificate.signature"] == expected


@pytest.mark.parametrize(
    ("name", "domains", "expected"),
    [
        ("lync", ["litwareinc.com"], "ok"),
        ("lync", ["LitwareInc.com."], "ok"),
        ("pool", ["litwareinc.com"], "warning"),
        ("two-domains", ["contoso.com"], "warning"),
        ("lync", ["contoso.com"], "blocker"),
        ("lync", ["inc.com"], "blocker"),
        ("exchange", ["litwareinc.com"], "blocker"),
        ("lync", [], "unknown"),
        ("lync", None, "unknown"),
    ],
)
def test_the_subject_must_hold_the_default_sip_domain(
    level: Level, name: str, domains: list[str] | None, expected: str
) -> None:
    assert level("subject", name, sip_domains=domains) == expected


@pytest.mark.parametrize(("name", "expected"), [("two-domains", "ok"), ("lync", "warning")])
def test_further_sip_domains_belong_in_the_san(level: Level, name: str, expected: str) -> None:
    assert level("alternative_names", name, sip_domains=["litwareinc.com", "contoso.com"]) == expected


def test_names_that_cannot_be_read_are_unknown_and_never_missing(signing: dict[str, Certificate]) -> None:
    certificate = replace(signing["exchange"], alternative_names=None)
    rows = judge(certificate, NOON, product="lync", sip_domains=["litwareinc.com", "contoso.com"])
    levels = {judgement.id: judgement.level for judgement in rows}
    assert levels["certificate.subject"] == "unknown"
    assert levels["certificate.alternative_names"] == "unknown"


def test_exchange_is_not_asked_for_sip_domains_nor_for_key_facts_not_given(signing: dict[str, Certificate]) -> None:
    rows = judge(signing["exchange"], NOON, product="exchange")
    assert [judgement.id for judgement in rows] == [
        "certificate.validity",
        "certificate.key",
        "certificate.signature",
    ]


@pytest.mark.parametrize(
    ("row", "product", "key", "expected"),
    [
        ("private_key", "lync", PrivateKey(present=True), "ok"),
        ("private_key", "lync", PrivateKey(present=False), "blocker"),
        ("private_key", "lync", PrivateKey(), "unknown"),
        ("provider", "exchange", PrivateKey(provider=CSP), "ok"),
        ("provider", "exchange", PrivateKey(provider=KSP), "blocker"),
        ("provider", "lync", PrivateKey(provider=KSP), "warning"),
        ("provider", "exchange", PrivateKey(provider="Microsoft Platform Crypto Provider"), "blocker"),
        ("provider", "exchange", PrivateKey(provider="something else"), "unknown"),
        ("provider", "exchange", PrivateKey(), "unknown"),
        ("exportable", "lync", PrivateKey(exportable=True), "ok"),
        ("exportable", "lync", PrivateKey(exportable=False), "warning"),
        ("exportable", "lync", PrivateKey(), "unknown"),
    ],
)
def test_what_the_store_says_about_the_private_key_is_judged(
    level: Level, row: str, product: Product, key: PrivateKey, expected: str
) -> None:
    assert level(row, "lync", product=product, private_key=key) == expected


def test_a_remedy_is_given_exactly_where_something_is_to_do(signing: dict[str, Certificate]) -> None:
    for certificate in signing.values():
        for key in (PrivateKey(), PrivateKey(True, CSP, True), PrivateKey(False, KSP, False)):
            for judgement in judge(
                certificate, NOON, product="lync", sip_domains=["litwareinc.com", "contoso.com"], private_key=key
            ):
                assert bool(judgement.remedy) == (judgement.level != "ok"), judgement


# small things ---------------------------------------------------------------------------------------------------------


def test_a_blocker_decides_before_unknown_and_unknown_before_a_warning() -> None:
    rows = [Judgement("x", level, "", "") for level in ("ok", "warning", "unknown", "blocker")]
    assert [worst(rows[:count]) for count in range(5)] == ["ok", "ok", "warning", "unknown", "blocker"]


@settings(deadline=None)
@given(st.text(), st.integers(0, 50))
def test_shown_text_is_printable_capped_and_marked_where_cut(text: str, limit: int) -> None:
    seen = shown(text, limit)
    assert seen.isprintable()
    assert seen.startswith("'")
    assert ("more characters)" in seen.rpartition("'")[2]) == (len(text) > limit)


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_different_texts_are_shown_differently(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("it's", r"'it\'s'"),
        (r"\x1b", r"'\\x1b'"),
        ("\x1b[2J\r\n", r"'\x1b[2J\x0d\x0a'"),
        ("\u202e\ud800", r"'\u202e\ud800'"),
        ("\U000e0001", r"'\U000e0001'"),
        ("Żółw", "'Żółw'"),
    ],
)
def test_text_is_shown_so_that_it_cannot_pose_as_something_else(text: str, seen: str) -> None:
    assert shown(text) == seen
