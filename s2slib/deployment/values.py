"""Checked text types of the params schema: host names, URLs, paths, addresses. Each says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, NoReturn, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from s2slib.records.display import is_hidden

PROBLEM = "params_value"
"""The pydantic error type of every refusal raised here; its context has `problem`, `allowed` and `hint`."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DOMAIN_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_WINDOWS_PATH = re.compile(r'[A-Za-z]:\\(?:[^<>:"/\\|?*\x00-\x1f]+\\?)*')
_DEVICE_NAMES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10)}
)


class Section(BaseModel):
    """A part of the params file: frozen, without coercion, without keys of its own invention."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


def refuse(problem: str, allowed: str, hint: str = "") -> NoReturn:
    """Refuses a value: what is wrong with it, what is allowed instead, and a way there."""
    raise PydanticCustomError(PROBLEM, "{problem}", {"problem": problem, "allowed": allowed, "hint": hint})


def _list_as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Item = TypeVar("Item")
Rows = Annotated[tuple[Item, ...], BeforeValidator(_list_as_tuple)]
"""A YAML list, kept as a tuple."""


def _plain(value: str) -> str:
    if any(is_hidden(character) for character in value) or value != value.strip():
        refuse(
            "has control or invisible characters, or blanks at an end",
            "plain text on one line",
            'in "double quotes" YAML reads \\n and \\t as control characters; put Windows paths in single quotes',
        )
    return value


def _fqdn(value: str) -> str:
    name = value.lower().removesuffix(".")
    labels = name.split(".")
    if len(labels) == 1 and _LABEL.fullmatch(name):
        refuse(
            "is a short name", "a fully qualified host name", f"for example {name}.litwareinc.com; Kerberos needs it"
        )
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        refuse(
            "is not a host name",
            "a fully qualified host name such as atl-cs-001.litwareinc.com",
            "no scheme, port or path; no IP address: Kerberos and certificates need names",
        )
    return name


def _domain(value: str) -> str:
    name = value.lower().removesuffix(".")
    labels = name.split(".")
    if name.startswith("*"):
        refuse("is a wildcard", "one domain such as litwareinc.com", "a wildcard never matches a realm")
    if len(name) > 253 or len(labels) < 2 or not all(_DOMAIN_LABEL.fullmatch(label) for label in labels):
        refuse("is not a domain name", "a DNS domain such as litwareinc.com", "no scheme, no @")
    return name


def _realm(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", value):
        refuse("is not a realm", "a domain such as litwareinc.com, a GUID, or null for the product's default")
    return value.lower()


def _split(value: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    allowed = f"a URL such as {example}"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        refuse("is not a URL", allowed)
    if "@" in parts.netloc:
        refuse(
            "carries a user name or password", allowed, "credentials belong in the section `credentials`, by reference"
        )
    if parts.scheme.lower() not in schemes:
        refuse(f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}", allowed)
    if not host:
        refuse("names no host", allowed)
    if parts.query or parts.fragment or "?" in value or "#" in value:
        refuse("has a query or fragment", allowed)
    if any(character.isspace() or character in "\"'<>\\^`{|}" for character in value):
        refuse("has characters that do not belong in a URL", allowed)
    return parts


def _url(schemes: tuple[str, ...], example: str, suffix: str = "", hint: str = "") -> Callable[[str], str]:
    """A check of URLs to a named host; `suffix` is compared without case, as the products do."""

    def check(value: str) -> str:
        parts = _split(value, schemes, example)
        try:
            host = _fqdn(parts.hostname or "")
        except PydanticCustomError:
            refuse("names no fully qualified host", f"a URL such as {example}", "certificates need names")
        if suffix and not parts.path.lower().endswith(suffix):
            refuse(f"does not end in {suffix}", f"a URL such as {example}", hint)
        port = f":{parts.port}" if parts.port is not None else ""
        return f"{parts.scheme.lower()}://{host}{port}{parts.path}"

    return check


def _proxy(value: str) -> str:
    example = "http://proxy.litwareinc.com:8080"
    if value == "lab:":
        return value
    parts = _split(value, ("http",), f"{example}, or lab:")
    if parts.port is None or parts.path not in ("", "/"):
        refuse("has no port, or has a path", f"a URL such as {example}, or lab:")
    return f"http://{parts.netloc.lower()}"


def _windows_path(value: str) -> str:
    if not _WINDOWS_PATH.fullmatch(value):
        refuse(
            "is not a local Windows folder",
            r"an absolute path such as C:\Program Files\Microsoft\Exchange Server\V15\Scripts",
            "no share: a share would need a second hop; no wildcards; put it in single quotes",
        )
    return value if len(value) == 3 else value.rstrip("\\")


def _sip_uri(value: str) -> str:
    example = "sip:kenmyer@litwareinc.com"
    if not value.lower().startswith("sip:"):
        hint = f"did you mean sip:{value}?" if "@" in value and ":" not in value else ""
        refuse("does not begin with sip:", f"a SIP address such as {example}", hint)
    local, at, domain = value[4:].rpartition("@")
    try:
        domain = _domain(domain)
    except PydanticCustomError:
        at = ""
    if not at or not _LOCAL_PART.fullmatch(local):
        refuse("is not a SIP address", f"a SIP address such as {example}")
    return f"sip:{local}@{domain}"


def _name(value: str) -> str:
    allowed = "1 to 40 lower-case letters, digits and hyphens, for example litware"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", value):
        refuse("is not a name for a deployment", allowed, "it becomes part of file and folder names")
    if value in _DEVICE_NAMES:
        refuse("is a device name on Windows", allowed)
    return value


def _identity(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        refuse(
            "is not an identity", "letters, digits, dots and hyphens, for example Exchange", "no wildcards, no scope"
        )
    return value


def _thumbprint(value: str) -> str:
    if value == "reuse_default":
        return value
    compact = value.replace(" ", "").upper()
    if not re.fullmatch(r"[0-9A-F]{40}", compact):
        refuse("is not a thumbprint", "40 hexadecimal digits in quotes, reuse_default, or null")
    return compact


def _reason(value: str) -> str:
    if not 3 <= len(value) <= 200:
        refuse("is no reason", "3 to 200 characters that a reader of the record understands")
    return value


Text = Annotated[str, AfterValidator(_plain)]
Fqdn = Annotated[str, AfterValidator(_plain), AfterValidator(_fqdn)]
Domain = Annotated[str, AfterValidator(_plain), AfterValidator(_domain)]
Realm = Annotated[str, AfterValidator(_plain), AfterValidator(_realm)]
DeploymentName = Annotated[str, AfterValidator(_name)]
Identity = Annotated[str, AfterValidator(_identity)]
Thumbprint = Annotated[str, AfterValidator(_thumbprint)]
WindowsFolder = Annotated[str, AfterValidator(_plain), AfterValidator(_windows_path)]
SipUri = Annotated[str, AfterValidator(_plain), AfterValidator(_sip_uri)]
Reason = Annotated[str, AfterValidator(_plain), AfterValidator(_reason)]
ProxyUrl = Annotated[str, AfterValidator(_plain), AfterValidator(_proxy)]
LyncMetadataUrl = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(_url(("https",), "https://atl-cs-001.litwareinc.com/metadata/json/1", "/metadata/json/1")),
]
ExchangeMetadataUrl = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(
        _url(
            ("https",),
            "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1",
            "/autodiscover/metadata/json/1",
            "Exchange serves its document below /autodiscover/",
        )
    ),
]
AutodiscoverSvcUrl = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(
        _url(
            ("https",),
            "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc",
            "/autodiscover/autodiscover.svc",
            "Lync needs the .svc address; autodiscover.xml is for the SCP",
        )
    ),
]
AutodiscoverXmlUrl = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(
        _url(
            ("https",),
            "https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml",
            "/autodiscover/autodiscover.xml",
            "the SCP needs the .xml address; autodiscover.svc is for Lync",
        )
    ),
]
OcsPowerShellUri = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(_url(("https",), "https://atl-cs-001.litwareinc.com/OcsPowershell")),
]
ExchangePowerShellUri = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(_url(("http", "https"), "http://atl-exchange-001.litwareinc.com/PowerShell/")),
]
WinRmUrl = Annotated[
    str,
    AfterValidator(_plain),
    AfterValidator(_url(("http", "https"), "https://atl-cs-001.litwareinc.com:5986/wsman", "/wsman")),
]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
"""A whole number of seconds, at most a day."""
