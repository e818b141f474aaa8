"""A cluster whose pods are real processes, on real time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.resources import (
    NAMESPACES,
    PODS,
    SERVICES,
    STATEFULSETS,
    STORAGECLASSES,
    Resource,
)
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.controllers.base import Loop
from lazarus_tui.sandbox.controllers.roster import roster
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.catalog import standard_catalog
from lazarus_tui.sandbox.dataplane.environment import claim_directory
from lazarus_tui.sandbox.dataplane.kubelet import Kubelet
from lazarus_tui.sandbox.dataplane.launcher import ProcessLauncher
from lazarus_tui.sandbox.dataplane.ledger import Ledger
from lazarus_tui.sandbox.dataplane.network import PodNetwork
from lazarus_tui.sandbox.dataplane.proxy import ServiceProxy
from lazarus_tui.sandbox.dataplane.volumes import DRIVER, VolumeStore

Object = dict[str, Any]


class Node:
    """``separate`` is whether pods get networks of their own, where the machine lets them."""

    def __init__(self, root: Path, *, mapped: bool | None = None, separate: bool = True) -> None:
        self.root, self.clock, self.separate = root, SystemClock(), separate and not mapped
        registry = Registry()
        self.api = LocalApi(Store(), registry, self.clock)
        self.volumes = VolumeStore(root / "volumes")
        self.addresses = Addresses(root, mapped=mapped)
        self.build()
        self.api.bootstrap()

    def build(self) -> None:
        """Fresh controllers over the same objects, as after a crash."""
        hosts = self.root / "hosts.json"
        catalog = standard_catalog()
        self.network = PodNetwork(self.api, self.clock, catalog=catalog, separate=self.separate)
        self.kubelet = Kubelet(
            self.api,
            self.clock,
            root=self.root / "pods",
            hosts=hosts,
            volumes=self.volumes,
            launcher=ProcessLauncher(Ledger(self.root / "pids")),
            catalog=catalog,
            addresses=self.addresses,
            network=self.network,
        )
        self.proxy = ServiceProxy(self.api, self.clock, hosts=hosts, addresses=self.addresses, network=self.network)
        registry = self.api.registry
        own = roster(self.api, self.clock, volumes=self.volumes, kinds=lambda: [k.resource for k in registry.kinds()])
        self.loop = Loop(self.api, self.clock, [*own, self.network, self.kubelet, self.proxy])

    async def start(self) -> None:
        await self.loop.start()
        self.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        storage = {"provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}
        self.api.create(STORAGECLASSES, {"metadata": {"name": "standard"}} | storage)

    def get(self, resource: Resource, name: str) -> Object:
        found = self.api.get(resource, name, "shop")
        assert found is not None, f"{resource.plural} {name} is not there"
        return found

    async def until(self, holds: Callable[[], Any], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "did not come true in time"
            await asyncio.sleep(0.01)

    def ready(self, name: str) -> bool:
        pod = self.api.get(PODS, name, "shop")
        conditions = ((pod or {}).get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def container(self, name: str) -> Object:
        """The first container's status; an empty one while the kubelet has said nothing."""
        statuses = self.get(PODS, name)["status"].get("containerStatuses")
        found: Object = statuses[0] if statuses else {"state": {}, "restartCount": 0}
        return found

    def pod(self, name: str, image: str, *args: str, spec: Object | None = None, **container: Any) -> Object:
        main = {"name": "main", "image": f"lazarus.dev/{image}:1", "args": list(args)} | container
        wanted = {"containers": [main], "terminationGracePeriodSeconds": 2} | (spec or {})
        return self.api.create(PODS, {"metadata": {"name": name}, "spec": wanted}, "shop")

    async def orders(self) -> None:
        """The order book as StatefulSet and Service, ready."""
        port = {"name": "http", "port": 8080, "targetPort": "http"}
        spec = {"selector": {"app": "orders"}, "ports": [port]}
        self.api.create(SERVICES, {"metadata": {"name": "orders"}, "spec": spec}, "shop")
        container = {
            "name": "orders",
            "image": "lazarus.dev/orders:1",
            "ports": [{"name": "http", "containerPort": 8080}],
            "volumeMounts": [{"name": "data", "mountPath": "/var/lib/orders"}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        }
        claim = {
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "standard",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        template = {
            "metadata": {"labels": {"app": "orders"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
        }
        wanted = {
            "serviceName": "orders",
            "selector": {"matchLabels": {"app": "orders"}},
            "template": template,
            "volumeClaimTemplates": [claim],
        }
        self.api.create(STATEFULSETS, {"metadata": {"name": "orders"}, "spec": wanted}, "shop")
        await self.until(lambda: self.ready("orders-0") and self.proxy.where("shop", "orders", 8080))

    async def ask(self, method: str, path: str) -> tuple[int, Any]:
        """One request to the service orders, through its address, once it leads anywhere. Raises ``OSError``."""
        await self.until(lambda: self.proxy._targets(("shop", "orders"), 8080))
        host, _, port = self.proxy.where("shop", "orders", 8080).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            if not head:
                raise ConnectionResetError("it went away without an answer")
            return int(head.split()[1]), json.loads(body) if body[:1] in (b"{", b"[") else body
        finally:
            writer.close()
            await writer.wait_closed()

    def data(self) -> Path:
        return claim_directory(self.api, self.volumes, "shop", "data-orders-0")

    async def log(self, pod: str, **options: Any) -> list[bytes]:
        wanted = {
            "follow": False,
            "previous": False,
            "tail": None,
            "since_seconds": None,
            "timestamps": False,
            "limit_bytes": None,
        }
        return [line async for line in self.kubelet.logs("shop", pod, "", **(wanted | options))]

    async def run(self, pod: str, *argv: str, stdin: bytes | None = None) -> tuple[int, bytes, bytes]:
        session = await self.kubelet.exec("shop", pod, "", argv, stdin=stdin is not None, tty=False)
        if stdin is not None:
            await session.write_stdin(stdin)
            await session.close_stdin()
        out: dict[int, bytes] = {1: b"", 2: b""}
        async for channel, data in session.output():
            out[channel] += data
        return await session.wait(), out[1], out[2]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    await node.start()
    yield node
    await node.loop.stop()


@pytest.fixture
async def shared_node(tmp_path: Path) -> AsyncIterator[Node]:
    """As on a machine that lets nobody make namespaces."""
    node = Node(tmp_path, separate=False)
    await node.start()
    yield node
    await node.loop.stop()


@pytest.fixture
async def mapped_node(tmp_path: Path) -> AsyncIterator[Node]:
    """As on a system with one loopback address."""
    node = Node(tmp_path, mapped=True)
    await node.start()
    yield node
    await node.loop.stop()
