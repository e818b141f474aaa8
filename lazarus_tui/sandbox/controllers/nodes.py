"""The sandbox's one node, and what every namespace is born with."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, NODES, SERVICEACCOUNTS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object
from lazarus_tui.sandbox.controllers.pods import is_ending

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

NODE = "sandbox-node"
"""The one node's name."""

MAX_PODS = 60
"""Pods the node takes, each a process of 13 to 20 MB on somebody's laptop: ten proofs of shop at once are fifty."""

# A real node reports its status every 5 minutes when nothing changes (nodeStatusReportFrequency).
_HEARTBEAT_SECONDS = 300.0
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
# What others say of the node stays as they said it.
_OWN = frozenset(kind for kind, *_ in _CONDITIONS)


class NodeController(Controller):
    """Makes the Node object and keeps it Ready. ``pods`` is how many it takes."""

    name = "node"

    def __init__(self, api: LocalApi, clock: Clock, version: str = "v1.34.0") -> None:
        super().__init__(api, clock)
        self._version = version
        self.silent = False  # the kubelet has stopped reporting

    async def start(self) -> None:
        if self.api.get(NODES, NODE) is None:
            labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": _arch()}
            self.api.create(NODES, {"metadata": {"name": NODE, "labels": labels}, "spec": {}})
        await self.reconcile(("", NODE))
        self.enqueue(("", NODE))

    async def reconcile(self, key: Key) -> float | None:
        node = self.api.get(NODES, NODE)
        if node is None or self.silent:
            return _HEARTBEAT_SECONDS
        now = rfc3339(self.clock.now())
        before = {one["type"]: one for one in (node.get("status") or {}).get("conditions") or ()}
        self.api.update_status(NODES, {**node, "status": self._status(now, before)})
        return _HEARTBEAT_SECONDS

    def _status(self, now: str, before: dict[str, Object]) -> Object:
        size = {"cpu": str(os.cpu_count() or 1), "memory": "8Gi", "pods": str(MAX_PODS), "ephemeral-storage": "20Gi"}
        return {
            "capacity": size,
            "allocatable": size,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now,
                 "lastTransitionTime": before.get(kind, {}).get("lastTransitionTime", now)}
                for kind, status, reason, message in _CONDITIONS
            ] + [one for kind, one in before.items() if kind not in _OWN],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "nodeInfo": {
                "kubeletVersion": self._version, "kubeProxyVersion": "", "operatingSystem": "linux",
                "architecture": _arch(), "containerRuntimeVersion": "lazarus-sandbox://1",
                "osImage": "Lazarus sandbox", "kernelVersion": platform.release(), "machineID": NODE,
                "systemUUID": NODE, "bootID": NODE,
            },
        }  # fmt: skip


def _arch() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


class NamespaceFurniture(Controller):
    """Gives each namespace its ``default`` ServiceAccount and the cluster's CA certificate."""

    name = "namespace-furniture"
    watches: ClassVar[Sequence[Resource]] = (NAMESPACES, SERVICEACCOUNTS, CONFIGMAPS)

    def __init__(self, api: LocalApi, clock: Clock, ca: str = "") -> None:
        super().__init__(api, clock)
        self._ca = ca

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> list[Key]:
        meta = obj["metadata"]
        if resource == NAMESPACES:
            return [("", meta["name"])]
        return [("", meta["namespace"])] if meta["name"] in ("default", "kube-root-ca.crt") else []

    async def reconcile(self, key: Key) -> float | None:
        namespace = self.api.get(NAMESPACES, key[1])
        if namespace is None or is_ending(namespace):
            return None
        if self.api.get(SERVICEACCOUNTS, "default", key[1]) is None:
            self.api.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, key[1])
        wanted = {"ca.crt": self._ca}
        found = self.api.get(CONFIGMAPS, "kube-root-ca.crt", key[1])
        if found is None:
            self.api.create(CONFIGMAPS, {"metadata": {"name": "kube-root-ca.crt"}, "data": wanted}, key[1])
        elif found.get("data") != wanted:
            self.api.update(CONFIGMAPS, {**found, "data": wanted})
        return None
