"""What a quarantine is made of, as a real API server takes it: nothing is unknown, refused or read back changed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from real_world import World, eventually

from lazarus_tui.engine.gate import Gate
from lazarus_tui.journal import Journal
from lazarus_tui.kube.errors import AlreadyExists, Conflict, Forbidden, NotFound
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.resources import (
    CLAIMS,
    NAMESPACES,
    NETWORKPOLICIES,
    PODS,
    SERVICEACCOUNTS,
    SERVICES,
    VOLUMES,
    Resource,
)
from lazarus_tui.prove.quarantine import bodies, census, names
from lazarus_tui.prove.quarantine.names import Quarantine
from lazarus_tui.prove.quarantine.space import differs
from lazarus_tui.prove.quarantine.sweep import sweep

Object = dict[str, Any]
LIMITS = {"cpu": "1000m", "memory": "1024Mi", "storage": "10Gi", "pods": "3"}


@pytest.fixture
async def wanted(world: World) -> AsyncIterator[Quarantine]:
    """A quarantine whose objects stand in the real cluster; its pods are not made: there is no node."""
    op = secrets.token_hex(8)
    found = names.quarantine({"op": op, "limits": LIMITS, "keep_minutes": 5, "network": {"dns": True}})
    await world.cluster.create(NAMESPACES, bodies.namespace(found, SystemClock().now()))
    try:
        for resource, body in bodies.closed(found):
            await world.cluster.create(resource, body, found.name)
        with suppress(AlreadyExists):
            await world.cluster.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, found.name)
        yield found
    finally:
        with suppress(Conflict, NotFound):
            await world.cluster.delete(NAMESPACES, found.name)


async def read(world: World, wanted: Quarantine, resource: Resource, name: str) -> Object:
    found: Object | None = await world.cluster.get(resource, name, wanted.name, type=dict)
    assert found is not None, f"{resource.plural} {name} is gone"
    return found


async def test_what_is_read_back_says_what_was_made(world: World, wanted: Quarantine) -> None:
    space = await world.cluster.get(NAMESPACES, wanted.name, type=dict)
    body = bodies.namespace(wanted, SystemClock().now())
    del body["metadata"]["labels"][names.EXPIRES]
    assert differs(NAMESPACES, space, body) == ""
    made = bodies.closed(wanted)
    assert len(made) == 7
    for resource, one in made:
        found = await read(world, wanted, resource, one["metadata"]["name"])
        assert differs(resource, found, one) == "", f"{resource.kind} {one['metadata']['name']}"
    assert await census.namespace(world.cluster, wanted) is not None


async def test_a_changed_policy_is_seen(world: World, wanted: Quarantine) -> None:
    narrowed = {"spec": {"podSelector": {"matchLabels": {"app": "nobody"}}}}
    await world.cluster.merge_patch(NETWORKPOLICIES, names.DENY, narrowed, wanted.name)
    found = await read(world, wanted, NETWORKPOLICIES, names.DENY)
    assert differs(NETWORKPOLICIES, found, bodies.policies(wanted)[0]) == "/spec"


async def test_probes_are_admitted_and_who_says_nothing_is_counted_small(world: World, wanted: Quarantine) -> None:
    await eventually(lambda: _quota_is_known(world, wanted))
    listener, dialer = bodies.probes(wanted)
    for body in (listener, dialer):
        made = await world.cluster.create(PODS, body, wanted.name)
        assert made["spec"]["containers"][0]["command"] == body["spec"]["containers"][0]["command"]
    spec = {"automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]}
    bare: Object = {"metadata": {"name": "bare"}, "spec": spec}
    made = await world.cluster.create(PODS, bare, wanted.name)
    assert made["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "10m", "memory": "16Mi"}}


async def test_no_way_in_from_outside_is_admitted(world: World, wanted: Quarantine) -> None:
    await eventually(lambda: _quota_is_known(world, wanted))
    for kind in ("LoadBalancer", "NodePort"):
        spec = {"type": kind, "selector": {"a": "b"}, "ports": [{"port": 80}]}
        with pytest.raises(Forbidden, match="exceeded quota: lazarus-quota"):
            await world.cluster.create(SERVICES, {"metadata": {"name": "way"}, "spec": spec}, wanted.name)
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    await world.cluster.create(SERVICES, {"metadata": {"name": "way"}, "spec": spec}, wanted.name)


async def _quota_is_known(world: World, wanted: Quarantine) -> bool:
    """A quota counts from when its controller has counted and admission has heard of it: it lets all through before.

    That it is heard of is seen by what it refuses, without anything being made."""
    spec = {"type": "LoadBalancer", "selector": {"a": "b"}, "ports": [{"port": 80}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "way"}, "spec": spec}
    try:
        await world.cluster.request("POST", SERVICES.path(wanted.name), query=(("dryRun", "All"),), body=body)
    except Forbidden as error:
        return "exceeded quota: lazarus-quota" in str(error)
    return False


class Proof:
    """What a step sees, as far as cleaning needs it; its gate is the real one."""

    def __init__(self, world: World, journal: Journal, op: str) -> None:
        self.op, self.reader, self.clock = op, world.cluster, SystemClock()
        self.facts: dict[str, Any] = {}
        self._world, self._journal = world, journal

    async def begin(self) -> Proof:
        uid = await self._world.cluster.cluster_uid()
        plan = Plan(
            kind="t", context=self._world.cluster.context, cluster_uid=uid, target="q", title="t", danger=Danger.SAFE,
            params={}, steps=(),
        )  # fmt: skip
        self.gate = Gate(self._world.cluster, self._journal, self.op, plan, approved=plan.digest(), clock=self.clock)
        return self

    async def remember(self, **facts: Any) -> None:
        self.facts |= facts


async def test_a_live_volume_outlives_a_quarantine_that_is_swept_by_real_controllers(
    world: World, wanted: Quarantine, tmp_path: Path
) -> None:
    """Two volumes on one piece of storage, the copy's with Delete: its claim and the namespace go, the policy is
    Retain before, and the object alone is removed."""
    for name, space in ((f"{world.ns}-live", world.ns), (f"{world.ns}-copy", wanted.name)):
        reference = {"namespace": space, "name": "data"}
        spec = {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "lazarus-real",
            "persistentVolumeReclaimPolicy": "Delete", "claimRef": reference,
            "csi": {"driver": "lazarus.invalid", "volumeHandle": f"{world.ns}-disk"},
        }  # fmt: skip
        await world.cluster.create(VOLUMES, {"metadata": {"name": name}, "spec": spec})
        claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "lazarus-real", "volumeName": name,
                 "resources": {"requests": {"storage": "1Gi"}}}  # fmt: skip
        await world.cluster.create(CLAIMS, {"metadata": {"name": "data"}, "spec": claim}, space)
    await eventually(lambda: _bound(world, wanted))
    journal = await Journal.open(tmp_path / "journal.db", clock=SystemClock())
    try:
        proof = await Proof(world, journal, wanted.op).begin()
        assert await sweep(proof, wanted) == []  # type: ignore[arg-type]
        patched, *gone = [
            (one.body["verb"], one.body["resource"], one.body["undo"])
            for one in await journal.events(wanted.op, "gate.intent")
        ]
        assert patched[:2] == ("merge-patch", "persistentvolumes")
        assert patched[2] == {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
        assert [one[1] for one in gone] == ["persistentvolumeclaims", "namespaces", "persistentvolumes"]
        assert await world.cluster.get(NAMESPACES, wanted.name, type=dict) is None
        assert await world.cluster.get(VOLUMES, f"{world.ns}-copy", type=dict) is None
        live = await world.cluster.get(VOLUMES, f"{world.ns}-live", type=dict)
        assert live is not None
        assert live["status"]["phase"] == "Bound"
        assert names.label(live, names.OPERATION) == ""
    finally:
        await journal.close()
        await world.cluster.delete(VOLUMES, f"{world.ns}-live")


async def _bound(world: World, wanted: Quarantine) -> bool:
    found = [await world.cluster.get(CLAIMS, "data", space, type=dict) for space in (world.ns, wanted.name)]
    return all((one or {}).get("status", {}).get("phase") == "Bound" for one in found)
