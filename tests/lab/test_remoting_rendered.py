"""What is shown to people is what is run: rendered lines, typed into the lab's PowerShell, bind the same values."""

from __future__ import annotations

import base64
import io
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from remoting_machine import SCRIPT, TELL, Desk
from s2slib.lab.powershell import run_process

from s2slib.remoting.command import Cmdlet, Command, Program, Script

HOSTILE = ["it's", "a’; Remove-X; ‘b", "‚‛“”„", "$(1)", "`n", '"', "", " ", "-Name", "@{a=1}", "a\r\nb", "\U0001f600–"]
TEXTS = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
)


@pytest.fixture(scope="module", autouse=True)
def started_once() -> None:
    """The evaluator raises this process's recursion limit when it is first used; hypothesis wants that over with."""
    typed_in(Desk(), Program(TELL))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def typed_in(desk: Desk, command: Command) -> str:
    """What PowerShell prints for the rendered line; the desk notes what its cmdlets were given."""
    out, err = bytearray(), bytearray()
    encoded = base64.b64encode(command.render().encode("utf-16-le")).decode("ascii")
    code = run_process(
        ["-NoProfile", "-NonInteractive", "-EncodedCommand", encoded],
        stdin=io.BytesIO(),
        stdout=out.extend,
        stderr=err.extend,
        machine=desk,
        session=None,
        stop=threading.Event(),
    )
    assert code == 0 or isinstance(command, Program), (command.render(), err.decode())
    return out.decode("utf-8")


def same(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Text": TEXTS,
            "Texts": st.lists(TEXTS, max_size=3).map(tuple),
            "Number": st.integers(-(2**31), 2**31 - 1),
            "Big": st.integers(-(2**63), 2**63 - 1),
            "Flag": st.booleans(),
            "Raw": st.binary(min_size=1, max_size=8),
            "When": st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        },
    )
)
def test_a_rendered_cmdlet_binds_the_values_it_was_made_of(desk: Desk, parameters: dict[str, Any]) -> None:
    desk.given.clear()
    command = Cmdlet("Set-Given", parameters)
    typed_in(desk, command)
    ((_, given),) = desk.given
    assert {name: same(value) for name, value in given.items()} == parameters


def test_a_switch_is_bound_by_the_same_form_as_a_boolean(desk: Desk) -> None:
    for wanted in (True, False):
        desk.given.clear()
        typed_in(desk, Cmdlet("Set-Given", {"Force": wanted, "Flag": wanted}))
        ((_, given),) = desk.given
        assert (bool(given["Force"]), given["Flag"]) == (wanted, wanted)


def test_a_rendered_program_gets_the_same_arguments(desk: Desk) -> None:
    arguments = ("/noforce", "/timeout:300", "it’s a $test", "x;y")
    assert typed_in(desk, Program(TELL, arguments)).startswith("told: " + "|".join(arguments))


def test_a_rendered_script_is_run_and_not_echoed(desk: Desk) -> None:
    desk.files[SCRIPT] = 'param($Name, [switch]$Force)\n"$Name/$Force"\n'
    assert typed_in(desk, Script(SCRIPT, {"Name": "it’s", "Force": True})).split() == ["it’s/True"]
