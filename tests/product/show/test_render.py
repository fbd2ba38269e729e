"""Views: text from servers is data, whatever it holds; HTML and text say the same."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2slib.runbook.model.finding import Finding
from s2slib.show.render import Fold, Lines, Table, View, plainly
from s2slib.show.views import findings_view

HOSTILE = "<script>alert(1)</script>\x1b[2J‮<img src=x onerror=1>' style='x"
ALLOWED_TAGS = {"div", "span", "table", "thead", "tbody", "tr", "th", "td", "pre", "br", "details", "summary"}


class Inspect(HTMLParser):
    """Collects what is active in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag not in ALLOWED_TAGS or names - {"style"}:
            self.wrong.append(f"<{tag} {names}>")


def active(markup: str) -> list[str]:
    """Tags and attributes that have no place in a view."""
    parser = Inspect()
    parser.feed(markup)
    return parser.wrong


def runs_of_text(markup: str) -> list[str]:
    """The pieces of text between tags, as MathJax searches them for formulas."""
    pieces: list[str] = []
    parser = HTMLParser()
    parser.handle_data = pieces.append  # type: ignore[method-assign]
    parser.feed(markup)
    return pieces


def view(text: str) -> View:
    """One text in every place that a view has."""
    table = Table(("a", text), ((text, text),), 1)
    return View(text, text, (text, table, Lines((text,)), Fold(text, (table, text))))


@given(st.text(max_size=60))
def test_no_text_becomes_markup(text: str) -> None:
    assert active(view(text)._repr_html_()) == []


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    shown = view(HOSTILE)
    assert active(shown._repr_html_()) == []
    assert "\x1b" not in repr(shown)
    assert "‮" not in repr(shown)
    assert "<script>" not in shown._repr_html_()
    assert "script" in repr(shown)


def test_a_long_value_is_cut_and_the_cut_is_marked() -> None:
    text = repr(View("x", "", ("a" * 5000,)))
    assert len(text) < 2_200
    assert not text.rstrip().endswith("aaaa")


@pytest.mark.parametrize("form", [repr, View._repr_html_])
def test_both_forms_name_what_is_wrong_and_what_to_do(form: object) -> None:
    finding = Finding(
        "x.y", "blocker", "preflight", "The realm", "a.example", "b.example", "set it", "fe1.litwareinc.com"
    )
    text = form(findings_view("Preflight", [finding]))  # type: ignore[operator]
    assert all(part in text for part in ("blocker", "fe1", "The realm", "a.example", "b.example", "set it"))


def test_what_is_in_order_is_folded_away_and_counted() -> None:
    fine = [Finding("x", "ok", "preflight", f"check {number}") for number in range(3)]
    assert "3 in order" in repr(findings_view("Preflight", fine))


def test_mathjax_finds_no_formula_between_two_dollar_signs() -> None:
    line = r"Remove-X -Confirm:$false; Remove-Y -Confirm:$false; C:\(a\) \[b\] \$c $$d$$"
    markup = view(line)._repr_html_()
    assert line in "".join(runs_of_text(markup))
    assert not [piece for piece in runs_of_text(markup) if len(piece) > 1 and ("$" in piece or "\\" in piece)]


def test_the_text_form_keeps_the_lines_of_a_cell_under_its_column() -> None:
    text = repr(View("t", "", (Table(("a", "b"), (("one", "x\ny"), ("two", "z"))),)))
    assert text.splitlines()[1:] == ["  a    b", "  one  x", "       y", "  two  z"]


def test_an_error_is_shown_as_one_sentence_and_stays_itself() -> None:
    error = plainly(ValueError("mode is 'x'\x1b[2J"))
    assert isinstance(error, ValueError)
    assert error._render_traceback_() == ["ValueError: mode is 'x'<U+001B>[2J"]  # type: ignore[attr-defined]
