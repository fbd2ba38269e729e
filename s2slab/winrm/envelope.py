"""Requests: from the bytes of a SOAP envelope to values. Pure; replies are in `replies.py`."""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

from s2slab.winrm import faults
from s2slab.winrm import namespaces as ns

_DURATION = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d*)?)S)?)?", re.ASCII)
_DEFAULT_ENVELOPE = 153600


class MalformedEnvelope(ValueError):
    """Not an envelope at all: no XML, a document type, no SOAP header with an action."""


@dataclass(frozen=True)
class Request:
    """One WS-Management request. Header values are verbatim; `body` is the first element inside `s:Body`."""

    action: str
    message_id: str
    resource_uri: str
    operation_timeout: str  # an xs:duration, or "" when the client set none
    max_envelope_bytes: int
    selectors: Mapping[str, str]
    options: Mapping[str, str]  # by upper-case name
    body: ET.Element | None

    @property
    def operation(self) -> str:
        """The last part of the action: Create, Command, Send, Receive, Signal, Delete, Get, Identify."""
        return self.action.rstrip("/").rsplit("/", 1)[-1]

    @property
    def shell_id(self) -> str:
        """The shell that the selectors name, without a `uuid:` prefix; "" when they name none."""
        return self.selectors.get("ShellId", "").removeprefix("uuid:").upper()

    def flag(self, option: str) -> bool:
        """Whether an option is set and true in any of the spellings clients use."""
        return self.options.get(option, "").strip().upper() in ("TRUE", "1")

    def timeout_s(self, longest: float) -> float:
        """OperationTimeout in seconds, at most `longest`; WsManFault when it is no positive duration."""
        if not self.operation_timeout:
            return longest
        seconds = duration_s(self.operation_timeout)
        if seconds is None or seconds <= 0:
            raise faults.invalid_timeout(self.operation_timeout)
        return min(seconds, longest)


@dataclass(frozen=True)
class ShellBody:
    """What a Create asks for."""

    shell_id: str  # chosen by the client, or ""
    input_streams: tuple[str, ...]
    output_streams: tuple[str, ...]
    working_directory: str | None
    idle_timeout: str  # xs:duration or ""
    environment: Mapping[str, str]


@dataclass(frozen=True)
class CommandBody:
    """What a Command asks for. Several `rsp:Arguments` are joined by a space, as cmd.exe sees them."""

    command_id: str  # chosen by the client, or ""
    command: str
    arguments: str


@dataclass(frozen=True)
class SendBody:
    """One piece of input for a command."""

    stream: str
    command_id: str
    data: bytes
    end: bool


@dataclass(frozen=True)
class ReceiveBody:
    """Whose output a Receive wants. `command_id` is "" when it names no command."""

    command_id: str
    streams: tuple[str, ...]


@dataclass(frozen=True)
class SignalBody:
    """A signal, by the tail of its code: terminate, ctrl_c, ctrl_break (lower case)."""

    command_id: str
    code: str


class _NoDoctype(ET.TreeBuilder):
    """Refuses a document type before an entity in it can be expanded."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise MalformedEnvelope("a document type is not allowed")


def parse(data: bytes) -> Request:
    """Read an envelope (UTF-8, or UTF-16 with a byte order mark); MalformedEnvelope when it is none."""
    try:
        root = ET.fromstring(data, parser=ET.XMLParser(target=_NoDoctype()))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise MalformedEnvelope(str(error)) from None
    header, body = root.find(_tag(ns.SOAP, "Header")), root.find(_tag(ns.SOAP, "Body"))
    if root.tag != _tag(ns.SOAP, "Envelope") or body is None:
        raise MalformedEnvelope("not a SOAP 1.2 envelope")
    content = next(iter(body), None)
    if header is None or header.find(_tag(ns.ADDRESSING, "Action")) is None:
        if content is not None and content.tag == _tag(ns.IDENTITY, "Identify"):
            return Request("Identify", "", "", "", _DEFAULT_ENVELOPE, {}, {}, content)
        raise MalformedEnvelope("no action")
    size = _text(header, ns.WSMAN, "MaxEnvelopeSize")
    return Request(
        action=_text(header, ns.ADDRESSING, "Action"),
        message_id=_text(header, ns.ADDRESSING, "MessageID"),
        resource_uri=_text(header, ns.WSMAN, "ResourceURI"),
        operation_timeout=_text(header, ns.WSMAN, "OperationTimeout"),
        max_envelope_bytes=int(size) if size.isdecimal() else _DEFAULT_ENVELOPE,
        selectors=_named(header, "SelectorSet", "Selector"),
        options={name.upper(): value for name, value in _named(header, "OptionSet", "Option").items()},
        body=content,
    )


def shell_body(request: Request) -> ShellBody:
    """The body of a Create; WsManFault when it is not one."""
    shell = _body(request, "Shell")
    variables = shell.iterfind(f"{_tag(ns.SHELL, 'Environment')}/{_tag(ns.SHELL, 'Variable')}")
    return ShellBody(
        shell_id=shell.get("ShellId", "").upper(),
        input_streams=tuple(_text(shell, ns.SHELL, "InputStreams").split()),
        output_streams=tuple(_text(shell, ns.SHELL, "OutputStreams").split()),
        working_directory=_text(shell, ns.SHELL, "WorkingDirectory") or None,
        idle_timeout=_text(shell, ns.SHELL, "IdleTimeOut"),
        environment={variable.get("Name", ""): variable.text or "" for variable in variables},
    )


def command_body(request: Request) -> CommandBody:
    """The body of a Command; WsManFault when it is not one or names no command."""
    line = _body(request, "CommandLine")
    command = line.findtext(_tag(ns.SHELL, "Command")) or ""
    if not command.strip():
        raise faults.schema_invalid()
    arguments = " ".join(part.text or "" for part in line.iterfind(_tag(ns.SHELL, "Arguments")))
    return CommandBody(line.get("CommandId", "").upper(), command, arguments)


def send_body(request: Request) -> tuple[SendBody, ...]:
    """The pieces of input in a Send; WsManFault when it has none or one is not base64."""
    pieces = []
    for stream in _body(request, "Send").iterfind(_tag(ns.SHELL, "Stream")):
        try:
            data = base64.b64decode("".join((stream.text or "").split()), validate=True)
        except (binascii.Error, ValueError):
            raise faults.schema_invalid() from None
        end = stream.get("End", "").strip().lower() in ("true", "1")
        pieces.append(SendBody(stream.get("Name", ""), stream.get("CommandId", "").upper(), data, end))
    if not pieces:
        raise faults.schema_invalid()
    return tuple(pieces)


def receive_body(request: Request) -> ReceiveBody:
    """The body of a Receive; WsManFault when it is not one."""
    desired = _body(request, "Receive").find(_tag(ns.SHELL, "DesiredStream"))
    if desired is None:
        raise faults.schema_invalid()
    return ReceiveBody(desired.get("CommandId", "").upper(), tuple((desired.text or "").split()))


def signal_body(request: Request) -> SignalBody:
    """The body of a Signal; WsManFault when it is not one."""
    signal = _body(request, "Signal")
    code = _text(signal, ns.SHELL, "Code")
    prefix, _, tail = code.rpartition("/")
    return SignalBody(signal.get("CommandId", "").upper(), tail.lower() if prefix == ns.SIGNAL else code)


def duration_s(text: str) -> float | None:
    """Seconds of an xs:duration in days, hours, minutes and seconds; None when `text` is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()[1:]):
        return None
    sign, days, hours, minutes, seconds = match.groups()
    total = int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)
    return -total if sign else total


def _tag(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def _text(parent: ET.Element, namespace: str, name: str) -> str:
    return (parent.findtext(_tag(namespace, name)) or "").strip()


def _named(header: ET.Element, group: str, item: str) -> dict[str, str]:
    found = header.iterfind(f"{_tag(ns.WSMAN, group)}/{_tag(ns.WSMAN, item)}")
    return {element.get("Name", ""): (element.text or "").strip() for element in found}


def _body(request: Request, name: str) -> ET.Element:
    if request.body is None or request.body.tag != _tag(ns.SHELL, name):
        raise faults.schema_invalid()
    return request.body
