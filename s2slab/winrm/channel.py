"""The TLS channel binding of a listener: RFC 5929 tls-server-end-point of the certificate its context presents."""

from __future__ import annotations

import contextlib
import ssl

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings


def presented_certificate(context: ssl.SSLContext) -> bytes:
    """The DER certificate that a server with this context shows, found by a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE  # only to read our own certificate; nothing is trusted by it
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(8):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            with contextlib.suppress(ssl.SSLWantReadError):
                server.do_handshake()
            continue
        der = client.getpeercert(binary_form=True)
        if der:
            return der
    raise ValueError("the context presents no certificate")


def channel_bindings(context: ssl.SSLContext) -> GssChannelBindings:
    """What clients bind their NTLM login to over this listener."""
    der = presented_certificate(context)
    digest = hashes.Hash(_algorithm(der))
    digest.update(der)
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())


def _algorithm(der: bytes) -> hashes.HashAlgorithm:
    try:
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    except UnsupportedAlgorithm:
        return hashes.SHA256()
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        return hashes.SHA256()
    return algorithm
