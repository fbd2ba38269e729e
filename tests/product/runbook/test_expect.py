"""Conditions on facts: what holds, what does not, and what nobody can say."""

from __future__ import annotations

import pytest

from s2slib.facts import Absent, Facts, Generated, Known, Unknown
from s2slib.runbook.model.expect import ABSENT, ANY, all_hold, condition, contains, differences, one_of, wanted

UNKNOWN = Unknown("no answer")


@pytest.mark.parametrize(
    ("fact", "expected", "answer"),
    [
        (Known("Full"), "full", True),
        (Known("Full"), "User", False),
        (Known(True), True, True),
        (Known("True"), True, False),  # text is not a boolean
        (Known(1), True, False),
        (Known({"a": 1, "b": 2}), {"a": 1}, True),
        (Known({"a": 1}), {"a": 1, "b": 2}, False),
        (Known({"a": ""}), {"a": ABSENT}, True),
        (Known({}), {"a": ABSENT}, True),
        (Known(["A", "b"]), contains("a"), True),
        (Known(["A"]), contains("a", "b"), False),
        (Known([]), contains("a"), False),
        (Known("text"), contains("text"), False),
        (Known("x"), ANY, True),
        (Known(""), ANY, False),
        (Known([]), ANY, False),
        (Known("b"), one_of("a", "b"), True),
        (Absent(), one_of("a", ABSENT), True),
        (Absent(), ABSENT, True),
        (Absent(), ANY, False),
        (Absent(), "x", False),
        (Known("x"), ABSENT, False),
        (Generated("later"), ANY, True),
        (Generated("later"), "x", False),
        (Known([1, 2]), [1, 2], True),
        (Known([1, 2]), [2, 1], False),
        (UNKNOWN, ABSENT, None),
        (UNKNOWN, ANY, None),
    ],
)
def test_a_condition_holds_fails_or_cannot_be_told(fact: object, expected: object, answer: object) -> None:
    assert condition(expected).holds(fact) is answer  # type: ignore[arg-type]


def test_one_condition_that_fails_outweighs_those_that_are_unknown() -> None:
    facts = Facts({"a": Known(1), "b": UNKNOWN})
    assert all_hold(facts, wanted({"a": 2, "b": 1})) is False
    assert all_hold(facts, wanted({"a": 1, "b": 1})) is None
    assert all_hold(facts, wanted({"a": 1})) is True


def test_a_key_that_was_never_read_is_unknown_not_absent() -> None:
    assert ABSENT.holds(Facts()["lync/oauth_certificate"]) is None


def test_differences_show_what_was_seen_and_what_was_expected() -> None:
    facts = Facts({"url": Known("https://a"), "gone": Absent()})
    assert differences(facts, wanted({"url": "https://b", "gone": ANY})) == [
        ("url", "https://a", "https://b"),
        ("gone", "absent", "any value"),
    ]
