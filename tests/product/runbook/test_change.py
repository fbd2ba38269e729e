"""The one rule, projection and the canonical plan."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2slib.facts import Absent, Fact, Facts, Generated, Known, Unknown
from s2slib.remoting.values.command import Cmdlet
from s2slib.runbook.model.change import Change, Settle, Step, Verdict, rule
from s2slib.runbook.model.expect import ABSENT, ANY, all_hold, contains, wanted
from s2slib.runbook.model.plan import Plan

UNKNOWN = Unknown("link lost")


def change(**kwargs: object) -> Change:
    """A change of one value, with what a test wants different."""
    step = Step("atl-fe-001.litwareinc.com", Cmdlet("Set-CsOAuthConfiguration", {"Realm": "new"}, effect="write"))
    defaults: dict[str, object] = {
        "id": "lync.example",
        "phase": "autodiscover",
        "title": "Example",
        "target": "atl-fe-001.litwareinc.com",
        "reason": "it differs",
        "steps": (step,),
        "rests_on": {"realm": "old"},
        "after": {"realm": "new"},
    }
    return Change(**{**defaults, **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fact", "verdict"),
    [
        (Known("new"), Verdict.DONE),
        (Known("old"), Verdict.DO),
        (Known("other"), Verdict.MOVED),
        (Absent(), Verdict.MOVED),
        (UNKNOWN, Verdict.BLOCKED),
    ],
)
def test_the_one_rule_decides_from_the_facts_of_the_moment(fact: Fact, verdict: Verdict) -> None:
    assert rule(change(), Facts({"realm": fact})).verdict is verdict


def test_a_moved_state_outweighs_an_unknown_one_and_names_the_difference() -> None:
    two = change(rests_on={"realm": "old", "other": 1})
    ruling = rule(two, Facts({"realm": Known("third"), "other": UNKNOWN}))
    assert ruling.verdict is Verdict.MOVED
    assert ("realm", "third", "old") in ruling.against


def test_a_blocked_change_names_what_could_not_be_read() -> None:
    ruling = rule(change(), Facts({"realm": UNKNOWN}))
    assert all("link lost" in seen for _, seen, _ in ruling.against)
    assert ruling.against


def test_projection_leaves_values_that_only_apply_brings_as_generated() -> None:
    made = change(rests_on={"entry": ABSENT}, after={"entry": {"url": "https://x", "account": ANY}, "id": ANY})
    projected = made.project(Facts({"entry": Absent(), "id": Absent()}))
    assert projected.value("entry")["url"] == "https://x"
    assert "generated" in projected.value("entry")["account"]
    assert isinstance(projected["id"], Generated)


def test_projection_covers_what_settles_later_too() -> None:
    made = change(settled_when=Settle(wanted({"replica": {"realm": "new"}}), 60))
    assert made.project(Facts({"realm": Known("old"), "replica": Known({"realm": "old"})})).value("replica") == {
        "realm": "new"
    }


_values = st.one_of(st.text(max_size=8), st.booleans(), st.integers(-9, 9))
_conditions = st.dictionaries(
    st.sampled_from("abcd"),
    st.one_of(
        _values,
        st.just(ABSENT),
        st.just(ANY),
        st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3).map(lambda items: contains(*items)),
        st.dictionaries(st.sampled_from("xyz"), st.one_of(_values, st.just(ANY)), min_size=1),
    ),
    min_size=1,
)
_facts = st.dictionaries(
    st.sampled_from("abcd"),
    st.one_of(
        st.just(Absent()),
        st.just(UNKNOWN),
        _values.map(Known),
        st.lists(st.text(max_size=5), max_size=3).map(Known),
        st.dictionaries(st.sampled_from("xyz"), _values).map(Known),
    ),
)


@given(_facts, _conditions)
def test_after_a_change_is_projected_its_after_holds(facts: dict[str, Fact], after: dict[str, object]) -> None:
    projected = change(after=after).project(Facts(facts))
    assert all_hold(projected, wanted(after)) is True


def test_the_same_plan_has_the_same_hash_and_any_difference_another_one() -> None:
    one = Plan("lab", (change(),), (("preflight", "only reads"),))
    again = Plan("lab", (change(),), (("preflight", "only reads"),))
    assert one.hash == again.hash
    assert Plan("lab", (change(reason="another"),)).hash != one.hash
    json.dumps(one.to_json(), allow_nan=False)


def test_the_back_out_of_a_plan_runs_newest_first() -> None:
    first = change(id="a", undo=(change(id="undo.a.1"), change(id="undo.a.2")))
    second = change(id="b", undo=(change(id="undo.b"),))
    assert [undo.id for undo in Plan("lab", (first, second)).back_out()] == ["undo.b", "undo.a.1", "undo.a.2"]
