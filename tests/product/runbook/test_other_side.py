"""What the other side's administrators hand over is read however their editor saved it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.paths import PARAMS
from helpers.trusted_estate import facts

from s2slib.deployment import from_parameters
from s2slib.runbook.reading.inspect import handed_over


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_of_facts_may_have_a_byte_order_mark_or_be_utf_16(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_bytes(json.dumps(facts().to_json()).encode(encoding))
    data = from_parameters({"deployment": "lab"}, PARAMS).parameters()
    data["network"] = {**data["network"], "other_side": str(file)}  # type: ignore[dict-item]
    given = handed_over(from_parameters(data, PARAMS))
    assert given is not None
    assert dict(given) == dict(facts())
