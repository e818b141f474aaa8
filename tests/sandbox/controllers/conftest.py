"""A whole cluster without processes: real controllers, real directories, and a clock that only moves when told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.resources import (
    CLAIMS,
    NAMESPACES,
    PODS,
    STATEFULSETS,
    STORAGECLASSES,
    VOLUMES,
    Resource,
)
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.controllers.base import Loop
from lazarus_tui.sandbox.controllers.roster import roster
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.catalog import standard_catalog
from lazarus_tui.sandbox.dataplane.kubelet import Kubelet
from lazarus_tui.sandbox.dataplane.launcher import InstantLauncher
from lazarus_tui.sandbox.dataplane.volumes import DRIVER, VolumeStore

Object = dict[str, Any]


class Rig:
    def __init__(self, root: Path) -> None:
        self.clock = VirtualClock()
        self.registry = Registry()
        self.api = LocalApi(Store(), self.registry, self.clock)
        self.api.bootstrap()
        self.root = root
        self.volumes = VolumeStore(root / "volumes")
        self.build()

    def build(self) -> None:
        """Fresh controllers over the same objects and directories, as after a crash."""
        root = self.root
        self.kubelet = Kubelet(
            self.api,
            self.clock,
            root=root / "pods",
            hosts=root / "hosts.json",
            volumes=self.volumes,
            launcher=InstantLauncher(self.clock),
            catalog=standard_catalog(),
            addresses=Addresses(root),
        )
        controllers = roster(self.api, self.clock, volumes=self.volumes, kinds=self.kinds, ca="PEM")
        self.loop = Loop(self.api, self.clock, [*controllers, self.kubelet])

    def kinds(self) -> list[Resource]:
        return [kind.resource for kind in self.registry.kinds() if "list" in kind.verbs]

    async def settle(self) -> None:
        await self.loop.settle()

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds, between=self.loop.settle)

    def get(self, resource: Resource, name: str, namespace: str | None = "shop") -> Object:
        found = self.api.get(resource, name, namespace)
        assert found is not None, f"{resource.plural} {name} is not there"
        return found

    def names(self, resource: Resource, namespace: str | None = "shop") -> list[str]:
        return [obj["metadata"]["name"] for obj in self.api.list(resource, namespace)]

    def directory(self, claim: str) -> Path:
        return self.volumes.path(self.get(VOLUMES, self.get(CLAIMS, claim)["spec"]["volumeName"], None))

    def storage_class(self, name: str, mode: str = "WaitForFirstConsumer", reclaim: str = "Delete") -> None:
        self.api.create(
            STORAGECLASSES,
            {
                "metadata": {"name": name},
                "provisioner": DRIVER,
                "volumeBindingMode": mode,
                "reclaimPolicy": reclaim,
            },
        )

    def claim(self, name: str, storage_class: str = "immediate", **spec: Any) -> Object:
        wanted = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        }
        return self.api.create(CLAIMS, {"metadata": {"name": name}, "spec": wanted | spec}, "shop")

    def pod(self, name: str, image: str = "lazarus.dev/pause:1", claim: str = "", **spec: Any) -> Object:
        container: Object = {"name": "main", "image": image}
        wanted: Object = {"containers": [container]} | spec
        if claim:
            container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
            wanted["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        return self.api.create(PODS, {"metadata": {"name": name}, "spec": wanted}, "shop")

    def statefulset(self, name: str = "orders", replicas: int = 1, **spec: Any) -> Object:
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "lazarus.dev/pause:1",
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ]
            },
        }
        claim = {
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "standard",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        wanted = {
            "serviceName": name,
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            "volumeClaimTemplates": [claim],
        }
        return self.api.create(STATEFULSETS, {"metadata": {"name": name}, "spec": wanted | spec}, "shop")

    def scale(self, name: str, replicas: int) -> None:
        self.api.patch(STATEFULSETS, name, {"spec": {"replicas": replicas}}, "shop")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.loop.start()
    rig.storage_class("standard")
    rig.storage_class("immediate", mode="Immediate")
    rig.storage_class("kept", mode="Immediate", reclaim="Retain")
    rig.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await rig.settle()
    yield rig
    await rig.loop.stop()
