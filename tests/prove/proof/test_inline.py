"""What pods mount without a PersistentVolume is as live as any volume."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.resources import CLAIMS, PODS, VOLUMES
from lazarus_tui.prove.proof.identity import compared
from lazarus_tui.prove.proof.inline import live
from tests.velero.lab import World

EXPORT = {"nfs": {"server": "nas", "path": "/exports/orders"}}


def pod(world: Any, name: str, space: str, volume: dict[str, Any], phase: str = "Running") -> None:
    world.put(PODS, name, space, spec={"volumes": [{"name": "v", **volume}, {"name": "s", "secret": {}}]},
              status={"phase": phase})  # fmt: skip


@pytest.fixture
def world() -> Any:
    world: Any = World()
    world.put(CLAIMS, "data", "q")
    bound = {"namespace": "q", "name": "data", "uid": "u"}
    world.put(VOLUMES, "copy", "", spec={**EXPORT, "claimRef": bound})
    return world


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (EXPORT, ["claim data is nfs:nas:/exports/orders, mounted by pod shop/orders-0"]),
        ({"nfs": {"server": "NAS.", "path": "/exports/"}},
         ["claim data is nfs:nas:/exports/orders, in or around nfs:nas:/exports, mounted by pod shop/orders-0"]),
        ({"nfs": {"server": "nas", "path": "/exports/web"}}, []),
        ({"nfs": {"server": "other", "path": "/exports/orders"}}, []),
    ],
)  # fmt: skip
async def test_a_copy_on_what_a_live_pod_mounts_is_no_copy(
    world: Any, volume: dict[str, Any], words: list[str]
) -> None:
    pod(world, "orders-0", "shop", volume)
    assert (await compared(world, "q", ()))["same"] == words


async def test_pods_of_the_copy_and_those_that_are_over_are_not_live(world: Any) -> None:
    pod(world, "orders-0", "q", EXPORT)
    pod(world, "done", "shop", EXPORT, "Succeeded")
    assert (await compared(world, "q", ()))["same"] == []


async def test_agents_that_mount_directories_of_nodes_say_nothing() -> None:
    world: Any = World()
    pod(world, "agent", "monitoring", {"hostPath": {"path": "/"}})
    pod(world, "vault", "shop", {"csi": {"driver": "secrets-store.csi.k8s.io", "volumeAttributes": {}}})
    pod(world, "share", "shop", {"azureFile": {"secretName": "mine", "shareName": "s"}})
    assert await live(world, "q") == {"azureFile:*:s": "mounted by pod shop/share"}


async def test_where_pods_may_not_be_listed_volumes_are_compared_all_the_same(world: Any) -> None:
    whole = world.list

    async def refused(resource: Any, namespace: Any = None, **asked: Any) -> Any:
        if resource is PODS:
            raise Forbidden("no", status=403, resource="pods")
        return await whole(resource, namespace, **asked)

    world.list = refused
    world.put(VOLUMES, "live", "", spec={**EXPORT, "claimRef": {"namespace": "shop", "name": "data"}})
    assert len((await compared(world, "q", ()))["same"]) == 1
