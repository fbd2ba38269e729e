"""Invoke-WebRequest as Windows PowerShell 5.1 runs it on a server: over the lab's network, with that server's trust."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn
from urllib.parse import urlsplit

from s2slab.cmdlets.shared.base import cause_of, flag, place, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, Table, ps_object
from s2slab.network.network import HttpAnswer, WebFailure

METHODS = ("Default", "Get", "Head", "Post", "Put", "Delete")
DICTIONARY = "System.Collections.Generic.Dictionary`2[[System.String],[System.String]]"
LONGEST_S = 100.0  # .NET's own limit where -TimeoutSec says nothing
_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)


def specs() -> list[CmdletSpec]:
    """Invoke-WebRequest."""
    return [
        CmdletSpec(
            "Invoke-WebRequest",
            _invoke,
            (
                Parameter("Uri", "uri", mandatory=True, position=0, not_empty=True),
                Parameter("UseBasicParsing", "switch"),
                Parameter("Method", "string", values=METHODS),
                Parameter("Headers", "hashtable"),
                Parameter("Body", "object", from_pipeline=True),
                Parameter("ContentType", "string"),
                Parameter("TimeoutSec", "int"),
                Parameter("MaximumRedirection", "int"),
                Parameter("UseDefaultCredentials", "switch"),
                Parameter("DisableKeepAlive", "switch"),
            ),
            aliases=("iwr", "curl", "wget"),
            type_name="Microsoft.PowerShell.Commands.InvokeWebRequestCommand",
        )
    ]


def _invoke(call: Call) -> Iterator[PsObject]:
    if not flag(call, "UseBasicParsing"):
        # a service account never ran Internet Explorer's first launch
        call.throw(
            "The response content cannot be parsed because the Internet Explorer engine is not available, or Internet "
            "Explorer's first-launch configuration is not complete. Specify the UseBasicParsing parameter and try again. ",
            id="WebCmdletIEDomNotSupportedException",
            category="NotImplemented",
            exception="System.NotSupportedException",
        )
    answer = _request(call)
    if answer.status in (301, 302, 303, 307, 308):
        call.write_error(
            "The maximum redirection count has been exceeded. To increase the number of redirections allowed, supply a "
            "higher value to the -MaximumRedirection parameter.",
            id="MaximumRedirectExceeded",
            category="InvalidOperation",
        )
    yield _shown(answer)


def _request(call: Call) -> HttpAnswer:
    at = place(call)
    limit = call.parameters.get("TimeoutSec") or 0
    most = call.parameters.get("MaximumRedirection")
    method = text(call.parameters.get("Method")) or "Get"
    if at.network is None:
        _fail(call, "Unable to connect to the remote server")
    try:
        with at.estate.log.causing(cause_of(call)):
            return at.network.request(
                at.server,
                "GET" if method == "Default" else method.upper(),
                text(call.parameters["Uri"]),
                headers=_headers(call),
                body=_body(call),
                timeout_s=float(limit) if limit > 0 else LONGEST_S,
                follow_redirects=most is None or most > 0,
            )
    except WebFailure as failure:
        _fail(call, failure.message)


def _headers(call: Call) -> dict[str, str]:
    given = call.parameters.get("Headers")
    found = {text(key): text(value) for key, value in given.items()} if isinstance(given, Table | Mapping) else {}
    if "ContentType" in call.parameters:
        found["Content-Type"] = text(call.parameters["ContentType"])
    found.setdefault("User-Agent", "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.14393.4530")
    return found


def _body(call: Call) -> bytes | None:
    body = call.parameters.get("Body")
    if body is None:
        return None
    return body if isinstance(body, bytes) else text(body).encode("latin-1", "replace")


def _shown(answer: HttpAnswer) -> PsObject:
    kind = answer.header("content-type")
    phrase = http.client.responses.get(answer.status, "")
    is_text = not kind or re.search(r"text/|json|xml|javascript", kind, re.IGNORECASE) is not None
    charset = _CHARSET.search(kind)
    content: object = answer.body
    if is_text:
        content = answer.body.decode(charset[1] if charset else "latin-1", "replace")
    headers = Table(
        [("-".join(part.capitalize() for part in key.split("-")), value) for key, value in answer.headers.items()],
        DICTIONARY,
    )
    return ps_object(
        (
            "Microsoft.PowerShell.Commands.BasicHtmlWebResponseObject",
            "Microsoft.PowerShell.Commands.WebResponseObject",
            "System.Object",
        ),
        StatusCode=answer.status,
        StatusDescription=phrase,
        Content=content,
        Headers=headers,
        RawContentLength=len(answer.body),
    )


def _target(call: Call) -> str:
    return f"{urlsplit(text(call.parameters['Uri'])).geturl()}"


def _fail(call: Call, message: str) -> NoReturn:
    call.throw(
        message, id="WebCmdletWebResponseException", category="InvalidOperation", exception="System.Net.WebException"
    )
