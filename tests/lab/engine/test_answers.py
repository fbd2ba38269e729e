"""Requests of every kind: the direct engine answers them as a real PowerShell did (`tests/cases/engine/answers.json`).

The recording is made by `tools/record_answers.py`; with a PowerShell at hand a test holds that it still answers so.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from helpers.paths import CASES
from helpers.questions import answers
from helpers.recorded import Renaming, differences, readable

from s2slab.engine.direct import DirectEngine
from s2slab.engine.real import RealEngine

RECORDED = CASES / "engine" / "answers.json"
# What the direct engine, which is a 5.1 on Windows, has otherwise; each as `what: path`.
OTHERWISE = {
    r"(Get-NoSuch|a script that is not there): \.errors\[0\]\.message": "5.1 words 'not recognized' in its own way",
    r"too (many objects|much text): \.state": "whether a command was done before it was looked at is a matter of moments",
    r"a script( that fails)?: \.output\[0\]\.object\[1\]\[0\]\[1\]": "a far process of this machine is 'localhost'",
}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


def against(recorded: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Where answers differ from the recorded ones."""
    assert list(found) == list(recorded), "run tools/record_answers.py: the questions are others now"
    return [
        f"{what}: {line}"
        for what, answer in found.items()
        for line in differences(readable(answer), recorded[what], Renaming())
    ]


def test_the_direct_engine_answers_as_a_real_powershell_did(recorded: dict[str, Any]) -> None:
    found = against(recorded, answers(DirectEngine()))
    unexpected = [line for line in found if not any(re.search(known, line) for known in OTHERWISE)]
    assert not unexpected, "\n".join(unexpected[:20])
    assert len(recorded) > 500


@pytest.mark.pwsh
def test_a_real_powershell_still_answers_as_it_did(pwsh: RealEngine, recorded: dict[str, Any]) -> None:
    found = [line for line in against(recorded, answers(pwsh)) if not re.search(r"too .*\.state", line)]
    assert not found, "\n".join(found[:20])
