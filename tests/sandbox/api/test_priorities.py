"""Priority admission: the class decides, the default class is everybody's, and there is one at most."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.priorities import PRIORITY_CLASSES
from tests.sandbox.api.conftest import World


def made(world: World, name: str, value: int, **more: Any) -> None:
    world.api.create(PRIORITY_CLASSES, {"metadata": {"name": name}, "value": value, **more})


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "lazarus.dev/pause:1"}], **spec}}


def got(world: World, name: str, **spec: Any) -> tuple[Any, ...]:
    found = world.api.create(PODS, pod(name, **spec), "default")["spec"]
    return tuple(found.get(key) for key in ("priorityClassName", "priority", "preemptionPolicy"))


def test_the_class_decides_and_the_default_is_everybodys(world: World) -> None:
    made(world, "quiet", -10, preemptionPolicy="Never")
    assert got(world, "a", priorityClassName="quiet") == ("quiet", -10, "Never")
    assert got(world, "b") == (None, 0, "PreemptLowerPriority")
    assert got(world, "c", priorityClassName="quiet", priority=-10, preemptionPolicy="Never")[1] == -10
    made(world, "usual", 5, globalDefault=True)
    assert got(world, "d") == ("usual", 5, "PreemptLowerPriority")
    with pytest.raises(ApiError, match="no PriorityClass with name gone was found"):
        got(world, "e", priorityClassName="gone")
    with pytest.raises(ApiError, match=r"priority \(9\) must not be provided .* computed -10 from"):
        got(world, "e", priorityClassName="quiet", priority=9)


def test_there_is_one_default_at_most(world: World) -> None:
    made(world, "usual", 5, globalDefault=True)
    with pytest.raises(ApiError, match="PriorityClass usual is already marked as default"):
        made(world, "other", 6, globalDefault=True)


def test_every_cluster_starts_with_two(world: World) -> None:
    found = {one["metadata"]["name"]: one["value"] for one in world.api.list(PRIORITY_CLASSES)}
    assert found == {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
