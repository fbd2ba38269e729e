"""Fixtures of the lab's network tests: worlds that are taken down again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from helpers.lab_world import World

from s2slab.scenario import Scenario


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(**scenario: object) -> World:
        made.append(World(Scenario(**{"lync_certificate_assigned": True, **scenario})))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for world in made:
        world.sites.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture(scope="module")
def steady_world() -> Iterator[World]:
    """A world for the tests of one module that change nothing in it."""
    steady = World(Scenario(lync_certificate_assigned=True))
    yield steady
    steady.sites.close()
