"""The real CRDs of each supported Velero, an API server in memory with them, and a gate that keeps both sides."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError, outcome
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.resources import CLAIMS, CRDS, LOCATIONS, NAMESPACES, Resource
from lazarus_tui.model.steps import Outcome, Write, WriteResult
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock

Json = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "crds" / "velero"
# The newest lies at the top, every older one in a folder of its name.
VERSIONS = (*sorted(path.name for path in FOLDER.glob("v*") if path.is_dir()), "v1.18.2")
NEWEST = "v1.18.2"
VELERO = "velero"
OP = "0123456789abcdef"
# What the server says to these requests at once.
ANSWERS: Mapping[str, Json] = {
    "downloadrequests": {"phase": "Processed", "downloadURL": "https://store.example/x"},
    "serverstatusrequests": {
        "phase": "Processed", "serverVersion": "v1.2.3", "plugins": [{"name": "a", "kind": "ObjectStore"}],
    },
}  # fmt: skip
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=8)
def definitions(version: str) -> tuple[Json, ...]:
    """The thirteen definitions; treat them as immutable."""
    folder = FOLDER if version == NEWEST else FOLDER / version
    return tuple(yaml.load(path.read_text("utf-8"), _LOADER) for path in sorted(folder.glob("*.yaml")))


def schema(version: str, resource: Resource) -> Json:
    """The schema of one kind as that Velero ships it."""
    found = next(one for one in definitions(version) if one["metadata"]["name"] == resource.group_resource)
    served = next(one for one in found["spec"]["versions"] if one["name"] == resource.version)
    result: Json = served["schema"]["openAPIV3Schema"]
    return result


class World:
    """A cluster with the CRDs of one Velero, a storage location, a namespace and a claim; nothing acts in it."""

    def __init__(self, version: str) -> None:
        self.clock = VirtualClock()
        store, kinds = Store(), Registry()
        kinds.attach(store)
        self.api = LocalApi(store, kinds, self.clock)
        self.api.bootstrap()
        for definition in definitions(version):
            self.api.create(CRDS, definition)
        for name in (VELERO, "shop"):
            self.api.create(NAMESPACES, {"metadata": {"name": name}})
        self.server = ApiServer(store, kinds, self.clock)
        self.cluster = Cluster(MemoryTransport(self.server), "lab", self.clock, policy=ONCE, rng=lambda: 0.0)
        self.put(
            LOCATIONS, "default",
            spec={"provider": "aws", "objectStorage": {"bucket": "b"}, "default": True},
            status={"phase": "Available", "lastValidationTime": rfc3339(self.clock.now())},
        )  # fmt: skip
        claim = {"metadata": {"name": "data-orders-0"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv-1",
        }}  # fmt: skip
        claim = self.api.create(CLAIMS, claim, "shop")
        self.api.update_status(CLAIMS, {**claim, "status": {"phase": "Bound"}})

    def put(self, resource: Resource, name: str, **fields: Any) -> Json:
        return self.api.create(resource, {"metadata": {"name": name, **fields.pop("metadata", {})}, **fields}, VELERO)

    def get(self, resource: Resource, name: str) -> Json:
        found = self.api.get(resource, name, VELERO)
        assert found is not None, f"{resource.plural} {name} was not made"
        return found

    async def close(self) -> None:
        self.server.stop()
        await self.cluster.close()


class Bench:
    """What a step sees; each write goes to the server as the engine's gate sends it, and is kept with its answer."""

    def __init__(self, world: World) -> None:
        self.world, self.reader, self.gate, self.clock = world, world.cluster, self, world.clock
        self.op = OP
        self.facts: Json = {}
        self.kept: list[tuple[Write, Json]] = []
        self.plan = Plan(
            kind="test", context="lab", cluster_uid="c", target="t", title="t", danger=Danger.SAFE, params={}, steps=(),
        )  # fmt: skip

    async def write(self, write: Write) -> WriteResult:
        cluster, body = self.world.cluster, copy.deepcopy(write.body)
        try:
            if write.verb == "create":
                meta = body["metadata"]
                meta["labels"] = {**(meta.get("labels") or {}), "lazarus.io/op": OP[:8]}
                answer = await cluster.create(write.resource, body, write.namespace)
            elif write.verb == "merge-patch":
                answer = await cluster.merge_patch(write.resource, write.name, body, write.namespace, uid=write.uid)
            else:
                answer = await cluster.delete(write.resource, write.name, write.namespace, uid=write.uid)
        except KubeError as error:
            return WriteResult(outcome(error), status=error.status, reason=error.message)
        if write.verb != "delete":
            self.kept.append((write, self.world.get(write.resource, write.name)))
        if write.verb == "create" and write.resource.plural in ANSWERS:
            self.world.api.patch(write.resource, write.name, {"status": ANSWERS[write.resource.plural]}, VELERO)
        return WriteResult(Outcome.APPLIED, object=answer, status=200)

    async def remember(self, **facts: Any) -> None:
        self.facts |= facts

    async def fetch(self, url: str, *, limit: int, ca: str = "") -> bytes:
        return b"[]"


def missing(sent: Any, kept: Any, path: str = "") -> list[str]:
    """Paths of what was sent and is not kept as it was."""
    if isinstance(sent, Mapping):
        if not isinstance(kept, Mapping):
            return [path]
        return [where for key, value in sent.items() for where in missing(value, kept.get(key), f"{path}.{key}")]
    return [] if sent == kept else [path]
