"""Metadata documents: what is read from them, what is refused, and what is said about them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from s2slib.trust.certificate import Certificate
from s2slib.trust.judgement import Judgement, Problem, worst
from s2slib.trust.metadata import MetadataDocument, MetadataError, compare, judge, parse

CASES = sorted((CASES / "metadata").glob("*.json"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROWS = {
    *("application_id", "realm", "issuer", "audiences", "assigned_key", "key_set", "x5t", "endpoints", "content_type"),
}

LoadCase = Callable[[Path], dict[str, Any]]


def body_of(case: dict[str, Any]) -> bytes:
    text = json.dumps(case["document"]) if "document" in case else case["text"]
    return bytes.fromhex(case.get("prefix_hex", "")) + text.encode("utf-8")


def judged(case: dict[str, Any], document: MetadataDocument) -> tuple[Judgement, ...]:
    want = case["judged_for"]
    return judge(
        document,
        application_id=want["application_id"],
        realm=want["realm"],
        expected_thumbprints=want["thumbprints"],
        host=want["host"],
        at=datetime.fromisoformat(want["at"]),
    )


@pytest.fixture
def document(load_case: LoadCase) -> MetadataDocument:
    """Exchange's document, everything in order."""
    return parse(body_of(load_case(next(path for path in CASES if path.stem == "exchange"))))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_document_is_read_or_refused_and_judged_as_its_case_says(path: Path, load_case: LoadCase) -> None:
    case = load_case(path)
    if "refused" in case:
        with pytest.raises(MetadataError) as caught:
            parse(body_of(case), content_type=case.get("content_type"), source="https://localhost/metadata/json/1")
        assert caught.value.kind == case["refused"], case["what"]
        assert case.get("refused_says", "") in caught.value.detail
        assert str(caught.value).isprintable()
        assert caught.value.__context__ is None, "the body travels along in the context"
        return
    document = parse(body_of(case), content_type=case.get("content_type"))
    for name, value in case["read"].items():
        seen = getattr(document, name)
        assert (list(seen) if isinstance(seen, tuple) else seen) == value, name
    judgements = judged(case, document)
    expected = dict(case["not_ok"])
    for judgement in judgements:
        level = expected.pop(f"{judgement.id} {judgement.about}", None)
        if level is None and not any(name.startswith(f"{judgement.id} ") for name in case["not_ok"]):
            level = expected.pop(judgement.id, None)
        assert judgement.level == (level or "ok"), f"{case['what']}: {judgement}"
        assert bool(judgement.remedy) == (judgement.level != "ok")
        assert (judgement.seen + judgement.remedy).isprintable()
    assert not expected, "no such judgement"
    for name, words in case.get("says", {}).items():
        assert any(judgement.id == name and words in judgement.seen for judgement in judgements)


def test_every_row_of_the_decision_table_has_a_case_that_is_not_ok(load_case: LoadCase) -> None:
    failing = {name.split()[0] for path in CASES for name in load_case(path).get("not_ok", {})}
    assert failing >= {f"metadata.{row}" for row in ROWS} | {"certificate.validity", "certificate.key"}


def test_every_judgement_appears_once_per_document_or_once_per_key(document: MetadataDocument) -> None:
    case = {"judged_for": {"application_id": "x", "realm": "x", "thumbprints": [], "host": "x", "at": NOON.isoformat()}}
    judgements = judged(case, document)
    assert {judgement.id for judgement in judgements} == {f"metadata.{row}" for row in ROWS} | {
        "certificate.validity",
        "certificate.key",
        "certificate.signature",
    }
    assert len({(judgement.id, judgement.about) for judgement in judgements}) == len(judgements)


def test_expected_thumbprints_may_be_written_as_windows_dialogs_copy_them(
    document: MetadataDocument, signing: dict[str, Certificate]
) -> None:
    copied = "\u200e" + " ".join(signing["exchange"].thumbprint.lower()[start : start + 2] for start in range(0, 40, 2))
    judgements = judge(
        document,
        application_id=document.service_name,
        realm="litwareinc.com",
        expected_thumbprints=[copied],
        host="autodiscover.litwareinc.com",
        at=NOON,
    )
    assert worst(judgements) == "ok"


def test_an_expected_thumbprint_that_is_none_is_a_mistake_of_the_caller(document: MetadataDocument) -> None:
    with pytest.raises(ValueError, match="thumbprint"):
        judge(document, application_id="x", realm="x", expected_thumbprints=["AB12"], host="x", at=NOON)


def test_size_and_hash_are_those_of_the_body_as_received(load_case: LoadCase) -> None:
    case = load_case(next(path for path in CASES if path.stem == "byte_order_mark"))
    body = body_of(case)
    document = parse(body)
    assert document.size == len(body)
    assert document.raw_sha256 == hashlib.sha256(body).hexdigest()
    assert parse(body[3:].decode("utf-8")).size == len(body) - 3


def test_a_body_larger_than_the_cap_is_refused_and_one_of_the_cap_is_read(load_case: LoadCase) -> None:
    case = load_case(next(path for path in CASES if path.stem == "exchange"))
    body = body_of(case).ljust(256 * 1024)
    assert parse(body).name == "Exchange"
    with pytest.raises(MetadataError) as caught:
        parse(body + b" ")
    assert caught.value.kind == "too_large"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a":' + b"[" * 16 + b"]" * 16 + b"}",
    ],
)
def test_deep_nesting_is_refused_without_reading_it(body: bytes) -> None:
    with pytest.raises(MetadataError) as caught:
        parse(body)
    assert caught.value.kind == "too_deep"


def test_brackets_inside_strings_are_no_nesting() -> None:
    with pytest.raises(MetadataError) as caught:
        parse(json.dumps({"issuer": '["{\\' * 100 + '\\"'}))
    assert caught.value.kind == "no_signing_key"


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 130_000,
        b'"' * 260_000,
        b"<!---->" * 37_000,
        b"<!-- " * 50_000,
        b"<html>" + b"<title>" * 37_000,
        b"<?xml " * 43_000,
        b" " * 262_000 + b"x",
        b"9" * 262_000,
        b'{"a":' + b"9" * 262_000 + b"}",
        b'{"a":0.' + b"9" * 262_000 + b"}",
    ],
    ids=lambda body: ascii(body[:10]),
)
def test_a_hostile_body_is_refused_quickly(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(MetadataError):
        parse(body)
    assert time.process_time() - started < 1.0


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_body_is_read_or_refused_and_nothing_else_is_raised(body: bytes | str) -> None:
    with pytest.raises(MetadataError) as caught:
        parse(body, content_type="text/plain", source="https://localhost/")
    assert str(caught.value).isprintable()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "version", "name", "realm", "serviceName", "issuer", "allowedAudiences", "keys", "endpoints")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES))
def test_any_object_with_our_names_is_refused_without_another_error(fields: dict[str, Any]) -> None:
    with pytest.raises(MetadataError):
        parse(json.dumps(fields))


# comparing ------------------------------------------------------------------------------------------------------------


def levels(judgements: tuple[Judgement, ...]) -> dict[str, str]:
    return {f"{judgement.id} {judgement.about}".strip(): judgement.level for judgement in judgements}


def test_servers_that_serve_the_same_are_fine_whatever_the_order_of_keys(document: MetadataDocument) -> None:
    twice = replace(document, keys=document.keys * 2, endpoints=(), id="_other")
    assert worst(compare({"exch-1": document, "exch-2": twice})) == "ok"


def test_a_server_with_other_keys_is_a_blocker_that_names_both_groups(load_case: LoadCase) -> None:
    both, one = (
        parse(body_of(load_case(next(path for path in CASES if path.stem == stem))))
        for stem in ("exchange_rollover", "exchange")
    )
    found = {judgement.id: judgement for judgement in compare({"exch-1": both, "exch-2": one, "exch-3": one})}
    assert found["metadata.same_keys"].level == "blocker"
    assert "on exch-1" in found["metadata.same_keys"].seen
    assert "on exch-2, exch-3" in found["metadata.same_keys"].seen
    assert found["metadata.same_realm"].level == "ok"


def test_servers_that_differ_in_application_or_realm_are_a_blocker(document: MetadataDocument) -> None:
    other = replace(document, service_name="x" * 200 + "1", realm=None)
    longer = replace(document, service_name="x" * 200 + "2")
    found = levels(compare({"exch-1": other, "exch-2": longer}))
    assert found["metadata.same_application"] == "blocker"
    assert found["metadata.same_realm"] == "blocker"
    assert found["metadata.same_keys"] == "ok"


def test_a_server_that_gave_no_document_leaves_the_comparison_unknown(document: MetadataDocument) -> None:
    found = levels(compare({"exch-1": document, "exch-2": Problem("timeout", "no answer within the deadline")}))
    assert found == {
        "metadata.served exch-1": "ok",
        "metadata.served exch-2": "unknown",
        "metadata.same_application": "unknown",
        "metadata.same_realm": "unknown",
        "metadata.same_keys": "unknown",
    }


def test_readable_servers_that_differ_block_even_when_another_did_not_answer(document: MetadataDocument) -> None:
    other = replace(document, realm="contoso.com")
    found = levels(compare({"exch-1": document, "exch-2": other, "exch-3": Problem("dns", "no such name")}))
    assert found["metadata.same_realm"] == "blocker"
    assert found["metadata.same_keys"] == "unknown"


def test_nothing_to_compare_is_unknown() -> None:
    assert set(levels(compare({})).values()) == {"unknown"}


def test_a_refused_document_can_be_compared_as_the_problem_it_is(document: MetadataDocument) -> None:
    with pytest.raises(MetadataError) as caught:
        parse(b"<html><title>Sign in</title>", source="https://exch-2.litwareinc.com/autodiscover/metadata/json/1")
    served = compare({"exch-1": document, "exch-2": caught.value.problem})[1]
    assert (served.about, served.level) == ("exch-2", "unknown")
    assert "'Sign in'" in served.seen
    assert served.seen.endswith("[html]")
