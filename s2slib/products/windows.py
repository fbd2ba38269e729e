"""Windows and IIS on one server: clock, token, services, worker processes, restart, a document as that server sees it.

Everything runs in the server's local runspace. Source: fact F9, rules R24 to R27, R35, R41.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from s2slib.facts import Fact, Facts, Key, Known, PerServer, Row
from s2slib.products.read import (
    Der,
    Flag,
    Instant,
    Lower,
    Question,
    Read,
    Text,
    Upper,
    instant,
    parsed,
    raw_bytes,
    text,
)
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


RIGHTS = "local Administrators"


class Clock(Row):
    """A server's time, and how far it is from the operator's: whole seconds, server minus operator."""

    utc: str
    offset_s: int


class Service(Row):
    """A Windows service."""

    name: Upper
    status: Text


class Process(Row):
    """A process and what it was started with."""

    command_line: Text
    creation_date: Instant


class Worker(Row):
    """A worker process of IIS: its application pool and its start."""

    pool: str
    started: str


class StoredCertificate(Row):
    """A certificate in the machine's own store."""

    thumbprint: Upper
    has_private_key: Flag
    der: Der = Field(alias="RawData")


class Document(Row):
    """A metadata document as a server got it: who it names and which signing keys it carries, or the `problem` with it.

    `sha256` and `document` are of the text itself; in a projected state they are missing.
    """

    url: str
    problem: str
    thumbprints: list[str]
    application_id: str = ""
    realm: str = ""
    sha256: str
    document: str


class StoredFile(Row):
    """A file and its SHA-256, lower case."""

    path: Text
    sha256: Lower = Field(alias="Hash")


class FileAccess(Row):
    """A file's security descriptor, and whether it lets in Administrators and SYSTEM only."""

    sddl: Text
    restricted: Annotated[bool, BeforeValidator(lambda value: is_restricted(text(value)))] = Field(alias="Sddl")


class Answer(Row):
    """An answer of a web server."""

    status_code: int


class Content(Row):
    """What a web server answered with."""

    content: Annotated[bytes, BeforeValidator(lambda v: v.encode("utf-8") if isinstance(v, str) else raw_bytes(v))]


CLOCK = PerServer(Key.one("clock", Clock))
GROUPS = PerServer(Key.plain("groups", list[str]))
IIS_SERVICES = PerServer(Key.plain("iis_services", dict[str, str]))
WORKERS = PerServer(Key.many("workers", Worker))
MACHINE_CERTIFICATES = PerServer(Key.many("machine_certificates", StoredCertificate))
PRIVATE_KEYS = PerServer(Key.plain("private_keys", dict[str, dict[str, Any]]))


def get_clock(server: str, operator_now: Callable[[], datetime]) -> Read:
    """`Get-Date`: the server's time and how far it is from the operator's."""
    key = CLOCK.on(server)

    def parse(reply: Reply) -> Mapping[str, Fact]:
        seen = datetime.fromisoformat(instant(reply.output[0]).replace("Z", "+00:00"))
        offset = round((seen.astimezone(UTC) - operator_now()).total_seconds())
        return {key: Known({"utc": instant(seen), "offset_s": offset})}

    return Read(server, Cmdlet("Get-Date", {}, "read", "local"), (key,), parse)


def get_groups(server: str) -> Read:
    """`whoami /groups /fo csv /nh`: the groups in this session's token, the only ones that count (rule R41)."""
    key = GROUPS.on(server)

    def parse(reply: Reply) -> Mapping[str, Fact]:
        lines = "\n".join(text(item) for item in reply.output)
        names = [row[0].rsplit("\\", 1)[-1] for row in csv.reader(io.StringIO(lines)) if row]
        return {key: Known(sorted(set(names), key=str.casefold))}

    return Read(server, Program(WHOAMI, ("/groups", "/fo", "csv", "/nh"), effect="read"), (key,), parse)


def get_services(server: str) -> Read:
    """`Get-Service -Name W3SVC,WAS`: whether IIS runs."""
    question, key = Question("Get-Service", Service, "local"), IIS_SERVICES.on(server)
    return question.all(server, key, {"Name": ("W3SVC", "WAS")}, lambda rows: {row.name: row.status for row in rows})


def get_workers(server: str) -> Read:
    """`Get-CimInstance Win32_Process` for w3wp.exe: application pool and start time of the workers that hold the trust.

    Only EWS and Autodiscover pools, front and back end (rule R24). A pool without a process has nothing stale loaded.
    """
    question = Question("Get-CimInstance", Process, "local", RIGHTS)
    return question.all(
        server, WORKERS.on(server), {"ClassName": "Win32_Process", "Filter": "Name='w3wp.exe'"}, _trust_workers
    )


def _trust_workers(processes: Sequence[Process]) -> list[dict[str, str]]:
    found = []
    for process in processes:
        match = WORKER_POOL.search(process.command_line)
        if match and TRUST_POOLS.match(match["pool"]):
            found.append({"pool": match["pool"], "started": process.creation_date})
    return sorted(found, key=lambda worker: worker["pool"])


def iisreset(*arguments: str) -> Program:
    """`iisreset.exe <arguments>`, locally on the server; its exit code has no source, so only the read-back counts.

    Restart: `/noforce /timeout:300`; recovery: `/start`. Rights: local Administrators. Effect: write; every HTTP client
    of the server notices while IIS cycles. Inverse: none needed. Source: fact F9, rule R25.
    """
    return Program(IISRESET, arguments, effect="write")


def get_page_status(server: str, url: str, key: Key[int]) -> Read:
    """`Invoke-WebRequest -UseBasicParsing -Uri <url>` on the server: the HTTP status it gets, whichever (rule R26)."""

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known(parsed(Answer, reply)[0].status_code)}

    def status_in(message: str) -> Mapping[str, Fact] | None:
        found = HTTP_STATUS.search(message)
        return {key: Known(int(found["status"]))} if found else None

    return Read(server, _request(url, Answer), (key,), parse, error_answer=status_in)


def get_metadata(server: str, url: str, key: Key[Document]) -> Read:
    """The authentication metadata document of `url` as `server` gets it (rule R35): identity and keys, or why it is none.

    A document that arrives but cannot be trusted is Known with `problem` set: it was answered, and wrongly.
    """

    def parse(reply: Reply) -> Mapping[str, Fact]:
        return {key: Known(document_of(parsed(Content, reply)[0].content, url).model_dump())}

    return Read(server, _request(url, Content), (key,), parse)


def document_of(body: bytes, url: str) -> Document:
    """What the product keeps of a metadata document."""
    sha256 = hashlib.sha256(body).hexdigest()
    try:
        document = parse_metadata(body, source=url)
    except MetadataError as error:
        return Document(url=url, problem=str(error), thumbprints=[], sha256=sha256, document="")
    return Document(
        url=url,
        problem="",
        thumbprints=[key.certificate.thumbprint for key in document.keys],
        application_id=document.service_name.lower(),
        realm=document.realm or "",
        sha256=sha256,
        document=body.decode("utf-8-sig"),
    )


def get_machine_certificates(server: str) -> Read:
    r"""`Get-ChildItem Cert:\LocalMachine\My`: the certificates in the server's own store, with or without a private key."""
    question = Question("Get-ChildItem", StoredCertificate, "local", RIGHTS)
    return question.all(server, MACHINE_CERTIFICATES.on(server), {"Path": "Cert:\\LocalMachine\\My"})


def get_private_keys(server: str) -> Read:
    """`certutil.exe -silent -store My`: thumbprint -> provider, exportable and present of each private key (rule R33).

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
    key = PRIVATE_KEYS.on(server)

    def parse(reply: Reply) -> Mapping[str, Fact]:
        if reply.exit_code != 0:
            raise ValueError(f"certutil ended with {reply.exit_code}")
        return {key: Known(_private_keys([text(line) for line in reply.output]))}

    command = Program(CERTUTIL, ("-silent", "-store", "My"), effect="read")
    return Read(server, command, (key,), parse, rights=RIGHTS)


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
    stored = facts.value(MACHINE_CERTIFICATES.on(server))
    if stored is None:
        return PrivateKey()
    held = next((row for row in stored if row.thumbprint == thumbprint.upper()), None)
    if held is None or not held.has_private_key:
        return PrivateKey(present=False)
    said = facts.value(PRIVATE_KEYS.on(server), {}).get(thumbprint.upper(), {})
    return PrivateKey(
        present=said.get("present") is not False,
        provider=said.get("provider") or None,
        exportable=said.get("exportable"),
    )


def make_folder(path: str) -> Cmdlet:
    """`New-Item -ItemType Directory -Path <path> -Force`: a folder, its parents with it; one that is there stays.

    Rights: local Administrators. Effect: write. Inverse: none, it stays. Source: rule R47.
    """
    parameters: dict[str, Value] = {"ItemType": "Directory", "Path": path, "Force": True}
    return Cmdlet("New-Item", parameters, effect="write", runspace="local", properties=("FullName",))


def restrict_file(path: str | Later) -> Program:
    """`icacls.exe <path> /inheritance:r /grant:r *S-1-5-32-544:F *S-1-5-18:F`: only Administrators and SYSTEM open it.

    Its texts are localised and its exit codes have no source: only the read-back (`get_file_access`) counts. Rights: local
    Administrators. Effect: write. Inverse: none, the file stays restricted. Source: rule R47.
    """
    grants = (f"*{ADMINISTRATORS}:F", f"*{SYSTEM}:F")
    return Program(ICACLS, (path, "/inheritance:r", "/grant:r", *grants), effect="write")


def get_file_hash(server: str, path: str, key: Key[StoredFile]) -> Read:
    """`Get-FileHash -LiteralPath <path> -Algorithm SHA256`: path and SHA-256; absent when there is no file."""
    question = Question("Get-FileHash", StoredFile, "local", RIGHTS, _NO_PATH)
    return question.some(server, key, {"LiteralPath": path, "Algorithm": "SHA256"})


def get_file_access(server: str, path: str, key: Key[FileAccess]) -> Read:
    """`Get-Acl -LiteralPath <path>`: the SDDL, and whether it lets in Administrators and SYSTEM only.

    The descriptor names them by abbreviation in every language. Absent when there is no file.
    """
    return Question("Get-Acl", FileAccess, "local", RIGHTS, _NO_PATH).some(
        server, key, {"LiteralPath": path}, path=path
    )


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


def _request(url: str, wanted: type[Row]) -> Cmdlet:
    parameters: dict[str, Value] = {"Uri": url, "UseBasicParsing": True, "TimeoutSec": 30, "MaximumRedirection": 0}
    return Cmdlet("Invoke-WebRequest", parameters, "read", "local", wanted.properties())
