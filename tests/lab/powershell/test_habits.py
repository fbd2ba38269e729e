"""What administrators type: several hundred short scripts with the answers of Windows PowerShell 5.1.

Nobody recorded these; they were judged by hand from the documentation of 5.1 and the sources that Microsoft published. A wrong
answer of the lab is worse than a refusal, so a case that the lab refuses is taken out rather than expected to be refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from s2slib.lab.powershell.corpus import read_cases, run_case

HABITS = read_cases(Path(__file__).parents[2] / "cases" / "powershell" / "habits.jsonl")


@pytest.mark.parametrize("group", sorted({case.group for case in HABITS}))
def test_scripts_are_answered_as_5_1_does(group: str) -> None:
    verdicts = [run_case(case) for case in HABITS if case.group == group]
    assert [
        (v.case.id, v.case.script, v.outcome, v.why, v.rc, v.stdout) for v in verdicts if v.outcome != "answered"
    ] == []
