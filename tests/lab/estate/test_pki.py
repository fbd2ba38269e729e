"""Certificates of the lab: what they say, and that TLS accepts exactly the ones it should."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes

from s2slab.estate.pki import Authority, KeyPair, client_context, server_context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def web(authority: Authority) -> KeyPair:
    return authority.issue("atl-cs-001.litwareinc.com", names=("sip.litwareinc.com",), friendly_name="Default")


def test_a_certificate_reads_as_windows_shows_it(web: KeyPair) -> None:
    assert web.subject == "CN=atl-cs-001.litwareinc.com"
    assert web.issuer == "CN=Litware Lab Root CA"
    assert web.names == ("atl-cs-001.litwareinc.com", "sip.litwareinc.com")
    assert web.thumbprint == web.certificate.fingerprint(hashes.SHA1()).hex().upper()
    assert len(web.serial) % 2 == 0
    assert int(web.serial, 16) == web.certificate.serial_number
    assert web.key_size == 2048
    assert web.not_after - web.not_before == timedelta(days=730)
    assert not web.is_self_signed


def test_the_private_key_does_not_show_in_the_representation(web: KeyPair) -> None:
    assert "key=" not in repr(web)
    assert "PrivateKey" not in repr(web)


def test_the_exchange_auth_certificate_is_self_signed_and_has_no_names() -> None:
    pair = Authority.self_signed("Microsoft Exchange Server Auth Certificate")
    assert pair.is_self_signed
    assert pair.names == ()
    assert pair.friendly_name == "Microsoft Exchange Server Auth Certificate"
    assert pair.not_after - pair.not_before == timedelta(days=1800)


def test_validity_can_lie_in_the_past_and_keys_can_be_short(authority: Authority) -> None:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    pair = authority.issue("old.litwareinc.com", not_before=start, days=30, key_size=1024)
    assert (pair.not_before, pair.not_after, pair.key_size) == (start, start + timedelta(days=30), 1024)


@pytest.mark.parametrize("name", ["atl-cs-001.litwareinc.com", "sip.litwareinc.com", "127.0.0.1"])
def test_tls_verifies_every_name_of_the_certificate(authority: Authority, web: KeyPair, name: str) -> None:
    assert _handshake(web, client_context([authority.certificate_pem]), name) == web.der


def test_tls_refuses_another_name(authority: Authority, web: KeyPair) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname mismatch"):
        _handshake(web, client_context([authority.certificate_pem]), "mail.litwareinc.com")


@pytest.mark.parametrize("roots", [[], [Authority("Another Root CA").certificate_pem]])
def test_tls_refuses_a_certificate_of_an_authority_that_is_not_trusted(web: KeyPair, roots: list[bytes]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        _handshake(web, client_context(roots), "sip.litwareinc.com")


def test_tls_refuses_an_expired_certificate(authority: Authority) -> None:
    expired = authority.issue("web.litwareinc.com", not_before=datetime.now(UTC) - timedelta(days=60), days=30)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        _handshake(expired, client_context([authority.certificate_pem]), "web.litwareinc.com")


def _handshake(pair: KeyPair, client: ssl.SSLContext, name: str) -> bytes | None:
    """The certificate that the client saw, DER."""
    near, far = socket.socketpair()
    server = server_context(pair)

    def serve() -> None:
        try:
            with server.wrap_socket(far, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=name) as tls:
            tls.sendall(b"x")
            return tls.getpeercert(binary_form=True)
    finally:
        near.close()
        thread.join(5)
