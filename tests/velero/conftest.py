"""A laboratory with a storage location, a namespace and a bound claim."""

from __future__ import annotations

import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import CLAIMS, LOCATIONS, NAMESPACES
from tests.velero.lab import START, Lab, World, serve_downloads


@pytest.fixture
def world() -> World:
    world = World()
    serve_downloads(world)
    world.put(LOCATIONS, "default", spec={"default": True},
              status={"phase": "Available", "lastValidationTime": rfc3339(START)})  # fmt: skip
    world.put(NAMESPACES, "shop", "")
    world.put(CLAIMS, "data-orders-0", "shop", status={"phase": "Bound"})
    return world


@pytest.fixture
def lab(world: World) -> Lab:
    return Lab(world)
