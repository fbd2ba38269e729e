"""Secrets leave no text, record or log; foreign text is shown without its tricks."""

from __future__ import annotations

import base64
import copy
import html
import io
import json
import logging
import pickle
import re
import sys
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2slib.credentials import Secret
from s2slib.records.redaction import MARK, RedactingFilter, Redactor, format_exception, safe_text

PASSWORD = "Pa$$'w0rd\\ <ü>&\"+/"

ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "JSON, ASCII only": lambda secret: json.dumps(secret)[1:-1],
    "JSON": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "JSON as Windows PowerShell writes it": lambda secret: (
        json.dumps(secret)[1:-1]
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("'", "\\u0027")
    ),
    "JSON as System.Text.Json writes it": lambda secret: re.sub(
        r"[^A-Za-z0-9$\\ /]", lambda match: f"\\u{ord(match[0]):04X}", secret.replace("\\", "\\\\")
    ),
    "Python repr": lambda secret: repr(secret)[1:-1],
    "Python ascii": lambda secret: ascii(secret)[1:-1],
    "bytes repr": lambda secret: repr(secret.encode())[2:-1],
    "XML": escape,
    "XML attribute": lambda secret: escape(secret, {'"': "&quot;", "'": "&apos;"}),
    "HTML": html.escape,
    "PowerShell single quotes": lambda secret: secret.replace("'", "''"),
    "PowerShell double quotes": lambda secret: secret.replace("`", "``").replace('"', '`"').replace("$", "`$"),
    "URL": lambda secret: quote(secret, safe=""),
    "URL, lower case": lambda secret: re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
    "form": quote_plus,
    "URL, twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "numeric entities": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "numeric entities, hexadecimal": lambda secret: "".join(f"&#x{ord(char):X};" for char in secret),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal of UTF-16": lambda secret: secret.encode("utf-16-le").hex().upper(),
    "base64 of Latin-1": lambda secret: base64.b64encode(secret.encode("latin-1")).decode(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of UTF-16": lambda secret: base64.b64encode(secret.encode("utf-16-le")).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", ENCODERS)
def test_a_secret_is_redacted_in_every_form_it_travels_in(form: str) -> None:
    encoded = ENCODERS[form](PASSWORD)
    redacted = Redactor([PASSWORD]).text(f"before {encoded} after")
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert MARK in redacted
    assert encoded.rstrip("=") not in redacted


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("offset", range(4))
def test_a_secret_inside_a_longer_base64_text_is_found_at_any_alignment(codec: str, offset: int) -> None:
    script = "x" * offset + f"$p = '{PASSWORD}' ; Get-Date"
    encoded = base64.b64encode(script.encode(codec)).decode()
    redacted = Redactor([PASSWORD]).text(encoded)
    assert MARK in redacted
    assert base64.b64encode(PASSWORD.encode(codec)).decode()[4:-4] not in redacted


def test_the_longer_of_two_secrets_goes_first_and_overlapping_ones_leave_nothing() -> None:
    assert Redactor(["hunter2", "hunter2-long"]).text("a hunter2-long b") == f"a {MARK} b"
    assert Redactor(["xabc", "abcdef"]).text("xabcdef") == MARK
    assert Redactor(["abab"]).text("ababab") == MARK


def test_a_secret_of_three_characters_is_redacted_only_where_it_stands_alone() -> None:
    assert Redactor(["cat"]).text("cat concatenate cat") == f"{MARK} concatenate {MARK}"


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Redactor([""])


@given(st.text(min_size=4, max_size=24), st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=80, deadline=None)
def test_no_surroundings_hide_a_secret(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    redacted = redactor.text(before + secret + after)
    assert MARK in redacted
    assert secret not in redacted.replace(MARK, "\x00") or secret in MARK


@given(st.text(alphabet="abc:=\"' \\Authorization:Bearerpwd{}<>", max_size=120))
@settings(max_examples=150, deadline=None)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor(["hunter2"])
    once = redactor.text(text)
    assert redactor.text(once) == once


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJsaXR3YXJlIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        (f"the actor token is {TOKEN}.", TOKEN[-12:]),
        ("unsigned eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", "eyJpc3MiOiJ4In0"),
        ("Authorization: Negotiate TlRMTVNTUAADAAAA", "TlRM"),
        ("proxy-authorization: Basic dXNlcjpwdw==\r\nHost: x", "dXNlcjpwdw"),
        ("{'Authorization': b'Basic dXNlcjpwdw=='}", "dXNlcjpwdw"),
        ('{"Authorization": "Bearer abc123"}', "abc123"),
        ("sent Bearer 0123456789abcdef0123456789", "0123456789abcdef"),
        ("Set-Cookie: cadata=abcdef; path=/", "abcdef"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and cut off", "MIIE"),
        ("Server=x;Password=hunter2;Database=xds", "hunter2"),
        ('"password": "hunter \\" two"', "two"),
        ('{\\"password\\": \\"hunter two\\"}', "two"),
        ('password="never closed', "closed"),
        ("pwd=ab\\cd", "cd"),
        ('Import-CsCertificate -Password "hunter two" -Type OAuthTokenIssuer', "two"),
        ("New-Thing -Password 'it''s' -Force", "it"),
        ("<t:Password Type='x'>hunter2</t:Password>", "hunter2"),
        ("https://admin:hunter2@atl-cs-001.litwareinc.com/", "hunter2"),
    ],
)
def test_what_looks_like_a_secret_is_redacted_without_being_known(text: str, leak: str) -> None:
    redacted = Redactor().text(text)
    assert MARK in redacted
    assert leak not in redacted


@pytest.mark.parametrize(
    "text",
    [
        'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", '
        'trusted_issuers="00000004-0000-0ff1-ce00-000000000000@contoso.com", error="invalid_token"',
        "AuthToken                           : Value=https://autodiscover.litwareinc.com/autodiscover/metadata/json/1",
        "PasswordNotRequired, AccountDisabled",
        "Kerberos authentication failed for atl-cs-001.litwareinc.com",
        "thumbprint 8BF833E6A7D8A7960F5802B5FFFD188599E2A4B2",
    ],
)
def test_diagnostics_that_name_no_secret_survive(text: str) -> None:
    assert Redactor().text(text) == text


def test_only_the_secret_of_a_connection_string_is_lost() -> None:
    assert Redactor().text("Password=a;User=x") == f"Password={MARK};User=x"


@pytest.mark.parametrize(
    "unit",
    [
        "a.",
        "eyJaaaaaa-",
        'password="',
        '-Password "',
        "authorization:",
        "Bearer a",
        "http://a:",
        "<password ",
        "'pwd':'\\",
    ],
)
def test_hostile_text_is_redacted_in_linear_time(unit: str) -> None:
    start = time.monotonic()
    Redactor(["hunter2"]).text(unit * (200_000 // len(unit)))
    assert time.monotonic() - start < 2


def test_json_is_redacted_in_keys_values_numbers_and_members_named_like_secrets() -> None:
    redactor = Redactor(["hunter2", "12345678"])
    value = {
        "a hunter2": ["x hunter2 y", 12345678, 7, None, True],
        "password": "short",
        "AuthToken": "Value=x",
        "token": {},
    }
    assert redactor.json(value) == {
        f"a {MARK}": [f"x {MARK} y", MARK, 7, None, True],
        "password": MARK,
        "AuthToken": "Value=x",
        "token": {},
    }


def test_what_is_not_json_is_refused_instead_of_guessed() -> None:
    with pytest.raises(TypeError, match="set"):
        Redactor().json({"a": {1, 2}})


def test_a_redactor_takes_secret_objects_and_is_not_pickled() -> None:
    redactor = Redactor([Secret("hunter2")])
    assert redactor.text("hunter2") == MARK
    assert "hunter2" not in repr(redactor)
    with pytest.raises(TypeError):
        pickle.dumps(redactor)
    with pytest.raises(TypeError):
        copy.deepcopy(redactor)


def _logged(redactor: Redactor, emit: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(RedactingFilter(redactor))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    assert callable(emit)
    emit(logger)
    return stream.getvalue()


def test_a_log_record_shows_no_secret_in_message_arguments_or_traceback() -> None:
    def emit(logger: logging.Logger) -> None:
        try:
            raise RuntimeError("refused hunter2")
        except RuntimeError:
            logger.exception("logon with %s failed", "hunter2", stack_info=True)

    text = _logged(Redactor(["hunter2"]), emit)
    assert "logon with [redacted] failed" in text
    assert "RuntimeError: refused [redacted]" in text
    assert "hunter2" not in text


def test_a_log_record_with_a_wrong_format_string_shows_no_arguments() -> None:
    text = _logged(Redactor(), lambda logger: logger.warning("%d", "unknown-secret"))
    assert "unknown-secret" not in text
    assert "arguments left out" in text


def test_a_filtered_record_keeps_no_exception_object_that_a_handler_could_print_in_full() -> None:
    try:
        raise RuntimeError("hunter2")
    except RuntimeError:
        record = logging.LogRecord("test", logging.ERROR, __file__, 1, "x", (), sys.exc_info())
    assert RedactingFilter(Redactor(["hunter2"])).filter(record)
    assert record.exc_info is None
    assert "RuntimeError: [redacted]" in (record.exc_text or "")


def test_extra_fields_of_a_log_record_are_redacted() -> None:
    record = logging.makeLogRecord({"msg": "x", "server": "hunter2", "reply": {"password": "p"}, "odd": {1}})
    assert RedactingFilter(Redactor(["hunter2"])).filter(record)
    assert (vars(record)["server"], vars(record)["reply"], vars(record)["odd"]) == (MARK, {"password": MARK}, "{1}")


def test_a_formatted_exception_shows_its_cause_and_no_secret() -> None:
    try:
        try:
            raise ValueError("inner hunter2")
        except ValueError as inner:
            raise RuntimeError("outer \x1b[31m") from inner
    except RuntimeError as error:
        text = format_exception(error, Redactor(["hunter2"]))
    assert "ValueError: inner [redacted]" in text
    assert "RuntimeError: outer <U+001B>[31m" in text


def test_control_ansi_bidi_and_invisible_characters_are_shown_as_code_points() -> None:
    assert safe_text("a\x1b[2Jb\u202ec\u200bd\u2028e\x00f\u3164g\ufe0f\ud800") == (
        "a<U+001B>[2Jb<U+202E>c<U+200B>d<U+2028>e<U+0000>f<U+3164>g<U+FE0F><U+D800>"
    )


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    assert safe_text("Größe 数 \u05d0 é\tx\n") == "Größe 数 \u05d0 é\tx\n"


def test_line_ends_are_normalised_and_escaped_where_one_line_is_wanted() -> None:
    assert safe_text("a\r\nb\rc") == "a\nb<U+000D>c"
    assert safe_text("a\nb\tc", multiline=False) == "a<U+000A>b<U+0009>c"


def test_long_text_is_cut_and_says_where() -> None:
    assert safe_text("x" * 3000, 10) == "x" * 10 + " [cut: 10 of 3,000 characters shown]"
    assert safe_text("x" * 10, 10) == "x" * 10


def test_a_cut_never_leaves_half_an_escape() -> None:
    assert safe_text("\x1b\x1b", 10) == "<U+001B> [cut: 1 of 2 characters shown]"


@given(st.text(max_size=200), st.integers(min_value=1, max_value=60))
@settings(max_examples=150, deadline=None)
def test_safe_text_is_bounded_and_printable(text: str, limit: int) -> None:
    shown = safe_text(text, limit)
    assert len(shown) <= limit + 60
    assert (
        shown.replace("\n", "").replace("\t", "").isprintable() or "\u00a0" in shown or any(c.isspace() for c in shown)
    )
