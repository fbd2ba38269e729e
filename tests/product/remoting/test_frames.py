"""The lines between this side and the constant script, and what they carry."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2slib.remoting.shell.clixml import readable
from s2slib.remoting.shell.frames import MAX_STRAY, FrameReader, SessionRef, request_line, secret_line, typed
from s2slib.remoting.shell.wire import BadAnswer, Decoder
from s2slib.remoting.values.quoting import CredentialRef, SecretRef

NONCE = "0123456789abcdef"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def frame(payload: object, *, nonce: str = NONCE, length: int | None = None, digest: str | None = None) -> bytes:
    raw = json.dumps(payload, separators=(",", ":")).encode()
    found = hashlib.sha256(raw).digest()[:8].hex("-").upper()
    return f"<{nonce} {len(raw) if length is None else length} {digest or found} ".encode() + raw + b">\r\n"


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.text("abc", min_size=1), st.integers()), max_size=5), st.data())
def test_frames_are_found_however_the_bytes_are_cut(payloads: list[dict[str, int]], data: st.DataObject) -> None:
    stream = b"noise <0 1 2>\r\n".join([b"", *(frame(payload) for payload in payloads), b"end"])
    reader = FrameReader(NONCE)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == payloads
    stray = reader.stray_text()
    assert stray.count("noise <0 1 2>") == len(payloads) + 1
    assert NONCE not in stray


@pytest.mark.parametrize(
    "imitation",
    [
        frame({"id": 1}, length=3),
        frame({"id": 1}, digest="00-00-00-00-00-00-00-00"),
        frame([1]),
        f"<{NONCE} hello>".encode(),
        f"<{NONCE} 2 ".encode(),
    ],
)
def test_what_does_not_verify_is_text_and_hides_no_frame_behind_it(imitation: bytes) -> None:
    reader = FrameReader(NONCE)
    assert reader.feed(imitation + b" and " + frame({"id": 2})) == [{"id": 2}]
    assert f"<{NONCE}" in reader.stray_text()


def test_a_frame_of_another_process_is_text() -> None:
    reader = FrameReader(NONCE)
    assert reader.feed(frame({"id": 1}, nonce="ffff")) == []


def test_stray_text_is_bounded() -> None:
    reader = FrameReader(NONCE)
    for _ in range(10):
        reader.feed(b"x" * 100_000)
    assert len(reader.stray_text()) <= MAX_STRAY
    assert reader.feed(frame({"id": 1})) == [{"id": 1}]


def test_a_request_is_one_line_of_base64() -> None:
    line = request_line({"op": "run", "text": "Ä\n!"})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(base64.b64decode(line)) == {"op": "run", "text": "Ä\n!"}


def test_a_secret_line_cannot_be_taken_for_a_request() -> None:
    line = secret_line("pfx", "P“a\nb")
    assert line.startswith(b"!pfx ")
    assert line.count(b"\n") == 1
    assert base64.b64decode(line.split()[1]).decode() == "P“a\nb"


def test_every_kind_of_value_says_what_it_is() -> None:
    assert typed("ü") == {"k": "text", "v": b64("ü")}
    assert typed(True) == {"k": "plain", "v": True}
    assert typed(7) == {"k": "plain", "v": 7}
    assert typed(None) == {"k": "plain", "v": None}
    assert typed(b"\x01") == {"k": "bytes", "v": "AQ=="}
    assert typed(datetime(2026, 1, 2, tzinfo=UTC)) == {"k": "date", "v": b64("2026-01-02T00:00:00.0000000Z")}
    assert typed(("a", 1)) == {"k": "list", "v": [{"k": "text", "v": b64("a")}, {"k": "plain", "v": 1}]}
    assert typed(SecretRef("pfx")) == {"k": "secret", "v": "pfx"}
    assert typed(CredentialRef("u", "pfx")) == {"k": "credential", "v": "pfx", "user": b64("u")}
    assert typed(SessionRef("exchange")) == {"k": "session", "v": "exchange"}


decoder = Decoder(lambda text: text.replace("secret", "***"))


def test_every_kind_of_answer_is_decoded() -> None:
    row = [
        b64("Selected.Thing"),
        [
            [b64("Name"), b64("a secret")],
            [b64("When"), {"date": b64("2026-11-23T01:02:03.4567891Z")}],
            [b64("Raw"), {"bytes": "AQI="}],
            [b64("Size"), {"number": b64("1.50")}],
            [b64("Password"), {"secret": True}],
            [b64("More"), {"map": [[b64("k"), [1, None, False]]]}],
            [b64("Broken"), {"unread": b64("no access")}],
            [b64("PSComputerName"), b64("x")],
        ],
    ]
    assert decoder.plain({"object": row}) == {
        "$type": "Selected.Thing",
        "Name": "a ***",
        "When": datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC),
        "Raw": b"\x01\x02",
        "Size": Decimal("1.50"),
        "Password": "(hidden)",
        "More": {"k": (1, None, False)},
    }


def test_a_property_that_could_not_be_read_is_missing_and_not_empty() -> None:
    row = {"object": [b64("T"), [[b64("A"), {"unread": b64("denied")}], [b64("B"), None]]]}
    assert decoder.plain(row) == {"$type": "T", "B": None}


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        "not base64!",
        {"date": b64("yesterday")},
        {"number": b64("many")},
        {"bytes": "?"},
        {"object": [b64("T")]},
        {"object": [b64("T"), [["x"]]]},
        {"what": 1},
        {"date": b64("2026-13-40T00:00:00.0000000Z")},
        {},
        {"map": [[b64("k"), {"a": 1, "b": 2}]]},
    ],
)
def test_a_payload_that_the_script_does_not_write_is_refused(value: Any) -> None:
    with pytest.raises(BadAnswer):
        decoder.plain(value)


OBJS = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'


def test_errors_are_readable_and_progress_is_left_out() -> None:
    data = (
        f'#< CLIXML\r\n{OBJS}<Obj S="progress" RefId="0"><TN RefId="0"><T>x</T></TN></Obj>'
        '<S S="Error">can_x0027_t &lt;go&gt;_x000D__x000A_</S><S S="Error">At line:1_x000D__x000A_</S></Objs>'
    )
    assert readable(data.encode()) == "can't <go>\nAt line:1"


def test_several_documents_and_text_between_them_stay_in_order() -> None:
    one = f'#< CLIXML\r\n{OBJS}<S S="Error">one_x000A_</S></Objs>'
    two = f'#< CLIXML\r\n{OBJS}<S S="Warning">two_x000A_</S></Objs>'
    assert readable(f"{one}native text\r\n{two}".encode()) == "one\nnative text\ntwo"


def test_a_document_that_was_cut_off_keeps_its_whole_records() -> None:
    data = f'before\r\n#< CLIXML\r\n{OBJS}<S S="Error">whole_x000A_</S><S S="Error">half'
    assert readable(data.encode()) == "before\nwhole"


def test_escapes_are_code_units() -> None:
    data = f'{OBJS}<S S="Error">_xD83D__xDE00_ _x005F_x0041_ _xD800_</S></Objs>'
    assert readable(data.encode()) == "\U0001f600 _x0041_ \\x00\\xd8"


def test_bytes_that_are_not_utf_8_are_shown_and_not_lost() -> None:
    assert readable(b"a\xffb") == "a\\xffb"
