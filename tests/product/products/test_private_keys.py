"""What certutil prints of a machine's certificates, in whichever language, becomes facts about their private keys."""

from __future__ import annotations

import pytest

from s2slib.facts import Absent, Fact, Facts, Known, Unknown, on
from s2slib.products.windows import get_private_keys, private_key
from s2slib.remoting.values.reply import RemoteError, Reply
from s2slib.trust.certificate import PrivateKey

SERVER = "fe.litwareinc.com"
KEY = on(SERVER, "private_keys")
ONE, TWO, THREE = "A1" * 20, "B2" * 20, "C3" * 20
CSP, CNG = "Microsoft RSA SChannel Cryptographic Provider", "Microsoft Software Key Storage Provider"

ENGLISH = f"""My "Personal"
================ Certificate 0 ================
Serial Number: 4411
Issuer: CN=Litware CA, DC=litwareinc, DC=com
 NotBefore: 4/25/2026 7:26 PM
 NotAfter: 4/25/2028 7:36 PM
Subject: CN=fe.litwareinc.com
Non-root Certificate
Cert Hash(sha1): {" ".join([ONE[:2].lower()] * 20)}
  Key Container = te-1
  Unique container name: 0f1e
  Provider = {CSP}
Encryption test passed

================ Certificate 1 ================
Archived!
Serial Number: 4412
Issuer: CN=other
Subject: CN=other
Signature matches Public Key
Root Certificate: Subject matches Issuer
Cert Hash(sha1): {TWO.lower()}
  Key Container = te-2
  Provider = {CNG}
Private key is NOT exportable
Signature test passed

================ Certificate 2 ================
Serial Number: 4413
Cert Hash(sha1): {THREE.lower()}
  Key Container = te-3
  Provider = {CSP}
Missing stored keyset
CertUtil: -store command completed successfully."""

SPANISH = f"""My "Personal"
================ Certificado 0 ================
Número de serie: 4411
Emisor: CN=Litware CA
Asunto: CN=fe.litwareinc.com
Certificado no raíz
Hash de cert.(sha1): {ONE.lower()}
  Contenedor de claves = te-1
  Nombre de contenedor exclusivo: 0f1e
  Proveedor = {CSP}
Prueba de cifrado correcta
CertUtil: -store comando completado correctamente."""


def answer(text: str, *, exit_code: int = 0, errors: tuple[RemoteError, ...] = ()) -> Fact:
    read = get_private_keys(SERVER)
    reply = Reply(SERVER, read.command, "completed", tuple(text.splitlines()), errors, exit_code=exit_code)
    return read.facts(reply)[KEY]


def test_provider_and_exportability_are_read_for_each_certificate() -> None:
    assert answer(ENGLISH) == Known(
        {
            ONE: {"provider": CSP, "exportable": True, "present": True},
            TWO: {"provider": CNG, "exportable": False, "present": True},
            THREE: {"provider": CSP, "exportable": None, "present": False},
        }
    )


def test_in_another_language_the_provider_is_known_and_the_rest_is_not_guessed() -> None:
    assert answer(SPANISH) == Known({ONE: {"provider": CSP, "exportable": None, "present": None}})


def test_a_certificate_without_a_key_has_no_provider() -> None:
    text = f"================ Certificate 0 ================\nSubject: CN=a,\n  O = Litware\nCert Hash(sha1): {ONE}\n"
    assert answer(text) == Known({ONE: {"provider": "", "exportable": None, "present": None}})


def test_an_empty_store_is_an_answer() -> None:
    assert answer('My "Personal"\nCertUtil: -store command completed successfully.') == Known({})


@pytest.mark.parametrize(
    ("text", "exit_code"),
    [
        ("CertUtil: -store command FAILED: 0x80070005", -2147024891),
        ("================ Certificate 0 ================\nSerial Number: 1", 0),
    ],
)
def test_what_is_not_understood_is_unknown(text: str, exit_code: int) -> None:
    assert isinstance(answer(text, exit_code=exit_code), Unknown)


def test_an_error_is_unknown() -> None:
    error = RemoteError("The term is not recognized", "CommandNotFoundException", "ObjectNotFound", "", "x")
    assert isinstance(answer("", errors=(error,)), Unknown)


def facts(*, stored: Fact | None = None, keys: Fact | None = None) -> Facts:
    rows = [
        {"thumbprint": ONE, "has_private_key": True, "der": ""},
        {"thumbprint": TWO, "has_private_key": False, "der": ""},
        {"thumbprint": THREE, "has_private_key": True, "der": ""},
    ]
    said = answer(ENGLISH)
    return Facts({on(SERVER, "machine_certificates"): stored or Known(rows), KEY: keys or said})


@pytest.mark.parametrize(
    ("snapshot", "thumbprint", "expected"),
    [
        (facts(), ONE.lower(), PrivateKey(True, CSP, True)),
        (facts(), TWO, PrivateKey(present=False)),
        (facts(), THREE, PrivateKey(False, CSP, None)),
        (facts(), "0" * 40, PrivateKey(present=False)),
        (facts(keys=Unknown("no")), ONE, PrivateKey(present=True)),
        (facts(keys=Known({})), ONE, PrivateKey(present=True)),
        (facts(stored=Unknown("no")), ONE, PrivateKey()),
        (facts(stored=Absent()), ONE, PrivateKey()),
    ],
)
def test_what_is_known_of_a_key_is_put_together_and_nothing_is_made_up(
    snapshot: Facts, thumbprint: str, expected: PrivateKey
) -> None:
    assert private_key(snapshot, SERVER, thumbprint) == expected
