"""The lab's certificates: a root authority, what it issues, self-signed ones, and their way into a TLS listener."""

from __future__ import annotations

import ipaddress
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SCHANNEL_PROVIDER = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KEY_PROVIDER = "Microsoft Software Key Storage Provider"  # CNG
LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True, eq=False)
class KeyPair:
    """A certificate with its private key, as one entry of a Windows certificate store.

    `friendly_name`, `provider` (the CSP or KSP that holds the key) and `exportable` are properties of the store entry,
    not of the certificate. Two entries are the same when their thumbprints are.
    """

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)
    friendly_name: str = ""
    provider: str = SCHANNEL_PROVIDER
    exportable: bool = True

    @cached_property
    def der(self) -> bytes:
        """The certificate, DER-encoded (`RawData`)."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @cached_property
    def certificate_pem(self) -> bytes:
        """The certificate, PEM-encoded."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @cached_property
    def thumbprint(self) -> str:
        """SHA-1 over the DER: 40 upper-case hexadecimal digits, as Windows names a certificate."""
        digest = self.certificate.fingerprint(hashes.SHA1())
        return digest.hex().upper()

    @property
    def subject(self) -> str:
        """The subject as .NET prints it, e.g. `CN=atl-cs-001.litwareinc.com`."""
        return _windows_name(self.certificate.subject)

    @property
    def issuer(self) -> str:
        """The issuer as .NET prints it."""
        return _windows_name(self.certificate.issuer)

    @property
    def not_before(self) -> datetime:
        """Start of validity, aware UTC, whole seconds."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """End of validity, aware UTC, whole seconds."""
        return self.certificate.not_valid_after_utc

    @property
    def serial(self) -> str:
        """The serial number in upper-case hexadecimal, whole bytes."""
        digits = f"{self.certificate.serial_number:X}"
        return digits if len(digits) % 2 == 0 else f"0{digits}"

    @property
    def key_size(self) -> int:
        """Size of the RSA modulus in bits."""
        return self.key.key_size

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names of the subject alternative name, in order."""
        try:
            extension = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return ()
        return tuple(extension.value.get_values_for_type(x509.DNSName))

    @property
    def is_self_signed(self) -> bool:
        """Whether the certificate names itself as its issuer."""
        return self.certificate.subject == self.certificate.issuer


class Authority:
    """The lab's root certification authority. Its key is in memory only and signs nothing but certificates."""

    def __init__(self, common_name: str = "Litware Lab Root CA") -> None:
        self._key = _new_key(2048)
        self._now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self._name = _name(common_name)
        # five years back: certificates of the delivered estate, expired ones too, were issued in the past
        builder = _builder(self._name, self._name, self._key, self._now - timedelta(days=5 * 365), 20 * 365)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def certificate_pem(self) -> bytes:
        """The root certificate, PEM-encoded: what a client trusts to trust the estate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def thumbprint(self) -> str:
        """The root certificate's thumbprint."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    def issue(
        self,
        common_name: str,
        *,
        names: Sequence[str] = (),
        days: int = 730,
        key_size: int = 2048,
        not_before: datetime | None = None,
        friendly_name: str = "",
        exportable: bool = True,
        provider: str = SCHANNEL_PROVIDER,
    ) -> KeyPair:
        """A new key and certificate for `common_name` and the DNS `names`, valid for `days` from `not_before`.

        Every issued certificate is valid for the loopback address too, for clients that reach the lab without its
        proxy. `not_before` defaults to a day ago.
        """
        key = _new_key(key_size)
        start = not_before or self._now - timedelta(days=1)
        builder = _builder(_name(common_name), self._name, key, start, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(_usages(), critical=False)
        builder = builder.add_extension(_alternative_names(common_name, names), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        return KeyPair(certificate, key, friendly_name, provider, exportable)

    @staticmethod
    def self_signed(
        common_name: str,
        *,
        days: int = 1800,
        key_size: int = 2048,
        not_before: datetime | None = None,
        friendly_name: str | None = None,
        exportable: bool = True,
        provider: str = SCHANNEL_PROVIDER,
    ) -> KeyPair:
        """A new self-signed certificate without DNS names, like the one Exchange setup makes for server-to-server use.

        `friendly_name` defaults to the common name; a setup-made Exchange certificate runs 1,800 days.
        """
        key = _new_key(key_size)
        start = not_before or datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
        builder = _builder(_name(common_name), _name(common_name), key, start, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        certificate = builder.add_extension(_usages(), critical=False).sign(key, hashes.SHA256())
        return KeyPair(certificate, key, common_name if friendly_name is None else friendly_name, provider, exportable)


def server_context(keypair: KeyPair) -> ssl.SSLContext:
    """A TLS server context that presents `keypair` (TLS 1.2 and later).

    OpenSSL takes key material from files only: the key passes through a private file, encrypted under a password that
    never leaves this call, which is removed before the context is returned.
    """
    password = secrets.token_bytes(24).hex().encode("ascii")
    encrypted = keypair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory(prefix="s2slab-") as folder:
        path = Path(folder) / "chain.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(encrypted + keypair.certificate_pem)
        context.load_cert_chain(path, password=password)
    return context


def client_context(roots: Iterable[bytes]) -> ssl.SSLContext:
    """A TLS client context that verifies names and trusts the PEM certificates in `roots` and nothing else."""
    return _client_context("\n".join(root.decode("ascii") for root in roots))


@lru_cache(maxsize=64)
def _client_context(text: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if text:
        context.load_verify_locations(cadata=text)
    return context


def _new_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _windows_name(name: x509.Name) -> str:
    """Most specific part first, parts joined by a comma and a blank."""
    return ", ".join(part.rfc4514_string() for part in reversed(name.rdns))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, not_before: datetime, days: int
) -> x509.CertificateBuilder:
    start = not_before.astimezone(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _usages() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


def _alternative_names(common_name: str, names: Sequence[str]) -> x509.SubjectAlternativeName:
    """The common name when it is a host name, then `names`, then the loopback address."""
    first = () if " " in common_name else (common_name,)
    dns = [x509.DNSName(name) for name in dict.fromkeys((*first, *names))]
    return x509.SubjectAlternativeName([*dns, x509.IPAddress(LOOPBACK)])
