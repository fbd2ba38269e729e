"""What is shown to people is what is run: rendered lines, read by the real parser and run, bind the values they were made of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.remoting_machine import SCRIPT, TELL, Desk
from helpers.rendered_lines import Typist, parameters

from s2slab.engine.real import RealEngine
from s2slib.remoting.values.command import Cmdlet, Program, Script

pytestmark = pytest.mark.pwsh


@pytest.fixture
def desk() -> Desk:
    return Desk(files={SCRIPT: 'param($Name, [switch]$Force)\n"$Name/$Force"\n'})


@pytest.fixture
def typist(pwsh: RealEngine, desk: Desk) -> Iterator[Typist]:
    with Typist(pwsh, desk) as made:
        yield made


def test_rendered_cmdlets_bind_the_values_they_were_made_of(typist: Typist, desk: Desk) -> None:
    rng = random.Random(20260101)
    for _ in range(200):
        wanted = parameters(rng)
        desk.given.clear()
        typist.type(Cmdlet("Set-Given", wanted).render())
        ((_, given),) = desk.given
        assert {name: same(value) for name, value in given.items()} == wanted


def test_a_text_that_would_stop_the_parsing_is_read_as_it_is_shown(typist: Typist, desk: Desk) -> None:
    wanted = {"Text": "--%", "Texts": ("--%", "a"), "Any": "b"}
    typist.type(Cmdlet("Set-Given", wanted).render())
    ((_, given),) = desk.given
    assert {name: same(value) for name, value in given.items()} == wanted


def test_a_switch_is_bound_by_the_same_form_as_a_boolean(typist: Typist, desk: Desk) -> None:
    for wanted in (True, False):
        desk.given.clear()
        typist.type(Cmdlet("Set-Given", {"Force": wanted, "Flag": wanted}).render())
        ((_, given),) = desk.given
        assert (bool(given["Force"]), given["Flag"]) == (wanted, wanted)


def test_a_rendered_program_gets_the_same_arguments(typist: Typist) -> None:
    arguments = ("/noforce", "/timeout:300", "it’s a $test", "x;y")
    assert typist.type(Program(TELL, arguments).render()).startswith("told: " + "|".join(arguments))


def test_a_rendered_script_is_run_and_not_echoed(typist: Typist) -> None:
    assert typist.type(Script(SCRIPT, {"Name": "it’s", "Force": True}).render()) == "it’s/True"


def same(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given
