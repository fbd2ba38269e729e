"""What administrators type: several hundred short scripts with the answers of Windows PowerShell 5.1.

Nobody recorded these; they were judged by hand from the documentation of 5.1 and the sources that Microsoft published. A wrong
answer of the lab is worse than a refusal, so a case that the lab refuses is taken out rather than expected to be refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from s2slib.lab.powershell.corpus import Case, read_cases, run_case

HABITS = {case.id: case for case in read_cases(Path(__file__).parents[2] / "cases" / "powershell" / "habits.jsonl")}


@pytest.mark.parametrize("case", HABITS.values(), ids=HABITS)
def test_a_script_is_answered_as_5_1_does(case: Case) -> None:
    verdict = run_case(case)
    assert (verdict.outcome, verdict.why) == ("answered", ""), (case.script, verdict.rc, verdict.stdout)
