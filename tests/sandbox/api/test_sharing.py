"""Equal parts are one; what only looks equal to Python is not; a past version stays what it was."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import DEPLOYMENTS
from lazarus_tui.sandbox.api.sharing import Sharing

from .conftest import World


def spec(**more: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "registry.example.com/team/service:1.2.3", **more}
    return {"replicas": 1, "template": {"spec": {"containers": [container]}}}


def shared(*specs: Any, cap: int = 64) -> list[Any]:
    sharing, objects = Sharing(cap), [{"spec": one} for one in specs]
    for obj in objects:
        sharing.spec(obj)
    return [obj["spec"] for obj in objects]


def test_what_is_equal_is_one_and_the_same() -> None:
    one, two = shared(spec(), spec())
    assert one == spec()
    assert one is two


def test_parts_are_shared_where_the_whole_differs() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}}
    one, two = shared(spec(probe=probe), spec(probe=dict(probe), args=["--verbose"]))
    assert one != two
    first, second = (found["template"]["spec"]["containers"][0]["probe"] for found in (one, two))
    assert first is second


def test_one_and_true_and_an_order_are_told_apart() -> None:
    number, truth, fraction = ({"first": {"value-of-some-length": value}} for value in (1, True, 1.0))
    found = shared(number, truth, fraction)
    assert [type(one["first"]["value-of-some-length"]) for one in found] == [int, bool, float]
    there, back = {"alpha": "alpha", "beta": "beta"}, {"beta": "beta", "alpha": "alpha"}
    assert [list(one) for one in shared(there, back)] == [["alpha", "beta"], ["beta", "alpha"]]


def test_only_so_many_are_remembered_and_nothing_is_lost_by_it() -> None:
    specs = [spec(args=[f"--number={number:06}"]) for number in range(50)]
    sharing = Sharing(cap=8)
    for one in specs:
        obj = {"spec": one}
        sharing.spec(obj)
        assert obj["spec"] == one
    assert len(sharing._parts) <= 8


def test_what_was_given_is_not_changed() -> None:
    mine = spec()
    (found,) = shared(mine)
    assert mine == spec() == found
    assert mine["template"] is not found["template"]


async def test_a_change_to_one_does_not_reach_the_other(world: World) -> None:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "main", "image": "team/a:1"}]}}
    body = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    for name in ("one", "two"):
        world.api.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": body}, "default")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "team/a:2"}]}}}}
    world.api.patch(DEPLOYMENTS, "one", image, "default")

    def images() -> list[str]:
        found = world.api.list(DEPLOYMENTS, "default")
        return [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found]

    assert images() == ["team/a:2", "team/a:1"]
