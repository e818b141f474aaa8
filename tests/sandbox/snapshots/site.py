"""A cluster with a snapshot controller and a CSI driver, without processes and on virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lazarus_tui.model.resources import CLAIMS, EVENTS, NAMESPACES, PODS, STORAGECLASSES, VOLUMES, Resource
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.controllers.base import Controller, Loop
from lazarus_tui.sandbox.controllers.roster import roster
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.catalog import standard_catalog
from lazarus_tui.sandbox.dataplane.kubelet import Kubelet
from lazarus_tui.sandbox.dataplane.launcher import InstantLauncher
from lazarus_tui.sandbox.dataplane.volumes import DRIVER, VolumeStore
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver
from lazarus_tui.sandbox.snapshots.installation import definitions as shipped
from lazarus_tui.sandbox.snapshots.installation import install, snapshot_controller, snapshot_sidecar
from lazarus_tui.sandbox.snapshots.names import CLASSES, CONTENTS, SNAPSHOTS

Object = dict[str, Any]

SHIPPED = shipped()


class Site:
    """The cluster and the moves that tests make. ``parts`` may lack ``controller`` or ``sidecar``."""

    def __init__(
        self, root: Path, *, parts: tuple[str, ...] = ("controller", "sidecar"), definitions: list[Object] | None = None
    ) -> None:
        self.root, self.parts = root, parts
        self.clock = VirtualClock()
        self.registry, store = Registry(), Store()
        self.api = LocalApi(store, self.registry, self.clock)
        self.registry.attach(store)
        self.api.bootstrap()
        install(self.api, definitions or SHIPPED)
        self.volumes = VolumeStore(root / "volumes")
        self.build()

    def build(self) -> None:
        """Fresh controllers over the same objects and directories, as after a crash."""
        self.kubelet = Kubelet(
            self.api, self.clock, root=self.root / "pods", hosts=self.root / "hosts.json", volumes=self.volumes,
            launcher=InstantLauncher(self.clock), catalog=standard_catalog(), addresses=Addresses(self.root),
        )  # fmt: skip
        self.driver = DirectoryDriver(self.api, self.clock, self.volumes, freezer=self.kubelet)
        own: list[Controller] = roster(
            self.api, self.clock, volumes=self.volumes, kinds=self.kinds, ca="PEM", driver=self.driver
        )
        if "controller" in self.parts:
            own += snapshot_controller(self.api, self.clock)
        if "sidecar" in self.parts:
            own += snapshot_sidecar(self.api, self.clock, self.driver)
        self.loop = Loop(self.api, self.clock, [*own, self.kubelet])

    async def start(self) -> None:
        """Starts the controllers and gives them classes and two namespaces to work with."""
        await self.loop.start()
        for name, mode, driver in (
            ("standard", "WaitForFirstConsumer", DRIVER),
            ("immediate", "Immediate", DRIVER),
            ("foreign", "Immediate", "other.example"),
        ):
            body = {"metadata": {"name": name}, "provisioner": driver, "volumeBindingMode": mode}
            self.api.create(STORAGECLASSES, body | {"reclaimPolicy": "Delete", "allowVolumeExpansion": True})
        for name in ("shop", "other"):
            self.api.create(NAMESPACES, {"metadata": {"name": name}})
        await self.settle()

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

    def there(self, resource: Resource, name: str, namespace: str | None = "shop") -> bool:
        return self.api.get(resource, name, namespace) is not None

    def names_of(self, resource: Resource, namespace: str | None = None) -> list[str]:
        return [one["metadata"]["name"] for one in self.api.list(resource, namespace)]

    def status(self, resource: Resource, name: str, namespace: str | None = "shop") -> Object:
        found: Object = self.get(resource, name, namespace).get("status") or {}
        return found

    def claim(self, name: str = "data", storage_class: str = "immediate", size: str = "1Gi", **spec: Any) -> Object:
        wanted = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        }
        namespace = spec.pop("namespace", "shop")
        return self.api.create(CLAIMS, {"metadata": {"name": name}, "spec": wanted | spec}, namespace)

    async def filled(self, name: str = "data", text: str = "orders", **spec: Any) -> Path:
        """A bound claim with a file in it; its directory."""
        self.claim(name, **spec)
        await self.settle()
        folder = self.folder(name, spec.get("namespace", "shop"))
        (folder / "file").write_text(text)
        return folder

    def folder(self, claim: str, namespace: str = "shop") -> Path:
        return self.volumes.path(self.get(VOLUMES, self.get(CLAIMS, claim, namespace)["spec"]["volumeName"], None))

    def snapshot(self, name: str = "snap", claim: str = "data", namespace: str = "shop", **spec: Any) -> Object:
        body = {"metadata": {"name": name}, "spec": {"source": {"persistentVolumeClaimName": claim}} | spec}
        return self.api.create(SNAPSHOTS, body, namespace)

    async def ready(self, name: str = "snap", claim: str = "data", **spec: Any) -> Object:
        """A snapshot that is ready to use."""
        self.snapshot(name, claim, **spec)
        await self.advance(5)
        assert self.status(SNAPSHOTS, name)["readyToUse"] is True
        return self.get(SNAPSHOTS, name)

    def content(self, snapshot: str = "snap", namespace: str = "shop") -> Object:
        return self.get(CONTENTS, self.status(SNAPSHOTS, snapshot, namespace)["boundVolumeSnapshotContentName"], None)

    def keep(self, snapshot: str = "snap") -> None:
        """Patches the content's policy to Retain."""
        self.api.patch(CONTENTS, self.content(snapshot)["metadata"]["name"], {"spec": {"deletionPolicy": "Retain"}})

    def alias(self, name: str, handle: str, policy: str = "Retain", namespace: str = "shop", **spec: Any) -> None:
        """A pre-provisioned content and the snapshot it is for."""
        reference = {"name": name, "namespace": namespace, "kind": "VolumeSnapshot"}
        wanted = {
            "deletionPolicy": policy,
            "driver": DRIVER,
            "source": {"snapshotHandle": handle},
            "volumeSnapshotRef": reference,
        }
        self.api.create(CONTENTS, {"metadata": {"name": f"{name}-content"}, "spec": wanted | spec})
        source = {"volumeSnapshotContentName": f"{name}-content"}
        self.api.create(SNAPSHOTS, {"metadata": {"name": name}, "spec": {"source": source}}, namespace)

    def handles(self) -> list[str]:
        return list(self.driver.storage.handles())

    def reasons(self, name: str) -> list[str]:
        """What happened to an object, in the order in which it first did."""
        found = [one for one in self.api.list(EVENTS) if one["involvedObject"]["name"] == name]
        return [one["reason"] for one in sorted(found, key=lambda one: int(one["metadata"]["resourceVersion"]))]

    def messages(self, name: str) -> list[str]:
        return [one["message"] for one in self.api.list(EVENTS) if one["involvedObject"]["name"] == name]

    def snapshot_class(self, name: str, driver: str = DRIVER, default: bool = False, **fields: Any) -> None:
        meta: Object = {"name": name}
        if default:
            meta["annotations"] = {"snapshot.storage.kubernetes.io/is-default-class": "true"}
        self.api.create(CLASSES, {"metadata": meta, "driver": driver, "deletionPolicy": "Delete"} | fields)

    def pod(self, name: str, claim: str) -> None:
        mount = {"name": "main", "image": "lazarus.dev/pause:1", "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
        volume = {"name": "d", "persistentVolumeClaim": {"claimName": claim}}
        self.api.create(
            PODS, {"metadata": {"name": name}, "spec": {"containers": [mount], "volumes": [volume]}}, "shop"
        )
