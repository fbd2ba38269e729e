"""Signing certificates: what one says, its thumbprint and x5t, and whether it may sign server-to-server tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from s2slib.trust.errors import CertificateError, CertificateErrorKind
from s2slib.trust.judgement import Judgement, Level
from s2slib.trust.quoting import shown

Product = Literal["lync", "exchange"]

EXPIRY_WARNING: Final = timedelta(days=60)
MINIMUM_KEY_BITS: Final = 2048
_WEAK_HASHES: Final = frozenset({"md2", "md4", "md5", "sha1"})
_THUMBPRINT: Final = re.compile(r"[0-9A-F]{40}")
_X5T: Final = re.compile(r"[A-Za-z0-9_-]{27}")
_NOT_IN_A_THUMBPRINT: Final = re.compile(r"[\s:\u200e\u200f\u202a-\u202e\ufeff]")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    `subject` and `issuer` are written as Windows shows them (`CN=x, DC=y`); `thumbprint` (SHA-1 over the DER) and
    `sha256` are upper-case hex; `serial` is upper-case hex of even length; `not_before` and `not_after` are aware
    UTC. `key_size` is in bits. `signature_hash` is a lower-case name such as `sha256`, None where the algorithm has
    none or it is unknown. `alternative_names` holds the DNS names and IP addresses of the SAN extension, empty when
    there is none, None when the certificate's extensions could not be read.
    """

    subject: str
    common_names: tuple[str, ...]
    issuer: str
    serial: str
    thumbprint: str
    sha256: str
    not_before: datetime
    not_after: datetime
    key_algorithm: str
    key_size: int
    signature_hash: str | None
    alternative_names: tuple[str, ...] | None
    self_signed: bool

    @property
    def x5t(self) -> str:
        """The thumbprint in the form of a token's header and of a metadata document."""
        return thumbprint_to_x5t(self.thumbprint)

    def days_left(self, at: datetime) -> int:
        """Whole days from `at` to the end of validity; negative once it has expired."""
        return (self.not_after - _aware(at)).days


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What a server's certificate store says about the private key; None = that fact could not be read.

    `provider` is the name as Windows gives it, e.g. `Microsoft RSA SChannel Cryptographic Provider`.
    """

    present: bool | None = None
    provider: str | None = None
    exportable: bool | None = None


# reading --------------------------------------------------------------------------------------------------------------


def from_der(der: bytes) -> Certificate:
    """The certificate in `der`; exactly one, nothing after it. Raises CertificateError(not_der)."""
    certificate = _read(der)
    if certificate is None:
        raise CertificateError(CertificateErrorKind.NOT_DER, f"{len(der)} bytes that are no readable X.509 certificate")
    return certificate


def from_base64(text: str) -> Certificate:
    """The certificate in base64 DER, as a metadata document carries it; white space is allowed, PEM lines are not.

    Raises CertificateError(not_base64 or not_der).
    """
    der = _from_base64(text)
    if der is None:
        raise CertificateError(CertificateErrorKind.NOT_BASE64, f"{len(text)} characters that are not base64")
    return from_der(der)


def why_unreadable(der: bytes) -> str:
    """Why `der` is not read as a certificate; empty when it is. Stores hold certificates of other purposes, which may be odd."""
    try:
        from_der(der)
    except CertificateError as error:
        return str(error)
    return ""


def thumbprint(der: bytes) -> str:
    """What Windows calls a certificate by, of whatever is in `der`: SHA-1, upper-case hexadecimal."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def thumbprint_of(text: str) -> str:
    """The thumbprint of base64 DER, of whatever is in it; empty when it is not base64."""
    der = _from_base64(text)
    return thumbprint(der) if der else ""


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _read(der: bytes) -> Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        algorithm, size = _key(certificate)
        serial = f"{certificate.serial_number:X}"
        return Certificate(
            subject=_windows_name(certificate.subject),
            common_names=tuple(
                str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            ),
            issuer=_windows_name(certificate.issuer),
            serial=serial.zfill(len(serial) + len(serial) % 2),
            # The thumbprint identifies, it does not protect: FIPS machines allow SHA-1 for that.
            thumbprint=thumbprint(der),
            sha256=hashlib.sha256(der).hexdigest().upper(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            key_algorithm=algorithm,
            key_size=size,
            signature_hash=_signature_hash(certificate),
            alternative_names=_alternative_names(certificate),
            self_signed=_is_self_signed(certificate),
        )
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None


def _windows_name(name: x509.Name) -> str:
    return ", ".join(part.rfc4514_string() for part in reversed(name.rdns))


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey"), 0


def _signature_hash(certificate: x509.Certificate) -> str | None:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return algorithm.name.lower() if algorithm else None


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...] | None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _is_self_signed(certificate: x509.Certificate) -> bool:
    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return True  # an algorithm this library does not verify; the names say self-issued
    return True


# thumbprints ----------------------------------------------------------------------------------------------------------


def normalise_thumbprint(text: str) -> str:
    """Forty upper-case hex digits, without the blanks, colons and invisible marks that copying from a dialog brings.

    Raises ValueError for anything else.
    """
    thumbprint = _NOT_IN_A_THUMBPRINT.sub("", text).upper()
    if not _THUMBPRINT.fullmatch(thumbprint):
        raise ValueError(f"not a SHA-1 thumbprint of 40 hex digits: {shown(text)}")
    return thumbprint


def thumbprint_to_x5t(thumbprint: str) -> str:
    """The base64url form without padding of the thumbprint's 20 bytes (fact F14). Raises ValueError."""
    return base64.urlsafe_b64encode(bytes.fromhex(normalise_thumbprint(thumbprint))).rstrip(b"=").decode("ascii")


def x5t_to_thumbprint(x5t: str) -> str:
    """The thumbprint that an `x5t` names, upper-case hex.

    Raises ValueError unless `x5t` is exactly 20 bytes in base64url without padding, in its one canonical spelling.
    """
    if _X5T.fullmatch(x5t):
        digest = base64.urlsafe_b64decode(x5t + "=")
        if base64.urlsafe_b64encode(digest) == f"{x5t}=".encode("ascii"):
            return digest.hex().upper()
    raise ValueError(f"not an x5t (20 bytes in base64url without padding): {shown(x5t)}")


# judging --------------------------------------------------------------------------------------------------------------


def judge(
    certificate: Certificate,
    at: datetime,
    *,
    product: Product,
    sip_domains: Sequence[str] | None = (),
    private_key: PrivateKey | None = None,
) -> tuple[Judgement, ...]:
    """Whether `certificate` may sign `product`'s server-to-server tokens at server time `at` (aware).

    `sip_domains`: the default SIP domain first; None = could not be read; used for Lync only. `private_key`: what the
    store says, None = not asked for, then its three rows are left out.

    | id                            | ok                         | warning              | blocker               |
    | ----------------------------- | -------------------------- | -------------------- | --------------------- |
    | certificate.validity          | 60 days or more are left   | less than 60 days    | expired, or not yet   |
    | certificate.key               | RSA of 2048 bits or more   |                      | smaller, or not RSA   |
    | certificate.signature         | SHA-2                      | SHA-1 or older       |                       |
    | certificate.subject           | CN is the SIP domain       | only in SAN or as a  | SIP domain nowhere    |
    |   (lync)                      |                            | host's suffix in CN  |                       |
    | certificate.alternative_names | CN or SAN hold all further | one is missing       |                       |
    |   (lync, several domains)     | SIP domains                |                      |                       |
    | certificate.private_key       | present                    |                      | missing               |
    | certificate.provider          | a CSP                      | lync: a CNG provider | exchange: a CNG       |
    |                               |                            |                      | provider              |
    | certificate.exportable        | exportable                 | not exportable       |                       |

    `unknown`: a signature algorithm without a readable hash name, unreadable SIP domains or extensions, a None inside
    `private_key`, a provider of neither family. Sources: facts F2 and F3, rule R33. That Lync minds a CNG
    provider, and that either product needs an exportable key, is UNCONFIRMED: warnings only.
    """
    judged = [judge_validity(certificate, at), judge_key(certificate), judge_signature(certificate)]
    if product == "lync":
        judged += _judge_names(certificate, sip_domains)
    if private_key is not None:
        judged += [
            _judge_presence(certificate, private_key),
            _judge_provider(certificate, private_key, product),
            _judge_exportable(certificate, private_key),
        ]
    return tuple(judged)


def judge_validity(certificate: Certificate, at: datetime) -> Judgement:
    """The row `certificate.validity` of `judge`; `at` is the server's time, aware. Raises ValueError when naive."""
    at = _aware(at)
    expected = f"valid at {_moment(at)} and for {EXPIRY_WARNING.days} days more"
    seen = f"valid from {_moment(certificate.not_before)} to {_moment(certificate.not_after)}"
    level: Level = "ok"
    remedy = ""
    if at > certificate.not_after:
        level, seen = "blocker", f"{seen}: expired {(at - certificate.not_after).days} days ago"
        remedy = "Assign a new certificate, then let the partner read the metadata again."
    elif at < certificate.not_before:
        level, seen = "blocker", f"{seen}: not valid yet"
        remedy = "Wait until it becomes valid, assign another one, or correct the server's clock."
    elif certificate.not_after - at < EXPIRY_WARNING:
        level, seen = "warning", f"{seen}: {certificate.days_left(at)} days left"
        remedy = "Plan the rollover; the partner must read the metadata again afterwards."
    return Judgement("certificate.validity", level, seen, expected, remedy, certificate.thumbprint)


def judge_key(certificate: Certificate) -> Judgement:
    """The row `certificate.key` of `judge`: tokens are signed RS256, so RSA of 2048 bits or more."""
    fits = certificate.key_algorithm == "RSA" and certificate.key_size >= MINIMUM_KEY_BITS
    return Judgement(
        "certificate.key",
        "ok" if fits else "blocker",
        f"{certificate.key_algorithm} {certificate.key_size} bit",
        f"RSA, at least {MINIMUM_KEY_BITS} bit",
        "" if fits else "Assign a certificate with an RSA key of 2048 bits or more.",
        certificate.thumbprint,
    )


def judge_signature(certificate: Certificate) -> Judgement:
    """The row `certificate.signature` of `judge`; a weak hash is a warning, since trust rests on the key itself."""
    name = certificate.signature_hash
    level: Level = "unknown" if name is None else "warning" if name in _WEAK_HASHES else "ok"
    remedy = "" if level == "ok" else "Prefer a certificate signed with SHA-256 at the next rollover."
    seen = name or "no hash name that this program knows"
    return Judgement("certificate.signature", level, seen, "SHA-2", remedy, certificate.thumbprint)


def _judge_names(certificate: Certificate, sip_domains: Sequence[str] | None) -> list[Judgement]:
    about = certificate.thumbprint
    subject = shown(certificate.subject)
    if not sip_domains:
        remedy = "Read the SIP domains (Get-CsSipDomain) and judge again."
        expected = "the default SIP domain as CN"
        return [Judgement("certificate.subject", "unknown", subject, expected, remedy, about)]
    default, *others = (_domain(name) for name in sip_domains)
    common = {_domain(name) for name in certificate.common_names}
    alternative = (
        None if certificate.alternative_names is None else {_domain(name) for name in certificate.alternative_names}
    )
    level: Level = "blocker"
    remedy = "Assign a certificate whose subject holds the default SIP domain."
    if default in common:
        level, remedy = "ok", ""
    elif any(name.endswith("." + default) for name in common) or default in (alternative or ()):
        level, remedy = "warning", "Put the default SIP domain itself into the subject at the next rollover."
    elif alternative is None:
        level = "unknown"
    judged = [Judgement("certificate.subject", level, subject, f"CN={default}", remedy, about)]
    if others:
        judged.append(_judge_alternative_names(others, common, alternative, about))
    return judged


def _judge_alternative_names(
    others: Sequence[str], common: set[str], alternative: set[str] | None, about: str
) -> Judgement:
    missing = [name for name in others if name not in common | (alternative or set())]
    level: Level = "ok" if not missing else "unknown" if alternative is None else "warning"
    return Judgement(
        "certificate.alternative_names",
        level,
        "the extensions could not be read"
        if alternative is None
        else f"SAN {', '.join(shown(name, 80) for name in sorted(alternative)[:20]) or 'empty'}",
        f"further SIP domains {', '.join(others)}",
        f"Add to the SAN at the next rollover: {', '.join(missing)}." if missing else "",
        about,
    )


def _judge_presence(certificate: Certificate, key: PrivateKey) -> Judgement:
    level: Level = "unknown" if key.present is None else "ok" if key.present else "blocker"
    return Judgement(
        "certificate.private_key",
        level,
        {None: "could not be read", True: "present", False: "missing"}[key.present],
        "present in the server's store",
        "" if level == "ok" else "Import or publish the certificate together with its private key.",
        certificate.thumbprint,
    )


def _judge_provider(certificate: Certificate, key: PrivateKey, product: Product) -> Judgement:
    family = _provider_family(key.provider or "")
    level: Level = "unknown"
    if family == "csp":
        level = "ok"
    elif family == "cng":
        level = "blocker" if product == "exchange" else "warning"
    return Judgement(
        "certificate.provider",
        level,
        "could not be read" if key.provider is None else shown(key.provider),
        "a CSP, not a CNG key storage provider",
        "" if level == "ok" else "Use a certificate whose key lies in a CSP, e.g. the RSA SChannel provider.",
        certificate.thumbprint,
    )


def _provider_family(provider: str) -> Literal["csp", "cng", ""]:
    name = provider.lower()
    if "key storage provider" in name or "platform crypto provider" in name:
        return "cng"
    return "csp" if "cryptographic provider" in name else ""


def _judge_exportable(certificate: Certificate, key: PrivateKey) -> Judgement:
    level: Level = "unknown" if key.exportable is None else "ok" if key.exportable else "warning"
    return Judgement(
        "certificate.exportable",
        level,
        {None: "could not be read", True: "exportable", False: "not exportable"}[key.exportable],
        "exportable, so that the product can hand the key to its other servers",
        "" if level == "ok" else "Check that every server holds the private key; prefer an exportable one.",
        certificate.thumbprint,
    )


def _domain(name: str) -> str:
    return name.strip().rstrip(".").lower()


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("the instant to judge at must be aware")
    return at.astimezone(UTC)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
