r"""certutil.exe: what the machine's certificate store says about each certificate and its private key.

`certutil [-silent] -store My [<thumbprint>]`

The lines of a certificate are those of public examples in English: `Private key is NOT exportable` only where it is not, then
the test of the key. Which container names a provider prints, and the exit code when a certificate is not found, are
UNCONFIRMED. Whatever else certutil can do, the lab says that it does not simulate it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from s2slab.cmdlets.shared.base import place
from s2slab.engine.registry import ProgramCall, ProgramSpec
from s2slab.estate.pki import KeyPair

_NOT_FOUND = 0x80090011
_REFUSED = 87


def specs() -> list[ProgramSpec]:
    """The program."""
    return [ProgramSpec("certutil.exe", _certutil)]


def _certutil(call: ProgramCall) -> int:
    words = [word for word in call.argv if word.lower() != "-silent"]
    if len(words) not in (2, 3) or words[0].lower() != "-store" or words[1].lower() != "my":
        call.write_stderr(f"The lab's certutil.exe does not simulate: {' '.join(call.argv)}\r\n")
        return _REFUSED
    at = place(call)
    with at.estate.reading():
        pairs = list(enumerate(at.server.certificates.values()))
    call.write_stdout(f'{words[1]} "Personal"\r\n')
    wanted = words[2].replace(" ", "").upper() if len(words) == 3 else ""
    chosen = [(number, pair) for number, pair in pairs if wanted in ("", pair.thumbprint, pair.serial)]
    if wanted and not chosen:
        call.write_stdout(
            "CertUtil: -store command FAILED: 0x80090011 (-2146893807 NTE_NOT_FOUND)\r\n"
            "CertUtil: Object was not found.\r\n"
        )
        return _NOT_FOUND - 2**32
    for number, pair in chosen:
        call.write_stdout("\r\n".join([*_shown(number, pair, at.session.may_administer(at.server.fqdn)), "", ""]))
    call.write_stdout("CertUtil: -store command completed successfully.\r\n")
    return 0


def _shown(number: int, pair: KeyPair, may_use_key: bool) -> list[str]:
    seed = hashlib.sha256(pair.der).hexdigest()
    unique = f"{seed[:32]}_{seed[32:40]}-{seed[40:44]}-{seed[44:48]}-{seed[48:52]}-{seed[52:64]}"
    own = ["Signature matches Public Key", "Root Certificate: Subject matches Issuer"]
    lines = [
        f"================ Certificate {number} ================",
        f"Serial Number: {pair.serial.lower()}",
        f"Issuer: {pair.issuer}",
        f" NotBefore: {_date(pair.not_before)}",
        f" NotAfter: {_date(pair.not_after)}",
        f"Subject: {pair.subject}",
        *(own if pair.is_self_signed else ["Non-root Certificate"]),
        f"Cert Hash(sha1): {pair.thumbprint.lower()}",
        f"  Key Container = {unique}",
        f"  Provider = {pair.provider}",
    ]
    if not may_use_key:
        return [*lines, "Access denied."]  # UNCONFIRMED
    if not pair.exportable:
        lines.append("Private key is NOT exportable")
    return [*lines, "Encryption test passed"]


def _date(value: datetime) -> str:
    """A date as an en-US Windows prints it."""
    hour = value.hour % 12 or 12
    return f"{value.month}/{value.day}/{value.year} {hour}:{value.minute:02d} {'AM' if value.hour < 12 else 'PM'}"
