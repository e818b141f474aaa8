"""Faults put into a cluster: each kind at the seam of the part that it is done to."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, cast

from lazarus_tui.sandbox.controllers.nodes import NodeController
from lazarus_tui.sandbox.dataplane.launcher import Launcher
from lazarus_tui.sandbox.faults.effects import BrokenWatches, Compaction, Expiry
from lazarus_tui.sandbox.faults.endpoint import Endpoint
from lazarus_tui.sandbox.faults.faults import Effect, Faults
from lazarus_tui.sandbox.faults.model import PATH, Fault, FaultRefused
from lazarus_tui.sandbox.faults.nodes import Crashing, NodeOutage, Unpullable, set_taints
from lazarus_tui.sandbox.faults.parts import FAULT_LABEL, QUOTAS, Full, Quota, StoreOutage, Switch, VeleroRestart
from lazarus_tui.sandbox.faults.requests import Interference
from lazarus_tui.sandbox.velero import server as velero
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.node import KubeletNode

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.cluster import SandboxCluster


def install(cluster: SandboxCluster) -> Faults:
    """The faults of this cluster; none is active."""
    server = cluster.server
    effects = _of_server(cluster) | _of_velero(cluster) | _of_storage(cluster) | _of_node(cluster)
    faults = Faults(cluster.clock, effects)
    server.around = Interference(faults, server)
    server.private[PATH] = Endpoint(faults)
    return faults


def sweep(api: LocalApi) -> None:
    """Faults end with their process: remove what those of an earlier one left among the objects."""
    set_taints(api, [])
    for quota in api.list(QUOTAS, labels=FAULT_LABEL):
        api.delete(QUOTAS, quota["metadata"]["name"], quota["metadata"]["namespace"])


def _of_server(cluster: SandboxCluster) -> dict[str, Effect]:
    def renew() -> None:
        cluster.server.renew(secrets.token_urlsafe(32))
        cluster.on_token(cluster.server.token)

    return {
        "gone": Compaction(cluster.store),
        "reset": BrokenWatches(cluster.store),
        "token-expired": Expiry(cluster.server, renew),
        "quota": Quota(cluster.api),
    }


def _of_velero(cluster: SandboxCluster) -> dict[str, Effect]:
    running = [one for one in cluster.loop.controllers if isinstance(one, VeleroController)]
    return {
        "velero-restart": VeleroRestart(cluster.loop, lambda: velero.controllers(cluster.velero), running),
        "location-unavailable": StoreOutage(cluster.velero),
    }


def _of_storage(cluster: SandboxCluster) -> dict[str, Effect]:
    disk, snapshots = cluster.velero.disk, cluster.driver.faults
    node = cast(KubeletNode, cluster.velero.node)

    def slow(speed: float) -> None:
        disk.speed = speed

    def torn(value: bool) -> None:
        node.torn = snapshots.torn = value

    def stuck(value: bool, silent: bool = False) -> None:
        snapshots.stuck, snapshots.silent = value and not silent, silent

    def fails(create: str = "", delete: str = "") -> None:
        snapshots.fails, snapshots.delete_fails = create, delete

    def failing(fault: Fault) -> None:
        text = str(fault.parameters["message"])
        fails(*(("", text) if fault.parameters["call"] == "delete" else (text, "")))

    return {
        "slow-disk": Switch("copies", lambda fault: slow(float(fault.parameters["speed"])), lambda: slow(0.0)),
        "disk-full": Full(cluster.store, cluster.velero),
        "torn-copy": Switch("copies", lambda _: torn(True), lambda: torn(False)),
        "snapshot-stuck": Switch(
            "the CSI driver", lambda fault: stuck(True, bool(fault.parameters["silent"])), lambda: stuck(False)
        ),
        "snapshot-failing": Switch("the CSI driver", failing, fails),
    }


def _of_node(cluster: SandboxCluster) -> dict[str, Effect]:
    kubelet, network = cluster.kubelet, cluster.network

    def blind(value: bool) -> None:
        if value and not network.state.enforced:
            raise FaultRefused(f"network policies are {network.state}")
        network.ignores_policies = value

    crashing, unpullable = Crashing(kubelet.launcher), Unpullable(kubelet.catalog)
    kubelet.launcher, kubelet.catalog = cast(Launcher, crashing), unpullable
    nodes = next(one for one in cluster.loop.controllers if isinstance(one, NodeController))
    return {
        "cni-ignores-policy": Switch("network policies", lambda _: blind(True), lambda: blind(False)),
        "node-not-ready": NodeOutage(cluster.api, cluster.clock, kubelet, nodes),
        "crash-loop": crashing,
        "image-pull": unpullable,
    }
