"""Envelopes as values, and what is refused in an answer."""

from __future__ import annotations

import base64
import uuid
from xml.etree import ElementTree as ET

import pytest

from s2slib.remoting.winrm import wsman

ID = uuid.UUID("11111111-2222-3333-4444-555555555555")
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
STATE = f"{RSP}/CommandState"


def envelope(body: str, *, relates: str = f"uuid:{ID}") -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        f'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:rsp="{RSP}">'
        f"<s:Header><a:RelatesTo>{relates}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def stream(name: str, data: bytes, command: str = "C1") -> str:
    return f'<rsp:Stream Name="{name}" CommandId="{command}">{base64.b64encode(data).decode()}</rsp:Stream>'


def test_output_is_taken_apart_by_stream_and_the_end_is_seen() -> None:
    body = (
        stream("stdout", b"one")
        + stream("stderr", b"E")
        + stream("stdout", b"two")
        + '<rsp:Stream Name="stdout" CommandId="C1" End="true"></rsp:Stream>'
        + f'<rsp:CommandState CommandId="C1" State="{STATE}/Done"><rsp:ExitCode>3</rsp:ExitCode></rsp:CommandState>'
    )
    received = wsman.received(wsman.parse(envelope(body), ID), "c1")
    assert received == wsman.Received(b"onetwo", b"E", True, 3)


def test_a_running_command_has_no_exit_code() -> None:
    body = f'<rsp:CommandState CommandId="C1" State="{STATE}/Running"></rsp:CommandState>'
    assert wsman.received(wsman.parse(envelope(body), ID), "C1") == wsman.Received(b"", b"", False, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        envelope("").decode().encode("utf-16"),
        b"\xff\xfe\xfd",
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope("&b;"),
        envelope("", relates="uuid:99999999-2222-3333-4444-555555555555"),
        envelope("", relates="soon"),
        envelope("").replace(b"RelatesTo", b"Elsewhere"),
    ],
)
def test_a_document_that_does_not_answer_the_question_is_refused(data: bytes) -> None:
    with pytest.raises(wsman.BadEnvelope):
        wsman.parse(data, ID)


@pytest.mark.parametrize(
    "body",
    [
        stream("stdout", b"x", "C2"),
        stream("stdin", b"x"),
        '<rsp:Stream Name="stdout" CommandId="C1">not base64!</rsp:Stream>',
        f'<rsp:CommandState CommandId="C1" State="{STATE}/Done"><rsp:ExitCode>many</rsp:ExitCode></rsp:CommandState>',
    ],
)
def test_output_of_something_else_or_damaged_is_refused(body: str) -> None:
    with pytest.raises(wsman.BadEnvelope):
        wsman.received(wsman.parse(envelope(body), ID), "C1")


def test_ids_are_read_from_where_windows_puts_them() -> None:
    body = '<w:Selector xmlns:w="w" Name="ShellId">S-1</w:Selector><rsp:CommandId>C1</rsp:CommandId>'
    root = wsman.parse(envelope(body), ID)
    assert (wsman.shell_id(root), wsman.command_id(root)) == ("S-1", "C1")
    empty = ET.fromstring("<a/>")
    for read in (wsman.shell_id, wsman.command_id):
        with pytest.raises(wsman.BadEnvelope):
            read(empty)
