"""`policy.scope`: each product's administrators plan and change their own side, on facts that the others handed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_run import ALL, EX1, FE1, World, world

from s2slab.winrm.launch import Engine
from s2slib.deployment import DeploymentError
from s2slib.notebook.session import NotebookRun


@pytest.fixture
def estate(tmp_path: Path, engine: Engine) -> Iterator[World]:
    with world(tmp_path, engine=engine) as made:
        yield made


def side(scope: str, other: Path | None = None) -> dict[str, Any]:
    """The sections of a deployment that reaches one side."""
    return {"policy": {"scope": scope}, "network": {"other_side": str(other) if other else None}}


def hand_over(estate: World, scope: str, to: Path) -> Path:
    """facts.json of a check run of one side, as its administrators would send it."""
    with estate.run("check", **side(scope)) as run:
        run.inspect()
        to.write_bytes((run.folder / "facts.json").read_bytes())
    return to


def test_without_the_other_side_s_facts_its_state_is_unknown_and_blocks(estate: World) -> None:
    with estate.run("check", **side("exchange")) as run:
        facts = run.inspect()
        plan = run.plan()
        result = run.phase("exchange_partner_application")
    assert "not in this run's scope" in facts.unknowns(["lync/oauth_certificate"])["lync/oauth_certificate"]
    assert result.state == "blocked"
    assert not [change for change in plan.changes if change.target == FE1]


@pytest.mark.slow
def test_each_side_changes_its_own_servers_only(estate: World, tmp_path: Path) -> None:
    exchange_facts = hand_over(estate, "exchange", tmp_path / "exchange.json")
    ours = side("lync", exchange_facts)
    names = ("certificates", "autodiscover", "lync_partner_application")
    results = estate.apply(*names, **ours)
    assert {name: result.state for name, result in results.items()} == dict.fromkeys(names, "done")
    assert {row.cause.server for row in estate.written()} == {FE1}

    lync_facts = hand_over(estate, "lync", tmp_path / "lync.json")
    theirs = side("exchange", lync_facts)
    before = len(estate.written())
    results = estate.apply("exchange_partner_application", "restart_iis", **theirs)
    assert {result.state for result in results.values()} == {"done"}
    assert FE1 not in {row.cause.server for row in estate.written()[before:]}
    assert estate.verify().proven


def test_the_plan_says_what_the_other_side_has_to_make(estate: World, tmp_path: Path) -> None:
    lync_facts = hand_over(estate, "lync", tmp_path / "lync.json")
    with estate.run("check", **side("exchange", lync_facts)) as run:
        run.inspect()
        plan = run.plan()
    assert "the other side's administrators make it: Assign" in plan.reason("certificates")
    assert EX1 not in {change.target for change in plan.of("certificates")}


@pytest.mark.slow
def test_without_a_front_end_in_reach_the_trust_is_not_called_proven(estate: World, tmp_path: Path) -> None:
    estate.apply(*ALL)
    found = estate.verify(**side("exchange", hand_over(estate, "lync", tmp_path / "lync.json")))
    assert not found.proven
    assert [row.id for row in found.findings if row.level != "ok"] == ["verification.storage.out_of_scope"]


def test_a_file_that_is_no_export_of_facts_is_refused_before_anything_is_contacted(
    estate: World, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"lync/oauth_certificate": "yes"}), encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"network\.other_side"), estate.run("check", **side("exchange", broken)):
        pass


def test_reaching_servers_asks_one_side_s_only(estate: World) -> None:
    with estate.run("check", **side("lync")) as run:
        shown = repr(NotebookRun(run).reach())
    assert "Servers: ok" in shown
    assert FE1 in shown
    assert EX1 not in shown
