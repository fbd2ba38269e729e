"""Replies: from values to the bytes of a SOAP envelope, in the form real hosts send. Pure but for fresh message ids."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from s2slab.winrm import namespaces as ns
from s2slab.winrm.faults import WsManFault

_PREFIXES = f'xmlns:s="{ns.SOAP}" xmlns:a="{ns.ADDRESSING}" xmlns:x="{ns.TRANSFER}"'
_REPLY = f'{_PREFIXES} xmlns:w="{ns.WSMAN}" xmlns:rsp="{ns.SHELL}" xmlns:p="{ns.WSMAN_MS}"'
_FAULT = f'{_PREFIXES} xmlns:e="{ns.EVENTING}" xmlns:n="{ns.ENUMERATION}" xmlns:w="{ns.WSMAN}" xmlns:p="{ns.WSMAN_MS}"'


@dataclass(frozen=True)
class ShellView:
    """What a client is told about a shell. Times in seconds."""

    shell_id: str
    resource_uri: str
    owner: str
    client_ip: str
    process_id: int
    idle_timeout_s: float
    input_streams: tuple[str, ...]
    output_streams: tuple[str, ...]
    run_time_s: float = 0.0
    inactivity_s: float = 0.0


def reply(action: str, relates_to: str, body: str) -> bytes:
    """The envelope that answers `action`; `body` is the XML inside `s:Body`."""
    return _envelope(_REPLY, f"{action}Response", relates_to, body)


def fault(fault: WsManFault, relates_to: str, machine: str) -> bytes:
    """The envelope of a fault."""
    return _envelope(_FAULT, ns.FAULT_ACTION, relates_to, fault.body(machine))


def created(shell: ShellView, address: str) -> str:
    """The body that answers Create: where the shell is, and the shell."""
    return (
        f"<x:ResourceCreated><a:Address>{escape(address)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{escape(shell.resource_uri)}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell.shell_id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated>{shell_state(shell)}"
    )


def shell_state(shell: ShellView) -> str:
    """The `rsp:Shell` element."""
    return (
        f"<rsp:Shell><rsp:ShellId>{shell.shell_id}</rsp:ShellId>"
        f"<rsp:ResourceUri>{escape(shell.resource_uri)}</rsp:ResourceUri><rsp:Owner>{escape(shell.owner)}</rsp:Owner>"
        f"<rsp:ClientIP>{escape(shell.client_ip)}</rsp:ClientIP><rsp:ProcessId>{shell.process_id}</rsp:ProcessId>"
        f"<rsp:IdleTimeOut>PT{shell.idle_timeout_s:.3f}S</rsp:IdleTimeOut>"
        f"<rsp:InputStreams>{escape(' '.join(shell.input_streams))}</rsp:InputStreams>"
        f"<rsp:OutputStreams>{escape(' '.join(shell.output_streams))}</rsp:OutputStreams>"
        f"<rsp:ShellRunTime>{_elapsed(shell.run_time_s)}</rsp:ShellRunTime>"
        f"<rsp:ShellInactivity>{_elapsed(shell.inactivity_s)}</rsp:ShellInactivity></rsp:Shell>"
    )


def command_started(command_id: str) -> str:
    """The body that answers Command."""
    return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"


def sent() -> str:
    """The body that answers Send."""
    return "<rsp:SendResponse/>"


def signalled() -> str:
    """The body that answers Signal."""
    return "<rsp:SignalResponse/>"


def received(
    command_id: str, chunks: Sequence[tuple[str, bytes]], streams: Sequence[str], exit_code: int | None
) -> str:
    """The body that answers Receive: the chunks in production order and the command's state.

    With an exit code (the command is over and drained), every stream gets its end marker.
    """
    parts = ["<rsp:ReceiveResponse>"]
    for name, data in chunks:
        encoded = base64.b64encode(data).decode("ascii")
        parts.append(f'<rsp:Stream Name="{name}" CommandId="{command_id}">{encoded}</rsp:Stream>')
    if exit_code is None:
        state = f'<rsp:CommandState CommandId="{command_id}" State="{ns.COMMAND_STATE}/Running"></rsp:CommandState>'
    else:
        parts += [f'<rsp:Stream Name="{n}" CommandId="{command_id}" End="true"></rsp:Stream>' for n in streams]
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{ns.COMMAND_STATE}/Done">'
            f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    return "".join([*parts, state, "</rsp:ReceiveResponse>"])


def configuration(max_envelope_kb: int, max_timeout_s: float) -> str:
    """The body that answers a Get of the service's configuration: the two values that clients read."""
    return (
        f'<cfg:Config xmlns:cfg="{ns.CONFIG}" xml:lang="en-US"><cfg:MaxEnvelopeSizekb>{max_envelope_kb}'
        f"</cfg:MaxEnvelopeSizekb><cfg:MaxTimeoutms>{max_timeout_s * 1000:.0f}</cfg:MaxTimeoutms></cfg:Config>"
    )


def identity(os_version: str | None) -> bytes:
    """The envelope that answers Identify; `os_version` None for somebody who is not logged on."""
    product = f"OS: {os_version or '0.0.0'} SP: 0.0 Stack: 3.0"
    return (
        f'<s:Envelope xml:lang="" xmlns:s="{ns.SOAP}"><s:Header></s:Header><s:Body>'
        f'<wsmid:IdentifyResponse xmlns:wsmid="{ns.IDENTITY}"><wsmid:ProtocolVersion>{ns.WSMAN}</wsmid:ProtocolVersion>'
        f"<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>{escape(product)}</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()


def new_id() -> str:
    """A fresh id in the form of Windows: an upper-case GUID without braces."""
    return str(uuid.uuid4()).upper()


def _envelope(prefixes: str, action: str, relates_to: str, body: str) -> bytes:
    related = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US" {prefixes}><s:Header><a:Action>{escape(action)}</a:Action>'
        f"<a:MessageID>uuid:{new_id()}</a:MessageID><p:ActivityId>{new_id()}</p:ActivityId>"
        f"<a:To>{ns.ANONYMOUS}</a:To>{related}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{rest}S"
