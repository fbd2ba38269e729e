"""Requests from bytes to values, replies and faults from values to bytes."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import xmltodict
from winrm.protocol import Protocol

from s2slab.winrm import envelope, faults, replies
from s2slab.winrm import namespaces as ns
from s2slab.winrm.envelope import MalformedEnvelope
from s2slab.winrm.faults import WsManFault

SOAP = f"{{{ns.SOAP}}}"


def pywinrm_request(action: str, body: Mapping[str, Any], **header: object) -> bytes:
    """An envelope as pywinrm builds it."""
    protocol = Protocol("http://127.0.0.1:5985/wsman", transport="ntlm", username="u", password="p")
    request = {"env:Envelope": protocol.build_wsman_header(action, ns.CMD_SHELL, shell_id="abc", message_id="1-2")}
    request["env:Envelope"]["env:Header"].update(header)
    request["env:Envelope"]["env:Body"] = body
    return str(xmltodict.unparse(request)).encode()


def test_the_header_of_a_request_is_read() -> None:
    options = {"w:Option": [{"@Name": "winrs_codepage", "#text": "65001"}, {"@Name": "A", "#text": "tRUE"}]}
    request = envelope.parse(pywinrm_request(f"{ns.SHELL}/Receive", {}, **{"w:OptionSet": options}))
    assert (request.operation, request.message_id, request.shell_id) == ("Receive", "uuid:1-2", "ABC")
    assert (request.max_envelope_bytes, request.timeout_s(60)) == (153600, 20)
    assert request.options["WINRS_CODEPAGE"] == "65001"
    assert request.flag("A")
    assert not request.flag("B")


def test_the_bodies_of_requests_are_read() -> None:
    shell = envelope.shell_body(
        envelope.parse(
            pywinrm_request(
                "x/Create",
                {
                    "rsp:Shell": {
                        "@ShellId": "a1",
                        "rsp:InputStreams": "stdin",
                        "rsp:OutputStreams": "stdout stderr",
                        "rsp:Environment": {"rsp:Variable": [{"@Name": "A", "#text": "1"}, {"@Name": "B"}]},
                        "rsp:IdleTimeOut": "PT1M",
                    }
                },
            )
        )
    )
    assert shell == envelope.ShellBody("A1", ("stdin",), ("stdout", "stderr"), None, "PT1M", {"A": "1", "B": ""})
    command = {"rsp:CommandLine": {"rsp:Command": "a b", "rsp:Arguments": ["-x", "1 2"]}}
    assert envelope.command_body(envelope.parse(pywinrm_request("x/Command", command))) == envelope.CommandBody(
        "", "a b", "-x 1 2"
    )
    stream = {"@Name": "stdin", "@CommandId": "c", "@End": "True", "#text": base64.b64encode(b"\x00\xff").decode()}
    assert envelope.send_body(envelope.parse(pywinrm_request("x/Send", {"rsp:Send": {"rsp:Stream": stream}}))) == (
        envelope.SendBody("stdin", "C", b"\x00\xff", True),
    )
    signal = {"rsp:Signal": {"@CommandId": "c", "rsp:Code": f"{ns.SIGNAL}/Terminate"}}
    assert envelope.signal_body(envelope.parse(pywinrm_request("x/Signal", signal))).code == "terminate"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT20S", 20), ("PT60.000S", 60), ("PT5M0S", 300), ("P1DT2H", 93600), ("PT0.5S", 0.5), ("-PT1S", -1)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert envelope.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "20", "PT-1S", "PT1", "P1Y", "PT1S ago", "PT1S\nPT1S"])
def test_other_texts_are_no_durations(text: str) -> None:
    assert envelope.duration_s(text) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<a>",
        b"<html/>",
        b"\xff\xfe\x00",
        f'<s:Envelope xmlns:s="{ns.SOAP}"><s:Header/><s:Body/></s:Envelope>'.encode(),
        b'<!DOCTYPE s [<!ENTITY a "b">]>' + pywinrm_request("x/y", {}).split(b"?>", 1)[1],
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedEnvelope):
        envelope.parse(data)


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (envelope.shell_body, {}),
        (envelope.command_body, {"rsp:CommandLine": {"rsp:Command": " "}}),
        (envelope.command_body, {"rsp:Shell": {}}),
        (envelope.send_body, {"rsp:Send": {}}),
        (envelope.send_body, {"rsp:Send": {"rsp:Stream": {"#text": "not base64!"}}}),
        (envelope.receive_body, {"rsp:Receive": {}}),
        (envelope.signal_body, {}),
    ],
)
def test_a_body_that_is_not_its_action_s_is_a_schema_fault(
    read: Callable[[envelope.Request], object], body: Mapping[str, Any]
) -> None:
    request = envelope.parse(pywinrm_request("x/y", body))
    with pytest.raises(WsManFault) as caught:
        read(request)
    assert caught.value.code == faults.SCHEMA_INVALID


def test_a_reply_names_its_action_and_its_request() -> None:
    data = replies.reply(f"{ns.SHELL}/Signal", "uuid:12 <&>", replies.signalled())
    assert not data.startswith(b"<?xml")
    assert b"\n" not in data
    header = ET.fromstring(data).find(f"{SOAP}Header")
    assert header is not None
    assert header.findtext(f"{{{ns.ADDRESSING}}}Action") == f"{ns.SHELL}/SignalResponse"
    assert header.findtext(f"{{{ns.ADDRESSING}}}RelatesTo") == "uuid:12 <&>"
    assert header.findtext(f"{{{ns.ADDRESSING}}}To") == ns.ANONYMOUS


def test_a_finished_command_s_output_ends_with_its_end_markers_and_state() -> None:
    body = replies.received("C1", [("stdout", b"hi"), ("stdout", b"\n")], ("stdout", "stderr"), -1)
    state = f"{ns.SHELL}/CommandState/Done"
    assert body == (
        '<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="C1">aGk=</rsp:Stream>'
        '<rsp:Stream Name="stdout" CommandId="C1">Cg==</rsp:Stream>'
        '<rsp:Stream Name="stdout" CommandId="C1" End="true"></rsp:Stream>'
        '<rsp:Stream Name="stderr" CommandId="C1" End="true"></rsp:Stream>'
        f'<rsp:CommandState CommandId="C1" State="{state}"><rsp:ExitCode>-1</rsp:ExitCode></rsp:CommandState>'
        "</rsp:ReceiveResponse>"
    )


@pytest.mark.parametrize(
    ("fault", "value", "subcode", "text"),
    [
        (faults.timed_out(), "s:Receiver", "w:TimedOut", "within the time specified in OperationTimeout.  "),
        (faults.unknown_shell("A"), "s:Sender", "w:InvalidSelectors", "contained invalid selectors for the resource. "),
        (faults.unknown_command(), "s:Sender", "w:InvalidSelectors", "contained invalid selectors for the resource. "),
        (faults.invalid_parameter(), "s:Sender", "w:InvalidParameter", "The parameter is incorrect. "),
        (
            faults.system_error(2147942402),
            "s:Receiver",
            "w:InternalError",
            "The system cannot find the file specified. ",
        ),
        (faults.system_error(2147942606), "s:Receiver", "w:InternalError", "The filename or extension is too long. "),
        (faults.access_denied(), "s:Sender", "w:AccessDenied", "Access is denied. "),
        (
            faults.invalid_timeout("PT-1S"),
            "s:Sender",
            "a:InvalidMessageInformationHeader",
            "invalid timeout field in the SOAP header: PT-1S. ",
        ),
        (faults.no_such_resource("x:y"), "s:Sender", "a:DestinationUnreachable", "or logical endpoints. "),
    ],
)
def test_a_fault_carries_code_subcode_reason_and_detail(fault: WsManFault, value: str, subcode: str, text: str) -> None:
    root = ET.fromstring(replies.fault(fault, "uuid:1", "atl-cs-001"))
    assert root.findtext(f"{SOAP}Header/{{{ns.ADDRESSING}}}Action") == ns.FAULT_ACTION
    found = root.find(f"{SOAP}Body/{SOAP}Fault")
    assert found is not None
    assert found.findtext(f"{SOAP}Code/{SOAP}Value") == value
    assert found.findtext(f"{SOAP}Code/{SOAP}Subcode/{SOAP}Value") == subcode
    assert (found.findtext(f"{SOAP}Reason/{SOAP}Text") or "").endswith(text)
    detail = found.find(f"{SOAP}Detail/{{{ns.FAULT}}}WSManFault")
    assert detail is not None
    assert (detail.get("Code"), detail.get("Machine")) == (str(fault.code), "atl-cs-001")


def test_a_quota_fault_has_the_wmi_form_and_no_wsman_fault() -> None:
    root = ET.fromstring(replies.fault(faults.shell_quota(30), "uuid:1", "atl-cs-001"))
    wmi = root.find(f".//{{{ns.WMI_ERROR}}}MSFT_WmiError")
    assert wmi is not None
    assert wmi.findtext(f"{{{ns.WMI_ERROR}}}error_Code") == "2150859173"
    assert wmi.findtext(f"{{{ns.WMI_ERROR}}}error_Type") == "HRESULT"
    assert wmi.findtext(f"{{{ns.WMI_ERROR}}}MessageID") == "HRESULT 0x803381a5"
    assert "maximum number of 30 concurrent shells" in (wmi.findtext(f"{{{ns.WMI_ERROR}}}Message") or "")
    assert root.find(f".//{{{ns.FAULT}}}WSManFault") is None


def test_the_parameter_fault_names_the_shell_plugin() -> None:
    root = ET.fromstring(replies.fault(faults.invalid_parameter(), "uuid:1", "m"))
    provider = root.find(f".//{{{ns.FAULT}}}ProviderFault")
    assert provider is not None
    assert provider.get("provider") == "Shell cmd plugin"
