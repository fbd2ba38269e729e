"""The whole corpus: what a real engine answered, the evaluator answers alike or refuses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from s2slib.lab.powershell.__main__ import main
from s2slib.lab.powershell.corpus import Case, Verdict, read_cases, run_case, run_corpus
from s2slib.lab.powershell.differences import as_windows_powershell

CORPUS = Path(__file__).parents[2] / "cases" / "powershell" / "corpus.jsonl"
MOST = ("quote", "quote-many", "args", "bind", "stdin", "article", "flow", "runspace", "supervisor")


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return list(run_corpus(read_cases(CORPUS)))


def test_no_case_is_answered_otherwise(verdicts: list[Verdict]) -> None:
    wrong = [f"{v.case.id}: {v.rc} {v.stdout[:200]!r}" for v in verdicts if v.outcome == "wrong"]
    assert wrong == []


def test_most_cases_are_answered_and_not_refused(verdicts: list[Verdict]) -> None:
    outcomes = Counter(v.outcome for v in verdicts)
    assert outcomes["answered"] / (outcomes.total() - outcomes["left out"]) > 0.95


@pytest.mark.parametrize("group", MOST)
def test_what_the_product_rests_on_is_answered(verdicts: list[Verdict], group: str) -> None:
    outcomes = Counter(v.outcome for v in verdicts if v.case.group == group and v.outcome != "left out")
    assert outcomes["answered"] >= 0.95 * outcomes.total() > 0


def test_a_refusal_says_what_is_not_understood(verdicts: list[Verdict]) -> None:
    refused = [v for v in verdicts if v.outcome == "refused"]
    assert refused
    assert all(v.why and "Error at" not in v.why for v in refused)


def cases() -> Iterator[Case]:
    yield Case("x-1", "flow", "'a'", 0, "a\n")
    yield Case("x-2", "flow", "Get-ChildItem", 0, "a\n")
    yield Case("x-3", "flow", "'a'", 0, "b\n")
    yield Case("x-4", "flow", "'a'", 0, "b\n", differs51="for the test")


def test_the_runner_tells_answered_refused_and_wrong_apart() -> None:
    assert [v.outcome for v in run_corpus(cases())] == ["answered", "refused", "wrong", "left out"]


def test_a_case_without_a_mark_is_left_out_when_a_documented_difference_explains_the_answer(
    verdicts: list[Verdict],
) -> None:
    explained = {v.case.id: v.why for v in verdicts if v.outcome == "left out" and v.case.differs51 is None}
    assert list(explained) == ["stdin-001"]
    assert "JavaScriptStringEncode" in explained["stdin-001"]
    assert "about_Command_Precedence" in explained["stdin-001"]


def test_a_documented_difference_explains_nothing_but_itself() -> None:
    recorded = Case("x-1", "json-out", 'ConvertTo-Json "it\'s" -Compress', 0, '"it\'s"\n')
    assert run_case(recorded).outcome == "left out"
    assert run_case(replace(recorded, stdout='"it\'s not"\n')).outcome == "wrong"
    assert run_case(replace(recorded, rc=1)).outcome == "wrong"
    assert run_case(replace(recorded, script='"it\'s"', stdout="it\\u0027s\n")).outcome == "wrong"


@pytest.mark.parametrize(
    ("id", "differences"),
    [
        ("bind-018", ["5.1 writes ' < > & in JSON as \\u00XX"]),
        ("catch-004", ["5.1 does not repeat the text that is no number"]),
        ("catch-007", ["5.1 writes ' < > & in JSON as \\u00XX"]),
        ("catch-020", ["5.1 ends the Base-64 message with a blank"]),
        ("json-out-009", ["5.1 writes ' < > & in JSON as \\u00XX"]),
        ("json-out-019", ["5.1 writes ' < > & in JSON as \\u00XX"]),
        ("supervisor-002", ["5.1 words an unknown command otherwise", "5.1 writes ' < > & in JSON as \\u00XX"]),
        ("supervisor-005", ["5.1 ends the Base-64 message with a blank", "5.1 writes ' < > & in JSON as \\u00XX"]),
    ],
)
def test_cases_marked_by_others_are_answered_as_the_rules_say(id: str, differences: list[str]) -> None:
    marked = next(c for c in read_cases(CORPUS) if c.id == id)
    assert marked.differs51
    assert run_case(marked).outcome == "left out"
    assert [d.says for d in as_windows_powershell(marked.stdout)[1]] == differences


def test_another_exit_code_is_another_answer() -> None:
    case = Case("x-1", "flow", "'a'", 0, "a\n")
    assert run_case(replace(case, rc=3)).outcome == "wrong"


def test_the_command_line_prints_every_other_answer_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.jsonl"
    rows = [c.__dict__ if hasattr(c, "__dict__") else {} for c in cases()]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    assert main(["--corpus", str(path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("x-2: ")
    assert "refused: the command Get-ChildItem" in printed[0]
    assert printed[1].startswith("x-3: ")
    assert printed[2] == "left out x-4: for the test"
    assert printed[-1] == "answered 1, refused 1, wrong 1"


def test_a_script_may_hold_any_character_that_ends_a_line_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    row = {"id": "x-1", "group": "flow", "script": "'a\u2028b\u0085'.Length", "rc": 0, "stdout": "4\n", "more": 1}
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [v.outcome for v in run_corpus(read_cases(path))] == ["answered"]
