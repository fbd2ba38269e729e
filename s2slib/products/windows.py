"""Windows and IIS on one server: clock, token, services, worker processes, restart, a document as that server sees it.

Everything runs in the server's local runspace. Source: operations O10-O13, O21, O29; domain.md 1(c) of the reference.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from s2slib.facts import Fact, Known
from s2slib.products.lync import on
from s2slib.products.read import Read, field, flag, instant, raw_bytes, rows, text
from s2slib.remoting.command import Cmdlet, Program, Value
from s2slib.remoting.reply import Reply
from s2slib.trust.metadata import MetadataError
from s2slib.trust.metadata import parse as parse_metadata

IISRESET = r"C:\Windows\System32\iisreset.exe"
WHOAMI = r"C:\Windows\System32\whoami.exe"
WORKER_POOL = re.compile(r'-ap "(?P<pool>[^"]+)"')
HTTP_STATUS = re.compile(r"\((?P<status>[1-5]\d\d)\)")  # "... returned an error: (401) Unauthorized."
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


def wait(seconds: int) -> Cmdlet:
    """`Start-Sleep -Seconds <n>` on the server: a wait that the server's own clock measures."""
    return Cmdlet("Start-Sleep", {"Seconds": seconds}, effect="read", runspace="local")


def _request(url: str, properties: tuple[str, ...]) -> Cmdlet:
    parameters: dict[str, Value] = {"Uri": url, "UseBasicParsing": True, "TimeoutSec": 30, "MaximumRedirection": 0}
    return Cmdlet("Invoke-WebRequest", parameters, "read", "local", properties)
