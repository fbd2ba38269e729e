"""What the views leave out, put together and explain."""

from __future__ import annotations

from typing import Any

import pytest

from s2slib.facts import Absent, Fact, Facts, Known, Unknown, fact_to_json
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.model.outcome import Outcome
from s2slib.runbook.run import PhaseResult
from s2slib.show.render import Table, View
from s2slib.show.views import (
    before_after,
    declaration_view,
    facts_view,
    findings_view,
    outcome_view,
    result_view,
)

FORMS = pytest.mark.parametrize("form", [repr, View._repr_html_])
EXCHANGE, FRONT_END = "ex1.litwareinc.com", "fe1.litwareinc.com"


def read(certificate: Fact) -> Facts:
    """Facts of an estate in which nobody gets Lync's metadata document."""
    refused = Unknown("The remote server returned an error: (500) Internal Server Error.")
    return Facts(
        {
            "lync/oauth_certificate": certificate,
            f"server/{EXCHANGE}/exchange_certificates": Known([]),
            f"server/{EXCHANGE}/peer_metadata": refused,
            f"server/{FRONT_END}/lync_metadata": refused,
            f"server/{FRONT_END}/version": Known("5.0.8308.0"),
        }
    )


@FORMS
def test_documents_that_lync_cannot_serve_without_a_certificate_are_explained(form: Any) -> None:
    view = facts_view(read(Absent()), (EXCHANGE, FRONT_END), 1)
    assert view.state == ""
    assert "20_certificates" in form(view)
    assert "(500)" in form(view)


@pytest.mark.parametrize("certificate", [Known({"thumbprint": "AB"}), Unknown("no answer")])
def test_once_there_may_be_a_certificate_they_are_failures(certificate: Fact) -> None:
    view = facts_view(read(certificate), (EXCHANGE, FRONT_END), 1)
    assert view.state == "unknown"
    assert "20_certificates" not in repr(view)


def test_the_other_products_document_is_no_such_exception() -> None:
    facts = read(Absent()).updated({f"server/{FRONT_END}/peer_metadata": Unknown("(404) Not Found.")})
    view = facts_view(facts, (EXCHANGE, FRONT_END), 1)
    assert view.state == "unknown"
    assert "1 could not be read" in repr(view)


def test_a_long_text_inside_a_fact_is_counted_and_not_shown() -> None:
    facts = Facts({"exchange/certificates": Known([{"thumbprint": "AB", "der": "M" * 2000}])})
    assert "(2000 characters)" in repr(facts_view(facts, (), 1))
    assert "MMMM" not in repr(facts_view(facts, (), 1))


@FORMS
def test_a_finding_that_servers_share_is_one_row_with_all_of_them(form: Any) -> None:
    alike = [
        Finding("x", "blocker", "p", "not loaded", "old", "new", "restart", server) for server in (EXCHANGE, FRONT_END)
    ]
    text = form(findings_view("p", alike))
    assert text.count("not loaded") == 1
    assert all(part in text for part in ("ex1", "fe1", "seen: old", "expected: new", "to do: restart"))


def test_where_servers_differ_in_what_was_seen_each_is_named_with_its_own() -> None:
    found = [
        Finding("x", "unknown", "p", "metadata", seen, "one", "", server)
        for server, seen in ((EXCHANGE, "404"), (FRONT_END, "500"))
    ]
    text = repr(findings_view("p", found))
    assert "seen: ex1: 404" in text
    assert "seen: fe1: 500" in text


def test_of_two_mappings_only_the_fields_that_differ_are_shown() -> None:
    was, now = Known({"realm": "a", "url": ""}), Known({"realm": "a", "url": "https://b"})
    (table,) = before_after({"lync/x": fact_to_json(was)}, {"lync/x": fact_to_json(now)})
    assert table == Table(("fact", "before", "after"), (("Lync x", "url: (empty)", "url: https://b"),))


def test_facts_that_a_change_left_alone_are_folded() -> None:
    left, made = fact_to_json(Known(True)), fact_to_json(Known("new"))
    text = repr(View("", "", tuple(before_after({"lync/a": left}, {"lync/a": left, "lync/b": made}))))
    assert "1 fact as before" in text
    assert "new" in text


def test_why_a_change_was_not_made_is_said_once() -> None:
    outcome = Outcome(
        "c", "p", "Make it", "blocked", "lync/x: saw unknown", before={"lync/x": {"unknown": "no answer"}}
    )
    result = PhaseResult("p", "The phase", "blocked", "lync/x: saw unknown", (), (), (), "", (outcome,), 1)
    assert repr(result_view(result)).count("saw unknown") == 1
    assert "after" not in repr(outcome_view(outcome))


def test_what_a_form_changed_is_shown_field_by_field(lab_deployment: Any) -> None:
    policy = lab_deployment.policy.model_copy(update={"restart": "hold"})
    changed = lab_deployment.model_copy(update={"policy": policy})
    text = repr(declaration_view(lab_deployment, changed))
    assert "policy.restart" in text
    assert "Not saved" in text
    assert "As in the params file" in repr(declaration_view(lab_deployment, lab_deployment))
