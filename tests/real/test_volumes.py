"""What a restore in place asks of the server and its controllers: scales, kept volumes, and claims bound again."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from real_world import World, eventually

from lazarus_tui.kube.errors import Conflict
from lazarus_tui.model.resources import CLAIMS, STATEFULSETS, VOLUMES
from lazarus_tui.snapshots.claimspec import kept, rebound

Object = dict[str, Any]
CLASS = "lazarus-real"


async def read(world: World, resource: Any, name: str) -> Object | None:
    return await world.cluster.get(resource, name, world.ns if resource.namespaced else None, type=dict)


async def there(world: World, resource: Any, name: str) -> Object:
    found = await read(world, resource, name)
    assert found is not None, f"{name} is gone"
    return found


async def stateful_set(world: World, replicas: int) -> Object:
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template}
    return await world.cluster.create(STATEFULSETS, {"metadata": {"name": "db"}, "spec": spec}, world.ns)


async def test_a_scale_means_the_object_that_was_read(world: World) -> None:
    made = await stateful_set(world, 2)
    meta = made["metadata"]
    zero = {"spec": {"replicas": 0}}

    async def scale(**conditions: str) -> None:
        await world.cluster.merge_patch(STATEFULSETS, "db", zero, world.ns, subresource="scale", **conditions)

    with pytest.raises(Conflict):
        await scale(uid="8f2c7a1e-0000-4000-8000-000000000000", rv=meta["resourceVersion"])
    with pytest.raises(Conflict):
        await scale(uid=meta["uid"], rv="1")
    assert (await there(world, STATEFULSETS, "db"))["spec"]["replicas"] == 2
    await eventually(lambda: _at_rest(world))

    async def scaled() -> bool:
        """Its controller may write between the look and this all the same."""
        now = (await there(world, STATEFULSETS, "db"))["metadata"]
        with suppress(Conflict):
            await scale(uid=now["uid"], rv=now["resourceVersion"])
            return True
        return False

    await eventually(scaled)
    assert (await there(world, STATEFULSETS, "db"))["spec"]["replicas"] == 0


async def _at_rest(world: World) -> bool:
    """Its controller has written all that it has to say: the first pod is there, and will never be ready."""
    found = await there(world, STATEFULSETS, "db")
    status = found.get("status") or {}
    return (status.get("observedGeneration"), status.get("replicas")) == (found["metadata"]["generation"], 1)


def volume(world: World, name: str, claim: str) -> Object:
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": CLASS,
        "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": world.ns, "name": claim},
        "csi": {"driver": "lazarus.invalid", "volumeHandle": name},
    }  # fmt: skip
    return {"metadata": {"name": name}, "spec": spec}


def claim(name: str, volume_name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": CLASS, "volumeName": volume_name,
            "resources": {"requests": {"storage": "1Gi"}}}  # fmt: skip
    return {"metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "Helm"}}, "spec": spec}


async def test_an_old_volume_is_bound_again_by_its_name(world: World) -> None:
    """The undo of a restore in place, by the real binder: release, forget the old uid, bind the same volume."""
    name = f"{world.ns}-old"
    await world.cluster.create(VOLUMES, volume(world, name, "data-db-0"))
    try:
        made = await world.cluster.create(CLAIMS, claim("data-db-0", name), world.ns)
        await eventually(lambda: _phase(world, CLAIMS, "data-db-0", "Bound"))
        body = kept(await there(world, CLAIMS, "data-db-0"))
        await world.cluster.delete(CLAIMS, "data-db-0", world.ns, uid=made["metadata"]["uid"])
        await eventually(lambda: _phase(world, VOLUMES, name, "Released"))
        freed = (await there(world, VOLUMES, name))["metadata"]
        forget = {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
        with pytest.raises(Conflict):
            await world.cluster.merge_patch(VOLUMES, name, forget, uid=freed["uid"], rv="1")
        now = (await there(world, VOLUMES, name))["metadata"]
        await world.cluster.merge_patch(VOLUMES, name, forget, uid=now["uid"], rv=now["resourceVersion"])
        again = rebound("data-db-0", world.ns, body, volume=name, op="0123abcd")
        await world.cluster.create(CLAIMS, again, world.ns)
        await eventually(lambda: _phase(world, CLAIMS, "data-db-0", "Bound"))
        found = await there(world, CLAIMS, "data-db-0")
        assert found["spec"]["volumeName"] == name
        assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
        assert found["metadata"]["uid"] != made["metadata"]["uid"]
    finally:
        await world.cluster.delete(VOLUMES, name)


async def _phase(world: World, resource: Any, name: str, phase: str) -> bool:
    found = await read(world, resource, name)
    return found is not None and (found.get("status") or {}).get("phase") == phase
