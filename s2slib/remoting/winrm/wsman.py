"""WS-Management as values: the bodies of five operations, and what their answers say. No I/O.

pywinrm builds the headers; its loose reading of answers is not used: RelatesTo is checked, documents are bounded, and a
document type declaration (the way to entity bombs) is refused before anything parses it.
"""

from __future__ import annotations

import base64
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

ADDRESSING = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
SHELL = "{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}"
_SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_TRANSFER_URI = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
RESOURCE = f"{_SHELL_URI}/cmd"

CREATE = f"{_TRANSFER_URI}/Create"
DELETE = f"{_TRANSFER_URI}/Delete"
COMMAND = f"{_SHELL_URI}/Command"
SEND = f"{_SHELL_URI}/Send"
RECEIVE = f"{_SHELL_URI}/Receive"
SIGNAL = f"{_SHELL_URI}/Signal"
_TERMINATE = f"{_SHELL_URI}/signal/terminate"
_UTF8 = 65001


class BadEnvelope(ValueError):
    """An answer that is not the WS-Management answer to the question asked."""


@dataclass(frozen=True)
class Received:
    """What one Receive brought: output in production order; the exit code once the process has ended."""

    stdout: bytes
    stderr: bytes
    done: bool
    exit_code: int | None


def create_body(idle_timeout_s: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and options of Create: UTF-8, no profile, gone by itself when nobody asks for `idle_timeout_s`."""
    shell = {
        "rsp:InputStreams": "stdin",
        "rsp:OutputStreams": "stdout stderr",
        "rsp:IdleTimeOut": f"PT{idle_timeout_s}S",
    }
    return {"rsp:Shell": shell}, {"WINRS_NOPROFILE": "TRUE", "WINRS_CODEPAGE": str(_UTF8)}


def command_body(program: str, arguments: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and options of Command: started directly, without cmd.exe; standard input as raw bytes."""
    line = {"rsp:Command": program, "rsp:Arguments": arguments}
    return {"rsp:CommandLine": line}, {"WINRS_CONSOLEMODE_STDIN": "FALSE", "WINRS_SKIP_CMD_SHELL": "TRUE"}


def send_body(command_id: str, data: bytes) -> dict[str, Any]:
    """Body of Send: bytes for standard input, which stays open."""
    text = base64.b64encode(data).decode("ascii")
    return {"rsp:Send": {"rsp:Stream": {"@Name": "stdin", "@CommandId": command_id, "@End": "false", "#text": text}}}


def receive_body(command_id: str) -> dict[str, Any]:
    """Body of Receive."""
    return {"rsp:Receive": {"rsp:DesiredStream": {"@CommandId": command_id, "#text": "stdout stderr"}}}


def signal_body(command_id: str) -> dict[str, Any]:
    """Body of Signal: end the process."""
    return {"rsp:Signal": {"@CommandId": command_id, "rsp:Code": _TERMINATE}}


def check_document(data: bytes) -> None:
    """BadEnvelope when bytes are not UTF-8 XML without a document type declaration."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadEnvelope("the answer is not UTF-8") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text or "\0" in text:
        raise BadEnvelope("the answer declares a document type")


def parse(data: bytes, message_id: uuid.UUID) -> ET.Element:
    """The envelope that answers `message_id`; BadEnvelope when it is damaged, foreign or answers something else."""
    check_document(data)
    try:
        root = ET.fromstring(data)
    except ET.ParseError:
        raise BadEnvelope("the answer is not well-formed XML") from None
    relates = root.find(f".//{ADDRESSING}RelatesTo")
    try:
        answered = uuid.UUID((relates.text or "").strip().removeprefix("uuid:")) if relates is not None else None
    except ValueError:
        answered = None
    if answered != message_id:
        raise BadEnvelope("the answer belongs to another message")
    return root


def shell_id(root: ET.Element) -> str:
    """The id of a shell just made, from the selector of its reference."""
    for node in root.iter():
        if node.get("Name") == "ShellId" and node.text:
            return node.text.strip()
    raise BadEnvelope("the answer names no shell")


def command_id(root: ET.Element) -> str:
    """The id of a process just started."""
    node = root.find(f".//{SHELL}CommandId")
    if node is None or not node.text:
        raise BadEnvelope("the answer names no command")
    return node.text.strip()


def received(root: ET.Element, command: str) -> Received:
    """What a Receive's answer holds for `command`; output of another command is refused."""
    parts: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    for node in root.iter(f"{SHELL}Stream"):
        name = node.get("Name", "")
        if node.get("CommandId", command).upper() != command.upper() or name not in parts:
            raise BadEnvelope("the answer holds output of something else")
        try:
            parts[name] += base64.b64decode("".join((node.text or "").split()), validate=True)
        except ValueError:
            raise BadEnvelope("the output is damaged") from None
    state = root.find(f".//{SHELL}CommandState")
    done = state is not None and state.get("State", "").endswith("CommandState/Done")
    code = root.find(f".//{SHELL}ExitCode") if done else None
    try:
        exit_code = int(code.text) if code is not None and code.text else None
    except ValueError:
        raise BadEnvelope("the exit code is damaged") from None
    return Received(bytes(parts["stdout"]), bytes(parts["stderr"]), done, exit_code)
