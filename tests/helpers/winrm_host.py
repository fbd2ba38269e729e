"""A WinRM server with programs of the test's own, and clients for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import winrm
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from s2slab.winrm import Launch, Logon, ThreadProcess, WinRmServer, WinRmSettings
from s2slab.winrm.process import Program

PASSWORD = "Lab: p\"ass's wörd"


@dataclass
class People:
    """Two administrators of LITWAREINC and one user who may log on and nothing else."""

    passwords: dict[str, str] = field(
        default_factory=lambda: {"kenmyer": PASSWORD, "operator": "another one", "reader": "only reads"}
    )
    denied: set[str] = field(default_factory=lambda: {"reader"})

    def password(self, domain: str, user: str) -> str | None:
        return self.passwords.get(user) if domain.upper() in ("", "LITWAREINC", "LITWAREINC.COM") else None

    def allowed(self, logon: Logon) -> bool:
        return logon.user not in self.denied


@dataclass
class Host:
    """A running server and what was launched on it."""

    server: WinRmServer
    http: int
    https: int
    ca_file: Path
    launched: list[Launch]
    processes: list[ThreadProcess]

    @property
    def settings(self) -> WinRmSettings:
        return self.server.settings

    def session(
        self, transport: str = "ntlm", *, tls: bool = False, user: str = "LITWAREINC\\kenmyer", **options: Any
    ) -> winrm.Session:
        """An unmodified pywinrm session."""
        url = f"https://127.0.0.1:{self.https}/wsman" if tls else f"http://127.0.0.1:{self.http}/wsman"
        options = {"proxy": None, "ca_trust_path": str(self.ca_file), **options}
        password = options.pop("password", PASSWORD)
        return winrm.Session(url, auth=(user, password), transport=transport, **options)


Start = Callable[[Program], Host]


def issue(
    name: str, issuer: x509.Certificate | None, issuer_key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key
