"""The multipart framing of sealed messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2slab.winrm import framing
from s2slab.winrm.framing import FramingError, Part

PARTS = st.lists(
    st.builds(Part, st.integers(0, 1 << 20), st.binary(max_size=40), st.binary(max_size=400)), min_size=1, max_size=4
)


@given(PARTS, st.sampled_from([framing.SPNEGO, framing.CREDSSP]))
def test_what_is_framed_is_read_back(parts: list[Part], protocol: str) -> None:
    content_type, body = framing.encode(protocol, parts)
    assert framing.protocol_of(content_type) == protocol
    assert framing.decode(body) == tuple(parts)


def test_a_single_part_has_the_exact_form_of_the_specification() -> None:
    content_type, body = framing.encode(framing.SPNEGO, [Part(5, b"H" * 16, b"sealed")])
    assert content_type == (
        'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
    )
    assert body == (
        b"--Encrypted Boundary\r\n"
        b"\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=5\r\n"
        b"--Encrypted Boundary\r\n"
        b"\tContent-Type: application/octet-stream\r\n"
        b"\x10\x00\x00\x00" + b"H" * 16 + b"sealed--Encrypted Boundary--\r\n"
    )


def test_several_parts_announce_themselves() -> None:
    content_type, body = framing.encode(framing.CREDSSP, [Part(1, b"", b"a"), Part(1, b"", b"b")])
    assert content_type.startswith("multipart/x-multi-encrypted;")
    assert body.count(b"--Encrypted Boundary--") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<s:Envelope/>",
        b"--Encrypted Boundary--\r\n",
        framing.encode(framing.SPNEGO, [Part(5, b"H" * 16, b"sealed")])[1][:-6],
        framing.encode(framing.SPNEGO, [Part(5, b"H" * 16, b"sealed")])[1].replace(b"Length=", b"Size="),
        framing.encode(framing.SPNEGO, [Part(5, b"H" * 16, b"sealed")])[1].replace(
            b"\x10\x00\x00\x00", b"\xff\x00\x00\x00"
        ),
        framing.encode(framing.SPNEGO, [Part(5, b"", b"")])[1].replace(b"\x00\x00\x00\x00", b"\x00"),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(FramingError):
        framing.decode(body)


@pytest.mark.parametrize("content_type", ["", "application/soap+xml;charset=UTF-8", "multipart/form-data; boundary=x"])
def test_other_content_types_are_not_sealed(content_type: str) -> None:
    assert framing.protocol_of(content_type) is None
