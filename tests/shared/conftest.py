"""A world per Velero version; everything here needs the CRDs beside the clone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.shared.real import VERSIONS, Bench, World


@pytest.fixture(params=VERSIONS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world = World(request.param)
    yield world
    await world.close()


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)
