"""A plan is a value: the same facts give the same hash, JSON gives it back, and what was edited is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from helpers.trusted_estate import EX1, EX2, FE1, FE2, exchange_entry, facts, lync_entry, scope, with_facts
from hypothesis import given, settings
from hypothesis import strategies as st

from s2slib.facts import Absent, Facts, Generated, Known, Unknown, normal, on
from s2slib.products import exchange, lync
from s2slib.remoting.values.command import Cmdlet
from s2slib.runbook.model.change import Change, Settle, Step, Verdict, rule
from s2slib.runbook.model.expect import ABSENT, ANY, contains, lacks, one_of, wanted
from s2slib.runbook.model.plan import Plan, PlanError, sha256_of
from s2slib.runbook.phases import whole_plan
from s2slib.runbook.reading.derive import EXCHANGE_IN_LYNC, LYNC_IN_EXCHANGE
from s2slib.typed import from_json, to_json

# One independent thing each that a plan may find to be done; several at once make the estates to plan for.
HARMS: dict[str, dict[str, Any]] = {
    "no certificate": {lync.OAUTH_CERTIFICATE: Absent()},
    "no url": {
        lync.OAUTH_CONFIGURATION: {
            "realm": "",
            "service_name": lync.LYNC_APPLICATION_ID,
            "exchange_autodiscover_url": "",
            "exchange_autodiscover_allowed_domains": "",
        }
    },
    "contacts": {lync.USER_POLICIES: [{"identity": "Global", "ucs_allowed": True}]},
    "no entry in exchange": {
        exchange.PARTNER_APPLICATIONS: [],
        exchange.APPLICATION_USER: Absent(),
        exchange.MAIL_USER: Absent(),
        exchange.ROLE_ASSIGNMENTS: Absent(),
        **{on(server, "dc_partner_applications"): [] for server in (EX1, EX2)},
    },
    "disabled in exchange": {exchange.PARTNER_APPLICATIONS: [{**lync_entry(), "enabled": False}]},
    "account visible": {
        exchange.APPLICATION_USER: {"name": exchange.APPLICATION_ACCOUNT, "kind": "MailUser"},
        exchange.MAIL_USER: {"name": exchange.APPLICATION_ACCOUNT, "recipient_type": "MailUser", "hidden": False},
    },
    "a role missing": {exchange.ROLE_ASSIGNMENTS: sorted(exchange.ROLES)[1:]},
    "no entry in lync": {
        lync.PARTNER_APPLICATIONS: [],
        **{on(server, "replica_partner_applications"): [] for server in (FE1, FE2)},
    },
    "weak entry in lync": {lync.PARTNER_APPLICATIONS: [{**exchange_entry(), "trust_level": "User"}]},
    "unknown entry in lync": {lync.PARTNER_APPLICATIONS: Unknown("no answer")},
    "old worker": {on(EX1, "workers"): [{"pool": "p", "started": "2026-11-23T09:00:00.000000Z"}]},
}
harms = st.lists(st.sampled_from(sorted(HARMS)), max_size=6, unique=True)


def estate(names: list[str]) -> Facts:
    """The trusted estate with several things undone."""
    return with_facts({key: fact for name in names for key, fact in HARMS[name].items()})


def planned(names: list[str]) -> Plan:
    return whole_plan(scope(), estate(names))


def recorded(plan: Plan) -> dict[str, Any]:
    """plan.json, as it is read back."""
    return json.loads(json.dumps({**plan.to_json(), "hash": plan.hash}))  # type: ignore[no-any-return]


@given(harms, st.randoms())
@settings(max_examples=40)
def test_the_same_facts_give_the_same_hash_in_whatever_order_they_were_read(names: list[str], random: Any) -> None:
    found = estate(names)
    keys = list(found)
    random.shuffle(keys)
    assert whole_plan(scope(), Facts({key: found[key] for key in keys})).hash == whole_plan(scope(), found).hash


@given(harms)
@settings(max_examples=40)
def test_clocks_and_stamps_make_no_other_plan(names: list[str]) -> None:
    found = estate(names)
    later = {
        on(server, "clock"): Known({"utc": "2026-11-23T23:11:12.000000Z", "offset_s": -2}) for server in (FE1, EX1)
    }
    assert whole_plan(scope(), found.updated(later)).hash == whole_plan(scope(), found).hash


@given(harms)
@settings(max_examples=40)
def test_json_gives_the_plan_back(names: list[str]) -> None:
    plan = planned(names)
    again = Plan.from_json(recorded(plan))
    assert again == plan
    assert again.hash == plan.hash
    assert again.to_json() == plan.to_json()
    assert [from_json(Change, json.loads(json.dumps(to_json(change)))) for change in plan.changes] == list(plan.changes)


@given(harms)
@settings(max_examples=40)
def test_on_the_state_that_a_plan_leaves_there_is_nothing_to_plan_and_nothing_moved(names: list[str]) -> None:
    found = estate(names)
    now = found
    for change in whole_plan(scope(), found).changes:
        assert rule(change, now).verdict in (Verdict.DO, Verdict.BLOCKED), change.id
        now = change.project(now)
        assert rule(change, now).verdict in (Verdict.DONE, Verdict.BLOCKED), change.id


@given(harms)
@settings(max_examples=40)
def test_the_back_out_names_every_change_once_newest_first(names: list[str]) -> None:
    plan = planned(names)
    undone = [step.id for step in plan.back_out()]
    assert len(undone) == len(set(undone))
    assert undone == [step.id for change in reversed(plan.changes) for step in change.undo]
    for change in plan.changes:
        if change.steps:
            assert change.undo or change.irreversible, change.id


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every text, number and flag of a JSON value stands."""
    if isinstance(value, dict):
        return [path for key, item in value.items() for path in leaves(item, (*at, key))]
    if isinstance(value, list):
        return [path for number, item in enumerate(value) for path in leaves(item, (*at, number))]
    return [at]


@given(names=harms.filter(bool), data=st.data())
@settings(max_examples=60)
def test_a_plan_that_was_edited_anywhere_is_refused(names: list[str], data: st.DataObject) -> None:
    row = recorded(planned(names))
    *where, last = data.draw(st.sampled_from(leaves(row)))
    edited = copy.deepcopy(row)
    place = edited
    for part in where:
        place = place[part]
    place[last] = {str: "edited", bool: not place[last], int: 4711}.get(type(place[last]), "edited")
    with pytest.raises(PlanError):
        Plan.from_json(edited)


@pytest.mark.parametrize(
    "edit",
    [
        lambda row: row["changes"].pop(),
        lambda row: row["changes"].reverse(),
        lambda row: row["changes"][0]["steps"].clear(),
        lambda row: row["changes"][-1].update(undo=[]),
        lambda row: row["changes"][0].update(extra=1),
        lambda row: row.update(extra=1),
        lambda row: row.pop("hash"),
        lambda row: row.pop("fingerprint"),
        lambda row: row.update(format=2),
        lambda row: row["changes"][0]["lines"].append("Remove-Everything"),
    ],
)
def test_a_plan_with_more_or_less_or_in_another_order_is_refused(edit: Any) -> None:
    row = recorded(planned(["no url", "no entry in lync", "no entry in exchange"]))
    edit(row)
    with pytest.raises(PlanError):
        Plan.from_json(row)


def test_lines_that_say_something_else_than_the_commands_are_refused_even_under_a_new_hash() -> None:
    row = recorded(planned(["no url"]))
    row["changes"][0]["lines"] = ["Get-Date"]
    row["hash"] = sha256_of({key: value for key, value in row.items() if key != "hash"})
    with pytest.raises(PlanError):
        Plan.from_json(row)


texts = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
lists = st.lists(texts, min_size=1, max_size=3)
conditions = (
    st.just(ABSENT)
    | st.just(ANY)
    | lists.map(lambda items: contains(*items))
    | lists.map(lambda items: lacks(*items))
    | lists.map(lambda items: one_of(*items))
    | st.dictionaries(st.sampled_from(["a", "b", "c"]), scalars.filter(lambda value: value is not None), min_size=1)
    | scalars.filter(lambda value: value is not None)
)
known = values.map(normal).map(Known) | st.just(Absent()) | lists.map(Known) | st.builds(Generated, texts)


@given(before=known, expected=conditions)
@settings(max_examples=300)
def test_after_its_projection_a_change_is_done_or_known_only_after_apply(before: Any, expected: Any) -> None:
    step = Step(FE1, Cmdlet("Set-CsOAuthConfiguration", {"Identity": "global"}, effect="write"))
    change = Change("x", "p", "t", FE1, "r", (step,), {}, wanted({"key": expected}), settled_when=Settle({}, 1))
    projected = change.project(Facts({"key": before}))
    assert rule(change, projected).verdict is Verdict.DONE
    assert from_json(Change, json.loads(json.dumps(to_json(change)))).project(Facts({"key": before})) == projected


def test_the_trusted_estate_has_nothing_to_do() -> None:
    assert whole_plan(scope(), facts()).changes == ()
    assert isinstance(facts()[LYNC_IN_EXCHANGE], Known)
    assert isinstance(facts()[EXCHANGE_IN_LYNC], Known)
