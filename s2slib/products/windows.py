"""Windows and IIS on one server: clock, token, services, worker processes, restart, a document as that server sees it.

Everything runs in the server's local runspace. Source: operations O10-O13, O21, O29; domain.md 1(c) of the reference.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from s2slib.facts import Fact, Facts, Known
from s2slib.products.lync import on
from s2slib.products.read import Read, field, flag, instant, raw_bytes, rows, text
from s2slib.remoting.values.command import Cmdlet, Later, Program, Value
from s2slib.remoting.values.reply import Reply
from s2slib.trust.certificate import PrivateKey
from s2slib.trust.metadata import MetadataError
from s2slib.trust.metadata import parse as parse_metadata

IISRESET = r"C:\Windows\System32\iisreset.exe"
WHOAMI = r"C:\Windows\System32\whoami.exe"
WORKER_POOL = re.compile(r'-ap "(?P<pool>[^"]+)"')
CERTUTIL = r"C:\Windows\System32\certutil.exe"
ICACLS = r"C:\Windows\System32\icacls.exe"
ADMINISTRATORS, SYSTEM = "S-1-5-32-544", "S-1-5-18"  # SIDs, since the groups' names are localised
HTTP_STATUS = re.compile(r"\((?P<status>[1-5]\d\d)\)")  # "... returned an error: (401) Unauthorized."
SDDL_ACCESS = re.compile(r"D:(?P<flags>[A-Z]*)(?P<entries>(?:\([^()]*\))*)(?:S:|$)")
SDDL_ENTRY = re.compile(r"\(([^()]*)\)")
CERTUTIL_RULE = re.compile(r"^={8,} .*\d ={8,}\s*$")  # before each certificate
CERTUTIL_HASH = re.compile(r"\(sha1\)\s*:\s*(?P<hash>(?:[0-9a-f]{2} ?){20})\s*$", re.IGNORECASE)
CERTUTIL_VALUE = re.compile(r"^ {2}\S[^=]* = (?P<value>.+)$")
CERTUTIL_KEPT, CERTUTIL_MISSING = "Private key is NOT exportable", "Missing stored keyset"
CERTUTIL_PASSED = {"Encryption test passed", "Signature test passed"}
_NO_PATH = ("PathNotFound",)  # part of the ids of Resolve-Path and Get-Acl
TRUST_POOLS = re.compile(r"^MSExchange(Services|Autodiscover)(FrontEnd)?AppPool$", re.IGNORECASE)


def get_clock(server: str, operator_now: Callable[[], datetime]) -> Read:
    """`Get-Date`: the server's time and how far it is from the operator's (whole seconds, server minus operator)."""
    key = on(server, "clock")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        value = reply.output[0]
        seen = value if isinstance(value, datetime) else datetime.fromisoformat(instant(value).replace("Z", "+00:00"))
        offset = round((seen.astimezone(UTC) - operator_now()).total_seconds())
        return {key: Known({"utc": instant(seen), "offset_s": offset})}

    return Read(server, Cmdlet("Get-Date", {}, "read", "local"), (key,), parse)


def get_groups(server: str) -> Read:
    """`whoami /groups /fo csv /nh`: the groups in this session's token, the only ones that count (O29)."""
    key = on(server, "groups")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        lines = "\n".join(text(item) for item in reply.output)
        names = [row[0].rsplit("\\", 1)[-1] for row in csv.reader(io.StringIO(lines)) if row]
        return {key: Known(sorted(set(names), key=str.casefold))}

    return Read(server, Program(WHOAMI, ("/groups", "/fo", "csv", "/nh"), effect="read"), (key,), parse)


def get_services(server: str) -> Read:
    """`Get-Service -Name W3SVC,WAS`: whether IIS runs."""
    key = on(server, "iis_services")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known({text(field(row, "Name")).upper(): text(field(row, "Status")) for row in rows(reply)})}

    command = Cmdlet("Get-Service", {"Name": ("W3SVC", "WAS")}, "read", "local", ("Name", "Status"))
    return Read(server, command, (key,), parse)


def get_workers(server: str) -> Read:
    """`Get-CimInstance Win32_Process` for w3wp.exe: application pool and start time of the workers that hold the trust.

    Only EWS and Autodiscover pools, front and back end (O10). A pool without a process has nothing stale loaded.
    """
    key = on(server, "workers")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        workers = []
        for row in rows(reply):
            match = WORKER_POOL.search(text(field(row, "CommandLine")))
            if match and TRUST_POOLS.match(match["pool"]):
                workers.append({"pool": match["pool"], "started": instant(field(row, "CreationDate"))})
        return {key: Known(sorted(workers, key=lambda worker: worker["pool"]))}

    parameters = {"ClassName": "Win32_Process", "Filter": "Name='w3wp.exe'"}
    command = Cmdlet("Get-CimInstance", parameters, "read", "local", ("ProcessId", "CreationDate", "CommandLine"))
    return Read(server, command, (key,), parse, rights="local Administrators")


def iisreset(*arguments: str) -> Program:
    """`iisreset.exe <arguments>`, locally on the server; its exit code has no source, so only the read-back counts.

    Restart: `/noforce /timeout:300`; recovery: `/start`. Rights: local Administrators. Effect: write; every HTTP client
    of the server notices while IIS cycles. Inverse: none needed. Source: domain.md 1(c), O11.
    """
    return Program(IISRESET, arguments, effect="write")


def get_page_status(server: str, url: str, name: str) -> Read:
    """`Invoke-WebRequest -UseBasicParsing -Uri <url>` on the server: the HTTP status it gets, whichever (O12)."""
    key = on(server, name)

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known(int(field(rows(reply)[0], "StatusCode")))}

    def status_in(message: str) -> Mapping[str, Fact] | None:
        found = HTTP_STATUS.search(message)
        return {key: Known(int(found["status"]))} if found else None

    return Read(server, _request(url, ("StatusCode",)), (key,), parse, error_answer=status_in)


def get_metadata(server: str, url: str, key: str) -> Read:
    """The authentication metadata document of `url` as `server` gets it (O21): identity and keys, or why it is none.

    A document that arrives but cannot be trusted is Known with `problem` set: it was answered, and wrongly.
    """

    def parse(reply: Reply) -> Mapping[str, Fact]:
        content = field(rows(reply)[0], "Content")
        body = content.encode("utf-8") if isinstance(content, str) else raw_bytes(content)
        return {key: Known(metadata_fact(body, url))}

    return Read(server, _request(url, ("StatusCode", "Content")), (key,), parse)


def metadata_fact(body: bytes, url: str) -> dict[str, object]:
    """What the product keeps of a metadata document: who it names and which signing keys it carries."""
    common = {"url": url, "sha256": hashlib.sha256(body).hexdigest()}
    try:
        document = parse_metadata(body, source=url)
    except MetadataError as error:
        return {**common, "problem": str(error), "thumbprints": [], "document": ""}
    return {
        **common,
        "problem": "",
        "application_id": document.service_name.lower(),
        "realm": document.realm or "",
        "thumbprints": [key.certificate.thumbprint for key in document.keys],
        "document": body.decode("utf-8-sig"),
    }


def get_machine_certificates(server: str) -> Read:
    r"""`Get-ChildItem Cert:\LocalMachine\My`: the certificates in the server's own store, with or without a private key."""
    key = on(server, "machine_certificates")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        found = [
            {
                "thumbprint": text(field(row, "Thumbprint")).upper(),
                "has_private_key": flag(field(row, "HasPrivateKey")),
                "der": base64.b64encode(raw_bytes(field(row, "RawData"))).decode("ascii"),
            }
            for row in rows(reply)
        ]
        return {key: Known(found)}

    parameters: dict[str, Value] = {"Path": "Cert:\\LocalMachine\\My"}
    command = Cmdlet("Get-ChildItem", parameters, "read", "local", ("Thumbprint", "HasPrivateKey", "RawData"))
    return Read(server, command, (key,), parse, rights="local Administrators")


def get_private_keys(server: str) -> Read:
    """`certutil.exe -silent -store My`: thumbprint -> provider, exportable and present of each private key (O19).

    | said                                          | field                                   |
    | --------------------------------------------- | --------------------------------------- |
    | a provider's name                             | `provider`, else "" (no key)            |
    | `Private key is NOT exportable`               | `exportable` false                      |
    | the key was tested, and not that              | `exportable` true                       |
    | `... test passed`, `Missing stored keyset`    | `present` true, false                   |

    The program's labels are localised and it cannot be told a language: thumbprint and provider are found by their form, in
    any language; of the rest only English counts, and None says that nothing was said. Rights: local Administrators (the
    program tests each key). Effect: read.
    """
    key = on(server, "private_keys")

    def parse(reply: Reply) -> Mapping[str, Fact]:
        if reply.exit_code != 0:
            raise ValueError(f"certutil ended with {reply.exit_code}")
        return {key: Known(_private_keys([text(line) for line in reply.output]))}

    command = Program(CERTUTIL, ("-silent", "-store", "My"), effect="read")
    return Read(server, command, (key,), parse, rights="local Administrators")


def _private_keys(lines: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What certutil printed, by thumbprint. ValueError for a certificate without one."""
    blocks: list[list[str]] = []
    for line in lines:
        if CERTUTIL_RULE.match(line):
            blocks.append([])
        elif blocks:
            blocks[-1].append(line)
    found = {}
    for block in blocks:
        at = next((number for number, line in enumerate(block) if CERTUTIL_HASH.search(line)), None)
        if at is None:
            raise ValueError("a certificate without its hash")
        thumbprint = "".join(CERTUTIL_HASH.findall(block[at])).replace(" ", "").upper()
        values = [match for line in block[at:] if (match := CERTUTIL_VALUE.match(line))]
        provider = values[-1]["value"].strip() if values else ""  # the last line of its kind in every language
        said = {line.strip() for line in block}
        passed = bool(said & CERTUTIL_PASSED)
        found[thumbprint] = {
            "provider": provider,
            "exportable": False if CERTUTIL_KEPT in said else True if passed else None,
            "present": True if passed else False if CERTUTIL_MISSING in said else None,
        }
    return found


def private_key(facts: Facts, server: str, thumbprint: str) -> PrivateKey:
    """What is known of a certificate's private key on a server, for `trust.certificate.judge`; None where nothing is.

    From the facts of `get_machine_certificates` and `get_private_keys`; a certificate that is not in the store has no key.
    """
    stored = facts.value(on(server, "machine_certificates"))
    if stored is None:
        return PrivateKey()
    held = next((row for row in stored if row["thumbprint"] == thumbprint.upper()), None)
    if held is None or not held["has_private_key"]:
        return PrivateKey(present=False)
    said = facts.value(on(server, "private_keys"), {}).get(thumbprint.upper(), {})
    return PrivateKey(
        present=said.get("present") is not False,
        provider=said.get("provider") or None,
        exportable=said.get("exportable"),
    )


def make_folder(path: str) -> Cmdlet:
    """`New-Item -ItemType Directory -Path <path> -Force`: a folder, its parents with it; one that is there stays.

    Rights: local Administrators. Effect: write. Inverse: none, it stays. Source: O36.
    """
    parameters: dict[str, Value] = {"ItemType": "Directory", "Path": path, "Force": True}
    return Cmdlet("New-Item", parameters, effect="write", runspace="local", properties=("FullName",))


def restrict_file(path: str | Later) -> Program:
    """`icacls.exe <path> /inheritance:r /grant:r *S-1-5-32-544:F *S-1-5-18:F`: only Administrators and SYSTEM open it.

    Its texts are localised and its exit codes have no source: only the read-back (`get_file_access`) counts. Rights: local
    Administrators. Effect: write. Inverse: none, the file stays restricted. Source: O36.
    """
    grants = (f"*{ADMINISTRATORS}:F", f"*{SYSTEM}:F")
    return Program(ICACLS, (path, "/inheritance:r", "/grant:r", *grants), effect="write")


def get_file_hash(server: str, path: str, key: str) -> Read:
    """`Get-FileHash -LiteralPath <path> -Algorithm SHA256`: path and SHA-256 (lower case); absent when there is no file."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        row = _only(rows(reply))
        return {key: Known({"path": text(field(row, "Path")), "sha256": text(field(row, "Hash")).lower()})}

    parameters: dict[str, Value] = {"LiteralPath": path, "Algorithm": "SHA256"}
    command = Cmdlet("Get-FileHash", parameters, "read", "local", ("Algorithm", "Hash", "Path"))
    return Read(server, command, (key,), parse, absent_when=_NO_PATH, rights="local Administrators")


def get_file_access(server: str, path: str, key: str) -> Read:
    """`Get-Acl -LiteralPath <path>`: the SDDL, and whether it lets in Administrators and SYSTEM only.

    The descriptor names them by abbreviation in every language. Absent when there is no file.
    """

    def parse(reply: Reply) -> Mapping[str, Fact]:
        descriptor = text(field(_only(rows(reply)), "Sddl"))
        return {key: Known({"path": path, "sddl": descriptor, "restricted": is_restricted(descriptor)})}

    parameters: dict[str, Value] = {"LiteralPath": path}
    command = Cmdlet("Get-Acl", parameters, "read", "local", ("Sddl",))
    return Read(server, command, (key,), parse, absent_when=_NO_PATH, rights="local Administrators")


def is_restricted(sddl: str) -> bool:
    """Whether a security descriptor takes nothing over from its folder and grants nobody but Administrators and SYSTEM.

    ValueError for a text that is no descriptor with an access list.
    """
    found = SDDL_ACCESS.search(sddl)
    if found is None:
        raise ValueError(f"no access list in {sddl!r}")
    entries = [entry.split(";") for entry in SDDL_ENTRY.findall(found["entries"])]
    granted = {entry[5] for entry in entries if entry[0] == "A"}
    known = all(entry[0] in ("A", "D") and len(entry) == 6 for entry in entries)
    return known and "P" in found["flags"] and granted <= {"BA", "SY", ADMINISTRATORS, SYSTEM}


def wait(seconds: int) -> Cmdlet:
    """`Start-Sleep -Seconds <n>` on the server: a wait that the server's own clock measures."""
    return Cmdlet("Start-Sleep", {"Seconds": seconds}, effect="read", runspace="local")


def _only(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The only row; ValueError for none or several: nothing is known then, not even that it is absent."""
    if len(found) != 1:
        raise ValueError(f"expected one object, got {len(found)}")
    return found[0]


def _request(url: str, properties: tuple[str, ...]) -> Cmdlet:
    parameters: dict[str, Value] = {"Uri": url, "UseBasicParsing": True, "TimeoutSec": 30, "MaximumRedirection": 0}
    return Cmdlet("Invoke-WebRequest", parameters, "read", "local", properties)
