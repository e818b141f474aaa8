"""One whole sandbox cluster in this process: API, controllers, kubelet, Velero and its object store.

Pure tests and the crash harness use it with a ``VirtualClock`` and an ``InstantLauncher``; the serve process uses the
same with real processes and TLS in front (process.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.paths import write_private
from lazarus_tui.model.resources import LOCATIONS, NAMESPACES, Resource
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import KUBERNETES_VERSION, ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.bucket import BucketServer, ObjectStore
from lazarus_tui.sandbox.controllers.base import Controller, Loop
from lazarus_tui.sandbox.controllers.roster import roster
from lazarus_tui.sandbox.controllers.token_secrets import TokenSecrets
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.catalog import standard_catalog
from lazarus_tui.sandbox.dataplane.kubelet import Kubelet
from lazarus_tui.sandbox.dataplane.launcher import InstantLauncher, Launcher
from lazarus_tui.sandbox.dataplane.network import PodNetwork
from lazarus_tui.sandbox.dataplane.pod_tokens import PodTokens
from lazarus_tui.sandbox.dataplane.proxy import ServiceProxy
from lazarus_tui.sandbox.dataplane.volumes import VolumeStore
from lazarus_tui.sandbox.faults.site import install, sweep
from lazarus_tui.sandbox.scenarios.manifests import apply, define
from lazarus_tui.sandbox.scenarios.orderbook import OrderBook
from lazarus_tui.sandbox.scenarios.seed import History, install_shop
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver
from lazarus_tui.sandbox.snapshots.installation import install as install_snapshots
from lazarus_tui.sandbox.snapshots.installation import snapshot_controller, snapshot_sidecar
from lazarus_tui.sandbox.velero import server as velero
from lazarus_tui.sandbox.velero.installation import Installation, Settings
from lazarus_tui.sandbox.velero.node import KubeletNode

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.server import Interceptor

BUCKETS = ("shop-velero-backups", "shop-velero-dr-backups")


class SandboxCluster:
    """``root`` holds everything on disk.

    ``velero_clock`` times Velero's periods (a ``ScaledClock`` in the shipped sandbox), ``clock`` everything else.
    ``store`` may come from a database; an empty one is filled with the scenario: Velero and the shop, with weeks of
    ``history`` or without. ``serve_bucket`` listens for signed downloads on a loopback port.
    """

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        velero_clock: Clock | None = None,
        launcher: Launcher | None = None,
        store: Store | None = None,
        token: str = "",
        ca: str = "",
        history: bool = True,
        shop: bool = True,
        serve_bucket: bool = True,
        settings: Settings | None = None,
        interceptor: Interceptor | None = None,
    ) -> None:
        self.root, self.clock = root, clock
        self.store = store or Store()
        self.registry = Registry()
        self.api = LocalApi(self.store, self.registry, clock)
        self.registry.attach(self.store)
        self.volumes = VolumeStore(root / "volumes")
        self.objects = ObjectStore(root / "bucket", clock, _secret(root))
        launcher = launcher or InstantLauncher(clock)
        # Before the kubelet, and its end after the kubelet's: pods live in it.
        self.network = PodNetwork(self.api, clock, catalog=standard_catalog(), separate=launcher.processes)
        self.kubelet, proxy = self._node(clock, launcher)
        self.server = ApiServer(
            self.store,
            self.registry,
            clock,
            token=token,
            runtime=self.kubelet,
            interceptor=interceptor,
            wire=clock,
            signing=_secret(root).hex(),  # not the token: that one can be renewed
        )
        self.kubelet.issue = PodTokens(self.api, clock, self.server.access.tokens)
        self.velero = self._velero(velero_clock or clock, settings or Settings(kubernetes_version=KUBERNETES_VERSION))
        self.driver = DirectoryDriver(self.api, clock, self.volumes, freezer=self.kubelet)
        self.loop = Loop(self.api, clock, self._controllers(ca, proxy))
        self.on_token: Callable[[str], None] = lambda token: None  # told the administrator's new token
        self.faults = install(self)
        self._scenario = (shop, history)
        self._bucket_server = BucketServer(self.objects) if serve_bucket else None

    def _velero(self, clock: Clock, settings: Settings) -> Installation:
        node = KubeletNode(self.api, self.kubelet, self.root / "pods")
        return Installation(
            api=self.api,
            clock=clock,
            store=self.objects,
            node=node,
            kinds=self.kinds,
            runtime=self.kubelet,
            log=node.log,
            settings=settings,
        )

    def _controllers(self, ca: str, proxy: ServiceProxy) -> list[Controller]:
        """Everything that acts on objects: the cluster's own, the node's, Velero's."""
        return [
            *roster(self.api, self.clock, volumes=self.volumes, kinds=self.kinds, ca=ca, driver=self.driver),
            TokenSecrets(self.api, self.clock, self.server.access.tokens, ca),
            *snapshot_controller(self.api, self.clock),
            *snapshot_sidecar(self.api, self.clock, self.driver),
            self.network,
            self.kubelet,
            proxy,
            *velero.controllers(self.velero),
        ]

    def _node(self, clock: Clock, launcher: Launcher) -> tuple[Kubelet, ServiceProxy]:
        addresses = self.addresses = Addresses(self.root)
        hosts = self.root / "hosts.json"
        kubelet = Kubelet(
            self.api,
            clock,
            root=self.root / "pods",
            hosts=hosts,
            volumes=self.volumes,
            launcher=launcher,
            catalog=standard_catalog(),
            addresses=addresses,
            network=self.network,
        )
        return kubelet, ServiceProxy(self.api, clock, hosts=hosts, addresses=addresses, network=self.network)

    def kinds(self) -> Iterable[Resource]:
        """Every kind that has objects."""
        return [kind.resource for kind in self.registry.kinds() if "list" in kind.verbs]

    async def start(self) -> None:
        """Fill an empty cluster, then run it."""
        if self._bucket_server is not None:
            await self._bucket_server.start(self._last_bucket_port())
        self.addresses.hold()  # the kubelet lets go of it
        self.store.service_block = self.addresses.services
        self.api.bootstrap()
        if self.api.get(NAMESPACES, self.velero.namespace) is None:
            self._fill()
        self._tell_bucket_address()
        sweep(self.api)
        await self.loop.start()

    def _fill(self) -> None:
        shop, history = self._scenario
        define(self.api)
        for bucket in BUCKETS:
            (self.objects.root / bucket).mkdir(parents=True, exist_ok=True, mode=0o700)
        apply(self.api, "cluster")
        install_snapshots(self.api)
        apply(self.api, "velero")
        if not shop:
            return
        apply(self.api, "schedules")
        orders = OrderBook(self.clock.now())
        install_shop(self.velero, self.volumes, orders)
        if history:
            History(self.velero, orders).write()
        apply(self.api, "accounts")

    def _tell_bucket_address(self) -> None:
        """``publicUrl`` is where clients outside reach the object store; the port changes with every start."""
        if not self.objects.base_url:
            return
        for name in ("default", "dr"):
            location = self.api.get(LOCATIONS, name, self.velero.namespace)
            if location is not None:
                config = {"publicUrl": self.objects.base_url}
                self.api.patch(LOCATIONS, name, {"spec": {"config": config}}, self.velero.namespace)

    def _last_bucket_port(self) -> int:
        location = self.api.get(LOCATIONS, "default", self.velero.namespace)
        told = ((location or {"spec": {}})["spec"].get("config") or {}).get("publicUrl", "")
        return urlsplit(told).port or 0

    def transport(self) -> MemoryTransport:
        return MemoryTransport(self.server)

    async def settle(self) -> None:
        """Returns when no controller has anything to do (see ``Loop.settle``)."""
        await self.loop.settle()

    async def stop(self) -> None:
        """End watches, controllers and pods; objects and files stay."""
        self.server.stop()
        await self.faults.close()
        await self.loop.stop()
        if self._bucket_server is not None:
            await self._bucket_server.stop()


def _secret(root: Path) -> bytes:
    """The key of signed URLs: kept, so that a URL outlives a restart."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = root / "bucket.key"
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()
