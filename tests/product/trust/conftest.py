"""Certificates with known dates and servers that misbehave, for the tests of trust."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from s2slib.trust.certificate import Certificate, from_der

Behaviour = Callable[[socket.socket, bytes, threading.Event], None]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

# name: subject CN, valid from, valid to, key, DNS names
SIGNING_CERTIFICATES = {
    "lync": ("litwareinc.com", "2025-06-01", "2028-06-01", "rsa2048", ["litwareinc.com"]),
    "lync-previous": ("litwareinc.com", "2023-06-01", "2026-05-01", "rsa2048", ["litwareinc.com"]),
    "lync-next": ("litwareinc.com", "2026-05-20", "2029-06-01", "rsa2048", ["litwareinc.com"]),
    "exchange": ("Microsoft Exchange Server Auth Certificate", "2023-02-01", "2028-01-06", "rsa2048", []),
    "expiring": ("litwareinc.com", "2023-07-15", "2026-07-15", "rsa2048", ["litwareinc.com"]),
    "future": ("litwareinc.com", "2026-06-02", "2029-06-02", "rsa2048", ["litwareinc.com"]),
    "weak": ("litwareinc.com", "2025-06-01", "2028-06-01", "rsa1024", ["litwareinc.com"]),
    "curve": ("litwareinc.com", "2025-06-01", "2028-06-01", "p256", ["litwareinc.com"]),
    "pool": ("pool01.litwareinc.com", "2025-06-01", "2028-06-01", "rsa2048", ["pool01.litwareinc.com"]),
    "two-domains": ("litwareinc.com", "2025-06-01", "2028-06-01", "rsa2048", ["litwareinc.com", "Contoso.com"]),
    "stranger": ("stranger", "2025-06-01", "2028-06-01", "rsa2048", []),
}


class Issuer:
    """Issues certificates; keys are made once per kind, since the tests never mind who holds them."""

    def __init__(self) -> None:
        self._keys: dict[str, PrivateKey] = {}

    def key(self, kind: str) -> PrivateKey:
        if kind not in self._keys:
            if kind.startswith("rsa"):
                self._keys[kind] = rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
            else:
                self._keys[kind] = ec.generate_private_key(ec.SECP256R1())
        return self._keys[kind]

    def issue(
        self,
        name: str,
        start: datetime,
        end: datetime,
        *,
        key: str,
        names: list[str],
        authority: x509.Certificate | None = None,
        is_authority: bool = False,
    ) -> x509.Certificate:
        """Signed by the `authority` (whose key is of kind `ca`), else self-signed."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self.key(key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority.subject if authority else subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        alternatives: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(entry)) if entry[0].isdigit() else x509.DNSName(entry)
            for entry in names
        ]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self.key("ca") if authority else own, hashes.SHA256())


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def signing_ders(issuer: Issuer) -> dict[str, bytes]:
    return {
        name: issuer.issue(
            common_name,
            datetime.fromisoformat(start).replace(tzinfo=UTC),
            datetime.fromisoformat(end).replace(tzinfo=UTC),
            key=key,
            names=names,
        ).public_bytes(serialization.Encoding.DER)
        for name, (common_name, start, end, key, names) in SIGNING_CERTIFICATES.items()
    }


@pytest.fixture(scope="session")
def signing(signing_ders: dict[str, bytes]) -> dict[str, Certificate]:
    return {name: from_der(der) for name, der in signing_ders.items()}


@pytest.fixture(scope="session")
def load_case(signing: dict[str, Certificate], signing_ders: dict[str, bytes]) -> Callable[[Path], dict[str, Any]]:
    """Reads a case and puts the run's certificates where it says `<certificate:NAME>`, `<thumbprint:…>`, `<x5t:…>`."""

    def load(path: Path) -> dict[str, Any]:
        text = path.read_text(encoding="utf-8")
        for name, certificate in signing.items():
            text = text.replace(f"<certificate:{name}>", base64.b64encode(signing_ders[name]).decode("ascii"))
            text = text.replace(f"<thumbprint:{name}>", certificate.thumbprint)
            text = text.replace(f"<x5t:{name}>", certificate.x5t)
        case: dict[str, Any] = json.loads(text)
        return case

    return load


@pytest.fixture(scope="session")
def tls(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """PEM files: `ca` and `other-ca`, and servers' certificates with key `good`, `wrong-name`, `expired`, `future`."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    year = timedelta(days=365)
    authority = issuer.issue("Test CA", now - year, now + year, key="ca", names=[], is_authority=True)
    other = issuer.issue("Other CA", now - year, now + year, key="other-ca", names=[], is_authority=True)
    files = {name: folder / f"{name}.pem" for name in ("ca", "other-ca", "good", "wrong-name", "expired", "future")}
    files["ca"].write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files["other-ca"].write_bytes(other.public_bytes(serialization.Encoding.PEM))
    key = issuer.key("server").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    local = ["localhost", "127.0.0.1"]
    for name, start, end, names in (
        ("good", now - year, now + year, local),
        ("wrong-name", now - year, now + year, ["elsewhere.litwareinc.com"]),
        ("expired", now - year, now - timedelta(days=1), local),
        ("future", now + timedelta(days=1), now + year, local),
    ):
        certificate = issuer.issue(names[0], start, end, key="server", names=names, authority=authority)
        files[name].write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key)
    return files


class Listener:
    """Accepts on a free loopback port and lets `behaviour` answer each connection in a thread of its own."""

    def __init__(self, behaviour: Behaviour, certificate: Path | None, *, read_head: bool) -> None:
        self._behaviour = behaviour
        self._read_head = read_head
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                connection, _ = self._listener.accept()
                self._start(self._answer, connection)

    def _answer(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        with suppress(OSError):
            if self._context is None:
                connection: socket.socket = plain
            else:
                connection = self._context.wrap_socket(plain, server_side=True)
            with connection:
                head = b""
                while self._read_head and b"\r\n\r\n" not in head:
                    piece = connection.recv(4096)
                    if not piece:
                        return
                    head += piece
                self.heads.append(head)
                self._behaviour(connection, head, self._stop)
        plain.close()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=6)
        self._listener.close()


@pytest.fixture
def listen(tls: dict[str, Path]) -> Iterator[Callable[..., Listener]]:
    """Starts listeners: `listen(behaviour, "good")` speaks TLS with that certificate, `listen(behaviour)` plain TCP."""
    listeners: list[Listener] = []

    def start(behaviour: Behaviour, certificate: str | None = None, *, read_head: bool = True) -> Listener:
        listener = Listener(behaviour, tls[certificate] if certificate else None, read_head=read_head)
        listeners.append(listener)
        return listener

    yield start
    for listener in listeners:
        listener.close()
