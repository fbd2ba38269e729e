"""Typographic quotes and dashes mean what PowerShell takes them for; doubling them keeps any text whole."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from powershell_machine import Ended, LabMachine, encoded

from s2slib.lab.powershell import run_process

Run = Callable[..., Ended]
SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
NASTY = SINGLE + DOUBLE + "-\u2013\u2014\u2015`$(){}[];|&<>@#%,.:!?*~^+=/\\ \t\r\nab0ü日😀\u200b"
TEXTS = st.text(st.sampled_from(NASTY), max_size=30) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)


def run(script: str) -> tuple[int, str]:
    out = bytearray()
    rc = run_process(
        encoded(script), stdin=io.BytesIO(), stdout=out.extend, stderr=lambda _: None, machine=LabMachine(), session="x",
        stop=threading.Event(),
    )  # fmt: skip
    return rc, out.decode("utf-8")


def quoted(text: str) -> str:
    return "'" + "".join(c * 2 if c in SINGLE else c for c in text) + "'"


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text_with_every_single_quote_doubled_comes_back(text: str) -> None:
    rc, out = run(f"[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes({quoted(text)}))")
    assert (rc, base64.b64decode(out).decode("utf-8")) == (0, text)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_a_quoted_argument_is_one_argument(text: str) -> None:
    rc, out = run(f"function F {{ $args.Count; $args[0].Length }}; F {quoted(text)}")
    assert rc == 0
    assert out.split() == ["1", str(len(text.encode("utf-16-le")) // 2)]


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_whatever_the_text_the_evaluator_answers_or_refuses_but_never_breaks(text: str) -> None:
    rc, _ = run(text)
    assert isinstance(rc, int)


@pytest.mark.parametrize("close", list(SINGLE))
def test_any_single_quote_ends_a_text_so_splicing_injects(ps: Run, close: str) -> None:
    assert ps(f"'a{close}; 'injected'; 'b'").lines == ["a", "injected", "b"]


@pytest.mark.parametrize("close", list(DOUBLE))
def test_any_double_quote_ends_a_text(ps: Run, close: str) -> None:
    assert ps(f'"a{close}; "$(1+1){close}').lines == ["a", "2"]


@pytest.mark.parametrize("dash", list("-\u2013\u2014\u2015"))
def test_any_dash_starts_operators_and_parameters(ps: Run, dash: str) -> None:
    assert ps(f"'a' {dash}eq 'a'; Write-Output {dash}InputObject x; 3 {dash} 1").lines == ["True", "x", "2"]


def test_an_undoubled_quote_in_the_middle_is_a_parser_error(ps: Run) -> None:
    ended = ps("$s = '\u2018curly\u2019'; 'no'")
    assert (ended.rc, ended.out) == (1, "")


def test_here_strings_take_everything_but_their_own_end(ps: Run) -> None:
    assert ps("@'\nit's \"$x\" \u2019 `n\n'@; @\"\nv=$(1+1) ''\n\"@").lines == ['it\'s "$x" \u2019 `n', "v=2 ''"]
